"""Checkpoints: what comes back is what was saved, and a file that does not fit is refused."""

import pytest
import torch

from spgnet.models import MartinezConfig, SPGNetConfig, build_model
from spgnet.training.checkpoint import Progress, load_checkpoint, save_checkpoint

CONFIG = SPGNetConfig(filter_widths=(3,), channels=8, trajectory_channels=4)


def trained(seed: int = 0):
    """A network and its optimizer after two steps."""
    torch.manual_seed(seed)
    model = build_model(CONFIG)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 17, 2)).joints.square().mean().backward()
        optimizer.step()
    return model, optimizer


def test_weights_optimizer_and_progress_come_back_to_the_bit(tmp_path):
    model, optimizer = trained()
    progress = Progress(step=7, best=12.5, sums={"pose": 0.1 + 0.2})
    save_checkpoint(tmp_path / "c.safetensors", CONFIG, progress, model, optimizer)
    other, other_optimizer = trained(seed=1)
    assert load_checkpoint(tmp_path / "c.safetensors", CONFIG, other, other_optimizer) == progress
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    for mine, yours in zip(model.parameters(), other.parameters(), strict=True):
        for key, value in optimizer.state[mine].items():
            assert torch.equal(value, other_optimizer.state[yours][key])
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (
            SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=4),
            r"filter_widths is \[3\], expected \[3, 3\]",
        ),
        (
            SPGNetConfig(filter_widths=(3,), channels=8, trajectory_channels=4, causal=True),
            "causal is False, expected True",
        ),
        (MartinezConfig(channels=8, trajectory_channels=4), "kind is spgnet, expected martinez"),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused(tmp_path, config, fault):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, CONFIG, Progress(), trained()[0])
    model = build_model(config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=fault) as error:
        load_checkpoint(path, config, model)
    assert str(error.value).startswith(f"{path}: a checkpoint of another configuration")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_missing_a_cut_and_a_foreign_file_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    with pytest.raises(ValueError, match="no such checkpoint"):
        load_checkpoint(path, CONFIG, trained()[0])
    save_checkpoint(path, CONFIG, Progress(), trained()[0])
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"text", b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a readable safetensors file"):
            load_checkpoint(path, CONFIG, trained()[0])


def test_weights_without_optimizer_cannot_be_resumed_from(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, CONFIG, Progress(step=3), trained()[0])
    model, optimizer = trained()
    with pytest.raises(ValueError, match="holds no optimizer state"):
        load_checkpoint(path, CONFIG, model, optimizer)

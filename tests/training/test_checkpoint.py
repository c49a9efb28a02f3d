"""Checkpoints: what is loaded is what was saved, also by an older version, and other files are refused."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import spgnet.lifting
from spgnet.errors import InputError
from spgnet.models import (
    AttentionConfig,
    MartinezConfig,
    ModelConfig,
    RayNetConfig,
    SPGNetConfig,
    STGCNConfig,
    TransformerConfig,
    build_model,
    model_name,
)
from spgnet.training.checkpoint import (
    Progress,
    current_name,
    describe_model,
    load_checkpoint,
    load_model,
    model_config,
    save_checkpoint,
)

WEIGHTS = Path(spgnet.lifting.__file__).parents[1] / "weights"
CONFIG = SPGNetConfig(filter_widths=(3,), channels=8, trajectory_channels=4)


ENCODER = {
    "input_block": "first",
    "blocks": "pairs",
    "dilated": "wide",
    "pointwise": "narrow",
    "head": "last",
}
OLD_NAMES: dict[ModelConfig, dict[str, str]] = {
    CONFIG: ENCODER,
    RayNetConfig(filter_widths=(3,), channels=8, trajectory_channels=4): ENCODER,
    MartinezConfig(channels=8, trajectory_channels=4): {"input_block": "first", "head": "last"},
    STGCNConfig(frames=3, channels=4, trajectory_channels=4): {
        r"pose\.input_norm": "pose.norm",
        "joint_blocks": "joints",
        "layers": "body",
        "shortcut": "around",
        "body_pooling": "body",
        "part_blocks": "parts",
        "body_layer": "whole",
        "unpool": "back",
        **ENCODER,
    },
    AttentionConfig(layers=4, channels=8, trajectory_channels=4, groups=2, squeeze=4): {
        r"(trajectory\.blocks\.\d)\.pointwise": r"\1.narrow",
        "pointwise": "across",
        "pointwise_norm": "across_norm",
        "depthwise": "taps",
        "depthwise_norm": "tap_norm",
        "input_blocks": "first",
        "temporal_attention": "frames",
        "kernel_blocks": "kernels",
        "skips": "leaps",
        "logits": "weigh",
        **{new: old for new, old in ENCODER.items() if new != "pointwise"},
    },
    TransformerConfig(frame_channels=16, joint_channels=8, trajectory_channels=8): {
        "embedding_norm": "around_norm",
        "temporal_attention": "over_time",
        "joint_attention": "over_joints",
        "out": "last",
        "position_embedding": "places",
        "pair_bias": "leaning",
        r"trajectory\.blocks": "trajectory.pairs",
        **{new: old for new, old in ENCODER.items() if new != "blocks"},
    },
}
"""Former names of modules by their present ones (in this order), for a network of every kind."""


def old_name(config: ModelConfig, name: str) -> str:
    """The name of an entry of a checkpoint of an older version."""
    for new, old in OLD_NAMES[config].items():
        name = re.sub(rf"(?<![^.]){new}(?![^.])", old, name)
    return name


def rename_to_old(path: Path, config: ModelConfig) -> None:
    """Write a checkpoint anew as an older version would have."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {old_name(config, key): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata=metadata)


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
    with pytest.raises(InputError, match=fault) as error:
        load_checkpoint(path, config, model)
    assert str(error.value).startswith(f"{path}: a checkpoint of another configuration")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_file_that_is_older_than_some_fields_of_its_network_is_of_their_defaults(tmp_path):
    path, model = tmp_path / "c.safetensors", trained()[0]
    known = {"kind": "spgnet", "filter_widths": [3], "channels": 8, "trajectory_channels": 4}
    progress = {"step": 0, "best": math.inf, "sums": {}}
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, path, {"model": json.dumps(known), "progress": json.dumps(progress)})
    assert load_checkpoint(path, CONFIG, trained()[0]) == Progress()
    with pytest.raises(ValueError, match="output is joints, expected rays"):
        load_checkpoint(path, replace(CONFIG, output="rays"), trained()[0])


def test_a_missing_a_cut_and_a_foreign_file_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    with pytest.raises(InputError, match="no such checkpoint"):
        load_checkpoint(path, CONFIG, trained()[0])
    save_checkpoint(path, CONFIG, Progress(), trained()[0])
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"text", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a readable safetensors file"):
            load_checkpoint(path, CONFIG, trained()[0])


def test_weights_without_optimizer_cannot_be_resumed_from(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, CONFIG, Progress(step=3), trained()[0])
    model, optimizer = trained()
    with pytest.raises(InputError, match="holds no optimizer state"):
        load_checkpoint(path, CONFIG, model, optimizer)


@pytest.mark.parametrize("config", OLD_NAMES, ids=lambda config: model_name(type(config)))
def test_weights_of_an_older_version_are_loaded_by_their_present_names(tmp_path, config):
    torch.manual_seed(0)
    model, path = build_model(config), tmp_path / "c.safetensors"
    save_checkpoint(path, config, Progress(), model)
    rename_to_old(path, config)
    with safe_open(path, framework="pt") as file:
        stored = set(file.keys())
    renamed = {name for name in model.state_dict() if f"model.{name}" not in stored}
    assert renamed
    loaded = load_model(path).state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(loaded[name], value), name


@pytest.mark.parametrize("config", OLD_NAMES, ids=lambda config: model_name(type(config)))
def test_present_names_are_nobody_s_old_names(config):
    names = list(build_model(config).state_dict())
    assert [current_name(name) for name in names] == names


def test_training_goes_on_from_a_checkpoint_of_an_older_version_as_if_it_were_new(tmp_path):
    path, batch = tmp_path / "c.safetensors", torch.randn(4, 3, 17, 2)
    save_checkpoint(path, CONFIG, Progress(step=2), *trained())
    steps = []
    for old in (False, True):
        if old:
            rename_to_old(path, CONFIG)
        model, optimizer = trained(seed=1)
        load_checkpoint(path, CONFIG, model, optimizer)
        torch.manual_seed(0)
        optimizer.zero_grad()
        model(batch).joints.square().mean().backward()
        optimizer.step()
        steps.append(model.state_dict())
    for name, value in steps[0].items():
        assert torch.equal(value, steps[1][name]), name


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_the_shipped_weights_are_loaded_to_the_last_one(path):
    with safe_open(path, framework="pt") as file:
        stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    model = load_model(path)
    assert not any(module.training for module in model.modules())
    weights = model.state_dict()
    assert len(weights) == len(stored)
    for key, value in stored.items():
        name = current_name(key).removeprefix("model.")
        assert torch.equal(weights[name], value.to(weights[name])), name


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ({}, "its metadata lack model"),
        ({"model": "{"}, "model in its metadata: not JSON"),
        ({"model": "[" * 100}, "model in its metadata: nested more than 32 levels deep"),
        ({"model": "[]"}, "model in its metadata is not an object"),
        ({"model": '{"kind": "perceptron"}'}, "no network is called 'perceptron'; there are spgnet, "),
        ({"model": '{"kind": ["spgnet"]}'}, r"no network is called \['spgnet'\]"),
        ({"model": '{"kind": "spgnet", "depth": 3}'}, "not a configuration of spgnet: .*depth"),
        ({"model": '{"kind": "spgnet", "channels": 0}'}, "channels must be positive, got 0"),
        ({"model": '{"kind": "raynet", "rates": [0, 0]}'}, "rates must be two positive numbers"),
        ({"model": '{"kind": "raynet", "rates": [40, 20]}'}, "the lower one first, got 40.0 and 20.0"),
        ({"model": '{"kind": "attention", "layers": 40}'}, "it looks at 12157665459056928801 frames"),
    ],
)
def test_a_file_that_does_not_say_what_network_it_holds_is_refused(tmp_path, metadata, fault):
    path = tmp_path / "c.safetensors"
    save_file({"model.head.bias": torch.zeros(3)}, path, metadata=metadata)
    with pytest.raises(InputError, match=fault) as error:
        load_model(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_checkpoint_that_does_not_say_how_far_training_got_is_refused(tmp_path):
    path, metadata = tmp_path / "c.safetensors", {"model": json.dumps(describe_model(CONFIG))}
    model = trained()[0]
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for progress, fault in (
        (None, "metadata lack progress"),
        ('{"epoch": 3}', "how far training got: expected step, best and sums, found .*epoch"),
    ):
        save_file(tensors, path, metadata=metadata | ({} if progress is None else {"progress": progress}))
        with pytest.raises(InputError, match=fault):
            load_checkpoint(path, CONFIG, model)


@pytest.mark.parametrize("config", OLD_NAMES, ids=lambda config: model_name(type(config)))
def test_a_described_model_is_the_same_again(config):
    assert model_config(json.loads(json.dumps(describe_model(config)))) == config


@pytest.mark.parametrize("change", [True, "64", 2.0, 10**12])
def test_a_number_of_a_configuration_that_is_of_another_kind_or_too_large_is_refused(change):
    described = json.loads(json.dumps(describe_model(SPGNetConfig())))
    name = next(key for key, value in described.items() if type(value) is int)
    with pytest.raises(InputError, match=f"not a configuration of {described['kind']}: {name} is {change}"):
        model_config(described | {name: change})

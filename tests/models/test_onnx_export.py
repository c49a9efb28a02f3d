"""ONNX files give what PyTorch gives, for whole sequences and frame by frame."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import RayNet, RayNetConfig
from spgnet.models.folded import fold_batch_norm
from spgnet.models.network import lift_sequence
from spgnet.models.onnx_export import SequenceGraph, StreamingGraph, export_onnx

TOLERANCE = 1e-4
"""In metres."""


def network(*, causal: bool = False) -> RayNet:
    """A small one whose batch norms are as uneven as after training."""
    torch.manual_seed(0)
    model = RayNet(RayNetConfig((3, 3), channels=16, trajectory_channels=8, dropout=0.0, causal=causal))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def rays(frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    points = 0.2 * torch.randn(frames, len(HUMAN36M), 2, generator=generator)
    visible = (torch.rand(frames, len(HUMAN36M), 1, generator=generator) > 0.2).float()
    return torch.cat((points, visible), dim=-1)


def in_steps(step, shapes: list, given: torch.Tensor, warm_up: int, lookahead: int) -> np.ndarray:
    """The joints of a streaming graph, called as the documentation says; ``step`` is one call."""
    states, joints = [np.zeros(shape, np.float32) for shape in shapes], []
    for frame in [given[0]] * warm_up + [*given[1:]] + [given[-1]] * lookahead:
        found, *states = step(frame.numpy(), states)
        joints.append(found)
    return np.stack(joints[-len(given) :])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A file for whole sequences at 30 frames per second, and one for streaming at 60."""
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(network(), folder / "sequence.onnx")
    export_onnx(network(), folder / "streaming.onnx", streaming=True, fps=60.0)
    return folder


@pytest.mark.parametrize("frames", [1, 2, 50])
def test_a_file_for_sequences_of_any_length_gives_what_the_network_gives(folder, frames):
    session = onnxruntime.InferenceSession(folder / "sequence.onnx")
    (joints,) = session.run(["joints"], {"rays": rays(frames).numpy()})
    assert np.abs(joints - lift_sequence(network(), rays(frames)).numpy()).max() < TOLERANCE


def test_a_file_for_streaming_gives_frame_by_frame_what_the_network_gives(folder):
    session = onnxruntime.InferenceSession(folder / "streaming.onnx")
    inputs, about = session.get_inputs()[1:], session.get_modelmeta().custom_metadata_map

    def step(frame: np.ndarray, states: list) -> list:
        given = {each.name: state for each, state in zip(inputs, states, strict=True)}
        return session.run(None, {"rays": frame, **given})

    shapes = [each.shape for each in inputs]
    joints = in_steps(step, shapes, rays(40), int(about["warm_up"]), int(about["lookahead"]))
    assert np.abs(joints - lift_sequence(network(), rays(40), stride=2).numpy()).max() < TOLERANCE


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("stride", [1, 3])
def test_both_graphs_are_the_network_s_lifting(flip, causal, stride):
    model, given = network(causal=causal), rays(30)
    expected = lift_sequence(model, given, flip=flip, stride=stride).numpy()
    graphs = (kind(model, flip=flip, stride=stride) for kind in (SequenceGraph, StreamingGraph))
    sequence, streaming = graphs
    with torch.no_grad():
        assert np.abs(sequence(given).numpy() - expected).max() < TOLERANCE

    def step(frame: np.ndarray, states: list) -> list:
        with torch.no_grad():
            joints, following = streaming(
                torch.from_numpy(frame), [torch.from_numpy(each) for each in states]
            )
        return [joints.numpy(), *(each.numpy() for each in following)]

    joints = in_steps(
        step,
        [state.shape for state in streaming.first_states()],
        given,
        streaming.warm_up,
        streaming.lookahead,
    )
    assert np.abs(joints - expected).max() < TOLERANCE


def test_a_file_says_what_its_numbers_mean(folder):
    about = onnxruntime.InferenceSession(folder / "streaming.onnx").get_modelmeta().custom_metadata_map
    assert tuple(json.loads(about["names"])) == HUMAN36M.names
    assert tuple(json.loads(about["parents"])) == HUMAN36M.parents
    assert about["frames_per_second"] == "40 to 80"
    assert (about["lookahead"], about["warm_up"]) == ("8", "9")


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"model.pt: expected a name that ends in .onnx"):
        export_onnx(network(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="fps must be positive"):
        export_onnx(network(), tmp_path / "model.onnx", fps=0.0)
    assert not list(tmp_path.iterdir())


def test_a_folded_network_is_a_network_of_its_own():
    model, given = network(), rays(20)
    folded, before = fold_batch_norm(model), lift_sequence(model, given)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.allclose(lift_sequence(folded, given), before, atol=1e-5)

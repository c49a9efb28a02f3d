"""Checkpoints of VideoPose3D: the same outputs as their network, and nothing in a file is run."""

import os
import pickle
from collections import OrderedDict
from math import prod

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spgnet.geometry.skeleton import HUMAN36M, HUMANEVA_JOINTS
from spgnet.models.baselines.videopose3d import load_videopose3d
from spgnet.models.network import lift_sequence
from spgnet.training.checkpoint import Progress, load_model, save_checkpoint

FORMATS = [False, True]
"""The old format, in which the published checkpoints are, and the one in a zip archive."""


def their_weights(widths=(3, 3), *, channels=8, inputs=34, outputs=51, seed=0) -> OrderedDict:
    """Random weights by the names and shapes of their TemporalModel, as uneven as after training."""
    torch.manual_seed(seed)
    weights = OrderedDict()

    def norm(name):
        weights[f"{name}.weight"] = torch.rand(channels) + 0.5
        weights[f"{name}.bias"] = torch.randn(channels) * 0.3
        weights[f"{name}.running_mean"] = torch.randn(channels) * 0.3
        weights[f"{name}.running_var"] = torch.rand(channels) + 0.5
        weights[f"{name}.num_batches_tracked"] = torch.tensor(7)

    norm("expand_bn")
    weights["shrink.weight"] = torch.randn(outputs, channels, 1) / channels**0.5
    weights["shrink.bias"] = torch.randn(outputs) * 0.1
    weights["expand_conv.weight"] = torch.randn(channels, inputs, widths[0]) / (inputs * widths[0]) ** 0.5
    for i, width in enumerate(widths[1:]):
        for layer, taps in ((2 * i, width), (2 * i + 1, 1)):
            fan = (channels * taps) ** 0.5
            weights[f"layers_conv.{layer}.weight"] = torch.randn(channels, channels, taps) / fan
    for layer in range(2 * len(widths) - 2):
        norm(f"layers_bn.{layer}")
    return weights


def their_forward(weights, joints: torch.Tensor, *, causal: bool = False) -> torch.Tensor:
    """Their network as their paper describes it: [1, T, 17, 2] to [1, T - J + 1, joints, 3]."""

    def layer(x, conv, norm, dilation=1):
        x = functional.conv1d(x, weights[f"{conv}.weight"], dilation=dilation)
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(weights[f"{norm}.{name}"] for name in names)).relu()

    x = layer(joints.flatten(2).transpose(1, 2), "expand_conv", "expand_bn")
    dilation, i = weights["expand_conv.weight"].shape[2], 0
    while f"layers_conv.{2 * i}.weight" in weights:
        width = weights[f"layers_conv.{2 * i}.weight"].shape[2]
        reach = (width - 1) * dilation
        start = reach if causal else reach // 2
        kept = x[:, :, start : start + x.shape[2] - reach]
        x = layer(x, f"layers_conv.{2 * i}", f"layers_bn.{2 * i}", dilation)
        x = kept + layer(x, f"layers_conv.{2 * i + 1}", f"layers_bn.{2 * i + 1}")
        dilation, i = dilation * width, i + 1
    x = functional.conv1d(x, weights["shrink.weight"], weights["shrink.bias"])
    return x.transpose(1, 2).unflatten(-1, (-1, 3))


def their_checkpoint(pose, trajectory=None) -> dict:
    """What their run.py saves, with an optimizer that has made a step and NumPy's random state."""
    layer = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.001, amsgrad=True)
    layer(torch.randn(1, 2)).sum().backward()
    optimizer.step()
    return {
        "epoch": 80,
        "lr": np.float64(0.001 * 0.95**80),
        "random_state": np.random.RandomState(1234),
        "optimizer": optimizer.state_dict(),
        "model_pos": pose,
        "model_traj": trajectory,
        "random_state_semi": None if trajectory is None else np.random.RandomState(1234),
    }


def saved(path, checkpoint, *, as_zip=True):
    torch.save(checkpoint, path, _use_new_zipfile_serialization=as_zip)
    return path


@pytest.mark.parametrize("as_zip", FORMATS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(3,), (3, 3), (3, 3, 3), (1, 3), (5, 3), (3, 3, 3, 3)])
def test_a_checkpoint_gives_the_outputs_of_their_network(tmp_path, widths, causal, as_zip):
    pose, trajectory = their_weights(widths), their_weights(widths, channels=4, outputs=3, seed=1)
    path = saved(tmp_path / "epoch_80.bin", their_checkpoint(pose, trajectory), as_zip=as_zip)
    model = load_videopose3d(path, causal=causal)
    assert model.receptive_field == prod(widths)
    assert (model.config.causal, model.input_space, model.has_trajectory) == (causal, "image", True)
    joints = torch.randn(1, prod(widths) + 4, 17, 2)
    theirs, root = (their_forward(weights, joints, causal=causal) for weights in (pose, trajectory))
    for dense in (False, True):
        lifted = model(joints, dense=dense)
        torch.testing.assert_close(lifted.pose, theirs - theirs[:, :, :1], atol=1e-5, rtol=0)
        torch.testing.assert_close(lifted.root, root, atol=1e-5, rtol=0)


@pytest.mark.parametrize("as_zip", FORMATS)
def test_a_checkpoint_without_a_trajectory_says_so(tmp_path, as_zip):
    path = saved(tmp_path / "pretrained.bin", their_checkpoint(their_weights()), as_zip=as_zip)
    model = load_videopose3d(path)
    assert not model.has_trajectory
    lifted = model(torch.randn(2, 12, 17, 2))
    assert lifted.pose.shape == (2, 4, 17, 3)
    assert torch.equal(lifted.root, torch.zeros(2, 4, 1, 3))
    with pytest.raises(ValueError, match="cannot be trained"):
        model.init_root_bias(torch.zeros(3))


def test_humaneva_s_joints_are_put_where_human36m_s_are(tmp_path):
    pose = their_weights((3, 3), outputs=45)
    model = load_videopose3d(saved(tmp_path / "humaneva15.bin", their_checkpoint(pose)), keypoints="coco17")
    assert (model.config.keypoints, model.config.joints) == ("coco17", "humaneva15")
    joints = torch.randn(1, 9, 17, 2)
    theirs, ours = their_forward(pose, joints)[0, 0], model(joints).pose[0, 0]
    placed: dict[str, torch.Tensor] = dict(zip(HUMANEVA_JOINTS, theirs - theirs[0], strict=True))
    placed["spine"] = (placed["pelvis"] + placed["thorax"]) / 2
    placed["nose"] = (placed["thorax"] + placed["head_top"]) / 2
    for joint, name in enumerate(HUMAN36M.names):
        torch.testing.assert_close(ours[joint], placed[name], atol=1e-5, rtol=0)


def test_weights_of_a_pytorch_that_counted_no_batches_are_read(tmp_path):
    pose = their_weights()
    old = OrderedDict((name, value) for name, value in pose.items() if "num_batches" not in name)
    joints = torch.randn(1, 12, 17, 2)
    new, older = (
        load_videopose3d(saved(tmp_path / f"{n}.bin", {"model_pos": weights})).pose(joints.flatten(2))
        for n, weights in enumerate((pose, old))
    )
    assert torch.equal(new, older)


@pytest.mark.parametrize("trajectory", [None, their_weights(channels=4, outputs=3)])
def test_a_checkpoint_can_be_kept_as_one_of_ours(tmp_path, trajectory):
    theirs = saved(tmp_path / "theirs.bin", their_checkpoint(their_weights(), trajectory))
    model = load_videopose3d(theirs)
    save_checkpoint(tmp_path / "ours.safetensors", model.config, Progress(), model)
    again, joints = load_model(tmp_path / "ours.safetensors"), torch.randn(12, 17, 2)
    assert again.input_space == "image"
    assert torch.equal(lift_sequence(again, joints), lift_sequence(model, joints))


class Hostile:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


class HostileState:
    """Pickles as NumPy's random state whose constructor is given what a call returns."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (np.random.RandomState(0).__reduce__()[0], (Hostile(self.trace),))


@pytest.mark.parametrize("as_zip", FORMATS)
@pytest.mark.parametrize("key", ["epoch", "random_state", "optimizer", "model_pos"])
@pytest.mark.parametrize("hostile", [Hostile, HostileState])
def test_a_hostile_file_leaves_no_trace(tmp_path, hostile, key, as_zip):
    checkpoint = their_checkpoint(their_weights()) | {key: hostile(tmp_path / "trace")}
    path = saved(tmp_path / "hostile.bin", checkpoint, as_zip=as_zip)
    known = set(torch.serialization.get_safe_globals())
    with pytest.raises(ValueError, match=r"hostile\.bin: not a checkpoint .* names \w+\.mkdir.*was run$"):
        load_videopose3d(path)
    assert not (tmp_path / "trace").exists()
    assert set(torch.serialization.get_safe_globals()) == known


def test_a_plain_pickle_leaves_no_trace_either(tmp_path):
    (tmp_path / "hostile.bin").write_bytes(pickle.dumps(Hostile(tmp_path / "trace")))
    with pytest.raises(ValueError, match="nothing was run"):
        load_videopose3d(tmp_path / "hostile.bin")
    assert not (tmp_path / "trace").exists()


def test_the_random_state_of_a_file_is_not_made(tmp_path, monkeypatch):
    path = saved(tmp_path / "pretrained.bin", their_checkpoint(their_weights()))

    def refuse(*_):
        pytest.fail("NumPy was called")

    monkeypatch.setattr("numpy.random._pickle.__randomstate_ctor", refuse)
    load_videopose3d(path)


class OldRandomState:
    """Pickles as NumPy's random state did until NumPy 1.16, when the published checkpoints were made."""

    def __reduce__(self):
        state = np.random.RandomState(1234).get_state()
        return getattr(np.random, "__RandomState_ctor"), (), state


def test_a_file_of_an_old_numpy_is_read(tmp_path, monkeypatch):
    def constructor():
        pytest.fail("NumPy was called")

    constructor.__module__, constructor.__qualname__ = "numpy.random", "__RandomState_ctor"
    monkeypatch.setattr(np.random, "__RandomState_ctor", constructor, raising=False)
    checkpoint = their_checkpoint(their_weights()) | {"random_state": OldRandomState()}
    path = saved(tmp_path / "pretrained.bin", checkpoint, as_zip=False)
    written = path.read_bytes()
    assert b"numpy.random\n__RandomState_ctor\n" in written
    assert b"numpy._core.multiarray\n" in written
    path.write_bytes(written.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert load_videopose3d(path).receptive_field == 9


BROKEN = [
    (lambda pose: {"model": pose}, "holds no model_pos"),
    (lambda pose: [pose], "holds a list, expected a dictionary"),
    (lambda pose: {"model_pos": [1, 2]}, "model_pos is not a dictionary of tensors"),
    (lambda pose: {"model_pos": pose | {3: torch.zeros(1)}}, "model_pos is not a dictionary of tensors"),
    (lambda _: {"model_pos": {"weight": torch.zeros(1)}}, "lacks expand_conv.weight, lacks shrink.weight"),
    (
        lambda pose: {"model_pos": pose | {"shrink.bias": torch.full((51,), torch.nan)}},
        "NaN .* shrink.bias",
    ),
    (lambda _: {"model_pos": their_weights(inputs=26)}, "takes 26 numbers a frame, expected 34"),
    (lambda _: {"model_pos": their_weights(outputs=39)}, "puts out 39 numbers a frame, expected 51 or 45"),
    (lambda pose: {"model_pos": pose | {"extra": torch.zeros(1)}}, "do not make .*extra"),
    (lambda _: {"model_pos": their_weights((3, 2))}, "filter widths must be odd"),
    (
        lambda pose: {"model_pos": pose, "model_traj": pose},
        "head.weight is missing, unknown, or of another shape",
    ),
]


@pytest.mark.parametrize(("checkpoint", "fault"), BROKEN)
def test_a_file_that_holds_no_such_network_is_refused(tmp_path, checkpoint, fault):
    path = saved(tmp_path / "broken.bin", checkpoint(their_weights()))
    with pytest.raises(ValueError, match=rf"broken\.bin: .*{fault}") as raised:
        load_videopose3d(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("as_zip", FORMATS)
def test_a_truncated_file_is_refused(tmp_path, as_zip):
    path = saved(tmp_path / "short.bin", their_checkpoint(their_weights()), as_zip=as_zip)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"short\.bin: not a checkpoint"):
        load_videopose3d(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.bin: no such checkpoint"):
        load_videopose3d(tmp_path / "none.bin")

"""The graph network of Cai et al.: its graphs, its size, and what its outputs depend on."""

import pytest
import torch
from torch import nn

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import STGCNConfig
from spgnet.models.baselines.stgcn import (
    PARTS,
    STGCN,
    GraphConvolution,
    NonLocal,
    PoseGraph,
    distances_from,
    joint_graph,
    part_graph,
    window_graph,
)

SMALL = STGCNConfig(frames=3, channels=8, trajectory_channels=8)


def network(config: STGCNConfig = SMALL) -> STGCN:
    """A small network as uneven as after training, its non-local block at work."""
    torch.manual_seed(0)
    model = STGCN(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, std=0.1)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def weights_of_the_pose(config: STGCNConfig) -> int:
    return sum(weight.numel() for weight in PoseGraph(config).parameters())


def naive_class(receiver: tuple[int, int], sender: tuple[int, int]) -> int | None:
    """The class of a neighbour in the paper's words, of (frame, joint) of the receiver and of the sender."""
    (here, joint), (there, other) = receiver, sender
    if joint == other:
        return {0: 0, 1: 4, -1: 5}.get(here - there)
    if here != there:
        return None
    if HUMAN36M.mirror[joint] == other:
        return 3
    if (joint, other) in HUMAN36M.bones or (other, joint) in HUMAN36M.bones:
        distance = distances_from(HUMAN36M, "spine")
        return 1 if distance[other] > distance[joint] else 2
    return None


@pytest.mark.parametrize("frames", [3, 5, 7])
def test_the_pose_network_has_as_many_weights_as_the_official_code_s_layers(frames):
    """Counted by hand from the layers of the official code (nets/st_gcn_multi_frame.py)."""
    assert weights_of_the_pose(STGCNConfig(frames=frames)) == 5_040_455


def test_a_single_frame_needs_no_weights_for_its_neighbours_in_time():
    """Two classes of neighbours fewer in each graph layer, and the whole body in one frame, not in three."""
    layers = ((2, 128), (128, 128), (128, 256), (256, 512), (512, 512))
    fewer = sum(2 * (inputs * outputs + outputs) for inputs, outputs in layers) + 2 * 512 * 512
    assert weights_of_the_pose(STGCNConfig(frames=1)) == 5_040_455 - fewer


def test_distances_are_those_of_the_official_code():
    assert distances_from(HUMAN36M, "spine") == [1, 2, 3, 4, 2, 3, 4, 0, 1, 2, 3, 2, 3, 4, 2, 3, 4]


@pytest.mark.parametrize("frames", [1, 3])
def test_neighbours_are_in_the_class_that_the_paper_puts_them_in(frames):
    window = window_graph(joint_graph(), frames)
    nodes = [(frame, joint) for frame in range(frames) for joint in range(17)]
    expected = torch.zeros(6, len(nodes), len(nodes))
    for row, receiver in enumerate(nodes):
        for column, sender in enumerate(nodes):
            kind = naive_class(receiver, sender)
            if kind is not None:
                expected[kind, row, column] = 1
    for row in range(len(nodes)):
        expected[:, row] /= expected[:, row].sum()
    assert torch.equal(window, expected[: len(window)])
    assert expected[len(window) :].abs().sum() == 0


def test_the_graph_is_its_own_mirror_image():
    window = window_graph(joint_graph(), 3).unflatten(2, (3, 17)).unflatten(1, (3, 17))
    mirror = list(HUMAN36M.mirror)
    assert torch.equal(window[:, :, mirror][..., mirror], window)
    parts, swapped = part_graph(), [1, 0, 3, 2, 4]
    assert torch.equal(parts[:, swapped][:, :, swapped], parts)


def test_parts_are_all_joints_and_each_part_s_mirror_image_is_a_part():
    assert sorted(joint for part in PARTS for joint in part) == list(range(17))
    mirrored = [tuple(HUMAN36M.mirror[joint] for joint in part) for part in PARTS]
    assert mirrored == [PARTS[1], PARTS[0], PARTS[3], PARTS[2], PARTS[4]]


@pytest.mark.parametrize("graph", [joint_graph(), part_graph()])
@pytest.mark.parametrize("frames", [1, 3, 5])
def test_a_graph_convolution_is_a_sum_over_neighbours_each_with_its_class_s_weights(graph, frames):
    torch.manual_seed(0)
    window = window_graph(graph, frames)
    layer = GraphConvolution(graph, frames, 2, 4)
    nn.init.normal_(layer.bias)
    x, weights = torch.randn(5, window.shape[-1], 2), layer.linear.weight.unflatten(1, (-1, 2))
    expected = torch.zeros(5, window.shape[-1], 4)
    for kind, receiver, sender in window.nonzero().tolist():
        sent = x[:, sender] @ weights[:, kind].T + layer.bias[kind]
        expected[:, receiver] += window[kind, receiver, sender] * sent
    torch.testing.assert_close(layer(x), expected)


def test_a_fresh_non_local_block_changes_nothing():
    x = torch.randn(2, 3, 17, 8)
    assert torch.equal(NonLocal(8)(x), x[:, 1])


@pytest.mark.parametrize("frames", [1, 3, 7])
def test_dense_equals_window_by_window(frames):
    model = network(STGCNConfig(frames=frames, channels=8, trajectory_channels=8))
    keypoints = torch.randn(2, frames + 4, 17, 2)
    lifted, dense = model(keypoints), model(keypoints, dense=True)
    assert lifted.pose.shape == (2, 5, 17, 3)
    torch.testing.assert_close(lifted.joints, dense.joints, atol=1e-5, rtol=0)
    for frame in range(5):
        window = model(keypoints[:, frame : frame + frames])
        torch.testing.assert_close(window.joints[:, 0], lifted.joints[:, frame], atol=1e-5, rtol=0)


@pytest.mark.parametrize("changed", range(7))
def test_an_output_frame_depends_on_its_receptive_field_and_nothing_else(changed):
    model, keypoints = network(), torch.randn(1, 7, 17, 2)
    other = keypoints.clone()
    other[:, changed] += 1
    before, after = model(keypoints).pose, model(other).pose
    differs = [not torch.allclose(before[:, i], after[:, i], atol=1e-6) for i in range(5)]
    assert differs == [i <= changed < i + 3 for i in range(5)]


def test_every_joint_depends_on_every_joint_of_the_window():
    """By way of the body parts and of the non-local block."""
    model, keypoints = network(), torch.randn(1, 3, 17, 2, requires_grad=True)
    model.pose(keypoints)[0, 13].square().sum().backward()
    assert keypoints.grad is not None
    assert (keypoints.grad.abs().sum(dim=-1) > 0).all()


def test_gradients_reach_every_weight():
    model = network().train()
    model(torch.randn(16, 4, 17, 2)).joints.square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        if weight.ndim > 1:  # a bias before a norm, or of all keys, makes no difference
            assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("build", "fault"),
    [
        (lambda: STGCNConfig(frames=2), "frames must be odd"),
        (lambda: STGCNConfig(channels=0), "channels must be positive"),
        (lambda: STGCNConfig(dropout=0.2), r"dropout must be in \[0, 0.2\)"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(build, fault):
    with pytest.raises(ValueError, match=fault):
        build()

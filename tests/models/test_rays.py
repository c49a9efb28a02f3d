"""The network on rays: any camera, whole sequences, chunks and streams."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import RayNet, RayNetConfig
from spgnet.models.network import lift_sequence
from spgnet.models.rays import (
    DETECTED_JOINTS,
    SPINE,
    SPINE_NEIGHBOURS,
    backproject,
    crop_to_person,
    rotation_towards,
)
from spgnet.models.streaming import SequenceStream


def network(widths: tuple[int, ...] = (3, 3), *, causal: bool = False) -> RayNet:
    """A small network with random weights and batch statistics."""
    torch.manual_seed(0)
    model = RayNet(RayNetConfig(filter_widths=widths, channels=24, trajectory_channels=16, causal=causal))
    model.init_root_bias(torch.zeros(3))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


def person(frames: int, seed: int = 0) -> torch.Tensor:
    """Rays of somebody who moves about, with some joints not visible."""
    generator = torch.Generator().manual_seed(seed)
    joints = torch.randn(1, 17, 3, generator=generator) * 0.3 + torch.tensor([0.4, -0.2, 4.0])
    joints = joints + torch.randn(frames, 17, 3, generator=generator).cumsum(dim=0) * 0.02
    visible = (torch.rand(frames, 17, 1, generator=generator) > 0.2).float()
    return torch.cat((joints[..., :2] / joints[..., 2:], visible), dim=-1)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 40])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_lifting_in_chunks_equals_lifting_the_whole(stride, chunk, causal):
    model, rays = network((3, 3, 3), causal=causal), person(50)
    whole = lift_sequence(model, rays, stride=stride)
    pieces = lift_sequence(model, rays, stride=stride, chunk=chunk)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


def test_with_a_stride_every_frame_looks_at_frames_as_far_apart():
    """Away from the ends, where the first and the last frame are repeated, it is lifting every n-th frame."""
    model, rays = network((3, 3)), person(60)
    strided = lift_sequence(model, rays, stride=3)
    for phase in range(3):
        torch.testing.assert_close(
            strided[phase::3][4:-4], lift_sequence(model, rays[phase::3])[4:-4], atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("frames", [1, 5, 60])
@pytest.mark.parametrize(
    ("widths", "stride"), [((1,), 1), ((3, 3, 3), 1), ((5, 3), 1), ((3, 3), 2), ((5, 3), 3)]
)
def test_a_stream_gives_what_the_whole_sequence_gives(widths, stride, frames, causal, flip):
    model, rays = network(widths, causal=causal), person(frames)
    stream = SequenceStream(model, flip=flip, stride=stride)
    pushed = [stream.push(frame) for frame in rays]
    late = stream.lookahead
    assert all(joints is None for joints in pushed[:late])
    assert causal <= (late == 0)
    streamed = [joints for joints in pushed[late:] if joints is not None] + stream.finish()
    whole = lift_sequence(model, rays, flip=flip, stride=stride)
    torch.testing.assert_close(torch.stack(streamed)[-frames:], whole, atol=1e-5, rtol=0)


def test_clips_of_a_high_rate_are_looked_at_as_if_they_had_a_usual_one():
    model = RayNet(RayNetConfig(rates=(20.0, 40.0), channels=8, trajectory_channels=8))
    assert [model.stride(fps) for fps in (15.0, 24.0, 30.0, 40.0, 40.2, 50.0, 60.0, 90.0, 120.0, 240.0)] == [
        1,
        1,
        1,
        1,
        1,
        2,
        2,
        3,
        3,
        6,
    ]


def test_a_stream_keeps_no_more_than_a_receptive_field():
    stream = SequenceStream(network((3, 3, 3)))
    for frame in person(100):
        stream.push(frame)
    remembered = sum(state.shape[1] for state in stream.states)
    assert remembered == 2 * 26 + 3 * 13  # of two encoders, and of the three parts of a crop


def test_nothing_streamed_gives_nothing():
    assert SequenceStream(network()).finish() == []


def test_window_by_window_and_dense_evaluation_agree():
    model, rays = network((3, 3)), person(20).unsqueeze(0)
    torch.testing.assert_close(model(rays).joints, model(rays, dense=True).joints)


def test_the_spine_makes_no_difference():
    model, rays = network(), person(12)
    changed = rays.clone()
    changed[:, HUMAN36M.names.index("spine")] = 7.0
    torch.testing.assert_close(lift_sequence(model, rays), lift_sequence(model, changed))


@given(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2))
def test_the_virtual_camera_faces_the_ray_and_is_not_rolled(x, y):
    rotation = rotation_towards(torch.tensor([x, y], dtype=torch.float64))
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64))
    assert torch.linalg.det(rotation).item() == pytest.approx(1)
    ahead = rotation @ torch.tensor([x, y, 1.0], dtype=torch.float64)
    torch.testing.assert_close(ahead, torch.tensor([0, 0, math.hypot(x, y, 1)], dtype=torch.float64))
    assert rotation[0, 1].item() == pytest.approx(0)  # its x axis stays level


def test_the_crop_does_not_change_when_the_camera_turns_about_its_upright_axis():
    """But for the channels that say where in the image the person is."""
    rays = person(6)
    angle = torch.tensor(0.3)
    rotation = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    level = rays.clone()
    level[..., 1] -= level[:, (1, 4, 11, 14), 1].mean(dim=1, keepdim=True)  # a person on the horizon
    points = torch.cat((level[..., :2], torch.ones(6, 17, 1)), dim=-1) @ rotation.T
    turned = torch.cat((points[..., :2] / points[..., 2:], rays[..., 2:]), dim=-1)
    first, second = (crop_to_person(each.unsqueeze(0)) for each in (level, turned))
    difference = (first.features - second.features)[..., :32].abs()
    assert difference.max() < 0.05
    assert (level[..., 0] - turned[..., 0]).abs().min() > 0.2


def test_the_same_output_of_the_encoders_means_twice_the_distance_for_half_the_size():
    near = crop_to_person(person(4).unsqueeze(0))
    far = near._replace(size=near.size / 2)
    pose, root = torch.randn(1, 4, 52) * 0.1, torch.randn(1, 4, 3) * 0.1
    pose[..., 2:51:3] = 0  # all joints at the root's depth: no perspective
    one, two = backproject(pose, root, near), backproject(pose, root, far)
    torch.testing.assert_close(one.pose, two.pose)
    depth = [(lifted.root @ near.rotation.mT)[..., 2] for lifted in (one, two)]
    torch.testing.assert_close(depth[1], 2 * depth[0])


def test_without_corrections_joints_project_to_the_2d_input():
    """Whatever the depths; the spine between its neighbours."""
    rays = person(4).unsqueeze(0)
    crop = crop_to_person(rays)
    pose, root = torch.zeros(1, 4, 52), torch.zeros(1, 4, 3)
    pose[..., 2:51:3] = 0.2 * torch.randn(1, 4, 17)
    pose[..., 2] = 0  # the root's own depth is its distance
    joints = backproject(pose, root, crop).joints
    projected = joints[..., :2] / joints[..., 2:]
    torch.testing.assert_close(
        projected[:, :, DETECTED_JOINTS], rays[:, :, DETECTED_JOINTS, :2], atol=1e-5, rtol=0
    )
    between = crop.points[..., list(SPINE_NEIGHBOURS), :].mean(dim=-2)
    torch.testing.assert_close(crop.points[..., SPINE, :], between)


def test_in_mixed_precision_geometry_stays_exact():
    model, rays = network(), person(20).unsqueeze(0)
    exact = model(rays)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(rays)
    assert mixed.pose.dtype == torch.float32
    assert 0 < (mixed.joints - exact.joints).abs().max() < 0.05
    crop = crop_to_person(rays)
    with torch.autocast("cpu", torch.bfloat16):
        output = model.pose(crop.features)
    assert output.dtype == torch.bfloat16

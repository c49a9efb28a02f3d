"""Motion clips, and what may be done to them."""

import math

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spgnet.geometry.motion_clip import MotionClip, split_to_space
from spgnet.geometry.skeleton import HUMAN36M

law = settings(max_examples=30)


def _clip(joints: Tensor, fps: float = 50.0, name: str = "clip") -> MotionClip:
    return MotionClip(joints, fps, name, "someone", "walking")


def _random(frames: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(frames, 17, 3, generator=generator, dtype=torch.float64)


def _linear(frames: int) -> Tensor:
    """A pose that moves and changes at a constant rate."""
    start, rate = _random(2)
    return start + torch.arange(frames, dtype=torch.float64)[:, None, None] * rate / 10


def _walk(path: Tensor) -> Tensor:
    """A rigid pose [frames, 17, 3] whose pelvis follows a path [frames, 2] on the floor."""
    pose = _random(1)[0]
    pose = pose - pose[0] + torch.tensor([0.0, 0.0, 1.0])
    shift = torch.cat((path, torch.zeros(len(path), 1)), dim=-1).to(torch.float64)
    return pose + shift[:, None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_raise_and_name_the_clip_and_the_frame(value: float) -> None:
    joints = _random(6)
    joints[3, 5, 1] = value
    joints[5, 0, 0] = value
    with pytest.raises(ValueError, match=r"clip 'jump': 2 of 6 frames hold NaN .* first is frame 3"):
        _clip(joints, name="jump")


@pytest.mark.parametrize("shape", [(6, 16, 3), (6, 17, 2), (17, 3), (0, 17, 3)])
def test_another_shape_raises_and_names_the_clip(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its check would come first
    with pytest.raises(ValueError, match="clip 'jump': joints have shape"):
        _clip(torch.zeros(shape), name="jump")


def test_at_its_own_rate_a_clip_is_itself() -> None:
    clip = _clip(_random(5))
    assert clip.resampled(50.0) is clip


@pytest.mark.parametrize(("fps", "new_fps"), [(120.0, 60.0), (25.0, 50.0), (30.0, 50.0), (60.0, 50.0)])
def test_resampling_keeps_both_ends_and_the_duration(fps: float, new_fps: float) -> None:
    clip = _clip(_random(121), fps)
    new = clip.resampled(new_fps)
    assert new.fps == new_fps
    assert (len(new) - 1) / new_fps == pytest.approx(120 / fps)
    torch.testing.assert_close(new.joints[0], clip.joints[0])
    torch.testing.assert_close(new.joints[-1], clip.joints[-1])
    assert (new.name, new.subject, new.action) == (clip.name, clip.subject, clip.action)


@given(st.integers(1, 80), st.floats(10, 240), st.floats(10, 240))
@law
def test_resampling_is_no_longer_than_the_clip_and_less_than_a_frame_shorter(
    frames: int, fps: float, new_fps: float
) -> None:
    new = _clip(_random(frames), fps).resampled(new_fps)
    before, after = (frames - 1) / fps, (len(new) - 1) / new_fps
    assert before - 1 / new_fps < after <= before + 1e-6


@given(st.integers(2, 60), st.floats(10, 240))
@law
def test_linear_motion_stays_linear(frames: int, new_fps: float) -> None:
    clip = _clip(_linear(frames))
    new = clip.resampled(new_fps)
    time = torch.arange(len(new), dtype=torch.float64) / new_fps
    speed = (clip.joints[1] - clip.joints[0]) * clip.fps
    torch.testing.assert_close(new.joints, clip.joints[0] + time[:, None, None] * speed, rtol=0, atol=1e-5)


def test_doubling_the_rate_keeps_every_frame_and_puts_the_mean_between_neighbours() -> None:
    clip = _clip(_random(9), 25.0)
    new = clip.resampled(50.0)
    torch.testing.assert_close(new.joints[::2], clip.joints)
    torch.testing.assert_close(new.joints[1::2], (clip.joints[1:] + clip.joints[:-1]) / 2)


@given(st.floats(-7, 7))
@law
def test_turning_keeps_bone_lengths_heights_and_distances_from_the_axis(angle: float) -> None:
    clip = _clip(_random(4))
    turned = clip.rotated(angle)
    lengths = HUMAN36M.bone_lengths(clip.joints)
    torch.testing.assert_close(HUMAN36M.bone_lengths(turned.joints), lengths, rtol=1e-5, atol=1e-6)
    assert torch.equal(turned.joints[..., 2], clip.joints[..., 2])
    before, after = clip.joints[..., :2].norm(dim=-1), turned.joints[..., :2].norm(dim=-1)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)


def test_a_quarter_turn_takes_x_to_y() -> None:
    joints = torch.zeros(1, 17, 3)
    joints[..., 0] = 1
    turned = _clip(joints).rotated(math.pi / 2)
    torch.testing.assert_close(turned.joints, torch.tensor([0.0, 1.0, 0.0]).expand(1, 17, 3))


@given(st.lists(st.floats(0.5, 2), min_size=16, max_size=16))
@law
def test_bone_scales_scale_the_bones_and_keep_their_directions(scales: list[float]) -> None:
    clip, factors = _clip(_random(3)), torch.tensor(scales, dtype=torch.float64)
    scaled = clip.with_bone_scales(factors)
    torch.testing.assert_close(
        HUMAN36M.bone_lengths(scaled.joints), HUMAN36M.bone_lengths(clip.joints) * factors
    )
    for bone, (parent, child) in enumerate(HUMAN36M.bones):
        before, after = (c.joints[:, child] - c.joints[:, parent] for c in (clip, scaled))
        torch.testing.assert_close(after, before * factors[bone])


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_one_scale_for_all_bones_scales_the_whole_motion_so_that_feet_keep_the_floor(factor: float) -> None:
    clip = _clip(_random(3))
    scaled = clip.with_bone_scales(torch.full((16,), factor, dtype=torch.float64))
    torch.testing.assert_close(scaled.joints, clip.joints * factor)


def test_longer_arms_do_not_move_the_root() -> None:
    scales = torch.ones(16, dtype=torch.float64)
    scales[[HUMAN36M.bone_names.index(f"{side}_elbow") for side in ("left", "right")]] = 1.3
    clip = _clip(_random(3))
    torch.testing.assert_close(clip.with_bone_scales(scales).joints[:, 0], clip.joints[:, 0])


def test_a_clip_that_fits_is_one_piece_under_its_own_name_about_the_origin() -> None:
    path = torch.tensor([[5.0, 2.0], [6.0, 2.5], [5.5, 2.0]])
    (piece,) = split_to_space(_clip(_walk(path), name="stand"), radius=1.0, shortest=0.0)
    assert piece.name == "stand"
    expected = path.double() - torch.tensor([5.5, 2.25], dtype=torch.float64)
    torch.testing.assert_close(piece.joints[:, 0, :2], expected)


def test_pieces_begin_where_the_pelvis_would_leave_the_square() -> None:
    path = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]])
    pieces = split_to_space(_clip(_walk(path), name="walk"), radius=1.0, shortest=0.0)
    assert [(piece.name, len(piece)) for piece in pieces] == [("walk@0", 3), ("walk@3", 2)]
    torch.testing.assert_close(pieces[0].joints[:, 0, 0], torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64))


@given(st.integers(0, 2**31), st.integers(1, 120), st.floats(0.2, 2))
@law
def test_pieces_cover_all_frames_once_in_order_and_stay_in_the_square(
    seed: int, frames: int, radius: float
) -> None:
    steps = torch.randn(frames, 2, generator=torch.Generator().manual_seed(seed)) * 0.2
    clip = _clip(_walk(steps.cumsum(dim=0)))
    pieces = split_to_space(clip, radius=radius, shortest=0.0)
    assert sum(len(piece) for piece in pieces) == frames
    start = 0
    for piece in pieces:
        source = clip.joints[start : start + len(piece)]
        shift = source[0, 0] - piece.joints[0, 0]
        assert shift[2] == 0
        torch.testing.assert_close(piece.joints, source - shift)
        assert piece.joints[:, 0, :2].abs().max() <= radius + 1e-9
        start += len(piece)


def test_pieces_shorter_than_asked_for_are_dropped() -> None:
    path = torch.zeros(130, 2)
    path[100:] = 10
    clip = _clip(_walk(path), fps=50.0)
    assert [len(piece) for piece in split_to_space(clip, radius=1.0, shortest=0.6)] == [100, 30]
    assert [len(piece) for piece in split_to_space(clip, radius=1.0, shortest=0.62)] == [100]
    assert split_to_space(clip, radius=1.0, shortest=3.0) == []

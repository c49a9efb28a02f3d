"""Procedural motion is reproducible, obeys anatomy and the floor, and moves as fast as people do."""

import pytest
import torch
from torch import Tensor

from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.procedural import procedural_clips

ACTIONS = ("walk", "sit", "squat", "reach", "bend", "limbs", "balance", "lie")
STANDING = ("walk", "sit", "squat", "reach", "bend", "limbs")
FPS = 50.0
UP = torch.tensor([0.0, 0.0, 1.0])
ANKLES = [HUMAN36M.names.index("left_ankle"), HUMAN36M.names.index("right_ankle")]


@pytest.fixture(scope="module")
def clips() -> list[MotionClip]:
    return procedural_clips(64, seed=3)


def stacked(clips: list[MotionClip], *actions: str) -> Tensor:
    """[clips, frames, 17, 3]."""
    return torch.stack([clip.joints for clip in clips if clip.action in (actions or ACTIONS)])


def joint(joints: Tensor, name: str) -> Tensor:
    return joints[..., HUMAN36M.names.index(name), :]


def forward(joints: Tensor) -> Tensor:
    """Where the body faces, horizontally."""
    across = joint(joints, "left_hip") - joint(joints, "right_hip")
    ahead = torch.linalg.cross(across, UP.expand_as(across), dim=-1)
    return torch.nn.functional.normalize(ahead, dim=-1)


def hinge_flexion(joints: Tensor, limb: tuple[str, str, str]) -> Tensor:
    """Sine of how far the lower part of a limb is turned from the upper one about the body's left axis."""
    start, middle, end = (joint(joints, name) for name in limb)
    upper, lower = middle - start, end - middle
    root = limb[0].split("_")[1]
    across = joint(joints, f"left_{root}") - joint(joints, f"right_{root}")
    left = torch.nn.functional.normalize(across, dim=-1)
    turn = (torch.linalg.cross(upper, lower, dim=-1) * left).sum(dim=-1)
    return turn / (upper.norm(dim=-1) * lower.norm(dim=-1))


def contact_drifts(path: Tensor, held: Tensor) -> list[float]:
    """How far (m) a point, of path [frames, 2], gets from where each spell of being held began."""
    drifts, begin = [], 0
    for frame in range(len(held) + 1):
        if frame == len(held) or not held[frame]:
            if frame - begin > 5:
                drifts.append(float((path[begin:frame] - path[begin]).norm(dim=-1).max()))
            begin = frame + 1
    return drifts


def test_the_same_seed_gives_the_same_motion():
    first, second = (procedural_clips(9, seed=5, seconds=1.0) for _ in range(2))
    assert all(
        torch.equal(a.joints, b.joints) and a.name == b.name for a, b in zip(first, second, strict=True)
    )


def test_another_seed_gives_other_motion_and_other_names():
    first, second = (procedural_clips(9, seed=seed, seconds=1.0) for seed in (5, 6))
    for a, b in zip(first, second, strict=True):
        assert (a.joints - b.joints).abs().max() > 0.05
    assert len({clip.name for clip in first + second}) == 18


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    procedural_clips(7, seed=0, seconds=1.0)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_action_has_as_many_clips_as_any_other_and_they_take_turns(clips):
    assert [clip.action for clip in clips] == list(ACTIONS) * 8
    assert [clip.action for clip in procedural_clips(3, seed=0, seconds=1.0)] == list(ACTIONS[:3])


def test_clips_have_the_length_and_rate_that_were_asked_for():
    for clip in procedural_clips(7, seed=0, seconds=1.5, fps=30.0):
        assert (len(clip), clip.fps, clip.subject) == (45, 30, "procedural")
        assert clip.joints.dtype == torch.float32


def test_a_higher_frame_rate_samples_the_same_motion():
    slow, fast = (stacked(procedural_clips(7, seed=1, seconds=4.0, fps=fps)) for fps in (50.0, 100.0))
    slow_pose, fast_pose = slow - slow[:, :, :1], (fast - fast[:, :, :1])[:, ::2]
    torch.testing.assert_close(slow_pose, fast_pose, atol=1e-5, rtol=0)
    assert (slow - fast[:, ::2]).norm(dim=-1).max() < 0.03


def test_bone_lengths_are_constant_within_a_clip(clips):
    lengths = HUMAN36M.bone_lengths(stacked(clips))
    assert (lengths - lengths[:, :1]).abs().max() < 1e-5


def test_left_and_right_bones_are_equally_long(clips):
    lengths = dict(zip(HUMAN36M.bone_names, HUMAN36M.bone_lengths(stacked(clips)).unbind(-1), strict=True))
    for name in HUMAN36M.bone_names:
        twin = HUMAN36M.names[HUMAN36M.mirror[HUMAN36M.names.index(name)]]
        torch.testing.assert_close(lengths[name], lengths[twin], atol=1e-5, rtol=0)


def test_bodies_differ_and_are_as_tall_as_people(clips):
    height = joint(stacked(clips, "squat", "walk"), "head_top")[..., 2].amax(dim=1)
    assert height.min() > 1.38
    assert height.max() < 2.08
    assert height.std() > 0.08


def test_knees_bend_backward_only(clips):
    joints = stacked(clips, "walk", "squat")
    for side in ("left", "right"):
        flexion = hinge_flexion(joints, (f"{side}_hip", f"{side}_knee", f"{side}_ankle"))
        assert flexion.min() > -0.02
        assert flexion.max() > 0.7


def test_the_elbows_of_hanging_arms_bend_forward_only(clips):
    joints = stacked(clips, "walk", "squat")
    for side in ("left", "right"):
        flexion = -hinge_flexion(joints, (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"))
        upper = joint(joints, f"{side}_elbow") - joint(joints, f"{side}_shoulder")
        hanging = upper[..., 2] < -0.8 * upper.norm(dim=-1)
        assert flexion[hanging].min() > -0.05
        assert flexion.max() > 0.7


def test_the_lowest_foot_of_those_who_stand_is_on_the_floor(clips):
    lowest = stacked(clips, *STANDING)[:, :, ANKLES, 2].amin(dim=-1)
    assert lowest.min() > 0.07
    assert lowest.max() < 0.085


def test_some_hold_their_hands_together_in_front_of_them(clips):
    joints = stacked(clips, *STANDING)
    left, right = joint(joints, "left_wrist"), joint(joints, "right_wrist")
    together = (left - right).norm(dim=-1) < 0.2
    assert 0.03 < together.float().mean() < 0.5
    chest = (joint(joints, "pelvis") + joint(joints, "thorax")) / 2
    ahead = (((left + right) / 2 - chest) * forward(joints)).sum(dim=-1)
    assert (ahead[together] > 0).float().mean() > 0.9


def test_nothing_is_below_the_floor(clips):
    assert stacked(clips)[..., 2].min() > 0.0


def test_those_who_lie_are_low(clips):
    assert joint(stacked(clips, "lie"), "pelvis")[..., 2].median() < 0.25
    assert joint(stacked(clips, "lie"), "head_top")[..., 2].amin(dim=1).max() < 0.6


def test_walkers_travel_where_they_face(clips):
    joints = stacked(clips, "walk")
    second = int(FPS)
    step = (joints[:, second:, 0] - joints[:, :-second, 0])[..., :2]
    facing = forward(joints)[:, second // 2 : -second // 2, :2]
    along = (step * facing).sum(dim=-1)
    assert along.min() > 0.25
    assert (along / step.norm(dim=-1)).mean() > 0.95
    assert (along / step.norm(dim=-1)).min() > 0.8


def test_walkers_travel_with_a_curve_and_at_many_speeds(clips):
    joints = stacked(clips, "walk")
    speed = joints[:, :, 0, :2].diff(dim=1).norm(dim=-1).mean(dim=1) * FPS
    assert speed.min() > 0.4
    assert speed.max() < 3
    assert speed.std() > 0.15
    turn = (forward(joints)[:, 0] * forward(joints)[:, -1]).sum(dim=-1)
    assert turn.min() < 0.5


@pytest.mark.parametrize(
    ("action", "median", "most"),
    [
        ("walk", 0.03, 0.2),
        ("squat", 0.1, 0.2),
        ("bend", 0.08, 0.2),
        ("reach", 0.08, 0.2),
        ("sit", 0.12, 0.25),
    ],
)
def test_a_foot_on_the_floor_slides_little(clips, action, median, most):
    drifts = []
    for joints in stacked(clips, action):
        for ankle in ANKLES:
            drifts += contact_drifts(joints[:, ankle, :2], joints[:, ankle, 2] < 0.09)
    assert sorted(drifts)[len(drifts) // 2] < median
    assert max(drifts) < most


def test_sitting_lowers_the_pelvis_to_a_chair(clips):
    height = joint(stacked(clips, "sit"), "pelvis")[..., 2]
    thigh = joint(stacked(clips, "sit"), "left_knee") - joint(stacked(clips, "sit"), "left_hip")
    seated = height.amin(dim=1)
    assert ((seated > 0.35) & (seated < 0.65)).all()
    assert (height.amax(dim=1) > 0.75).all()
    assert (thigh[..., 2] / thigh.norm(dim=-1)).abs().amin(dim=1).max() < 0.25


def test_squats_reach_low(clips):
    assert joint(stacked(clips, "squat"), "pelvis")[..., 2].amin() < 0.5


def test_hands_reach_from_the_knees_to_above_the_head(clips):
    joints = stacked(clips, "reach", "limbs")
    wrists = torch.stack([joint(joints, "left_wrist"), joint(joints, "right_wrist")])[..., 2]
    assert wrists.min() < 0.6
    assert wrists.max() > 1.8


def test_joints_move_no_faster_than_people_do(clips):
    velocity = stacked(clips).diff(dim=1) * FPS
    acceleration = velocity.diff(dim=1) * FPS
    assert velocity.norm(dim=-1).max() < 10
    assert acceleration.norm(dim=-1).max() < 250
    assert acceleration.norm(dim=-1).mean() < 15


def test_no_frame_stands_still_and_none_repeats(clips):
    joints = stacked(clips)
    moved = joints.diff(dim=1).norm(dim=-1).amax(dim=-1)
    assert moved.min() > 1e-5
    gait = stacked(clips, "walk") - stacked(clips, "walk")[:, :, :1]
    lags = [(gait[:, lag:] - gait[:, :-lag]).norm(dim=-1).mean() for lag in range(25, 120)]
    assert min(lags) > 0.01


@pytest.mark.parametrize(
    ("count", "seconds", "fps"),
    [(0, 8, 50), (-1, 8, 50), (3, 0.01, 50), (3, -1, 50), (3, 8, 0), (3, float("nan"), 50)],
)
def test_bad_arguments_are_refused_in_one_line(count, seconds, fps):
    with pytest.raises(ValueError, match=r"at least") as error:
        procedural_clips(count, seed=0, seconds=float(seconds), fps=float(fps))
    assert "\n" not in str(error.value)

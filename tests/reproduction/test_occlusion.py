"""Self-occlusion: what of a person their own body hides from the camera."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.rigs import human36m_rig
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.reproduction.occlusion import RADII, hidden_joints
from spgnet.synthetic.procedural import procedural_clips

HANGING = {"elbow": (0.20, 0.18, 0.0), "wrist": (0.20, -0.07, 0.0)}
SPREAD = {
    "elbow": (0.46, 0.47, 0.0),
    "wrist": (0.71, 0.47, 0.0),
    "knee": (0.25, -0.43, 0.0),
    "ankle": (0.45, -0.84, 0.0),
}
ON_THE_BELLY = {"elbow": (0.26, 0.18, 0.05), "wrist": (0.05, 0.12, 0.25)}
STANDING = {
    "hip": (0.09, 0.0, 0.0),
    "knee": (0.09, -0.43, 0.0),
    "ankle": (0.09, -0.88, 0.0),
    "spine": (0.0, 0.24, 0.0),
    "thorax": (0.0, 0.50, 0.0),
    "nose": (0.0, 0.60, 0.10),
    "head_top": (0.0, 0.74, 0.0),
    "shoulder": (0.18, 0.47, 0.0),
}
"""How far each kind of joint is to the side, above and in front of the pelvis, in metres."""


def person(limbs: dict, *, turned: float = 0.0, dtype=torch.float32) -> torch.Tensor:
    """A person 4 m before a level camera at the height of the pelvis, facing it.

    Args:
        limbs: where elbows and wrists are.
        turned: by how many degrees they turned from there to their left.
    """
    places = {"pelvis": (0.0, 0.0, 0.0), **STANDING, **limbs}
    angle = math.radians(turned)
    joints = []
    for joint, kind in enumerate(HUMAN36M.joint_types):
        side, up, ahead = places[kind]
        x, z = {"left": 1, "right": -1, "middle": 0}[HUMAN36M.side(joint)] * side, -ahead
        joints.append(
            (x * math.cos(angle) - z * math.sin(angle), -up, x * math.sin(angle) + z * math.cos(angle) + 4)
        )
    return torch.tensor(joints, dtype=dtype)


def names(hidden: torch.Tensor) -> set[str]:
    return {name for name, one in zip(HUMAN36M.names, hidden.tolist(), strict=True) if one}


def filmed(seed: int, count: int) -> torch.Tensor:
    """Moving people in front of a camera, in double precision."""
    clips = procedural_clips(7, seed=seed, seconds=4.0)
    camera = human36m_rig("S1")[seed % 4].to(torch.float64)
    joints = torch.cat([clip.joints for clip in clips]).double()
    middle = joints[:, :1] * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    return camera.world_to_camera(joints - middle)[:: len(joints) // count][:count]


def meets(bone: tuple[int, int], joint: int) -> bool:
    """Whether a bone is one of the joint's own or ends where one of them does."""
    ends = {end for other in HUMAN36M.bones if joint in other for end in other}
    return bool(ends & set(bone))


def along_the_sight(pose: np.ndarray, joint: int, bone: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """At many places of the line of sight: how far the bone is, and how far the joint."""
    share = np.linspace(0, 1, 1501)[:, None]
    places = share * pose[joint]
    start, end = pose[bone[0]], pose[bone[1]]
    on_bone = ((places - start) @ (end - start) / np.square(end - start).sum()).clip(0, 1)
    gap = np.linalg.norm(places - start - on_bone[:, None] * (end - start), axis=1)
    return gap, np.linalg.norm(places - pose[joint], axis=1)


def naively_hidden(pose: np.ndarray, joint: int) -> bool | None:
    """Whether a joint is hidden, as the line of sight shows; None where it is a matter of millimetres."""
    verdicts = []
    for bone in HUMAN36M.bones:
        radius = RADII[HUMAN36M.joint_types[bone[1]]]
        if meets(bone, joint):
            continue
        gap, before = along_the_sight(pose, joint, bone)
        closest = before[gap < gap.min() + 1e-4]
        if abs(gap.min() - radius) < 0.003 or closest.min() - 0.01 < radius < closest.max() + 0.01:
            verdicts.append(None if gap.min() < radius + 0.003 else False)
        else:
            verdicts.append(bool(gap.min() < radius and closest.min() > radius))
    return True if True in verdicts else None if None in verdicts else False


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hidden_joints_are_those_that_a_walk_along_the_line_of_sight_finds(seed):
    poses = filmed(seed, 20)
    hidden = hidden_joints(poses)
    expected = [[naively_hidden(pose, joint) for joint in range(17)] for pose in poses.numpy()]
    clear = [[one is not None for one in row] for row in expected]
    assert np.mean(clear) > 0.9
    assert [one for row in expected for one in row if one is not None] == hidden[torch.tensor(clear)].tolist()
    assert 0.02 < hidden.double().mean() < 0.5


@pytest.mark.parametrize(("turned", "near", "far"), [(90, "right", "left"), (-90, "left", "right")])
def test_seen_from_the_side_the_far_arm_and_leg_are_hidden(turned, near, far):
    """Of the near side only the hip is, behind the hand that hangs beside it."""
    hidden = names(hidden_joints(person(HANGING, turned=turned)))
    assert {f"{far}_{kind}" for kind in ("shoulder", "elbow", "wrist", "knee", "ankle")} <= hidden
    assert {name for name in hidden if name.startswith(near)} == {f"{near}_hip"}


@pytest.mark.parametrize("turned", [0, 180])
def test_a_person_with_limbs_spread_hides_nothing(turned):
    assert names(hidden_joints(person(SPREAD, turned=turned))) == set()


def test_hands_on_the_belly_are_hidden_from_behind_alone():
    wrists = {"left_wrist", "right_wrist"}
    assert not wrists & names(hidden_joints(person(ON_THE_BELLY)))
    assert wrists <= names(hidden_joints(person(ON_THE_BELLY, turned=180)))


def crossed(gap: float, depth: float) -> torch.Tensor:
    """A left ankle 5 m ahead, a right forearm upright before it, and everything else far away."""
    joints = torch.linspace(0, 1, 17)[:, None] * torch.tensor([0.0, 1.0, 1.0]) + torch.tensor([6.0, 0.0, 5.0])
    joints[HUMAN36M.names.index("left_ankle")] = torch.tensor([0.0, 0.0, 5.0])
    joints[HUMAN36M.names.index("right_elbow")] = torch.tensor([gap, -0.2, depth])
    joints[HUMAN36M.names.index("right_wrist")] = torch.tensor([gap, 0.2, depth])
    return joints


@pytest.mark.parametrize(
    ("gap", "depth", "hidden"),
    [
        (0.039, 4.0, True),
        (0.041, 4.0, False),
        (-0.039, 1.0, True),
        (0.0, 4.95, True),
        (0.0, 4.97, False),
        (0.0, 5.03, False),
        (0.0, 6.0, False),
    ],
)
def test_a_forearm_hides_what_is_behind_it_and_within_its_radius(gap, depth, hidden):
    assert RADII["wrist"] == 0.04
    assert ("left_ankle" in names(hidden_joints(crossed(gap, depth)))) == hidden


def test_no_joint_is_hidden_by_its_own_limb():
    """An arm that points at the camera: every joint of it is on one line of sight."""
    pose = person(
        {"elbow": (0.18 * 3.7 / 4, 0.47 * 3.7 / 4, 0.3), "wrist": (0.18 * 3.45 / 4, 0.47 * 3.45 / 4, 0.55)}
    )
    sight = torch.nn.functional.normalize(pose[[11, 12]], dim=-1)
    torch.testing.assert_close(sight[0], sight[1])
    assert not {"left_shoulder", "left_elbow", "left_wrist"} & names(hidden_joints(pose))


POSES = filmed(3, 200)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_turning_the_camera_about_its_centre_changes_nothing(seed):
    random = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    turn = torch.linalg.qr(random).Q
    assert torch.equal(hidden_joints(POSES @ turn.T), hidden_joints(POSES))


def test_a_mirrored_person_hides_the_mirrored_joints():
    hidden = hidden_joints(POSES)
    assert torch.equal(hidden_joints(HUMAN36M.flip(POSES)), hidden[:, HUMAN36M.mirror])
    assert not torch.equal(hidden, hidden[:, HUMAN36M.mirror])


def test_the_joint_that_is_nearest_to_the_camera_is_never_hidden():
    nearest = POSES.norm(dim=-1).argmin(dim=-1, keepdim=True)
    assert not hidden_joints(POSES).gather(1, nearest).any()


def test_a_smaller_person_nearer_by_hides_more_joints():
    """Both look the same in the image, but limbs keep their thickness."""
    whole, half = hidden_joints(POSES), hidden_joints(POSES / 2)
    assert half.sum() > whole.sum()


@pytest.mark.parametrize("batch", [(), (1,), (12,), (3, 4), (2, 1, 6), (0,)])
def test_poses_of_any_batch_are_judged_one_by_one(batch):
    poses = POSES[: math.prod(batch)].reshape(*batch, 17, 3)
    hidden = hidden_joints(poses)
    assert hidden.shape == (*batch, 17)
    expected = [hidden_joints(pose).tolist() for pose in poses.reshape(-1, 17, 3)]
    assert hidden.reshape(-1, 17).tolist() == expected


def test_single_precision_is_enough():
    different = hidden_joints(POSES.float()) != hidden_joints(POSES)
    assert different.double().mean() < 1e-3


def test_every_kind_of_bone_has_a_thickness():
    assert set(RADII) == set(HUMAN36M.joint_types) - {"pelvis"}

"""The animated skeleton and its rotations."""

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.export.armature import (
    NODES,
    joint_quaternions,
    rest_directions,
    symmetric_bone_lengths,
)
from spgnet.export.posing import pose_rig
from spgnet.export.rigs import RIGS
from spgnet.export.sampling import z_up_to_y_up
from spgnet.geometry.kinematics import forward_kinematics
from spgnet.geometry.skeleton import HUMAN36M

law = settings(max_examples=30)
NAMES = [node.name for node in NODES]
JOINTS = [HUMAN36M.names.index(node.joint) for node in NODES]


def y_up(motion):
    return torch.from_numpy(z_up_to_y_up(motion.world)).double()


def joint_rotations(joints):
    """Rotations [frames, nodes, 3, 3] of the nodes relative to their parents."""
    return pose_rig(RIGS["spgnet"], joints, "world").rotations[:, : len(NODES)]


def t_pose():
    joints = torch.zeros(17, 3, dtype=torch.float64)
    for bone, (parent, child) in enumerate(HUMAN36M.bones):
        joints[child] = joints[parent] + 0.3 * rest_directions()[bone]
    return joints


def node_positions(rotations, joints):
    """Where the nodes are under rotations, with the bone lengths and the root of joints."""
    offsets = pose_rig(RIGS["spgnet"], joints, "world").offsets[: len(NODES)].repeat(len(joints), 1, 1)
    offsets[:, 0] = joints[:, 0]
    return forward_kinematics(rotations, offsets, RIGS["spgnet"].parents[: len(NODES)])[0]


def bent_leg(degrees, *, about=(1.0, 0.0, 0.0)):
    """T-poses [frames, 17, 3] whose left knees are bent by angles about an axis."""
    joints = t_pose().repeat(len(degrees), 1, 1)
    axis = torch.tensor(about, dtype=torch.float64)
    turns = roma.rotvec_to_rotmat(axis * torch.tensor(degrees, dtype=torch.float64).deg2rad()[:, None])
    knee, ankle = HUMAN36M.names.index("left_knee"), HUMAN36M.names.index("left_ankle")
    joints[:, ankle] = joints[:, knee] + turns @ (joints[0, ankle] - joints[0, knee])
    return joints


def test_nodes_come_after_their_parents_and_name_every_joint_once():
    assert all(NAMES.index(node.parent) < index for index, node in enumerate(NODES) if node.parent)
    assert set(HUMAN36M.names) <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    assert sorted(node.end for node in NODES if node.end) == sorted(HUMAN36M.bone_names)


def test_the_t_pose_needs_no_rotation_and_faces_z_with_its_left_at_x():
    joints = t_pose()
    rotations = joint_rotations(joints[None])
    torch.testing.assert_close(rotations[0], torch.eye(3, dtype=torch.float64).expand(len(NODES), 3, 3))
    assert joints[HUMAN36M.names.index("left_wrist"), 0] > 0.5
    assert joints[HUMAN36M.names.index("nose"), 2] > 0.1


def test_rotations_and_lengths_give_rigid_motion_back(any_motion):
    joints = y_up(any_motion)
    places = node_positions(joint_rotations(joints), joints)
    assert float((places - joints[:, JOINTS]).norm(dim=-1).max()) < 1e-5  # metres; positions are float32


@given(st.integers(0, 2**31))
@law
def test_any_directions_come_back_exactly(seed):
    joints = torch.randn(6, 17, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rotations = joint_rotations(joints)
    rigid = HUMAN36M.with_bone_lengths(joints, symmetric_bone_lengths(joints))
    torch.testing.assert_close(node_positions(rotations, joints), rigid[:, JOINTS])
    assert bool(roma.is_rotation_matrix(rotations, 1e-9))


def test_turning_the_world_turns_the_root_alone(any_motion):
    joints = y_up(any_motion)
    turn = roma.rotvec_to_rotmat(torch.tensor([0.3, 1.0, -0.4], dtype=torch.float64))
    before, after = joint_rotations(joints), joint_rotations(joints @ turn.T)
    torch.testing.assert_close(after[:, 0], turn @ before[:, 0])
    torch.testing.assert_close(after[:, 1:], before[:, 1:])


def test_mirrored_motion_has_mirrored_rotations(any_motion):
    joints = y_up(any_motion)
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    swap = {"left": "right", "right": "left"}
    twins = [
        NAMES.index(swap[side] + "_" + rest) if (side := name.split("_")[0]) in swap else NAMES.index(name)
        for name in NAMES
        for rest in [name.partition("_")[2]]
    ]
    mirrored = joint_rotations(HUMAN36M.flip(joints))
    torch.testing.assert_close(mirrored, mirror @ joint_rotations(joints)[:, twins] @ mirror)


@pytest.mark.parametrize(("joint", "axis"), [("knee", 0), ("elbow", 1)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_bent_knees_and_elbows_turn_about_their_anatomical_axis(any_motion, joint, axis, side):
    rotation = joint_rotations(y_up(any_motion))[:, NAMES.index(f"{side}_{joint}")]
    turns = roma.rotmat_to_rotvec(rotation)
    bent = turns[turns.norm(dim=-1) > math.radians(31)]
    others = [other for other in range(3) if other != axis]
    assert float(bent[:, others].abs().max() if len(bent) else 0) < 1e-4
    forward = {"knee": 1, "elbow": -1 if side == "left" else 1}[joint]
    assert bool((forward * bent[:, axis] > 0).all())


def test_a_knee_that_is_nearly_straight_does_not_flip():
    rng = np.random.default_rng(0)
    degrees = np.abs(np.linspace(-60, 60, 121)) + rng.normal(0, 3, 121)  # bends backward now and then
    rotations = joint_rotations(bent_leg(degrees.tolist()))
    steps = roma.rotmat_geodesic_distance(rotations[1:], rotations[:-1]).rad2deg()
    assert float(steps[:, NAMES.index("left_hip")].max()) < 1e-3
    assert float(steps.max()) < 20


def test_the_axis_of_a_straight_knee_lies_between_those_of_the_bent_frames_around_it():
    legs = torch.cat([bent_leg([50.0] * 3), bent_leg([1.0] * 5), bent_leg([50.0] * 3, about=(0.6, 0.0, 0.8))])
    thigh = roma.rotmat_to_rotvec(joint_rotations(legs)[:, NAMES.index("left_hip")])
    twist = thigh[:, 1].rad2deg()
    end = -math.degrees(math.atan2(0.8, 0.6))
    np.testing.assert_allclose(twist[2:9], np.linspace(0, end, 7), atol=3)
    np.testing.assert_allclose(twist[[2, 8]], [0, end], atol=1e-6)


def test_a_straight_knee_takes_the_short_way_between_two_axes():
    one, other = (-0.98, 0.0, 0.2), (-0.98, 0.0, -0.2)  # nearly half a turn, this way and that
    legs = torch.cat([bent_leg([50.0], about=one), bent_leg([1.0] * 5), bent_leg([50.0], about=other)])
    thigh = roma.rotmat_to_rotvec(joint_rotations(legs)[:, NAMES.index("left_hip")])
    assert float(thigh[:, 1].rad2deg().abs().min()) > 165


def test_no_node_jumps_in_smooth_motion(any_motion):
    rotations = joint_rotations(y_up(any_motion))
    steps = roma.rotmat_geodesic_distance(rotations[1:], rotations[:-1])
    assert float(steps.rad2deg().max()) < 12  # at 50 frames per second


def test_coincident_joints_still_give_rotations():
    rotations = joint_rotations(torch.zeros(2, 17, 3, dtype=torch.float64))
    assert bool(roma.is_rotation_matrix(rotations, 1e-9))


def test_quaternions_are_the_rotations_and_keep_their_signs(any_motion):
    rotations = joint_rotations(y_up(any_motion))
    quaternions = joint_quaternions(rotations)
    torch.testing.assert_close(roma.unitquat_to_rotmat(quaternions), rotations)
    assert float((quaternions[1:] * quaternions[:-1]).sum(dim=-1).min()) > 0.9


def test_lengths_are_medians_alike_on_both_sides(motion):
    joints = y_up(motion)
    joints[0] *= 3  # one bad frame
    joints[:, HUMAN36M.names.index("left_wrist")] += (
        joints[:, HUMAN36M.names.index("left_wrist")] - joints[:, HUMAN36M.names.index("left_elbow")]
    )
    lengths = dict(zip(HUMAN36M.bone_names, symmetric_bone_lengths(joints).tolist(), strict=True))
    true = dict(zip(HUMAN36M.bone_names, HUMAN36M.bone_lengths(y_up(motion))[0].tolist(), strict=True))
    assert lengths["left_wrist"] == pytest.approx(1.5 * true["left_wrist"], rel=1e-4)
    assert lengths["right_wrist"] == lengths["left_wrist"]
    assert lengths["left_knee"] == pytest.approx(true["left_knee"], rel=1e-4)

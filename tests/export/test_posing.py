"""Rigs of other programs: what the motion becomes on them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_bvh import joints_of, read_bvh

from spgnet.export import export
from spgnet.export.armature import rest_directions
from spgnet.export.posing import pose_rig
from spgnet.export.rigs import RIG_NAMES, RIGS
from spgnet.export.sampling import z_up_to_y_up
from spgnet.geometry.kinematics import forward_kinematics, sum_bones
from spgnet.geometry.skeleton import HUMAN36M

OTHERS = tuple(name for name in RIG_NAMES if name != "spgnet")
HIERARCHIES = {
    "mixamo": """
        mixamorig:Hips > mixamorig:Spine > mixamorig:Spine1 > mixamorig:Spine2 > mixamorig:Neck
        > mixamorig:Head > mixamorig:HeadTop_End
        mixamorig:Spine2 > mixamorig:LeftShoulder > mixamorig:LeftArm > mixamorig:LeftForeArm
        > mixamorig:LeftHand > mixamorig:LeftHandMiddle1
        mixamorig:Hips > mixamorig:RightUpLeg > mixamorig:RightLeg > mixamorig:RightFoot
        > mixamorig:RightToeBase > mixamorig:RightToe_End""",
    "vrm": """
        hips > spine > chest > upperChest > neck > head
        upperChest > leftShoulder > leftUpperArm > leftLowerArm > leftHand
        hips > rightUpperLeg > rightLowerLeg > rightFoot > rightToes""",
    "unreal": """
        root > pelvis > spine_01 > spine_02 > spine_03 > spine_04 > spine_05 > neck_01 > neck_02 > head
        spine_05 > clavicle_l > upperarm_l > lowerarm_l > hand_l
        pelvis > thigh_r > calf_r > foot_r > ball_r""",
}


def y_up(motion):
    return torch.from_numpy(z_up_to_y_up(motion.world)).double()


def positions(posed):
    """Where the nodes of a posed rig are [frames, nodes, 3]."""
    offsets = posed.offsets.repeat(len(posed.rotations), 1, 1)
    offsets[:, posed.rig.mover] = posed.positions
    return forward_kinematics(posed.rotations, offsets, posed.rig.parents)[0]


def at_joints(posed, places):
    """Positions by joint, of the nodes that stand at one."""
    found = {}
    for index, node in enumerate(posed.rig.nodes):
        joint = next(iter(node.place), "")
        if len(node.place) == 1 and joint in HUMAN36M.names and not any(node.offset):
            found.setdefault(joint, places[..., index, :])
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_names_and_hierarchy_are_those_of_the_rig(name):
    parents = {node.name: node.parent for node in RIGS[name].nodes}
    assert len(parents) == len(RIGS[name].nodes)
    for chain in HIERARCHIES[name].replace("\n        >", " >").strip().split("\n"):
        bones = chain.strip().split(" > ")
        for parent, child in itertools.pairwise(bones):
            assert parents[child] == parent
    lengths = {side: sum(side in node for node in parents) for side in ("Left", "Right", "left", "right")}
    assert lengths["Left"] == lengths["Right"]
    assert lengths["left"] == lengths["right"]
    assert sum(node.endswith("_l") for node in parents) == sum(node.endswith("_r") for node in parents)


@pytest.mark.parametrize("axes", ["bone", "world"])
@pytest.mark.parametrize("name", OTHERS)
def test_limbs_of_a_rig_are_those_of_the_motion(any_motion, name, axes):
    """Legs to a tenth of a millimetre where the hips stay equally far apart; the trunk keeps its directions,
    and its joints are as far off as one bone of the lumbar spine is not of constant length."""
    joints = y_up(any_motion)
    found = at_joints(posed := pose_rig(RIGS[name], joints, axes), positions(posed))
    off = {
        joint: float((place - joints[:, HUMAN36M.names.index(joint)]).norm(dim=-1).max())
        for joint, place in found.items()
    }
    for side in ("left", "right"):
        for joint in ("hip", "knee", "ankle"):
            assert off[f"{side}_{joint}"] < 1e-4
        for joint in ("shoulder", "elbow", "wrist"):
            assert off[f"{side}_{joint}"] < 0.015
        for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            indices = [HUMAN36M.names.index(f"{side}_{joint}") for joint in (start, end)]
            bone = joints[:, indices[1]] - joints[:, indices[0]]
            mine = found[f"{side}_{end}"] - found[f"{side}_{start}"]
            torch.testing.assert_close(mine, bone, rtol=0, atol=2e-5)


@pytest.mark.parametrize("axes", ["bone", "world"])
def test_this_package_s_rig_is_exact(any_motion, axes):
    joints = y_up(any_motion)
    found = at_joints(posed := pose_rig(RIGS["spgnet"], joints, axes), positions(posed))
    assert set(found) == set(HUMAN36M.names)
    for joint, place in found.items():
        torch.testing.assert_close(place, joints[:, HUMAN36M.names.index(joint)], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", RIG_NAMES)
def test_a_motion_in_the_rest_pose_is_at_rest(name):
    """Poses of the rig's own rest pose, moved and turned, need no rotation but the root's."""
    bones = 0.3 * rest_directions()
    for bone, (_, child) in enumerate(HUMAN36M.bones):
        joint = HUMAN36M.names[child]
        side, _, part = joint.partition("_")
        if part in ("elbow", "wrist"):
            angle = RIGS[name].arms_down * (-1 if side == "left" else 1)
            x, y, z = bones[bone].tolist()
            bones[bone] = torch.tensor(
                [math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y, z]
            )
    joints = sum_bones(torch.cat((torch.zeros(1, 3, dtype=torch.float64), bones)), HUMAN36M.parents)[None]
    for axes in ("bone", "world"):
        posed = pose_rig(RIGS[name], joints, axes)
        torch.testing.assert_close(posed.rotations[0], posed.rest)
        shift = positions(posed)[0] - posed.rest_positions
        moving = slice(posed.rig.mover, None)
        torch.testing.assert_close(shift[moving], shift[posed.rig.mover].expand_as(shift[moving]))


@pytest.mark.parametrize("name", OTHERS)
def test_bones_of_a_rig_have_a_length_and_its_soles_are_on_the_floor_at_rest(motion, name):
    posed = pose_rig(RIGS[name], y_up(motion))
    for index, parent in enumerate(posed.rig.parents):
        if parent >= 0:
            assert float(posed.offsets[index].norm()) > 0.01, posed.rig.nodes[index].name
    lowest = float(posed.rest_positions[posed.rig.mover :, 1].min())
    assert 0 < lowest < 0.03
    arm = posed.rest_positions[[posed.rig.node_of("left_shoulder"), posed.rig.node_of("left_wrist")]]
    down = math.degrees(math.atan2(float(arm[0, 1] - arm[1, 1]), float(arm[1, 0] - arm[0, 0])))
    assert down == pytest.approx({"unreal": 45}.get(name, 0), abs=1e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_a_bvh_file_of_a_rig_has_its_joints_and_moves_alike(tmp_path, motion, name):
    from test_bvh import positions as bvh_positions

    export(motion, tmp_path / "motion.bvh", rig=name)
    bvh = read_bvh((tmp_path / "motion.bvh").read_text())
    nodes = [node for node in RIGS[name].nodes[RIGS[name].mover :] if not node.end]
    assert {joint.name for joint in joints_of(bvh.root)} == {node.name for node in nodes}
    places = bvh_positions(bvh)
    expected = positions(pose_rig(RIGS[name], y_up(motion)))
    for index, node in enumerate(RIGS[name].nodes):
        if node.name in places:
            np.testing.assert_allclose(places[node.name] / 100, expected[:, index], rtol=0, atol=1e-5)


def test_the_elbows_and_knees_of_mixamo_bend_about_one_axis(any_motion):
    """Knees about x, elbows about z, as animators expect of a rig."""
    import roma

    posed = pose_rig(RIGS["mixamo"], y_up(any_motion))
    for segment, axis in (("left_knee", 0), ("right_knee", 0), ("left_elbow", 2), ("right_elbow", 2)):
        turns = roma.rotmat_to_rotvec(posed.rotations[:, posed.rig.node_of(segment)])
        bent = turns[turns.norm(dim=-1) > math.radians(31)]
        others = [other for other in range(3) if other != axis]
        assert float(bent[:, others].abs().max() if len(bent) else 0) < 1e-4


@pytest.mark.parametrize("name", RIG_NAMES)
def test_a_taller_person_has_the_same_rig_larger(motion, name):
    """Rotations do not change, so that the motion fits characters of any size."""
    joints = y_up(motion)
    one, other = pose_rig(RIGS[name], joints), pose_rig(RIGS[name], 1.2 * joints)
    torch.testing.assert_close(other.rotations, one.rotations)
    torch.testing.assert_close(other.offsets, 1.2 * one.offsets)
    torch.testing.assert_close(other.positions, 1.2 * one.positions)


def test_hips_that_are_not_rigid_still_stand_at_the_middle_between_them(motion):
    rng = np.random.default_rng(0)
    wobbly = replace(motion, joints=motion.joints + rng.normal(0, 0.01, motion.joints.shape))
    joints = y_up(wobbly)
    posed = pose_rig(RIGS["mixamo"], joints)
    found = at_joints(posed, positions(posed))
    right, left = (HUMAN36M.names.index(f"{side}_hip") for side in ("right", "left"))
    middle = (found["left_hip"] + found["right_hip"]) / 2
    torch.testing.assert_close(middle, (joints[:, left] + joints[:, right]) / 2)
    line, mine = joints[:, left] - joints[:, right], found["left_hip"] - found["right_hip"]
    torch.testing.assert_close(mine / mine.norm(dim=-1, keepdim=True), line / line.norm(dim=-1, keepdim=True))

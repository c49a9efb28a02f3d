"""Skeletons of all known makers give our joints in the right places, left on the left."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mocap_files import (
    MIXAMO,
    PLACES,
    AsfBone,
    Names,
    amc_text,
    asf_text,
    bvh_text,
    expected_joints,
    named,
    names_of,
    person,
    standing,
)

from spgnet.datasets.mocap.folder import read_clip
from spgnet.datasets.mocap.joint_maps import JointsFile, choose_map, plain
from spgnet.geometry.skeleton import BODY, HUMAN36M

ANATOMY = "{}Hip {}Knee {}Ankle {}Shoulder {}Elbow {}Wrist {}Collar"
MOTIONBUILDER = "{}UpLeg {}Leg {}Foot {}Arm {}ForeArm {}Hand {}Shoulder"
BIPED = "B{}_Thigh B{}_Calf B{}_Foot B{}_UpperArm B{}_Forearm B{}_Hand B{}_Clavicle"
LOWER: dict[str, Any] = {"sides": ("left", "right")}
SHORT: dict[str, Any] = {"sides": ("L", "R")}


def spaced(names):
    """Names with spaces instead of underscores, as 3ds Max has them."""
    return Names(**{key: _spaced(value) for key, value in vars(names).items()})


def _spaced(value: Any) -> Any:
    return (
        value.replace("_", " ") if isinstance(value, str) else tuple(part.replace("_", " ") for part in value)
    )


SKELETONS = {
    "Mixamo": MIXAMO,
    "LAFAN1": names_of(MOTIONBUILDER, "Spine Spine1 Spine2"),
    "with a prefix": names_of(
        MOTIONBUILDER.replace("{}", "Model_{}"), "Model_Spine", "Model_Neck", "Model_Head", root="Model_Hips"
    ),
    "Xsens": names_of(ANATOMY, "Chest Chest2 Chest3 Chest4"),
    "Xsens segments": names_of(
        "{}UpperLeg {}LowerLeg {}Foot {}UpperArm {}ForeArm {}Hand {}Shoulder", "L5 L3 T12 T8", root="Pelvis"
    ),
    "Unity": names_of(
        "{}UpperLeg {}LowerLeg {}Foot {}UpperArm {}LowerArm {}Hand {}Shoulder",
        "spine chest upperChest",
        "neck",
        "head",
        **LOWER,
    ),
    "Rokoko": names_of("{}Thigh {}Shin {}Foot {}Arm {}ForeArm {}Hand {}Shoulder", "Spine1 Spine2 Spine3"),
    "Bandai-Namco": names_of(
        "UpperLeg_{} LowerLeg_{} Foot_{} UpperArm_{} LowerArm_{} Hand_{} Shoulder_{}", "Spine Chest", **SHORT
    ),
    "SMPL": names_of(ANATOMY.replace("{}", "{}_"), "Spine1 Spine2 Spine3", root="Pelvis", **SHORT),
    "SMPL's own names": names_of(
        ANATOMY.replace("{}", "{}_").lower(), "spine1 spine2 spine3", "neck", "head", root="pelvis", **LOWER
    ),
    "Biped": spaced(
        names_of(
            BIPED.replace("B", "Bip01_"),
            "Bip01_Spine Bip01_Spine1 Bip01_Spine2",
            "Bip01_Neck",
            "Bip01_Head",
            root="Bip01_Pelvis",
            **SHORT,
        )
    ),
    "Reallusion": names_of(
        BIPED.replace("B", "CC_Base_"),
        "CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02",
        "CC_Base_NeckTwist01 CC_Base_NeckTwist02",
        "CC_Base_Head",
        root="CC_Base_Hip",
        **SHORT,
    ),
    "Poser": names_of(
        "{}Thigh {}Shin {}Foot {}Shldr {}ForeArm {}Hand {}Collar",
        "abdomen chest",
        "neck",
        "head",
        root="hip",
        sides=("l", "r"),
    ),
    "CMU for 3ds Max": names_of(ANATOMY, "lowerback Chest Chest2", "lowerneck Neck"),
    "Biovision": names_of("{}UpLeg {}LowLeg {}Foot {}UpArm {}LowArm {}Hand {}Collar", "Chest"),
}


def read(path, **choices):
    return read_clip(path, JointsFile(**choices), name="a", subject="b", action="c")


def check_anatomy(joints):
    """Laws of a person who stands and looks along -y of the world."""
    front = np.cross(joints["left_hip"] - joints["right_hip"], [0, 0, 1.0])
    front /= np.linalg.norm(front)
    np.testing.assert_allclose(front, [0, -1, 0], atol=1e-6)
    for name in HUMAN36M.names:
        side = {"left": 1, "right": -1}.get(name.split("_")[0], 0)
        assert np.sign(joints[name][0].round(3)) == side, name
    heights = [
        joints[name][2]
        for name in ("left_ankle", "left_knee", "pelvis", "spine", "thorax", "nose", "head_top")
    ]
    assert heights == sorted(heights)
    assert (joints["nose"] - joints["head_top"]) @ front == pytest.approx(0.1, abs=0.01)
    for bone, length in zip(HUMAN36M.bones, HUMAN36M.bone_names, strict=True):
        kind = length.removeprefix("left_").removeprefix("right_")
        found = np.linalg.norm(joints[HUMAN36M.names[bone[1]]] - joints[HUMAN36M.names[bone[0]]])
        assert 0.6 * BODY[kind] < found < 1.4 * BODY[kind], (length, found)


@pytest.mark.parametrize("maker", SKELETONS)
def test_every_skeleton_gives_our_joints_in_their_places(tmp_path, maker):
    root = person(SKELETONS[maker])
    (tmp_path / "a.bvh").write_text(bvh_text(root, standing(root)))
    clip = read(tmp_path / "a.bvh")
    joints = named(clip.joints.double().numpy())
    for name, place in expected_joints().items():
        np.testing.assert_allclose(joints[name], np.tile(place, (4, 1)), atol=1e-5, err_msg=name)
    np.testing.assert_allclose(joints["pelvis"], (joints["left_hip"] + joints["right_hip"]) / 2, atol=1e-6)
    assert clip.unmeasured_joints == ()
    check_anatomy({name: place[0] for name, place in joints.items()})


def test_the_spine_is_halfway_along_the_line_of_the_trunk(tmp_path):
    root = person(MIXAMO)
    (tmp_path / "a.bvh").write_text(bvh_text(root, standing(root)))
    joints = named(read(tmp_path / "a.bvh").joints.double().numpy())
    below, above = (np.linalg.norm(joints[n] - joints["spine"], axis=-1) for n in ("pelvis", "thorax"))
    np.testing.assert_allclose(below, above, atol=1e-3)  # the trunk is all but straight
    np.testing.assert_allclose(joints["spine"][:, 2], (0.91 + 1.45) / 2, atol=0.002)


def test_nose_and_top_turn_with_the_head_alone(tmp_path):
    root = person(MIXAMO)
    names = [node.name for node in root.all()]
    values = standing(root, 2)
    values[1, 3 + 3 * names.index("mixamorig:Head") + 2] = 90  # about y: to the person's left
    (tmp_path / "a.bvh").write_text(bvh_text(root, values))
    still, turned = read(tmp_path / "a.bvh").joints.double().numpy()
    same = [name not in ("nose", "head_top") for name in HUMAN36M.names]
    np.testing.assert_allclose(still[same], turned[same], atol=1e-6)
    nose = named(still)["nose"], named(turned)["nose"]
    head = np.array([PLACES["head"][0], -PLACES["head"][2], PLACES["head"][1]]) / 100
    np.testing.assert_allclose(
        (nose[1] - head)[[0, 1, 2]], -(nose[0] - head)[[1, 0, 2]] * [1, 1, -1], atol=1e-5
    )


def test_without_a_rest_pose_of_a_person_the_head_looks_where_the_trunk_faces(tmp_path):
    """All bones lie along x at rest, as in the files of Bandai-Namco; turns put them into the T-pose."""
    names = SKELETONS["Bandai-Namco"]
    straight, values = laid_along_x(person(names))
    (tmp_path / "a.bvh").write_text(bvh_text(straight, values))
    joints = named(read(tmp_path / "a.bvh", up="y").joints.double().numpy())
    for name, place in expected_joints().items():
        np.testing.assert_allclose(joints[name][0], place, atol=1e-4, err_msg=name)
    check_anatomy({name: place[0] for name, place in joints.items()})


def laid_along_x(root):
    """The same person, at rest with every bone along x of its parent, and the values that stand it up.

    Joints that several bones leave keep the offsets of all but the first.
    """
    values = list(np.array(PLACES["pelvis"], dtype=float))

    def visit(node, above):
        tails = [child.offset for child in node.children] or [node.end]
        tail = np.array(tails[-1], dtype=float)
        turn = np.eye(3)
        if len(tails) == 1 and np.linalg.norm(tail) > 0:
            x = tail / np.linalg.norm(tail)
            z = np.cross(x, [0.3, 0.1, 0.9])
            z /= np.linalg.norm(z)
            turn = np.stack([x, np.cross(z, x), z], axis=1)
        values.extend(zxy(above.T @ turn))
        offset = tuple(above.T @ node.offset)
        children = [visit(child, turn) for child in node.children]
        end = tuple(turn.T @ tail) if node.end is not None else None
        return replace(node, offset=offset, children=children, end=end)

    straight = visit(root, np.eye(3))
    return straight, np.tile(values, (4, 1))


def zxy(turn):
    """Angles in degrees of a rotation Rz Rx Ry."""
    x = np.arcsin(turn[2, 1])
    return np.degrees([np.arctan2(-turn[0, 1], turn[1, 1]), x, np.arctan2(-turn[2, 0], turn[2, 2])])


def cmu_bones():
    """The person as CMU's ASF files have it, in centimetres; the thorax ends below the shoulders."""
    here = {"root": np.array([0, 95.0, 0])}
    bones = []

    def bone(name, parent, end, axis=(0, 0, 0), dof="rx ry rz"):
        here[name] = np.array(end, dtype=float)
        bones.append(AsfBone(name, parent, tuple(here[name] - here[parent]), axis, dof))

    for side, sign in (("l", 1), ("r", -1)):
        flip = np.array([sign, 1, 1])
        bone(f"{side}hipjoint", "root", PLACES["hip"] * flip, dof="")
        bone(f"{side}femur", f"{side}hipjoint", PLACES["knee"] * flip, (0, 0, 20 * sign))
        bone(f"{side}tibia", f"{side}femur", PLACES["ankle"] * flip, (0, 0, 20 * sign), "rx")
        bone(f"{side}foot", f"{side}tibia", PLACES["toe"] * flip, (-90, 0, 20 * sign), "rx rz")
    bone("lowerback", "root", (0, 109, 0))
    bone("upperback", "lowerback", (0, 122, 0))
    bone("thorax", "upperback", (0, 135, 0))
    bone("lowerneck", "thorax", (0, 147.5, -1.25))
    bone("upperneck", "lowerneck", PLACES["head"])
    bone("head", "upperneck", PLACES["vertex"])
    for side, sign in (("l", 1), ("r", -1)):
        flip = np.array([sign, 1, 1])
        bone(f"{side}clavicle", "thorax", PLACES["shoulder"] * flip, dof="ry rz")
        bone(f"{side}humerus", f"{side}clavicle", PLACES["elbow"] * flip, (180, -30 * sign, -90 * sign))
        third = np.array(PLACES["elbow"]) * flip / 3 + np.array(PLACES["wrist"]) * flip * 2 / 3
        bone(f"{side}radius", f"{side}humerus", third, (180, -30 * sign, -90 * sign), "rx")
        bone(f"{side}wrist", f"{side}radius", PLACES["wrist"] * flip, (0, 90 * sign, 90 * sign), "ry")
        bone(f"{side}hand", f"{side}wrist", PLACES["hand"] * flip, (0, 90 * sign, 90 * sign), "rx rz")
    return bones


def test_cmu_s_skeletons_give_our_joints_in_their_places(tmp_path):
    unit = 100 * 0.0254 / 0.45
    bones = [replace(bone, offset=tuple(np.array(bone.offset) / unit)) for bone in cmu_bones()]
    (tmp_path / "01.asf").write_text(asf_text(bones))
    still = {bone.name: [0.0] * len(bone.dof.split()) for bone in bones if bone.dof}
    frame = {"root": [0, 95 / unit, 0, 0, 0, 0], **still}
    (tmp_path / "01_01.amc").write_text(amc_text([frame] * 3))
    clip = read(tmp_path / "01_01.amc")
    assert clip.fps == 120
    joints = named(clip.joints.double().numpy()[0])
    for name, place in expected_joints().items():
        np.testing.assert_allclose(joints[name], place, atol=1e-5, err_msg=name)
    check_anatomy(joints)


def test_the_bones_that_cmu_s_conversion_to_bvh_lost_are_restored(tmp_path):
    """That conversion has no thorax, and no wrist after the radius."""
    root = person(names_of(MOTIONBUILDER, "LowerBack Spine Spine1", "Neck Neck1"))
    nodes = {node.name: node for node in root.all()}
    for side, sign in (("Left", 1), ("Right", -1)):
        hip = nodes[f"{side}UpLeg"]
        root.children[root.children.index(hip)] = replace(
            hip, name=f"{side[0]}HipJoint", offset=(0, 0, 0), children=[hip], end=None
        )
        nodes[f"{side}Arm"].offset = (18 * sign, 7, -1)
        nodes[f"{side}Shoulder"].offset = (0, 0, 0)
        hand = nodes[f"{side}Hand"]
        hand.offset = tuple(np.array(hand.offset) * 2 / 3)
    nodes["LowerBack"].offset, nodes["Spine"].offset = (0, 0, 0), (0, 14, 0)
    nodes["Spine1"].offset, nodes["Neck"].offset = (0, 13, 0), (0, 0, 0)
    nodes["Neck1"].offset, nodes["Head"].offset = (0, 12.5, -1.25), (0, 7.5, 1.25)
    (tmp_path / "a.bvh").write_text(bvh_text(root, standing(root)))
    joints = named(read(tmp_path / "a.bvh").joints.double().numpy()[0])
    for name, place in expected_joints().items():
        np.testing.assert_allclose(joints[name], place, atol=1e-5, err_msg=name)
    check_anatomy(joints)


def test_names_are_compared_without_case_separators_and_a_common_prefix():
    assert plain(["mixamorig:Hips", "mixamorig:LeftUpLeg"]) == ["hips", "leftupleg"]
    assert plain(["Bip01 Pelvis", "Bip01 L Thigh"]) == ["pelvis", "lthigh"]
    assert plain(["L_Hip", "R_Hip", "Pelvis"]) == ["lhip", "rhip", "pelvis"]


def test_the_error_lists_what_the_closest_skeleton_lacks():
    names = [node.name for node in person(SKELETONS["Xsens"]).all() if "Knee" not in node.name]
    with pytest.raises(
        ValueError, match=r"closest is Xsens.* leftknee, rightknee are missing; .*joints.json"
    ):
        choose_map(names)


def test_the_user_s_own_names_come_first(tmp_path):
    root = person(SKELETONS["Xsens"])
    for node in root.all():
        node.name = f"x{node.name[::-1]}"
    (tmp_path / "a.bvh").write_text(bvh_text(root, standing(root)))
    with pytest.raises(ValueError, match=r"a.bvh: no known skeleton"):
        read(tmp_path / "a.bvh")
    own = {
        f"{side}_{joint}": {f"x{(side.title() + joint.title())[::-1]}": 1.0}
        for side in ("left", "right")
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    }
    own |= {"thorax": {"xkceN": 1.0}, "spine": {"xspiH": 0.5, "x4tsehC": 0.5}}
    clip = read(tmp_path / "a.bvh", joints=own, head="xdaeH")
    joints = named(clip.joints.double().numpy()[0])
    for name, place in expected_joints().items():
        np.testing.assert_allclose(joints[name], place, atol=1e-5, err_msg=name)
    assert joints["spine"][2] == pytest.approx((0.95 + 1.35) / 2, abs=1e-5)
    assert clip.unmeasured_joints == ()
    check_anatomy(joints)
    headless = read(tmp_path / "a.bvh", joints=own)
    assert headless.unmeasured_joints == ("nose", "head_top")
    check_anatomy(named(headless.joints.double().numpy()[0]))
    with pytest.raises(ValueError, match="points that are not there: Nose"):
        read(tmp_path / "a.bvh", joints={**own, "nose": {"Nose": 1.0}})

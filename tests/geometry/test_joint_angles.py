"""Joint angles are those with which forward kinematics has posed a body, by rotations written out here."""

from __future__ import annotations

import doctest
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import spgnet.geometry.joint_angles
from spgnet.geometry.joint_angles import ANGLE_NAMES, BENT, SIDEWAYS, joint_angles, unwrap_degrees
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.procedural import procedural_clips

RANGES = {
    "pelvis_list": (-60, 60),
    "pelvis_rotation": (-179, 179),
    "pelvis_tilt": (-100, 60),
    "trunk_bending": (-60, 60),
    "trunk_rotation": (-80, 80),
    "hip_flexion": (-60, 130),
    "hip_adduction": (-70, 50),
    "hip_rotation": (-80, 80),
    "knee_flexion": (31, 150),
    "shoulder_flexion": (-80, 200),
    "shoulder_adduction": (-74, 60),
    "shoulder_rotation": (-110, 110),
    "elbow_flexion": (31, 150),
}
PAIRED = tuple(name for name in RANGES if not name.startswith(("pelvis", "trunk")))
POSED = tuple(name for name in ANGLE_NAMES if "lean" not in name)
"""The angles that pose a body, beside the pelvis's tilt; the trunk's lean follows from them."""


@st.composite
def postures(draw) -> dict[str, float]:
    """Random angles in degrees, all of which are observable."""
    names = [name for name in RANGES if name not in PAIRED]
    names += [f"{side}_{name}" for name in PAIRED for side in ("left", "right")]
    ranges = [RANGES[name.removeprefix("left_").removeprefix("right_")] for name in names]
    return {name: draw(st.floats(low, high)) for name, (low, high) in zip(names, ranges, strict=True)}


def about(axis: str, degrees: float) -> np.ndarray:
    """Rotation about an axis of ISB: x forward, y up, z right."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array(
        {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


def posed(angles: Mapping[str, float]) -> np.ndarray:
    """The joints [17, 3] of a body with these angles, in metres with z up."""
    # ISB's ground: x forward, y up, z right; here that is the world's x, z and -y.
    pelvis = about("y", angles["pelvis_rotation"])
    pelvis = pelvis @ about("x", angles["pelvis_list"]) @ about("z", angles["pelvis_tilt"])
    trunk = pelvis @ about("x", angles["trunk_bending"]) @ about("y", angles["trunk_rotation"])
    place = {"pelvis": np.array([0.3, 0.9, -0.2])}
    place["thorax"] = place["pelvis"] + trunk @ [0, 0.5, 0]
    place["spine"] = (place["pelvis"] + place["thorax"]) / 2
    place["nose"] = place["thorax"] + trunk @ [0.1, 0.15, 0]
    place["head_top"] = place["thorax"] + trunk @ [0, 0.3, 0]
    for side, sign in (("left", -1), ("right", 1)):

        def limb(start: str, sign: int = sign, side: str = side) -> np.ndarray:
            turned = about("z", angles[f"{side}_{start}_flexion"])
            turned = turned @ about("x", sign * angles[f"{side}_{start}_adduction"])
            return turned @ about("y", sign * angles[f"{side}_{start}_rotation"])

        thigh, arm = pelvis @ limb("hip"), trunk @ limb("shoulder")
        shank = thigh @ about("z", -angles[f"{side}_knee_flexion"])
        forearm = arm @ about("z", angles[f"{side}_elbow_flexion"])
        place[f"{side}_hip"] = place["pelvis"] + pelvis @ [0, 0, 0.1 * sign]
        place[f"{side}_knee"] = place[f"{side}_hip"] + thigh @ [0, -0.42, 0]
        place[f"{side}_ankle"] = place[f"{side}_knee"] + shank @ [0, -0.41, 0]
        place[f"{side}_shoulder"] = place["thorax"] + trunk @ [0, 0.02, 0.18 * sign]
        place[f"{side}_elbow"] = place[f"{side}_shoulder"] + arm @ [0, -0.29, 0]
        place[f"{side}_wrist"] = place[f"{side}_elbow"] + forearm @ [0, -0.26, 0]
    isb = np.stack([place[name] for name in HUMAN36M.names])
    return np.stack((isb[:, 0], -isb[:, 2], isb[:, 1]), axis=-1)


def found(joints: np.ndarray, **options: bool) -> dict[str, float]:
    return {name: float(value) for name, value in joint_angles(torch.as_tensor(joints), **options).items()}


STANDING = dict.fromkeys((*POSED, "pelvis_tilt"), 0.0)
BODY = {
    **STANDING,
    **{f"{side}_{hinge}_flexion": 60.0 for side in ("left", "right") for hinge in ("knee", "elbow")},
}
"""Somebody upright with bent knees and elbows: all angles can be told."""


@settings(max_examples=40)
@given(angles=postures())
def test_angles_are_those_that_posed_the_body(angles):
    result = found(posed(angles))
    assert tuple(result) == ANGLE_NAMES
    for name in POSED:
        assert result[name] == pytest.approx(angles[name], abs=1e-4), name


@pytest.mark.parametrize("name", [name for name in ANGLE_NAMES if "lean" not in name])
def test_each_angle_alone_moves_no_other(name):
    angles = {**BODY, name: 40.0}
    result = found(posed(angles))
    leans = {"trunk_bending": "trunk_side_lean", "pelvis_list": "trunk_side_lean"}
    for other in ANGLE_NAMES:
        expected = 40.0 if leans.get(name) == other else angles.get(other, 0.0)
        assert result[other] == pytest.approx(expected, abs=1e-4), other


@settings(max_examples=8)
@given(lean=st.floats(-170, 170), side=st.floats(-85, 85), heading=st.floats(-179, 179))
def test_the_trunk_leans_from_the_vertical_wherever_it_faces(lean, side, heading):
    angles = {**BODY, "pelvis_rotation": heading, "pelvis_list": side, "pelvis_tilt": -lean}
    result = found(posed(angles))
    assert result["trunk_forward_lean"] == pytest.approx(lean, abs=1e-4)
    assert result["trunk_side_lean"] == pytest.approx(side, abs=1e-4)
    # The pelvis has no tilt of its own: hips flex relative to the trunk.
    assert result["left_hip_flexion"] == pytest.approx(0, abs=1e-4)


def test_signs_are_those_of_plain_positions():
    """Positions written by hand, in a world with z up and the person facing x: left is y."""
    at = dict(zip(HUMAN36M.names, posed(BODY), strict=True))

    def change(name: str, **moved: tuple[float, float, float]) -> float:
        joints = np.stack([at[joint] + moved.get(joint, (0, 0, 0)) for joint in HUMAN36M.names])
        return found(joints)[name] - found(posed(BODY))[name]

    up, left, forward = (0, 0, 0.1), (0, 0.1, 0), (0.1, 0, 0)
    assert change("pelvis_list", left_hip=up) > 1
    assert change("pelvis_rotation", right_hip=forward) > 1
    trunk = ("thorax", "left_shoulder", "right_shoulder")
    assert change("trunk_forward_lean", **dict.fromkeys(trunk, forward)) > 1
    assert change("trunk_side_lean", **dict.fromkeys(trunk, left)) < -1
    assert change("trunk_bending", **dict.fromkeys(trunk, left)) < -1
    assert change("trunk_rotation", right_shoulder=forward) > 1
    assert change("right_hip_flexion", right_knee=forward) > 1
    assert change("right_hip_adduction", right_knee=left) > 1
    assert change("left_hip_adduction", left_knee=left) < -1
    assert change("right_hip_rotation", right_ankle=left) < -1  # the knee turns outward
    assert change("right_shoulder_flexion", right_elbow=forward) > 1
    assert change("left_shoulder_adduction", left_elbow=left) < -1
    assert change("right_shoulder_rotation", right_wrist=left) > 1
    assert change("left_shoulder_rotation", left_wrist=left) < -1


def turn(one, other):
    """By how much the second angle is larger; -180 and 180 degrees are the same."""
    return (other - one + 180) % 360 - 180


@settings(max_examples=8)
@given(angles=postures())
def test_the_mirror_image_has_left_and_right_exchanged(angles):
    joints = posed(angles)
    mirrored = joints[list(HUMAN36M.mirror)] * [1, -1, 1]
    one, other = found(joints), found(mirrored)
    for name in ANGLE_NAMES:
        if name.startswith(("left_", "right_")):
            twin = (
                name.replace("left_", "right_")
                if name.startswith("left_")
                else name.replace("right_", "left_")
            )
            assert turn(one[name], other[twin]) == pytest.approx(0, abs=1e-4), name
        else:
            sign = 1 if name == "trunk_forward_lean" else -1
            assert turn(sign * one[name], other[name]) == pytest.approx(0, abs=1e-4), name


@settings(max_examples=8)
@given(
    angles=postures(),
    place=st.tuples(*[st.floats(-50, 50)] * 3),
    heading=st.floats(-180, 180),
    scale=st.floats(0.1, 1000),
)
def test_place_heading_and_unit_change_nothing_but_the_pelvis_s_rotation(angles, place, heading, scale):
    joints = posed(angles)
    c, s = np.cos(np.radians(heading)), np.sin(np.radians(heading))
    turned = scale * (joints @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + place)
    one, other = found(joints), found(turned)
    for name in ANGLE_NAMES:
        expected = one[name] + (heading if name == "pelvis_rotation" else 0)
        assert turn(expected, other[name]) == pytest.approx(0, abs=1e-4), name


@settings(max_examples=6)
@example(bend=BENT - 0.1, side="left", arm=False)
@example(bend=BENT + 0.1, side="right", arm=True)
@given(bend=st.floats(0.5, 90), side=st.sampled_from(("left", "right")), arm=st.booleans())
def test_rotation_is_nan_while_the_knee_or_elbow_is_not_bent_enough(bend, side, arm):
    ball, hinge = ("shoulder", "elbow") if arm else ("hip", "knee")
    joints = posed({**BODY, f"{side}_{hinge}_flexion": bend, f"{side}_{ball}_rotation": 25.0})
    result, every = found(joints), found(joints, observable_only=False)
    missing = {f"{side}_{ball}_rotation"} if bend < BENT else set()
    assert {name for name, value in result.items() if np.isnan(value)} == missing
    assert every[f"{side}_{ball}_rotation"] == pytest.approx(25, abs=1e-4)


@settings(max_examples=6)
@example(out=SIDEWAYS - 0.1, side="left", arm=True)
@example(out=SIDEWAYS + 0.1, side="right", arm=False)
@given(out=st.floats(60, 89), side=st.sampled_from(("left", "right")), arm=st.booleans())
def test_flexion_and_rotation_are_nan_where_a_limb_points_to_the_side(out, side, arm):
    ball = f"{side}_shoulder" if arm else f"{side}_hip"
    joints = posed({**BODY, f"{ball}_adduction": -out, f"{ball}_flexion": 10.0})
    result, every = found(joints), found(joints, observable_only=False)
    missing = {f"{ball}_flexion", f"{ball}_rotation"} if out > SIDEWAYS else set()
    assert {name for name, value in result.items() if np.isnan(value)} == missing
    assert result[f"{ball}_adduction"] == pytest.approx(-out, abs=1e-4)
    assert every[f"{ball}_flexion"] == pytest.approx(10, abs=1e-4)


def test_joints_that_coincide_or_are_missing_leave_only_their_angles_nan():
    joints = posed(BODY)
    left_arm = {f"left_{name}" for name in ("shoulder_rotation", "elbow_flexion")}
    for broken in (joints[12], np.full(3, np.nan)):  # the wrist on the elbow, or nowhere
        changed = joints.copy()
        changed[13] = broken
        assert {name for name, value in found(changed).items() if np.isnan(value)} == left_arm
    changed = joints.copy()
    changed[8] = changed[0]  # a trunk without length: what needs the line of the hips alone remains
    names = ("hip_adduction", "hip_rotation", "knee_flexion", "elbow_flexion")
    rest = {"pelvis_list", "pelvis_rotation"} | {
        f"{side}_{name}" for side in ("left", "right") for name in names
    }
    assert {name for name, value in found(changed).items() if not np.isnan(value)} == rest


def test_any_batch_dimensions_and_the_type_of_the_joints_are_kept():
    joints = torch.from_numpy(np.stack([posed({**BODY, "left_knee_flexion": 40.0 + k}) for k in range(6)]))
    flat = joint_angles(joints)
    for name, values in joint_angles(joints.reshape(2, 3, 17, 3)).items():
        assert torch.equal(values.reshape(6), flat[name])
    single = joint_angles(joints.float())["left_knee_flexion"]
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, 40 + np.arange(6), atol=1e-3)
    assert joint_angles(joints[:0])["pelvis_list"].shape == (0,)


def test_angles_of_a_walk_do_not_jump():
    (walk,) = procedural_clips(1, seed=0, seconds=4.0)
    for name, values in joint_angles(walk.joints).items():
        if name != "pelvis_rotation":  # of which full turns are taken out of a motion's series
            steps = np.diff(values.numpy())
            assert np.nanmax(np.abs(steps)) < 20, name


def test_the_examples_of_the_docstrings_run():
    result = doctest.testmod(spgnet.geometry.joint_angles, extraglobs={"np": np})
    assert result.attempted
    assert not result.failed


def test_arms_that_pass_overhead_do_not_jump():
    raised = np.arange(120, 235, 5.0)
    joints = np.stack([posed({**BODY, "left_shoulder_flexion": flexion}) for flexion in raised])
    np.testing.assert_allclose(
        joint_angles(torch.from_numpy(joints))["left_shoulder_flexion"], raised, atol=1e-4
    )


def test_full_turns_are_taken_out_of_a_series_also_across_what_is_missing():
    turning = np.arange(0, 900, 7.0)
    wrapped = (turning + 180) % 360 - 180
    wrapped[40:45] = np.nan
    result = unwrap_degrees(wrapped)
    assert np.isnan(result[40:45]).all()
    np.testing.assert_allclose(np.delete(result, range(40, 45)), np.delete(turning, range(40, 45)))

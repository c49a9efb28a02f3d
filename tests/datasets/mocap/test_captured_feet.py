"""Feet of captured people."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mocap_files import names_of, write_person

from spgnet.datasets.mocap.feet import captured_feet, stand_on_soles
from spgnet.datasets.mocap.folder import read_clip_with_feet
from spgnet.datasets.mocap.joint_maps import JointMap, JointsFile
from spgnet.datasets.mocap.skeleton_tracks import SkeletonTracks
from spgnet.errors import InputError
from spgnet.geometry.foot import ANKLES, FOOT_JOINTS, POINT_HEIGHT, foot_axes
from spgnet.geometry.skeleton import BODY, FEET23, HUMAN36M

FRAMES = 60


def standing(pitch: np.ndarray, toes: np.ndarray) -> tuple[SkeletonTracks, JointMap, np.ndarray]:
    """Someone 1.75 m tall who faces x; the right foot is turned up by a pitch, and its toes by an angle."""
    joints = np.zeros((FRAMES, 17, 3))
    places = {"ankle": 0.08, "knee": 0.08 + BODY["ankle"], "hip": 0.08 + BODY["ankle"] + BODY["knee"]}
    for joint, name in enumerate(HUMAN36M.names):
        side, _, kind = name.partition("_")
        joints[:, joint, 1] = {"left": 0.09, "right": -0.09}.get(side, 0.0)
        joints[:, joint, 2] = places.get(kind, places["hip"])
    joints[:, HUMAN36M.names.index("thorax"), 2] += BODY["spine"] + BODY["thorax"]
    points = {name: joints[:, joint] for joint, name in enumerate(HUMAN36M.names)}
    for side, turn in (("left", 0 * pitch), ("right", pitch)):
        slope = turn - 0.3
        ball = np.stack((0.13 * np.cos(slope), 0 * slope, 0.13 * np.sin(slope)), axis=-1)
        bent = turn + (toes if side == "right" else 0)
        tip = np.stack((0.06 * np.cos(bent), 0 * bent, 0.06 * np.sin(bent)), axis=-1)
        points[f"{side}_ball"] = points[f"{side}_ankle"] + ball
        points[f"{side}_tip"] = points[f"{side}_ball"] + tip
    names = tuple(points)
    positions = np.stack(list(points.values()), axis=1)
    rotations = np.tile(np.eye(3), (FRAMES, len(names), 1, 1))
    tracks = SkeletonTracks(names, positions, rotations, positions[0], 60.0)
    feet = {side: (f"{side}_ball", f"{side}_tip") for side in ("left", "right")}
    return tracks, JointMap("a test", {name: {name: 1.0} for name in HUMAN36M.names}, feet=feet), joints


def test_a_foot_is_level_where_it_rests_and_turns_and_bends_as_the_captured_one():
    pitch = np.where(np.arange(FRAMES) < 40, 0.0, 0.4)
    toes = np.where(np.arange(FRAMES) < 40, 0.0, 0.5)
    tracks, joint_map, joints = standing(pitch, toes)
    both = np.concatenate((joints, captured_feet(tracks, joint_map, joints)), axis=1)
    points = torch.from_numpy(both)
    right = foot_axes(*points[:, [ANKLES["right"], *FOOT_JOINTS["right"]]].unbind(1)).numpy()
    np.testing.assert_allclose(np.arcsin(right[:, 0, 2]), pitch, atol=0.02)
    left = both[:, list(FOOT_JOINTS["left"])]
    np.testing.assert_allclose(left[..., 2], POINT_HEIGHT, atol=0.002)
    assert both[0, FEET23.names.index("left_big_toe"), 1] < both[0, FEET23.names.index("left_small_toe"), 1]
    toe = both[:, FEET23.names.index("right_big_toe")] - both[:, FEET23.names.index("right_heel")]
    assert np.linalg.norm(toe[-1]) < np.linalg.norm(toe[0]) - 0.003  # bent


def test_toes_without_a_ball_stay_level_while_the_heel_rises_over_them():
    raised = np.where(np.arange(FRAMES) < FRAMES - 3, 0.0, 0.4)
    heel, toe = (FEET23.names.index(f"right_{point}") for point in ("heel", "big_toe"))
    for pitch, bent in ((-raised, True), (raised, False)):
        tracks, joint_map, joints = standing(pitch, np.zeros(FRAMES))
        ends = replace(joint_map, feet={side: points[:1] for side, points in joint_map.feet.items()})
        both = np.concatenate((joints, captured_feet(tracks, ends, joints)), axis=1)
        lengths = np.linalg.norm(both[:, toe] - both[:, heel], axis=-1)
        assert (lengths[0] - lengths[-1] > 0.002) == bent


def test_standing_feet_are_put_on_the_floor():
    tracks, joint_map, joints = standing(np.zeros(FRAMES), np.zeros(FRAMES))
    both = np.concatenate((joints, captured_feet(tracks, joint_map, joints)), axis=1)
    moved = stand_on_soles(both + np.array([0, 0, 0.3]), 60.0)
    np.testing.assert_allclose(moved, both, atol=0.003)


def test_the_frame_rate_that_the_user_gives_is_that_of_the_feet_too(tmp_path):
    poser = names_of(
        "{}Thigh {}Shin {}Foot {}Shldr {}ForeArm {}Hand {}Collar", "abdomen chest", sides=("l", "r")
    )
    path = write_person(tmp_path / "a.bvh", poser, fps=60)
    assert read_clip_with_feet(path).fps == 60
    assert read_clip_with_feet(path, JointsFile(fps=25.0)).fps == 25


def test_skeletons_without_feet_have_none():
    tracks, joint_map, joints = standing(np.zeros(FRAMES), np.zeros(FRAMES))
    with pytest.raises(InputError, match=r"no feet are known of this skeleton \(a test\)"):
        captured_feet(tracks, JointMap("a test", joint_map.joints), joints)

"""What is wrong with a motion, and with keypoints before they are lifted."""

from dataclasses import replace
from itertools import permutations
from typing import get_args

import numpy as np
import pytest
import torch

from lifting.people import SIZE, detected_as, every_keypoint, filmed, true_motion
from spgnet.errors import InputError
from spgnet.files import read_npz, write_npz
from spgnet.geometry.image_rotation import rotated_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.lifting.assessment import assess_quality
from spgnet.lifting.input_checks import find_input_faults
from spgnet.lifting.motion import Motion, load_motion, save_motion
from spgnet.lifting.quality import FAULTS, UNBELIEVABLE, Quality, describe_faults, parse_quality

J = {name: joint for joint, name in enumerate(HUMAN36M.names)}
LEGS = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle")]
SETS = get_args(KeypointSetName)


@pytest.fixture
def walk() -> Motion:
    return true_motion(*filmed(60))


def turned(motion: Motion, degrees) -> Motion:
    """The same person in pictures that are turned clockwise."""
    points = np.concatenate((motion.pixels, motion.confidence[..., None]), axis=-1)
    keypoints = Keypoints(points, "human36m17", motion.timestamps, SIZE).rotated(degrees)
    lens = rotated_camera(motion.camera, degrees)
    joints = lens.world_to_camera(torch.from_numpy(motion.world)).numpy()
    return replace(motion, joints=joints, pixels=keypoints.points[..., :2].astype(np.float32), camera=lens)


# --- Figures and faults of a motion ---------------------------------------------------------------


def test_a_motion_that_is_right_has_no_fault_and_re_projects_exactly(walk):
    quality = assess_quality(walk)
    assert quality.faults == ()
    assert quality.warnings() == []
    assert quality.seen == quality.hips_seen == quality.upright == 1
    assert quality.reprojection == pytest.approx(0, abs=1e-5)
    assert quality.lowest == pytest.approx(walk.world[..., 2].min(), abs=0.05)
    assert quality.rejected is None
    assert 1.5 < quality.height < 1.95
    assert quality.proportions < 1.3
    assert quality.trunk_twist < 30


def test_re_projection_is_in_units_of_the_person_s_size_over_seen_joints_only(walk):
    limbs = [joint for joint, name in enumerate(HUMAN36M.names) if "_" in name and name != "head_top"]
    size = np.ptp(walk.pixels[:, limbs], axis=1).max(axis=-1)
    pixels, confidence = walk.pixels.copy(), walk.confidence.copy()
    pixels[:, J["nose"], 0] += 0.1 * size
    pixels[:, J["left_wrist"]] += 1000
    confidence[:, J["left_wrist"]] = 0
    quality = assess_quality(replace(walk, pixels=pixels, confidence=confidence))
    assert quality.worst_reprojection == pytest.approx(0.1, abs=1e-4)
    assert quality.reprojection == pytest.approx(0, abs=1e-5)
    assert quality.faults == ()


@pytest.mark.parametrize(("off", "joints"), [(0.1, list(range(17))), (0.3, [J["nose"]])])
def test_joints_that_no_pose_re_projects_to_are_a_fault(walk, off, joints):
    pixels = walk.pixels.copy()
    pixels[:, joints, 0] += off * np.ptp(pixels[..., 1], axis=1)[:, None]
    assert assess_quality(replace(walk, pixels=pixels)).faults == ("poor_reprojection",)


def test_hips_that_are_never_seen_are_a_fault_and_explain_the_rest(walk):
    confidence = walk.confidence.copy()
    confidence[:, LEGS] = 0
    pixels = walk.pixels + 0.3 * np.ptp(walk.pixels[..., 1])
    quality = assess_quality(replace(walk, confidence=confidence, pixels=pixels))
    assert quality.hips_seen == 0
    assert quality.faults == ("hips_never_seen",)
    confidence[::2, LEGS] = 0.9
    assert "hips_never_seen" not in assess_quality(replace(walk, confidence=confidence)).faults


def test_a_trunk_that_is_turned_about_is_left_and_right_exchanged(walk):
    joints = walk.joints.copy()
    joints[:, LEGS] = walk.joints[:, [HUMAN36M.mirror[joint] for joint in LEGS]]
    quality = assess_quality(replace(walk, joints=joints))
    assert quality.trunk_twist > 150
    assert "left_right_exchanged" in quality.faults


def test_the_share_of_rejected_joints_is_of_those_detected(walk):
    rejected = np.zeros((60, 17), dtype=bool)
    rejected[:12] = True
    confidence = np.where(rejected, 0, walk.confidence)
    quality = assess_quality(replace(walk, rejected=rejected, confidence=confidence))
    assert quality.rejected == pytest.approx(0.2)
    assert quality.faults == ("many_rejected",)
    rejected[3:] = False
    confidence = np.where(rejected, 0, walk.confidence)
    assert assess_quality(replace(walk, rejected=rejected, confidence=confidence)).faults == ()


def test_a_limb_that_is_far_too_long_is_no_human_s(walk):
    joints = torch.from_numpy(walk.joints)
    lengths = HUMAN36M.bone_lengths(joints)
    lengths[:, [HUMAN36M.bone_names.index(f"{side}_wrist") for side in ("left", "right")]] *= 5
    grown = HUMAN36M.with_bone_lengths(joints, lengths).numpy()
    motion = replace(walk, joints=grown, pixels=walk.camera.camera_to_image(torch.from_numpy(grown)).numpy())
    quality = assess_quality(motion)
    assert quality.proportions > 2.5
    assert quality.faults == ("inhuman_bones",)
    scaled = replace(walk, joints=3 * walk.joints)
    assert assess_quality(scaled).proportions == pytest.approx(assess_quality(walk).proportions, rel=1e-4)


def test_people_under_a_calibrated_floor_are_a_fault(walk):
    deep = replace(walk.camera, position=walk.camera.position - torch.tensor([0.0, 0.0, 1.0]))
    quality = assess_quality(replace(walk, camera=deep))
    assert quality.faults == ("below_floor",)
    assert "0.9 m below the floor" in quality.warnings()[0]
    estimated = replace(deep, extrinsics="estimated")
    assert assess_quality(replace(walk, camera=estimated)).faults == ()
    unknown = replace(deep, extrinsics="arbitrary")
    assert assess_quality(replace(walk, camera=unknown)).lowest is None


# --- Turned videos --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "fault", "remedy"),
    [(180, "upside_down", "180"), (90, "head_right", "270"), (270, "head_left", "90")],
)
def test_a_walk_in_a_turned_video_is_found_and_told_how_to_turn(walk, degrees, fault, remedy):
    quality = assess_quality(turned(walk, degrees))
    assert quality.faults == (fault,)
    assert f"--rotate {remedy}" in quality.warnings()[0]
    assert quality.upright == 0


def test_people_on_their_hands_are_not_a_video_upside_down(walk):
    motion = turned(walk, 180)
    pixels = motion.pixels.copy()
    wrists = [J["left_wrist"], J["right_wrist"]]
    pixels[:, wrists, 1] = pixels[:, [J["head_top"]], 1] + 10
    motion = replace(motion, pixels=pixels)
    assert "upside_down" not in assess_quality(motion).faults
    confidence = motion.confidence.copy()
    confidence[:, wrists] = 0
    assert "upside_down" in assess_quality(replace(motion, confidence=confidence)).faults


def test_a_flip_is_not_a_video_upside_down(walk):
    pixels = turned(walk, 180).pixels
    pixels[:20] = walk.pixels[:20]
    assert "upside_down" not in assess_quality(replace(walk, pixels=pixels)).faults


@pytest.mark.parametrize("degrees", [90, 270])
def test_people_who_lie_still_are_not_a_video_on_its_side(walk, degrees):
    motion = turned(walk, degrees)
    breathing = 2 * np.sin(np.arange(60) / 9)[:, None, None].astype(np.float32)
    still = replace(motion, pixels=motion.pixels[:1] + breathing, joints=np.repeat(motion.joints[:1], 60, 0))
    assert assess_quality(still).faults == ()


def test_a_single_frame_is_assessed(walk):
    one = replace(
        turned(walk, 90),
        joints=walk.joints[:1],
        pixels=turned(walk, 90).pixels[:1],
        confidence=walk.confidence[:1],
        timestamps=walk.timestamps[:1],
    )
    assert "head_right" not in assess_quality(one).faults


def test_nobody_in_any_frame_is_assessed(walk):
    quality = assess_quality(replace(walk, confidence=np.zeros_like(walk.confidence)))
    assert (quality.seen, quality.hips_seen, quality.reprojection, quality.upright) == (0, 0, None, None)
    assert quality.faults == ("hips_never_seen",)


# --- Keypoints before lifting ---------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", range(8))
def test_keypoints_of_their_set_have_no_fault(name, seed):
    assert find_input_faults(detected_as(filmed(30, seed=seed)[0].points, name)) == ()


LONGER = ("halpe26", "body25b", "wholebody133")
SUBSETS = {("coco17", name) for name in LONGER} | {(name, "coco17") for name in LONGER}
"""Sets that begin with COCO's, read as that or that as them: what is read is right."""
ALIKE = {("mediapipe33", "coco17")}
"""A face, an upper body and its arms, read as a body of a face, arms and legs: only lifting shows it."""


@pytest.mark.parametrize(("true", "read_as"), [p for p in permutations(SETS, 2) if p not in SUBSETS | ALIKE])
def test_keypoints_of_another_set_are_found(true, read_as):
    assert "wrong_keypoint_set" in find_input_faults(detected_as(filmed(30)[0].points, true, read_as))


@pytest.mark.parametrize("pair", sorted(SUBSETS))
def test_a_set_that_begins_with_another_may_be_read_as_it(pair):
    assert find_input_faults(detected_as(filmed(30)[0].points, *pair)) == ()


@pytest.mark.parametrize("name", ["mediapipe33", "halpe26"])
def test_keypoints_that_repeat_another_are_no_sign_of_another_set(name):
    keypoints = detected_as(filmed(30)[0].points, name)
    points = keypoints.points.copy()
    ends = ("pinky", "index", "thumb", "toe", "heel")
    points[:, [index for index, each in enumerate(KEYPOINT_NAMES[name]) if each.endswith(ends)]] = points[
        :, :1
    ]
    assert find_input_faults(replace(keypoints, points=points)) == ()
    points[..., :2] += np.where(points[..., :1] == points[:, :1, :1], np.arange(points.shape[1])[:, None], 0)
    assert find_input_faults(replace(keypoints, points=points)) == ("wrong_keypoint_set",)


@pytest.mark.parametrize("parts", [("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")])
def test_legs_or_arms_with_left_and_right_exchanged_are_found(parts):
    keypoints = detected_as(front(filmed(30)[0].points), "coco17")
    names = KEYPOINT_NAMES["coco17"]
    points = keypoints.points.copy()
    for part in parts:
        left, right = (names.index(f"{side}_{part}") for side in ("left", "right"))
        points[:, [left, right]] = points[:, [right, left]]
    assert find_input_faults(keypoints) == ()
    assert find_input_faults(replace(keypoints, points=points)) == ("left_right_exchanged",)


def front(points: np.ndarray) -> np.ndarray:
    """Joints of somebody who stands before the camera and faces it."""
    upright = points.copy()
    for part, width in (("hip", 40), ("shoulder", 70)):
        middle = (points[:, J[f"left_{part}"], 0] + points[:, J[f"right_{part}"], 0]) / 2
        upright[:, J[f"left_{part}"], 0], upright[:, J[f"right_{part}"], 0] = middle + width, middle - width
    return upright


def landmarks(scale: float, origin: float) -> Keypoints:
    """MediaPipe's keypoints in other units than pixels."""
    keypoints = detected_as(filmed(30)[0].points, "mediapipe33")
    points = keypoints.points.copy()
    hips = points[:, 23:25, :2].mean(axis=1, keepdims=True)
    points[..., :2] = (points[..., :2] - hips) * scale + origin
    return replace(keypoints, points=points)


@pytest.mark.parametrize(
    ("scale", "origin"), [(1 / 400, 0.0), (1.0, 0.0), (1 / 1280, 0.5)], ids=["metres", "centred", "shares"]
)
def test_landmarks_that_are_not_image_coordinates_are_found(scale, origin):
    assert find_input_faults(landmarks(scale, origin)) == ("not_image_coordinates",)
    assert find_input_faults(landmarks(1.0, 640.0)) == ()


def test_people_cut_off_by_the_image_are_not_outside_of_it():
    keypoints = detected_as(filmed(30)[0].points, "coco17")
    points = keypoints.points.copy()
    points[..., 0] -= np.percentile(points[..., 0], 25)
    assert find_input_faults(replace(keypoints, points=points)) == ()


def test_an_image_size_with_sides_exchanged_is_found():
    keypoints = detected_as(filmed(30)[0].points, "coco17")
    points = keypoints.points.copy()
    points[..., 1] += 300
    assert find_input_faults(replace(keypoints, points=points, image_size=(1280, 720))) == ("outside_image",)


def test_keypoints_without_anybody_have_no_fault():
    assert find_input_faults(Keypoints(np.zeros((4, 17, 3)), "coco17", np.arange(4) / 30, SIZE)) == ()


def test_every_name_of_every_set_is_placed():
    """So that the checks see the whole of each set."""
    named = every_keypoint(filmed(3)[0].points)
    assert set().union(*(KEYPOINT_NAMES[name] for name in SETS)) <= set(named)


# --- In words and in files ------------------------------------------------------------------------


def test_every_fault_has_a_sentence_of_one_line_without_gaps():
    quality = Quality(1.0, 1.0, 0.1, 0.2, 0.3, 1.7, 3.0, 10.0, 1.0, -0.5, FAULTS)
    sentences = quality.warnings()
    assert len(set(sentences)) == len(FAULTS)
    for line in sentences:
        assert "\n" not in line
        assert "{" not in line
    assert describe_faults(("hips_never_seen",)) == [sentences[FAULTS.index("hips_never_seen")]]


def test_a_motion_can_be_believed_unless_a_fault_says_that_nothing_can(walk):
    quality = assess_quality(walk, ["outside_image"])
    assert quality.faults == ("outside_image",)
    assert quality.believable
    for fault in UNBELIEVABLE:
        assert not assess_quality(walk, [fault]).believable


def test_a_motion_file_keeps_the_quality(tmp_path, walk):
    path = tmp_path / "motion.npz"
    save_motion(path, walk)
    assert load_motion(path).quality is None
    for faults in ((), ("upside_down", "many_rejected")):
        quality = Quality(0.9, 0.8, 0.02, None, None, 1.7, 1.1, 10.0, None, 0.05, faults)
        save_motion(path, replace(walk, quality=quality))
        assert load_motion(path).quality == quality
    stored = read_npz(path)
    assert stored["quality_faults"].tolist() == ["upside_down", "many_rejected"]
    assert stored["quality_reprojection"] == 0.02
    assert "quality_rejected" not in stored


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("quality_faults", np.array(["bad_hair"]), "quality_faults holds 'bad_hair'"),
        ("quality_faults", np.array(2.5), "quality_faults is no list of names"),
        ("quality_seen", np.array("all"), "quality_seen is no number"),
        ("quality_seen", None, "it lacks quality_seen"),
    ],
)
def test_a_quality_that_is_none_is_refused(tmp_path, walk, key, value, words):
    path = tmp_path / "motion.npz"
    save_motion(path, replace(walk, quality=assess_quality(walk)))
    stored = read_npz(path)
    del stored[key]
    write_npz(path, **stored, **({} if value is None else {key: value}))
    with pytest.raises(InputError, match=words):
        load_motion(path)
    assert parse_quality({}) is None

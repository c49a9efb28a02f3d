"""``spgnet.lift``: every kind of source, and the same motion as the command line's."""

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import spgnet as public
from capture.conftest import SimulatedDetector
from lifting.people import SIZE, camera, detected_as, filmed, lifter
from spgnet.camera_files import find_camera
from spgnet.capture.config import check_options
from spgnet.errors import InputError
from spgnet.geometry.image_rotation import rotated_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, load_keypoints
from spgnet.lifting import Motion, load_motion
from spgnet.lifting.bone_lengths import estimate_height, fit_constant_bones, scale_to_height
from spgnet.lifting.floor import align_to_gravity
from spgnet.video import files


def lift(source, **options) -> list[Motion]:
    return public.lift(source, **{"weights": lifter()} | options)


def test_a_file_its_keypoints_a_list_and_an_array_give_the_same_motion(spgnet, clip):
    (expected,) = lift(clip)
    (keypoints,) = public.load_keypoints(clip)
    array = {"fps": 30.0, "image_size": SIZE, "keypoint_set": "human36m17", "camera": expected.camera}
    for (motion,) in (
        lift(str(clip)),
        lift(keypoints),
        lift([keypoints]),
        lift(keypoints.points, **array, align_to_gravity=False),
    ):
        np.testing.assert_allclose(motion.joints, expected.joints, atol=1e-5)
    assert {path.name for path in Path().iterdir()} == {"walk.npz", "w.safetensors"}


def test_the_command_gives_the_motion_of_the_function(spgnet, clip):
    options = ["--height", "1.9", "--constant-bones", "--smoothing", "0.1", "--no-flip"]
    assert spgnet("lift", "walk.npz", *options)[0] is None
    (motion,) = lift(clip, height=1.9, constant_bones=True, smoothing=0.1, flip=False)
    written = load_motion("out/motion.npz")
    np.testing.assert_allclose(motion.joints, written.joints, atol=1e-6)
    np.testing.assert_allclose(motion.world, written.world, atol=1e-6)
    assert motion.camera_source == written.camera_source


def test_motions_are_refined_unless_one_says_otherwise(spgnet, clip):
    (refined,), (network,) = lift(clip), lift(clip, refine=False)
    assert refined.uncertainty is not None
    assert network.uncertainty is None
    deviations = [HUMAN36M.bone_lengths(torch.from_numpy(m.joints)).std(dim=0) for m in (refined, network)]
    assert deviations[0].max() < 1e-5 < deviations[1].max()
    for options, expected in (([], refined), (["--no-refine"], network)):
        assert spgnet("lift", "walk.npz", *options)[0] is None
        np.testing.assert_allclose(load_motion("out/motion.npz").joints, expected.joints, atol=1e-6)


@pytest.mark.parametrize("refine", [True, False])
def test_a_motion_that_is_not_aligned_has_arbitrary_extrinsics(clip, refine):
    (motion,) = lift(clip, refine=refine, align_to_gravity=False)
    assert motion.camera.extrinsics == "arbitrary"


def test_a_refined_motion_has_the_height_that_is_given(clip):
    (motion,) = lift(clip, height=1.9)
    assert estimate_height(motion) == pytest.approx(1.9, abs=1e-3)


def test_a_focal_length_in_the_video_s_metadata_reaches_function_and_command(spgnet, video, monkeypatch):
    monkeypatch.setattr(files, "_focal_hint", lambda *_: 1234.0)
    assert spgnet("lift", "walk.mp4")[0] is None
    (motion,) = lift(video)
    for one in (motion, load_motion("out/motion.npz")):
        assert one.camera.focal.tolist() == [1234, 1234]
        assert "metadata" in one.camera_source


def test_what_is_detected_can_be_kept_and_another_detector_used(spgnet, video):
    kept, stages = [], []
    (motion,) = lift(
        video,
        detector=SimulatedDetector(),
        on_detected=kept.append,
        on_progress=lambda stage, done, total: stages.append(stage),
    )
    assert kept[0].people[0].keypoint_set == "halpe26"
    assert len(motion) == len(kept[0].people[0]) == 30
    assert list(dict.fromkeys(stages)) == ["detecting", "lifting", "refining"]
    assert not Path("out").exists()


def two_people() -> list[Keypoints]:
    one, _ = filmed(20)
    shifted = one.points + np.array([150, 0, 0], np.float32)
    return [one, replace(one, points=shifted, track=2)]


def test_everybody_is_lifted_into_one_world(clip):
    motions = lift(two_people(), person="all")
    assert sorted(motion.track for motion in motions) == [1, 2]
    assert motions[0].camera.rotation.tolist() == motions[1].camera.rotation.tolist()
    assert [motion.track for motion in lift(two_people(), person=2)] == [2]


def test_bones_come_before_the_height_and_both_before_the_floor(clip):
    (plain,) = lift(clip, align_to_gravity=False)
    (motion,) = lift(clip, constant_bones=True, height=1.9)
    expected = align_to_gravity(scale_to_height(fit_constant_bones(plain), 1.9))
    np.testing.assert_array_equal(motion.joints, expected.joints)
    np.testing.assert_array_equal(motion.world, expected.world)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"person": 0}, "person counts from 1"),
        ({"person": 7}, "no person 7"),
        ({"person": "all", "height": 1.8}, "height is of one person"),
        ({"height": 178.0}, r"between 0\.5 and 2\.5 metres"),
        ({"detect_every": 2}, "detect_every is for videos"),
        ({"camera_name": "cam01"}, "no camera file"),
        ({"camera": "nowhere.toml"}, r"nowhere\.toml: no such file"),
        ({"weights": "nothing"}, "no weights 'nothing'"),
        ({"device": "toaster", "weights": "default"}, "no device 'toaster'"),
        ({"device": "meta", "weights": "default"}, "no device 'meta'"),
        ({"smoothing": float("nan")}, "smoothing must be from 0 to 60 s, got nan"),
        (
            {"fps": 1e12, "image_size": (640, 0)},
            r"positive width and height, got .*; fps must be from",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(clip, options, words):
    with pytest.raises(InputError, match=words) as refusal:
        lift(clip, **options)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("size", [(640,), 640, "640"])
def test_an_image_size_that_is_no_pair_is_refused(size):
    check = inspect.unwrap(check_options)  # without the tests' check of types
    with pytest.raises(InputError, match=r"image_size must be a positive width and height, got"):
        check(person="all", detect_every=1, smoothing=0.0, fps=None, image_size=size, height=None, rotate=0)


def test_another_turn_than_quarters_is_refused():
    with pytest.raises(InputError, match="rotate must be 0, 90, 180, 270 degrees, got 45"):
        check_options(
            person="all", detect_every=1, smoothing=0.0, fps=None, image_size=None, height=None, rotate=45
        )


def test_a_camera_that_is_none_is_refused():
    find = inspect.unwrap(find_camera)  # without the tests' check of types
    with pytest.raises(InputError, match="the camera is ndarray, expected a Camera or a file"):
        find(SIZE, camera=np.eye(3))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([], "the list is empty"),
        ([filmed(5)[0]] * 2, r"a track number of its own, got \[1, 1\]"),
        (filmed(5)[0].points, "does not say its fps, image_size, keypoint_set"),
        ("7", "--live"),
        ("nothing.mp4", "no such file"),
    ],
    ids=["empty", "twins", "array", "webcam", "missing"],
)
def test_sources_that_cannot_be_lifted_are_refused(source, words):
    with pytest.raises(InputError, match=words):
        lift(source)


def test_people_of_one_clip_share_its_image():
    one, other = two_people()
    with pytest.raises(InputError, match="have one image_size"):
        lift([one, replace(other, image_size=(640, 480))])


def test_a_calibrated_camera_keeps_its_world(clip):
    (motion,) = lift(clip, camera=camera())
    assert motion.camera.extrinsics == "calibrated"
    assert motion.camera.position.tolist() == pytest.approx(camera().position.tolist())


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_keypoints_are_lifted_as_if_they_had_been_upright(clip, degrees):
    (keypoints,) = load_keypoints(clip)
    (upright,) = lift(keypoints)
    (turned_back,) = lift(keypoints.rotated(degrees), rotate=-degrees % 360)
    np.testing.assert_allclose(turned_back.joints, upright.joints, atol=1e-4)
    np.testing.assert_allclose(turned_back.pixels, upright.pixels, atol=1e-3)
    np.testing.assert_allclose(turned_back.camera.center, upright.camera.center, atol=1e-3)


def test_a_placed_camera_is_turned_with_its_pictures(clip):
    """It is of the recorded pictures, unless only the turned ones have its shape."""
    (keypoints,) = load_keypoints(clip)
    (upright,) = lift(keypoints, camera=camera())
    for given in (rotated_camera(camera(), 90), camera()):  # of the recorded and of the turned pictures
        (turned_back,) = lift(keypoints.rotated(90), camera=given, rotate=270)
        np.testing.assert_allclose(turned_back.world, upright.world, atol=1e-4)
    (turned_back,) = lift(keypoints.rotated(180), camera=rotated_camera(camera(), 180), rotate=180)
    np.testing.assert_allclose(turned_back.world, upright.world, atol=1e-4)


def world_landmarks() -> Keypoints:
    """Landmarks in metres about the hips, as MediaPipe gives them beside those in the image."""
    keypoints = detected_as(filmed(12)[0].points, "mediapipe33")
    points = keypoints.points.copy()
    hips = points[:, 23:25, :2].mean(axis=1, keepdims=True)
    points[..., :2] = (points[..., :2] - hips) / 400
    return replace(keypoints, points=points)


def test_what_cannot_be_believed_is_refused_unless_forced():
    with pytest.raises(InputError, match=r"not image coordinates.*pose_landmarks.*--force") as refusal:
        lift(world_landmarks())
    assert "\n" not in str(refusal.value)
    (motion,) = lift(world_landmarks(), force=True)
    assert motion.quality is not None
    assert "not_image_coordinates" in motion.quality.faults


def test_one_person_who_cannot_be_believed_does_not_keep_the_others_from_being_lifted():
    good = replace(detected_as(filmed(12)[0].points, "mediapipe33"), track=1)
    both = [good, replace(world_landmarks(), track=2)]
    motions = {motion.track: motion for motion in lift(both, person="all")}
    assert motions[2].quality is not None
    assert motions[1].quality is not None
    assert not motions[2].quality.believable
    assert motions[1].quality.believable


def test_the_remarks_on_the_input_are_in_the_motion_and_in_its_file(tmp_path):
    keypoints, _ = filmed(10)
    told = ("column 'comment' is left out",)
    known = Keypoints(
        keypoints.points, "human36m17", keypoints.timestamps, keypoints.image_size, remarks=told
    )
    (motion,) = lift(known, weights=lifter(), refine=False)
    assert motion.remarks == told
    motion.save(tmp_path / "motion.npz")
    assert load_motion(tmp_path / "motion.npz").remarks == told
    values = dict(np.load(tmp_path / "motion.npz"))
    np.savez(tmp_path / "motion.npz", **values | {"remarks": np.zeros(3)})
    with pytest.raises(InputError, match="remarks holds no list of texts"):
        load_motion(tmp_path / "motion.npz")


def test_a_lifted_motion_has_its_quality(clip):
    (motion,) = lift(clip)
    assert motion.quality is not None
    assert motion.quality.seen == 1
    assert motion.quality.lowest is not None
    (placed,) = lift(clip, align_to_gravity=False)
    assert placed.quality is not None
    assert placed.quality.lowest is None


def test_motion_has_feet_where_the_detector_sees_them_unless_one_wants_17_joints():
    keypoints = detected_as(filmed()[0].points, "halpe26")
    stages: dict[str, tuple] = {}
    (motion,) = lift(keypoints, on_progress=lambda stage, *progress: stages.update({stage: progress}))
    assert list(stages) == ["lifting", "refining", "adding feet"]
    assert all(done == total for done, total in stages.values())
    assert motion.skeleton.names[17:20] == ("right_heel", "right_big_toe", "right_small_toe")
    assert motion.foot_contact is not None
    assert motion.quality is not None
    for options in ({"skeleton": "human36m17"}, {"refine": False}):
        assert not lift(keypoints, **options)[0].has_feet
    assert not lift(detected_as(filmed()[0].points, "coco17"))[0].has_feet


def test_planted_feet_move_legs_alone():
    keypoints = detected_as(filmed()[0].points, "halpe26")
    (motion,), (planted,) = lift(keypoints), lift(keypoints, plant_feet=True)
    upper = [joint for joint, name in enumerate(HUMAN36M.names) if "knee" not in name and "ankle" not in name]
    np.testing.assert_array_equal(planted.joints[:, upper], motion.joints[:, upper])
    with pytest.raises(InputError, match="plant_feet needs refined motions with feet"):
        lift(keypoints, plant_feet=True, refine=False)


def test_of_several_people_all_have_feet_if_one_shows_them():
    both = detected_as(filmed()[0].points, "halpe26")
    unseen = replace(both, points=both.points * np.where(np.arange(26) >= 20, 0, 1)[:, None], track=2)
    motions = lift([both, unseen], person="all")
    assert [motion.has_feet for motion in motions] == [True, True]
    (hidden,) = [motion for motion in motions if motion.track == 2]
    assert not hidden.confidence[:, 17:].any()
    without = replace(detected_as(filmed()[0].points, "coco17"), track=2)
    (same,) = [motion for motion in lift([both, without], person="all") if motion.track == 2]
    assert not same.confidence[:, 17:].any()
    np.testing.assert_array_equal(same.skeleton.names, hidden.skeleton.names)


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("plant_feet", [False, True])
def test_a_picture_or_two_of_somebody_who_stands_have_feet(frames, plant_feet):
    both = detected_as(filmed()[0].points[:frames], "halpe26")
    (motion,) = lift(both, camera=replace(camera(), extrinsics="calibrated"), plant_feet=plant_feet)
    assert len(motion) == frames
    assert motion.has_feet
    assert np.isfinite(motion.joints).all()
    assert motion.foot_contact is not None

"""Keypoint files: what is written is what is read, in every format."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from written_files import (
    FPS,
    SIZE,
    WRITERS,
    a_track,
    alphapose,
    check,
    instances,
    mmpose_video,
    openpose,
    rtmlib_json,
    rtmlib_npz,
    some_keypoints,
    write_json,
    zeros,
)

from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, load_keypoints, save_keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES, KeypointSetName


@pytest.mark.parametrize(("form", "write", "keypoint_set"), WRITERS)
@pytest.mark.parametrize("count", [1, 2])
def test_every_format_gives_the_people_that_were_written(tmp_path, form, write, keypoint_set, count):
    tracks = [a_track(keypoint_set, seed) for seed in range(count)]
    path = write(tmp_path, *tracks)
    people = load_keypoints(path, fps=FPS, image_size=SIZE)
    assert [person.track for person in people] == list(range(1, count + 1))
    for person, points in zip(people, tracks, strict=True):
        check(person, points, keypoint_set)
    again = load_keypoints(path, fps=FPS, image_size=SIZE, format=form, keypoint_set=keypoint_set)
    np.testing.assert_array_equal(again[0].points, people[0].points)


@pytest.mark.parametrize(("form", "write", "keypoint_set"), WRITERS)
def test_what_a_format_does_not_say_and_a_format_it_is_not_are_named_in_one_line(
    tmp_path, form, write, keypoint_set
):
    path = write(tmp_path, a_track(keypoint_set))
    with pytest.raises(
        ValueError, match=r"frame rate: give --fps; .* image size: give --image-size"
    ) as fault:
        load_keypoints(path)
    assert str(fault.value).startswith(f"{path}: ")
    other = "mmpose" if form == "alphapose" else "alphapose"
    with pytest.raises(ValueError, match=f"it looks like {form}, not {other}: expected") as fault:
        load_keypoints(path, fps=FPS, image_size=SIZE, format=other)
    assert "\n" not in str(fault.value)
    wrong: KeypointSetName = "human36m17" if keypoint_set == "mediapipe33" else "mediapipe33"
    with pytest.raises(ValueError, match=f"expected .* {wrong}|columns are missing.* {wrong}") as fault:
        load_keypoints(path, fps=FPS, image_size=SIZE, keypoint_set=wrong)
    assert "\n" not in str(fault.value)


# --- Our own files ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"camera_matrix": None, "distortion": None}, {"skipped": np.arange(len(some_keypoints())) % 3 > 0}],
    ids=["camera", "bare", "skipped"],
)
def test_our_files_give_back_what_was_saved_and_leave_nothing_else(tmp_path, suffix, changes):
    keypoints = some_keypoints(**changes)
    save_keypoints(tmp_path / f"x{suffix}", keypoints)
    assert [path.name for path in tmp_path.iterdir()] == [f"x{suffix}"]
    (loaded,) = load_keypoints(tmp_path / f"x{suffix}")
    for name in ("points", "timestamps", "camera_matrix", "distortion", "skipped"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(keypoints, name))
    for name in ("keypoint_set", "image_size", "track"):
        assert getattr(loaded, name) == getattr(keypoints, name)


def test_skipped_frames_must_be_told_of_all_frames_by_0_and_1(tmp_path):
    content = {
        "keypoints": np.ones((4, 17, 3)),
        "keypoint_set": "coco17",
        "fps": 30.0,
        "image_size": (640, 480),
    }
    for wrong, fault in (([0, 1], "2 frames, there are 4"), ([0, 1, 2, 0], "other numbers than 0 and 1")):
        np.savez(tmp_path / "x.npz", **content, skipped=wrong)
        with pytest.raises(InputError, match=rf"x\.npz: skipped .*{fault}"):
            load_keypoints(tmp_path / "x.npz")


def test_a_slice_of_the_frames_knows_which_of_them_were_skipped():
    keypoints = replace(some_keypoints(), skipped=np.arange(len(some_keypoints())) % 3 > 0)
    np.testing.assert_array_equal(keypoints.frames(slice(1, 4)).skipped, keypoints.skipped[1:4])


def test_a_full_disk_leaves_the_old_keypoints_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    save_keypoints(path, some_keypoints())
    before = path.read_bytes()

    def full(file, **_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left") as error:
        save_keypoints(path, some_keypoints())
    assert error.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_paths_may_be_text(tmp_path):
    for name in ("x.npz", "x.json"):
        save_keypoints(str(tmp_path / name), some_keypoints())
        assert load_keypoints(str(tmp_path / name))[0].track == 3
    with pytest.raises(ValueError, match=r"none\.npz: no such file"):
        load_keypoints(str(tmp_path / "none.npz"))


def test_our_npz_opens_with_plain_numpy_and_other_suffixes_are_refused(tmp_path):
    save_keypoints(tmp_path / "x.npz", some_keypoints())
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert archive["keypoints"].shape == (6, 26, 3)
        assert float(archive["fps"]) == pytest.approx(5 / 0.6)
    with pytest.raises(ValueError, match=r"saved as \.npz or \.json"):
        save_keypoints(tmp_path / "x.csv", some_keypoints())


def test_other_keys_of_an_npz_are_ignored_even_pickled_ones(tmp_path):
    points = a_track("coco17")
    extra = np.array([{"an": "object"}], dtype=object)
    np.savez(
        tmp_path / "x.npz",
        keypoints=points,
        keypoint_set="coco17",
        fps=FPS,
        image_size=SIZE,
        truth=extra,
        scores=np.zeros(3),
        allow_pickle=True,
    )
    (person,) = load_keypoints(tmp_path / "x.npz")
    check(person, points, "coco17")
    assert person.track == 1


def test_a_given_frame_rate_comes_before_the_files_but_set_and_size_may_not_differ(tmp_path):
    path = tmp_path / "x.npz"
    save_keypoints(path, some_keypoints())
    assert load_keypoints(path, fps=240.0)[0].fps == pytest.approx(240)
    expected = "its keypoint set is halpe26, but --keypoint-set says coco17; its images are 1280x720, but "
    with pytest.raises(ValueError, match=expected + "--image-size says 720x1280"):
        load_keypoints(path, keypoint_set="coco17", image_size=(720, 1280))
    with pytest.raises(ValueError, match=r"--fps is 0\.0, expected a positive number"):
        load_keypoints(path, fps=0.0)


def test_a_fisheyes_coefficients_are_kept_as_such(tmp_path):
    points, lens = np.ones((2, 17, 3)), np.array([0.1, 0.02, 0.01, -0.01])
    given = Keypoints(
        points, "coco17", np.arange(2) / 30, (720, 1280), np.diag([900.0, 900, 1]), lens, fisheye=True
    )
    for name in ("a.npz", "a.json"):
        save_keypoints(tmp_path / name, given)
        (again,) = load_keypoints(tmp_path / name)
        assert again.fisheye
        np.testing.assert_allclose(again.distortion, lens)
        turned = again.rotated(90).rotated(270)
        assert turned.fisheye
        np.testing.assert_allclose(turned.distortion, lens, rtol=1e-6)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_keypoints_in_the_corner_stay_missing_when_the_image_is_turned(degrees):
    points = np.ones((2, 17, 3)) * [100.0, 200.0, 1.0]
    points[:, 3, :2] = 0
    given = Keypoints(points, "coco17", np.arange(2) / 30, SIZE)
    np.testing.assert_array_equal(given.rotated(degrees).present, given.present)


def test_four_distortion_coefficients_are_opencvs_without_k3(tmp_path):
    content = {"keypoints": zeros(a_track("coco17")).tolist(), "keypoint_set": "coco17", "fps": 25}
    content |= {"image_size": [1280, 720], "distortion": [0.1, 0.2, 0.3, 0.4]}
    (person,) = load_keypoints(write_json(tmp_path / "x.json", content))
    np.testing.assert_array_equal(person.distortion, [0.1, 0.2, 0.3, 0.4, 0])


def test_the_real_detections_are_read(real_detections):
    (person,) = load_keypoints(real_detections / "opencap_squat.npz")
    assert (len(person), person.keypoint_set, person.image_size) == (807, "halpe26", (720, 1280))
    assert person.fps == pytest.approx(60, abs=0.01)
    assert person.camera_matrix is not None


# --- Tables -------------------------------------------------------------------------------------


def _spreadsheet(path: Path, separator: str = ",", decimal: str = ".", head: str = "") -> Path:
    """Two frames of somebody, number 5 being absent between them, as a spreadsheet program writes it."""
    names = [f"{name}_{part}" for name in KEYPOINT_NAMES["coco17"] for part in ("X", "y")]
    rows = [["frame", "Time", *names], ["4", "1.5", *["10.5"] * 34], ["6", "2.5", *["20.5"] * 34]]
    lines = [separator.join(cell.replace(".", decimal) for cell in row) for row in rows]
    path.write_text(head + "\n".join(lines), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), (";", "."), ("\t", ".")])
def test_a_table_of_any_spreadsheet_is_read_without_scores_and_with_absent_frames(
    tmp_path, separator, decimal
):
    head = f"# keypoint_set=coco17 image_size=1280x720{separator * 20}\n"
    (person,) = load_keypoints(_spreadsheet(tmp_path / "x.csv", separator, decimal, head))
    np.testing.assert_array_equal(person.points[:, 0, 0], [10.5, np.nan, 20.5])
    np.testing.assert_array_equal(person.points[:, 3, 2], [1, 0, 1])
    np.testing.assert_array_equal(person.timestamps, [1.5, 2.0, 2.5])
    assert person.image_size == SIZE


def test_without_times_a_frames_time_is_its_number_over_the_rate(tmp_path):
    path = _spreadsheet(tmp_path / "x.csv", head="# image_size=1280x720, fps=50\n")
    path.write_text(path.read_text(encoding="utf-8-sig").replace("Time", "other"))
    np.testing.assert_allclose(load_keypoints(path)[0].timestamps, [0.08, 0.1, 0.12])
    np.testing.assert_allclose(load_keypoints(path, fps=2.0)[0].timestamps, [2, 2.5, 3])


# --- Detectors' ways ----------------------------------------------------------------------------


@pytest.mark.parametrize("write", [openpose, rtmlib_npz, mmpose_video])
def test_scores_end_up_between_0_and_1_and_a_score_of_0_means_missing(tmp_path, write):
    points = a_track("body25")
    points[0, 1, 2], points[0, 2, 2], points[0, 3, 2] = 1.7, -0.2, 0
    (person,) = load_keypoints(write(tmp_path, points), fps=FPS, image_size=SIZE)
    assert person.points[0, 1, 2] == 1
    assert np.isnan(person.points[0, [2, 3], :2]).all()
    np.testing.assert_array_equal(person.points[0, [2, 3], 2], [0, 0])


@pytest.mark.parametrize(("count", "keypoint_set"), [(133, "wholebody133"), (136, "halpe26")])
def test_of_whole_body_keypoints_the_body_is_read(tmp_path, count, keypoint_set):
    points = a_track(keypoint_set)
    whole = np.concatenate((points, np.ones((len(points), count - points.shape[1], 3))), axis=1)
    whole[2] = 0
    (person,) = load_keypoints(rtmlib_json(tmp_path, whole), fps=FPS, image_size=SIZE)
    check(person, points, keypoint_set)


def test_17_keypoints_are_cocos_unless_told_otherwise(tmp_path):
    path = alphapose(tmp_path, a_track("human36m17"))
    assert load_keypoints(path, fps=FPS, image_size=SIZE)[0].keypoint_set == "coco17"
    people = load_keypoints(path, fps=FPS, image_size=SIZE, keypoint_set="human36m17")
    assert people[0].keypoint_set == "human36m17"


def test_alphaposes_own_tracks_are_kept_and_useless_ones_replaced(tmp_path):
    near, far = a_track("coco17"), a_track("coco17", 1)
    path = alphapose(tmp_path, near, far)
    entries = json.loads(path.read_text())
    for entry in entries:
        entry["idx"] = [7.0] if entry["keypoints"][0] < 500 else 4
    write_json(path, entries)
    people = load_keypoints(path, fps=FPS, image_size=SIZE)
    assert [person.track for person in people] == [4, 7]
    check(people[1], near, "coco17")
    for entry in entries:
        entry["idx"] = [0.0]  # as without tracking
    write_json(path, entries)
    people = load_keypoints(path, fps=FPS, image_size=SIZE)
    assert [person.track for person in people] == [1, 2]
    check(people[0], near, "coco17")


def test_mmposes_tracks_that_count_from_0_count_from_1_here(tmp_path):
    path = mmpose_video(tmp_path, a_track("coco17"), a_track("coco17", 1))
    frames = json.loads(path.read_text())
    for frame in frames:
        for number, instance in enumerate(frame["instances"]):
            instance["track_id"] = 1 - number
    people = load_keypoints(write_json(path, frames), fps=FPS, image_size=SIZE)
    assert [person.track for person in people] == [1, 2]
    check(people[0], a_track("coco17", 1), "coco17")


def test_a_negative_number_of_mmpose_is_nobodys(tmp_path):
    near, far = a_track("coco17"), a_track("coco17", 1)
    path = mmpose_video(tmp_path, near, far)
    frames = json.loads(path.read_text())
    for frame in frames:
        for instance in frame["instances"]:
            instance["track_id"] = 4 if instance["keypoints"][0][0] > 500 else -1
    people = load_keypoints(write_json(path, frames), fps=FPS, image_size=SIZE)
    assert [person.track for person in people] == [1, 2]
    for person, points in zip(people, (near, far), strict=True):
        check(person, points, "coco17")
    for frame in frames:
        for instance in frame["instances"]:
            instance["track_id"] = -1 if frame["frame_id"] == 1 else instance["track_id"] % 5
    people = load_keypoints(write_json(path, frames), fps=FPS, image_size=SIZE)
    assert [person.track for person in people] == [1, 2]


def test_mediapipe_in_pixels_stays_as_it_is(tmp_path):
    points = a_track("mediapipe33")
    frames = [
        [{"x": x, "y": y, "visibility": score} for x, y, score in frame] for frame in zeros(points).tolist()
    ]
    (person,) = load_keypoints(write_json(tmp_path / "x.json", frames), fps=FPS, image_size=SIZE)
    check(person, points, "mediapipe33")


def test_frames_without_anybody_are_there_in_every_order_of_files(tmp_path):
    points = a_track("body25", frames=12)
    points[[0, 11]] = [np.nan, np.nan, 0]
    (person,) = load_keypoints(openpose(tmp_path, points), fps=FPS, image_size=SIZE)
    check(person, points, "body25")


def test_one_image_needs_no_frame_rate(tmp_path):
    openpose(tmp_path, a_track("body25", frames=6))
    (person,) = load_keypoints(tmp_path / "clip_000000000001_keypoints.json", image_size=SIZE)
    assert len(person) == 1
    one_frame = instances((a_track("coco17"),), 0)
    assert len(load_keypoints(write_json(tmp_path / "x.json", one_frame), image_size=SIZE)) == 1

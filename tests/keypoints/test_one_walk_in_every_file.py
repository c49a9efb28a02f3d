"""One walk in the files that people had, whatever wrote them, is one person's walk."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from written_files import (
    FPS,
    SIZE,
    a_body,
    alphapose,
    alphapose_cmu,
    alphapose_open,
    array,
    deeplabcut,
    landmark_objects,
    lifters_demo,
    movement,
    openpose,
    pose2sim,
    table,
    ultralytics,
    write_json,
)

from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, load_keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES, KeypointSetName, points_to_human36m

FRAMES = 25


def without_scores(path: Path) -> Path:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    kept = [index for index, name in enumerate(rows[0]) if not name.endswith("_score")]
    path.write_text("\n".join(",".join(row[index] for index in kept) for row in rows))
    return path


def replaced(path: Path, *pairs: tuple[str, str]) -> Path:
    text = path.read_text()
    for old, new in pairs:
        text = text.replace(old, new)
    path.write_text(text)
    return path


def capital(folder: Path, points: np.ndarray) -> Path:
    return replaced(table(folder, points), ("left_", "Left"), ("right_", "Right"))


def excel(folder: Path, points: np.ndarray) -> Path:
    path = replaced(table(folder, points), (",", "\t"))
    path.write_text(path.read_text(), encoding="utf-16")
    return path


def numbered_twice(folder: Path, points: np.ndarray) -> Path:
    return replaced(alphapose(folder, points), *((f'"{n}.jpg"', f'"frame_{n}_of_25.png"') for n in range(25)))


def flickering_numbers(folder: Path, points: np.ndarray) -> Path:
    entries = json.loads(alphapose(folder, points).read_text())
    numbers = (1, 5, 9, 12)
    return write_json(
        folder / "ids.json", [entry | {"idx": numbers[i // 7]} for i, entry in enumerate(entries)]
    )


def with_fillers(folder: Path, points: np.ndarray) -> Path:
    """Landmarks that the detector did not have are where the nose is."""
    names = KEYPOINT_NAMES["mediapipe33"]
    missing = [
        i for i, name in enumerate(names) if name.endswith(("pinky", "index", "thumb", "inner", "outer"))
    ]
    filled = points.copy()
    filled[:, missing] = points[:, :1]
    return landmark_objects(folder, filled)


def old_key(folder: Path, points: np.ndarray) -> Path:
    for file in openpose(folder, points).glob("*.json"):
        replaced(file, ("pose_keypoints_2d", "pose_keypoints"))
    return folder


def annotations(folder: Path, points: np.ndarray) -> Path:
    flagged = np.where(np.arange(3) == 2, 2, points)
    images = [{"id": 9 + i, "file_name": f"{i:06d}.jpg", "width": 1280, "height": 720} for i in range(FRAMES)]
    people = [
        {"id": i, "image_id": 9 + i, "category_id": 1, "keypoints": pose.ravel().tolist()}
        for i, pose in enumerate(flagged)
    ]
    return write_json(folder / "person_keypoints.json", {"images": images, "annotations": people})


def motionbert(folder: Path, points: np.ndarray) -> Path:
    """Annotations whose scores were not stored: they are all 0."""
    path = lifters_demo(folder, points)
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        entry["keypoints"][2::3] = [0.0] * 17
    return write_json(path, content)


def yolo(folder: Path, points: np.ndarray) -> Path:
    for frame, pose in enumerate(points / [*SIZE, 1], start=1):
        numbers = [0, 0.5, 0.5, 0.2, 0.8, *pose.ravel()]
        (folder / f"walk_{frame}.txt").write_text(" ".join(f"{number:.6f}" for number in numbers))
    return folder


def videopose3d(folder: Path, points: np.ndarray) -> Path:
    positions: dict = {"walk.mp4": {"custom": [points[..., :2]]}}
    metadata = {"layout_name": "coco", "video_metadata": {"walk.mp4": {"w": 1280, "h": 720}}}
    np.savez(
        folder / "data_2d_custom_walk.npz", positions_2d=np.array(positions), metadata=np.array(metadata)
    )
    return folder / "data_2d_custom_walk.npz"


FILES: dict[str, tuple[Callable[[Path, np.ndarray], Path], KeypointSetName]] = {
    "xyonly.csv": (lambda folder, points: without_scores(table(folder, points)), "coco17"),
    "likelihood.csv": (lambda f, points: replaced(table(f, points), ("_score", "_confidence")), "coco17"),
    "capital.csv": (capital, "coco17"),
    "dlc.csv": (deeplabcut, "coco17"),
    "utf16_excel.csv": (excel, "coco17"),
    "frame_of.json": (numbered_twice, "coco17"),
    "mp_listdict.json": (with_fillers, "mediapipe33"),
    "ids_flicker.json": (flickering_numbers, "coco17"),
    "op_halpe26": (openpose, "halpe26"),
    "pose2sim_pose": (pose2sim, "halpe26"),
    "op_coco18": (openpose, "coco18"),
    "op_oldkey": (old_key, "body25"),
    "alphapose_open.json": (alphapose_open, "coco18"),
    "alphapose_cmu.json": (alphapose_cmu, "coco18"),
    "coco_annotations.json": (annotations, "coco17"),
    "motionbert145.json": (motionbert, "coco17"),
    "ultralytics.json": (ultralytics, "coco17"),
    "yolo_txt": (yolo, "coco17"),
    "coco.npy": (array, "coco17"),
    "videopose3d_2d.npz": (videopose3d, "coco17"),
    "movement_xr.npz": (movement, "coco17"),
}


def load(path: Path) -> Keypoints:
    (person,) = load_keypoints(path, fps=FPS, image_size=SIZE)
    return person


@pytest.mark.parametrize("file", FILES)
def test_the_walk_is_one_person_s_in_all_frames_and_where_it_was(tmp_path, file):
    write, keypoint_set = FILES[file]
    points = a_body(keypoint_set, FRAMES)
    person = load(write(tmp_path, points))
    assert person.keypoint_set == keypoint_set
    pixels, confidence = points_to_human36m(person.points, person.keypoint_set)
    right, sure = points_to_human36m(points, keypoint_set)
    np.testing.assert_array_equal(confidence > 0, sure > 0)
    np.testing.assert_allclose(pixels[sure > 0], right[sure > 0], atol=2e-3)
    np.testing.assert_allclose(np.diff(person.timestamps), 1 / FPS)


def test_zeros_in_a_table_without_scores_are_missing(tmp_path):
    """As in ``xyonly_zeros.csv``."""
    points = a_body("coco17", FRAMES)
    points[5:15, 9:11, :2] = 0
    person = load(without_scores(table(tmp_path, points)))
    np.testing.assert_array_equal(person.present, (points[..., :2] != 0).all(axis=-1))


def test_a_weak_ghost_and_empty_frames_leave_one_person(tmp_path):
    """As in ``op_flicker``."""
    points = a_body("body25", FRAMES)
    ghost = points + np.array([9, -6, 0])
    ghost[..., 2] = 0.3
    seen = np.arange(FRAMES) % 12 != 6
    folder = openpose(tmp_path, points)
    for frame, file in enumerate(sorted(folder.glob("*.json"))):
        content = json.loads(file.read_text())
        if frame % 5 < 2:
            content["people"].insert(0, {"pose_keypoints_2d": ghost[frame].ravel().tolist()})
        write_json(file, content if seen[frame] else {"people": []})
    person = load(folder)
    np.testing.assert_array_equal(person.present.all(axis=1), seen)
    np.testing.assert_allclose(person.points[seen], points[seen], atol=1e-3)
    assert any("detected twice" in remark for remark in person.remarks)


def test_world_landmarks_are_refused_with_the_name_of_what_is_wanted(tmp_path):
    """As in ``mp_world.json``."""
    body = a_body("mediapipe33", FRAMES)
    hips = body[:, 23:25, :2].mean(axis=1, keepdims=True)
    world = np.concatenate(((body[..., :2] - hips) / 500, body[..., 2:]), axis=-1)
    with pytest.raises(InputError, match=r"centred on the hips .*: in MediaPipe pose_landmarks"):
        load(landmark_objects(tmp_path, world * [*SIZE, 1]))

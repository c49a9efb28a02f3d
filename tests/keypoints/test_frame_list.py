"""Frames of people are found whatever holds them, each at its own number."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from written_files import FPS, SIZE, a_body, write_json

from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, load_keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES

COCO, MEDIAPIPE = a_body("coco17"), a_body("mediapipe33")
NAMES = KEYPOINT_NAMES["coco17"]
NUMBERS = (4, 5, 6, 8, 9, 10)
"""Of the frames: the seventh is not there."""


def load(path: Path) -> Keypoints:
    (person,) = load_keypoints(path, fps=FPS, image_size=SIZE)
    return person


def at_its_frames(person: Keypoints, points: np.ndarray) -> None:
    """The six poses are at the numbers of their frames, and nobody is in the others."""
    first = round(person.timestamps[0] * FPS)
    assert first in (0, NUMBERS[0])
    seen = np.flatnonzero(person.present.any(axis=1)) + first
    assert tuple(seen) == NUMBERS
    np.testing.assert_allclose(person.points[seen - first], points, atol=2e-3)


def instance(pose: np.ndarray) -> dict:
    return {"keypoints": pose[:, :2].tolist(), "keypoint_scores": pose[:, 2].tolist(), "bbox": [[0, 0, 9, 9]]}


def ultralytics(pose: np.ndarray) -> dict:
    x, y, visible = pose.T.tolist()
    return {"name": "person", "box": {}, "keypoints": {"x": x, "y": y, "visible": visible}}


def by_name(pose: np.ndarray) -> dict:
    return {"keypoints": dict(zip(NAMES, pose.tolist(), strict=True))}


def posenet(pose: np.ndarray) -> dict:
    return {
        "score": 0.9,
        "keypoints": [
            {"part": name, "position": {"x": x, "y": y}, "score": score}
            for name, (x, y, score) in zip(NAMES, pose.tolist(), strict=True)
        ],
    }


def flat(pose: np.ndarray) -> dict:
    return {"keypoints": pose.ravel().tolist(), "score": 0.9, "category_id": 1}


PEOPLE = [instance, ultralytics, by_name, posenet, flat]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize(
    "frame",
    [
        lambda people: people,
        lambda people: {"meta_info": {}, "instance_info": people},
        lambda people: {"predictions": [people]},
    ],
    ids=["list", "instance_info", "predictions"],
)
def test_a_folder_of_a_file_for_each_image_is_one_clip(tmp_path, person, frame):
    for number, pose in zip(NUMBERS, COCO, strict=True):
        write_json(tmp_path / f"{number:06d}.json", frame([person(pose)]))
    write_json(tmp_path / "000007.json", frame([]))
    at_its_frames(load(tmp_path), COCO)


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("people", [lambda one: one, lambda one: [one]], ids=["a person", "a list"])
def test_an_object_by_frame_is_one_clip(tmp_path, person, people):
    content = {f"frame_{number}": people(person(pose)) for number, pose in zip(NUMBERS, COCO, strict=True)}
    at_its_frames(load(write_json(tmp_path / "x.json", content)), COCO)


def test_poses_by_frame_need_no_names(tmp_path):
    content = {str(number): pose.tolist() for number, pose in zip(NUMBERS, COCO, strict=True)}
    at_its_frames(load(write_json(tmp_path / "x.json", content)), COCO)
    content["4"][3] = [1.0]
    with pytest.raises(InputError, match="irregular"):
        load(write_json(tmp_path / "x.json", content))


@pytest.mark.parametrize("key", ["people", "persons", "predictions", "detections"])
@pytest.mark.parametrize("number", ["frame", "frame_id", "frame_index", "frame_number"])
@pytest.mark.parametrize("person", [ultralytics, by_name, posenet, flat])
def test_frames_that_say_their_number_are_at_it(tmp_path, key, number, person):
    frames = [{number: n, key: [person(pose)]} for n, pose in zip(NUMBERS, COCO, strict=True)]
    at_its_frames(load(write_json(tmp_path / "x.json", frames)), COCO)
    (tmp_path / "x.json").write_text("\n".join(json.dumps(frame) for frame in frames))  # OpenPifPaf's lines
    at_its_frames(load(tmp_path / "x.json"), COCO)
    frames[1][number] = frames[0][number]
    with pytest.raises(InputError, match=f"a {number} occurs twice"):
        load(write_json(tmp_path / "x.json", frames))


def landmarks(pose: np.ndarray) -> list[dict]:
    return [
        {"x": x / SIZE[0], "y": y / SIZE[1], "z": 0.1, "visibility": score} for x, y, score in pose.tolist()
    ]


def named_landmarks(pose: np.ndarray) -> dict:
    names = [name.upper() for name in KEYPOINT_NAMES["mediapipe33"]]
    return dict(reversed(list(zip(names, landmarks(pose), strict=True))))


@pytest.mark.parametrize("each", [landmarks, named_landmarks, lambda pose: [landmarks(pose)]])
def test_mediapipes_frames_that_say_their_number_are_at_it(tmp_path, each: Callable):
    frames = [{"frame": n, "landmarks": each(pose)} for n, pose in zip(NUMBERS, MEDIAPIPE, strict=True)]
    at_its_frames(load(write_json(tmp_path / "x.json", frames)), MEDIAPIPE)


def test_names_of_landmarks_that_are_none_are_refused(tmp_path):
    frames = [{"landmarks": named_landmarks(pose)} for pose in MEDIAPIPE]
    text = json.dumps(frames).replace("LEFT_EAR", "LEFT_ANTENNA")
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match="frame 0: no landmarks are LEFT_ANTENNA"):
        load(tmp_path / "x.json")


def test_frames_as_text_are_read(tmp_path):
    """``results.to_json()`` of Ultralytics gives text, of which people make a list."""
    path = write_json(tmp_path / "x.json", [json.dumps([ultralytics(pose)]) for pose in COCO])
    np.testing.assert_allclose(load(path).points, COCO, rtol=1e-6)
    deep = "[" * 100
    with pytest.raises(InputError, match="frame 0: nested more than 32 levels deep"):
        load(write_json(path, [deep]))


def test_openposes_frames_in_one_list_are_one_clip(tmp_path):
    frames = [{"people": [{"pose_keypoints_2d": pose.ravel().tolist()}]} for pose in a_body("coco18")]
    np.testing.assert_allclose(
        load(write_json(tmp_path / "x.json", frames)).points, a_body("coco18"), rtol=1e-6
    )


def test_frames_of_cameras_are_no_frames_of_a_clip(tmp_path):
    content = {f"camera{number}": [pose.tolist() for pose in COCO] * 20 for number in range(2)}
    with pytest.raises(InputError, match="2 cameras by its shape"):
        load(write_json(tmp_path / "x.json", content))
    for name in ("cam1_000.json", "cam1_001.json", "cam2_000.json", "cam2_001.json"):
        write_json(tmp_path / name, [])
    (tmp_path / "x.json").unlink()
    with pytest.raises(InputError, match="files of several videos: cam1_, cam2_"):
        load(tmp_path)

"""Readers of what detectors write: OpenPose, AlphaPose, MMPose, rtmlib and MediaPipe (docs/keypoints.md)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.raw import (
    Person,
    RawKeypoints,
    number_array,
    parse_metadata,
    raw_from_frames,
    whole_number,
)

_NORMALISED = 1.5
"""Landmarks are shares of the image if half of their coordinates are no larger than this."""


def parse_openpose(files: list[tuple[str, Any]]) -> RawKeypoints:
    """Raw keypoints from the names and contents of OpenPose's files, one per frame."""
    frames: dict[int, list[Person]] = {}
    for index, (name, content) in enumerate(files):
        number = _frame_of_name(name) if len(files) > 1 else index
        if number in frames:
            raise InputError(f"{name}: frame {number} is there twice; is the folder of one video?")
        people = _list(_field(content, "people", name), f"{name}: people")
        frames[number] = [_openpose_person(person, name) for person in people]
    return raw_from_frames(frames)


def _openpose_person(person: Any, name: str) -> Person:
    values = number_array(
        _field(person, "pose_keypoints_2d", name), f"{name}: pose_keypoints_2d", ("numbers",)
    )
    if len(values) != 75:
        what = "COCO's 18 keypoints" if len(values) == 54 else f"{len(values)} numbers"
        raise InputError(f"{name}: pose_keypoints_2d has {what}, expected 75 numbers: the model BODY_25")
    return Person(values.reshape(25, 3), _track(person.get("person_id"), name))


def parse_alphapose(content: Any) -> RawKeypoints:
    """Raw keypoints from AlphaPose's ``alphapose-results.json``, its default form."""
    frames: dict[int, list[Person]] = {}
    for index, entry in enumerate(_list(content, "the file")):
        what = f"entry {index}"
        number = _frame_of_name(str(_field(entry, "image_id", what)))
        values = number_array(_field(entry, "keypoints", what), f"{what}: keypoints", ("numbers",))
        if len(values) % 3:
            raise InputError(f"{what}: keypoints has {len(values)} numbers, expected x, y, score of each")
        frames.setdefault(number, []).append(Person(values.reshape(-1, 3), _track(entry.get("idx"), what)))
    return raw_from_frames(frames)


def parse_mmpose(content: Any) -> RawKeypoints:
    """Raw keypoints from the predictions of MMPose's inferencer or of its demos."""
    frames = {
        number: [_mmpose_person(instance, f"frame {number}") for instance in instances]
        for number, instances in _mmpose_frames(content).items()
    }
    return raw_from_frames(frames)


def _mmpose_frames(content: Any) -> dict[int, list]:
    if isinstance(content, dict):
        entries = content.get("instance_info", content.get("predictions"))
    else:
        entries = content
    entries = _list(entries, "the frames")
    if all(isinstance(entry, dict) and "instances" in entry for entry in entries):
        first = 1 if isinstance(content, dict) and "instance_info" in content else 0  # the demos count from 1
        numbers = [whole_number(_field(entry, "frame_id", "a frame"), "frame_id") for entry in entries]
        if len(set(numbers)) < len(numbers):
            raise InputError("a frame_id is there twice")
        return {
            number - first: _list(entry["instances"], "instances")
            for number, entry in zip(numbers, entries, strict=True)
        }
    if all(isinstance(entry, dict) for entry in entries):
        return {0: entries}
    return {number: _unwrapped(entry) for number, entry in enumerate(entries)}


def _unwrapped(instances: Any) -> list:
    """The instances of a frame, without the batch about them that the inferencer's results have."""
    instances = _list(instances, "a frame")
    return _unwrapped(instances[0]) if instances and isinstance(instances[0], list) else instances


def _mmpose_person(instance: Any, what: str) -> Person:
    xy = number_array(_field(instance, "keypoints", what), f"{what}: keypoints", ("keypoints", 2))
    scores = _field(instance, "keypoint_scores", what)
    scores = number_array(scores, f"{what}: keypoint_scores", (len(xy),))
    return Person(np.column_stack((xy, scores)), _track(instance.get("track_id"), what))


def parse_rtmlib(content: dict[str, Any]) -> RawKeypoints:
    """Raw keypoints from rtmlib's ``keypoints, scores`` of every frame, put under these two keys."""
    keypoints, scores = (_frames_of(content, key) for key in ("keypoints", "scores"))
    if len(keypoints) != len(scores):
        raise InputError(f"keypoints has {len(keypoints)} frames and scores {len(scores)}")
    frames = {
        frame: _rtmlib_people(positions, marks, f"frame {frame}")
        for frame, (positions, marks) in enumerate(zip(keypoints, scores, strict=True))
    }
    return replace(raw_from_frames(frames), **parse_metadata(content))


def _frames_of(content: dict[str, Any], key: str) -> Any:
    value = _field(content, key, "the file")
    return value if isinstance(value, np.ndarray) and value.ndim else _list(value, key)


def _rtmlib_people(positions: Any, marks: Any, what: str) -> list[Person]:
    if positions is None or (isinstance(positions, list) and not positions):
        return []
    xy = number_array(positions, f"{what}: keypoints", ("people", "keypoints", 2))
    scores = number_array(marks, f"{what}: scores", xy.shape[:2])
    return [Person(points) for points in np.concatenate((xy, scores[..., None]), axis=-1)]


def parse_mediapipe(content: Any) -> RawKeypoints:
    """Raw keypoints from MediaPipe's landmarks: per frame 33 of them, or a list of such lists, or null."""
    frames: dict[int, list[Person]] = {}
    for number, entry in enumerate(_list(content, "the file")):
        landmarks = _list(entry or [], f"frame {number}")
        people = landmarks if landmarks and isinstance(landmarks[0], list) else [landmarks]
        frames[number] = [_mediapipe_person(person, f"frame {number}") for person in people if person]
    raw = raw_from_frames(frames)
    coordinates = np.concatenate([np.ravel(points[..., :2]) for points in raw.tracks.values()])
    return replace(raw, normalised=bool(np.nanmedian(np.abs(coordinates)) <= _NORMALISED))


def _mediapipe_person(landmarks: Any, what: str) -> Person:
    if len(_list(landmarks, what)) != 33:
        raise InputError(f"{what} has {len(landmarks)} landmarks, expected 33")
    values = [
        (_field(landmark, "x", what), _field(landmark, "y", what), landmark.get("visibility", 1.0))
        for landmark in landmarks
    ]
    return Person(number_array(values, f"{what}: landmarks", (33, 3)))


def _field(mapping: Any, key: str, what: str) -> Any:
    if not isinstance(mapping, dict) or key not in mapping:
        raise InputError(f"{what}: expected an object with the key {key!r}")
    return mapping[key]


def _list(value: Any, what: str) -> list:
    if not isinstance(value, list):
        raise InputError(f"{what}: expected a list, found {type(value).__name__}")
    return value


def _frame_of_name(name: str) -> int:
    """The frame number in the name of an image or file: its last digits, ``video_000000000012_keypoints``."""
    digits = re.findall(r"\d+", re.sub(r"(_keypoints)?\.[a-z]+$", "", name, flags=re.IGNORECASE))
    if not digits or len(digits[-1]) > 15:
        raise InputError(f"{name!r} has no frame number, expected one such as video_000000000012")
    return int(digits[-1])


def _track(value: Any, what: str) -> int | None:
    """A track number as detectors write it: 3, 3.0 or [3.0]; -1 is theirs for somebody not tracked."""
    while isinstance(value, list) and value:
        value = value[0]
    if value is None or value == []:
        return None
    number = whole_number(value, f"{what}: the person's number")
    return number if number >= 0 else None

"""Parsers of detectors' JSON: OpenPose, AlphaPose, MMPose, rtmlib and MediaPipe (docs/keypoints.md)."""

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

_MAX_NORMALISED = 1.5
"""Landmarks count as normalised by the image size if their median absolute coordinate is at most this. It is
above 1 because MediaPipe also places landmarks outside the image."""


def parse_openpose(files: list[tuple[str, Any]]) -> RawKeypoints:
    """Parse OpenPose's files.

    Args:
        files: name and decoded JSON of each file, one per frame.

    Raises:
        InputError: a value is missing or malformed, the model is not BODY_25, or a frame number occurs twice.
    """
    frames: dict[int, list[Person]] = {}
    for index, (name, content) in enumerate(files):
        number = _frame_of_name(name) if len(files) > 1 else index
        if number in frames:
            raise InputError(f"{name}: frame {number} occurs twice; is the folder of one video?")
        people = _expect_list(_expect_key(content, "people", name), f"{name}: people")
        frames[number] = [_openpose_person(person, name) for person in people]
    return raw_from_frames(frames)


def _openpose_person(person: Any, name: str) -> Person:
    values = number_array(
        _expect_key(person, "pose_keypoints_2d", name), f"{name}: pose_keypoints_2d", ("numbers",)
    )
    if len(values) != 75:
        what = "COCO's 18 keypoints" if len(values) == 54 else f"{len(values)} numbers"
        raise InputError(f"{name}: pose_keypoints_2d has {what}, expected 75 numbers: the model BODY_25")
    return Person(values.reshape(25, 3), _track(person.get("person_id"), name))


def parse_alphapose(content: Any) -> RawKeypoints:
    """Parse AlphaPose's ``alphapose-results.json`` in its default format.

    Raises:
        InputError: a value is missing or malformed.
    """
    frames: dict[int, list[Person]] = {}
    for index, entry in enumerate(_expect_list(content, "the file")):
        what = f"entry {index}"
        number = _frame_of_name(str(_expect_key(entry, "image_id", what)))
        values = number_array(_expect_key(entry, "keypoints", what), f"{what}: keypoints", ("numbers",))
        if len(values) % 3:
            raise InputError(f"{what}: keypoints has {len(values)} numbers, expected x, y, score of each")
        frames.setdefault(number, []).append(Person(values.reshape(-1, 3), _track(entry.get("idx"), what)))
    return raw_from_frames(frames)


def parse_mmpose(content: Any) -> RawKeypoints:
    """Parse the predictions of MMPose's inferencer or of its demos.

    Raises:
        InputError: a value is missing or malformed, or a frame number occurs twice.
    """
    frames = {
        number: [_mmpose_person(instance, f"frame {number}") for instance in instances]
        for number, instances in _mmpose_frames(content).items()
    }
    return raw_from_frames(frames)


def _mmpose_frames(content: Any) -> dict[int, list]:
    """The instances (people) of every frame, by frame number from 0."""
    if isinstance(content, dict):
        entries = content.get("instance_info", content.get("predictions"))
    else:
        entries = content
    entries = _expect_list(entries, "the frames")
    if all(isinstance(entry, dict) and "instances" in entry for entry in entries):
        first = 1 if isinstance(content, dict) and "instance_info" in content else 0  # the demos count from 1
        numbers = [whole_number(_expect_key(entry, "frame_id", "a frame"), "frame_id") for entry in entries]
        if len(set(numbers)) < len(numbers):
            raise InputError("a frame_id occurs twice")
        return {
            number - first: _expect_list(entry["instances"], "instances")
            for number, entry in zip(numbers, entries, strict=True)
        }
    if all(isinstance(entry, dict) for entry in entries):
        return {0: entries}
    return {number: _unwrap(entry) for number, entry in enumerate(entries)}


def _unwrap(instances: Any) -> list:
    """The instances of a frame, without the batch dimension that the inferencer adds."""
    instances = _expect_list(instances, "a frame")
    return _unwrap(instances[0]) if instances and isinstance(instances[0], list) else instances


def _mmpose_person(instance: Any, what: str) -> Person:
    xy = number_array(_expect_key(instance, "keypoints", what), f"{what}: keypoints", ("keypoints", 2))
    scores = _expect_key(instance, "keypoint_scores", what)
    scores = number_array(scores, f"{what}: keypoint_scores", (len(xy),))
    return Person(np.column_stack((xy, scores)), _track(instance.get("track_id"), what))


def parse_rtmlib(content: dict[str, Any]) -> RawKeypoints:
    """Parse rtmlib's ``keypoints, scores`` of every frame, stored under these two keys.

    Raises:
        InputError: a value is missing or malformed, or the two keys differ in their number of frames.
    """
    keypoints, scores = (_expect_frames(content, key) for key in ("keypoints", "scores"))
    if len(keypoints) != len(scores):
        raise InputError(f"keypoints has {len(keypoints)} frames and scores {len(scores)}")
    frames = {
        frame: _rtmlib_people(positions, scores, f"frame {frame}")
        for frame, (positions, scores) in enumerate(zip(keypoints, scores, strict=True))
    }
    return replace(raw_from_frames(frames), **parse_metadata(content))


def _expect_frames(content: dict[str, Any], key: str) -> Any:
    value = _expect_key(content, key, "the file")
    return value if isinstance(value, np.ndarray) and value.ndim else _expect_list(value, key)


def _rtmlib_people(positions: Any, scores: Any, what: str) -> list[Person]:
    if positions is None or (isinstance(positions, list) and not positions):
        return []
    xy = number_array(positions, f"{what}: keypoints", ("people", "keypoints", 2))
    scores = number_array(scores, f"{what}: scores", xy.shape[:2])
    return [Person(points) for points in np.concatenate((xy, scores[..., None]), axis=-1)]


def parse_mediapipe(content: Any) -> RawKeypoints:
    """Parse MediaPipe's landmarks: for every frame one person's 33, or a list of people, or null.

    Raises:
        InputError: a value is missing or malformed.
    """
    frames: dict[int, list[Person]] = {}
    for number, entry in enumerate(_expect_list(content, "the file")):
        landmarks = _expect_list(entry or [], f"frame {number}")
        people = landmarks if landmarks and isinstance(landmarks[0], list) else [landmarks]
        frames[number] = [_mediapipe_person(person, f"frame {number}") for person in people if person]
    raw = raw_from_frames(frames)
    coordinates = np.concatenate([np.ravel(points[..., :2]) for points in raw.tracks.values()])
    return replace(raw, normalised=bool(np.nanmedian(np.abs(coordinates)) <= _MAX_NORMALISED))


def _mediapipe_person(landmarks: Any, what: str) -> Person:
    if len(_expect_list(landmarks, what)) != 33:
        raise InputError(f"{what} has {len(landmarks)} landmarks, expected 33")
    values = [
        (_expect_key(landmark, "x", what), _expect_key(landmark, "y", what), landmark.get("visibility", 1.0))
        for landmark in landmarks
    ]
    return Person(number_array(values, f"{what}: landmarks", (33, 3)))


def _expect_key(mapping: Any, key: str, what: str) -> Any:
    if not isinstance(mapping, dict) or key not in mapping:
        raise InputError(f"{what}: expected an object with the key {key!r}")
    return mapping[key]


def _expect_list(value: Any, what: str) -> list:
    if not isinstance(value, list):
        raise InputError(f"{what}: expected a list, found {type(value).__name__}")
    return value


def _frame_of_name(name: str) -> int:
    """The frame number in the name of an image or file: the last digits, as in ``video_000012_keypoints``."""
    digits = re.findall(r"\d+", re.sub(r"(_keypoints)?\.[a-z]+$", "", name, flags=re.IGNORECASE))
    if not digits or len(digits[-1]) > 15:
        raise InputError(f"{name!r} has no frame number, expected one such as video_000000000012")
    return int(digits[-1])


def _track(value: Any, what: str) -> int | None:
    """The track number that a detector wrote as 3, 3.0 or [3.0]; None for -1, a person not tracked."""
    while isinstance(value, list) and value:
        value = value[0]
    if value is None or value == []:
        return None
    number = whole_number(value, f"{what}: the person's number")
    return number if number >= 0 else None

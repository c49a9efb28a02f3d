"""Parsers of Google's detectors: MediaPipe's landmarks, and MoveNet as TensorFlow.js gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spgnet.errors import InputError, list_names
from spgnet.keypoints.keypoint_names import match_names
from spgnet.keypoints.keypoints import KeypointSetName, present
from spgnet.keypoints.points import track_of
from spgnet.keypoints.raw import MAX_NORMALISED, RawKeypoints, raw_from_frames
from spgnet.keypoints.tracks import Person, Track
from spgnet.keypoints.values import expect_key, expect_list, number_array

LANDMARK_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")
WORLD_KEYS = ("pose_world_landmarks", "poseWorldLandmarks", "worldLandmarks", "world_landmarks")
"""What MediaPipe and its wrappers call the landmarks in the image, and those in metres."""


def parse_mediapipe(content: Any) -> RawKeypoints:
    """Parse MediaPipe's landmarks: for every frame one person's 33, a list of people, null, or an object with
    either of these as its ``pose_landmarks``.

    Raises:
        InputError: a value is missing or malformed, or only world landmarks are there.
    """
    frames: dict[int, list[Person]] = {}
    for number, entry in enumerate(expect_list(content, "the file")):
        landmarks = _landmarks(entry, f"frame {number}")
        people = landmarks if landmarks and isinstance(landmarks[0], list) else [landmarks]
        frames[number] = [_mediapipe_person(person, f"frame {number}") for person in people if person]
    raw = raw_from_frames(frames)
    points = np.concatenate([track.points for track in raw.tracks.values()])
    median = np.median(np.abs(points[present(points)][:, :2]))
    return replace(raw, normalised=bool(median <= MAX_NORMALISED))


def _landmarks(entry: Any, what: str) -> list:
    """The landmarks of one frame, of one person or of a list of people."""
    while isinstance(entry, dict):
        key = next((key for key in LANDMARK_KEYS if key in entry), None)
        if key is None and any(key in entry for key in WORLD_KEYS):
            raise InputError(
                f"{what} has world landmarks only, centred on the hips; expected those of the image: "
                f"{LANDMARK_KEYS[0]}"
            )
        if key is None and len(entry) == 33 and all(isinstance(value, dict) for value in entry.values()):
            names, landmarks = list(entry), list(entry.values())
            matched = match_names(names, "mediapipe33")
            if matched.unknown:
                raise InputError(f"{what}: no landmarks are {list_names(list(matched.unknown))}")
            return [landmarks[at] for at in matched.columns]
        entry = expect_key(entry, key or LANDMARK_KEYS[0], what)
    return [_unwrapped(one) for one in expect_list(entry or [], what)]


def _unwrapped(person: Any) -> Any:
    """A person's landmarks, from an object that holds them if it is one."""
    key = next((key for key in LANDMARK_KEYS if isinstance(person, dict) and key in person), None)
    return person if key is None else person[key]


def _mediapipe_person(landmarks: Any, what: str) -> Person:
    count = len(expect_list(landmarks, what))
    if count != 33:
        part = {21: ", those of a hand", 468: ", those of a face", 478: ", those of a face"}.get(count, "")
        raise InputError(f"{what} has {count} landmarks{part}, expected the 33 of a pose")
    values = [
        (
            expect_key(landmark, "x", what),
            expect_key(landmark, "y", what),
            next((landmark[key] for key in ("visibility", "score") if landmark.get(key) is not None), 1.0),
        )
        for landmark in landmarks
    ]
    return Person(number_array(values, f"{what}: landmarks", (33, 3)))


_SCORES = ("score", "confidence", "visibility", "likelihood", "conf")


def _points(keypoints: Any, what: str) -> list[dict[str, Any]]:
    """Objects with x, y, score and name from a pose's keypoints: a list of such objects, of PoseNet's with
    ``position`` and ``part``, or an object by the names with such objects or lists of x, y and score."""
    if isinstance(keypoints, dict):
        keypoints = [
            dict(zip(("x", "y", "score"), point, strict=False), name=name)
            if isinstance(point, list)
            else point | {"name": name}
            for name, point in keypoints.items()
            if isinstance(point, dict | list)
        ]
    points = expect_list(keypoints, f"{what}: keypoints")
    if not all(isinstance(point, dict) for point in points):
        raise InputError(f"{what}: expected keypoints with x, y, score and name")
    return [
        point | point["position"] | {"name": point.get("part", "")}
        if isinstance(point.get("position"), dict)
        else point
        for point in points
    ]


def parse_tfjs(content: Any, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """Parse the poses of TensorFlow.js's detectors (MoveNet, PoseNet, BlazePose): a list over frames of lists
    of poses, or one pose each, whose ``keypoints`` may have names.

    Raises:
        InputError: a value is missing or malformed, or keypoints differ in their names.
    """
    frames: dict[int, list[Person]] = {}
    names: list[str] = []
    for number, entry in enumerate(expect_list(content, "the file")):
        what = f"frame {number}"
        frames[number] = []
        for pose in [entry] if isinstance(entry, dict) else expect_list(entry or [], what):
            keypoints = _points(expect_key(pose, "keypoints", what), what)
            named = [str(point["name"]) for point in keypoints if "name" in point]
            names = names or named
            if named != names and keypoints:
                raise InputError(f"{what}: the keypoints have other names than those before")
            values = [
                (
                    expect_key(point, "x", what),
                    expect_key(point, "y", what),
                    next((point[key] for key in _SCORES if point.get(key) is not None), 1.0),
                )
                for point in keypoints
            ]
            if values:
                points = number_array(values, f"{what}: keypoints", (len(values), 3))
                frames[number].append(Person(points, track_of(pose.get("id"), what)))
    raw = raw_from_frames(frames)
    if not names:
        return raw
    matched = match_names(names, keypoint_set)
    tracks = {
        number: Track(track.frames, matched.reorder(track.points), track.joined)
        for number, track in raw.tracks.items()
    }
    return replace(raw, tracks=tracks, keypoint_set=matched.keypoint_set).remark(*matched.remarks())

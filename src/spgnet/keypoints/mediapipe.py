"""Parsers of Google's detectors: MediaPipe's landmarks, and MoveNet as TensorFlow.js gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spgnet.errors import InputError
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
        entry = expect_key(entry, key or LANDMARK_KEYS[0], what)
    return [_unwrapped(one) for one in expect_list(entry or [], what)]


def _unwrapped(person: Any) -> Any:
    """A person's landmarks, from an object that holds them if it is one."""
    key = next((key for key in LANDMARK_KEYS if isinstance(person, dict) and key in person), None)
    return person if key is None else person[key]


def _mediapipe_person(landmarks: Any, what: str) -> Person:
    if len(expect_list(landmarks, what)) != 33:
        raise InputError(f"{what} has {len(landmarks)} landmarks, expected 33")
    values = [
        (
            expect_key(landmark, "x", what),
            expect_key(landmark, "y", what),
            next((landmark[key] for key in ("visibility", "score") if landmark.get(key) is not None), 1.0),
        )
        for landmark in landmarks
    ]
    return Person(number_array(values, f"{what}: landmarks", (33, 3)))


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
            keypoints = expect_list(expect_key(pose, "keypoints", what), f"{what}: keypoints")
            named = [str(point["name"]) for point in keypoints if isinstance(point, dict) and "name" in point]
            names = names or named
            if named != names:
                raise InputError(f"{what}: the keypoints have other names than those before")
            keypoints = [
                (expect_key(point, "x", what), expect_key(point, "y", what), point) for point in keypoints
            ]
            values = [(x, y, point.get("score", 1.0)) for x, y, point in keypoints]
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

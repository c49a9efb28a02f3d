"""Parsers of the results of Python detectors: MMPose, rtmlib, Ultralytics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.points import points_of, track_of
from spgnet.keypoints.raw import RawKeypoints, raw_from_frames
from spgnet.keypoints.tracks import Person
from spgnet.keypoints.values import expect_key, expect_list, number_array, parse_metadata, whole_number


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
    entries = expect_list(entries, "the frames")
    if all(isinstance(entry, dict) and "instances" in entry for entry in entries):
        first = 1 if isinstance(content, dict) and "instance_info" in content else 0  # the demos count from 1
        numbers = [whole_number(expect_key(entry, "frame_id", "a frame"), "frame_id") for entry in entries]
        if len(set(numbers)) < len(numbers):
            raise InputError("a frame_id occurs twice")
        return {
            number - first: expect_list(entry["instances"], "instances")
            for number, entry in zip(numbers, entries, strict=True)
        }
    if all(isinstance(entry, dict) for entry in entries):
        return {0: entries}
    return {number: _unwrap(entry) for number, entry in enumerate(entries)}


def _unwrap(instances: Any) -> list:
    """The instances of a frame, without the batch dimension that the inferencer adds."""
    while isinstance(instances, list) and instances and isinstance(instances[0], list):
        instances = instances[0]
    return expect_list(instances, "a frame")


def _mmpose_person(instance: Any, what: str) -> Person:
    xy = number_array(expect_key(instance, "keypoints", what), f"{what}: keypoints", ("keypoints", 2))
    scores = expect_key(instance, "keypoint_scores", what)
    scores = number_array(scores, f"{what}: keypoint_scores", (len(xy),))
    return Person(np.column_stack((xy, scores)), track_of(instance.get("track_id"), what))


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
    value = expect_key(content, key, "the file")
    return value if isinstance(value, np.ndarray) and value.ndim else expect_list(value, key)


def _rtmlib_people(positions: Any, scores: Any, what: str) -> list[Person]:
    if positions is None or (isinstance(positions, list) and not positions):
        return []
    xy = number_array(positions, f"{what}: keypoints", ("people", "keypoints", 2))
    scores = number_array(scores, f"{what}: scores", xy.shape[:2])
    return [Person(points) for points in np.concatenate((xy, scores[..., None]), axis=-1)]


def parse_ultralytics(content: Any) -> RawKeypoints:
    """Parse what ``results.to_json()`` gives for each image: a list of such lists of people, or one of them.

    Raises:
        InputError: a value is missing or malformed.
    """
    entries = expect_list(content, "the file")
    if entries and all(isinstance(entry, dict) for entry in entries):
        entries = [entries]
    frames = {
        number: [
            _ultralytics_person(person, f"frame {number}") for person in expect_list(entry, f"frame {number}")
        ]
        for number, entry in enumerate(entries)
    }
    return raw_from_frames(frames)


def _ultralytics_person(person: Any, what: str) -> Person:
    keypoints = expect_key(person, "keypoints", what)
    x, y = (number_array(expect_key(keypoints, key, what), f"{what}: {key}", ("keypoints",)) for key in "xy")
    if len(x) != len(y):
        raise InputError(f"{what}: x has {len(x)} numbers and y {len(y)}")
    scores = next((keypoints[key] for key in ("visible", "confidence", "conf") if key in keypoints), None)
    points = points_of(np.column_stack((x, y)), what, np.ones(len(x)) if scores is None else scores)
    return Person(points, track_of(person.get("track_id"), what))

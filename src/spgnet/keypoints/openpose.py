"""OpenPose's JSON, and other programs' in its form: Pose2Sim's, and AlphaPose's ``open`` and ``cmu``."""

from __future__ import annotations

from typing import Any

from spgnet.errors import InputError
from spgnet.keypoints.frame_numbers import frame_numbers, refuse_several_videos
from spgnet.keypoints.points import points_of, track_of
from spgnet.keypoints.raw import RawKeypoints, raw_from_frames
from spgnet.keypoints.tracks import Person
from spgnet.keypoints.values import expect_key, expect_list

_PEOPLE_KEYS = ("people", "bodies")
_POINT_KEYS = ("pose_keypoints_2d", "pose_keypoints", "joints")
"""What OpenPose, its first versions, and AlphaPose's form ``cmu`` call them."""


def parse_openpose(files: list[tuple[str, Any]], what: str = "file names") -> RawKeypoints:
    """Parse files of one frame each, with the people in it.

    Args:
        files: name and decoded JSON of each file, in their order.
        what: what the names are, for remarks.

    Raises:
        InputError: a value is missing or malformed, or the files are of several videos.
    """
    names = [name for name, _ in files]
    refuse_several_videos(names)
    numbers, remark = frame_numbers(names, what)
    frames = {number: _people(content, name) for number, (name, content) in zip(numbers, files, strict=True)}
    return raw_from_frames(frames, remark)


def parse_named_frames(content: dict[str, Any]) -> RawKeypoints:
    """Parse one object with the people of every frame by the name of its image.

    Raises:
        InputError: a value is missing or malformed.
    """
    return parse_openpose(list(content.items()), "image names")


def _people(content: Any, name: str) -> list[Person]:
    key = next((key for key in _PEOPLE_KEYS if isinstance(content, dict) and key in content), "people")
    people = expect_list(expect_key(content, key, name), f"{name}: {key}")
    found = [_person(person, name) for person in people]
    return [person for person in found if person is not None]


def _person(person: Any, name: str) -> Person | None:
    if isinstance(person, dict) and any(key.startswith("joints") and key != "joints" for key in person):
        raise InputError(f"{name}: joints in 3D (CMU Panoptic), expected 2D keypoints: {_POINT_KEYS[0]}")
    if isinstance(person, dict) and not person.keys() & set(_POINT_KEYS) and "pose_keypoints_3d" in person:
        raise InputError(f"{name}: keypoints in 3D only, expected 2D ones: {_POINT_KEYS[0]}")
    key = next((key for key in _POINT_KEYS if isinstance(person, dict) and key in person), _POINT_KEYS[0])
    values = expect_key(person, key, name)
    if values == []:
        return None
    return Person(points_of(values, f"{name}: {key}"), track_of(person.get("person_id"), name))

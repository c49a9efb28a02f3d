"""Lists of annotations, one for each person and frame: AlphaPose's default, COCO's, lifters' demos'."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.frame_numbers import counted_or_ordered, frame_numbers
from spgnet.keypoints.points import points_of, track_of
from spgnet.keypoints.raw import RawKeypoints, raw_from_frames
from spgnet.keypoints.tracks import Person
from spgnet.keypoints.values import expect_key, expect_list, parse_image_size, short, whole_number

FRAME_KEYS = (
    *("image_id", "frame_id", "frame", "frame_idx", "frame_index", "frame_number", "frame_no"),
    *("image", "image_name", "file_name"),
)
"""Keys under which entries say their frame."""
_TRACK_KEYS = ("idx", "track_id", "person_id", "instance_id")


def parse_annotations(content: Any) -> RawKeypoints:
    """Parse a list of one person in one frame each: ``alphapose-results.json`` in its default form, COCO's
    results, or an object with such a list as its ``annotations``.

    A frame's name tells its number (:func:`frame_numbers`); where it has a number instead of a name, numbers
    that count frames are the frames'. Where no entry has either, every entry is a frame.

    Raises:
        InputError: a value is missing or malformed.
    """
    entries = content.get("annotations") if isinstance(content, dict) else content
    entries = _flat(expect_list(entries, "the annotations"))
    every_entry = not any(key in entry for entry in entries if isinstance(entry, dict) for key in FRAME_KEYS)
    frames: dict[Any, list[Person]] = {}
    for index, entry in enumerate(entries):
        what = f"entry {index}"
        if isinstance(entry, dict) and "bbox" in entry and "keypoints" not in entry:
            raise InputError(f"{what} is a box without keypoints, expected the results of a pose detector")
        values = expect_key(entry, "keypoints", what)
        frame = index if every_entry else _frame_of(entry, what)
        if values:
            scores = entry.get("keypoint_scores", entry.get("scores"))
            track = next((entry[key] for key in _TRACK_KEYS if entry.get(key) is not None), None)
            points = points_of(values, f"{what}: keypoints", scores if isinstance(scores, list) else None)
            frames.setdefault(frame, []).append(Person(points, track_of(track, what)))
        else:
            frames.setdefault(frame, [])
    numbers, remark = _numbers(list(frames))
    remark = "the entries do not say their frames: every entry is taken for one" if every_entry else remark
    return raw_from_frames(dict(zip(numbers, frames.values(), strict=True)), remark)


def _flat(entries: list[Any]) -> list[Any]:
    """The people of a list over frames of lists of people, with their frames; another list as it is."""
    if not entries or not all(entry is None or isinstance(entry, list) for entry in entries):
        return entries
    flat: list[Any] = []
    for number, people in enumerate(entries):
        objects = [person for person in people or () if isinstance(person, dict)]
        flat += [person | {FRAME_KEYS[0]: number} for person in objects] or [
            {FRAME_KEYS[0]: number, "keypoints": []}
        ]
    return flat


def _frame_of(entry: dict[str, Any], what: str) -> str | int:
    key = next((key for key in FRAME_KEYS if key in entry), FRAME_KEYS[0])
    value = expect_key(entry, key, what)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what}: {key} is {short(value)}, expected a name or a number")
    return whole_number(value, f"{what}: {key}")


def _numbers(frames: list[str | int]) -> tuple[list[int], str]:
    numbers = [frame for frame in frames if isinstance(frame, int)]
    if len(numbers) == len(frames):
        return counted_or_ordered(numbers, "image_id")
    return frame_numbers([str(frame) for frame in frames], "image_id")


def parse_dataset(content: dict[str, Any]) -> RawKeypoints:
    """Parse an annotation file of COCO, with ``images`` and ``annotations``, for the images of one clip.

    A visibility of 2 (visible) counts as sure, of 1 (labelled, but not visible) as half, of 0 as missing.

    Raises:
        InputError: a value is missing or malformed, or images have several sizes.
    """
    images = expect_list(content.get("images"), "images")
    names: dict[int, str] = {}
    sizes = set()
    for index, image in enumerate(images):
        what = f"image {index}"
        number = whole_number(expect_key(image, "id", what), f"{what}: id")
        names[number] = str(image.get("file_name", number))
        if image.get("width") is not None and image.get("height") is not None:
            sizes.add(parse_image_size([image["width"], image["height"]], f"{what}: width and height"))
    if len(sizes) > 1:
        raise InputError(f"images of {len(sizes)} sizes, expected those of one clip")
    if len(set(names.values())) < len(names):
        raise InputError("several images have one file_name")
    numbers, remark = frame_numbers(list(names.values()), "file_name")
    frame = dict(zip(names, numbers, strict=True))
    frames: dict[int, list[Person]] = {number: [] for number in numbers}
    flagged = True
    for index, entry in enumerate(expect_list(content.get("annotations"), "annotations")):
        what = f"annotation {index}"
        image = whole_number(expect_key(entry, "image_id", what), f"{what}: image_id")
        if image not in frame:
            raise InputError(f"{what}: there is no image {image}")
        if not entry.get("keypoints"):
            continue
        points = points_of(entry["keypoints"], f"{what}: keypoints")
        flagged = flagged and bool(np.isin(points[:, 2], (0, 1, 2)).all())
        frames[frame[image]].append(Person(points, track_of(entry.get("track_id"), what)))
    if flagged:
        frames = {number: [_half(person) for person in people] for number, people in frames.items()}
    raw = raw_from_frames(frames, remark)
    return replace(raw, image_size=sizes.pop()) if sizes else raw


def _half(person: Person) -> Person:
    return person._replace(points=person.points * [1, 1, 0.5])

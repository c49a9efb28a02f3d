"""JSON that holds people frame by frame in other ways than a list: an object by frame, a file for each frame,
frames that say their number, and frames as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from spgnet.errors import InputError
from spgnet.keypoints.coco import FRAME_KEYS
from spgnet.keypoints.frame_numbers import counted_or_ordered, frame_numbers, frame_span
from spgnet.keypoints.values import whole_number
from spgnet.text import parse_json_text

_PEOPLE_KEYS = ("instance_info", "instances", "predictions", "people", "persons", "detections", "poses")
"""Keys under which a frame holds its people."""


class FrameList(NamedTuple):
    """What is in each frame.

    Attributes:
        frames: from the first frame to the last one; an empty list where a frame has no entry.
        first: number of the first frame.
        remark: on how the frames were numbered; empty if their numbers are stated.
    """

    frames: list[Any]
    first: int = 0
    remark: str = ""


def frames_by_name(names: Sequence[str], contents: Sequence[Any], what: str) -> FrameList:
    """The frames of images or files, one for each name.

    Raises:
        InputError: the names' numbers are too far apart for frames.
    """
    numbers, remark = frame_numbers(names, what)
    return _placed(numbers, [_people_in(content) for content in contents], remark)


def frames_in(content: Any) -> FrameList | None:
    """The frames in JSON that holds them in one of these ways; None for any other JSON.

    Raises:
        InputError: a frame as text is not JSON, or numbers are no frames'.
    """
    if isinstance(content, dict):
        values = list(content.values())
        by_frame = all(isinstance(value, dict | list) for value in values) and all(
            any(letter.isdigit() for letter in name[-20:]) for name in content
        )
        return frames_by_name(list(content), values, "keys") if values and by_frame else None
    if not isinstance(content, list) or not content:
        return None
    if all(isinstance(entry, str) and entry.lstrip()[:1] in ("[", "{") for entry in content):
        return FrameList(
            [_people_in(parse_json_text(text, f"frame {i}: ")) for i, text in enumerate(content)]
        )
    entries = [entry for entry in content if isinstance(entry, dict)]
    if len(entries) < len(content) or any(_tells_its_frame(entry) for entry in entries):
        return None
    people = [_people_in(entry) for entry in entries]
    key = next(
        (
            key
            for key in FRAME_KEYS
            if all(isinstance(entry.get(key), int | float | str) for entry in entries)
        ),
        None,
    )
    if key is None:
        return FrameList(people) if any(_holds_people(entry) for entry in entries) else None
    told = [entry[key] for entry in entries]
    if len(set(told)) < len(told):
        raise InputError(f"a {key} occurs twice, expected one entry for each frame")
    if all(isinstance(value, str) for value in told):
        numbers, remark = frame_numbers(told, key)
    else:
        counts = [whole_number(value, f"{key} of entry {index}") for index, value in enumerate(told)]
        numbers, remark = counted_or_ordered(counts, key)
    return _placed(numbers, people, remark)


def _tells_its_frame(entry: dict[str, Any]) -> bool:
    """Whether an entry of a list is a person whose frame its reader knows, or a frame of MMPose's."""
    if "keypoint_scores" in entry or "instances" in entry:
        return True
    values = entry.get("keypoints")
    while isinstance(values, list) and values:
        values = values[0]
    return isinstance(entry.get("keypoints"), list) and not isinstance(values, dict)


def _holds_people(frame: dict[str, Any]) -> bool:
    return any(isinstance(frame.get(key), list) for key in _PEOPLE_KEYS)


def _people_in(frame: Any) -> Any:
    """The people of a frame, without the object and the batch dimension around them; a person as a list of
    one."""
    if isinstance(frame, dict):
        frame = next((frame[key] for key in _PEOPLE_KEYS if isinstance(frame.get(key), list)), frame)
    while (
        isinstance(frame, list) and len(frame) == 1 and isinstance(frame[0], list) and _are_objects(frame[0])
    ):
        frame = frame[0]
    return [frame] if isinstance(frame, dict) and "keypoints" in frame else frame


def _are_objects(values: list[Any]) -> bool:
    return not values or isinstance(values[0], dict)


def _placed(numbers: Sequence[int], frames: Sequence[Any], remark: str) -> FrameList:
    first, span = frame_span(numbers)
    placed: list[Any] = [[]] * span
    for number, frame in zip(numbers, frames, strict=True):
        placed[number - first] = frame
    return FrameList(placed, first, remark)

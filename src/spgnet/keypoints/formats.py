"""The formats of keypoint files, and how they are told apart by what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.set_choice import SET_BY_COUNT

SMALLEST_SET = min(SET_BY_COUNT)
"""Keypoints of the smallest set."""

KeypointFormat = Literal[
    "spgnet",
    "csv",
    "openpose",
    "alphapose",
    "coco",
    "mmpose",
    "rtmlib",
    "ultralytics",
    "mediapipe",
    "movenet",
    "deeplabcut",
    "sleap",
    "movement",
    "videopose3d",
    "array",
]

EXPECTED: dict[KeypointFormat, str] = {
    "spgnet": "an .npz or a JSON object with 'keypoints' [frames, keypoints, 3]",
    "csv": "a .csv table with columns frame, nose_x, nose_y, nose_score, ...",
    "openpose": "a folder of .json files with 'people' in each",
    "alphapose": "a JSON list of objects with 'image_id' and 'keypoints'",
    "coco": "a JSON object with 'images' and 'annotations'",
    "mmpose": "a JSON list of frames with 'instances', or an object with 'instance_info'",
    "rtmlib": "a JSON object or an .npz with 'keypoints' and 'scores'",
    "ultralytics": "a JSON list of frames with 'keypoints' of 'x' and 'y', or a folder of .txt",
    "mediapipe": "a JSON list of frames with 33 landmarks 'x', 'y', 'visibility' each",
    "movenet": "a JSON list of poses with named 'keypoints'",
    "deeplabcut": "a .csv with rows scorer, bodyparts, coords, or its .h5",
    "sleap": "the analysis .h5 with 'tracks' and 'node_names'",
    "movement": "an .nc or .npz with 'position' and 'confidence'",
    "videopose3d": "data_2d_*.npz with 'positions_2d'",
    "array": "an .npy of numbers [frames, keypoints, 3]",
}
"""What a file of each format looks like, for messages."""

_OBJECT_KEYS: dict[str, KeypointFormat] = {
    "people": "openpose",
    "bodies": "openpose",
    "images": "coco",
    "annotations": "alphapose",
    "instance_info": "mmpose",
    "predictions": "mmpose",
    "scores": "rtmlib",
    "keypoints": "spgnet",
}
"""Keys that tell JSON objects apart."""
_ARRAY_KEYS: dict[str, KeypointFormat] = {
    "position": "movement",
    "positions_2d": "videopose3d",
    "reconstruction": "array",
}
"""Arrays that tell other programs' ``.npz`` apart."""


def format_of_npz(content: Mapping[str, Any]) -> KeypointFormat:
    """The format of an ``.npz`` file by its arrays.

    Ours holds x, y and score in one array, rtmlib's has the scores in a second one.
    """
    if "keypoints" not in content:
        for key, found in _ARRAY_KEYS.items():
            if key in content:
                return found
    ours = "scores" not in content or np.shape(content.get("keypoints", 0))[2:] == (3,)
    return "spgnet" if ours else "rtmlib"


_WRAPPERS = ("frames", "data", "results", "poses")
"""Keys under which people keep the list over frames."""


def unwrapped(content: Any) -> Any:
    """The list over frames in an object that only wraps it; anything else as it is."""
    if isinstance(content, dict) and not content.keys() & _OBJECT_KEYS.keys():
        for key in _WRAPPERS:
            if isinstance(content.get(key), list):
                return content[key]
    return content


def is_known_object(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is of a format by its own keys, or holds OpenPose's people by image."""
    return bool(content.keys() & _OBJECT_KEYS.keys()) or _holds_people(content)


def _holds_people(content: Mapping[str, Any]) -> bool:
    named = [value for value in content.values() if isinstance(value, dict)]
    return bool(named) and all("people" in value or "bodies" in value for value in named)


def format_of_json(content: Any) -> KeypointFormat:
    """The format of decoded JSON by its keys.

    Raises:
        InputError: it is of no known format, or an empty list.
    """
    if isinstance(content, dict):
        for key, found in _OBJECT_KEYS.items():
            if key in content:
                return found
        if _holds_people(content):
            return "alphapose"
        raise InputError(_unknown(f"an object with {_keys(content)}", content, "spgnet"))
    first = content
    while isinstance(first, list):
        first = next((entry for entry in first if entry is not None and entry != []), None)
    if first is None and isinstance(content, list):
        raise InputError("it holds no person: an empty list")
    if isinstance(first, dict):
        if found := _format_of_entry(first):
            return found
        raise InputError(_unknown(f"a list of objects with {_keys(first)}", first, "alphapose"))
    if isinstance(first, int | float) and not isinstance(first, bool) and isinstance(content, list):
        return "array"
    raise InputError(_unknown("text" if isinstance(first, str) else "one value"))


def _format_of_entry(entry: dict[str, Any]) -> KeypointFormat | None:
    """The format of a list by the first object in it."""
    keypoints = entry.get("keypoints")
    if isinstance(keypoints, dict):
        return "ultralytics" if isinstance(keypoints.get("x"), list) else "movenet"
    if isinstance(keypoints, list) and keypoints and isinstance(keypoints[0], dict):
        return "movenet"
    if any(key in entry for key in ("pose_keypoints_2d", "pose_keypoints")):
        return "openpose"
    if any(key in entry for key in ("instances", "keypoint_scores")) and "image_id" not in entry:
        return "mmpose"
    if keypoints is not None or "image_id" in entry:
        return "alphapose"
    if {"class", "box", "confidence"} <= entry.keys():
        raise InputError(
            "boxes of Ultralytics without keypoints; expected those of a pose model (yolo...-pose)"
        )
    if any("landmark" in key.lower() for key in entry) or "x" in entry:
        return "mediapipe"
    return None


def _keys(mapping: dict[str, Any]) -> str:
    return ", ".join(repr(str(key)[:30]) for key in list(mapping)[:5]) or "no keys"


_THREE_D = ("smpl", "betas", "theta", "thetas", "rotations", "joints3d", "joints_3d", "keypoints_3d")
"""Keys of 3D poses, in lower case."""


def _unknown(what: str, mapping: Mapping[str, Any] | None = None, nearest: KeypointFormat = "spgnet") -> str:
    """The message on JSON of no known format, with the nearest one that is known and what to rename."""
    mapping = mapping or {}
    if any(str(key).lower().startswith(_THREE_D) for key in mapping):
        return f"JSON of a 3D pose ({what}); expected 2D keypoints"
    listed = next((key for key, value in mapping.items() if _holds_numbers(value)), None)
    hint = (
        "" if listed is None else f": rename {str(listed)[:30]!r} to 'keypoints', with x, y and score of each"
    )
    return (
        f"JSON of no known format ({what}); the nearest of those in docs/keypoints.md is {nearest}, "
        f"{EXPECTED[nearest]}{hint}"
    )


def _holds_numbers(value: Any) -> bool:
    """Whether a value is nested lists of at least as many numbers as a body's keypoints have."""
    for _ in range(4):
        if not isinstance(value, list) or not value:
            return False
        if isinstance(value[0], int | float):
            return len(value) >= 2 * SMALLEST_SET
        if len(value) >= SMALLEST_SET and isinstance(value[0], list) and len(value[0]) in (2, 3):
            return True
        value = value[0]
    return False

"""Keypoint files of every kind we read, and which kind a file is (docs/keypoints.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from spgnet.keypoints.detector_json import (
    alphapose_recording,
    mediapipe_recording,
    mmpose_recording,
    openpose_recording,
    rtmlib_recording,
)
from spgnet.keypoints.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.npz_file import read_npz
from spgnet.keypoints.own_file import KEYS, own_recording
from spgnet.keypoints.recording import Options, Recording
from spgnet.keypoints.table_file import table_recording

KeypointFormat = Literal["spgnet", "csv", "openpose", "alphapose", "mmpose", "rtmlib", "mediapipe"]

EXPECTED: dict[KeypointFormat, str] = {
    "spgnet": "an .npz or a JSON object with 'keypoints' [frames, keypoints, 3]",
    "csv": "a .csv table with columns frame, nose_x, nose_y, nose_score, ...",
    "openpose": "a folder of *_keypoints.json with 'people' in each",
    "alphapose": "a JSON list of objects with 'image_id' and 'keypoints'",
    "mmpose": "a JSON list of frames with 'instances', or an object with 'instance_info'",
    "rtmlib": "a JSON object or an .npz with 'keypoints' and 'scores'",
    "mediapipe": "a JSON list of frames with 33 landmarks 'x', 'y', 'visibility' each",
}
"""The formats, and what each looks like."""


def load_people(
    path: Path | str,
    *,
    keypoint_set: KeypointSetName | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    read_as: KeypointFormat | Literal["auto"] = "auto",
) -> list[Keypoints]:
    """Everyone in a keypoint file, by track number; the format shows in the contents.

    Scores are clamped to [0, 1]; what is missing is NaN, NaN, 0. Points are in single precision.

    Args:
        path: a file, or OpenPose's folder.
        keypoint_set: which keypoints these are, where the file does not say.
        fps: frames per second. It comes before what the file says, for video in slow motion.
        image_size: width and height in pixels, where the file does not say.
        read_as: the format that the file must have.

    Returns:
        One person or more, all with the same frames, each seen in some of them.

    Raises:
        ValueError: the file is not there, is of no known format or not of the one asked for, is damaged,
            lacks what the options do not give, contradicts them, or holds nobody.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if read_as not in ("auto", *get_args(KeypointFormat)):
        raise ValueError(f"no keypoint format {read_as!r}; there are {', '.join(get_args(KeypointFormat))}")
    try:
        found, content = _opened(path)
        if read_as not in ("auto", found):
            raise ValueError(f"it looks like {found}, not {read_as}: expected {EXPECTED[read_as]}")
        return _recording(found, content, keypoint_set).people(Options(keypoint_set, fps, image_size))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _opened(path: Path) -> tuple[KeypointFormat, Any]:
    """The format and the contents of a file or folder."""
    if path.is_dir():
        names = sorted(path.glob("*_keypoints.json"))
        if not names:
            raise ValueError(f"no keypoints in this folder: expected {EXPECTED['openpose']}")
        return "openpose", [(name.name, _json(name, f"{name.name}: ")) for name in names]
    suffix = path.suffix.lower()
    if suffix == ".npz":
        content = read_npz(path, KEYS)
        return _format_of_npz(content), content
    if suffix in (".csv", ".tsv"):
        return "csv", _text(path)
    if suffix == ".json":
        content = _json(path)
        found = _format_of_json(content)
        return found, [(path.name, content)] if found == "openpose" else content
    never = "pickles are never opened; " if suffix in (".pkl", ".pickle", ".pt", ".pth") else ""
    raise ValueError(f"{never}expected .npz, .json, .csv or OpenPose's folder, not {suffix or 'no suffix'}")


def _recording(found: KeypointFormat, content: Any, keypoint_set: KeypointSetName | None) -> Recording:
    if found == "csv":
        return table_recording(content, keypoint_set)
    if found == "spgnet":
        return own_recording(content, keypoint_set)
    readers = {
        "openpose": openpose_recording,
        "alphapose": alphapose_recording,
        "mmpose": mmpose_recording,
        "rtmlib": rtmlib_recording,
        "mediapipe": mediapipe_recording,
    }
    return readers[found](content)


def _format_of_npz(content: dict[str, Any]) -> KeypointFormat:
    """Ours holds its scores beside x and y; rtmlib's are a second array."""
    ours = "scores" not in content or np.shape(content.get("keypoints", 0))[2:] == (3,)
    return "spgnet" if ours else "rtmlib"


_MARKS_OF_OBJECTS: dict[str, KeypointFormat] = {
    "people": "openpose",
    "instance_info": "mmpose",
    "predictions": "mmpose",
    "scores": "rtmlib",
    "keypoints": "spgnet",
}
_MARKS_OF_LISTS: dict[str, KeypointFormat] = {
    "image_id": "alphapose",
    "instances": "mmpose",
    "keypoint_scores": "mmpose",
    "x": "mediapipe",
}
"""Keys that tell the formats of JSON apart: of the object itself, or of the first object in the lists."""


def _format_of_json(content: Any) -> KeypointFormat:
    first = content
    while isinstance(first, list):
        first = next((entry for entry in first if entry), None)
    if first is None and isinstance(content, list):
        raise ValueError("it holds no person: an empty list")
    marks = _MARKS_OF_LISTS if isinstance(content, list) else _MARKS_OF_OBJECTS
    for key, found in marks.items():
        if isinstance(first, dict) and key in first:
            return found
    known = "; ".join(f"{name}: {text}" for name, text in EXPECTED.items() if "JSON" in text)
    raise ValueError(f"JSON of no known format; expected one of {known}")


def _json(path: Path, prefix: str = "") -> Any:
    text = _text(path, prefix)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{prefix}not JSON, or truncated ({error})") from None


def _text(path: Path, prefix: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{prefix}not a text file: expected UTF-8") from None

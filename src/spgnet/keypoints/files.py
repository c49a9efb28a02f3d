"""Keypoint files: recognising and loading every format, and saving our own (docs/keypoints.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_npz, write_text
from spgnet.keypoints.detector_json import (
    parse_alphapose,
    parse_mediapipe,
    parse_mmpose,
    parse_openpose,
    parse_rtmlib,
)
from spgnet.keypoints.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.raw import GivenMetadata, RawKeypoints, number_array, parse_metadata, whole_number
from spgnet.keypoints.table_file import parse_table

KEYS = (
    "keypoints",
    "keypoint_set",
    "timestamps",
    "fps",
    "image_size",
    "camera_matrix",
    "distortion",
    "track",
    "scores",
)
"""The keys of our own format and of rtmlib's; all others are ignored."""


def save_keypoints(path: Path | str, keypoints: Keypoints) -> None:
    """Write one person's keypoints in single precision as ``.npz`` or ``.json``.

    The file appears complete or not at all.

    Raises:
        InputError: the path has another suffix.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".json"):
        raise InputError(f"{path}: keypoints are saved as .npz or .json, not as {path.suffix or 'no suffix'}")
    values: dict[str, Any] = {
        "keypoints": keypoints.points.astype(np.float32),
        "keypoint_set": keypoints.keypoint_set,
        "timestamps": keypoints.timestamps.astype(np.float64),
        "fps": keypoints.fps,
        "image_size": np.array(keypoints.image_size),
        "track": keypoints.track,
    }
    for name in ("camera_matrix", "distortion"):
        if getattr(keypoints, name) is not None:
            values[name] = getattr(keypoints, name).astype(np.float64)
    if path.suffix == ".npz":
        write_npz(path, **values)
    else:
        write_text(path, json.dumps({name: _plain(value) for name, value in values.items()}, allow_nan=False))


def parse_spgnet(content: Mapping[str, Any], keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """Parse our own format, from ``.npz`` or JSON.

    Args:
        content: values by key.
        keypoint_set: the set to assume if the content does not name one.

    Raises:
        InputError: a value is missing or malformed.
    """
    if "keypoints" not in content:
        found = ", ".join(sorted(content)) or "none"
        raise InputError(f"no key 'keypoints' ({found} of the known keys), expected [frames, keypoints, 3]")
    points = number_array(content["keypoints"], "keypoints", ("frames", "keypoints", 3))
    track = content.get("track")
    number = 1 if track is None else whole_number(track, "track")
    metadata = {"keypoint_set": keypoint_set, **parse_metadata(content)}
    if metadata["keypoint_set"] is None:
        raise InputError("no key 'keypoint_set', expected the name of one: add it or give --keypoint-set")
    return RawKeypoints({number: points}, **metadata)


def _plain(value: Any) -> Any:
    """A value that JSON can hold: arrays as nested lists, NaN and infinity as null."""
    if not isinstance(value, np.ndarray):
        return value
    plain: np.ndarray = value.astype(object)
    plain[~np.isfinite(value)] = np.array(None, dtype=object)
    return plain.tolist()


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
"""What a file of each format looks like, for messages."""


def load_keypoints(
    path: Path | str,
    *,
    keypoint_set: KeypointSetName | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    format: KeypointFormat | Literal["auto"] = "auto",
) -> list[Keypoints]:
    """Load all people of a keypoint file, in the order of their track numbers.

    >>> (keypoints,) = load_keypoints("keypoints.npz")
    >>> keypoints.points.shape, keypoints.keypoint_set
    ((100, 26, 3), 'halpe26')

    The format is recognised by the contents. Scores are clamped to [0, 1]; a missing keypoint is NaN, NaN, 0.
    Points are in single precision.

    Args:
        path: a file, or OpenPose's folder.
        keypoint_set: the keypoint set, if the file does not name it.
        fps: frames per second. It overrides the rate in the file, for example for slow motion.
        image_size: width and height in pixels, if the file does not state them.
        format: the format that the file must have; ``"auto"`` accepts any.

    Returns:
        One person or more, all with the same frames; each is detected in at least one of them.

    Raises:
        InputError: the file does not exist, has no known format or not the requested one, is damaged, lacks
            metadata that the arguments do not supply either, contradicts them, or holds no person.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if format not in ("auto", *get_args(KeypointFormat)):
        raise InputError(f"no keypoint format {format!r}; there are {', '.join(get_args(KeypointFormat))}")
    with prefix_errors(path):
        found, content = _open(path)
        if format not in ("auto", found):
            raise InputError(f"it looks like {found}, not {format}: expected {EXPECTED[format]}")
        return _parse(found, content, keypoint_set).people(GivenMetadata(keypoint_set, fps, image_size))


KEYPOINT_SUFFIXES = (".npz", ".json", ".csv", ".tsv")
"""Endings of the keypoint files, which tell them from videos."""


def _open(path: Path) -> tuple[KeypointFormat, Any]:
    """The format and the decoded contents of a file or folder."""
    if path.is_dir():
        names = sorted(path.glob("*_keypoints.json"))
        if not names:
            raise InputError(f"no keypoints in this folder: expected {EXPECTED['openpose']}")
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
    note = "pickles are never opened; " if suffix in (".pkl", ".pickle", ".pt", ".pth") else ""
    known = ", ".join(KEYPOINT_SUFFIXES)
    raise InputError(f"{note}expected {known} or OpenPose's folder, not {suffix or 'no suffix'}")


def _parse(found: KeypointFormat, content: Any, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    if found == "csv":
        return parse_table(content, keypoint_set)
    if found == "spgnet":
        return parse_spgnet(content, keypoint_set)
    readers = {
        "openpose": parse_openpose,
        "alphapose": parse_alphapose,
        "mmpose": parse_mmpose,
        "rtmlib": parse_rtmlib,
        "mediapipe": parse_mediapipe,
    }
    return readers[found](content)


def _format_of_npz(content: dict[str, Any]) -> KeypointFormat:
    """Ours or rtmlib's: ours holds x, y and score in one array, rtmlib's has the scores in a second one."""
    ours = "scores" not in content or np.shape(content.get("keypoints", 0))[2:] == (3,)
    return "spgnet" if ours else "rtmlib"


_OBJECT_KEYS: dict[str, KeypointFormat] = {
    "people": "openpose",
    "instance_info": "mmpose",
    "predictions": "mmpose",
    "scores": "rtmlib",
    "keypoints": "spgnet",
}
_LIST_KEYS: dict[str, KeypointFormat] = {
    "image_id": "alphapose",
    "instances": "mmpose",
    "keypoint_scores": "mmpose",
    "x": "mediapipe",
}
"""Keys that tell the JSON formats apart: of the object itself, or of the first object in the lists."""


def _format_of_json(content: Any) -> KeypointFormat:
    first = content
    while isinstance(first, list):
        first = next((entry for entry in first if entry), None)
    if first is None and isinstance(content, list):
        raise InputError("it holds no person: an empty list")
    keys = _LIST_KEYS if isinstance(content, list) else _OBJECT_KEYS
    for key, found in keys.items():
        if isinstance(first, dict) and key in first:
            return found
    known = "; ".join(f"{name}: {text}" for name, text in EXPECTED.items() if "JSON" in text)
    raise InputError(f"JSON of no known format; expected one of {known}")


def _json(path: Path, prefix: str = "") -> Any:
    text = _text(path, prefix)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers or nesting beyond Python's limits raise them too
        raise InputError(f"{prefix}not JSON, or truncated ({error})") from None


def _text(path: Path, prefix: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{prefix}not a text file: expected UTF-8") from None

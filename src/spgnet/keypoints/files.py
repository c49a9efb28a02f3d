"""Keypoint files: loading every format, and saving our own (docs/keypoints.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from spgnet.errors import InputError, prefix_errors
from spgnet.files import natural_order, npz_names, read_npy, read_npz, write_npz, write_text
from spgnet.keypoints.arrays import parse_array, parse_reconstruction
from spgnet.keypoints.coco import parse_annotations, parse_dataset
from spgnet.keypoints.deeplabcut import is_deeplabcut, parse_deeplabcut_csv
from spgnet.keypoints.detector_json import parse_mmpose, parse_rtmlib, parse_ultralytics
from spgnet.keypoints.formats import EXPECTED, KeypointFormat, format_of_json, format_of_npz, unwrapped
from spgnet.keypoints.hdf5 import parse_hdf5, parse_movement
from spgnet.keypoints.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.mediapipe import parse_mediapipe, parse_tfjs
from spgnet.keypoints.openpose import parse_named_frames, parse_openpose
from spgnet.keypoints.raw import GivenMetadata, RawKeypoints
from spgnet.keypoints.table_file import parse_table, read_table
from spgnet.keypoints.tracks import whole_clip
from spgnet.keypoints.ultralytics_txt import parse_ultralytics_txt
from spgnet.keypoints.values import list_names, number_array, parse_metadata, whole_number
from spgnet.keypoints.videopose3d import parse_videopose3d
from spgnet.text import parse_json, read_text

KEYS = (
    "keypoints",
    "keypoint_set",
    "timestamps",
    "fps",
    "image_size",
    "camera_matrix",
    "distortion",
    "distortion_model",
    "track",
    "scores",
)
"""The keys of our own format and of rtmlib's; all others are ignored."""
_OTHER_KEYS = ("position", "confidence", "reconstruction")
"""The keys of other programs' ``.npz`` files."""


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
    if keypoints.fisheye:
        values["distortion_model"] = "equidistant"
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
    if content.get("keypoint_set") is None and np.ndim(content["keypoints"]) == 4:
        raw = parse_array(content["keypoints"], "keypoints")
        return replace(raw, **parse_metadata(content))
    points = number_array(content["keypoints"], "keypoints", ("frames", "keypoints", 3))
    track = content.get("track")
    number = 1 if track is None else whole_number(track, "track")
    metadata = {"keypoint_set": keypoint_set, **parse_metadata(content)}
    if metadata["keypoint_set"] is None:
        raise InputError("no key 'keypoint_set', expected the name of one: add it or give --keypoint-set")
    if not len(points):
        raise InputError("keypoints has no frames")
    return RawKeypoints({number: whole_clip(points)}, len(points), **metadata)


def _plain(value: Any) -> Any:
    """A value that JSON can hold: arrays as nested lists, NaN and infinity as null."""
    if not isinstance(value, np.ndarray):
        return value
    plain: np.ndarray = value.astype(object)
    plain[~np.isfinite(value)] = np.array(None, dtype=object)
    return plain.tolist()


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
    Points are in single precision. What had to be assumed is told in :attr:`Keypoints.remarks`.

    Args:
        path: a file, or the folder of the files of one clip (OpenPose's, Pose2Sim's, Ultralytics').
        keypoint_set: the keypoint set, if the file does not name it.
        fps: frames per second. It overrides the rate in the file, for example for slow motion.
        image_size: width and height in pixels, if the file does not state them.
        format: the format that the file must have; ``"auto"`` accepts any.

    Returns:
        One person or more, all with the same frames; each is detected in at least one of them.

    Raises:
        InputError: the file does not exist, has no known format or not the requested one, is damaged, lacks
            metadata that the arguments do not supply either, contradicts them, or holds no person.
        OSError: it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if format not in ("auto", *get_args(KeypointFormat)):
        raise InputError(f"no keypoint format {format!r}; there are {', '.join(get_args(KeypointFormat))}")
    with prefix_errors(path, longest=LONGEST_MESSAGE):
        found, raw = _open(path, keypoint_set, format)
        if format not in ("auto", found):
            raise InputError(f"it looks like {found}, not {format}: expected {EXPECTED[format]}")
        return raw.people(GivenMetadata(keypoint_set, fps, image_size))


LONGEST_MESSAGE = 250
"""Characters of the message on a file, without its name."""
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
HDF5_SUFFIXES = (".h5", ".hdf5", ".nc", ".slp")
KEYPOINT_SUFFIXES = (".npz", ".json", *TABLE_SUFFIXES, ".npy", *HDF5_SUFFIXES, ".jsonl")
"""Endings of the keypoint files, which tell them from videos."""
REFUSED_SUFFIXES = {
    ".pkl": "pickles are never opened; save the arrays with numpy.savez",
    ".pickle": "pickles are never opened; save the arrays with numpy.savez",
    ".pt": "pickles are never opened; save the arrays with numpy.savez",
    ".pth": "pickles are never opened; save the arrays with numpy.savez",
    ".xlsx": "a workbook; save it as CSV",
    ".xls": "a workbook; save it as CSV",
    ".parquet": "a Parquet table; save it as CSV",
    ".mat": "a MATLAB file; save its arrays as CSV or with numpy.savez",
    ".trc": "3D markers; 2D keypoints are lifted",
    ".c3d": "3D markers; 2D keypoints are lifted",
}
"""Endings of files that hold keypoints and are not read, and what to do with them."""


def _open(
    path: Path, keypoint_set: KeypointSetName | None, wanted: KeypointFormat | Literal["auto"]
) -> tuple[KeypointFormat, RawKeypoints]:
    """The format and the contents of a file or folder.

    Raises:
        InputError: it has no known format, or another one than the wanted one, or is malformed.
    """
    if path.is_dir():
        return _open_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _open_npz(path, keypoint_set)
    if suffix == ".npy":
        return "array", parse_array(read_npy(path), path.name)
    if suffix in HDF5_SUFFIXES:
        return parse_hdf5(path, keypoint_set)
    if suffix in TABLE_SUFFIXES:
        text = read_text(path)
        if is_deeplabcut(text):
            return "deeplabcut", parse_deeplabcut_csv(text, keypoint_set)
        if suffix == ".txt" and text[:1].isdecimal():
            return "ultralytics", parse_ultralytics_txt([(path.name, text)])
        return "csv", parse_table(read_table(text), keypoint_set)
    if suffix in (".json", ".jsonl"):
        return _open_json(path, keypoint_set, wanted)
    note = f"{REFUSED_SUFFIXES[suffix]}; " if suffix in REFUSED_SUFFIXES else ""
    raise InputError(
        f"{note}expected {', '.join(KEYPOINT_SUFFIXES)} or a folder of .json, not {suffix or 'no suffix'}"
    )


def _open_folder(path: Path) -> tuple[KeypointFormat, RawKeypoints]:
    files = sorted(
        (file for file in path.iterdir() if file.is_file()), key=lambda file: natural_order(file.name)
    )
    found = [file for file in files if file.name.lower().endswith("_keypoints.json")]
    found = found or [file for file in files if file.suffix.lower() == ".json"]
    if found:
        return "openpose", parse_openpose([(file.name, parse_json(file, f"{file.name}: ")) for file in found])
    if texts := [file for file in files if file.suffix.lower() == ".txt"]:
        return "ultralytics", parse_ultralytics_txt(
            [(file.name, read_text(file, f"{file.name}: ")) for file in texts]
        )
    inside = sorted(
        folder.name for folder in path.iterdir() if folder.is_dir() and any(folder.glob("*.json"))
    )
    if inside:
        raise InputError(
            f"a folder of {len(inside)} folders of keypoints, expected one: {list_names(inside)}"
        )
    known = sorted(
        {file.suffix for file in files if file.suffix.lower() in (*KEYPOINT_SUFFIXES, *REFUSED_SUFFIXES)}
    )
    note = f" (with {', '.join(known)} files: give one of them)" if known else ""
    raise InputError(f"no keypoints in this folder{note}: expected {EXPECTED['openpose']}")


def _open_npz(path: Path, keypoint_set: KeypointSetName | None) -> tuple[KeypointFormat, RawKeypoints]:
    names = npz_names(path)
    found = format_of_npz(dict.fromkeys(names))
    if found == "videopose3d":
        return found, parse_videopose3d(path)
    content = read_npz(path, (*KEYS, *_OTHER_KEYS))
    found = format_of_npz(content)
    if found == "movement":
        return found, parse_movement(content, keypoint_set)
    if found == "array":
        return found, parse_reconstruction(content["reconstruction"])
    return found, parse_rtmlib(content) if found == "rtmlib" else parse_spgnet(content, keypoint_set)


def _open_json(
    path: Path, keypoint_set: KeypointSetName | None, wanted: KeypointFormat | Literal["auto"]
) -> tuple[KeypointFormat, RawKeypoints]:
    content = unwrapped(parse_json(path))
    found = format_of_json(content)
    if wanted not in ("auto", found):
        raise InputError(f"it looks like {found}, not {wanted}: expected {EXPECTED[wanted]}")
    if found == "openpose":
        return found, parse_openpose([(path.name, content)])
    if found == "spgnet":
        return found, parse_spgnet(content, keypoint_set)
    if found == "alphapose" and isinstance(content, dict) and "annotations" not in content:
        return found, parse_named_frames(content)
    if found == "array":
        return found, parse_array(content, path.name)
    if found == "movenet":
        return found, parse_tfjs(content, keypoint_set)
    parsers = {
        "alphapose": parse_annotations,
        "coco": parse_dataset,
        "mmpose": parse_mmpose,
        "rtmlib": parse_rtmlib,
        "ultralytics": parse_ultralytics,
        "mediapipe": parse_mediapipe,
    }
    return found, parsers[found](content)

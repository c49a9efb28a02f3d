"""Keypoint files: loading every format, and saving our own (docs/keypoints.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from spgnet.errors import InputError, list_names, prefix_errors
from spgnet.files import natural_order, npz_names, read_npy, read_npz, write_npz, write_text
from spgnet.keypoints.arrays import nesting, parse_array, parse_reconstruction, positions_and_scores
from spgnet.keypoints.coco import parse_annotations, parse_dataset
from spgnet.keypoints.deeplabcut import is_deeplabcut, parse_deeplabcut_csv
from spgnet.keypoints.detector_json import parse_mmpose, parse_rtmlib, parse_ultralytics
from spgnet.keypoints.formats import (
    EXPECTED,
    KeypointFormat,
    format_of_json,
    format_of_npz,
    is_known_object,
    unwrapped,
)
from spgnet.keypoints.frame_list import FrameList, frames_by_name, frames_in
from spgnet.keypoints.frame_numbers import refuse_several_videos
from spgnet.keypoints.hdf5 import parse_hdf5, parse_movement
from spgnet.keypoints.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.mediapipe import parse_mediapipe, parse_tfjs
from spgnet.keypoints.openpose import parse_named_frames, parse_openpose
from spgnet.keypoints.raw import GivenMetadata, RawKeypoints
from spgnet.keypoints.table_file import parse_table, read_table
from spgnet.keypoints.tracks import whole_clip
from spgnet.keypoints.ultralytics_txt import parse_ultralytics_txt
from spgnet.keypoints.values import METADATA_KEYS, number_array, parse_metadata, whole_number
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
    "skipped",
    "scores",
)
"""The keys of our own format and of rtmlib's; all others are ignored."""
_OTHER_KEYS = ("position", "confidence", "reconstruction")
"""The keys of other programs' ``.npz`` files."""
_SCORE_KEYS = ("keypoint_scores", "confidence", "confidences", "conf")
"""What the scores are called in a ``.npz`` file whose keypoints are x and y only."""


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
    if keypoints.skipped is not None:
        values["skipped"] = keypoints.skipped.astype(np.uint8)
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
    if content.get("keypoint_set") is None and nesting(content["keypoints"]) == 4:
        raw = parse_array(content["keypoints"], "keypoints")
        return replace(raw, **parse_metadata(content))
    points = number_array(content["keypoints"], "keypoints", ("frames", "keypoints", "x, y, score"))
    if points.shape[2] not in (2, 3):
        raise InputError(f"keypoints has shape {list(points.shape)}, expected numbers [frames, keypoints, 3]")
    scored = points.shape[2] == 3
    points = points if scored else np.concatenate((points, np.ones_like(points[..., :1])), axis=-1)
    track = content.get("track")
    number = 1 if track is None else whole_number(track, "track")
    metadata = {"keypoint_set": keypoint_set, **parse_metadata(content)}
    if metadata["keypoint_set"] is None:
        raise InputError("no key 'keypoint_set', expected the name of one: add it or give --keypoint-set")
    if not len(points):
        raise InputError("keypoints has no frames")
    raw = RawKeypoints({number: whole_clip(points)}, len(points), **metadata)
    return raw if scored else raw.remark("there are no scores: every keypoint with a position counts as sure")


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
    return read_keypoints(Path(path), GivenMetadata(keypoint_set, fps, image_size), format)


def read_keypoints(
    path: Path, given: GivenMetadata, format: KeypointFormat | Literal["auto"] = "auto"
) -> list[Keypoints]:
    """:func:`load_keypoints` with all that is known beside the file.

    Raises:
        InputError: as :func:`load_keypoints`.
        OSError: it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: a pipe or a device, expected a file or a folder")
    if format not in ("auto", *get_args(KeypointFormat)):
        raise InputError(f"no keypoint format {format!r}; there are {', '.join(get_args(KeypointFormat))}")
    with prefix_errors(path, longest=LONGEST_MESSAGE):
        found, raw = _open(path, given.keypoint_set, format)
        if format not in ("auto", found):
            raise InputError(f"it looks like {found}, not {format}: expected {EXPECTED[format]}")
        return raw.people(given)


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
_CALIBRATION = "settings or a calibration; cameras are given with --camera, beside keypoints or a video"
_MOTION = "3D motion; 2D keypoints or a video are lifted"
_ARCHIVE = "an archive; unpack it"
OTHER_SUFFIXES = {
    **dict.fromkeys((".toml", ".yaml", ".yml", ".xml"), _CALIBRATION),
    **dict.fromkeys((".bvh", ".fbx", ".glb", ".gltf", ".mot", ".osim"), _MOTION),
    **dict.fromkeys((".zip", ".tar", ".gz", ".7z", ".rar"), _ARCHIVE),
}
"""Endings of files that are neither keypoints nor pictures, and what they are."""


def _open(
    path: Path, keypoint_set: KeypointSetName | None, wanted: KeypointFormat | Literal["auto"]
) -> tuple[KeypointFormat, RawKeypoints]:
    """The format and the contents of a file or folder.

    Raises:
        InputError: it has no known format, or another one than the wanted one, or is malformed.
    """
    if path.is_dir():
        return _open_folder(path, keypoint_set)
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
    if suffix in OTHER_SUFFIXES:
        raise InputError(OTHER_SUFFIXES[suffix])
    note = f"{REFUSED_SUFFIXES[suffix]}; " if suffix in REFUSED_SUFFIXES else ""
    raise InputError(
        f"{note}expected {', '.join(KEYPOINT_SUFFIXES)} or a folder of .json, not {suffix or 'no suffix'}"
    )


def _open_folder(path: Path, keypoint_set: KeypointSetName | None) -> tuple[KeypointFormat, RawKeypoints]:
    files = sorted(
        (file for file in path.iterdir() if file.is_file()), key=lambda file: natural_order(file.name)
    )
    found = [file for file in files if file.name.lower().endswith("_keypoints.json")]
    found = found or [file for file in files if file.suffix.lower() == ".json"]
    if found:
        contents = [(file.name, parse_json(file, f"{file.name}: ")) for file in found]
        if all(
            isinstance(content, dict) and {"people", "bodies"} & content.keys() for _, content in contents
        ):
            return "openpose", parse_openpose(contents)
        names = [name for name, _ in contents]
        refuse_several_videos(names)
        return _open_frames(
            frames_by_name(names, [content for _, content in contents], "file names"),
            path.name,
            keypoint_set,
            "auto",
        )
    if texts := [file for file in files if file.suffix.lower() == ".txt"]:
        return "ultralytics", parse_ultralytics_txt(
            [(file.name, read_text(file, f"{file.name}: ")) for file in texts]
        )
    known = sorted(
        {file.suffix for file in files if file.suffix.lower() in (*KEYPOINT_SUFFIXES, *REFUSED_SUFFIXES)}
    )
    inside = keypoint_folders(path)
    if len(inside) == 1 and not known:
        form, raw = _open_folder(path / inside[0], keypoint_set)
        return form, raw.remark(f"read from {inside[0]}")
    if inside:
        raise InputError(
            f"a folder with {len(inside)} folders of keypoints, expected one of these: {list_names(inside)}"
        )
    note = f" (with {', '.join(known)} files: give one of them)" if known else ""
    raise InputError(f"no keypoints in this folder{note}: expected {EXPECTED['openpose']}")


def keypoint_folders(path: Path) -> list[str]:
    """The folders of keypoints in a folder: ``cam01_json`` in Pose2Sim's ``pose``, ``pose/cam01_json`` in its
    project, ``labels`` in a result of Ultralytics."""
    found = [
        folder
        for pattern in ("*", "pose*/*")
        for folder in path.glob(pattern)
        if folder.is_dir()
        and (any(folder.glob("*.json")) or (folder.name == "labels" and any(folder.glob("*.txt"))))
    ]
    return [folder.relative_to(path).as_posix() for folder in sorted(found)]


def _open_npz(path: Path, keypoint_set: KeypointSetName | None) -> tuple[KeypointFormat, RawKeypoints]:
    names = npz_names(path)
    if {"joints", "joint_names"} <= set(names):
        raise InputError(
            "a lifted motion, which spgnet view and spgnet export take; its 2D keypoints are in the "
            "keypoints.npz beside it, if they were detected"
        )
    found = format_of_npz(dict.fromkeys(names))
    if found == "videopose3d":
        return found, parse_videopose3d(path)
    if found == "spgnet" and "keypoints" not in names:
        return "array", _archived_array(read_npz(path), path.name).remark(
            f"read as an array, of {list_names(sorted(names))}"
        )
    content = read_npz(path, (*KEYS, *_OTHER_KEYS))
    found = format_of_npz(content)
    if content.get("keypoints", np.empty(0)).shape[2:] == (2,):
        return "array", _archived_array(read_npz(path, (*KEYS, *_SCORE_KEYS)), path.name)
    if found == "movement":
        return found, parse_movement(content, keypoint_set)
    if found == "array":
        return found, parse_reconstruction(content["reconstruction"])
    return found, parse_rtmlib(content) if found == "rtmlib" else parse_spgnet(content, keypoint_set)


def _archived_array(content: Mapping[str, np.ndarray], name: str) -> RawKeypoints:
    """Keypoints in an array with a name of its own, or with scores in another array.

    Args:
        content: the arrays of the archive.
        name: of the file.

    Raises:
        InputError: it cannot be told which of the arrays they are.
    """
    array = positions_and_scores({key: content[key] for key in content.keys() - METADATA_KEYS})
    if array is None:
        listed = list_names(sorted(content)) or "none"
        raise InputError(f"no key 'keypoints' among {listed}; expected {EXPECTED['spgnet']}")
    return replace(parse_array(array, name), **parse_metadata(content))


def _open_json(
    path: Path, keypoint_set: KeypointSetName | None, wanted: KeypointFormat | Literal["auto"]
) -> tuple[KeypointFormat, RawKeypoints]:
    content = unwrapped(parse_json(path))
    known = isinstance(content, dict) and is_known_object(content)
    if not known and (listed := frames_in(content)) is not None:
        return _open_frames(listed, path.name, keypoint_set, wanted)
    return _parse_json(content, path.name, keypoint_set, wanted)


def _open_frames(
    listed: FrameList,
    name: str,
    keypoint_set: KeypointSetName | None,
    wanted: KeypointFormat | Literal["auto"],
) -> tuple[KeypointFormat, RawKeypoints]:
    frames = listed.frames
    if [] in frames and format_of_json(frames) == "array":
        nobody = _without_numbers(next(filter(None, frames)))
        frames = [frame or nobody for frame in frames]
    found, raw = _parse_json(frames, name, keypoint_set, wanted)
    return found, replace(raw, first=listed.first + raw.first).remark(listed.remark)


def _without_numbers(values: Any) -> Any:
    """Nested lists with null instead of each number."""
    return [_without_numbers(value) for value in values] if isinstance(values, list) else None


def _parse_json(
    content: Any, name: str, keypoint_set: KeypointSetName | None, wanted: KeypointFormat | Literal["auto"]
) -> tuple[KeypointFormat, RawKeypoints]:
    """The format and the contents of decoded JSON."""
    found = format_of_json(content)
    if wanted not in ("auto", found):
        raise InputError(f"it looks like {found}, not {wanted}: expected {EXPECTED[wanted]}")
    if found == "openpose":
        frames = content if isinstance(content, list) else [content]
        named = [
            (f"frame {number}", {"people": frame or []} if isinstance(content, list) else frame)
            for number, frame in enumerate(frames)
        ]
        return found, parse_openpose(named)
    if found == "spgnet":
        return found, parse_spgnet(content, keypoint_set)
    if found == "alphapose" and isinstance(content, dict) and "annotations" not in content:
        return found, parse_named_frames(content)
    if found == "array":
        return found, parse_array(content, name)
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

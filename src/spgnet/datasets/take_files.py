"""Take files: anyone's own recordings, one ``.npz`` file of plain arrays (no pickles) a take.

===================== ===================== ==========================================================
``joints``            [T, 17, 3]            metres, world frame (z up); without it, the take is unlabelled
``camera_matrix``     [C, 3, 3]             intrinsics of each camera, pixels; skew is not modelled
``distortion``        [C, n], optional      OpenCV's k1, k2, p1, p2, k3, the first n of them, or also k4 to k6
``rotation``          [C, 3, 3]             world to camera
``translation``       [C, 3]                world to camera, metres (OpenCV's t: X_camera = R X_world + t)
``image_size``        [C, 2]                width and height, pixels
``detections_NAME``   [C, T, 17, 2 or 3]    optional: 2D joints in pixels, by the name of their detector,
                                            and perhaps its confidence in each
``fps``               one number            frames per second
``subject``           text                  who moves
``action``            text                  what they do; results are grouped by it
``unmeasured_joints`` [n] texts, optional   names of joints whose 3D positions are guesses
``eval_mask``         [T], optional         booleans: which frames are evaluated; the others are only input
===================== ===================== ==========================================================

A folder holds such files in the sub-folders ``train``, ``validation`` and ``test``; each of them is optional.
The takes of a sub-folder have one frame rate, and those with 3D joints have the same unmeasured joints.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from spgnet.datasets.takes import DatasetFormat, DatasetReport, Split, Take
from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_npz
from spgnet.geometry.camera import Camera, concatenate_cameras, opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.values import LARGEST_IMAGE
from spgnet.limits import FASTEST, SLOWEST

PREFIX = "detections_"
_LARGEST_VALUE = 1e12
"""The largest magnitude of a number, in metres or pixels; a larger one counts as infinite."""
_NUMBERS, _TEXT, _BOOLEANS = "fiu", "U", "b"
_LAYOUT: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "joints": (_NUMBERS, ("T", len(HUMAN36M), 3)),
    "camera_matrix": (_NUMBERS, ("C", 3, 3)),
    "distortion": (_NUMBERS, ("C", "n")),
    "rotation": (_NUMBERS, ("C", 3, 3)),
    "translation": (_NUMBERS, ("C", 3)),
    "image_size": (_NUMBERS, ("C", 2)),
    "fps": (_NUMBERS, ()),
    "subject": (_TEXT, ()),
    "action": (_TEXT, ()),
    "unmeasured_joints": (_TEXT, ("joints",)),
    "eval_mask": (_BOOLEANS, ("T",)),
}
"""Kinds (numpy's letters) and shape of each array but the detections; T frames, C cameras."""
_DETECTIONS = (_NUMBERS, ("C", "T", len(HUMAN36M), 2))
"""Of each detector; with its confidence the last is 3."""
_NEW_KEYS = {"uncaptured": "unmeasured_joints", "scored": "eval_mask"}
"""Keys by the names that they had before."""
_OPTIONAL = ("joints", "distortion", "unmeasured_joints", "eval_mask")
_KIND_NAMES = {_NUMBERS: "numbers", _TEXT: "text", _BOOLEANS: "booleans"}


def save_take(path: Path, take: Take) -> None:
    """Write a take whose cameras have OpenCV's lens model, or no tangential distortion.

    Raises:
        InputError: the cameras have Human3.6M's lens model and tangential distortion, or are fisheyes.
    """
    cameras = take.cameras
    if cameras.convention == "fisheye":
        raise InputError(f"{path}: takes hold no fisheye cameras")
    arrays: dict[str, Any] = {
        "camera_matrix": cameras.intrinsics_matrix(),
        "distortion": cameras.distortion_coefficients(),
        "rotation": cameras.rotation,
        "translation": -(cameras.rotation @ cameras.position[..., None])[..., 0],
        "image_size": cameras.image_size,
        "fps": take.fps,
        "subject": take.subject,
        "action": take.action,
        "unmeasured_joints": np.array(take.unmeasured_joints, dtype=str),
        **{PREFIX + name: pixels for name, pixels in take.detections.items()},
    }
    arrays |= {name: value for name in ("joints", "eval_mask") if (value := getattr(take, name)) is not None}
    arrays = {name: np.asarray(value) for name, value in arrays.items()}
    write_npz(path, **arrays)


def load_take(path: Path, detector: str | None = None) -> Take:
    """Read a take file.

    Args:
        path: the file.
        detector: the detector whose 2D joints to load, if the file has them; None for none. All are loaded
            if the take has no 3D joints.

    Raises:
        InputError: the file is damaged or not a take file; the message names it and lists all errors.
    """
    with prefix_errors(path):
        arrays = {_NEW_KEYS.get(key, key): array for key, array in read_npz(path).items()}
        errors = list(_layout_errors(arrays)) or list(_value_errors(arrays))
        if errors:
            raise InputError(f"not a take file: {'; '.join(errors)}")
        return _take(path.stem, arrays, detector)


def _take(name: str, arrays: dict[str, np.ndarray], detector: str | None) -> Take:
    wanted = [name for name in _detectors(arrays) if name == detector or "joints" not in arrays]
    lacking = arrays["unmeasured_joints"].tolist() if "unmeasured_joints" in arrays else []
    return Take(
        name=name,
        subject=str(arrays["subject"]),
        action=str(arrays["action"]),
        fps=float(arrays["fps"]),
        cameras=_cameras(arrays),
        joints=_single(arrays["joints"]) if "joints" in arrays else None,
        detections={name: _single(arrays[PREFIX + name]) for name in wanted},
        unmeasured_joints=tuple(name for name in HUMAN36M.names if name in lacking),
        eval_mask=torch.from_numpy(arrays["eval_mask"]) if "eval_mask" in arrays else None,
    )


def _single(array: np.ndarray) -> torch.Tensor:
    """Numbers of any type and byte order in single precision; values that are too large become infinite."""
    with np.errstate(over="ignore"):
        return torch.from_numpy(array.astype(np.float32))


def _cameras(arrays: dict[str, np.ndarray]) -> Camera:
    rotations, translations = (_floats(arrays[key]) for key in ("rotation", "translation"))
    rows = []
    for number, matrix in enumerate(arrays["camera_matrix"]):
        rotation, translation = rotations[number], translations[number]
        width, height = (int(size) for size in arrays["image_size"][number])
        lens = arrays["distortion"][number] if "distortion" in arrays else None
        position = -rotation.T @ translation
        rows.append(opencv_camera(matrix, lens, (width, height), rotation=rotation, position=position)[None])
    return concatenate_cameras(rows)


def _floats(array: np.ndarray) -> np.ndarray:
    """Numbers of any type as floating point numbers, of which a file may have narrow or whole ones."""
    return array.astype(np.promote_types(array.dtype, np.float32))


def _detectors(keys: Iterable[str]) -> list[str]:
    """The detectors whose 2D joints are among arrays of these names."""
    return sorted(key.removeprefix(PREFIX) for key in keys if key.startswith(PREFIX))


def _layout(arrays: dict[str, np.ndarray]) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """Kinds and expected shape of each array in a file that a take uses."""
    known = {key: expected for key, expected in _LAYOUT.items() if key in arrays}
    kinds, shape = _DETECTIONS
    keys = (PREFIX + name for name in _detectors(arrays))
    return known | {key: (kinds, (*shape[:3], 3 if arrays[key].shape[3:] == (3,) else 2)) for key in keys}


def _layout_errors(arrays: dict[str, np.ndarray]) -> Iterator[str]:
    """Errors for arrays that are missing, of a wrong kind or of a wrong shape."""
    missing = [key for key in _LAYOUT if key not in arrays and key not in _OPTIONAL]
    if missing:
        yield f"arrays {', '.join(missing)} are missing"
    if "joints" not in arrays and not _detectors(arrays):
        yield f"it has neither joints nor {PREFIX}NAME"
    sizes: dict[str | int, int] = {}
    for key, (kinds, shape) in _layout(arrays).items():
        array = arrays[key]
        if array.dtype.kind not in kinds:
            yield f"{key} holds {array.dtype}, expected {_KIND_NAMES[kinds]}"
        if array.ndim == len(shape):
            for letter, size in zip(shape, array.shape, strict=True):
                sizes.setdefault(letter, size if isinstance(letter, str) else letter)
        expected = tuple(sizes.get(letter, letter) for letter in shape)
        if array.shape != expected:
            yield f"{key} has shape {array.shape}, expected ({', '.join(map(str, expected))})"


def _value_errors(arrays: dict[str, np.ndarray]) -> Iterator[str]:
    """Errors for values that are not finite or not valid."""
    broken = set()
    for key, (kinds, _) in _layout(arrays).items():
        if kinds == _NUMBERS and not (sound := _are_sound(arrays[key])).all():
            broken.add(key)
            indices = np.argwhere(~sound)
            yield f"{key} holds {len(indices)} NaN or infinite numbers, the first at {indices[0].tolist()}"
        elif not arrays[key].size and key not in ("distortion", "unmeasured_joints"):
            yield f"{key} is empty"
    for key, (is_valid, message) in _VALUE_CHECKS.items():
        if key in arrays and key not in broken and not is_valid(arrays[key]):
            yield f"{key} {message}"
    unknown = set(arrays["unmeasured_joints"].tolist() if "unmeasured_joints" in arrays else []) - set(
        HUMAN36M.names[1:]
    )
    if unknown:
        yield f"unmeasured_joints names no joints that may be missing: {', '.join(sorted(unknown))}"


def _are_sound(array: np.ndarray) -> np.ndarray:
    """Which of the numbers are finite and not immense."""
    with np.errstate(all="ignore"):  # of numbers that double precision does not hold
        return np.asarray(np.abs(array.astype(np.float64)) <= _LARGEST_VALUE)


def _are_intrinsics(matrices: np.ndarray) -> bool:
    fixed, focal = matrices[:, [1, 2, 2, 2], [0, 0, 1, 2]], matrices[:, [0, 1], [0, 1]]
    straight = np.abs(matrices[:, 0, 1]) < 1e-3 * focal[:, 0]
    return bool((fixed == [0, 0, 0, 1]).all() and (focal > 0).all() and straight.all())


def _are_rotations(matrices: np.ndarray) -> bool:
    if np.abs(matrices).max(initial=0) > 2:
        return False
    matrices = matrices.astype(np.float64)
    unit = np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(3)).max(initial=0) < 1e-3
    return bool(unit and (np.linalg.det(matrices) > 0).all())


_VALUE_CHECKS: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "camera_matrix": (
        _are_intrinsics,
        "holds matrices that are not [fx 0 cx; 0 fy cy; 0 0 1] with positive f",
    ),
    "distortion": (
        lambda lens: lens.shape[1] in (*range(6), 8),
        "is not k1, k2, p1, p2, k3 or these and k4, k5, k6",
    ),
    "rotation": (_are_rotations, "holds matrices that are no rotations"),
    "image_size": (
        lambda sizes: ((sizes >= 1) & (sizes.astype(np.float64) <= LARGEST_IMAGE)).all(),
        f"holds sizes of less than a pixel, or of more than {LARGEST_IMAGE}",
    ),
    "fps": (
        lambda fps: SLOWEST <= float(fps) <= FASTEST,
        f"is not positive, from {SLOWEST:g} to {FASTEST:g}",
    ),
}
"""A check of the values of each array, and the error message if it fails."""


def _recognises(path: Path) -> bool:
    files = [file for split in get_args(Split) for file in _files(path, split)]
    return any("camera_matrix" in _members(file) for file in files)


def _members(file: Path) -> list[str]:
    """Names of the arrays in a file; none if it cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [member.removesuffix(".npy") for member in archive.namelist()]
    except (zipfile.BadZipFile, OSError):
        return []


def _files(path: Path, split: Split) -> list[Path]:
    return sorted(file for file in (path / split).glob("*.npz") if not file.name.startswith("."))


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    takes, errors = _read(path, split, detector)
    for file, take in takes.items():
        if detector is not None and detector not in take.detections:
            names = ", ".join(_detectors(_members(file))) or "none"
            errors.append(f"{file}: has no detections by {detector!r} (it has: {names})")
    if errors:
        raise InputError("; ".join(errors))
    return list(takes.values())


def _read(path: Path, split: Split, detector: str | None) -> tuple[dict[Path, Take], list[str]]:
    """The takes of a split by file, and the errors of single files and of the split as a whole."""
    takes, errors = {}, []
    for file in _files(path, split):
        try:
            takes[file] = load_take(file, detector)
        except InputError as error:
            errors.append(str(error))
    return takes, [*errors, *_differences(takes)]


def _differences(takes: dict[Path, Take]) -> Iterator[str]:
    """Errors for takes of a split that differ from the first in what all must have in common."""
    labelled = {file: take for file, take in takes.items() if take.joints is not None}
    common = (
        ("fps", {file: f"{take.fps:g}" for file, take in takes.items()}),
        (
            "unmeasured_joints",
            {file: ", ".join(take.unmeasured_joints) or "none" for file, take in labelled.items()},
        ),
    )
    for what, values in common:
        for file, value in values.items():
            first, expected = next(iter(values.items()))
            if value != expected:
                yield f"{file}: {what} is {value}, but {expected} in {first.name}"


def _check(path: Path) -> DatasetReport:
    facts, errors = [], []
    for split in get_args(Split):
        takes, wrong = _read(path, split, None)
        errors += wrong
        labelled = sum(take.joints is not None for take in takes.values())
        frames = sum(len(take) * len(take.cameras.focal) for take in takes.values())
        unknown = f" ({len(takes) - labelled} without 3D)" if labelled < len(takes) else ""
        facts.append(f"{split}: {len(takes)} takes{unknown}, {frames} frames in all cameras")
    return DatasetReport(facts, errors)


TAKE_FILES_FORMAT = DatasetFormat("take files", _recognises, _load, _check)

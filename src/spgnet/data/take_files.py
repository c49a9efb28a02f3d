"""Take files: anyone's own recordings, one ``.npz`` file of plain arrays (no pickles) a take.

================== ===================== ==========================================================
``joints``          [T, 17, 3]            metres, world frame (z up); without it, the take is unlabelled
``camera_matrix``   [C, 3, 3]             intrinsics of each camera, pixels
``distortion``      [C, n], optional      k1, k2, p1, p2, k3 of OpenCV, or the first n of them
``rotation``        [C, 3, 3]             world to camera
``translation``     [C, 3]                world to camera, metres (OpenCV's t: X_camera = R X_world + t)
``image_size``      [C, 2]                width and height, pixels
``detections_NAME`` [C, T, 17, 2]         optional: 2D joints in pixels, by the name of their detector
``fps``             one number            frames per second
``subject``         text                  who moves
``action``          text                  what they do; results are grouped by it
``uncaptured``      [n] texts, optional   names of joints whose 3D positions are guesses
================== ===================== ==========================================================

A folder holds such files in the sub-folders ``train``, ``validation`` and ``test``; not all need be there.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from spgnet.camera import Camera, opencv_camera
from spgnet.data.archive import read_plain_arrays
from spgnet.data.takes import Checked, DatasetFormat, Split, Take
from spgnet.files import whole_file
from spgnet.skeleton import HUMAN36M

PREFIX = "detections_"
_CAMERA = {"camera_matrix": (3, 3), "rotation": (3, 3), "translation": (3,), "image_size": (2,)}
"""Shape of what a take file says of every camera."""


def save_take(path: Path, take: Take) -> None:
    """Write a take whose cameras have OpenCV's lens model, or no tangential distortion.

    Raises:
        ValueError: the cameras have Human3.6M's lens model and tangential distortion.
    """
    cameras = take.cameras.to_convention("opencv")
    count = len(cameras.focal)
    matrix = torch.eye(3).repeat(count, 1, 1)
    matrix[:, [0, 1], [0, 1]], matrix[:, :2, 2] = cameras.focal, cameras.center
    arrays: dict[str, Any] = {
        "camera_matrix": matrix,
        "distortion": torch.cat((cameras.radial[:, :2], cameras.tangential, cameras.radial[:, 2:]), dim=-1),
        "rotation": cameras.rotation,
        "translation": -(cameras.rotation @ cameras.position[..., None])[..., 0],
        "image_size": cameras.image_size,
        "fps": take.fps,
        "subject": take.subject,
        "action": take.action,
        "uncaptured": np.array(take.uncaptured, dtype=str),
        **{PREFIX + name: pixels for name, pixels in take.detections.items()},
    }
    if take.joints is not None:
        arrays["joints"] = take.joints
    arrays = {name: np.asarray(value) for name, value in arrays.items()}
    with whole_file(path, ending=".npz") as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def load_take(path: Path, detector: str | None = None) -> Take:
    """Read a take file.

    Args:
        path: the file.
        detector: whose 2D joints to take along, if it has them; None for none. A take without 3D joints
            always brings all that it has.

    Raises:
        ValueError: the file is damaged or not a take file; the message names it and every fault.
    """
    arrays = read_plain_arrays(path)
    faults = list(_faults(arrays))
    if faults:
        raise ValueError(f"{path}: not a take file: {'; '.join(faults)}")
    found = {key.removeprefix(PREFIX): arrays[key] for key in arrays if key.startswith(PREFIX)}
    wanted = {name: torch.from_numpy(v).float() for name, v in found.items() if name == detector}
    joints = torch.from_numpy(arrays["joints"]).float() if "joints" in arrays else None
    if joints is None and not wanted:
        wanted = {name: torch.from_numpy(value).float() for name, value in found.items()}
    try:
        return Take(
            name=path.stem,
            subject=str(arrays["subject"]),
            action=str(arrays["action"]),
            fps=float(arrays["fps"]),
            cameras=_cameras(arrays),
            joints=joints,
            detections=wanted,
            uncaptured=tuple(arrays["uncaptured"].tolist()) if "uncaptured" in arrays else (),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _cameras(arrays: dict[str, np.ndarray]) -> Camera:
    rows = []
    for number, matrix in enumerate(arrays["camera_matrix"]):
        rotation, translation = arrays["rotation"][number], arrays["translation"][number]
        width, height = (int(size) for size in arrays["image_size"][number])
        lens = arrays["distortion"][number] if "distortion" in arrays else None
        position = -rotation.T @ translation
        rows.append(opencv_camera(matrix, lens, (width, height), rotation=rotation, position=position))
    return Camera(
        *(torch.stack([getattr(row, name) for row in rows]) for name in Camera.__match_args__[:7]),
        convention="opencv",
    )


def _faults(arrays: dict[str, np.ndarray]) -> Iterator[str]:
    """Every fault of a take file's arrays that can be told before the take is made."""
    missing = [key for key in (*_CAMERA, "fps", "subject", "action") if key not in arrays]
    found = [key for key in arrays if key.startswith(PREFIX)]
    if missing:
        yield f"arrays {', '.join(missing)} are missing"
    if "joints" not in arrays and not found:
        yield f"it has neither joints nor {PREFIX}NAME"
    numbers = [*_CAMERA, *found, *(key for key in ("joints", "distortion", "fps") if key in arrays)]
    for key in (key for key in numbers if key in arrays):
        if arrays[key].dtype.kind not in "fiu":
            yield f"{key} holds {arrays[key].dtype}, expected numbers"
        elif not np.isfinite(arrays[key]).all() and key in (*_CAMERA, "distortion"):
            yield f"{key} holds NaN or infinity"
    count = len(arrays["camera_matrix"]) if "camera_matrix" in arrays and arrays["camera_matrix"].ndim else 0
    for key, shape in _CAMERA.items():
        if key in arrays and (arrays[key].shape != (count, *shape) or not count):
            yield f"{key} has shape {arrays[key].shape}, expected {('cameras', *shape)}"
    if "distortion" in arrays and (arrays["distortion"].ndim != 2 or len(arrays["distortion"]) != count):
        yield f"distortion has shape {arrays['distortion'].shape}, expected ({count}, up to 5)"
    rotation = arrays.get("rotation", np.eye(3)[None])
    if rotation.shape[1:] == (3, 3) and rotation.dtype.kind == "f":
        unit = rotation @ rotation.swapaxes(-1, -2)
        if np.abs(unit - np.eye(3)).max(initial=0) > 1e-3 or (np.linalg.det(rotation) < 0).any():
            yield "rotation holds matrices that are no rotations"
    if "uncaptured" in arrays:
        unknown = set(map(str, arrays["uncaptured"].tolist())) - set(HUMAN36M.names[1:])
        if unknown:
            yield f"uncaptured names no joints that may be missing: {', '.join(sorted(unknown))}"


def _recognises(path: Path) -> bool:
    files = [file for split in get_args(Split) for file in _files(path, split)]
    return any(zipfile.is_zipfile(file) and "camera_matrix.npy" in _members(file) for file in files)


def _members(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def _files(path: Path, split: Split) -> list[Path]:
    return sorted((path / split).glob("*.npz"))


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    takes, faults = [], []
    for file in _files(path, split):
        try:
            take = load_take(file, detector)
        except ValueError as error:
            faults.append(str(error))
            continue
        if detector is not None and detector not in take.detections:
            names = ", ".join(sorted(_detectors(file))) or "none"
            faults.append(f"{file}: has no detections by {detector!r} (it has: {names})")
        takes.append(take)
    if faults:
        raise ValueError("; ".join(faults))
    return takes


def _detectors(file: Path) -> set[str]:
    return {key.removeprefix(PREFIX) for key in read_plain_arrays(file) if key.startswith(PREFIX)}


def _check(path: Path) -> Checked:
    facts, faults = [], []
    for split in get_args(Split):
        takes = []
        for file in _files(path, split):
            try:
                takes.append(load_take(file))
            except ValueError as error:
                faults.append(str(error))
        labelled = sum(take.joints is not None for take in takes)
        frames = sum(len(take) * len(take.cameras.focal) for take in takes)
        unknown = f" ({len(takes) - labelled} without 3D)" if labelled < len(takes) else ""
        facts.append(f"{split}: {len(takes)} takes{unknown}, {frames} frames in all cameras")
    return Checked(facts, faults)


TAKE_FILES_FORMAT = DatasetFormat("take files", _recognises, _load, _check)

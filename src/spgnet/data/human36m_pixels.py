"""Human3.6M's 2D joints by detectors, in the archives that the field shares.

``data_2d_h36m_NAME.npz`` holds ``positions_2d``: by subject (``S1``) and then by sequence (``Directions 1``)
four arrays [T, 17, 2] in pixels, one a camera. ``metadata`` says what the joints are: ``layout_name`` (which
VideoPose3D's script leaves out of ``gt``), ``num_joints``, and ``keypoints_symmetry``, the left and the right
joints. Videos are a few frames longer than the captured motion.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spgnet.camera import Camera
from spgnet.data.human36m_files import Sequences, sequence_name, subject_of
from spgnet.data.object_arrays import array_faults, read_object_arrays
from spgnet.rigs import human36m_rig
from spgnet.skeleton import HUMAN36M

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
"""The cameras, in the order of the archives and of :func:`spgnet.rigs.human36m_rig`."""

_NAME = "data_2d_h36m_"
_LAYOUT = "h36m"
_SIDES = [[j for j in range(len(HUMAN36M)) if HUMAN36M.side(j) == side] for side in ("left", "right")]
_FAR = 100.0
"""Median distance in pixels from which 2D joints are those of something else."""
_EVERY = 10
"""Of so many frames one is compared with the projected 3D joints."""


def pixel_file(root: Path, detector: str) -> Path:
    """Where a detector's 2D joints are."""
    return root / f"{_NAME}{detector}.npz"


def detectors_in(root: Path) -> list[str]:
    """The detectors whose 2D joints lie in a folder."""
    return sorted(file.stem.removeprefix(_NAME) for file in root.glob(f"{_NAME}?*.npz"))


def read_pixels(file: Path, motion: Sequences, faults: list[str]) -> Sequences:
    """A detector's 2D joints [4, T, 17, 2] of sequences whose motion is known; faults are added to the list.

    Frames beyond those of the motion are cut off.
    """
    try:
        arrays = read_object_arrays(file)
        table = _table(arrays, "positions_2d", file)
        layout = _layout_faults(_table(arrays, "metadata", file))
    except ValueError as error:
        faults.append(str(error))
        return {}
    if layout:
        faults.append(f"{file}: {'; '.join(layout)}")
        return {}
    held: dict[str, Any] = {
        f"{subject}/{sequence_name(str(name))}": cameras
        for subject, sequences in table.items()
        if isinstance(sequences, dict)
        for name, cameras in sequences.items()
    }
    faults += [f"{file}: {fault}" for fault in _missing(list(motion), held)]
    pixels = {}
    for name in (name for name in motion if name in held):
        found = _faults(held[name], len(motion[name]))
        faults += [f"{file}: {name} {fault}" for fault in found]
        if not found:
            cut = np.stack([camera[: len(motion[name])] for camera in held[name]])
            pixels[name] = torch.from_numpy(cut.astype(np.float32))
    return pixels


def _missing(names: list[str], held: dict[str, Any]) -> list[str]:
    """Which subjects are not there at all, and which sequences of the others."""
    there = {subject_of(name) for name in held}
    absent = dict.fromkeys(subject_of(name) for name in names if subject_of(name) not in there)
    lacking = [name for name in names if name not in held and subject_of(name) in there]
    faults = [f"{subject} is missing" for subject in absent]
    return [*faults, f"lacks the sequences {', '.join(lacking)}"] if lacking else faults


def _table(arrays: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    if not isinstance(arrays.get(key), dict):
        raise ValueError(f"{file}: has no dictionary {key!r}")
    return arrays[key]


def _layout_faults(metadata: dict[str, Any]) -> list[str]:
    """Why the joints are not the 17 of Human3.6M."""
    name, sides = metadata.get("layout_name"), metadata.get("keypoints_symmetry")
    if name not in (None, _LAYOUT) or (name is None and not isinstance(sides, list | tuple)):
        return [f"has 2D joints of the layout {name!r}, expected {_LAYOUT!r}: Human3.6M's 17 joints"]
    faults = []
    if metadata.get("num_joints", len(HUMAN36M)) != len(HUMAN36M):
        faults.append(f"has {metadata['num_joints']} joints, expected Human3.6M's {len(HUMAN36M)}")
    if isinstance(sides, list | tuple) and _sorted(sides) != _sorted(_SIDES):
        faults.append(f"has the left and right joints {sides}, expected Human3.6M's {_SIDES}")
    return faults


def _sorted(sides: Any) -> Any:
    return [sorted(side, key=str) for side in sides if isinstance(side, list | tuple)]


def _faults(cameras: Any, frames: int) -> list[str]:
    if not isinstance(cameras, list | tuple | np.ndarray) or len(cameras) != len(CAMERAS):
        return [f"holds no list of {len(CAMERAS)} cameras' joints"]
    faults = []
    for camera, values in zip(CAMERAS, cameras, strict=True):
        cut = values[:frames] if isinstance(values, np.ndarray) and values.ndim else values
        found = array_faults(cut, (len(HUMAN36M), 2))
        if not found and len(cut) < frames:
            found = [f"has {len(cut)} frames, the motion has {frames}"]
        faults += [f"camera {camera} {fault}" for fault in found]
    return faults


def distances(motion: Sequences, pixels: Sequences) -> Sequences:
    """Median distance [4] of 2D joints from the projected 3D joints by sequence, in pixels, a camera each."""
    rigs = {subject: human36m_rig(subject)[:, None] for subject in {subject_of(name) for name in pixels}}
    return {
        name: _distance(rigs[subject_of(name)], motion[name][::_EVERY], seen[:, ::_EVERY])
        for name, seen in pixels.items()
    }


def _distance(rig: Camera, joints: Tensor, pixels: Tensor) -> Tensor:
    return (pixels - rig.world_to_image(joints)).norm(dim=-1).flatten(1).median(dim=1).values


def far_faults(file: Path, apart: Sequences) -> list[str]:
    """One fault if sequences are not what the cameras saw, by the result of :func:`distances`."""
    far = [name for name, distance in apart.items() if float(distance.max()) > _FAR]
    if not far:
        return []
    distance, camera = (part.item() for part in apart[far[0]].max(dim=0))
    return [
        f"{file}: 2D joints of {len(far)} sequences of {len(apart)} are far from the projected 3D joints: "
        f"those of {far[0]} in camera {CAMERAS[int(camera)]} are off by {distance:.0f} pixels in the median, "
        f"expected pixels of the cameras {', '.join(CAMERAS)} in this order"
    ]

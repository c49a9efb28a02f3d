"""HumanEva-I as VideoPose3D's scripts prepare it.

``data_3d_humaneva15.npz`` holds ``positions_3d``: by ``Train/S1`` and then by ``Walking 1 chunk0``, 15 joints
[T, 15, 3] in metres (world, z up). The script cuts sequences where the capture failed; a chunk is what lies
between, and is a take here. ``data_2d_humaneva15_NAME.npz`` holds ``positions_2d``: in the same places three
arrays, one a camera, [T, 15, 2] in pixels, or [T, 17, 2] where the detector was trained on COCO.

The protocol is that of Pavllo et al. (2019): train on ``Train``, test on ``Validate``, of S1, S2 and S3, the
actions Walk, Jog and Box.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from spgnet.data.humaneva_cameras import calibration, fit_lenses, fitted_rig
from spgnet.data.humaneva_files import UNCAPTURED, Chunks, action_of, read_motion, read_pixels
from spgnet.data.lens_fit import LensFit
from spgnet.data.takes import Checked, DatasetFormat, Split, Take
from spgnet.skeleton import HUMAN36M

FPS = 60.0
SUBJECTS = ("S1", "S2", "S3")
EXACT = "gt"
"""The detector whose 2D joints are projections of the 3D ones. The cameras' lenses come from it."""

_MOTION, _PIXELS = "data_3d_humaneva15.npz", "data_2d_humaneva15_"
_FOLDERS: dict[Split, str] = {"train": "Train", "test": "Validate"}
_CAPTURED = [joint for joint, name in enumerate(HUMAN36M.names) if name not in UNCAPTURED]
_FAR = 100.0
"""Median distance in pixels from which 2D joints are those of something else."""


class _Part(NamedTuple):
    """One split: what could be read of it, and every fault."""

    motion: Chunks
    detections: dict[str, Chunks]
    lenses: list[LensFit]
    faults: list[str]


def _root(path: Path) -> Path:
    return path.parent if path.name == _MOTION else path


def _recognises(path: Path) -> bool:
    return (_root(path) / _MOTION).is_file()


def _pixel_file(root: Path, detector: str) -> Path:
    return root / f"{_PIXELS}{detector}.npz"


def _detectors(root: Path) -> list[str]:
    return sorted(file.stem.removeprefix(_PIXELS) for file in root.glob(f"{_PIXELS}*.npz"))


def _read_part(root: Path, split: Split, detectors: list[str]) -> _Part:
    faults: list[str] = []
    motion = read_motion(root / _MOTION, [f"{_FOLDERS[split]}/{subject}" for subject in SUBJECTS], faults)
    if not motion:
        faults = faults or [f"{root / _MOTION}: {_FOLDERS[split]} has no chunk of Walking, Jog or Box"]
        return _Part({}, {}, [], faults)
    wanted = dict.fromkeys((EXACT, *detectors))
    detections = {name: read_pixels(_pixel_file(root, name), motion, faults) for name in wanted}
    lenses = []
    if detections[EXACT]:
        try:
            lenses = fit_lenses(motion, detections[EXACT], _CAPTURED)
        except ValueError as error:
            faults.append(f"{_pixel_file(root, EXACT)}: {error}")
    part = _Part(motion, detections, lenses, faults)
    for name, distance in _distances(part).items():
        if distance > _FAR:
            faults.append(
                f"{_pixel_file(root, name)}: 2D joints of {_FOLDERS[split]} are {distance:.0f} pixels from "
                f"the projected 3D joints (median), expected pixels of the same chunks and cameras"
            )
    return part


def _distances(part: _Part) -> dict[str, float]:
    """Median distance in pixels between 2D and projected 3D joints of every detector."""
    if not part.lenses:
        return {}
    exact = {
        name: fitted_rig(_subject(name), part.lenses)[:, None].world_to_image(joints)
        for name, joints in part.motion.items()
    }
    return {
        detector: float(torch.cat([_apart(exact[name], chunks[name]) for name in chunks]).median())
        for detector, chunks in part.detections.items()
        if chunks
    }


def _apart(exact: Tensor, pixels: Tensor) -> Tensor:
    """Distance of each captured joint, in one row."""
    return (exact - pixels)[:, :, _CAPTURED].norm(dim=-1).flatten()


def _subject(name: str) -> str:
    return name.split("/")[1]


def _takes(part: _Part, detector: str | None) -> list[Take]:
    return [
        Take(
            name=name,
            subject=_subject(name),
            action=str(action_of(name.split("/")[2])),
            fps=FPS,
            cameras=fitted_rig(_subject(name), part.lenses),
            joints=joints,
            detections={} if detector is None else {detector: part.detections[detector][name]},
            uncaptured=UNCAPTURED,
        )
        for name, joints in part.motion.items()
    ]


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    root = _root(path)
    if split not in _FOLDERS:
        return []
    if detector is not None and detector not in _detectors(root):
        names = ", ".join(_detectors(root)) or "none"
        raise ValueError(f"{root}: has no detections by {detector!r} (it has: {names})")
    part = _read_part(root, split, [] if detector is None else [detector])
    if part.faults:
        raise ValueError("; ".join(part.faults))
    return _takes(part, detector)


def _check(path: Path) -> Checked:
    root = _root(path)
    facts, faults = [], []
    for split, folder in _FOLDERS.items():
        part = _read_part(root, split, _detectors(root))
        frames = sum(map(len, part.motion.values()))
        facts.append(f"{split} ({folder}): {len(part.motion)} chunks, {frames} frames of each camera")
        facts += [f"{split}: {fact}" for fact in _lens_facts(part.lenses)]
        facts += [
            f"{split}: 2D joints {name}, {distance:.2f} px from the projected 3D joints (median)"
            for name, distance in _distances(part).items()
        ]
        faults += part.faults
    return Checked(facts, list(dict.fromkeys(faults)))


def _lens_facts(lenses: list[LensFit]) -> list[str]:
    if not lenses:
        return []
    return [
        f"camera {camera['id']}: focal lengths {_rounded(lens.camera.focal.tolist())} px, fitted to {EXACT} "
        f"(published: {_rounded(camera['focal'])})"
        for camera, lens in zip(calibration()["intrinsics"], lenses, strict=True)
    ]


def _rounded(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


HUMANEVA_FORMAT = DatasetFormat("HumanEva-I", _recognises, _load, _check)

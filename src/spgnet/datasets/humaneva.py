"""HumanEva-I as VideoPose3D's scripts prepare it.

**3D joints:** ``data_3d_humaneva15.npz`` holds ``positions_3d``: by ``Train/S1`` and then by
``Walking 1 chunk0``, 15 joints [T, 15, 3] in metres (world, z up). The script cuts sequences where the
capture failed; each piece (*chunk*) is a take here.

**2D joints:** ``data_2d_humaneva15_NAME.npz`` holds ``positions_2d``: under the same keys three arrays, one
for each camera, [T, 15, 2] in pixels, or [T, 17, 2] if the detector was trained on COCO.

**Cameras:** the extrinsics are those of VideoPose3D's ``humaneva_dataset.py``. Focal lengths and principal
points are published as well, but not the distortion of all three lenses. It is not small (k1 of C1 is -0.29),
so every lens is fitted to the 2D joints ``gt``, which the script projects from the 3D joints.

**Protocol** (Pavllo et al., CVPR 2019): train on ``Train`` and test on ``Validate`` of S1, S2 and S3, actions
Walk, Jog and Box.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spgnet.datasets.array_errors import array_errors, pixel_errors, stack_cameras
from spgnet.datasets.lens_fit import LensFit, fit_lens
from spgnet.datasets.takes import DatasetFormat, DatasetReport, Split, Take
from spgnet.errors import InputError, printable
from spgnet.geometry import rigs
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M, HUMANEVA_JOINTS, HUMANEVA_MISSING, human36m_of_humaneva
from spgnet.keypoints.keypoints import points_to_human36m
from spgnet.object_arrays import read_dictionaries

_EXACT = 1.0
"""Median distance in pixels up to which 2D joints are the projections of the 3D ones."""


@cache
def calibration() -> dict[str, Any]:
    """The published calibration: pixels, millimetres, quaternions (w, x, y, z) from camera to world axes."""
    return json.loads(files("spgnet.datasets").joinpath("humaneva_cameras.json").read_text())


@cache
def published_rig(subject: str) -> Camera:
    """The three cameras of a subject, a batch of shape [3], with the published lenses, without distortion."""
    facts = calibration()
    return rigs.published_rig(facts["intrinsics"], facts["extrinsics"][subject], "opencv")


def fitted_rig(subject: str, lenses: list[LensFit]) -> Camera:
    """The three cameras of a subject with the fitted lenses."""
    rig = published_rig(subject).to(torch.float32)
    fitted = {
        name: torch.stack([getattr(lens.camera, name) for lens in lenses])
        for name in ("focal", "center", "radial", "tangential")
    }
    return replace(rig, **fitted)


def fit_lenses(motion: dict[str, Tensor], exact: dict[str, Tensor], joints: list[int]) -> list[LensFit]:
    """Fit the lenses of the three cameras, each to all chunks.

    Args:
        motion: joints [T, 17, 3] in metres, world frame, by chunk (``Train/S1/Walking 1 chunk0``).
        exact: their projections [3, T, 17, 2] in pixels, of some of the chunks.
        joints: indices of those of the 17 joints whose projections are exact.

    Raises:
        InputError: the 2D joints are not projections of the 3D ones.
    """
    in_camera = [
        published_rig(name.split("/")[1])[:, None].world_to_camera(motion[name].double())[:, :, joints]
        for name in exact
    ]
    lenses = []
    for number, camera in enumerate(calibration()["intrinsics"]):
        points = torch.cat([chunk[number].reshape(-1, 3) for chunk in in_camera]).numpy()
        seen = [chunk[number][:, joints, :2].reshape(-1, 2) for chunk in exact.values()]
        pixels = torch.cat(seen).numpy()
        lenses.append(fit_lens(points, pixels, tuple(camera["image_size"]), distorted=True))
    errors = [
        f"camera {camera['id']}: 2D joints are no projections of the 3D ones, the best lens misses them by "
        f"{lens.residual:.1f} pixels (median)"
        for camera, lens in zip(calibration()["intrinsics"], lenses, strict=True)
        if not lens.residual <= _EXACT
    ]
    if errors:
        raise InputError("; ".join(errors))
    return lenses


ACTIONS = {"Walking": "Walk", "Jog": "Jog", "Box": "Box"}
"""The actions that the field evaluates, by the name that the archives give them."""
_FARTHEST = 20.0
"""Metres from the origin; joints beyond are in other units."""

Chunks = dict[str, Tensor]
"""Joints by chunk (``Train/S1/Walking 1 chunk0``): [T, 17, 3] in metres, or [3, T, 17, 2] in pixels."""


def _to_human36m(points: np.ndarray) -> np.ndarray:
    """[..., 15, n] to [..., 17, n]."""
    return human36m_of_humaneva() @ points


def _coco_to_human36m(pixels: np.ndarray) -> np.ndarray:
    """COCO's 17 keypoints [..., 17, 2 or 3] as Human3.6M's 17 joints.

    The top of the head is put as far above the nose as the thorax is below it. The confidence in a joint is
    the lowest of the keypoints that it comes from.
    """
    keypoints = np.concatenate((pixels[..., :2], np.ones_like(pixels[..., :1])), axis=-1)
    joints, _ = points_to_human36m(keypoints, "coco17")
    thorax, nose, top = (HUMAN36M.names.index(name) for name in ("thorax", "nose", "head_top"))
    joints[..., top, :] = 2 * joints[..., nose, :] - joints[..., thorax, :]
    if pixels.shape[-1] == 2:
        return joints
    _, confidence = points_to_human36m(pixels, "coco17")
    confidence[..., top] = np.minimum(confidence[..., nose], confidence[..., thorax])
    return np.concatenate((joints, confidence[..., None]), axis=-1)


_LAYOUTS = {"humaneva15": (15, _to_human36m), "coco": (17, _coco_to_human36m)}
"""By the layout's name in ``metadata``: its number of 2D joints, and their conversion to Human3.6M's."""


def read_motion(file: Path, subjects: list[str], errors: list[str]) -> Chunks:
    """Read the motion of the chunks that the field evaluates.

    Args:
        file: the archive of 3D joints.
        subjects: split and subject, such as ``Train/S1``.
        errors: list to which errors are appended, one line each.

    Returns:
        Joints [T, 17, 3] in metres, world frame (z up), by chunk.
    """
    try:
        (table,) = read_dictionaries(file, "positions_3d")
    except InputError as error:
        errors.append(str(error))
        return {}
    motion = {}
    for subject in subjects:
        chunks = table.get(subject)
        if not isinstance(chunks, dict):
            errors.append(f"{file}: {subject} is missing")
            continue
        for chunk, values in chunks.items():
            if action_of(str(chunk)) is None:
                continue
            found = _motion_errors(values)
            errors += [f"{file}: {printable(f'{subject}/{chunk}')} {error}" for error in found]
            if not found:
                motion[f"{subject}/{chunk}"] = torch.from_numpy(_to_human36m(values)).float()
    return motion


def action_of(chunk: str) -> str | None:
    """The action of a chunk, ``Walk`` of ``Walking 1 chunk0``; None if the field leaves it out."""
    return ACTIONS.get(chunk.split(" ")[0])


def _motion_errors(values: Any) -> list[str]:
    errors = array_errors(values, (len(HUMANEVA_JOINTS), 3))
    if not errors and np.abs(values).max() > _FARTHEST:
        return [f"has joints {np.abs(values).max():.0f} from the origin, expected metres"]
    return errors


def read_pixels(file: Path, motion: Chunks, errors: list[str]) -> Chunks:
    """Read a detector's 2D joints of the chunks whose motion is known.

    Args:
        file: the archive of 2D joints.
        motion: 3D joints by chunk.
        errors: list to which errors are appended, one line each.

    Returns:
        Joints [3, T, 17, 2 or 3] in pixels by chunk, cut to the frames of the motion; the third column is
        the detector's confidence.
    """
    try:
        table, metadata = read_dictionaries(file, "positions_2d", "metadata")
    except InputError as error:
        errors.append(str(error))
        return {}
    layout = metadata.get("layout_name")
    if not isinstance(layout, str) or layout not in _LAYOUTS:
        expected = " or ".join(_LAYOUTS)
        errors.append(f"{file}: has 2D joints of the layout {layout!r}, expected {expected}")
        return {}
    count, convert = _LAYOUTS[layout]
    cameras = [camera["id"] for camera in calibration()["intrinsics"]]
    pixels = {}
    for name, joints in motion.items():
        subject, _, chunk = name.rpartition("/")
        chunks = table.get(subject)
        held: Any = chunks.get(chunk) if isinstance(chunks, dict) else None
        found = pixel_errors(held, cameras, count, len(joints))
        errors += [f"{file}: {printable(name)} {error}" for error in found]
        if not found:
            cut = stack_cameras(held, len(joints)).astype(np.float64)
            pixels[name] = torch.from_numpy(convert(cut)).float()
    return pixels


FPS = 60.0
SUBJECTS = ("S1", "S2", "S3")
EXACT = "gt"
"""The detector whose 2D joints are projections of the 3D ones. The cameras' lenses come from it."""

_MOTION, _PIXELS = "data_3d_humaneva15.npz", "data_2d_humaneva15_"
_FOLDERS: dict[Split, str] = {"train": "Train", "test": "Validate"}
_MEASURED = [joint for joint, name in enumerate(HUMAN36M.names) if name not in HUMANEVA_MISSING]
_FAR = 100.0
"""Median distance, in pixels, above which 2D joints do not belong to the 3D joints."""


class _Part(NamedTuple):
    """One split: what could be read of it, and all errors."""

    motion: Chunks
    detections: dict[str, Chunks]
    lenses: list[LensFit]
    errors: list[str]


def _root(path: Path) -> Path:
    return path.parent if path.name == _MOTION else path


def _recognises(path: Path) -> bool:
    return (_root(path) / _MOTION).is_file()


def _pixel_file(root: Path, detector: str) -> Path:
    return root / f"{_PIXELS}{detector}.npz"


def _detectors(root: Path) -> list[str]:
    return sorted(file.stem.removeprefix(_PIXELS) for file in root.glob(f"{_PIXELS}*.npz"))


def _read_part(root: Path, split: Split, detectors: list[str]) -> _Part:
    errors: list[str] = []
    motion = read_motion(root / _MOTION, [f"{_FOLDERS[split]}/{subject}" for subject in SUBJECTS], errors)
    if not motion:
        errors = errors or [f"{root / _MOTION}: {_FOLDERS[split]} has no chunk of Walking, Jog or Box"]
        return _Part({}, {}, [], errors)
    wanted = dict.fromkeys((EXACT, *detectors))
    detections = {name: read_pixels(_pixel_file(root, name), motion, errors) for name in wanted}
    lenses = []
    if detections[EXACT]:
        try:
            lenses = fit_lenses(motion, detections[EXACT], _MEASURED)
        except InputError as error:
            errors.append(f"{_pixel_file(root, EXACT)}: {error}")
    part = _Part(motion, detections, lenses, errors)
    for name, distance in _distances(part).items():
        if distance > _FAR:
            errors.append(
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
        detector: float(torch.cat([_joint_distances(exact[name], chunks[name]) for name in chunks]).median())
        for detector, chunks in part.detections.items()
        if chunks
    }


def _joint_distances(exact: Tensor, pixels: Tensor) -> Tensor:
    """Distance of each measured joint in each frame and camera, in pixels, as one vector."""
    return (exact - pixels[..., :2])[:, :, _MEASURED].norm(dim=-1).flatten()


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
            unmeasured_joints=tuple(HUMANEVA_MISSING),
        )
        for name, joints in part.motion.items()
    ]


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    root = _root(path)
    if split not in _FOLDERS:
        return []
    if detector is not None and detector not in _detectors(root):
        names = ", ".join(_detectors(root)) or "none"
        raise InputError(f"{root}: has no detections by {detector!r} (it has: {names})")
    part = _read_part(root, split, [] if detector is None else [detector])
    if part.errors:
        raise InputError("; ".join(part.errors))
    return _takes(part, detector)


def _check(path: Path) -> DatasetReport:
    root = _root(path)
    facts, errors = [], []
    for split, folder in _FOLDERS.items():
        part = _read_part(root, split, _detectors(root))
        frames = sum(map(len, part.motion.values()))
        facts.append(f"{split} ({folder}): {len(part.motion)} chunks, {frames} frames of each camera")
        facts += [f"{split}: {fact}" for fact in _lens_facts(part.lenses)]
        facts += [
            f"{split}: 2D joints {name}, {distance:.2f} px from the projected 3D joints (median)"
            for name, distance in _distances(part).items()
        ]
        errors += part.errors
    return DatasetReport(facts, list(dict.fromkeys(errors)))


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

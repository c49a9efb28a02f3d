"""Reading HumanEva-I's archives: VideoPose3D's layout, and its joints as ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spgnet.data.humaneva_cameras import calibration
from spgnet.data.object_arrays import array_faults, read_object_arrays
from spgnet.keypoints.sets import points_to_human36m
from spgnet.skeleton import HUMAN36M

ACTIONS = {"Walking": "Walk", "Jog": "Jog", "Box": "Box"}
"""The actions that the field evaluates, by the name that the archives give them."""
JOINTS = (
    "pelvis",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hip",
    "right_knee",
    "right_ankle",
    "head_top",
)
"""HumanEva's 15 joints, in the order of the archives; the last is the far end of the head."""
UNCAPTURED = ("spine", "nose")
"""Not among the 15: put half way between pelvis and thorax, and between thorax and the top of the head."""

_FARTHEST = 20.0
"""Metres from the origin; joints beyond are in other units."""

Chunks = dict[str, Tensor]
"""Joints by chunk (``Train/S1/Walking 1 chunk0``): [T, 17, 3] in metres, or [3, T, 17, 2] in pixels."""


def _to_human36m(points: np.ndarray) -> np.ndarray:
    """[..., 15, n] to [..., 17, n]."""
    weights = np.zeros((len(HUMAN36M), len(JOINTS)))
    middles = {"spine": ("pelvis", "thorax"), "nose": ("thorax", "head_top")}
    for row, name in zip(weights, HUMAN36M.names, strict=True):
        sources = middles.get(name, (name,))
        row[[JOINTS.index(source) for source in sources]] = 1 / len(sources)
    return weights @ points


def _coco_to_human36m(pixels: np.ndarray) -> np.ndarray:
    """COCO's 17 keypoints as our joints; the top of the head is as far from the nose as the thorax."""
    seen = np.concatenate((pixels, np.ones_like(pixels[..., :1])), axis=-1)
    joints, _ = points_to_human36m(seen, "coco17")
    thorax, nose, top = (HUMAN36M.names.index(name) for name in ("thorax", "nose", "head_top"))
    joints[..., top, :] = 2 * joints[..., nose, :] - joints[..., thorax, :]
    return joints


_LAYOUTS = {"humaneva15": (15, _to_human36m), "coco": (17, _coco_to_human36m)}
"""By the layout's name in ``metadata``: how many 2D joints it has, and how they become ours."""


def _table(arrays: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(arrays.get(key), dict):
        raise ValueError(f"has no dictionary {key!r}")
    return arrays[key]


def read_motion(file: Path, subjects: list[str], faults: list[str]) -> Chunks:
    """The motion of the chunks that the field evaluates; faults are added to the list.

    Args:
        file: the archive of 3D joints.
        subjects: which of its parts, such as ``Train/S1``.
        faults: where to tell what is wrong.
    """
    try:
        table = _table(read_object_arrays(file), "positions_3d")
    except ValueError as error:
        faults.append(_naming(file, error))
        return {}
    motion = {}
    for subject in subjects:
        chunks = table.get(subject)
        if not isinstance(chunks, dict):
            faults.append(f"{file}: {subject} is missing")
            continue
        for chunk, values in chunks.items():
            if action_of(str(chunk)) is None:
                continue
            found = _motion_faults(values)
            faults += [f"{file}: {subject}/{chunk} {fault}" for fault in found]
            if not found:
                motion[f"{subject}/{chunk}"] = torch.from_numpy(_to_human36m(values)).float()
    return motion


def action_of(chunk: str) -> str | None:
    """The action of a chunk, ``Walk`` of ``Walking 1 chunk0``; None if the field leaves it out."""
    return ACTIONS.get(chunk.split(" ")[0])


def _naming(file: Path, error: ValueError) -> str:
    return str(error) if str(file) in str(error) else f"{file}: {error}"


def _motion_faults(values: Any) -> list[str]:
    faults = array_faults(values, (len(JOINTS), 3))
    if not faults and np.abs(values).max() > _FARTHEST:
        return [f"has joints {np.abs(values).max():.0f} from the origin, expected metres"]
    return faults


def read_pixels(file: Path, motion: Chunks, faults: list[str]) -> Chunks:
    """A detector's 2D joints of chunks whose motion is known; faults are added to the list.

    Frames beyond those of the motion are cut off.
    """
    try:
        arrays = read_object_arrays(file)
        table, layout = _table(arrays, "positions_2d"), _table(arrays, "metadata").get("layout_name")
        if layout not in _LAYOUTS:
            raise ValueError(f"has 2D joints of the layout {layout!r}, expected {' or '.join(_LAYOUTS)}")
    except ValueError as error:
        faults.append(_naming(file, error))
        return {}
    count, convert = _LAYOUTS[layout]
    pixels = {}
    for name, joints in motion.items():
        subject, _, chunk = name.rpartition("/")
        chunks = table.get(subject)
        held: Any = chunks.get(chunk) if isinstance(chunks, dict) else None
        found = _pixel_faults(held, count, len(joints))
        faults += [f"{file}: {name} {fault}" for fault in found]
        if not found:
            cut = np.stack([camera[: len(joints)] for camera in held])
            pixels[name] = torch.from_numpy(convert(cut.astype(np.float64))).float()
    return pixels


def _pixel_faults(held: Any, count: int, frames: int) -> list[str]:
    cameras = [camera["id"] for camera in calibration()["intrinsics"]]
    if not isinstance(held, list | tuple | np.ndarray):
        return ["is missing"]
    if len(held) != len(cameras):
        return [f"has {len(held)} cameras, expected {len(cameras)}"]
    faults = []
    for camera, values in zip(cameras, held, strict=True):
        found = array_faults(values, (count, 2))
        if not found and len(values) < frames:
            found = [f"has {len(values)} frames, the motion has {frames}"]
        faults += [f"{camera} {fault}" for fault in found]
    return faults

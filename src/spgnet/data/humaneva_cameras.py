"""The three cameras of HumanEva-I: where they stand, and their lenses.

Where they stand is in VideoPose3D's ``humaneva_dataset.py``. Focal lengths and principal points can be found
too, but not the distortion of all three lenses. It is not small (k1 of C1 is -0.29), so every lens is fitted
to the 2D joints ``gt``, which are prepared with the 3D ones as their projections.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import roma
import torch
from torch import Tensor

from spgnet.camera import Camera
from spgnet.data.lens_fit import LensFit, fit_lens

_EXACT = 1.0
"""Median distance in pixels up to which 2D joints are the projections of the 3D ones."""


@cache
def calibration() -> dict[str, Any]:
    """The published calibration: pixels, millimetres, quaternions (w, x, y, z) from camera to world axes."""
    return json.loads(files("spgnet.data").joinpath("humaneva_cameras.json").read_text())


@cache
def published_rig(subject: str) -> Camera:
    """The three cameras of a subject, a batch of shape [3], with the published lenses, without distortion."""
    lenses, poses = calibration()["intrinsics"], calibration()["extrinsics"][subject]

    def stack(rows: list[dict[str, Any]], key: str) -> Tensor:
        return torch.tensor([row[key] for row in rows], dtype=torch.float64)

    quaternion = roma.quat_normalize(roma.quat_wxyz_to_xyzw(stack(poses, "quaternion")))
    return Camera(
        focal=stack(lenses, "focal"),
        center=stack(lenses, "center"),
        radial=torch.zeros(len(lenses), 3, dtype=torch.float64),
        tangential=torch.zeros(len(lenses), 2, dtype=torch.float64),
        rotation=roma.unitquat_to_rotmat(quaternion).mT,
        position=stack(poses, "position") / 1000,
        image_size=stack(lenses, "image_size"),
        convention="opencv",
    )


def fitted_rig(subject: str, lenses: list[LensFit]) -> Camera:
    """The three cameras of a subject with the fitted lenses."""
    rig = published_rig(subject).to(torch.float32)
    fitted = {
        name: torch.stack([getattr(lens.camera, name) for lens in lenses])
        for name in ("focal", "center", "radial", "tangential")
    }
    return replace(rig, **fitted)


def fit_lenses(motion: dict[str, Tensor], exact: dict[str, Tensor], joints: list[int]) -> list[LensFit]:
    """The lenses of the three cameras, each fitted to all chunks.

    Args:
        motion: joints [T, 17, 3] in metres, world frame, by chunk (``Train/S1/Walking 1 chunk0``).
        exact: their projections [3, T, 17, 2] in pixels, of some of the chunks.
        joints: which of the 17 are exact.

    Raises:
        ValueError: the 2D joints are not projections of the 3D ones.
    """
    seen = [
        published_rig(name.split("/")[1])[:, None].world_to_camera(motion[name].double())[:, :, joints]
        for name in exact
    ]
    lenses = []
    for number, camera in enumerate(calibration()["intrinsics"]):
        points = torch.cat([chunk[number].reshape(-1, 3) for chunk in seen]).numpy()
        pixels = torch.cat([chunk[number][:, joints].reshape(-1, 2) for chunk in exact.values()]).numpy()
        lenses.append(fit_lens(points, pixels, tuple(camera["image_size"]), distorted=True))
    faults = [
        f"camera {camera['id']}: 2D joints are no projections of the 3D ones, the best lens misses them by "
        f"{lens.residual:.1f} pixels (median)"
        for camera, lens in zip(calibration()["intrinsics"], lenses, strict=True)
        if not lens.residual <= _EXACT
    ]
    if faults:
        raise ValueError("; ".join(faults))
    return lenses

"""Camera rigs: the four cameras of Human3.6M, and random cameras around a person."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import torch

from spgnet.errors import InputError
from spgnet.geometry.camera import Camera, Convention


@cache
def _human36m_facts() -> dict[str, Any]:
    """The data set's published calibration: pixels, millimetres, quaternions (w, x, y, z)."""
    return json.loads(files("spgnet.geometry").joinpath("human36m_cameras.json").read_text())


def human36m_rig(subject: str) -> Camera:
    """The four calibrated cameras of a Human3.6M session, a batch of shape [4].

    Args:
        subject: one of S1, S5, S6, S7, S8 (training) and S9, S11 (test).

    Raises:
        InputError: no such session.
    """
    facts = _human36m_facts()
    if subject not in facts["extrinsics"]:
        raise InputError(f"no Human3.6M session {subject!r}; there are {', '.join(facts['extrinsics'])}")
    return published_rig(facts["intrinsics"], facts["extrinsics"][subject]).to(torch.float32)


def published_rig(
    lenses: list[dict[str, Any]], poses: list[dict[str, Any]], convention: Convention = "human36m"
) -> Camera:
    """A batch of cameras, in double precision, from a data set's published calibration.

    Args:
        lenses: pixels of ``focal``, ``center`` and ``image_size``, and the coefficients ``radial`` and
            ``tangential``; without distortion where these are not given.
        poses: ``position`` in millimetres, and ``quaternion`` (w, x, y, z) from camera to world axes.
        convention: of the distortion.
    """
    import roma  # loads PyTorch's compiler, which lifting can spare

    def stack(rows: list[dict[str, Any]], key: str, default: list[float] | None = None) -> torch.Tensor:
        return torch.tensor([row.get(key, default) for row in rows], dtype=torch.float64)

    quaternion = roma.quat_normalize(roma.quat_wxyz_to_xyzw(stack(poses, "quaternion")))
    return Camera(
        focal=stack(lenses, "focal"),
        center=stack(lenses, "center"),
        radial=stack(lenses, "radial", [0.0, 0.0, 0.0]),
        tangential=stack(lenses, "tangential", [0.0, 0.0]),
        rotation=roma.unitquat_to_rotmat(quaternion).mT,  # world to camera
        position=stack(poses, "position") / 1000,
        image_size=stack(lenses, "image_size"),
        convention=convention,
    )


def random_rig(
    count: int,
    *,
    seed: int,
    distance: tuple[float, float] = (2.5, 7.0),
    height: tuple[float, float] = (0.3, 2.5),
    focal: tuple[float, float] = (0.8, 2.0),
) -> Camera:
    """Distortion-free cameras at random positions around the origin, looking at 1 m above it.

    Args:
        count: number of cameras; the result is a batch of shape [count].
        seed: the same seed gives the same cameras.
        distance: horizontal distance from the origin, in metres.
        height: height above the floor, in metres.
        focal: focal length in image widths.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    angle, far = uniform(0.0, 2 * torch.pi), uniform(*distance)
    position = torch.stack((far * angle.cos(), far * angle.sin(), uniform(*height)), dim=-1)
    rotation = look_at(position, torch.tensor([0.0, 0.0, 1.0]))
    size = torch.full((count, 2), 1000.0)
    return Camera(
        focal=(uniform(*focal) * 1000).unsqueeze(-1).expand(count, 2),
        center=size / 2,
        radial=torch.zeros(count, 3),
        tangential=torch.zeros(count, 2),
        rotation=rotation,
        position=position,
        image_size=size,
    )


def look_at(position: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """World-to-camera rotations [..., 3, 3] of upright cameras that look from a position at a target."""
    forward = torch.nn.functional.normalize(target - position, dim=-1)
    down = torch.tensor([0.0, 0.0, -1.0], dtype=position.dtype).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(down, forward), dim=-1)
    return torch.stack((right, torch.linalg.cross(forward, right), forward), dim=-2)

"""Directions: unit vectors, and the rotation from one to another."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def unit_vectors(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """The vectors at length 1; those without a length stay 0."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12)


def unit_vectors_or_nan(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The vectors at length 1; NaN for those without a length."""
    return vectors / vectors.norm(dim=-1, keepdim=True)


def minimal_rotation(
    start: Float[Tensor, "*batch 3"], end: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """The smallest rotation of a unit vector to another; any of them where they are opposite."""
    half = start + end
    length = half.norm(dim=-1, keepdim=True)
    half = torch.where(length > 1e-9, half / length.clamp_min(1e-9), _perpendicular(start))
    quaternion = torch.cat([start.cross(half, dim=-1), (start * half).sum(dim=-1, keepdim=True)], dim=-1)
    import roma  # loads PyTorch's compiler: only for those who need it

    return roma.unitquat_to_rotmat(quaternion / quaternion.norm(dim=-1, keepdim=True))


def _perpendicular(units: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Some unit vector at right angles to each."""
    axis = torch.nn.functional.one_hot(units.abs().argmin(dim=-1), 3).to(units.dtype)
    crossed = units.cross(axis, dim=-1)
    return crossed / crossed.norm(dim=-1, keepdim=True)

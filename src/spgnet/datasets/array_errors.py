"""What is wrong with the arrays of a data set's archive, as messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def pixel_errors(held: Any, cameras: Sequence[str], joints: int, frames: int) -> list[str]:
    """Errors of a sequence whose 2D joints should be an array [``frames`` or more, joints, 2] per camera.

    There may be a third column, the detector's confidence.
    """
    if not isinstance(held, list | tuple | np.ndarray):
        return ["is missing" if held is None else f"is {type(held).__name__}, expected a list by camera"]
    if len(held) != len(cameras):
        return [f"has {len(held)} cameras, expected {len(cameras)}"]
    errors = []
    for camera, values in zip(cameras, held, strict=True):
        cut = values[:frames] if isinstance(values, np.ndarray) and values.ndim else values
        columns = 3 if isinstance(cut, np.ndarray) and cut.shape[-1:] == (3,) else 2
        found = array_errors(cut, (joints, columns))
        if not found and len(cut) < frames:
            found = [f"has {len(cut)} frames, the motion has {frames}"]
        errors += [f"camera {camera} {error}" for error in found]
    return errors


def stack_cameras(held: Sequence[np.ndarray], frames: int) -> np.ndarray:
    """The first frames of each camera's 2D joints [T, J, 2 or 3], as [C, frames, J, 2 or 3].

    The third column, the confidence, is there only if all cameras have it.
    """
    columns = min(camera.shape[-1] for camera in held)
    return np.stack([camera[:frames, :, :columns] for camera in held])


def array_errors(value: Any, shape: tuple[int, int]) -> list[str]:
    """What is wrong with an array that should have floating point numbers and the shape [T, *shape]."""
    if not isinstance(value, np.ndarray) or value.ndim != 3 or value.shape[1:] != shape or not len(value):
        found = f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        return [f"has {found}, expected {('frames', *shape)}"]
    if value.dtype.kind != "f":
        return [f"holds {value.dtype}, expected floating point numbers"]
    broken = ~np.isfinite(value).all(axis=(1, 2))
    if broken.any():
        return [f"holds NaN or infinity in {broken.sum()} frames, the first is frame {broken.argmax()}"]
    return []

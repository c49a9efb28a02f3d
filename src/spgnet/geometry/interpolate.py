"""Linear interpolation in time: at other times, at fractions of frames, and across gaps.

Arrays whose frames have times of their own: :func:`interpolate_at` and :func:`nearest_at` (NumPy). Tensors of
evenly spaced frames: :func:`interpolate_frames` and :func:`fill_missing` (PyTorch, on any device).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Real, Shaped
from torch import Tensor


def interpolate_at(
    values: Float[np.ndarray, "frames ..."],
    times: Real[np.ndarray, " frames"],
    wanted: Real[np.ndarray, " times"],
) -> Float[np.ndarray, "times ..."]:
    """Values at wanted times, by linear interpolation; outside the first and last frame, that frame's value.

    Args:
        values: of each frame.
        times: of the frames, increasing, in any unit.
        wanted: times in the same unit, in any order.
    """
    last = len(times) - 1
    after = np.clip(np.searchsorted(times, wanted), min(1, last), last)
    before = np.maximum(after - 1, 0)
    step = np.where(after > before, times[after] - times[before], 1)
    weight = np.clip((wanted - times[before]) / step, 0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return values[before] * (1 - weight) + values[after] * weight


def nearest_at(
    values: Shaped[np.ndarray, "frames ..."],
    times: Real[np.ndarray, " frames"],
    wanted: Real[np.ndarray, " times"],
) -> Shaped[np.ndarray, "times ..."]:
    """Values of the frames nearest to wanted times; of two that are equally near, the earlier.

    Args:
        values: of each frame, of any type.
        times: of the frames, increasing, in any unit.
        wanted: times in the same unit, in any order.
    """
    middles = (times[1:] + times[:-1]) / 2
    return values[np.searchsorted(middles, wanted)]


def interpolate_frames(
    values: Float[Tensor, "frames ..."],
    position: Float[Tensor, "*wanted"],
    first: Int[Tensor, "*#wanted"] | int = 0,
) -> Float[Tensor, ...]:
    """Values between frames, by linear interpolation; outside the first and last frame, that frame's value.

    Args:
        values: of each frame; frames are evenly spaced.
        position: where each wanted value lies, in frames after ``first``: 2.25 is a quarter of the way from
            frame 2 to frame 3.
        first: index of the frame from which positions are counted. Whole frames that are given here cost
            positions in single precision none of their digits.

    Returns:
        Values [*wanted, ...]: the dimensions of ``position`` and then those of a frame.
    """
    whole = position.floor()
    index = first + whole.long()
    frames = [frame.clamp(0, len(values) - 1).flatten() for frame in (index, index + 1)]
    weight = (position - whole).to(values.dtype).flatten()
    before, after = (values.index_select(0, frame) for frame in frames)  # values[frame], but faster
    between = before.lerp(after, weight.reshape(-1, *[1] * (values.ndim - 1)))
    return between.reshape(*position.shape, *values.shape[1:])


def fill_missing(
    points: Float[Tensor, "*batch frames joints xyz"],
    missing: Bool[Tensor, "*batch frames joints"],
    times: Float[Tensor, " frames"] | None = None,
) -> Float[Tensor, "*batch frames joints xyz"]:
    """Missing points filled in linearly in time between their neighbours; at an end, with the one neighbour.

    A joint that is missing in all frames keeps its points: there is nothing to fill it from.

    Args:
        points: of each joint and frame; the missing ones may hold anything.
        missing: which points are to be filled.
        times: of the frames, increasing, in any unit; if None, frames are evenly spaced.
    """
    some = missing.any(dim=-2) & ~missing.all(dim=-2)
    filled = points.clone()
    by_joint = filled.transpose(-3, -2)
    by_joint[some] = _fill_tracks(by_joint[some], missing.transpose(-2, -1)[some], times)
    return filled


def _fill_tracks(
    points: Float[Tensor, "tracks frames xyz"],
    missing: Bool[Tensor, "tracks frames"],
    times: Float[Tensor, " frames"] | None,
) -> Float[Tensor, "tracks frames xyz"]:
    """:func:`fill_missing` for joints of which some frames are missing and some are not."""
    frames = points.shape[-2]
    frame = torch.arange(frames, device=points.device)
    before = torch.where(missing, -1, frame).cummax(dim=-1).values
    after = torch.where(missing, frames, frame).flip(-1).cummin(dim=-1).values.flip(-1)
    left, right = torch.where(before < 0, after, before), torch.where(after == frames, before, after)
    if times is None:
        weight = (frame - left).to(points.dtype) / (right - left).clamp(min=1)
    else:
        step = torch.where(right > left, times[right] - times[left], 1)
        weight = ((times - times[left]) / step).where(right > left, 0).to(points.dtype)
    start, end = (points.gather(-2, index.unsqueeze(-1).expand_as(points)) for index in (left, right))
    return start.lerp(end, weight.unsqueeze(-1))

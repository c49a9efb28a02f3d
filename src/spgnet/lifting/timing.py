"""Time: the networks want frames at a steady rate like those that they were trained on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

RATES = (20.0, 65.0)
"""Frame rates that are lifted as they are, in frames per second."""
UNEVEN = 0.25
"""How far a frame may be from its place in a steady series, in frames, before the series is resampled."""


def steady_grid(timestamps: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " steady"] | None:
    """Times at a steady rate over the same span, or None if the clip's own are steady and of a known rate.

    Args:
        timestamps: increasing, in seconds.
    """
    if len(timestamps) < 2:
        return None
    first, last = float(timestamps[0]), float(timestamps[-1])
    fps = (len(timestamps) - 1) / (last - first)
    even = np.linspace(first, last, len(timestamps))
    if RATES[0] <= fps <= RATES[1] and np.abs(timestamps - even).max() * fps <= UNEVEN:
        return None
    rate = min(max(fps, 25.0), 60.0)
    return np.linspace(first, last, max(2, round((last - first) * rate) + 1))


def at_times(
    values: Float[np.ndarray, "frames ..."],
    timestamps: Float[np.ndarray, " frames"],
    wanted: Float[np.ndarray, " times"],
) -> Float[np.ndarray, "times ..."]:
    """Linear interpolation in time; before the first and after the last frame, that frame."""
    after = np.clip(np.searchsorted(timestamps, wanted), 1, len(timestamps) - 1)
    start, end = timestamps[after - 1], timestamps[after]
    weight = np.clip((wanted - start) / (end - start), 0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return values[after - 1] * (1 - weight) + values[after] * weight


def nearest_frames(
    values: Bool[np.ndarray, "frames ..."],
    timestamps: Float[np.ndarray, " frames"],
    wanted: Float[np.ndarray, " times"],
) -> Bool[np.ndarray, "times ..."]:
    """The values of the frames nearest in time."""
    middles = (timestamps[1:] + timestamps[:-1]) / 2
    return values[np.searchsorted(middles, wanted)]

"""Time: the networks want frames at a steady rate like those that they were trained on."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

from spgnet.keypoints.keypoints import mean_fps

UNEVEN = 0.25
"""How far a frame may be from its place in a steady series, in frames, before the series is resampled."""
SHORT = 0.2
"""Seconds between two sightings of a joint that count as seen in between, where it is interpolated."""


def steady_grid(
    timestamps: Float[np.ndarray, " frames"], slowest: float
) -> Float[np.ndarray, " steady"] | None:
    """Times at a steady rate over the same span, or None if the clip's own are steady and fast enough.

    Args:
        timestamps: increasing, in seconds.
        slowest: lowest frame rate that the network is for; a clip that is more than a tenth slower is
            resampled to it.
    """
    if len(timestamps) < 2:
        return None
    first, last = float(timestamps[0]), float(timestamps[-1])
    fps = mean_fps(timestamps)
    even = np.linspace(first, last, len(timestamps))
    if fps >= 0.9 * slowest and np.abs(timestamps - even).max() * fps <= UNEVEN:
        return None
    return np.linspace(first, last, max(2, round((last - first) * max(fps, slowest)) + 1))


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


def bridged(
    seen: Bool[np.ndarray, "frames joints"], timestamps: Float[np.ndarray, " frames"]
) -> Bool[np.ndarray, "frames joints"]:
    """Which joints were seen in a frame, or shortly before it and shortly after it, :data:`SHORT` apart."""
    frames = np.arange(len(seen))[:, None]
    before = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, frames, len(seen))[::-1], axis=0)[::-1]
    between = (before >= 0) & (after < len(seen))
    span = timestamps[after.clip(max=len(seen) - 1)] - timestamps[before.clip(0)]
    return between & (span <= SHORT + 1e-6)


def steps_between(seconds: float, slowest: float) -> int:
    """Into how many steps the time between two frames is cut for a network that wants them faster.

    Args:
        seconds: from one frame to the next.
        slowest: lowest frame rate that the network is for; frames up to a tenth slower are left as they are.
    """
    return max(1, math.ceil(seconds * slowest - 0.1))

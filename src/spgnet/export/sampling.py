"""Motions on one clock at a constant frame rate, in the axes of file formats, and as rows of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from spgnet.geometry.interpolate import interpolate_at
from spgnet.lifting.motion import Motion


def z_up_to_y_up(points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
    """The same points with y up: x stays, y becomes -z and z becomes y. Units are kept."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


JITTER = 0.25
"""How far a frame may be from its place in an even series, in frames, to be taken as it is."""


def frame_rate(motions: Sequence[Motion]) -> float:
    """Frames per second of the longest motion: that of its steps, pauses aside (30 for a single frame).

    The mean rate of a motion counts pauses; here they must not slow down all the rest.
    """
    times = max(motions, key=len).timestamps
    if len(times) == 1:
        return 30.0
    steps = np.diff(times)
    return 1 / float(steps[steps < 1.5 * np.median(steps)].mean())


def constant_rate(motions: Sequence[Motion], fps: float) -> Float[np.ndarray, "people frames joints 3"]:
    """World positions (metres, z up) of people at a constant rate, from the first frame of any of them.

    Frames that are about evenly spaced are taken as they are; others are interpolated linearly in time.
    Positions are NaN while a person is not there.
    """
    return resample(motions, fps, [motion.world for motion in motions])


def resample(
    motions: Sequence[Motion], fps: float, values: Sequence[Float[np.ndarray, ...]]
) -> Float[np.ndarray, "people frames ..."]:
    """Values of people at a constant rate, as :func:`constant_rate` gives positions.

    Args:
        motions: the people.
        fps: frames per second.
        values: for each person, values in each of the frames.
    """
    start = min(motion.timestamps[0] for motion in motions)
    places = [(motion.timestamps - start) * fps for motion in motions]
    covered = [_covered(place) for place in places]
    people = np.full((len(motions), max(frames[-1] for frames in covered) + 1, *values[0].shape[1:]), np.nan)
    for person, own, place, frames in zip(people, values, places, covered, strict=True):
        if len(frames) == len(own) and (np.abs(place - frames) <= JITTER).all():
            person[frames] = own
        else:
            person[frames] = interpolate_at(own, place, frames)
    return people


def _covered(places: Float[np.ndarray, " frames"]) -> Int[np.ndarray, " covered"]:
    """The whole frames between the first and the last place, give or take the jitter; at least one."""
    first = math.ceil(places[0] - JITTER)
    return np.arange(first, max(first, math.floor(places[-1] + JITTER)) + 1)


BLOCK = 1024
"""Rows that are formatted at once: much faster than one by one, and in little memory."""


def format_rows(table: Float[np.ndarray, "rows columns"], formats: Sequence[str], delimiter: str) -> str:
    """One line for each row, each column in its own ``%`` format, with a newline after every line."""
    line = delimiter.join(formats) + "\n"
    blocks = (table[first : first + BLOCK] for first in range(0, len(table), BLOCK))
    return "".join(line * len(block) % tuple(block.ravel().tolist()) for block in blocks)

"""Detections that cannot be right, and left and right put back where they were exchanged for a moment.

All limits are in metres and seconds, so that they hold at any frame rate and image size: a person's size in
the image gives the pixels per metre. They lie beyond the fastest movements of simulated video of motion
capture (kicks, jumps, acrobatics and dance at 25 and 60 fps; docs/keypoints.md).
"""

from __future__ import annotations

from collections import deque

import numpy as np
from jaxtyping import Bool, Float, Int

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.scale import (
    LENGTHS,
    MIN_BONES,
    WINDOW,
    pixels_per_metre,
    steady_pixels_per_metre,
)

NOISE = 0.05
"""The largest deviation of a right detection from a smooth path, in metres, that is detection error."""
ACCELERATION = 120.0
"""The largest acceleration of a joint, in m/s²."""
LONGEST_BURST = 0.5
"""The longest run of detections, in seconds, that is judged by its jumps away and back."""
STRETCH, SLACK = 1.5, 0.25
"""Two joints appear at most this many times as far apart as an average body's bones between them are long,
and these metres, perspective and detection errors included."""
PATIENCE = 0.15
"""Seconds after which a joint that jumped away is believed live, where nobody knows if it comes back."""
FASTEST = 20.0
"""The highest speed of a joint, in m/s."""
WEAK_EVIDENCE, SURE_EVIDENCE = 0.25, 1.5
"""Left and right are put back if there is a little evidence at both ends of a burst, and enough together; in
units of the largest deviation of a right detection."""
_PAIRS = [[joint, twin] for joint, twin in enumerate(HUMAN36M.mirror) if joint < twin]


def find_outliers(
    pixels: Float[np.ndarray, "frames 17 2"],
    confidence: Float[np.ndarray, "frames 17"],
    times: Float[np.ndarray, " frames"],
) -> Bool[np.ndarray, "frames 17"]:
    """Which detected joints cannot be right.

    A joint cannot be right if it is farther from the others than the bones between them can reach, or if it
    jumps away from its own past and back to its own future within :data:`LONGEST_BURST`. Nothing is found
    where too few joints are detected to tell the person's size.

    Args:
        pixels: the joints of Human3.6M in the image.
        confidence: 0 where missing.
        times: of the frames, increasing, in seconds.
    """
    detected = confidence > 0
    scale = steady_pixels_per_metre(pixels, detected, times)
    out_of_reach = _out_of_reach(pixels, detected, scale)
    return out_of_reach | _jumping(pixels, detected & ~out_of_reach, times, scale)


def _path_lengths() -> Float[np.ndarray, "17 17"]:
    """Length of the bones between any two joints of an average body, in metres."""
    lengths = np.zeros((len(HUMAN36M), len(HUMAN36M)))
    for (parent, child), length in zip(HUMAN36M.bones, LENGTHS, strict=True):
        lengths[child, :child] = lengths[:child, child] = lengths[parent, :child] + length
    return lengths


_REACH = STRETCH * _path_lengths() + SLACK


def _out_of_reach(
    pixels: Float[np.ndarray, "frames 17 2"],
    detected: Bool[np.ndarray, "frames 17"],
    scale: Float[np.ndarray, " frames"],
) -> Bool[np.ndarray, "frames 17"]:
    """Joints too far from others: in each frame the one that is too far from most of them, and so on."""
    joints = range(len(HUMAN36M))
    too_far = np.zeros((*detected.shape, len(joints)), dtype=bool)
    for joint in joints:
        distance = np.linalg.norm(pixels - pixels[:, joint, None], axis=-1)
        too_far[:, joint] = detected & detected[:, joint, None] & (distance > _REACH[joint] * scale[:, None])
    rejected = np.zeros_like(detected)
    frames = np.flatnonzero(too_far.any(axis=(1, 2)))
    while len(frames):
        count = too_far[frames].sum(axis=2)
        worst = count.shape[1] - 1 - count[:, ::-1].argmax(axis=1)  # of equals the one farther from the trunk
        rejected[frames, worst] = True
        too_far[frames, worst] = False
        too_far[frames, :, worst] = False
        frames = frames[too_far[frames].any(axis=(1, 2))]
    return rejected


def _jumping(
    pixels: Float[np.ndarray, "frames 17 2"],
    detected: Bool[np.ndarray, "frames 17"],
    times: Float[np.ndarray, " frames"],
    scale: Float[np.ndarray, " frames"],
) -> Bool[np.ndarray, "frames 17"]:
    """Joints in short runs of detections between jumps, the shortest first."""
    rejected = np.zeros_like(detected)
    for joint in range(detected.shape[1]):
        kept = np.flatnonzero(detected[:, joint] & np.isfinite(scale))
        for longest in _doubling(len(kept)):
            path = pixels[kept, joint] / scale[kept, None]
            jumps = _least(_deviations(path, path, times[kept]) / _allowed(times[kept])) > 1
            if not jumps.any():
                break
            run, short = _short_runs(jumps, times[kept], longest)
            rejected[kept[short[run]], joint] = True
            kept = kept[~short[run]]
    return rejected


class CausalOutlierGate:
    """:func:`find_outliers` frame by frame: a jump is one away from the past, as the future is not known.

    A joint that stays for :data:`PATIENCE` where it jumped to is believed.
    """

    def __init__(self) -> None:
        self._scales: deque[tuple[float, float]] = deque()
        self._last = np.full((2, len(HUMAN36M), 2), np.nan)
        self._times = np.full((2, len(HUMAN36M)), np.nan)

    def push(
        self, pixels: Float[np.ndarray, "17 2"], confidence: Float[np.ndarray, " 17"], time: float
    ) -> Bool[np.ndarray, " 17"]:
        """Which detected joints of the next frame cannot be right; its time is in seconds."""
        detected = confidence > 0
        scale = self._scale(pixels, detected, time)
        rejected = _out_of_reach(pixels[None], detected[None], np.array([scale]))[0]
        before, after = self._times[1] - self._times[0], time - self._times[1]
        expected = self._last[1] + (self._last[1] - self._last[0]) * (after / before)[:, None]
        deviation = np.linalg.norm(pixels - expected, axis=-1) / scale
        recent = after <= PATIENCE
        rejected |= detected & recent & (deviation > _largest_deviation(before, after))  # without a past: NaN
        kept = detected & ~rejected
        moved = np.linalg.norm(pixels - self._last[1], axis=-1) / scale
        believable = recent & (moved < 2 * NOISE + FASTEST * after)
        self._last[1, kept & ~believable] = np.nan  # either it or the new one is wrong
        self._last[:, kept] = self._last[1, kept], pixels[kept]
        self._times[:, kept] = self._times[1, kept], np.full(kept.sum(), time)
        return rejected

    def _scale(self, pixels: np.ndarray, detected: np.ndarray, time: float) -> float:
        """Pixels per metre, the median over the last second; NaN while it is not known."""
        scale = float(pixels_per_metre(pixels, detected, min_bones=MIN_BONES))
        if np.isfinite(scale):
            self._scales.append((time, scale))
        while self._scales and self._scales[0][0] < time - WINDOW and len(self._scales) > 1:
            self._scales.popleft()
        return float(np.median([scale for _, scale in self._scales])) if self._scales else np.nan


def find_exchanged(
    pixels: Float[np.ndarray, "frames 17 2"],
    confidence: Float[np.ndarray, "frames 17"],
    times: Float[np.ndarray, " frames"],
) -> Bool[np.ndarray, "frames 17"]:
    """Which joints are exchanged with their twins on the other side, for :data:`LONGEST_BURST` at most.

    They are where the paths of both, extrapolated from the frames before and from those after, say that the
    other one must be. Legs that cross do not look like that, as each goes on as it went. Of a person who is
    exchanged for longer than that nothing is known.

    Args:
        pixels: the joints of Human3.6M in the image.
        confidence: 0 where missing.
        times: of the frames, increasing, in seconds.
    """
    detected = confidence > 0
    scale = steady_pixels_per_metre(pixels, detected, times)
    exchanged = np.zeros_like(detected)
    for pair in _PAIRS:
        frames = np.flatnonzero(detected[:, pair].all(axis=1) & np.isfinite(scale))
        one, other = (pixels[frames, joint] / scale[frames, None] for joint in pair)
        for longest in _doubling(len(frames)):
            evidence = _evidence_of_exchange(one, other, times[frames])
            changes = evidence > WEAK_EVIDENCE
            if not changes.any():
                break
            run, short = _short_runs(changes, times[frames], longest)
            at_ends = np.pad(evidence[changes], 1)
            short = (short & (at_ends[1:] + at_ends[:-1] > SURE_EVIDENCE))[run]
            exchanged[frames[short][:, None], pair] ^= True
            one, other = (np.where(short[:, None], a, b) for a, b in ((other, one), (one, other)))
    return exchanged


def _evidence_of_exchange(
    one: Float[np.ndarray, "n 2"], other: Float[np.ndarray, "n 2"], times: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " steps"]:
    """How much better two paths go on at a step from one frame to the next if they change places there.

    It is in units of what error and acceleration explain, and 0 if the paths do not go on well then, from
    the past or into the future (both in a burst of several frames, one in a burst of a single frame).
    """
    limit = _allowed(times)
    as_labelled = _deviations(one, one, times) + _deviations(other, other, times)
    changed = _deviations(one, other, times), _deviations(other, one, times)
    goes_on = (np.maximum(*changed) < limit).any(axis=0)
    return np.where(goes_on, _least((as_labelled - changed[0] - changed[1]) / limit), 0)


def _deviations(
    path: Float[np.ndarray, "n 2"], onto: Float[np.ndarray, "n 2"], times: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "2 steps"]:
    """How far from one path's extrapolation another is, one frame on, in metres.

    The first row extrapolates the two frames up to a step to the frame after it, the second the two frames
    after a step to the frame before it; NaN where there are no two frames.
    """

    def ahead(path: np.ndarray, onto: np.ndarray, times: np.ndarray) -> np.ndarray:
        share = (np.diff(times)[1:] / np.diff(times)[:-1])[:, None]
        return np.linalg.norm(onto[2:] - path[1:-1] - share * np.diff(path, axis=0)[:-1], axis=1)

    return _two_rows(ahead(path, onto, times), ahead(path[::-1], onto[::-1], times[::-1])[::-1])


def _allowed(times: Float[np.ndarray, " n"]) -> Float[np.ndarray, "2 steps"]:
    """How large :func:`_deviations` of one joint can be by detection error and acceleration, in metres."""

    def ahead(times: np.ndarray) -> np.ndarray:
        steps = np.abs(np.diff(times))
        return _largest_deviation(steps[:-1], steps[1:])

    return _two_rows(ahead(times), ahead(times[::-1])[::-1])


def _largest_deviation(
    before: Float[np.ndarray, " n"], after: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """How far a right detection can be from the line through two others, in metres.

    Args:
        before: seconds between those two.
        after: seconds from the nearer one.
    """
    return NOISE * (1 + after / before) + ACCELERATION * after * (before + after) / 2


def _two_rows(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Values of all steps but the first, and of all but the last, as rows padded with NaN."""
    return np.stack(
        (np.pad(forward, (1, 0), constant_values=np.nan), np.pad(backward, (0, 1), constant_values=np.nan))
    )


def _least(values: Float[np.ndarray, "2 steps"]) -> Float[np.ndarray, " steps"]:
    """The smaller value of those that there are; 0 where there is none."""
    least = np.fmin(*values)
    return np.where(np.isnan(least), 0, least)


def _doubling(count: int) -> list[int]:
    """1, 2, 4, ... up to a number."""
    return [2**power for power in range(count.bit_length())]


def _short_runs(
    breaks: Bool[np.ndarray, " steps"], times: Float[np.ndarray, " n"], longest: int
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " runs"]]:
    """For each frame the number of its run between breaks, and which runs are short.

    A short run has at most ``longest`` frames, fewer than a neighbouring run, and takes at most
    :data:`LONGEST_BURST`; at either end of the clip half that, as only a part of it may be seen.
    """
    run = np.concatenate(([0], np.cumsum(breaks)))
    count = np.bincount(run)
    last = np.cumsum(count) - 1
    seconds = times[last] - times[last - count + 1]
    seconds[[0, -1]] *= 2
    beside = np.maximum(np.append(0, count[:-1]), np.append(count[1:], 0))
    return run, (count <= longest) & (count < beside) & (seconds <= LONGEST_BURST)

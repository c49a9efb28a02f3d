"""Which frames of a video the detector looks at: every n-th, or as many as the motion needs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float

from spgnet.detection.tracking import TrackedPerson
from spgnet.errors import InputError
from spgnet.keypoints.similarity import diagonal, keypoint_box, visible

DetectEvery = int | Literal["auto"]
"""Every n-th frame, or those that the motion needs (:class:`AsMotionNeeds`)."""


def check_detect_every(detect_every: DetectEvery) -> None:
    """Validate in which frames to detect.

    Raises:
        InputError: it is neither a positive number nor ``"auto"``.
    """
    if detect_every != "auto" and (isinstance(detect_every, str) or detect_every < 1):
        raise InputError(f'detect_every must be 1 or more, or "auto", got {detect_every}')


class FrameChoice(Protocol):
    """Chooses frame after frame, in order.

    Attributes:
        interpolated: whether the other frames are interpolated, so that the first and the last frame of a
            scene must be looked at in any case.
    """

    interpolated: bool

    def is_due(self, time: float) -> bool:
        """Whether to look at the next frame; called once for every frame with its time in seconds."""
        ...

    def add(self, people: Sequence[TrackedPerson], time: float) -> None:
        """Take in the people in a frame that was looked at, due or not."""
        ...


class EveryNth:
    """Every n-th frame, from the first on."""

    interpolated = False

    def __init__(self, step: int) -> None:
        self.step, self._count = step, 0

    def is_due(self, time: float) -> bool:
        """Whether to look at the next frame (see `FrameChoice`)."""
        self._count += 1
        return (self._count - 1) % self.step == 0

    def add(self, people: Sequence[TrackedPerson], time: float) -> None:
        """Nothing changes with the people."""


@dataclass(frozen=True)
class MotionNeed:
    """When positions interpolated between two looks are good enough.

    Lengths are in units of the diagonal of a person's keypoint box. The values were chosen on simulated video
    (``benchmarks/frame_choice.py``; docs/detection.md).

    Args:
        error: root mean square over the keypoints of the expected error of interpolation, halfway between two
            looks.
        noise: root mean square distance of a keypoint from where it would be without the detector's jitter.
        longest: longest time from one look to the next, in seconds.
        unsure: the same while nobody is there, and when somebody has just come or been lost.
    """

    error: float = 0.003
    noise: float = 0.005
    longest: float = 0.07
    unsure: float = 0.034


class AsMotionNeeds:
    """As many frames as the motion needs, so that those between can be interpolated.

    The keypoints' acceleration a in the last three looks at a person, less what the detector's jitter adds to
    it, makes a position interpolated linearly in the middle of t seconds wrong by a t² / 8, which is to stay
    below :attr:`MotionNeed.error`. The fastest person decides. The time t from one look to the next doubles
    at most.
    """

    interpolated = True

    def __init__(self, need: MotionNeed | None = None) -> None:
        self.need = need or MotionNeed()
        self._looks: dict[int, deque[tuple[float, np.ndarray]]] = {}
        self._last, self._step, self._frame = -math.inf, 0.0, -math.inf

    def is_due(self, time: float) -> bool:
        """Whether the frame after this one would be too late (see `FrameChoice`)."""
        interval, self._frame = time - self._frame, time
        return bool(time + interval > self._last + self._step + 1e-4)

    def add(self, people: Sequence[TrackedPerson], time: float) -> None:
        """Take in the people in a frame that was looked at (see `FrameChoice`)."""
        since, self._last = time - self._last, time
        before = self._looks.keys()
        self._looks = {one.serial: self._looks.get(one.serial, deque(maxlen=3)) for one in people}
        for one in people:
            self._looks[one.serial].append((time, one.keypoints))
        steps = [self._longest_step(looks) for looks in self._looks.values()]
        if not people or before - self._looks.keys():
            steps.append(self.need.unsure)
        self._step = min(*steps, 2 * since)

    def _longest_step(self, looks: deque[tuple[float, np.ndarray]]) -> float:
        """Longest time to the next look at a person, in seconds."""
        if len(looks) < 3:
            return self.need.unsure
        acceleration = self._acceleration(looks)
        return min(math.sqrt(8 * self.need.error / max(acceleration, 1e-9)), self.need.longest)

    def _acceleration(self, looks: deque[tuple[float, np.ndarray]]) -> float:
        """Root mean square over the keypoints, without that of the jitter, per second squared."""
        (first, before), (middle, now), (last, after) = looks
        seen: np.ndarray = visible(before) & visible(now) & visible(after)
        if not seen.any():
            return math.inf
        weights = _second_difference(np.array([first, middle, last]))
        points = np.stack([before, now, after])[:, seen, :2]
        vectors = np.tensordot(weights, points, axes=1) / diagonal(keypoint_box(now))
        jitter = (self.need.noise**2) * float((weights**2).sum())
        return math.sqrt(max(float((vectors**2).sum(axis=-1).mean()) - jitter, 0.0))


def _second_difference(times: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Weights of positions at three times whose sum is the second derivative."""
    before, after = times[1] - times[0], times[2] - times[1]
    return np.array([1 / before, -1 / before - 1 / after, 1 / after]) * 2 / (before + after)

"""What every view shares: one timeline for several people, their numbers, and where the floor is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spgnet.errors import InputError
from spgnet.geometry.skeleton import ANKLE_HEIGHT
from spgnet.keypoints.keypoints import mean_fps
from spgnet.lifting.motion import Motion

_SAME_MOMENT = 1e-3
"""Seconds; frames of several people that are closer than this are one moment."""
_SAME_FRAME = 0.25
"""The same as a share of the time between two frames of anybody, which counts in fast clips."""


@dataclass(frozen=True)
class Timeline:
    """The moments of a clip, and the frame of every person at each of them.

    Args:
        times: seconds, increasing.
        frames: index of each person's frame, -1 where the person is absent.
    """

    times: Float[np.ndarray, " moments"]
    frames: Int[np.ndarray, "people moments"]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def fps(self) -> float:
        """Mean moments per second; 30 for a single one."""
        return mean_fps(self.times)


def common_timeline(motions: Sequence[Motion]) -> Timeline:
    """One timeline for people who may come and go, or be filmed at different rates.

    A person stays at a frame until their next one, but not for longer than two of their frame intervals.

    Raises:
        InputError: there is no motion, or one that cannot be shown: its joints, confidences, pixels
            or uncertainties are not finite.
    """
    errors = [
        f"track {motion.track}: {fault}"
        for motion in motions
        for fault in motion.non_finite("joints", "confidence", "pixels", "uncertainty")
    ]
    if errors or not motions:
        raise InputError("; ".join(errors) or "there is no motion to show")
    every = np.sort(np.concatenate([motion.timestamps for motion in motions]))
    steps = [float(np.diff(motion.timestamps).min()) for motion in motions if len(motion) > 1]
    near = min([_SAME_MOMENT, *(_SAME_FRAME * step for step in steps)])
    times = every[np.diff(every, prepend=-np.inf) > near]
    frames = [_frames_at(times, motion.timestamps, near) for motion in motions]
    return Timeline(times.astype(np.float64), np.stack(frames))


def _frames_at(
    times: Float[np.ndarray, " moments"], timestamps: Float[np.ndarray, " frames"], near: float
) -> Int[np.ndarray, " moments"]:
    """Index of a person's frame at each time (seconds), -1 where the person is absent.

    A frame that is at most ``near`` seconds later counts as at that time.
    """
    index = np.searchsorted(timestamps, times + near, side="right") - 1
    longest = 2 * float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 1 / 30
    age = times - timestamps[index.clip(min=0)]
    last = index == len(timestamps) - 1
    present = (index >= 0) & (age <= np.where(last, near, longest))
    return np.where(present, index, -1).astype(np.int64)


def person_numbers(motions: Sequence[Motion]) -> list[int]:
    """The number that each person is shown with: their track, or their place if tracks are not unique."""
    tracks = [motion.track for motion in motions]
    return tracks if len(set(tracks)) == len(tracks) else list(range(1, len(tracks) + 1))


def floor_height(motions: Sequence[Motion]) -> float:
    """Height of the floor in the world, in metres.

    It is 0 where the world is calibrated or estimated. In an arbitrary one it is under the lowest joint,
    which is taken for an ankle.
    """
    if any(motion.camera.extrinsics != "arbitrary" for motion in motions):
        return 0.0
    lowest = min(float(motion.world[..., 2].min()) for motion in motions)
    return round(lowest - ANKLE_HEIGHT, 2)

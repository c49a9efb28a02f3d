"""What every view shares: one clock for several people, their numbers, and where the floor is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spgnet.errors import InputError
from spgnet.lifting.motion import Motion

_TICK = 1e-3
"""Seconds; frames of several people that are closer than this are one moment."""


@dataclass(frozen=True)
class Clock:
    """The moments of a clip, and the frame of every person at each of them.

    Args:
        times: seconds, increasing.
        frames: index of each person's frame, -1 where the person is not there.
    """

    times: Float[np.ndarray, " moments"]
    frames: Int[np.ndarray, "people moments"]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def fps(self) -> float:
        """Mean moments per second; 30 for a single one."""
        return 30.0 if len(self) == 1 else (len(self) - 1) / float(self.times[-1] - self.times[0])


def common_clock(motions: Sequence[Motion]) -> Clock:
    """One clock for people who may come and go, or be filmed at different rates.

    A person stays at a frame until their next one, but not for longer than two of their frame intervals.

    Raises:
        InputError: there is no motion, or one that cannot be shown: its joints, pixels or timestamps are
            not finite, or its timestamps do not increase.
    """
    faults = [f"track {motion.track}: {fault}" for motion in motions for fault in _faults(motion)]
    if faults or not motions:
        raise InputError("; ".join(faults) or "there is no motion to show")
    every = np.sort(np.concatenate([motion.timestamps for motion in motions]))
    times = every[np.diff(every, prepend=-np.inf) > _TICK]
    frames = [_frames_at(times, motion.timestamps) for motion in motions]
    return Clock(times.astype(np.float64), np.stack(frames))


def _faults(motion: Motion) -> list[str]:
    faults = []
    for name in ("joints", "confidence", "pixels"):
        values = getattr(motion, name).reshape(len(motion), -1)
        broken = int((~np.isfinite(values)).any(axis=1).sum())
        if broken:
            faults.append(f"{name} are NaN or infinite in {broken} of {len(motion)} frames")
    return faults


def _frames_at(times: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Index into a person's own timestamps at each time, -1 where none is near."""
    index = np.searchsorted(own, times + _TICK, side="right") - 1
    patience = 2 * float(np.median(np.diff(own))) if len(own) > 1 else 1 / 30
    age = times - own[index.clip(min=0)]
    last = index == len(own) - 1
    here = (index >= 0) & (age <= np.where(last, _TICK, patience))
    return np.where(here, index, -1).astype(np.int64)


def person_numbers(motions: Sequence[Motion]) -> list[int]:
    """The number that each person is shown with: their track, or their place if tracks are not unique."""
    tracks = [motion.track for motion in motions]
    return tracks if len(set(tracks)) == len(tracks) else list(range(1, len(tracks) + 1))


def floor_height(motions: Sequence[Motion]) -> float:
    """Height of the floor in the world, in metres.

    It is 0 where the world is calibrated or estimated. In an arbitrary one it is under the lowest joint.
    """
    if any(motion.camera.extrinsics != "arbitrary" for motion in motions):
        return 0.0
    lowest = min(float(motion.world[..., 2].min()) for motion in motions)
    return round(lowest - 0.08, 2)

"""When feet are on the floor, and the gait events at which that begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from spgnet.geometry.foot import FOOT_JOINTS, POINT_HEIGHT, SIDES

HIGHEST = 0.05
"""Height in metres over that of a standing foot up to which heel or toes may be on the floor."""
FASTEST = 0.7
"""Speed in metres per second below which they may be, of motion without errors."""
FASTEST_LIFTED = 0.9
"""The same of lifted motion, in which standing feet are not quite still. With it, events of simulated video
come neither too early nor too late (``benchmarks/feet.py``)."""
SHORTEST = 0.06
"""Seconds: shorter contacts and shorter interruptions of one do not count."""
_REACH = 0.035
"""Seconds on both sides of a moment over which speed is measured."""


def point_contacts(
    points: Float[np.ndarray, "frames n 3"],
    heights: Float[np.ndarray, "frames n"],
    times: Float[np.ndarray, " frames"],
    *,
    fastest: float = FASTEST,
) -> Bool[np.ndarray, "frames n"]:
    """In which frames points of feet are on the floor: low and slow, and not for a moment only.

    Args:
        points: in any frame that does not move, in metres.
        heights: of the points above the floor, in metres.
        times: of the frames, in seconds.
        fastest: in metres per second.
    """
    found = (heights < POINT_HEIGHT + HIGHEST) & (speeds(points, times) < fastest)
    return np.stack([without_short(column, times) for column in found.T], axis=1)


def speeds(
    points: Float[np.ndarray, "frames n 3"], times: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, "frames n"]:
    """Speed in metres per second, over the frames within :data:`_REACH` of each or the ones next to it."""
    if len(times) < 2:
        return np.zeros(points.shape[:2])
    frames = np.arange(len(times))
    after = np.searchsorted(times, times + _REACH, side="right") - 1
    before = np.searchsorted(times, times - _REACH, side="left")
    after = np.maximum(after, np.minimum(frames + 1, len(times) - 1))
    before = np.minimum(before, np.maximum(frames - 1, 0))
    way = np.linalg.norm(points[after] - points[before], axis=-1)
    return way / (times[after] - times[before])[:, None]


def without_short(
    flags: Bool[np.ndarray, " frames"], times: Float[np.ndarray, " frames"], shortest: float = SHORTEST
) -> Bool[np.ndarray, " frames"]:
    """Flags without gaps and then without runs that are shorter than so many seconds; at the ends they
    stay."""
    flags = flags.copy()
    for value in (False, True):
        edges = np.flatnonzero(np.diff(flags.astype(int))) + 1
        bounds = [0, *edges.tolist(), len(flags)]
        for start, stop in pairwise(bounds):
            inner = start > 0 and stop < len(flags)
            if flags[start] == value and inner and times[stop] - times[start] < shortest:
                flags[start:stop] = not value
    return flags


def foot_contacts(
    joints: Float[np.ndarray, "frames 23 3"], times: Float[np.ndarray, " frames"], *, fastest: float = FASTEST
) -> Bool[np.ndarray, "frames 2"]:
    """In which frames the right and the left foot are on the floor with heel or toes.

    Args:
        joints: in a world with z up and the floor at 0, in metres.
        times: of the frames, in seconds.
        fastest: of a point on the floor, in metres per second.
    """
    columns = []
    for side in SIDES:
        points = joints[:, FOOT_JOINTS[side]]
        found = point_contacts(points, points[..., 2], times, fastest=fastest)
        columns.append(without_short(np.asarray(found.any(axis=1)), times))
    return np.stack(columns, axis=1)


EventKind = Literal["foot contact", "foot off"]


@dataclass(frozen=True)
class GaitEvent:
    """The moment at which a foot comes to the floor or leaves it.

    Args:
        frame: the first one with, or without, contact.
        time: of that frame, in seconds.
        side: ``right`` or ``left``.
        kind: ``foot contact`` or ``foot off``.
    """

    frame: int
    time: float
    side: str
    kind: EventKind


def gait_events(
    contacts: Bool[np.ndarray, "frames 2"], times: Float[np.ndarray, " frames"]
) -> list[GaitEvent]:
    """The events of contacts of the right and the left foot, in order of time.

    What begins before the first frame, or ends after the last, is no event.
    """
    events = []
    for column, side in enumerate(SIDES):
        changes = np.flatnonzero(np.diff(contacts[:, column].astype(int))) + 1
        events += [
            GaitEvent(
                int(frame),
                float(times[frame]),
                side,
                "foot contact" if contacts[frame, column] else "foot off",
            )
            for frame in changes
        ]
    return sorted(events, key=lambda event: (event.frame, event.side))

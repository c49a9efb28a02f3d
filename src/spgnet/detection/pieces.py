"""Long clips in overlapping pieces, which are detected apart, and whose tracks are joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from spgnet.detection.clip_tracks import ClipTracks
from spgnet.keypoints.similarity import best_assignment, oks
from spgnet.video.frames import SAME_TIME

OVERLAP = 4.0
"""Seconds that two pieces share. The frames before the middle are taken from the earlier piece. There, the
tracker of the later one has run for twice the time after which a tracker forgets who is missing
(:attr:`spgnet.detection.TrackingConfig.max_age`), and so knows what that of the whole clip would."""
SAME_PERSON = 0.5
"""Object keypoint similarity above which two poses in a frame are of one person."""
SEAM_DECAY = 0.5
"""Time constant, in seconds, with which frames away from the seam count less for who is who: either tracker
may exchange people before or after it."""
LONGEST_GAP = 0.25
"""Seconds between two detections of a person up to which the keypoints between them are interpolated, as two
pieces need not detect in the same frames."""


@dataclass(frozen=True)
class Piece:
    """The frames of a clip from a time to before another one, in seconds since its first frame."""

    start: float
    end: float


def divide_clip(
    times: Float[np.ndarray, " frames"], length: float, starts: Int[np.ndarray, " starts"]
) -> list[Piece]:
    """Pieces of about equal lengths, of which neighbours share :data:`OVERLAP` seconds.

    Args:
        times: of all frames in seconds, increasing.
        length: of a piece in seconds, without what it shares; longer than :data:`OVERLAP`. It becomes up to
            half as long again, so that no short piece is left.
        starts: the frames at which pieces may begin, the first among them. Where these are the turns of the
            person detector (:func:`spgnet.detection.people.box_turns`), its turns in all pieces are those in
            the whole clip.

    Returns:
        The pieces in order, of which no two end in the same pause of the timestamps; a single one if the clip
        is short.
    """
    span = float(times[-1]) if len(times) else 0.0
    count = max(1, min(round(span / length), len(times)))
    ends = span * np.arange(1, count) / count
    _, first = np.unique(np.searchsorted(times, ends), return_index=True)
    ends = ends[first].tolist()  # none in a pause of the timestamps but its first
    possible = times[starts]
    begins = [possible[np.searchsorted(possible, end - OVERLAP / 2, "right") - 1] for end in ends]
    return [
        Piece(float(begin), end)
        for begin, end in zip([0.0, *begins], [*(end + OVERLAP / 2 for end in ends), math.inf], strict=True)
    ]


def join_pieces(pieces: Sequence[ClipTracks]) -> ClipTracks:
    """The tracks of a clip from those of its pieces (:func:`divide_clip`), in order, one or more.

    Whoever is tracked in two pieces is the same person if the keypoints are near each other in the frames
    that both have.
    """
    pieces = [piece for piece in pieces if piece.times] or list(pieces[:1])
    joined = replace(pieces[0], times=[], looks=[], cuts=[], warnings=[], points={})
    serials = {serial: serial for serial in pieces[0].points}
    count, start = max(serials, default=0), -math.inf
    for piece, later in zip(pieces, [*pieces[1:], None], strict=True):
        end = math.inf if later is None else _seam(piece, later)
        _append(joined, piece, start, end, serials)
        if later is not None:
            same = _same_people(piece, later, end)
            new = [serial for serial in sorted(later.points) if serial not in same]
            serials = {serial: serials[known] for serial, known in same.items()}
            serials |= {serial: count + number for number, serial in enumerate(new, start=1)}
            count, start = count + len(new), end
    return joined


def _seam(piece: ClipTracks, later: ClipTracks) -> float:
    """The time in seconds from which frames are taken from the later piece: that of its first detection after
    the middle of what both have."""
    middle = (later.times[0] + piece.times[-1]) / 2
    looks = (later.times[look] for look in later.looks)
    return next((time for time in looks if middle <= time <= piece.times[-1]), max(middle, later.times[0]))


def _append(joined: ClipTracks, piece: ClipTracks, start: float, end: float, serials: dict[int, int]) -> None:
    """Append the frames of a piece from a time to before another one, its people under other serials."""
    first, last = np.searchsorted(piece.times, np.array([start, end]) - SAME_TIME).tolist()
    shift = len(joined.times) - first
    joined.times += piece.times[first:last]
    joined.looks += [look + shift for look in piece.looks if first <= look < last]
    joined.cuts += [time for time in piece.cuts if start - SAME_TIME <= time < end - SAME_TIME]
    joined.warnings += [line for line in piece.warnings if line not in joined.warnings]
    for serial, frames in piece.points.items():
        kept = {frame + shift: points for frame, points in frames.items() if first <= frame < last}
        if kept:
            joined.points.setdefault(serials[serial], {}).update(kept)


def _same_people(piece: ClipTracks, later: ClipTracks, seam: float) -> dict[int, int]:
    """Who is in both pieces: serials in the earlier one by those in the later one."""
    looks = [later.times[look] for look in later.looks]
    times = np.array([time for time in looks if time <= piece.times[-1] + SAME_TIME])
    if not len(times):
        return {}
    before, after = _poses_at(piece, times), _poses_at(later, times)
    if not before or not after:
        return {}
    earlier, found = np.stack(list(before.values()), axis=1), np.stack(list(after.values()), axis=1)
    similarity = np.stack([oks(one, other) for one, other in zip(earlier, found, strict=True)])
    weights = np.exp(-np.abs(times - seam) / SEAM_DECAY)
    gains = np.tensordot(weights, np.where(similarity > SAME_PERSON, similarity, 0), axes=1)
    known, shared = list(before), list(after)
    return {shared[column]: known[row] for row, column in best_assignment(gains)}


def _poses_at(
    piece: ClipTracks, times: Float[np.ndarray, " times"]
) -> dict[int, Float[np.ndarray, "times joints 3"]]:
    """Keypoints by serial at some times, interpolated between detections (:data:`LONGEST_GAP`).

    Zeros at times at which a person is missing; whoever is missing at all of them is left out.
    """
    found = {}
    for serial, frames in piece.points.items():
        seen = sorted(frames)
        at = np.array([piece.times[frame] for frame in seen])
        points = np.stack([frames[frame] for frame in seen])
        after = np.searchsorted(at, times - SAME_TIME).clip(0, len(at) - 1)
        before = np.where(at[after] <= times + SAME_TIME, after, after - 1).clip(0)
        gap = at[after] - at[before]
        there = (at[before] <= times + SAME_TIME) & (at[after] >= times - SAME_TIME) & (gap <= LONGEST_GAP)
        if there.any():
            share = np.where(gap > 0, (times - at[before]) / np.where(gap > 0, gap, 1), 0)[:, None, None]
            poses = (1 - share) * points[before] + share * points[after]
            found[serial] = np.where(there[:, None, None], poses, 0)
    return found

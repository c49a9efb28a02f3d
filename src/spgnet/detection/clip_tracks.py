"""The tracked people of a clip or of a piece of it: collected, numbered, and stored."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spgnet.detection.tracking import TrackedPerson
from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_npz
from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.keypoints.similarity import mean_confidence

MIN_CONFIDENCE = 0.45
"""Minimum confidence (`mean_confidence`) of a person, on average over the frames with the person."""


@dataclass
class ClipTracks:
    """The tracked people of the frames so far.

    Args:
        keypoint_set: the detector's keypoint set.
        interpolated: whether lifting interpolates the frames that were not looked at.
        times: of every frame, in seconds since the first frame of the clip.
        looks: indices of the frames in which people were detected.
        cuts: times of the frames that begin another scene.
        warnings: problems with reading the frames.
        image_size: width and height in pixels.
        points: keypoints [joints, 3] by serial and frame.
    """

    keypoint_set: KeypointSetName
    interpolated: bool = False
    times: list[float] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    image_size: tuple[int, int] = (1, 1)
    points: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)

    def add(self, index: int, people: Sequence[TrackedPerson]) -> None:
        """Add the people detected in the frame with this index."""
        self.looks.append(index)
        for person in people:
            self.points.setdefault(person.serial, {})[index] = person.keypoints.astype(np.float32)

    def people(self, min_duration: float) -> list[Keypoints]:
        """The people tracked for `min_duration` seconds, or for half of the clip if that is shorter, numbered
        from 1 in the order in which they reached `min_duration`, as :class:`Tracker` numbers them."""
        skipped = None
        if self.interpolated:
            skipped = np.ones(len(self.times), dtype=bool)
            skipped[self.looks] = False
        about = self.keypoint_set, np.array(self.times), self.image_size
        everybody = [
            Keypoints(self._all_frames(serial), *about, track=track, skipped=skipped)
            for track, serial in enumerate(self._numbered(min_duration), start=1)
        ]
        return [person for person in everybody if _confidence(person) >= MIN_CONFIDENCE]

    def _numbered(self, min_duration: float) -> list[int]:
        """The serials of the people who were tracked for long enough, in the order of their numbers."""
        reached, others = [], []
        shorter = min(min_duration, (self.times[-1] - self.times[0]) / 2) if self.times else min_duration
        for serial in sorted(self.points):
            first, *later = sorted(self.points[serial])
            lasted = [self.times[frame] - self.times[first] for frame in later]
            if lasted and lasted[-1] >= min_duration:
                reached.append((later[bisect_left(lasted, min_duration)], serial))
            elif (lasted[-1] if lasted else 0.0) >= shorter:
                others.append(serial)
        return [serial for _, serial in sorted(reached)] + others

    def _all_frames(self, serial: int) -> Float[np.ndarray, "frames joints 3"]:
        """A person's keypoints, zeros where the person is missing."""
        frames = self.points[serial]
        joints, _ = next(iter(frames.values())).shape
        points = np.zeros((len(self.times), joints, 3), np.float32)
        points[list(frames)] = list(frames.values())
        return points


def _confidence(person: Keypoints) -> float:
    return float(mean_confidence(person.points[person.points[..., 2].any(axis=-1)]).mean())


def save_tracks(path: Path, tracks: ClipTracks) -> None:
    """Write tracks as an ``.npz`` file, to be read by :func:`load_tracks`.

    Raises:
        OSError: it cannot be written.
    """
    found = [(serial, frame) for serial, frames in tracks.points.items() for frame in frames]
    joints = len(KEYPOINT_NAMES[tracks.keypoint_set])
    points = [tracks.points[serial][frame] for serial, frame in found]
    write_npz(
        path,
        keypoint_set=tracks.keypoint_set,
        interpolated=tracks.interpolated,
        times=np.array(tracks.times, np.float64),
        looks=np.array(tracks.looks, np.int64),
        cuts=np.array(tracks.cuts, np.float64),
        warnings=np.array(tracks.warnings, np.str_),
        image_size=np.array(tracks.image_size),
        found=np.array(found, np.int64).reshape(-1, 2),
        points=np.array(points, np.float32).reshape(-1, joints, 3),
    )


def load_tracks(path: Path) -> ClipTracks:
    """Read the tracks that :func:`save_tracks` wrote.

    Raises:
        InputError: the file is damaged, or another one.
    """
    with prefix_errors(path):
        stored = read_npz(path)
        try:
            tracks = ClipTracks(
                str(stored["keypoint_set"]),  # pyright: ignore[reportArgumentType]
                bool(stored["interpolated"]),
                *(stored[name].tolist() for name in ("times", "looks", "cuts", "warnings")),
                image_size=tuple(stored["image_size"].tolist()),
            )
            for (serial, frame), points in zip(stored["found"].tolist(), stored["points"], strict=True):
                tracks.points.setdefault(serial, {})[frame] = points
        except (KeyError, ValueError) as error:
            raise InputError(f"not the tracks of a piece of a video ({error})") from None
    return tracks

"""The people of a whole clip: their keypoints in every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from spgnet.detection.detector import Detector
from spgnet.detection.tracking import Sighting, Tracker, TrackingConfig, clarity
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, pick_person
from spgnet.video import Frame, FrameSource, open_frames

OnFrame = Callable[[Frame, Sequence[Sighting]], None]
"""Takes each frame with the people seen in it, for progress bars and pictures."""

MEAN_CLARITY = 0.45
"""Clarity that a person must have on average to count."""


def detect_video(
    source: str | Path | FrameSource,
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: int = 1,
    on_frame: OnFrame | None = None,
) -> list[Keypoints]:
    """:func:`track_people` over what `open_frames` opens, or over an open source.

    Raises:
        InputError: it cannot be read, or there is no person in it.
    """
    frames = source if isinstance(source, FrameSource) else open_frames(source)
    looked_at = 0

    def count(frame: Frame, people: Sequence[Sighting]) -> None:
        nonlocal looked_at
        looked_at += 1
        if on_frame:
            on_frame(frame, people)

    people = track_people(frames, detector, config=config, detect_every=detect_every, on_frame=count)
    if not people:
        raise InputError(f"no person found in {frames.name} ({looked_at} frames looked at)")
    return people


def track_people(
    frames: Iterable[Frame],
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: int = 1,
    on_frame: OnFrame | None = None,
) -> list[Keypoints]:
    """Detect the people in a clip and follow them. Frames are not kept.

    Args:
        frames: of one size, with increasing times.
        detector: finds people and their keypoints.
        config: how they are followed.
        detect_every: look at every n-th frame only; everybody is missing in those between.
        on_frame: called for every frame that was looked at. The numbers of its sightings are those of the
            result; 0 is somebody of whom there is no proof yet.

    Returns:
        Everybody who was followed for long enough and clearly, numbered from 1 in the order of appearance,
        each with all frames of the clip (a score of 0 in those without them). Empty if there is nobody.

    Raises:
        InputError: `detect_every` is not positive.
    """
    if detect_every < 1:
        raise InputError(f"detect_every must be 1 or more, got {detect_every}")
    tracker, clip = Tracker(detector, config), _Clip()
    for index, frame in enumerate(frames):
        clip.times.append(frame.time)
        clip.image_size = (frame.image.shape[1], frame.image.shape[0])
        if index % detect_every:
            continue
        people = tracker.update(frame.image, frame.time)
        clip.add(index, people)
        if on_frame:
            on_frame(frame, people)
    return clip.people(detector, tracker.config.proof)


def select_people(people: Sequence[Keypoints], which: Literal["largest", "all"] | int) -> list[Keypoints]:
    """Some of the people: all, one by number, or the largest (area of the box, summed over the frames).

    Raises:
        InputError: nobody has that number; the numbers there are.
    """
    return list(people) if which == "all" else [pick_person(people, which)]


@dataclass
class _Clip:
    """What was seen so far."""

    times: list[float] = field(default_factory=list)
    image_size: tuple[int, int] = (1, 1)
    seen: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)

    def add(self, index: int, people: Sequence[Sighting]) -> None:
        for person in people:
            self.seen.setdefault(person.serial, {})[index] = person.keypoints.astype(np.float32)
            self.numbers[person.serial] = person.track

    def people(self, detector: Detector, proof: float) -> list[Keypoints]:
        """Those who count. In a clip too short for the proof, half of the clip is enough."""
        proof = min(proof, (self.times[-1] - self.times[0]) / 2) if self.times else proof
        for serial, frames in self.seen.items():
            lasted = self.times[max(frames)] - self.times[min(frames)]
            if not self.numbers[serial] and lasted >= proof:
                self.numbers[serial] = max(self.numbers.values()) + 1
        counting = {
            number: np.stack([self.seen[serial].get(index, missing) for index in range(len(self.times))])
            for serial, number in self.numbers.items()
            if number
            for missing in [np.zeros_like(next(iter(self.seen[serial].values())))]
        }
        return [
            Keypoints(points, detector.keypoint_set, np.array(self.times), self.image_size, track=number)
            for number, points in sorted(counting.items())
            if clarity(points[points[..., 2].any(axis=-1)]).mean() >= MEAN_CLARITY
        ]

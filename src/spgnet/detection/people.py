"""Detection and tracking of people over a whole clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from spgnet.detection.detector import Detector
from spgnet.detection.scene_cuts import SceneCuts
from spgnet.detection.tracking import TrackedPerson, Tracker, TrackingConfig
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, KeypointSetName, select_person
from spgnet.keypoints.similarity import mean_confidence
from spgnet.video import Frame, FrameSource, open_frames

OnFrame = Callable[[Frame, Sequence[TrackedPerson]], None]
"""Called with each frame and the people in it, for progress bars and previews."""

MIN_CONFIDENCE = 0.45
"""Minimum confidence (`mean_confidence`) of a person, on average over the frames with the person."""


def detect_video(
    source: str | Path | FrameSource,
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: int = 1,
    on_frame: OnFrame | None = None,
) -> list[Keypoints]:
    """Detect and track the people in a video.

    Args:
        source: as for :func:`spgnet.video.open_frames`, or a source that is already open.
        detector, config, detect_every, on_frame: as for :func:`track_people`.

    Returns:
        As :func:`track_people`.

    Raises:
        InputError: the source cannot be read, or no person is found in it.
    """
    frames = source if isinstance(source, FrameSource) else open_frames(source)
    frame_count = 0

    def count(frame: Frame, people: Sequence[TrackedPerson]) -> None:
        nonlocal frame_count
        frame_count += 1
        if on_frame:
            on_frame(frame, people)

    cuts: list[float] = []
    people = track_people(
        frames, detector, config=config, detect_every=detect_every, on_frame=count, on_cut=cuts.append
    )
    if not people:
        faults = "".join(f"; {warning}" for warning in frames.warnings)
        raise InputError(f"no person found in {frames.name} ({frame_count} frames looked at){faults}")
    if cuts:
        when = ", ".join(f"{time:.1f}" for time in cuts[:5]) + (", ..." if len(cuts) > 5 else "")
        frames.warnings.append(
            f"{frames.name}: the scene changes (at {when} s); people get new numbers there"
        )
    return people


def track_people(
    frames: Iterable[Frame],
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: int = 1,
    on_frame: OnFrame | None = None,
    on_cut: Callable[[float], None] | None = None,
) -> list[Keypoints]:
    """Detect and track the people in a clip; frames are not kept in memory.

    Args:
        frames: of one size, with increasing times.
        detector: detects people and their keypoints.
        config: settings of the tracker; the defaults if None.
        detect_every: process every n-th frame only; all people are missing in the others.
        on_frame: called with every processed frame and the people in it. Their `track` is that of the result,
            or 0 until they have been tracked for `min_duration`.
        on_cut: called with the time in seconds of each frame that begins another scene. Tracks end there.

    Returns:
        The people tracked for `min_duration` or longer whose mean confidence is :data:`MIN_CONFIDENCE` or
        more, numbered from 1 in the order in which they reached that duration. Each has all frames of the
        clip, with scores of 0 in frames without the person. Empty if there are none.

    Raises:
        InputError: `detect_every` is not positive.
    """
    if detect_every < 1:
        raise InputError(f"detect_every must be 1 or more, got {detect_every}")
    tracker, clip, scenes = Tracker(detector, config), _ClipTracks(detector.keypoint_set), SceneCuts()
    for index, frame in enumerate(frames):
        clip.times.append(frame.time)
        clip.image_size = (frame.image.shape[1], frame.image.shape[0])
        if scenes.is_cut(frame.image):
            tracker.start_scene()
            if on_cut:
                on_cut(frame.time)
        if index % detect_every:
            continue
        people = tracker.update(frame.image, frame.time)
        clip.add(index, people)
        if on_frame:
            on_frame(frame, people)
    return clip.people(tracker.config.min_duration)


def select_people(
    people: Sequence[Keypoints], which: Literal["largest", "all"] | int | str
) -> list[Keypoints]:
    """Select people: all, or one of them as :func:`spgnet.keypoints.select_person` does.

    Raises:
        InputError: nobody has that number; the message lists the existing ones.
    """
    return list(people) if which == "all" else [select_person(people, which)]


@dataclass
class _ClipTracks:
    """The tracked people of the frames so far.

    Args:
        keypoint_set: the detector's keypoint set.
        times: of every frame of the clip, in seconds.
        image_size: width and height in pixels.
        points: keypoints [joints, 3] by serial and frame.
        tracks: track number by serial; 0 for those without one so far.
    """

    keypoint_set: KeypointSetName
    times: list[float] = field(default_factory=list)
    image_size: tuple[int, int] = (1, 1)
    points: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)
    tracks: dict[int, int] = field(default_factory=dict)

    def add(self, index: int, people: Sequence[TrackedPerson]) -> None:
        """Add the people of a frame."""
        for person in people:
            self.points.setdefault(person.serial, {})[index] = person.keypoints.astype(np.float32)
            self.tracks[person.serial] = person.track

    def people(self, min_duration: float) -> list[Keypoints]:
        """The people tracked for `min_duration` seconds, or for half of the clip if that is shorter."""
        if self.times:
            min_duration = min(min_duration, (self.times[-1] - self.times[0]) / 2)
        for serial, frames in self.points.items():
            lasted = self.times[max(frames)] - self.times[min(frames)]
            if not self.tracks[serial] and lasted >= min_duration:
                self.tracks[serial] = max(self.tracks.values()) + 1
        tracks = {track: self._all_frames(serial) for serial, track in self.tracks.items() if track}
        return [
            Keypoints(points, self.keypoint_set, np.array(self.times), self.image_size, track=track)
            for track, points in sorted(tracks.items())
            if mean_confidence(points[points[..., 2].any(axis=-1)]).mean() >= MIN_CONFIDENCE
        ]

    def _all_frames(self, serial: int) -> np.ndarray:
        """A person's keypoints [frames, joints, 3], zeros where the person is missing."""
        frames = self.points[serial]
        missing = np.zeros_like(next(iter(frames.values())))
        return np.stack([frames.get(index, missing) for index in range(len(self.times))])

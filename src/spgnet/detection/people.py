"""Detection and tracking of people over a whole clip."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from spgnet.detection.detector import Detector
from spgnet.detection.frame_choice import AsMotionNeeds, DetectEvery, EveryNth, check_detect_every
from spgnet.detection.scene_cuts import SceneCuts
from spgnet.detection.tracking import TrackedPerson, Tracker, TrackingConfig
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, KeypointSetName, select_person
from spgnet.keypoints.similarity import mean_confidence
from spgnet.video import Frame, FrameSource, open_frames
from spgnet.video.ahead import frames_ahead, make_ahead

OnFrame = Callable[[Frame, Sequence[TrackedPerson]], None]
"""Called with each frame and the people in it, for progress bars and previews."""

MIN_CONFIDENCE = 0.45
"""Minimum confidence (`mean_confidence`) of a person, on average over the frames with the person."""


def detect_video(
    source: str | Path | FrameSource,
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: DetectEvery = 1,
    on_frame: OnFrame | None = None,
) -> list[Keypoints]:
    """Detect and track the people in a video.

    Frames are read in a thread, and if the detector is ``concurrent``, the person detector looks at later
    frames in another one. The result is that of :func:`track_people`.

    Args:
        source: as for :func:`spgnet.video.open_frames`, or a source that is already open.
        detector, config, detect_every, on_frame: as for :func:`track_people`.

    Returns:
        As :func:`track_people`.

    Raises:
        InputError: the source cannot be read, or no person is found in it.
    """
    check_detect_every(detect_every)
    frames = source if isinstance(source, FrameSource) else open_frames(source)
    config = config or TrackingConfig()
    frame_count = 0

    def count(frame: Frame, people: Sequence[TrackedPerson]) -> None:
        nonlocal frame_count
        frame_count += 1
        if on_frame:
            on_frame(frame, people)

    cuts: list[float] = []
    with _read_ahead(frames) as read:
        looked = _with_boxes(read, detector, config, detect_every)
        if getattr(detector, "concurrent", False) and not frames.is_live:
            looked = make_ahead(looked, frames_ahead(frames.image_size))
        people = _track(looked, detector, config, detect_every, count, cuts.append)
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
    detect_every: DetectEvery = 1,
    on_frame: OnFrame | None = None,
    on_cut: Callable[[float], None] | None = None,
) -> list[Keypoints]:
    """Detect and track the people in a clip, frame after frame; frames are not kept in memory.

    Args:
        frames: of one size, with increasing times.
        detector: detects people and their keypoints.
        config: settings of the tracker; the defaults if None.
        detect_every: look at every n-th frame only; all people are missing in the others. ``"auto"`` looks at
            as many frames as the motion needs (:class:`AsMotionNeeds`), and at those in which the person
            detector's turn has come (:attr:`TrackingConfig.boxes_interval`); lifting interpolates between
            them (:attr:`spgnet.keypoints.Keypoints.skipped`).
        on_frame: called with every frame that was looked at and the people in it. Their `track` is that of
            the result, or 0 until they have been tracked for `min_duration`.
        on_cut: called with the time in seconds of each frame that begins another scene. Tracks end there.

    Returns:
        The people tracked for `min_duration` or longer whose mean confidence is :data:`MIN_CONFIDENCE` or
        more, numbered from 1 in the order in which they reached that duration. Each has all frames of the
        clip, with scores of 0 in frames without the person. Empty if there are none.

    Raises:
        InputError: `detect_every` is neither positive nor ``"auto"``.
    """
    check_detect_every(detect_every)
    config = config or TrackingConfig()
    looked = _with_boxes(frames, detector, config, detect_every)
    return _track(looked, detector, config, detect_every, on_frame, on_cut)


@contextmanager
def _read_ahead(frames: FrameSource) -> Iterator[Iterable[Frame]]:
    """The frames, read in a thread; those of a webcam as they come, since its newest frame is wanted."""
    if frames.is_live:
        yield frames
        return
    with closing(make_ahead(frames, frames_ahead(frames.image_size))) as read:
        yield read


_Look = tuple[Frame, Float[np.ndarray, "people 4"] | None]
"""A frame, and the boxes of the person detector if its turn has come."""


def _with_boxes(
    frames: Iterable[Frame], detector: Detector, config: TrackingConfig, detect_every: DetectEvery
) -> Generator[_Look, None, None]:
    """Every frame, with the boxes of the person detector where its turn comes whoever is there."""
    last = -np.inf
    for index, frame in enumerate(frames):
        if detect_every == "auto":
            turn = frame.time - last > config.boxes_interval - 1e-4
        else:
            turn = config.boxes_every is not None and index % (detect_every * config.boxes_every) == 0
        last = frame.time if turn else last
        yield frame, detector.boxes(frame.image) if turn else None


def _track(
    looked: Generator[_Look, None, None],
    detector: Detector,
    config: TrackingConfig,
    detect_every: DetectEvery,
    on_frame: OnFrame | None,
    on_cut: Callable[[float], None] | None,
) -> list[Keypoints]:
    """:func:`track_people` of frames with boxes."""
    choice = AsMotionNeeds() if detect_every == "auto" else EveryNth(detect_every)
    # When the person detector's turn comes is decided by `_with_boxes`.
    tracker = Tracker(detector, replace(config, boxes_every=None))
    clip, scenes = _ClipTracks(detector.keypoint_set), SceneCuts()
    skipped: tuple[int, Frame] | None = None

    def look(index: int, frame: Frame, boxes: np.ndarray | None = None) -> None:
        people = tracker.update(frame.image, frame.time, boxes)
        choice.add(people, frame.time)
        clip.add(index, people)
        if on_frame:
            on_frame(frame, people)

    with closing(looked):
        for index, (frame, boxes) in enumerate(looked):
            clip.times.append(frame.time)
            clip.image_size = (frame.image.shape[1], frame.image.shape[0])
            due = choice.is_due(frame.time)
            if scenes.is_cut(frame.image):
                if skipped is not None and choice.interpolated:
                    look(*skipped)
                tracker.start_scene()
                if on_cut:
                    on_cut(frame.time)
                due = due or choice.interpolated
            if due or boxes is not None:
                look(index, frame, boxes)
                skipped = None
            else:
                skipped = index, frame
    if skipped is not None and choice.interpolated:  # the last frame is between no two others
        look(*skipped)
    return clip.people(config.min_duration, interpolated=choice.interpolated)


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
        looks: the frames that were looked at.
        image_size: width and height in pixels.
        points: keypoints [joints, 3] by serial and frame.
        tracks: track number by serial; 0 for those without one so far.
    """

    keypoint_set: KeypointSetName
    times: list[float] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    image_size: tuple[int, int] = (1, 1)
    points: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)
    tracks: dict[int, int] = field(default_factory=dict)

    def add(self, index: int, people: Sequence[TrackedPerson]) -> None:
        """Add the people of a frame that was looked at."""
        self.looks.append(index)
        for person in people:
            self.points.setdefault(person.serial, {})[index] = person.keypoints.astype(np.float32)
            self.tracks[person.serial] = person.track

    def people(self, min_duration: float, *, interpolated: bool) -> list[Keypoints]:
        """The people tracked for `min_duration` seconds, or for half of the clip if that is shorter.

        Args:
            min_duration: in seconds.
            interpolated: whether lifting interpolates the frames that were not looked at.
        """
        if self.times:
            min_duration = min(min_duration, (self.times[-1] - self.times[0]) / 2)
        for serial, frames in self.points.items():
            lasted = self.times[max(frames)] - self.times[min(frames)]
            if not self.tracks[serial] and lasted >= min_duration:
                self.tracks[serial] = max(self.tracks.values()) + 1
        tracks = {track: self._all_frames(serial) for serial, track in self.tracks.items() if track}
        skipped = None
        if interpolated:
            skipped = np.ones(len(self.times), dtype=bool)
            skipped[self.looks] = False
        return [
            Keypoints(
                points, self.keypoint_set, np.array(self.times), self.image_size, track=track, skipped=skipped
            )
            for track, points in sorted(tracks.items())
            if mean_confidence(points[points[..., 2].any(axis=-1)]).mean() >= MIN_CONFIDENCE
        ]

    def _all_frames(self, serial: int) -> np.ndarray:
        """A person's keypoints [frames, joints, 3], zeros where the person is missing."""
        frames = self.points[serial]
        missing = np.zeros_like(next(iter(frames.values())))
        return np.stack([frames.get(index, missing) for index in range(len(self.times))])

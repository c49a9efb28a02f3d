"""Detection and tracking of people over a whole clip."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from spgnet.detection.clip_tracks import ClipTracks
from spgnet.detection.detector import Detector
from spgnet.detection.frame_choice import AsMotionNeeds, DetectEvery, EveryNth, check_detect_every
from spgnet.detection.pieces import Piece
from spgnet.detection.scene_cuts import SceneCuts
from spgnet.detection.tracking import TrackedPerson, Tracker, TrackingConfig
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, select_person
from spgnet.video import Frame, FrameSource, open_frames
from spgnet.video.ahead import frames_ahead, make_ahead

OnFrame = Callable[[Frame, Sequence[TrackedPerson]], None]
"""Called with each frame and the people in it, for progress bars and previews."""


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
    frames = source if isinstance(source, FrameSource) else open_frames(source)
    tracks = track_video(frames, detector, config=config, detect_every=detect_every, on_frame=on_frame)
    return people_in_video(frames, tracks, config)


def track_video(
    frames: FrameSource,
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: DetectEvery = 1,
    on_frame: OnFrame | None = None,
    piece: Piece | None = None,
) -> ClipTracks:
    """Detect and track the people in a video or in a piece of it, in threads as :func:`detect_video` does.

    Args:
        frames: the video.
        detector, config, detect_every, on_frame: as for :func:`track_people`.
        piece: which frames; all if None.

    Raises:
        InputError: the video cannot be read.
    """
    check_detect_every(detect_every)
    config = config or TrackingConfig()
    wanted = frames if piece is None else frames.between(piece.start, piece.end)
    with _read_ahead(frames, wanted) as read:
        looked = _with_boxes(read, detector, config, detect_every)
        if getattr(detector, "concurrent", False) and not frames.is_live:
            looked = make_ahead(looked, frames_ahead(frames.image_size))
        tracks = _track(looked, detector, config, detect_every, on_frame)
    tracks.warnings = list(frames.warnings)
    return tracks


def people_in_video(
    frames: FrameSource, tracks: ClipTracks, config: TrackingConfig | None = None
) -> list[Keypoints]:
    """The people of :func:`track_video`. What the user should know is added to the video's warnings.

    Raises:
        InputError: there are none.
    """
    frames.warnings[:] = tracks.warnings
    people = tracks.people((config or TrackingConfig()).min_duration)
    if not people:
        faults = "".join(f"; {warning}" for warning in frames.warnings)
        raise InputError(f"no person found in {frames.name} ({len(tracks.looks)} frames looked at){faults}")
    if tracks.cuts:
        some = [f"{time:.1f}" for time in tracks.cuts[:5]] + ["..."] * (len(tracks.cuts) > 5)
        frames.warnings.append(
            f"{frames.name}: the scene changes (at {', '.join(some)} s); people get new numbers there"
        )
    return people


def track_people(
    frames: Iterable[Frame],
    detector: Detector,
    *,
    config: TrackingConfig | None = None,
    detect_every: DetectEvery = 1,
    on_frame: OnFrame | None = None,
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
    return _track(looked, detector, config, detect_every, on_frame).people(config.min_duration)


@contextmanager
def _read_ahead(video: FrameSource, frames: Iterable[Frame]) -> Iterator[Iterable[Frame]]:
    """Frames of a video, read in a thread; those of a webcam as they come, since its newest one is wanted."""
    if video.is_live:
        yield frames
        return
    with closing(make_ahead(frames, frames_ahead(video.image_size))) as read:
        yield read


_SAME_TURN = 1e-4
"""Seconds by which the turn of the person detector may come before its time."""
_Look = tuple[Frame, Float[np.ndarray, "people 4"] | None]
"""A frame, and the boxes of the person detector if its turn has come."""


def _with_boxes(
    frames: Iterable[Frame], detector: Detector, config: TrackingConfig, detect_every: DetectEvery
) -> Generator[_Look, None, None]:
    """Every frame, with the boxes of the person detector where its turn comes whoever is there."""
    last = -np.inf
    for index, frame in enumerate(frames):
        if detect_every == "auto":
            turn = frame.time - last > config.boxes_interval - _SAME_TURN
        else:
            turn = config.boxes_every is not None and index % (detect_every * config.boxes_every) == 0
        last = frame.time if turn else last
        yield frame, detector.boxes(frame.image) if turn else None


def box_turns(
    times: Float[np.ndarray, " frames"], detect_every: DetectEvery, config: TrackingConfig | None = None
) -> Int[np.ndarray, " turns"]:
    """The frames in which the turn of the person detector comes whoever is there, as in :func:`track_video`.

    Args:
        times: of all frames, in seconds, increasing.
        detect_every, config: as for :func:`track_people`.
    """
    config = config or TrackingConfig()
    if detect_every != "auto":
        return np.arange(0, len(times), detect_every * (config.boxes_every or 1))
    turns, frame = [], 0
    while frame < len(times):
        turns.append(frame)
        frame = int(np.searchsorted(times, times[frame] + config.boxes_interval - _SAME_TURN, "right"))
    return np.array(turns, dtype=np.int64)


def _track(
    looked: Generator[_Look, None, None],
    detector: Detector,
    config: TrackingConfig,
    detect_every: DetectEvery,
    on_frame: OnFrame | None,
) -> ClipTracks:
    """The tracks in frames with boxes. They end where another scene begins."""
    choice = AsMotionNeeds() if detect_every == "auto" else EveryNth(detect_every)
    # When the person detector's turn comes is decided by `_with_boxes`.
    tracker = Tracker(detector, replace(config, boxes_every=None))
    clip, scenes = ClipTracks(detector.keypoint_set, choice.interpolated), SceneCuts()
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
                clip.cuts.append(frame.time)
                due = due or choice.interpolated
            if due or boxes is not None:
                look(index, frame, boxes)
                skipped = None
            else:
                skipped = index, frame
    if skipped is not None and choice.interpolated:  # the last frame is between no two others
        look(*skipped)
    return clip


def select_people(
    people: Sequence[Keypoints], which: Literal["largest", "all"] | int | str
) -> list[Keypoints]:
    """Select people: all, or one of them as :func:`spgnet.keypoints.select_person` does.

    Raises:
        InputError: nobody has that number; the message lists the existing ones.
    """
    return list(people) if which == "all" else [select_person(people, which)]

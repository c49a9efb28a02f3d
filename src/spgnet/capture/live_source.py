"""Where live frames come from, and which of the people in them is followed."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from spgnet.camera_files import FoundCamera
from spgnet.capture.config import CaptureConfig
from spgnet.capture.lift import refuse_unbelievable
from spgnet.capture.people import find_people, find_video_camera, is_keypoints, open_video
from spgnet.detection import Detector, RtmDetector, TrackedPerson, Tracker, TrackingConfig
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS
from spgnet.keypoints.similarity import box_area, keypoint_box
from spgnet.lifting.input_checks import find_input_faults
from spgnet.video import Frame, FrameSource
from spgnet.view.drawing import resize

LIVE_TRACKING = TrackingConfig(boxes_every=10)
"""People are looked for in every tenth frame and when somebody is lost: it takes thrice as long as finding
one person's keypoints."""
SHOWN_SIDE = 400
"""The longer side of the image that is shown, in pixels."""


class LiveFrame(NamedTuple):
    """The keypoints of one frame.

    Attributes:
        points: x and y in pixels and score of the person's keypoints; a score of 0 where there is none.
        time: of the frame, in seconds.
        person: another number for another person; 0 as long as there was nobody.
        image: the frame, small; None if there is no picture.
        seconds: how long detection took.
    """

    points: np.ndarray
    time: float
    person: int
    image: np.ndarray | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class LiveSource:
    """Where frames come from.

    Args:
        frames: each once.
        keypoint_set: which keypoints they have.
        image_size: width and height in pixels.
        fps: nominal frames per second.
        camera: what films.
        video: what the frames are read from, unless a keypoint file.
        track: the person's number.
        remarks: what was assumed about the input; see :meth:`spgnet.capture.people.DetectedPeople.remarks`.
    """

    frames: Generator[LiveFrame, None, None]
    keypoint_set: KeypointSetName
    image_size: tuple[int, int]
    fps: float
    camera: FoundCamera
    video: FrameSource | None = None
    track: int = 1
    remarks: tuple[str, ...] = ()


def open_live_source(config: CaptureConfig, detector: Detector | None) -> LiveSource:
    """The frames of a webcam, a video, a folder of images, or a keypoint file.

    Raises:
        InputError: it cannot be read, nobody of the number is in a keypoint file, or nothing can be believed
            of its keypoints.
    """
    assert config.person != "all"
    if is_keypoints(Path(config.input)):
        found = find_people(config.input, **config.input_options).select(config.person)
        keypoints = found.people[0]
        if not config.force:
            refuse_unbelievable(config.input, [find_input_faults(keypoints)])
        return LiveSource(
            in_real_time(keypoint_frames(keypoints)),
            keypoints.keypoint_set,
            keypoints.image_size,
            keypoints.fps,
            found.camera,
            track=keypoints.track,
            remarks=found.remarks_on(keypoints),
        )
    if isinstance(config.person, str) and config.person != "largest":
        raise InputError(
            f"--person {config.person}: a video is lifted live for the largest person or for one number"
        )
    video = open_video(
        config.input, config.fps, config.keypoint_set, config.image_size, config.format, config.rotate
    )
    if config.fps is not None and not video.is_live:
        video = FramesAtRate(video, config.fps)
    camera = find_video_camera(video, config.camera, config.camera_name, config.field_of_view, config.rotate)
    detector = detector or RtmDetector(config.detector_dir, concurrent=False)
    frames = detected_frames(video, detector, config.person)
    frames = frames if video.is_live else in_real_time(frames)
    track = config.person if isinstance(config.person, int) else 1
    return LiveSource(frames, detector.keypoint_set, video.image_size, video.fps, camera, video, track)


def keypoint_frames(keypoints: Keypoints) -> Iterator[LiveFrame]:
    """The frames of a keypoint file."""
    for points, moment in zip(keypoints.points, keypoints.timestamps, strict=True):
        yield LiveFrame(points, float(moment), keypoints.track)


def detected_frames(
    frames: Iterable[Frame], detector: Detector, person: Literal["largest"] | int
) -> Generator[LiveFrame, None, None]:
    """One person's keypoints in every frame."""
    tracker, selector = Tracker(detector, LIVE_TRACKING), PersonSelector(person)
    nobody = np.zeros((KEYPOINT_COUNTS[detector.keypoint_set], 3), np.float32)
    for frame in frames:
        began = time.perf_counter()
        one = selector.select(tracker.update(frame.image, frame.time), frame.time)
        seconds = time.perf_counter() - began
        points = nobody if one is None else one.keypoints.astype(np.float32)
        yield LiveFrame(points, frame.time, selector.serial, downscale(frame.image), seconds)


class PersonSelector:
    """Chooses one person in every frame: who has a number, or whoever was the largest.

    The largest is followed until they are out of sight for longer than the tracker remembers them.
    """

    def __init__(self, person: Literal["largest"] | int) -> None:
        self.person = person
        self.serial, self.last = 0, -np.inf

    def select(self, people: Sequence[TrackedPerson], time: float) -> TrackedPerson | None:
        """The person in the next frame, or None if they are not seen."""
        if isinstance(self.person, int):
            candidates = [one for one in people if one.track == self.person]
        elif time - self.last <= LIVE_TRACKING.max_age:
            candidates = [one for one in people if one.serial == self.serial]
        else:
            candidates = sorted(people, key=_importance)
        if not candidates:
            return None
        self.serial, self.last = candidates[-1].serial, time
        return candidates[-1]


def _importance(one: TrackedPerson) -> tuple[bool, float]:
    return one.track > 0, box_area(keypoint_box(one.keypoints))


def downscale(image: np.ndarray) -> np.ndarray:
    """The image, its longer side 400 pixels or less."""
    height, width = image.shape[:2]
    scale = min(1.0, SHOWN_SIDE / max(height, width))
    return resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))


def in_real_time(
    frames: Iterator[LiveFrame],
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[LiveFrame, None, None]:
    """Frames, no faster than they were filmed; time lost by a slow one is not made up for."""
    start = -np.inf
    for frame in frames:
        now = clock()
        start = max(start, now - frame.time)
        sleep(start + frame.time - now)
        yield frame


class FramesAtRate(FrameSource):
    """The frames of a video in slow motion, with the times at which they were filmed.

    Args:
        video: in slow motion.
        fps: frames per second of the camera.
    """

    def __init__(self, video: FrameSource, fps: float) -> None:
        self.video, self.fps = video, fps
        self.name, self.description, self.warnings = video.name, video.description, video.warnings
        self.image_size, self.frame_count = video.image_size, video.frame_count
        self.focal_hint = video.focal_hint

    def __iter__(self) -> Iterator[Frame]:
        return (replace(frame, time=number / self.fps) for number, frame in enumerate(self.video))


class FramesAtTimes(FrameSource):
    """The frames of a video at some times."""

    def __init__(self, video: FrameSource, times: np.ndarray) -> None:
        self.video, self.times = video, set(times.tolist())
        self.name, self.description, self.warnings = video.name, video.description, video.warnings
        self.image_size, self.fps, self.frame_count = video.image_size, video.fps, len(times)

    def __iter__(self) -> Iterator[Frame]:
        return (frame for frame in self.video if frame.time in self.times)

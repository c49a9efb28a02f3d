"""Where live frames come from, and whom of the people in them is followed."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from spgnet.camera_files import FoundCamera
from spgnet.capture.config import CaptureConfig
from spgnet.capture.people import camera_of, find_people, is_keypoints, open_video
from spgnet.detection import Detector, RtmDetector, TrackedPerson, Tracker, TrackingConfig
from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS
from spgnet.keypoints.similarity import box_area, keypoint_box
from spgnet.video import Frame, FrameSource
from spgnet.video.webcam import Webcam
from spgnet.view.drawing import resize

TRACKING = TrackingConfig(boxes_every=10)
"""People are looked for in every tenth frame and when somebody is lost: it takes thrice as long as finding
one person's keypoints."""
SIDE = 400
"""The longer side of the image that is shown, in pixels."""


class Seen(NamedTuple):
    """What was seen in a frame.

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
class Source:
    """Where frames come from.

    Args:
        frames: each once.
        keypoint_set: which keypoints they have.
        image_size: width and height in pixels.
        fps: nominal frames per second.
        camera: what films.
        video: what the frames are read from, unless a keypoint file.
        track: the person's number.
    """

    frames: Generator[Seen, None, None]
    keypoint_set: KeypointSetName
    image_size: tuple[int, int]
    fps: float
    camera: FoundCamera
    video: FrameSource | None = None
    track: int = 1


def open_source(config: CaptureConfig, detector: Detector | None) -> Source:
    """The frames of a webcam, a video, a folder of images, or a keypoint file.

    Raises:
        InputError: it cannot be read, or nobody of the number is in a keypoint file.
    """
    if is_keypoints(Path(config.input)):
        assert config.person != "all"
        found = find_people(config, lambda stage, done, total: None).chosen(config.person)
        keypoints = found.people[0]
        size, fps = keypoints.image_size, keypoints.fps
        frames = paced(read(keypoints))
        return Source(frames, keypoints.keypoint_set, size, fps, found.camera, track=keypoints.track)
    video = open_video(config)
    camera = camera_of(None, video, config)
    detector = detector or RtmDetector(config.detector_dir)
    assert config.person != "all"
    frames = detected(video, detector, config.person)
    frames = frames if isinstance(video, Webcam) else paced(frames)
    track = config.person if isinstance(config.person, int) else 1
    return Source(frames, detector.keypoint_set, video.image_size, video.fps, camera, video, track)


def read(keypoints: Keypoints) -> Iterator[Seen]:
    """The frames of a keypoint file."""
    for points, moment in zip(keypoints.points, keypoints.timestamps, strict=True):
        yield Seen(points, float(moment), keypoints.track)


def detected(
    frames: Iterable[Frame], detector: Detector, person: Literal["largest"] | int
) -> Generator[Seen, None, None]:
    """One person's keypoints in every frame."""
    tracker, follower = Tracker(detector, TRACKING), Follower(person)
    nobody = np.zeros((KEYPOINT_COUNTS[detector.keypoint_set], 3), np.float32)
    for frame in frames:
        began = time.perf_counter()
        one = follower.choose(tracker.update(frame.image, frame.time), frame.time)
        seconds = time.perf_counter() - began
        points = nobody if one is None else one.keypoints.astype(np.float32)
        yield Seen(points, frame.time, follower.serial, small(frame.image), seconds)


class Follower:
    """Chooses one person in every frame: who has a number, or whoever was the largest.

    The largest is followed until they are out of sight for longer than the tracker remembers them.
    """

    def __init__(self, person: Literal["largest"] | int) -> None:
        self.person = person
        self.serial, self.last = 0, -np.inf

    def choose(self, people: Sequence[TrackedPerson], time: float) -> TrackedPerson | None:
        """The person in the next frame, or None if they are not seen."""
        if isinstance(self.person, int):
            candidates = [one for one in people if one.track == self.person]
        elif time - self.last <= TRACKING.max_age:
            candidates = [one for one in people if one.serial == self.serial]
        else:
            candidates = sorted(people, key=_importance)
        if not candidates:
            return None
        self.serial, self.last = candidates[-1].serial, time
        return candidates[-1]


def _importance(one: TrackedPerson) -> tuple[bool, float]:
    return one.track > 0, box_area(keypoint_box(one.keypoints))


def small(image: np.ndarray) -> np.ndarray:
    """The image, its longer side 400 pixels or less."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))


def paced(
    frames: Iterator[Seen],
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[Seen, None, None]:
    """Frames, no faster than they were filmed; time lost by a slow one is not made up for."""
    start = -np.inf
    for seen in frames:
        now = clock()
        start = max(start, now - seen.time)
        sleep(start + seen.time - now)
        yield seen


class Excerpt(FrameSource):
    """The frames of a video at some times."""

    def __init__(self, video: FrameSource, times: np.ndarray) -> None:
        self.video, self.times = video, set(times.tolist())
        self.name, self.description, self.warnings = video.name, video.description, video.warnings
        self.image_size, self.fps, self.frame_count = video.image_size, video.fps, len(times)

    def __iter__(self) -> Iterator[Frame]:
        return (frame for frame in self.video if frame.time in self.times)

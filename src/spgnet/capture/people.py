"""The people in the input: 2D keypoints read from a file, or detected in a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from spgnet.camera_files import FoundCamera, find_camera
from spgnet.capture.config import CaptureConfig
from spgnet.detection import RtmDetector, TrackedPerson, detect_video, select_people
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, load_keypoints
from spgnet.video import Frame, FrameSource, open_frames

ProgressCallback = Callable[[str, int, int | None], None]
"""Takes what is being done, how much of it is done, and how much there is, if that is known."""

KEYPOINT_SUFFIXES = (".npz", ".json", ".csv")


class DetectedPeople(NamedTuple):
    """Who is in the input.

    Attributes:
        people: everybody, or those who are chosen, the largest first.
        video: where they were found, unless in a keypoint file.
        camera: what filmed them.
    """

    people: list[Keypoints]
    video: FrameSource | None
    camera: FoundCamera

    def chosen(self, person: Literal["largest", "all"] | int) -> DetectedPeople:
        """Only those whom the user wants lifted.

        Raises:
            InputError: nobody has that number.
        """
        largest = select_people(self.people, "largest")[0]
        kept = sorted(select_people(self.people, person), key=lambda one: one.track != largest.track)
        return self._replace(people=kept)


def find_people(config: CaptureConfig, report: ProgressCallback) -> DetectedPeople:
    """Read or detect the people in the input; whatever is wrong with the camera shows first.

    Raises:
        InputError: the input or the camera cannot be used, or nobody is there.
    """
    path = Path(config.input)
    if is_keypoints(path):
        people = load_keypoints(
            path,
            keypoint_set=config.keypoint_set,
            fps=config.fps,
            image_size=config.image_size,
            format=config.format,
        )
        if config.detect_every > 1:
            raise InputError(f"{path}: --detect-every is for videos")
        return DetectedPeople(people, None, camera_of(people[0], None, config))
    video = open_video(config)
    camera = camera_of(None, video, config)
    people = detected(video, config, report)
    if config.fps is not None:  # slow motion: time is that of the camera, not that of the file
        people = [replace(one, timestamps=np.arange(len(one)) / config.fps) for one in people]
    return DetectedPeople(people, video, camera)


def open_video(config: CaptureConfig) -> FrameSource:
    """The video, folder of images or webcam that the user names.

    Raises:
        InputError: it cannot be read, or an option for keypoint files is given.
    """
    if config.keypoint_set or config.image_size or config.format != "auto":
        raise InputError(f"{config.input}: --keypoint-set, --image-size and --format are for keypoint files")
    return open_frames(config.input, image_fps=config.fps or 30.0)


def camera_of(keypoints: Keypoints | None, video: FrameSource | None, config: CaptureConfig) -> FoundCamera:
    """The camera that filmed keypoints or a video."""
    source = keypoints or video
    assert source is not None
    return find_camera(
        source.image_size,
        camera=config.camera,
        name=config.camera_name,
        keypoints=keypoints,
        focal_hint=video.focal_hint if video else None,
        field_of_view=config.field_of_view,
    )


def is_keypoints(path: Path) -> bool:
    """Whether the input is 2D keypoints and not pictures."""
    if path.is_dir():
        return any(path.glob("*.json")) and not any(path.glob("*.jp*g")) and not any(path.glob("*.png"))
    return path.suffix.lower() in KEYPOINT_SUFFIXES


def detected(video: FrameSource, config: CaptureConfig, report: ProgressCallback) -> list[Keypoints]:
    """Detect and follow the people in a video."""
    detector = RtmDetector(config.detector_dir)
    done = 0

    def on_frame(frame: Frame, people: Sequence[TrackedPerson]) -> None:
        nonlocal done
        done += config.detect_every
        report("detecting", done, video.frame_count)

    report("detecting", 0, video.frame_count)
    return detect_video(video, detector, detect_every=config.detect_every, on_frame=on_frame)

"""The people in the input: 2D keypoints read from a file, or detected in a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from spgnet.capture.config import CaptureConfig
from spgnet.detection import RtmDetector, Sighting, detect_video, select_people
from spgnet.keypoints import Keypoints, load_people
from spgnet.video import Frame, FrameSource, open_frames

Report = Callable[[str, int, int | None], None]
"""Takes what is being done, how much of it is done, and how much there is, if that is known."""

KEYPOINT_SUFFIXES = (".npz", ".json", ".csv")


class Found(NamedTuple):
    """Who is in the input.

    Attributes:
        people: those to lift, the largest first.
        video: where they were found, unless in a keypoint file.
        all_tracks: the numbers of everybody there.
    """

    people: list[Keypoints]
    video: FrameSource | None
    all_tracks: list[int]


def find_people(config: CaptureConfig, report: Report) -> Found:
    """Read or detect the people whom the user wants lifted.

    Raises:
        ValueError: the input cannot be read, or nobody (or nobody of that number) is in it.
    """
    path = Path(config.input)
    if is_keypoints(path):
        people = load_people(
            path,
            keypoint_set=config.keypoint_set,
            fps=config.fps,
            image_size=config.image_size,
            read_as=config.read_as,
        )
        video = None
    else:
        if config.keypoint_set or config.image_size or config.read_as != "auto":
            raise ValueError(f"{path}: --keypoint-set, --image-size and --read-as are for keypoint files")
        video = open_frames(config.input, image_fps=config.fps or 30.0)
        people = detected(video, config, report)
    largest = select_people(people, "largest")[0]
    chosen = sorted(select_people(people, config.person), key=lambda one: one.track != largest.track)
    return Found(chosen, video, [one.track for one in people])


def is_keypoints(path: Path) -> bool:
    """Whether the input is 2D keypoints and not pictures."""
    if path.is_dir():
        return any(path.glob("*.json")) and not any(path.glob("*.jp*g")) and not any(path.glob("*.png"))
    return path.suffix.lower() in KEYPOINT_SUFFIXES


def detected(video: FrameSource, config: CaptureConfig, report: Report) -> list[Keypoints]:
    """Detect and follow the people in a video."""
    detector = RtmDetector(config.detector_dir)
    done = 0

    def on_frame(frame: Frame, people: Sequence[Sighting]) -> None:
        nonlocal done
        done += config.detect_every
        report("detecting", done, video.frame_count)

    report("detecting", 0, video.frame_count)
    return detect_video(video, detector, detect_every=config.detect_every, on_frame=on_frame)

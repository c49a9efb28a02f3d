"""Lifting live: frames of a webcam, a video or a keypoint file, shown in 3D as they come, and kept."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from spgnet.capture.config import CaptureConfig
from spgnet.capture.live_source import FramesAtTimes, LiveFrame, LiveSource, open_live_source
from spgnet.capture.outputs import check_outputs, output_folder, save_detected_keypoints, write_outputs
from spgnet.capture.people import DetectedPeople, ProgressCallback, camera_remarks
from spgnet.capture.run import quality_warnings
from spgnet.detection import Detector
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.keypoints import Keypoints
from spgnet.keypoints.smoothing import SMOOTHING
from spgnet.lifting import Lifter, Motion
from spgnet.lifting.assessment import assess_quality
from spgnet.lifting.input_checks import find_input_faults
from spgnet.lifting.postprocess import postprocess
from spgnet.lifting.streaming import LivePose, StreamingLifter, motion_from_poses
from spgnet.training.weights import read_manifest
from spgnet.view.live import LiveDisplay


@runtime_checkable
class Display(Protocol):
    """What shows poses as they come."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def show(self, pose: LivePose | None, camera: Camera, image: np.ndarray | None, status: str) -> None:
        """Bring it to the next frame."""
        ...


def run_live(
    config: CaptureConfig,
    say: Callable[[str], None],
    *,
    display: Callable[[int], AbstractContextManager[Display]] = LiveDisplay,
    detector: Detector | None = None,
) -> dict[str, Path]:
    """Lift frame by frame and show it, until the video ends or Ctrl-C; then write what was lifted.

    Args:
        config: what to do.
        say: takes a line for the user.
        display: makes what shows the poses, of a port.
        detector: finds keypoints in pictures; by default that of the package.

    Returns:
        The files that were written, by what they are.

    Raises:
        InputError: the options do not go together, the input, the camera or the weights cannot be used, or
            nobody was seen; the message is one line, and nothing is written.
        OSError: the output cannot be written.
    """
    check_live(config)
    check_outputs(config)
    torch.set_num_threads(1)  # single frames are too small to share: more threads only wait for each other
    lifter = Lifter.from_pretrained(live_weights(config.weights), device=config.accelerator)
    with output_folder(config.out):
        source = open_live_source(config, detector)
        recording = LiveRecording(lifter, source, config)
        meter = SpeedMeter(recording.live.lookahead)
        with closing(source.frames), display(config.port) as page:
            say(describe_delay(recording, source.fps))
            say(f"showing {config.input} at {page.url} - stop with Ctrl-C")
            for line in (*source.remarks, *camera_remarks(source.camera)):
                say(line)
            try:
                show_frames(source.frames, recording, page, meter)
            except KeyboardInterrupt:
                say("stopped")
        say(f"{meter.count} frames shown; {meter.speed}")
        for line in source.video.warnings if source.video else ():
            say(line)
        return write_recording(recording, source, config, say)


def check_live(config: CaptureConfig) -> None:
    """Refuse what cannot be done frame by frame.

    Raises:
        InputError: such options, all of them named.
    """
    unsupported = {
        "--person all": config.person == "all",
        "--detect-every": config.detect_every not in ("auto", 1),
        "--constant-bones": config.constant_bones,
        "--plant-feet": config.plant_feet,
        "--smoothing (but 0)": config.smoothing not in (0.0, SMOOTHING),
    }
    if any(unsupported.values()):
        named = ", ".join(option for option, given in unsupported.items() if given)
        raise InputError(f"--live lifts one person in every frame as it comes; it does not go with {named}")


def live_weights(name: str) -> str:
    """The weights that are meant: by default those that look at past frames only, if the package has them."""
    return "live" if name == "default" and "live" in read_manifest() else name


class LiveRecording:
    """Lifts the frames of a source one by one and keeps all that came of them.

    Attributes:
        live: lifts; a new one for another person.
        poses: what came so far.
    """

    def __init__(self, lifter: Lifter, source: LiveSource, config: CaptureConfig) -> None:
        self.source, self.name = source, lifter.name
        self._new_lifter = partial(
            StreamingLifter,
            lifter,
            source.image_size,
            source.keypoint_set,
            fps=source.fps,
            camera=source.camera,
            smoothing=config.smoothing > 0,
            flip=config.flip,
        )
        self.live, self.person = self._new_lifter(), 0
        self.poses: list[LivePose] = []
        self.points: list[np.ndarray] = []
        self.times: list[float] = []

    def push(self, frame: LiveFrame) -> list[LivePose]:
        """Take in a frame; the poses that are ready now, mostly one, of as many frames ago as is stated."""
        with delay_interrupt():
            if frame.person != self.person:
                self.poses += self.live.finish()
                self.live, self.person = self._new_lifter(), frame.person
            self.points.append(frame.points)
            self.times.append(frame.time)
            poses = self.live.push(frame.points, frame.time)
            self.poses += poses
        return poses

    def finish(self) -> tuple[Motion, Keypoints]:
        """The motion, and the keypoints in all frames.

        Raises:
            InputError: there is no pose.
        """
        self.poses += self.live.finish()
        motion = motion_from_poses(self.poses, self.live)
        source, points, times = self.source, np.stack(self.points), np.array(self.times)
        keypoints = Keypoints(points, source.keypoint_set, times, source.image_size, track=source.track)
        return replace(motion, track=source.track), keypoints


@contextmanager
def delay_interrupt() -> Iterator[None]:
    """Ctrl-C waits for the end of what must not be cut in two."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def show_frames(
    frames: Iterable[LiveFrame], recording: LiveRecording, display: Display, meter: SpeedMeter
) -> None:
    """Lift and show frame after frame, each pose with the picture that belongs to it."""
    pictures: deque[tuple[float, np.ndarray | None]] = deque(maxlen=recording.live.lookahead + 1)
    for frame in frames:
        began = time.perf_counter()
        pictures.append((frame.time, frame.image))
        poses = recording.push(frame)
        lifted = time.perf_counter()
        for pose in poses or (None,):
            image = pictures[-1][1] if pose is None else dict(pictures)[pose.time]
            display.show(pose, recording.source.camera.camera, image, meter.status(pose))
        shown = time.perf_counter()
        meter.add(shown, np.array([frame.seconds, lifted - began, shown - began + frame.seconds]))


class SpeedMeter:
    """How fast it goes: running means over about the last twenty frames."""

    def __init__(self, lookahead: int) -> None:
        self.lookahead, self.count = lookahead, 0
        self.last, self.interval, self.stages = 0.0, 0.0, np.zeros(3)

    def add(self, now: float, stages: np.ndarray) -> None:
        """A frame was shown now; its detection, lifting and all in all took so many seconds."""
        self.count += 1
        self.stages += max(0.05, 1 / self.count) * (stages - self.stages)
        if self.count > 1:
            self.interval += max(0.05, 1 / (self.count - 1)) * (now - self.last - self.interval)
        self.last = now

    @property
    def speed(self) -> str:
        """A line about the speed."""
        detection, lifting, total = (f"{1000 * seconds:.0f} ms" for seconds in self.stages)
        rate = f"{1 / self.interval:.0f}" if self.interval else "–"
        return (
            f"{rate} frames/s; detection {detection}, lifting {lifting}, total {total}; "
            f"look-ahead {self.lookahead} frames"
        )

    def status(self, pose: LivePose | None) -> str:
        """The same, and whether somebody is seen."""
        if pose is None:
            return f"{self.speed}; no pose yet"
        return self.speed if pose.confidence.any() else f"{self.speed}; nobody seen"


def describe_delay(recording: LiveRecording, fps: float) -> str:
    """With what it is lifted, and how late a pose is."""
    frames = recording.live.lookahead
    late = f"{frames} frames ({frames / fps:.1f} s) late" if frames else "without waiting for later frames"
    return f"weights {recording.name}: poses come {late}"


def write_recording(
    recording: LiveRecording, source: LiveSource, config: CaptureConfig, say: Callable[[str], None]
) -> dict[str, Path]:
    """Write what was lifted, on its floor and in the height that the user gives."""
    if not (recording.poses or recording.live.waiting):
        raise InputError(f"nobody was seen in {config.input} ({len(recording.times)} frames looked at)")
    motion, keypoints = recording.finish()
    (motion,) = postprocess([motion], height=config.height, align=config.align_to_gravity)
    quality = assess_quality(motion, find_input_faults(keypoints))
    motion = replace(
        motion, quality=quality, remarks=(*source.remarks, *(source.video.warnings if source.video else ()))
    )
    for line in quality_warnings(motion):
        say(line)
    rereadable = None if source.video is None or source.video.is_live else source.video
    video = None if rereadable is None else FramesAtTimes(rereadable, motion.timestamps)
    files = write_outputs([motion], video, config, announce_stages(say))
    return files | save_detected_keypoints(DetectedPeople([keypoints], source.video, source.camera), config)


def announce_stages(say: Callable[[str], None]) -> ProgressCallback:
    """A report that says what is being done when it begins."""
    told: set[str] = set()

    def report(stage: str, done: int, total: int | None) -> None:
        if stage not in told:
            told.add(stage)
            say(stage)

    return report

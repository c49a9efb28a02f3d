"""How fast video becomes 3D motion, and where the time goes.

Whole ways from a video to keypoints, to motion and to an overlay are timed in turns, so that whatever else
the machine does falls on all of them alike; medians are printed, and the ratios to the first way, which is
that of one frame after the other. The peer is rtmlib with the same networks: person detector and keypoints in
every frame, without tracking. Then the processor time of every stage for one frame.

    python benchmarks/video_speed.py VIDEO... [--detector-dir FOLDER] [--json FILE]

Two cores of a larger machine: ``taskset -c 0,1 python benchmarks/video_speed.py ...``.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import tyro

import spgnet
from spgnet.detection import (
    RtmDetector,
    Tracker,
    TrackingConfig,
    detect_video,
    detector_weights,
    track_people,
)
from spgnet.detection.frame_choice import DetectEvery
from spgnet.detection.scene_cuts import SceneCuts
from spgnet.evaluation import markdown_table
from spgnet.lifting import Lifter, Motion
from spgnet.video import VideoWriter, open_frames
from spgnet.video.files import decode_frames, to_rgb
from spgnet.view.overlay import Overlay, write_overlay

STAGE_FRAMES = 40
"""Frames of a video in which the stages are timed."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    videos: tyro.conf.Positional[tuple[Path, ...]]
    """Videos."""
    detector_dir: Path | None = None
    """Folder of the detector's two ONNX files."""
    rounds: int = 5
    """How often each way is timed."""
    json: Path | None = None
    """File to write the figures to."""


def main(options: Options) -> None:
    torch.set_num_threads(1)
    figures: dict = {"machine": f"{platform.machine()}, {platform.platform()}", "videos": {}}
    for video in options.videos:
        with tempfile.TemporaryDirectory() as folder:
            timed = time_in_turns(ways(video, options.detector_dir, Path(folder)), options.rounds)
        frames = sum(1 for _ in open_frames(video))
        first = timed["one frame after the other"][0]
        rows = [
            [name, f"{frames / clock:.1f}", f"{first / clock:.2f}", f"{1000 * processor / frames:.1f}"]
            for name, (clock, processor) in timed.items()
        ]
        people = len(detect_video(video, RtmDetector(options.detector_dir)))
        stages = stage_times(video, options.detector_dir)
        print(f"\n{open_frames(video).description}; {people} people\n")
        print(markdown_table(["way", "frames/s", "ratio", "processor [ms a frame]"], rows, text=(0,)))
        print()
        lines = [[name, f"{1000 * seconds:.2f}"] for name, seconds in stages.items()]
        print(markdown_table(["stage, one core", "processor [ms]"], lines, text=(0,)))
        figures["videos"][video.name] = {
            "people": people,
            "frames": frames,
            "frames_per_second": {name: frames / clock for name, (clock, _) in timed.items()},
            "processor_ms": {name: 1000 * processor / frames for name, (_, processor) in timed.items()},
            "stage_ms": {name: 1000 * seconds for name, seconds in stages.items()},
        }
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def ways(video: Path, detector_dir: Path | None, folder: Path) -> dict[str, Callable[[], object]]:
    """The ways from a video to keypoints, and further, by name."""
    alone, threaded = RtmDetector(detector_dir, concurrent=False), RtmDetector(detector_dir)
    lifter = Lifter.from_pretrained()

    def detect(every: DetectEvery) -> Callable[[], object]:
        return lambda: detect_video(video, threaded, detect_every=every)

    def lift() -> list[Motion]:
        return spgnet.lift(video, person="all", weights=lifter, detector=threaded)

    def draw() -> None:
        motions = lift()
        images = (frame.image for frame in open_frames(video))
        write_overlay(folder / "overlay.mp4", images, Overlay(motions), motions[0].fps)

    return {
        "one frame after the other": lambda: track_people(open_frames(video), alone),
        "every frame": detect(1),
        "every 2nd frame": detect(2),
        "every 4th frame": detect(4),
        "as the motion needs": detect("auto"),
        "the same, lifted": lift,
        "the same, with an overlay": draw,
        "rtmlib, every frame, 2D alone": lambda: peer(video, detector_dir),
    }


def peer(video: Path, detector_dir: Path | None) -> None:
    """rtmlib's own calls of the same networks in every frame."""
    from rtmlib import YOLOX, RTMPose

    weights = detector_weights(detector_dir)
    boxes = YOLOX(str(weights.boxes), model_input_size=(416, 416), backend="onnxruntime")
    pose = RTMPose(str(weights.pose), model_input_size=(192, 256), backend="onnxruntime")
    for frame in open_frames(video):
        image = np.ascontiguousarray(frame.image[..., ::-1])
        pose(image, bboxes=list(boxes(image)))


def time_in_turns(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each piece of work by the clock and of the processor, after a warm-up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, do in work.items():
            clock, processor = time.perf_counter(), time.process_time()
            do()
            if turn:
                times[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return {name: (median(c for c, _ in each), median(p for _, p in each)) for name, each in times.items()}


def stage_times(video: Path, detector_dir: Path | None) -> dict[str, float]:
    """Processor seconds of every stage for one frame."""
    import av

    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        began, decoded = time.process_time(), []
        for frame in decode_frames(container, stream, []):
            decoded.append(frame)
            if len(decoded) == STAGE_FRAMES:
                break
        stages = {"decoding": (time.process_time() - began) / len(decoded)}
    images = [to_rgb(frame) for frame in decoded]
    detector, cuts = RtmDetector(detector_dir), SceneCuts()
    boxes = [detector.boxes(image)[:1] for image in images]
    pairs = list(zip(images, boxes, strict=True))
    stages["conversion to RGB"] = seconds(lambda: [to_rgb(frame) for frame in decoded], len(decoded))
    stages["scene cuts"] = seconds(lambda: [cuts.is_cut(image) for image in images], len(images))
    stages["person detector"] = seconds(lambda: [detector.boxes(image) for image in images], len(images))
    pose = seconds(lambda: [detector.pose(image, box) for image, box in pairs], len(images))
    stages["keypoints of one person"] = pose
    tracker, spent = Tracker(detector, TrackingConfig(boxes_every=None)), 0.0
    for index, (image, box) in enumerate(pairs):
        found = box if index == 0 else None
        began = time.process_time()
        tracker.update(image, index / 60, found)
        spent += time.process_time() - began
    stages["keypoints and tracking, everybody at the start"] = spent / len(images)
    motions = spgnet.lift(video, person="all", detector=detector)
    overlay = Overlay(motions)
    upright = [frame.image for _, frame in zip(range(STAGE_FRAMES), open_frames(video), strict=False)]
    drawn = [overlay.draw(image, index) for index, image in enumerate(upright)]
    indices = list(enumerate(upright))
    stages["drawing"] = seconds(lambda: [overlay.draw(image, i) for i, image in indices], len(upright))
    with tempfile.TemporaryDirectory() as folder:
        stages["encoding"] = seconds(lambda: encode(Path(folder) / "drawn.mp4", drawn), len(drawn))
    return stages


def encode(path: Path, images: list[np.ndarray]) -> None:
    with VideoWriter(path, 60.0) as writer:
        for image in images:
            writer.write(image)


def seconds(work: Callable[[], object], count: int) -> float:
    """Processor seconds of a piece of work for each of a number of items."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / count


if __name__ == "__main__":
    main(tyro.cli(Options))

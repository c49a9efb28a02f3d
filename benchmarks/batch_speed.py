"""What several workers of Ray gain, and whether many clips keep their memory flat.

    python benchmarks/batch_speed.py workers VIDEO [--copies 8] [--json FILE]
    python benchmarks/batch_speed.py pieces VIDEO [--repeats 24] [--piece-length 20] [--json FILE]
    python benchmarks/batch_speed.py clips [--count 1000] [--json FILE]

``workers`` lifts copies of a video by one worker and by two, of one core each, and prints frames per second
and their ratio: of the whole batch, with the start of Ray and of the workers (``whole``); without each
worker's first copy (``warm``); and the latter by the workers' processor time instead of the clock
(``processor``), which says how far workers hinder each other where other programs disturb the clock.

``pieces`` makes a long video of one that is played forwards and backwards again and again, and lifts it by
one worker, undivided, and by two, in pieces: the seconds by the clock without the start of Ray, the workers'
processor time, and how far the motion in pieces is from the undivided one.

``clips`` lifts short keypoint clips, which all differ, by two workers, compares every
result with :func:`spgnet.lift` of the same clip, and prints the memory of the workers and of this process in
the second fifth of the batch and in the last.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

import spgnet
from spgnet.batch import BatchConfig, Job, Outcome, State, cluster, plan_batch, run_batch
from spgnet.batch.locations import Location
from spgnet.batch.worker import Worker
from spgnet.detection.pieces import Piece
from spgnet.files import write_json
from spgnet.keypoints import Keypoints, save_keypoints
from spgnet.lifting import Lifter, load_motion
from spgnet.metrics import p_mpjpe
from spgnet.training.runs import git_commit
from spgnet.video import VideoWriter, open_frames


@dataclass(frozen=True)
class WorkerOptions:
    """Lift copies of a video by one worker, and by two."""

    video: tyro.conf.Positional[Path]
    """The video."""
    copies: int = 8
    """How many."""
    detector_dir: Path | None = None
    """Folder of the detector's two ONNX files."""
    json: Path | None = None
    """File to write the figures to."""


@dataclass(frozen=True)
class PieceOptions:
    """Lift one long video by one worker, undivided, and by two, in pieces."""

    video: tyro.conf.Positional[Path]
    """The video of which a long one is made."""
    repeats: int = 24
    """How often it is played, forwards and backwards in turn."""
    piece_length: float = 20.0
    """Seconds of a piece."""
    detector_dir: Path | None = None
    """Folder of the detector's two ONNX files."""
    json: Path | None = None
    """File to write the figures to."""


@dataclass(frozen=True)
class ClipOptions:
    """Lift many short keypoint clips by two workers."""

    count: int = 1000
    """How many."""
    frames: int = 40
    """Of each."""
    refine: bool = False
    """Refine them, too, which takes most of the time."""
    json: Path | None = None
    """File to write the figures to."""


def main(options: WorkerOptions | PieceOptions | ClipOptions) -> None:
    torch.set_num_threads(1)
    if isinstance(options, ClipOptions):
        figures = lift_clips(options)
    elif isinstance(options, PieceOptions):
        figures = lift_in_pieces(options)
    else:
        figures = compare_workers(options)
    result = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "commit": git_commit(),
        },
        "settings": {name: str(value) for name, value in asdict(options).items()},
        **figures,
    }
    if options.json is not None:
        write_json(options.json, result)
    print(result)


def compare_workers(options: WorkerOptions) -> dict[str, Any]:
    """Frames per second by one worker and by two, and their ratios."""
    rates = {count: worker_rates(options, count) for count in (1, 2)}
    ratios = {name: round(rates[2][name] / rates[1][name], 3) for name in rates[1]}
    return {"frames per second": rates, "ratio": ratios}


def worker_rates(options: WorkerOptions, workers: int) -> dict[str, float]:
    """Frames per second of a batch: whole, warm, and by processor time."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = [Path(folder, f"{number}{options.video.suffix}") for number in range(options.copies)]
        for path in inputs:
            path.write_bytes(options.video.read_bytes())
        config = BatchConfig(
            inputs=tuple(map(str, inputs)),
            out=str(Path(folder, "out")),
            workers=workers,
            detector_dir=options.detector_dir,
        )
        plan, came, began = plan_batch(config), [], time.monotonic()

        def on_outcome(outcome: Outcome) -> None:
            assert outcome.state is State.LIFTED, outcome
            assert outcome.worker is not None
            came.append((time.monotonic(), outcome.frames, outcome.worker, processor_seconds(outcome.worker)))

        run_batch(plan, on_outcome=on_outcome)
    first, frames = came[:workers], sum(each[1] for each in came[workers:])
    used = {worker: seconds for _, _, worker, seconds in came}
    before = {worker: seconds for _, _, worker, seconds in reversed(came)}
    return {
        "whole": round(sum(each[1] for each in came) / (came[-1][0] - began), 2),
        "warm": round(frames / (came[-1][0] - first[-1][0]), 2),
        "processor": round(workers * frames / sum(used[name] - before[name] for name in used), 2),
    }


def lift_in_pieces(options: PieceOptions) -> dict[str, Any]:
    """Seconds by one worker and by two, and the distance of the motions from each other."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder, "long.mp4")
        write_long_video(video, options)
        for workers in (1, 2):
            config = BatchConfig(
                inputs=(str(video),),
                out=str(Path(folder, str(workers))),
                workers=workers,
                piece_length=options.piece_length,
                person="all",
                detector_dir=options.detector_dir,
            )
            figures[f"workers: {workers}"] = piece_seconds(config)
        people = [sorted(Path(folder, str(workers), "long").glob("motion*")) for workers in (1, 2)]
        motions = [[load_motion(path) for path in paths] for paths in people]
    figures["people"] = [len(each) for each in motions]
    undivided, divided = (each[0] for each in motions)
    figures["frames"] = [len(undivided), len(divided)]
    errors = p_mpjpe(torch.from_numpy(divided.joints[:, :17]), torch.from_numpy(undivided.joints[:, :17]))
    figures["mm from the undivided motion"] = {
        "median": round(float(np.median(errors)), 2),
        "99 %": round(float(np.quantile(errors, 0.99)), 2),
    }
    return figures


def piece_seconds(config: BatchConfig) -> dict[str, float]:
    """Seconds of the lifting of a video, by the clock and of processors."""
    cluster.Worker = TimedWorker  # of which the pool makes its actors
    (outcome,) = run_batch(plan_batch(config))
    assert outcome.state is State.LIFTED, outcome
    text = Location.of(config.out).joined(outcome.name).beside(TIMES).read().decode()
    began, ended, used = np.loadtxt(text.splitlines()).reshape(-1, 3).T
    return {
        "seconds by the clock": round(float(ended.max() - began.min()), 1),
        "processor seconds": round(float(used.sum()), 1),
    }


TIMES = "times.txt"
"""File in which workers note when they began and ended a task, and their processor seconds for it."""


class TimedWorker(Worker):
    """Notes its times (:data:`TIMES`)."""

    def divide_or_lift(self, job: Job) -> list[Piece] | Outcome:
        with noted_times(job):
            return super().divide_or_lift(job)

    def detect(self, job: Job, piece: Piece) -> float | Outcome:
        with noted_times(job):
            return super().detect(job, piece)

    def join_and_lift(self, job: Job, pieces: Sequence[Piece], seconds: float) -> Outcome:
        with noted_times(job):
            return super().join_and_lift(job, pieces, seconds)


@contextmanager
def noted_times(job: Job) -> Iterator[None]:
    """Note the times of the ``with`` block beside the results, where all workers can write."""
    began, used = time.time(), time.process_time()
    yield
    path = job.results.beside(TIMES).path
    assert path is not None
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        print(began, time.time(), time.process_time() - used, file=file)


def write_long_video(path: Path, options: PieceOptions) -> None:
    """A video played forwards and backwards in turn."""
    source = open_frames(options.video)
    images = [frame.image for frame in source]
    with VideoWriter(path, source.fps) as writer:
        for repeat in range(options.repeats):
            for image in images[:: -1 if repeat % 2 else 1]:
                writer.write(image)


def lift_clips(options: ClipOptions) -> dict[str, Any]:
    """Time, memory, and the largest difference of any result from that of a single call."""
    lifter, memory = Lifter.from_pretrained(), []
    with tempfile.TemporaryDirectory() as folder:
        clips = made_clips(options)
        paths = [Path(folder, f"clip{number}.npz") for number in range(options.count)]
        for path, clip in zip(paths, clips, strict=True):
            save_keypoints(path, clip)

        def on_outcome(outcome: Outcome) -> None:
            assert outcome.worker is not None
            memory.append((outcome.worker, resident(process_of(outcome.worker)), resident(os.getpid())))

        config = BatchConfig(inputs=(folder,), out=str(Path(folder, "out")), refine=options.refine, workers=2)
        plan, began = plan_batch(config), time.monotonic()
        outcomes = run_batch(plan, on_outcome=on_outcome)
        seconds = time.monotonic() - began
        right, largest = 0, 0.0
        for outcome in outcomes:
            found = load_motion(Path(folder, "out", outcome.name, "motion.npz")).world
            (expected,) = spgnet.lift(outcome.input, weights=lifter, refine=options.refine)
            difference = float(np.abs(found - expected.world).max())
            right, largest = right + (difference < 1e-4), max(largest, difference)
    fifth = len(memory) // 5
    parts = {"second fifth": memory[fifth : 2 * fifth], "last fifth": memory[-fifth:]}
    return {
        "clips": options.count,
        "lifted": sum(outcome.state is State.LIFTED for outcome in outcomes),
        "right": right,
        "largest difference in metres": largest,
        "seconds": round(seconds, 1),
        "workers": len({name for name, _, _ in memory}),
        "memory of a worker in MB": {name: mean([each[1] for each in part]) for name, part in parts.items()},
        "memory of this process in MB": {
            name: mean([each[2] for each in part]) for name, part in parts.items()
        },
    }


def mean(values: list[float]) -> float:
    """The mean of numbers, to a tenth."""
    return round(float(np.mean(values)), 1)


def processor_seconds(worker: str) -> float:
    """Processor time that a worker has taken so far (Linux)."""
    numbers = Path(f"/proc/{process_of(worker)}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def process_of(worker: str) -> int:
    """The process in a worker's name, which is that of its machine and of its process."""
    return int(worker.rpartition(":")[2])


def made_clips(options: ClipOptions) -> list[Keypoints]:
    """Parts of the sample clip, each with its keypoints moved by a little of its own."""
    with as_file(files("spgnet").joinpath("samples", "pose2sim_cam01.npz")) as path:
        (sample,) = spgnet.load_keypoints(path)
    random = np.random.default_rng(0)
    made = []
    for _ in range(options.count):
        first = random.integers(0, len(sample) - options.frames + 1)
        part = slice(first, first + options.frames)
        points = sample.points[part].copy()
        points[..., :2] += random.uniform(-20, 20, 2)
        made.append(replace(sample, points=points, timestamps=sample.timestamps[: options.frames]))
    return made


def resident(process: int) -> float:
    """Memory of a process in MB: what is resident (Linux)."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(
        tyro.extras.subcommand_cli_from_dict(
            {"workers": WorkerOptions, "pieces": PieceOptions, "clips": ClipOptions}
        )
    )

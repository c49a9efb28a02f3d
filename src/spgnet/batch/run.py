"""A batch: what is to be done, doing it, and the report."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import partial
from importlib.resources import as_file
from math import inf
from pathlib import Path
from typing import Annotated, Any

import tyro

import spgnet
from spgnet.batch.cluster import RayOptions, lift_on_ray
from spgnet.batch.inputs import BatchInput, clips_in, find_clips, name_results
from spgnet.batch.jobs import Job, Outcome, State, capture_config
from spgnet.batch.locations import Location, is_address
from spgnet.batch.manifest import READERS, REPORT, Key, stored_results
from spgnet.batch.worker import Worker
from spgnet.capture.config import CaptureConfig, CaptureOptions
from spgnet.capture.outputs import check_outputs
from spgnet.capture.people import ProgressCallback, ignore_progress
from spgnet.detection.pieces import OVERLAP
from spgnet.errors import InputError
from spgnet.files import file_sha256, sweep_leftovers
from spgnet.lifting.weights import weights_file

OutcomeCallback = Callable[[Outcome], None]
SHORTEST_PIECE = 2 * OVERLAP
"""Seconds of a piece, of which half is detected twice."""


@dataclass(frozen=True, kw_only=True)
class InputsAndOutput:
    """What to lift, and where the results go. (A class of its own, so that help shows these first.)"""

    inputs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT...")]
    """A video, a folder of images, a file or folder of 2D keypoints, or with --live a webcam's number; or
    several, folders of videos or of keypoint files, or addresses like s3://bucket/*.mp4 (docs/cluster.md)."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"])] = "out"
    """Folder to write to; of several inputs, each has a folder in it."""


@dataclass(frozen=True, kw_only=True)
class BatchConfig(CaptureOptions, InputsAndOutput):
    """What to lift, how, what to write, and what works on it.

    Raises:
        InputError: values are out of range or do not go together.
    """

    workers: int | None = None
    """Processes that lift several inputs at once, with Ray (needs the extra: pip install 'spgnet[cluster]');
    by default one input after another, or on a cluster as many as it has room for."""
    ray: str | None = None
    """Address of a Ray cluster whose machines lift the inputs, such as auto or 10.0.0.1:6379."""
    cores_per_worker: int = 1
    """Processor cores of each worker."""
    piece_length: float = 120.0
    """About how many seconds the pieces have into which long videos are divided where there are several
    workers, so that these detect one video at once (0: videos are not divided)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("workers", "cores_per_worker"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if self.piece_length and not SHORTEST_PIECE <= self.piece_length < inf:
            raise InputError(
                f"piece_length must be 0 or at least {SHORTEST_PIECE:g} seconds, got {self.piece_length:g}"
            )
        if not self.inputs:
            raise InputError(
                "nothing to lift: name a video, images or 2D keypoints, as in: lift walk.mp4 -o out"
            )
        if self.live and (len(self.inputs) > 1 or self.on_ray):
            raise InputError("--live lifts one input, in this process")

    @property
    def on_ray(self) -> bool:
        """Whether Ray distributes the work."""
        return self.workers is not None or self.ray is not None

    @property
    def is_batch(self) -> bool:
        """Whether each input has a folder of its own in the output folder: always, but for a single clip on
        this machine without workers.

        Raises:
            OSError: a folder cannot be read.
        """
        first, *others = self.inputs
        if others or self.on_ray or is_address(self.out) or is_address(first):
            return True
        return not self.live and clips_in(Location.of(first)) is not None

    def options(self) -> CaptureOptions:
        """The part that says how to lift an input."""
        return CaptureOptions(**self._options())

    def only_input(self) -> CaptureConfig:
        """What to do if this is no batch (:attr:`is_batch`)."""
        (only,) = self.inputs
        return CaptureConfig(input=only, out=Path(self.out), **self._options())

    def _options(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(CaptureOptions)}


@dataclass(frozen=True)
class BatchPlan:
    """What a batch has to do.

    Attributes:
        config: of the batch.
        out: folder of all results.
        jobs: the inputs to lift.
        unchanged: the inputs whose results are there.
        names: of the folders of all results, in the order of the inputs.
    """

    config: BatchConfig
    out: Location
    jobs: list[Job]
    unchanged: list[Outcome]
    names: list[str]


def plan_batch(config: BatchConfig) -> BatchPlan:
    """Find the inputs of a batch, and which of them are to be lifted.

    An input whose results are there is left out, if it, the options, the weights and the version of the
    package are the same (:class:`spgnet.batch.manifest.Manifest`).

    Raises:
        InputError: an option, the weights or the camera cannot be used for any input, an address matches
            nothing, or the folder of results cannot be one.
        OSError: a file or folder cannot be read.
    """
    out, options = Location.of(config.out), config.options()
    check_batch_options(options)
    files = option_files(options)
    clips = find_clips(config.inputs, out)
    stored = stored_results(out)
    known = {each.manifest.key.input: name for name, each in stored.items() if each.manifest is not None}
    names = name_results(clips, known, {*stored, REPORT})
    jobs, unchanged = [], []
    with ThreadPoolExecutor(READERS) as pool:
        sizes = list(pool.map(Location.size, clips))
        fingerprints = list(pool.map(Location.fingerprint, clips))
    for clip, size, fingerprint in zip(clips, sizes, fingerprints, strict=True):
        found = BatchInput(clip, names[clip], size, fingerprint)
        key = Key(clip.text, found.fingerprint, options_to_json(options), files, spgnet.__version__)
        job = Job(found, out.joined(found.name), options, key)
        result = stored.get(found.name)
        if result is not None and result.is_result_of(key):
            unchanged.append(job.outcome(State.UNCHANGED, result.manifest))
        else:
            jobs.append(job)
    return BatchPlan(config, out, jobs, unchanged, list(names.values()))


def check_batch_options(options: CaptureOptions) -> None:
    """Refuse options with which no input of a batch could be lifted.

    Raises:
        InputError: there are such.
    """
    for name in ("html", "overlay"):
        path = getattr(options, name)
        if path is not None and path.name != str(path):
            raise InputError(
                f"--{name} {path}: each of several inputs writes this file into its own folder; give a name"
            )
    check_outputs(capture_config(options, Path("an input"), Path("its results")))


def option_files(options: CaptureOptions) -> dict[str, str]:
    """What tells whether the files that options name have changed, by option.

    Raises:
        InputError: there are no such weights, or no such camera file.
        OSError: they cannot be read.
    """
    with as_file(weights_file(options.weights)) as path:
        if not path.is_file():
            raise InputError(f"{path}: no such weights")
        found = {"weights": file_sha256(path)}
    if options.camera is not None:
        camera = Location.of(options.camera).fingerprint()
        if camera is None:
            raise InputError(f"{options.camera}: no such camera file")
        found["camera"] = camera
    return found


def options_to_json(options: CaptureOptions) -> dict[str, Any]:
    """The options on which results depend, as plain JSON values."""
    values = {
        name: value for name, value in asdict(options).items() if name not in ("live", "port", "camera")
    }
    return json.loads(json.dumps(values, default=str))  # paths


def run_batch(
    plan: BatchPlan,
    report: ProgressCallback = ignore_progress,
    on_outcome: OutcomeCallback = lambda outcome: None,
) -> list[Outcome]:
    """Lift the inputs of a batch, and write its report (``report.json`` in the folder of all results).

    Args:
        plan: :func:`plan_batch`.
        report: called with what is being done with an input, how much of it is done, and how much there is;
            if Ray distributes the work, with how many inputs and pieces of long videos are done. It may raise
            :class:`spgnet.capture.Cancelled` to end the batch.
        on_outcome: called when an input is done or has failed.

    Returns:
        What became of every input, in their order.

    Raises:
        InputError: Ray is missing, or its cluster cannot be reached.
        KeyboardInterrupt, Cancelled: it was interrupted; the report tells how far it came.
        OSError: the report cannot be written.
    """
    started, began = datetime.now(UTC), time.monotonic()
    outcomes = {outcome.name: outcome for outcome in plan.unchanged}
    config = plan.config
    if config.on_ray:
        gpu = config.accelerator == "cuda"
        options = RayOptions(config.ray, config.workers, config.cores_per_worker, gpu, config.piece_length)
        results = lift_on_ray(plan.jobs, options, partial(report, "lifting"))
    else:
        results = _lift_here(plan.jobs, report)
    try:
        with closing(results):
            for outcome in results:
                outcomes[outcome.name] = outcome
                on_outcome(outcome)
    finally:
        left = {job.input.name: job.outcome(State.NOT_STARTED) for job in plan.jobs}
        every = [(left | outcomes)[name] for name in plan.names]
        if config.on_ray:  # workers that were killed leave working folders behind
            for job in plan.jobs:
                if job.results.path is not None:
                    sweep_leftovers(job.results.path)
        write_report(plan, every, started, time.monotonic() - began)
    return every


def _lift_here(jobs: Sequence[Job], report: ProgressCallback) -> Generator[Outcome]:
    """The outcomes of jobs that are done one after another in this process."""
    if jobs:
        worker = Worker(jobs[0].options)
        try:
            for job in jobs:
                yield worker.lift(job, report)
        finally:
            worker.release()


def write_report(plan: BatchPlan, outcomes: Sequence[Outcome], started: datetime, seconds: float) -> None:
    """Write ``report.json``: what became of every input, and when and how it was lifted.

    Raises:
        InputError: the file system is not known, or refuses.
        OSError: it cannot be written.
    """
    states = Counter(outcome.state for outcome in outcomes)
    values = {
        "version": spgnet.__version__,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "options": options_to_json(plan.config.options()),
        "counts": {state.value: states[state] for state in State},
        "inputs": [asdict(outcome) for outcome in outcomes],
    }
    plan.out.joined(REPORT).write(json.dumps(values, indent=2) + "\n")

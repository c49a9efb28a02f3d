"""Ray: the inputs of a batch lifted by workers on this machine or on a cluster."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

from spgnet.batch.jobs import Job, Outcome, State
from spgnet.batch.worker import Worker
from spgnet.detection.pieces import Piece
from spgnet.errors import InputError, one_line
from spgnet.extras import import_extra

MOST_ATTEMPTS = 3
"""How often an input is tried whose worker dies."""
OBJECT_STORE = 80_000_000
"""Bytes of shared memory of a local Ray, close to the least that it takes: only jobs and outcomes, which are
small, pass between processes."""
_WAIT = 0.5
"""Seconds after which progress is reported again if no worker has answered."""


@dataclass(frozen=True)
class RayOptions:
    """What Ray is asked for.

    Attributes:
        address: of a cluster; None for one of our own on this machine.
        workers: how many; None for as many as the cluster has room for.
        cores: of each worker.
        gpu: whether workers need one; they share those that there are.
        piece_length: seconds of the pieces into which long videos are divided if there are several workers;
            0: they are not divided.
    """

    address: str | None = None
    workers: int | None = None
    cores: int = 1
    gpu: bool = False
    piece_length: float = 0


def lift_on_ray(
    jobs: Sequence[Job],
    options: RayOptions,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Generator[Outcome]:
    """The outcomes of jobs, as they come, of workers that each do one task at a time.

    A task is a job, a piece of a long video, or the lifting of one whose pieces are all detected. A worker's
    networks are loaded once. Tasks wait here until a worker is free, so that there are never more under way
    than workers. If a worker dies, its task alone is begun anew, by another worker, at most
    :data:`MOST_ATTEMPTS` times in all.

    Args:
        jobs: all with the same options of lifting.
        options: how many workers, and where.
        on_progress: called while the workers work, with how many tasks are done and how many there are so
            far, since more follow. If it raises, the workers are ended.

    Raises:
        InputError: Ray is missing, or the cluster cannot be reached.
    """
    if not jobs:
        return
    ray = import_extra("ray", "cluster")
    with _connected(ray, options):
        count = options.workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // options.cores)
        pool = _Pool(ray, jobs, count, options)
        try:
            yield from pool.outcomes(on_progress)
        finally:
            pool.close()


@dataclass
class _Task:
    """One call of a worker.

    Attributes:
        job: the input.
        method: of :class:`Worker`.
        arguments: of the method, after the job.
        attempt: its number, from 1.
    """

    job: Job
    method: Literal["divide_or_lift", "detect", "join_and_lift"]
    arguments: tuple = ()
    attempt: int = 1


@dataclass
class _Divided:
    """An input whose pieces are being detected.

    Attributes:
        pieces: all of them.
        left: how many are not detected yet.
        seconds: of processing so far.
        attempts: the most for any of its tasks.
    """

    pieces: list[Piece]
    left: int
    seconds: float = 0.0
    attempts: int = 1


class _Pool:
    """Workers, each an actor of Ray, and the tasks that they do and that wait for them."""

    def __init__(self, ray: ModuleType, jobs: Sequence[Job], workers: int, options: RayOptions) -> None:
        self._ray, self._most_workers = ray, workers
        self._done, self._total = 0, len(jobs)  # tasks
        self._waiting = deque(_Task(job, "divide_or_lift") for job in jobs)
        self._divided: dict[str, _Divided] = {}
        piece_length = options.piece_length if workers > 1 else 0
        self._worker_arguments = (jobs[0].options, options.cores, piece_length)
        gpus = ray.cluster_resources().get("GPU", 0.0) if options.gpu else 0.0
        share = min(1.0, int(100 * gpus / workers) / 100)
        self._actor = ray.remote(num_cpus=options.cores, num_gpus=share)(Worker)
        # By the references to what Ray will answer: workers that start; workers and their tasks.
        self._starting: dict[Any, Any] = {}
        self._working: dict[Any, tuple[Any, _Task]] = {}
        self._idle: list[Any] = []
        self._failed_starts = 0

    def outcomes(self, on_progress: Callable[[int, int], None]) -> Iterator[Outcome]:
        """The outcomes, as they come."""
        while self._waiting or self._working:
            self._assign_tasks()
            on_progress(self._done, self._total)
            ready, _ = self._ray.wait([*self._starting, *self._working], num_returns=1, timeout=_WAIT)
            if not ready:
                continue
            (reference,) = ready
            if reference in self._starting:
                self._handle_start(reference)
                continue
            worker, task = self._working.pop(reference)
            try:
                result = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                if task.attempt < MOST_ATTEMPTS:
                    self._waiting.appendleft(replace(task, attempt=task.attempt + 1))
                    continue
                message = f"the worker died, {task.attempt} times in all ({one_line(error)})"
                result = task.job.outcome(State.FAILED, error=message)
            else:
                self._idle.append(worker)
            outcome = self._follow_up(task, result)
            if outcome is not None:
                yield outcome

    def close(self) -> None:
        """End all workers."""
        if self._idle:  # the others are killed with what they have
            self._ray.wait(
                [worker.release.remote() for worker in self._idle], num_returns=len(self._idle), timeout=10
            )
        for worker in (*self._starting.values(), *(each[0] for each in self._working.values()), *self._idle):
            self._ray.kill(worker)

    def _follow_up(self, task: _Task, result: Outcome | list[Piece] | float) -> Outcome | None:
        """Put what follows from the result of a task before all else that waits: the pieces of a video, or
        its lifting after the last one. Returns the outcome of an input that is done."""
        job, divided = task.job, self._divided.get(task.job.input.name)
        if isinstance(result, list):
            self._divided[job.input.name] = _Divided(result, len(result), attempts=task.attempt)
            self._total += len(result)
            self._waiting.extendleft(_Task(job, "detect", (piece,)) for piece in reversed(result))
            return None
        if divided is not None:
            divided.attempts = max(divided.attempts, task.attempt)
        elif task.method == "detect":  # another piece has failed
            return None
        if isinstance(result, Outcome):
            self._done += 1
            if divided is None:
                return replace(result, attempts=task.attempt)
            self._total -= divided.left
            del self._divided[job.input.name]
            self._waiting = deque(each for each in self._waiting if each.job is not job)
            return replace(result, attempts=divided.attempts)
        assert divided is not None
        self._done += 1
        divided.left -= 1
        divided.seconds += result
        if not divided.left:
            self._waiting.appendleft(_Task(job, "join_and_lift", (divided.pieces, divided.seconds)))
        return None

    def _assign_tasks(self) -> None:
        """Give idle workers the tasks that wait, and start more workers if there are more tasks."""
        while self._idle and self._waiting:
            worker, task = self._idle.pop(), self._waiting.popleft()
            reference = getattr(worker, task.method).remote(task.job, *task.arguments)
            self._working[reference] = (worker, task)
        while len(self._starting) < min(len(self._waiting), self._most_workers - len(self._working)):
            worker = self._actor.remote(*self._worker_arguments)
            self._starting[worker.ready.remote()] = worker

    def _handle_start(self, reference: Any) -> None:
        """Make a worker that has started idle, or count a failed start.

        Raises:
            InputError: one worker after another could not be started.
        """
        worker = self._starting.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= MOST_ATTEMPTS and not self._working:
                raise InputError(f"Ray cannot start workers ({one_line(error)})") from error
        else:
            self._failed_starts = 0
            self._idle.append(worker)


@contextmanager
def _connected(ray: ModuleType, options: RayOptions) -> Iterator[None]:
    """A connection to Ray, which is one of our own on this machine if no address is given; closed at the end.

    Ray's own handler of SIGTERM, which would end this process at once, is put aside.

    Raises:
        InputError: there is a connection of somebody else, or the cluster cannot be reached.
    """
    if ray.is_initialized():
        raise InputError("this process is connected to Ray already")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent home
    here = threading.current_thread() is threading.main_thread()  # no other thread may set handlers
    handler = signal.getsignal(signal.SIGTERM) if here else None
    try:
        if options.address is not None:
            ray.init(address=options.address, logging_level="error")
        else:
            ray.init(
                num_cpus=options.cores * (options.workers or 1),
                object_store_memory=OBJECT_STORE,
                include_dashboard=False,
                logging_level="error",
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"cannot connect to Ray at {options.address or 'this machine'}: {one_line(error)}"
        ) from None
    try:
        if here:
            signal.signal(signal.SIGTERM, handler)
        yield
    finally:
        ray.shutdown()

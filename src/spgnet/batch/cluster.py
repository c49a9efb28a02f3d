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
from typing import Any

from spgnet.batch.jobs import Job, Outcome, State
from spgnet.batch.worker import Worker
from spgnet.errors import InputError, one_line
from spgnet.extras import import_extra

MOST_ATTEMPTS = 3
"""How often an input is tried whose worker dies."""
OBJECT_STORE = 80_000_000
"""Bytes of shared memory of a local Ray, close to the least that it takes: only jobs and outcomes, which are
small, pass between processes."""
_PATIENCE = 0.5
"""Seconds between two calls while nothing is done."""


@dataclass(frozen=True)
class RayOptions:
    """What Ray is asked for.

    Attributes:
        address: of a cluster; None for one of our own on this machine.
        workers: how many; None for as many as the cluster has room for.
        cores: of each worker.
        gpu: whether workers need one; they share those that there are.
    """

    address: str | None = None
    workers: int | None = None
    cores: int = 1
    gpu: bool = False


def lift_on_ray(
    jobs: Sequence[Job], options: RayOptions, on_wait: Callable[[], None] = lambda: None
) -> Generator[Outcome]:
    """The outcomes of jobs, as they come, of workers that each do one job at a time.

    A worker's networks are loaded once. Jobs wait here until a worker is free, so that there are never more
    under way than workers. If a worker dies, its job alone is begun anew, by another worker, at most
    :data:`MOST_ATTEMPTS` times in all.

    Args:
        jobs: all with the same options of lifting.
        options: how many workers, and where.
        on_wait: called again and again while the workers work; what it raises ends them.

    Raises:
        InputError: Ray is missing, or the cluster cannot be reached.
    """
    if not jobs:
        return
    ray = import_extra("ray", "cluster")
    with _connected(ray, options):
        count = options.workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // options.cores)
        pool = _Pool(ray, jobs, min(count, len(jobs)), options)
        try:
            yield from pool.outcomes(on_wait)
        finally:
            pool.close()


class _Pool:
    """Workers, each an actor of Ray, and the jobs that they do and that wait for them."""

    def __init__(self, ray: ModuleType, jobs: Sequence[Job], workers: int, options: RayOptions) -> None:
        self._ray = ray
        self._waiting = deque((job, 1) for job in jobs)  # and which attempt it will be
        self._of_worker = (jobs[0].options, options.cores)
        gpus = ray.cluster_resources().get("GPU", 0.0) if options.gpu else 0.0
        share = min(1.0, int(100 * gpus / workers) / 100)
        self._actor = ray.remote(num_cpus=options.cores, num_gpus=share)(Worker)
        # By the references to what Ray will answer: workers that start; workers, their jobs and the attempts.
        self._starting: dict[Any, Any] = {}
        self._working: dict[Any, tuple[Any, Job, int]] = {}
        self._failed_starts = 0
        for _ in range(workers):
            self._start()

    def outcomes(self, on_wait: Callable[[], None]) -> Iterator[Outcome]:
        """The outcomes, as they come."""
        while self._waiting or self._working:
            on_wait()
            ready, _ = self._ray.wait([*self._starting, *self._working], num_returns=1, timeout=_PATIENCE)
            if not ready:
                continue
            (reference,) = ready
            if reference in self._starting:
                self._welcome(reference)
                continue
            worker, job, attempt = self._working.pop(reference)
            try:
                outcome = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                self._start()
                if attempt < MOST_ATTEMPTS:
                    self._waiting.appendleft((job, attempt + 1))
                    continue
                message = f"the worker died, {attempt} times in all ({one_line(error)})"
                yield job.outcome(State.FAILED, error=message, attempts=attempt)
            else:
                self._employ(worker)
                yield replace(outcome, attempts=attempt)

    def close(self) -> None:
        """End all workers."""
        for worker in (*self._starting.values(), *(each[0] for each in self._working.values())):
            self._ray.kill(worker)

    def _start(self) -> None:
        worker = self._actor.remote(*self._of_worker)
        self._starting[worker.ready.remote()] = worker

    def _welcome(self, reference: Any) -> None:
        """Give a worker that has started its first job.

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
            self._start()
        else:
            self._failed_starts = 0
            self._employ(worker)

    def _employ(self, worker: Any) -> None:
        """Give a worker the next job. Without one it ends, as Ray ends actors that nobody refers to."""
        if self._waiting:
            job, attempt = self._waiting.popleft()
            self._working[worker.lift.remote(job)] = (worker, job, attempt)


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

"""Work in a thread: how far it is, how long it will take, and how it is cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from spgnet.capture import Cancelled, ProgressCallback

Result = TypeVar("Result")

_FIRST_ESTIMATE = 2.0
"""Seconds of a stage after which the time that it still takes is estimated."""


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Args:
        stage: what is being done.
        done: how much of it is done.
        total: how much there is; None if that is not known.
        seconds_left: how long this stage still takes; None if that cannot be told yet.
        waiting: how many other jobs come first.
    """

    stage: str = ""
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None
    waiting: int = 0


class Turns:
    """Lets one job work at a time, in the order in which they ask: two at once would both be slower."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[object] = []

    @contextmanager
    def turn(self, wait: Callable[[int], None]) -> Iterator[None]:
        """Within it no other job works.

        Args:
            wait: called again and again with the number of jobs that come first; it takes its time.
        """
        ticket = object()
        with self._lock:
            self._waiting.append(ticket)
        try:
            while before := self._before(ticket):
                wait(before)
            yield
        finally:
            with self._lock:
                self._waiting.remove(ticket)

    def _before(self, ticket: object) -> int:
        with self._lock:
            return self._waiting.index(ticket)


class Job(Generic[Result]):
    """Work that is done in a thread.

    Args:
        work: takes a function that it calls with its progress.
        turns: whose turn it is among several users' jobs.
    """

    def __init__(self, work: Callable[[ProgressCallback], Result], turns: Turns) -> None:
        self._work, self._turns = work, turns
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self._progress, self._stage_began = Progress(), time.monotonic()
        self._thread = threading.Thread(target=self._run, name="spgnet-job", daemon=True)
        self._thread.start()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress("stopping") if self._cancelled.is_set() else self._progress

    def cancel(self) -> None:
        """Stop it where it next reports progress. Nothing happens if it has ended."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, or for so many seconds; whether it has ended."""
        return self._ended.wait(seconds)

    def result(self) -> Result:
        """What the work returned.

        Raises:
            Cancelled: it was stopped.
            BaseException: what the work raised.
        """
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            with self._turns.turn(self._wait):
                self._progress = Progress("starting")
                self._result.append(self._work(self._report))
        except BaseException as error:  # it is raised where the result is asked for
            self._error = error
        finally:
            self._ended.set()

    def _wait(self, before: int) -> None:
        self._progress = Progress("waiting", waiting=before)
        if self._cancelled.wait(0.2):
            raise Cancelled

    def _report(self, stage: str, done: int, total: int | None) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if stage != self._progress.stage:
            self._stage_began = now
        elapsed, left = now - self._stage_began, None
        if total and done and elapsed > _FIRST_ESTIMATE:
            left = elapsed * max(0, total - done) / done
        self._progress = Progress(stage, done, total, left)

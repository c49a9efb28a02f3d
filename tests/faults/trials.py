"""One fault at a time: a command is disturbed, what it left is looked at, and it is run again."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from faults.jobs import JOBS, Job, is_whole, make_inputs, run_job, saved_step, told_files
from faults.marks import read_marks
from faults.terminal import Session, Signal


@dataclass
class Outcome:
    """What came of a fault.

    Attributes:
        during: what the command was doing; None if it had ended before.
        lost: what it had reported as done and is not there.
        half: files under their final names that are not whole.
        differing: results of the second run that are not those of an undisturbed one.
        left: temporary files after the second run.
        wrong: other breaches: a traceback, an end without an error, a second run that fails.
    """

    during: str | None
    lost: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def breaches(self) -> list[str]:
        """Every breach of the laws, a line each."""
        named = {name: getattr(self, name) for name in ("lost", "half", "differing", "left", "wrong")}
        return [f"{name}: {each}" for name, breaches in named.items() for each in breaches]


@dataclass(frozen=True)
class Undisturbed:
    """A run without faults: its results, the size of all in bytes, and the times of its activities in
    seconds from its start."""

    contents: dict[str, object]
    size: int
    times: list[tuple[float, str]]


class Laboratory:
    """Runs jobs in folders of their own, and disturbs them.

    Args:
        root: an empty folder.
        cold: start every process anew and not as a fork of this one.
    """

    def __init__(self, root: Path, *, cold: bool = False) -> None:
        self.inputs, self.root, self.cold = root / "inputs", root, cold
        self.inputs.mkdir()
        self._count, self._undisturbed = 0, {}
        _in_a_fork(partial(make_inputs, self.inputs))
        lifting = self.folder()
        session, _ = self.start(JOBS["lift"][0], lifting)
        if session.wait():
            raise RuntimeError(f"the lift of the inputs fails: {session.text}")
        shutil.copy(lifting / "out/motion.npz", self.inputs)

    def folder(self) -> Path:
        """A new empty folder."""
        self._count += 1
        folder = self.root / f"{self._count}"
        folder.mkdir()
        return folder

    def start(
        self,
        job: Job,
        folder: Path,
        *,
        setup: Callable[[], object] | None = None,
        raise_at: int | None = None,
        own_cache: bool = True,
    ) -> tuple[Session, Path]:
        """Begin a job in a folder; the session, and the file of its marks."""
        self._count += 1
        marks = self.root / f"{self._count}.marks"

        def run() -> None:
            if setup is not None:
                setup()
            if self.cold:
                _start_anew(job, self.inputs, folder, marks)
            run_job(job, self.inputs, folder, marks, raise_at=raise_at, own_cache=own_cache)

        return Session(run), marks

    def undisturbed(self, job: Job) -> Undisturbed:
        """The run of a job without faults; two of them must be the same."""
        key = " ".join(job.arguments(self.inputs, self.root))
        if key not in self._undisturbed:
            runs = []
            for _ in range(2):
                folder = self.folder()
                began = time.monotonic()
                session, marks = self.start(job, folder)
                if session.wait():
                    raise RuntimeError(f"{job.name} fails without a fault: {session.text}")
                times = [(each.time - began, each.what) for each in read_marks(marks)]
                times.append((time.monotonic() - began, "end"))
                size = sum(path.stat().st_size for path in job.files(folder).values())
                runs.append(Undisturbed(job.contents(folder), size, times))
                shutil.rmtree(folder)
            if runs[0].contents != runs[1].contents:
                raise RuntimeError(
                    f"two runs of {job.name} differ: {_differences(runs[0].contents, runs[1].contents)}"
                )
            self._undisturbed[key] = runs[1]
        return self._undisturbed[key]

    def interrupt(self, job: Job, number: Signal, rng: random.Random) -> Outcome:
        """Send a signal at a random moment: of the run, or of one of its activities."""
        expected = self.undisturbed(job)
        folder = self.folder()
        count, delay = _moment(expected.times, rng)
        session, marks = self.start(job, folder)
        while session.poll(0.001) and len(read_marks(marks)) < count:
            pass
        session.poll(delay)
        if number == "SIGKILL":
            session.send(number)
        during = read_marks(marks)
        running = session.code is None
        if number != "SIGKILL":
            session.send(number)
        outcome = Outcome((during[-1].what if during else "start") if running else None)
        try:
            code = session.wait()
        except TimeoutError as error:
            outcome.wrong.append(str(error))
            code = 1
        if number != "SIGKILL" and during and "Traceback" in session.text:
            outcome.wrong.append(f"traceback: {session.text[-600:]}")
        if code == 0:
            outcome.during = None
        look(job, expected, folder, session, marks, outcome)
        self.run_again(job, expected, folder, outcome)
        return outcome

    def run_again(self, job: Job, expected: Undisturbed, folder: Path, outcome: Outcome) -> None:
        """Run a job in the folder where it was disturbed, compare, and remove the folder."""
        session, _ = self.start(job, folder)
        try:
            if session.wait():
                outcome.wrong.append(f"the second run fails: {session.text[-600:]}")
        except TimeoutError as error:
            outcome.wrong.append(f"the second run: {error}")
        outcome.differing += _differences(expected.contents, job.contents(folder))
        outcome.left += [
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(".")
        ]
        shutil.rmtree(folder, ignore_errors=True)


def look(
    job: Job, expected: Undisturbed, folder: Path, session: Session, marks: Path, outcome: Outcome
) -> None:
    """Look at what a disturbed run left."""
    contents, files = job.contents(folder), job.files(folder)
    for name, path in files.items():
        changes = job.name in ("train", "reproduce")
        if contents.get(name) != expected.contents.get(name) and not (changes and is_whole(path)):
            outcome.half.append(name)
    if not job.downloads:
        there = {name for name in told_files(session.text) if (folder / name).is_file()}
        outcome.lost += sorted(told_files(session.text) - there)
        outcome.lost += [
            f"{name} (other contents)"
            for name in there & contents.keys()
            if contents[name] != expected.contents.get(name)
        ]
    for mark in read_marks(marks):
        if mark.what.startswith("told "):
            _, run, step = mark.what.split()
            checkpoint = folder / run / "last.safetensors"
            if not checkpoint.exists() or saved_step(checkpoint) < int(step):
                outcome.lost.append(f"{run}: step {step}")


def _differences(expected: dict[str, object], found: dict[str, object]) -> list[str]:
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def _moment(times: list[tuple[float, str]], rng: random.Random) -> tuple[int, float]:
    """How many activities to wait for, and seconds after the beginning of the last of them."""
    if rng.random() < 0.3:
        moment = rng.uniform(0, times[-1][0])
        before = [index for index, (time, _) in enumerate(times) if time <= moment]
        return len(before), moment - (times[before[-1]][0] if before else 0.0)
    kinds = sorted({what.split()[0] for _, what in times[:-1]} - {"between", "told", "start"})
    kind = rng.choice(kinds)
    index = rng.choice([i for i, (_, what) in enumerate(times[:-1]) if what.startswith(kind)])
    return index + 1, rng.uniform(0, max(0.001, times[index + 1][0] - times[index][0]))


def _start_anew(job: Job, inputs: Path, folder: Path, marks: Path) -> None:
    """Replace this process by a new interpreter that runs the job."""
    number = JOBS[job.name].index(job)
    code = (
        f"import sys; from pathlib import Path; sys.path[:0] = {sys.path[:2]!r}\n"
        "from faults.jobs import JOBS, run_job\n"
        f"run_job(JOBS[{job.name!r}][{number}], *map(Path, {[str(p) for p in (inputs, folder, marks)]!r}))"
    )
    os.execv(sys.executable, [sys.executable, "-c", code])


def _in_a_fork(run: Callable[[], None]) -> None:
    session = Session(run)
    if session.wait():
        raise RuntimeError(session.text)

"""Faults that are no signals: full disks, folders that cannot be written, two at once, a failing detector."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.jobs import Job
from faults.marks import read_marks
from faults.trials import Laboratory, Outcome, look

AMPLE = 64 * 2**20


def fill_disk(laboratory: Laboratory, job: Job, rng: random.Random) -> Outcome:
    """Run on a disk that has room for a part of the results; then make room."""
    expected = laboratory.undisturbed(job)
    size = rng.randrange(4096, max(8192, int(1.1 * expected.size)), 4096)
    with _disk(laboratory.folder(), size) as (folder, remount):
        outcome = _run(laboratory, job, folder)
        remount(f"size={AMPLE}")
        laboratory.run_again(job, expected, folder, outcome)
    return outcome


def deny_writing(laboratory: Laboratory, job: Job, rng: random.Random) -> Outcome:
    """Run in a folder on a disk that is mounted for reading alone; then allow writing."""
    expected = laboratory.undisturbed(job)
    with _disk(laboratory.folder(), AMPLE) as (folder, remount):
        remount("ro")
        outcome = _run(laboratory, job, folder, must_fail=True)
        outcome.half += [f"{path.name} on a read-only disk" for path in folder.iterdir()]
        remount("rw")
        laboratory.run_again(job, expected, folder, outcome)
    return outcome


def deny_home(laboratory: Laboratory, job: Job, rng: random.Random) -> Outcome:
    """Run with a home that cannot be written: only a download, which goes there, may fail."""
    expected = laboratory.undisturbed(job)
    with _disk(laboratory.folder(), AMPLE) as (home, remount):
        remount("ro")

        def setup() -> None:
            os.environ["HOME"] = str(home)
            for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
                os.environ.pop(name, None)

        folder = laboratory.folder()
        outcome = _run(laboratory, job, folder, setup=setup, own_cache=False, must_fail=job.downloads)
        if outcome.during is not None and not job.downloads:
            outcome.wrong.append("needs a home that can be written")
        laboratory.run_again(job, expected, folder, outcome)
    return outcome


def run_twice_at_once(laboratory: Laboratory, job: Job, rng: random.Random) -> Outcome:
    """Run a job twice at about the same time in one folder."""
    expected = laboratory.undisturbed(job)
    folder, outcome = laboratory.folder(), Outcome(None)
    first, marks = laboratory.start(job, folder)
    first.poll(rng.uniform(0, expected.times[-1][0] / 2))
    if seen := read_marks(marks):
        outcome.during = seen[-1].what
    second, _ = laboratory.start(job, folder)
    while first.poll(0.01) | second.poll(0.01):
        pass
    for session in (first, second):
        if session.code:
            outcome.wrong.append(f"one of two fails: {session.text[-600:]}")
    outcome.half += [
        f"{name}" for name in expected.contents if job.contents(folder).get(name) != expected.contents[name]
    ]
    laboratory.run_again(job, expected, folder, outcome)
    return outcome


def fail_in_the_detector(laboratory: Laboratory, job: Job, rng: random.Random) -> Outcome:
    """Let the detector raise an exception in the middle of the video."""
    expected = laboratory.undisturbed(job)
    folder = laboratory.folder()
    earlier = rng.random() < 0.5
    if earlier:  # results of an earlier run must stay
        laboratory.start(job, folder)[0].wait()
    looks = sum(what == "detect" for _, what in expected.times)  # not at every frame
    session, marks = laboratory.start(job, folder, raise_at=rng.randrange(1, looks))
    session.wait()
    outcome = Outcome("detect")
    if session.code == 0 or "the detector fails" not in session.text:
        outcome.wrong.append("the detector's exception does not come out")
    look(job, expected, folder, session, marks, outcome)
    if earlier:
        outcome.lost += [name for name in expected.contents if name not in job.files(folder)]
    else:
        outcome.left += [str(path) for path in folder.rglob("*") if path.name != "cache"]
    laboratory.run_again(job, expected, folder, outcome)
    return outcome


def _run(
    laboratory: Laboratory,
    job: Job,
    folder: Path,
    *,
    setup: Callable[[], None] | None = None,
    must_fail: bool = False,
    own_cache: bool = True,
) -> Outcome:
    """Run a job where it may fail, which it must say in one line, and look at what it left."""
    expected = laboratory.undisturbed(job)
    session, marks = laboratory.start(job, folder, setup=setup, own_cache=own_cache)
    outcome = Outcome(None)
    if session.wait():
        seen = read_marks(marks)
        outcome.during = seen[-1].what if seen else "start"
        said = [line for line in session.text.replace("\r", "\n").splitlines() if line.startswith("spgnet: ")]
        if "Traceback" in session.text or len(said) != 1:
            outcome.wrong.append(f"no error of one line: {session.text[-900:]}")
    elif must_fail:
        outcome.wrong.append("it does not fail")
    look(job, expected, folder, session, marks, outcome)
    outcome.left += [str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(".")]
    return outcome


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A disk of some bytes in memory, mounted at a folder, and a function to mount it otherwise."""

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder, remount
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def can_mount() -> bool:
    """Whether this process may mount disks, as only root can."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


PLACES: dict[str, tuple[Callable[[Laboratory, Job, random.Random], Outcome], tuple[str, ...], bool]] = {
    "full disk": (fill_disk, ("train", "lift", "export", "reproduce", "download"), True),
    "read-only folder": (deny_writing, ("train", "lift", "export", "reproduce", "download"), True),
    "home not writable": (deny_home, ("train", "lift", "export", "reproduce", "download"), True),
    "two at once": (run_twice_at_once, ("lift", "export", "download"), False),
    "detector raises": (fail_in_the_detector, ("lift",), False),
}
"""What to do, on which commands, and whether it needs the right to mount disks."""

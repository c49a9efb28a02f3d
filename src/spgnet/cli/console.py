"""What the commands show on the terminal."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from spgnet.batch import Job, Outcome, State
from spgnet.capture.people import ProgressCallback
from spgnet.errors import printable
from spgnet.evaluation import METRICS, Evaluation, Grouping, shown

if TYPE_CHECKING:  # the loop loads lightning-fabric, which only training needs
    from spgnet.training.loop import LogCallback

console = Console(quiet=os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) != "0")
"""Of several processes that train together, on whatever machines, the first one speaks."""


def say(line: str) -> None:
    """Print a line as it is, but for characters that cannot be printed, as names of files may have."""
    console.print(printable(line), soft_wrap=True, highlight=False, markup=False)


@contextmanager
def work_progress() -> Iterator[ProgressCallback]:
    """A progress bar for every stage of a job, with the time left: a function to call with what is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as bar:

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in bar.tasks:  # a stage that never counted has nothing to show once it is over
                    bar.update(task.id, visible=task.completed > 0)
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], total=total, completed=done if total is None else min(done, total))

        yield report


@contextmanager
def batch_progress(jobs: Sequence[Job]) -> Iterator[tuple[ProgressCallback, Callable[[Outcome], None]]]:
    """Progress bars for a batch, one with its rate and the time left by the sizes of its inputs, and one for
    what is done with the present input: functions to call with that, and with the outcome of each input."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[shown]}  left"),
        TimeRemainingColumn(),
    )
    began, done, frames = time.monotonic(), 0, 0

    def shown() -> str:
        rate = f"  {frames / (time.monotonic() - began):.1f} frames/s" if frames else ""
        return f"{done}/{len(jobs)}{rate}"

    with Progress(*columns, console=console) as bar:
        weights = [job.input.size + 1 for job in jobs]
        whole = bar.add_task("inputs", total=sum(weights), shown=shown(), start=bool(jobs))
        part = bar.add_task("", total=None, shown="", visible=False)
        stage_now = ""

        def report(stage: str, number: int, total: int | None) -> None:
            nonlocal stage_now
            if stage != stage_now:
                stage_now = stage
                bar.reset(part, description=stage, visible=True)
            bar.update(part, completed=number, total=total, shown=f"{number}/{total or '?'}")

        def on_outcome(outcome: Outcome) -> None:
            nonlocal done, frames
            done, frames = done + 1, frames + outcome.frames
            bar.update(whole, advance=outcome.size + 1, shown=shown())
            if outcome.state is State.FAILED:
                line = printable(f"{outcome.input}: failed")
                bar.console.print(line, soft_wrap=True, highlight=False, markup=False)

        yield report, on_outcome
        bar.update(part, visible=False)


LONGEST_TABLE = 30
"""Inputs beyond which a table has only those that failed."""


def batch_table(outcomes: Sequence[Outcome]) -> Table:
    """What became of the inputs of a batch, as a table for the terminal."""
    kept = [each for each in outcomes if len(outcomes) <= LONGEST_TABLE or each.state is State.FAILED]
    counts = Counter(each.state for each in outcomes)
    title = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    table = Table(title=title, box=box.SIMPLE, show_edge=False)
    for heading in ("result", "state"):
        table.add_column(heading, overflow="fold")
    for heading in ("people", "frames", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("error", overflow="fold")
    for each in kept:
        numbers = (
            (each.people, each.frames, f"{each.seconds:.1f}") if each.state is State.LIFTED else ("",) * 3
        )
        error = (each.error or "").removeprefix(f"{each.input}: ")
        table.add_row(*(escape(printable(str(cell))) for cell in (each.name, each.state, *numbers, error)))
    return table


@contextmanager
def training_progress(steps: int) -> Iterator[tuple[LogCallback, LogCallback]]:
    """A progress bar for training: functions to call after every step and every epoch."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  validation {task.fields[validation]}  left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=steps, loss="-", validation="-")

        def on_step(entry: dict[str, Any]) -> None:
            bar.update(task, completed=entry["step"], loss=f"{entry['loss']:.4f}")

        def on_epoch(entry: dict[str, Any]) -> None:
            if "validation_mpjpe" in entry:
                bar.update(task, validation=f"{entry['validation_mpjpe']:.1f} mm")

        yield on_step, on_epoch


def evaluation_table(result: Evaluation, title: str, *, by: Grouping) -> Table:
    """Results as a table for the terminal."""
    table = Table(by, title=title, box=box.SIMPLE, padding=(0, 0), show_edge=False)
    for metric in METRICS.values():
        unit = metric.unit.replace("frame", "f")
        table.add_column(f"{metric.heading}\n{unit}", justify="right", no_wrap=True)
    for label, values in result.rows(by):
        table.add_row(label, *(shown(values[name]) for name in METRICS))
    return table


def joint_table(result: Evaluation) -> Table:
    """The joints' errors as a table for the terminal."""
    table = Table("joint", box=box.SIMPLE, padding=(0, 0), show_edge=False)
    table.add_column("P1\nmm", justify="right")
    for name, value in result.joints.items():
        table.add_row(name, shown(value))
    return table

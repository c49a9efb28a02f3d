"""What the commands show on the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from spgnet.capture.people import ProgressCallback
from spgnet.evaluation import METRICS, Evaluation, Grouping, shown

if TYPE_CHECKING:  # the loop loads lightning-fabric, which only training needs
    from spgnet.training.loop import LogCallback

console = Console(quiet=os.environ.get("LOCAL_RANK", "0") != "0")
"""Of several processes that train together, the first one speaks."""


def say(line: str) -> None:
    """Print a line as it is."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


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
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done if total is None else min(done, total))

        yield report


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

"""The command line: ``spgnet train | evaluate | benchmark | demo``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from spgnet.benchmark import BenchmarkConfig, results_table, run_benchmark
from spgnet.data.open_benchmark import Input, load_training_data, load_views
from spgnet.demo import DemoConfig, run_demo
from spgnet.evaluation import METRICS, Evaluation, evaluate
from spgnet.recipes import RECIPE_DESCRIPTIONS, RECIPES, TrainConfig
from spgnet.runs import git_commit, load_run, write_json, write_text
from spgnet.training import Accelerator, Machine, Report, frames_in, pick_device, train

console = Console(quiet=os.environ.get("LOCAL_RANK", "0") != "0")
"""Of several processes that train together, the first one speaks."""


@dataclass(frozen=True)
class TrainOptions:
    """Train a network."""

    recipe: Annotated[TrainConfig, tyro.conf.arg(name="")]
    out: Path
    """Run folder."""
    resume: bool = False
    """Go on with the run that the folder holds."""
    tensorboard: bool = False
    """Log to TensorBoard too (needs the extra: pip install 'spgnet[tensorboard]')."""
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class EvaluateOptions:
    """Evaluate a run."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    motion: Path | None = None
    """Folder of the open benchmark's motion archives; by default, the motion that the run was trained on."""
    input: Input | None = None
    """2D input; by default, that of the training."""
    split: Literal["validation", "test"] = "test"
    """Which split to evaluate on."""
    accelerator: Accelerator = "auto"
    """What computes."""
    flip: bool = True
    """Average with the result for the mirrored input."""


if TYPE_CHECKING:
    TrainByRecipe = TrainOptions
else:
    TrainByRecipe = tyro.extras.subcommand_type_from_defaults(
        {name: TrainOptions(recipe, Path("runs") / name) for name, recipe in RECIPES.items()},
        RECIPE_DESCRIPTIONS,
        prefix_names=False,
    )


def train_command(training: TrainByRecipe) -> None:
    """Train a network by a named recipe, as it is or with changes, and leave a run folder."""
    recipe, out = training.recipe, training.out
    with console.status("Loading motion"):
        train_data, validation_views = load_training_data(recipe.data), load_views(recipe.data, "validation")
    tensorboard = tensorboard_log(out) if training.tensorboard else None
    steps = recipe.epochs * recipe.steps_in_epoch(frames_in(train_data))
    with training_progress(steps) as (on_step, show_epoch):

        def on_epoch(entry: dict[str, Any]) -> None:
            show_epoch(entry)
            if tensorboard is not None:
                tensorboard(entry)

        finished = train(
            recipe,
            out,
            train_data,
            validation_views,
            resume=training.resume,
            machine=training.machine,
            on_step=on_step,
            on_epoch=on_epoch,
        )
    if not finished:
        raise SystemExit(f"spgnet: stopped; the same command with --resume goes on (run folder {out})")
    console.print(f"Done. Next: spgnet evaluate {out}")


def evaluate_command(options: tyro.conf.OmitArgPrefixes[EvaluateOptions]) -> None:
    """Evaluate the best weights of a run by every metric: a table, and JSON and Markdown files."""
    config, model = load_run(options.run)
    data = replace(
        config.data, motion=options.motion or config.data.motion, input=options.input or config.data.input
    )
    device = pick_device(options.accelerator)
    with console.status("Evaluating"):
        views = load_views(data, options.split).to(device)
        result = evaluate(model.to(device), views, flip=options.flip)
    stem = f"evaluation-{options.split}-{data.input}{'' if options.flip else '-no-flip'}"
    about = {"motion": "captured" if data.motion else "procedural", "rig": data.rig, "commit": git_commit()}
    write_json(options.run / f"{stem}.json", about | result.to_json())
    write_text(options.run / f"{stem}.md", result.to_markdown())
    console.print(evaluation_table(result))
    console.print(f"Written: {options.run / stem}.json and .md")


def benchmark_command(config: tyro.conf.OmitArgPrefixes[BenchmarkConfig]) -> None:
    """Compare SPGNet with its baselines on the open benchmark; goes on where it stopped."""

    def report(run: str, entry: dict[str, Any]) -> None:
        shown = ("epoch", "loss", "validation_mpjpe") if "epoch" in entry else ("mpjpe", "p_mpjpe")
        console.print(f"{run}:", "  ".join(f"{key} {entry[key]:.4g}" for key in shown), soft_wrap=True)

    summary = run_benchmark(config, on_progress=report)
    console.print(results_table(summary["runs"]), markup=False, soft_wrap=True)
    console.print(f"Written: {config.out / 'results.json'} and results.md")


def demo_command(config: tyro.conf.OmitArgPrefixes[DemoConfig]) -> None:
    """Train a small SPGNet for about a minute, evaluate it, lift an unseen sequence, and draw the result."""
    with training_progress(config.steps) as (on_step, on_epoch):
        result = run_demo(config, on_step=on_step, on_epoch=on_epoch)
    console.print(evaluation_table(result.evaluation))
    for what, path in result.files.items():
        console.print(f"{what}: {path}")


@contextmanager
def training_progress(steps: int) -> Iterator[tuple[Report, Report]]:
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
            bar.update(task, validation=f"{entry['validation_mpjpe']:.1f} mm")

        yield on_step, on_epoch


def evaluation_table(result: Evaluation) -> Table:
    """Results as a table for the terminal."""
    table = Table("action", title=f"{result.frames} frames", box=box.SIMPLE, padding=(0, 0), show_edge=False)
    for metric in METRICS.values():
        unit = metric.unit.replace("frame", "f")
        table.add_column(f"{metric.heading}\n{unit}", justify="right", no_wrap=True)
    for label, values in result.rows():
        table.add_row(label, *(f"{values[name]:.1f}" for name in METRICS))
    return table


def tensorboard_log(run: Path) -> Report:
    """A function that writes the log's entries to TensorBoard; nothing is written before the first."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError(
            "TensorBoard is missing; install it with: pip install 'spgnet[tensorboard]'"
        ) from None
    writers: list[SummaryWriter] = []

    def log(entry: dict[str, Any]) -> None:
        if not writers:  # a resumed run may have logged this epoch already
            writers.append(SummaryWriter(run / "tensorboard", purge_step=entry["step"]))
        for name in sorted(entry.keys() - {"epoch", "step"}):
            writers[0].add_scalar(name, entry[name], entry["step"])
        writers[0].flush()

    return log


def deferred(command: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """A command that is to be parsed now and run later."""

    @wraps(command)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return partial(command, *args, **kwargs)

    return parsed


COMMANDS = {
    "train": train_command,
    "evaluate": evaluate_command,
    "benchmark": benchmark_command,
    "demo": demo_command,
}


def main() -> None:
    """Entry point of the ``spgnet`` command; bad input ends it with one line on standard error."""
    try:
        parse(sys.argv[1:])()
    except (ValueError, OSError) as error:
        raise SystemExit(f"spgnet: {' '.join(str(error).split())}") from None
    except KeyboardInterrupt:
        raise SystemExit("spgnet: interrupted") from None


def parse(arguments: list[str]) -> Callable[[], None]:
    """The command that a command line asks for, ready to run.

    Raises:
        ValueError: there is no such command, recipe or option, or a value is out of its range.
        SystemExit: help was asked for, and is printed.
    """
    if arguments[:1] == ["train"] and len(arguments) > 1 and arguments[1] not in (*RECIPES, "-h", "--help"):
        raise ValueError(f"no recipe {arguments[1]!r}; there are {', '.join(RECIPES)}")
    messages = StringIO()
    try:
        with redirect_stderr(messages):
            return tyro.extras.subcommand_cli_from_dict(
                {name: deferred(command) for name, command in COMMANDS.items()},
                prog="spgnet",
                description="From 2D human pose to 3D motion in metres.",
                args=arguments,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if stop.code:
            raise ValueError(_without_box(messages.getvalue())) from None
        raise


def _without_box(message: str) -> str:
    """The sentences of the parser's framed, many-lined error message."""
    rows = [row.strip(" │") for row in message.splitlines() if not row.startswith(("╭", "╰"))]
    sections = " ".join("\n" if set(row) == {"─"} else row for row in rows).split("\n")
    kept = [part.strip() for part in sections if not re.match(r" *(For full|Argument) helptext", part)]
    return re.sub(r"Error parsing __tyro\S*: ", "", "; ".join(kept))

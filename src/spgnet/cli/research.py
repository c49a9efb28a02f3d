"""The researcher's commands: ``spgnet train | evaluate | benchmark``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from spgnet.benchmark import BenchmarkConfig, results_table, run_benchmark
from spgnet.cli.console import console, evaluation_table, training_progress
from spgnet.data.config import Input
from spgnet.data.sources import load_training_data, load_validation, load_views
from spgnet.evaluation import evaluate
from spgnet.recipes import RECIPE_DESCRIPTIONS, RECIPES, TrainConfig
from spgnet.runs import git_commit, load_run, write_json, write_text
from spgnet.training import Accelerator, Machine, Report, frames_in, pick_device, train


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
        train_data, validation_views = load_training_data(recipe.data), load_validation(recipe.data)
    tensorboard = tensorboard_log(out) if training.tensorboard else None
    steps = recipe.epochs * recipe.steps_in_epoch(frames_in(train_data.labelled))
    with training_progress(steps) as (on_step, show_epoch):

        def on_epoch(entry: dict[str, Any]) -> None:
            show_epoch(entry)
            if tensorboard is not None:
                tensorboard(entry)

        finished = train(
            recipe,
            out,
            train_data.labelled,
            validation_views,
            unlabelled=train_data.unlabelled,
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
        trained_wild = config.data.input == "wild"
        views = load_views(data, options.split, trained_wild=trained_wild).to(device)
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

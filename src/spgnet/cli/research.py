"""The researcher's commands: ``spgnet train | evaluate | reproduce | export-model | bench | data``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from spgnet.bench import BenchConfig, describe, run_bench
from spgnet.cli.console import console, say, training_progress
from spgnet.data.sources import check_data, load_training_data, load_validation
from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.files import write_json
from spgnet.lifting.weights import load_weights as load_lifting_weights
from spgnet.models.onnx_export import export_onnx
from spgnet.reproduction import ReproduceConfig, reproduce
from spgnet.training.loop import LogCallback, Machine, train
from spgnet.training.recipes import RECIPE_DESCRIPTIONS, RECIPES, TrainConfig


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
        train_data, validation_data = load_training_data(recipe.data), load_validation(recipe.data)
    tensorboard = tensorboard_log(out) if training.tensorboard else None
    steps = recipe.epochs * recipe.steps_in_epoch(train_data.frames)
    with training_progress(steps) as (on_step, show_epoch):

        def on_epoch(entry: dict[str, Any]) -> None:
            show_epoch(entry)
            if tensorboard is not None:
                tensorboard(entry)

        finished = train(
            recipe,
            out,
            train_data,
            validation_data,
            resume=training.resume,
            machine=training.machine,
            on_step=on_step,
            on_epoch=on_epoch,
        )
    if not finished:
        raise SystemExit(f"spgnet: stopped; the same command with --resume goes on (run folder {out})")
    console.print(f"Done. Next: spgnet evaluate {out}")


def reproduce_command(config: tyro.conf.OmitArgPrefixes[ReproduceConfig]) -> None:
    """Reproduce a table or a figure of the paper on Human3.6M, or on open data; goes on where it stopped."""

    def progress(run: str, entry: dict[str, Any]) -> None:
        names = ("epoch", "loss", "validation_mpjpe", "mpjpe", "p_mpjpe")
        shown = (f"{name} {entry[name]:.4g}" for name in names if name in entry)
        console.print(f"{run}:", "  ".join(shown), soft_wrap=True)

    text, files = reproduce(config, on_progress=progress)
    console.print(text, markup=False, soft_wrap=True, highlight=False)
    console.print("Written:", ", ".join(map(str, files)), soft_wrap=True)


@dataclass(frozen=True)
class DataOptions:
    """Look at data sets."""

    action: tyro.conf.Positional[Literal["check"]]
    """check: say what is there, and everything that is wrong."""
    path: tyro.conf.Positional[Path]
    """A data set or a folder of motion (docs/datasets.md)."""


@dataclass(frozen=True)
class ExportModelOptions:
    """Which network to write, and for what."""

    weights: tyro.conf.Positional[str]
    """Name of weights in the package (default, live), a run folder, or a safetensors file."""
    out: tyro.conf.Positional[Path]
    """The ONNX file."""
    streaming: bool = False
    """One frame at a time, with the network's memory as inputs and outputs, instead of whole sequences."""
    flip: bool = True
    """Average with the result for the mirrored input (twice the time, slightly more accurate)."""
    fps: float = 30.0
    """Frames per second of what it will be used on."""


def export_model_command(options: tyro.conf.OmitArgPrefixes[ExportModelOptions]) -> None:
    """Write a network as an ONNX file, for programs without PyTorch."""
    model, _ = load_lifting_weights(options.weights)
    export_onnx(model, options.out, streaming=options.streaming, flip=options.flip, fps=options.fps)
    say(f"Written: {options.out}")


def bench_command(config: tyro.conf.OmitArgPrefixes[BenchConfig]) -> None:
    """Measure how fast the package is on this machine, beside what people would use instead."""
    result = run_bench(
        config, lambda timing: console.print(describe(timing), soft_wrap=True, highlight=False)
    )
    if config.out is not None:
        write_json(config.out, result)
        say(f"Written: {config.out}")


def data_command(options: tyro.conf.OmitArgPrefixes[DataOptions]) -> None:
    """Check a data set before it is trained or evaluated on: spgnet data check PATH."""
    name, checked = check_data(options.path)
    for line in (f"{options.path}: {name}", *checked.facts):
        say(line)
    if checked.errors:
        for line in checked.errors:
            say(f"fault: {line}")
        raise InputError(f"{options.path}: {len(checked.errors)} errors, which are listed above")
    console.print("no errors")


def tensorboard_log(run_dir: Path) -> LogCallback:
    """A function that writes the log's entries to TensorBoard; nothing is written before the first."""
    import_extra("tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writers: list[SummaryWriter] = []

    def log(entry: dict[str, Any]) -> None:
        if not writers:  # a resumed run may have logged this epoch already
            writers.append(SummaryWriter(run_dir / "tensorboard", purge_step=entry["step"]))
        for name in sorted(entry.keys() - {"epoch", "step"}):
            writers[0].add_scalar(name, entry[name], entry["step"])
        writers[0].flush()

    return log

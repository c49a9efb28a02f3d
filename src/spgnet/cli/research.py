"""The researcher's commands: ``spgnet train | evaluate | reproduce | export-model | bench | data``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from lightning_fabric.loggers.logger import Logger

from spgnet.bench import BenchConfig, describe, run_bench
from spgnet.cli.commands import COMMANDS
from spgnet.cli.console import console, say, training_progress
from spgnet.cli.former_names import with_present_names, with_present_options
from spgnet.cli.user_modules import take_option
from spgnet.data.sources import check_data, load_training_data, load_validation, missing_sequences
from spgnet.errors import InputError
from spgnet.files import write_json
from spgnet.lifting.weights import load_weights as load_lifting_weights
from spgnet.models.onnx_export import export_onnx
from spgnet.reproduction import ReproduceConfig, reproduce
from spgnet.training.checkpoint import read_progress
from spgnet.training.loggers import StepLog, WandbLog, tensorboard_log
from spgnet.training.loop import train
from spgnet.training.losses import LOSS_TERMS
from spgnet.training.processes import Machine
from spgnet.training.recipes import RECIPE_DESCRIPTIONS, RECIPES, TrainConfig
from spgnet.training.runs import read_config_file


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
    wandb: str | None = None
    """Project of Weights & Biases to log to, too (needs the extra: pip install 'spgnet[wandb]')."""
    log_every: int = 0
    """Steps between entries of a step's losses in the run's steps.jsonl and the other logs; 0: none."""
    machine: Machine = field(default_factory=Machine)


def train_options(arguments: list[str]) -> TrainOptions:
    """What the arguments of ``spgnet train`` ask for: a recipe or the configuration of a run, with changes.

    Raises:
        InputError: there is no such recipe or configuration, or a value is out of its range.
        SystemExit: help was asked for, or there is no such option; what to say is printed.
    """
    arguments, file = take_option(arguments, "--config")
    settings: dict[str, Any] = {
        "prog": "spgnet train",
        "description": COMMANDS["train"].summary,
        "config": (tyro.conf.AvoidSubcommands, tyro.conf.OmitSubcommandPrefixes),
    }
    if file is not None:
        if arguments and not arguments[0].startswith("-"):
            raise InputError(f"give either the recipe {arguments[0]!r} or --config")
        own = Path("runs") / Path(file).stem if Path(file).name != "config.json" else Path(file).parent
        default = TrainOptions(_with_all_terms(read_config_file(Path(file))), own)
        options = tyro.cli(TrainOptions, default=default, args=with_present_options(arguments), **settings)
    else:
        defaults = {
            name: TrainOptions(_with_all_terms(recipe), Path("runs") / name)
            for name, recipe in RECIPES.items()
        }

        def choose(training: Any) -> TrainOptions:
            return training

        choose.__annotations__["training"] = tyro.extras.subcommand_type_from_defaults(
            defaults, RECIPE_DESCRIPTIONS, prefix_names=False
        )
        options = tyro.cli(choose, args=with_present_names(arguments), **settings)
    used = {name: term for name, term in options.recipe.terms.items() if term.weight}
    return replace(options, recipe=replace(options.recipe, terms=used))


def _with_all_terms(recipe: TrainConfig) -> TrainConfig:
    """A recipe with all loss terms that are registered, so that their weights are options."""
    return replace(recipe, terms={name: term() for name, term in LOSS_TERMS.items()} | recipe.terms)


def train_command(training: TrainOptions) -> None:
    """Train a network by a named recipe or a run's configuration, as it is or with changes."""
    recipe, out = training.recipe, training.out
    with console.status("Loading motion"):
        train_data, validation_data = load_training_data(recipe.data), load_validation(recipe.data)
    chosen = recipe.data.subjects or recipe.data.actions or recipe.data.validation_subjects
    if train_data.dataset is not None and not chosen:
        for line in missing_sequences(recipe.data, "train", train_data.dataset):
            say(f"missing of the training data: {line}")
    last = out / "last.safetensors"
    loggers = build_loggers(training, read_progress(last).step if training.resume and last.exists() else 0)
    steps = recipe.epochs * recipe.steps_in_epoch(train_data.frames)
    with training_progress(steps) as (on_step, on_epoch):
        finished = train(
            recipe,
            out,
            train_data,
            validation_data,
            resume=training.resume,
            machine=training.machine,
            on_step=on_step,
            on_epoch=on_epoch,
            loggers=loggers,
            log_every=training.log_every,
        )
    if not finished:
        raise SystemExit(f"spgnet: stopped; the same command with --resume goes on (run folder {out})")
    console.print(f"Done. Next: spgnet evaluate {out}")


def build_loggers(training: TrainOptions, step: int) -> list[Logger]:
    """The loggers that are asked for, of a run that has done so many steps.

    Raises:
        InputError: the library of one is missing.
    """
    loggers: list[Logger] = [StepLog(training.out, step)] if training.log_every else []
    if training.tensorboard:
        loggers.append(tensorboard_log(training.out, step))
    if training.wandb is not None:
        loggers.append(WandbLog(training.out, training.wandb))
    return loggers


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

"""The researcher's commands: ``spgnet train | evaluate | reproduce | export-model | bench | data``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from spgnet.bench import BenchConfig, describe, run_bench
from spgnet.cli.console import console, evaluation_table, say, training_progress
from spgnet.data.config import DataConfig, Input
from spgnet.data.sources import check_data, load_dataset, load_training_data, load_validation
from spgnet.errors import InputError
from spgnet.evaluation import evaluate
from spgnet.extras import import_extra
from spgnet.files import write_json, write_text
from spgnet.lifting.weights import load_weights as load_lifting_weights
from spgnet.models import LiftingNetwork
from spgnet.models.baselines.videopose3d import load_videopose3d
from spgnet.models.onnx_export import export_onnx
from spgnet.reproduction import ReproduceConfig, reproduce
from spgnet.training.loop import Accelerator, LogCallback, Machine, pick_device, train
from spgnet.training.recipes import RECIPE_DESCRIPTIONS, RECIPES, TrainConfig
from spgnet.training.runs import (
    FORMER_DATA_FIELDS,
    FORMER_FIELDS,
    FORMER_RANDOMIZATION_FIELDS,
    git_commit,
    load_run,
)


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
    """Run folder, or a checkpoint of VideoPose3D (.bin)."""
    motion: Path | None = None
    """Folder of motion to evaluate on; by default, the data that the run was trained on."""
    takes: Path | None = None
    """Recorded takes to evaluate on (Human3.6M, HumanEva-I, MPI-INF-3DHP, your own)."""
    input: Input | None = None
    """2D input; by default, that of the training."""
    detector: str | None = None
    """Whose detections, for the input "detected"; by default, those of the training."""
    split: Literal["validation", "test"] = "test"
    """Which split to evaluate on."""
    accelerator: Accelerator = "auto"
    """What computes."""
    flip: bool = True
    """Average with the result for the mirrored input."""


FORMER_RECIPES = {"wild": "randomized", "wild-live": "randomized-live", "wild-gpu": "randomized-gpu"}
FORMER_OPTIONS = {
    **FORMER_FIELDS,
    **{f"data.{former}": f"data.{present}" for former, present in FORMER_DATA_FIELDS.items()},
    **{
        f"data.{former_group}.{former}": f"data.randomization.{present}"
        for former_group in ("wildness", "randomization")
        for former, present in FORMER_RANDOMIZATION_FIELDS.items()
    },
}
"""Recipes and options by the names that they had before."""


def with_present_names(arguments: list[str]) -> list[str]:
    """The arguments of ``spgnet train``, former names of recipes and options replaced by the present ones.

    Raises:
        InputError: there is no such recipe.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        return arguments
    recipe = FORMER_RECIPES.get(arguments[0], arguments[0])
    if recipe not in RECIPES:
        raise InputError(f"no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    return [recipe, *with_present_input([_present_option(argument) for argument in arguments[1:]])]


def with_present_input(arguments: list[str]) -> list[str]:
    """The arguments with the 2D input ``wild`` by its present name, ``randomized``."""
    present = []
    for argument in arguments:
        option, equals, value = argument.rpartition("=")
        if value == "wild" and (option if equals else (present or [""])[-1]) in ("--input", "--data.input"):
            argument = f"{option}{equals}randomized"
        present.append(argument)
    return present


def _present_option(argument: str) -> str:
    """An option such as ``--data.wildness.roll`` or ``--run-length=3`` by its present name."""
    name, equals, value = argument.partition("=")
    if not name.startswith("--"):
        return argument
    field = name[2:].replace("-", "_")
    present = FORMER_OPTIONS.get(field, field.replace("data.wildness.", "data.randomization."))
    return argument if present == field else f"--{present.replace('_', '-')}{equals}{value}"


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


def evaluate_command(options: tyro.conf.OmitArgPrefixes[EvaluateOptions]) -> None:
    """Evaluate the best weights of a run by every metric: a table, and JSON and Markdown files."""
    trained, model = load_weights(options.run)
    data = evaluated_on(options, trained)
    device = pick_device(options.accelerator)
    with console.status("Evaluating"):
        randomized = trained.input == "randomized"
        dataset = load_dataset(data, options.split, trained_randomized=randomized)
        result = evaluate(model.to(device), dataset.to(device), flip=options.flip)
    about = {"motion": kind_of_motion(data), "rig": data.rig, "commit": git_commit()}
    stem = evaluation_stem(options, data)
    write_json(stem.with_name(f"{stem.name}.json"), about | result.to_json())
    write_text(stem.with_name(f"{stem.name}.md"), result.to_markdown())
    console.print(evaluation_table(result))
    console.print(f"Written: {stem}.json and .md")


def load_weights(path: Path) -> tuple[DataConfig, LiftingNetwork]:
    """The network of a run or of VideoPose3D's checkpoint, and the data that the run was trained on."""
    if path.suffix == ".bin":
        network = load_videopose3d(path)
        if network.config.joints != "human36m17":
            raise InputError(f"{path}: puts out HumanEva's joints; only Human3.6M's can be evaluated")
        return DataConfig(), network
    config, model = load_run(path)
    return config.data, model


def evaluation_stem(options: EvaluateOptions, data: DataConfig) -> Path:
    """Where results go, less the ending: into the run's folder, or beside the checkpoint."""
    recorded = (
        (data.takes.name, *((data.detector,) if data.input == "detected" else ())) if data.takes else ()
    )
    flip = () if options.flip else ("no-flip",)
    name = "-".join(("evaluation", options.split, *recorded, data.input, *flip))
    if options.run.suffix == ".bin":
        return options.run.with_name(f"{options.run.stem}-{name}")
    return options.run / name


def evaluated_on(options: EvaluateOptions, trained: DataConfig) -> DataConfig:
    """The data that are asked for, or else those of the training."""
    places = {"motion": trained.motion, "takes": trained.takes}
    if options.motion is not None or options.takes is not None:
        places = {"motion": options.motion, "takes": options.takes}
    changes = {"input": options.input, "detector": options.detector}
    return replace(trained, **places, **{name: value for name, value in changes.items() if value}, labels=1.0)


def kind_of_motion(data: DataConfig) -> str:
    """What moves, in one word."""
    return "recorded" if data.takes else "captured" if data.motion else "procedural"


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

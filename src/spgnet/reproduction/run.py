"""Reproducing a table or figure: its configuration, the runs that it needs, and what is done with them."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import load_dataset
from spgnet.datasets.open_benchmark import is_open_benchmark
from spgnet.errors import InputError
from spgnet.files import read_json, write_json, write_text
from spgnet.models import LiftingNetwork
from spgnet.reproduction.artefacts import (
    ARTEFACTS,
    GUIDED_SUFFIX,
    MEASURED,
    Artefact,
    ArtefactName,
    Input2D,
)
from spgnet.reproduction.charts import new_figure
from spgnet.reproduction.figure_data import bone_length_data, occlusion_data
from spgnet.reproduction.figures import draw_figures
from spgnet.reproduction.gradients import GRADIENTS, log_gradients
from spgnet.reproduction.guided import GUIDED, evaluate_guided
from spgnet.reproduction.methods import METHODS, Size
from spgnet.reproduction.paired import paired_test
from spgnet.reproduction.tables import report
from spgnet.training.experiments import Experiment, RunCallback, run_experiments
from spgnet.training.processes import Accelerator, pick_device
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import git_commit, load_run, read_log

HUMAN36M_HELP = (
    "Human3.6M is needed: apply for it at http://vision.imar.ro/human3.6m (free for academic use), put the "
    "files that docs/datasets.md lists into a folder, and give that with --human36m FOLDER; or see the same "
    "on data that are free with --data open"
)


@dataclass(frozen=True)
class ReproduceConfig:
    """Reproduce a table or a figure of the paper: train or load, evaluate, compare our rows with the paper's.

    Raises:
        InputError: Human3.6M is asked for and not given, or a value is out of its range.
    """

    artefact: tyro.conf.Positional[ArtefactName]
    """Which one. Not in the paper are semi (10 % of the labels), frames (the losses by how many frames the
    network sees), forms (guidance as a loss, by construction, when lifting), why (what decides whether the
    re-projection term helps), arms (what else makes a network accurate) and search (for the arms' settings).
    """
    data: Literal["human36m", "open"] = "human36m"
    """Human3.6M as in the paper, or the open benchmark, whose figures do not compare with the paper's."""
    human36m: Path | None = None
    """Folder of Human3.6M (docs/datasets.md)."""
    motion: Path | None = None
    """Folder of the open benchmark's motion archives; without it, on generated motion."""
    out: Path = Path("runs/reproduce")
    """Folder of the results, and of the runs, which all tables and figures share."""
    seeds: int = 3
    """Runs of every method, each with another seed."""
    size: Literal["paper", "small", "quick", "full"] | None = None
    """The published networks (a GPU's work), small ones in minutes (quick, or by its former name small), or
    small ones with a budget that conclusions can be drawn from, in hours to days (full). By default paper on
    Human3.6M, and quick on open data."""
    input: Input2D | None = None
    """Run only with this 2D input; by default with all that the table or figure has."""
    report: bool = False
    """Train nothing: report on the runs that are done."""
    epochs: int | None = None
    """Epochs of every run; by default those of the recipes."""
    steps_per_epoch: int | None = None
    """Steps of every epoch; by default those of the recipes."""
    jobs: int = 1
    """Runs at once, in processes that share the cores."""
    accelerator: Accelerator = "auto"
    """The device to compute on."""

    def __post_init__(self) -> None:
        errors = [
            f"{name} must be at least 1, got {value}"
            for name in ("seeds", "epochs", "steps_per_epoch", "jobs")
            if (value := getattr(self, name)) is not None and value < 1
        ]
        if self.input is not None and self.input not in self.definition.inputs:
            errors.append(f"{self.artefact} has the 2D input {self.definition.inputs[0]} alone")
        if self.data == "human36m" and self.motion is not None:
            errors.append("motion is for --data open")
        if self.data == "open" and self.human36m is not None:
            errors.append("human36m is not for --data open")
        if errors:
            raise InputError("; ".join(errors))
        if self.data == "human36m" and self.human36m is None:
            raise InputError(HUMAN36M_HELP)

    @property
    def definition(self) -> Artefact:
        """The definition of the table or figure."""
        return ARTEFACTS[self.artefact]

    @property
    def network_size(self) -> Size:
        """The size of the networks by its name in stored results, where quick is called small."""
        if self.size is None:
            return "paper" if self.data == "human36m" else "small"
        return "small" if self.size == "quick" else self.size

    @property
    def motion_kind(self) -> str:
        """The data in one word: ``"human36m"``, ``"captured"`` or ``"generated"`` motion."""
        if self.data == "human36m":
            return "human36m"
        return "generated" if self.motion is None else "captured"

    def recipe(self, method: str, input_2d: Input2D, seed: int) -> TrainConfig:
        """The training configuration of a run."""
        base = METHODS[method].recipe(self.network_size)
        return replace(
            base,
            data=replace(
                self.data_config(input_2d),
                labels=base.data.labels,
                target=base.data.target,
                cameras=base.data.cameras,
            ),
            seed=seed,
            epochs=self.epochs or base.epochs,
            steps_per_epoch=self.steps_per_epoch or base.steps_per_epoch,
        )

    def data_config(self, input_2d: Input2D) -> DataConfig:
        """The data with one kind of 2D input."""
        if self.data == "human36m":
            return DataConfig(
                takes=self.human36m, input="detected" if input_2d == "detected" else "projected"
            )
        return DataConfig(
            motion=self.motion,
            benchmark=2 if self.network_size == "full" else 1,
            input="noisy" if input_2d == "detected" else "projected",
        )

    def experiment(self, method: str, input_2d: Input2D, seed: int) -> Experiment:
        """A run, with its folder."""
        if self.network_size == "full" and method == "spgnet-27":
            method = "spgnet"  # the same there
        folder = self.out / f"{self.motion_kind}-{self.network_size}" / input_2d / f"{method}-seed{seed}"
        name = f"{METHODS[method].name}, {input_2d} 2D, seed {seed}"
        measured = self.network_size == "full" and method in MEASURED
        return Experiment(
            name,
            self.recipe(method, input_2d, seed),
            folder,
            log_gradients if measured else None,
            evaluate_guided if method in self.definition.guided else None,
        )

    def runs(self) -> list[tuple[str, Input2D, int]]:
        """Method, 2D input and seed of every run that the table or figure needs, in their order."""
        return [
            (method, input_2d, seed)
            for seed in range(self.seeds)
            for input_2d in self.definition.inputs
            if self.input in (None, input_2d)
            for method in self.definition.methods_with(input_2d)
        ]


def reproduce(
    config: ReproduceConfig, *, on_progress: RunCallback = lambda run, entry: None
) -> tuple[str, list[Path]]:
    """Train the runs that are missing, evaluate all, and write the results.

    Args:
        config: what to reproduce, and the data.
        on_progress: called with a run's name and a line of its log, or its results.

    Returns:
        The report in Markdown, and the files that were written: the report, the results as JSON with every
        run's command, commit and seed, and the pictures of a figure.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        InputError: data are missing or broken, or a folder holds runs of another configuration.
    """
    if config.motion is not None and config.motion.is_dir() and not is_open_benchmark(config.motion):
        raise InputError(
            f"{config.motion}: not the open benchmark's archives; "
            "motion of your own can be trained on with spgnet train"
        )
    if config.definition.pictures or config.network_size == "full":
        new_figure(1.0, 1.0)  # a missing matplotlib is reported now, and not after hours of training
    runs = config.runs()
    experiments = [config.experiment(*run) for run in runs]

    def progress(run: str, entry: dict[str, Any]) -> None:
        on_progress(run, entry)
        if config.network_size == "full" and "epoch" not in entry:  # what takes days reports as it goes
            write_report(config)

    if not config.report:
        run_experiments(experiments, jobs=config.jobs, accelerator=config.accelerator, on_progress=progress)
    return write_report(config)


def write_report(config: ReproduceConfig) -> tuple[str, list[Path]]:
    """Write the report on the runs that are done; see :func:`reproduce`."""
    result = collect(config)
    if not result["runs"]:
        raise InputError(f"{config.out}: no run of {config.artefact} is done")
    stem = config.out / f"{config.artefact}-{config.motion_kind}-{config.network_size}"
    files = [stem.with_name(stem.name + ending) for ending in (".md", ".json")]
    text = report(result)
    write_text(files[0], text)
    write_json(files[1], result)
    return text, files + draw_figures(result, stem)


def collect(config: ReproduceConfig) -> dict[str, Any]:
    """The results of the runs that are done, and how many there are to be."""
    runs, done, clips = config.runs(), [], {}
    for method, input_2d, seed in runs:
        folder = config.experiment(method, input_2d, seed).run_dir
        for key, name in ((method, "evaluation.json"), (method + GUIDED_SUFFIX, GUIDED)):
            if key not in config.definition.rows or not (folder / name).exists():
                continue
            result = read_json(folder / name)
            clips.setdefault((key, input_2d), {})[seed] = result.pop("clips", {})
            done.append({"method": key, "seen": input_2d, "seed": seed, **result})
            if key == method and config.network_size == "full":
                done[-1]["curve"] = _curve(folder)
                if method in config.definition.gradients and (folder / GRADIENTS).exists():
                    done[-1]["gradients"] = read_json(folder / GRADIENTS)
    result: dict[str, Any] = {
        "artefact": config.artefact,
        "motion": config.motion_kind,
        "size": config.network_size,
        "command": shlex.join(["spgnet", *(word for word in sys.argv[1:] if word != "--report")]),
        "commit": git_commit(),
        "planned": dict(Counter(input_2d for _, input_2d, _ in runs)),
        "runs": done,
    }
    if config.network_size == "full":
        result["benchmark"] = config.data_config("exact").benchmark
        result["tests"] = list(_paired_tests(config.definition, clips))
    trained = sum(not run["method"].endswith(GUIDED_SUFFIX) for run in done)
    if config.artefact == "figure5" and trained == len(runs):
        result["bones"] = bone_length_data(_test_dataset(config), next(_models(config)))
    if config.artefact == "figure6" and trained == len(runs):
        result["hidden"] = occlusion_data(_test_dataset(config), _models(config))
    return result


def _curve(folder: Path) -> list[tuple[int, float]]:
    """Validation MPJPE by steps of training."""
    return [
        (entry["step"], round(entry["validation_mpjpe"], 2))
        for entry in read_log(folder)
        if "validation_mpjpe" in entry
    ]


def _paired_tests(
    artefact: Artefact, clips: dict[tuple[str, Input2D], dict[int, dict[str, dict[str, float]]]]
) -> Iterator[dict[str, Any]]:
    """The tests of an artefact's comparisons in both protocols, as far as there are runs."""
    for input_2d in artefact.inputs:
        for first, reference in artefact.comparisons:
            for metric in ("mpjpe", "p_mpjpe"):
                errors = [
                    {
                        seed: {clip: values[metric] for clip, values in each.items()}
                        for seed, each in clips.get((key, input_2d), {}).items()
                    }
                    for key in (first, reference)
                ]
                if (test := paired_test(*errors)) is not None:
                    about = {"method": first, "reference": reference, "seen": input_2d, "metric": metric}
                    yield about | asdict(test) | {"significant": test.significant}


def _test_dataset(config: ReproduceConfig) -> PoseDataset:
    return load_dataset(config.data_config("detected"), "test")


def _models(config: ReproduceConfig) -> Iterator[LiftingNetwork]:
    """SPGNet on detected 2D, trained with each seed."""
    device = pick_device(config.accelerator)
    for seed in range(config.seeds):
        yield load_run(config.experiment("spgnet", "detected", seed).run_dir)[1].to(device)

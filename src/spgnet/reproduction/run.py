"""Reproducing a table or figure: its configuration, the runs that it needs, and what is done with them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import load_dataset
from spgnet.datasets.open_benchmark import is_open_benchmark
from spgnet.errors import InputError
from spgnet.files import write_json, write_text
from spgnet.models import LiftingNetwork
from spgnet.reproduction.artefacts import ARTEFACTS, Artefact, ArtefactName, Input2D
from spgnet.reproduction.charts import new_figure
from spgnet.reproduction.figure_data import bone_length_data, occlusion_data
from spgnet.reproduction.figures import draw_figures
from spgnet.reproduction.methods import METHODS, Size
from spgnet.reproduction.tables import report
from spgnet.training.experiments import Experiment, RunCallback, run_experiments
from spgnet.training.loop import Accelerator, pick_device
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import git_commit, load_run

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
    """Which one; "semi" is not in the paper: training with 10 % of the labels."""
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
    size: Size | None = None
    """The published networks (a GPU's work) or small ones; by default paper on Human3.6M, small otherwise."""
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
        """The size of the networks."""
        return self.size or ("paper" if self.data == "human36m" else "small")

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
            data=replace(self.data_config(input_2d), labels=base.data.labels),
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
        return DataConfig(motion=self.motion, input="noisy" if input_2d == "detected" else "projected")

    def experiment(self, method: str, input_2d: Input2D, seed: int) -> Experiment:
        """A run, with its folder."""
        folder = self.out / f"{self.motion_kind}-{self.network_size}" / input_2d / f"{method}-seed{seed}"
        name = f"{METHODS[method].name}, {input_2d} 2D, seed {seed}"
        return Experiment(name, self.recipe(method, input_2d, seed), folder)

    def runs(self) -> list[tuple[str, Input2D, int]]:
        """Method, 2D input and seed of every run that the table or figure needs."""
        return [
            (method, input_2d, seed)
            for input_2d in self.definition.inputs
            for seed in range(self.seeds)
            for method in self.definition.methods
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
    if config.definition.pictures:
        new_figure(1.0, 1.0)  # a missing matplotlib is reported now, and not after hours of training
    runs = config.runs()
    experiments = [config.experiment(*run) for run in runs]
    results = run_experiments(
        experiments, jobs=config.jobs, accelerator=config.accelerator, on_progress=on_progress
    )
    result: dict[str, Any] = {
        "artefact": config.artefact,
        "motion": config.motion_kind,
        "size": config.network_size,
        "command": shlex.join(["spgnet", *sys.argv[1:]]),
        "commit": git_commit(),
        "runs": [
            {"method": method, "seen": input_2d, "seed": seed, **each}
            for (method, input_2d, seed), each in zip(runs, results, strict=True)
        ],
    }
    if config.artefact == "figure5":
        result["bones"] = bone_length_data(_test_dataset(config), next(_models(config)))
    if config.artefact == "figure6":
        result["hidden"] = occlusion_data(_test_dataset(config), _models(config))
    stem = config.out / f"{config.artefact}-{config.motion_kind}-{config.network_size}"
    files = [stem.with_name(stem.name + ending) for ending in (".md", ".json")]
    text = report(result)
    write_text(files[0], text)
    write_json(files[1], result)
    return text, files + draw_figures(result, stem)


def _test_dataset(config: ReproduceConfig) -> PoseDataset:
    return load_dataset(config.data_config("detected"), "test")


def _models(config: ReproduceConfig) -> Iterator[LiftingNetwork]:
    """SPGNet on detected 2D, trained with each seed."""
    device = pick_device(config.accelerator)
    for seed in range(config.seeds):
        yield load_run(config.experiment("spgnet", "detected", seed).run_dir)[1].to(device)

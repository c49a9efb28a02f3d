"""The open benchmark's comparison: SPGNet and its baselines at the same budget, several seeds each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from spgnet.data.config import DataConfig, Input
from spgnet.data.sources import load_views
from spgnet.data.takes import Split
from spgnet.data.views import Views
from spgnet.evaluation import evaluate, metric_headings
from spgnet.losses import LossWeights
from spgnet.models import MartinezConfig
from spgnet.recipes import GUIDED, RECIPES, TrainConfig
from spgnet.runs import check_resumable, load_run, read_json, write_json, write_text
from spgnet.tables import markdown_table
from spgnet.training import Report, train

_TEMPORAL = RECIPES["small-27"]
METHODS: dict[str, TrainConfig] = {
    # As many multiplications per pose as the temporal network (1.1 and 1.3 million).
    "Martinez et al.": replace(
        _TEMPORAL,
        model=MartinezConfig(channels=512, trajectory_channels=256, dropout=0.0),
        loss=LossWeights(),
    ),
    "Baseline (VideoPose3D)": replace(_TEMPORAL, loss=LossWeights()),
    "Baseline* (+ kinematic)": replace(_TEMPORAL, loss=LossWeights(kinematic=GUIDED.kinematic)),
    "SPGNet (+ re-projection)": replace(_TEMPORAL, loss=GUIDED),
}
"""What is compared, in the order of the table: the same data, samples, steps and schedule for all."""

COLUMNS = ("mpjpe", "p_mpjpe", "velocity", "trajectory", "reprojection", "bone_deviation")


@dataclass(frozen=True)
class BenchmarkConfig:
    """Train and evaluate every method on the open benchmark, and tabulate. Resumes where it stopped."""

    motion: Path | None = None
    """Folder of the open benchmark's motion archives; without it, on generated motion."""
    out: Path = Path("runs/benchmark")
    """Folder of the runs and of the results (results.json, results.md)."""
    seeds: int = 2
    """Runs of every method."""
    inputs: tuple[Input, ...] = ("projected", "noisy")
    """The 2D inputs to train and test with."""
    epochs: int = 16
    """Epochs of every run."""
    steps_per_epoch: int = 400
    """Steps of every epoch."""

    def __post_init__(self) -> None:
        for name in ("seeds", "epochs", "steps_per_epoch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


RunReport = Callable[[str, dict[str, Any]], None]


def run_benchmark(
    config: BenchmarkConfig, *, on_progress: RunReport = lambda run, entry: None
) -> dict[str, Any]:
    """Run what is not yet there, and write the results.

    Args:
        config: what to run.
        on_progress: called with a run's name and a line of its log, or its results.

    Returns:
        The results, as in ``results.json``.
    """
    results = []
    for kind in config.inputs:
        data = DataConfig(motion=config.motion, input=kind)
        views = {split: load_views(data, split) for split in ("train", "validation", "test")}
        for seed in range(config.seeds):
            for method, base in METHODS.items():
                recipe = replace(
                    base, data=data, seed=seed, epochs=config.epochs, steps_per_epoch=config.steps_per_epoch
                )
                folder = config.out / kind / f"{_slug(method)}-seed{seed}"
                name = f"{method}, {kind}, seed {seed}"
                result = train_and_evaluate(recipe, folder, views, on_epoch=partial(on_progress, name))
                results.append({"method": method, "input": kind, "seed": seed, **result})
                on_progress(name, result["evaluation"]["mean_over_actions"])
    summary = {"motion": "captured" if config.motion else "procedural", "runs": results}
    write_json(config.out / "results.json", summary)
    write_text(config.out / "results.md", results_table(results))
    return summary


def train_and_evaluate(
    recipe: TrainConfig,
    folder: Path,
    views: dict[str, Views],
    *,
    evaluate_on: Split = "test",
    on_epoch: Report = lambda entry: None,
) -> dict[str, Any]:
    """The evaluation of a run and the commit that it was trained at.

    Reads what is there, and otherwise trains, from where it stopped, and evaluates.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        ValueError: the folder holds a run of another configuration.
    """
    done = folder / "evaluation.json"
    started = (folder / "config.json").exists()
    if done.exists():
        check_resumable(folder, recipe)
        return read_json(done)
    if not train(recipe, folder, views["train"], views["validation"], resume=started, on_epoch=on_epoch):
        raise KeyboardInterrupt
    _, model = load_run(folder)
    commit = read_json(folder / "environment.json")["commit"]
    result = {"commit": commit, "evaluation": evaluate(model, views[evaluate_on]).to_json()}
    write_json(done, result)
    return result


def results_table(results: list[dict[str, Any]]) -> str:
    """A Markdown table: mean over the seeds, and half the range between them."""
    lines = []
    for kind, method in dict.fromkeys((row["input"], row["method"]) for row in results):
        rows = [row for row in results if (row["input"], row["method"]) == (kind, method)]
        scores = [row["evaluation"]["mean_over_actions"] for row in rows]
        lines.append([kind, method, *(mean_and_spread([score[c] for score in scores]) for c in COLUMNS)])
    return markdown_table(["input", "method", *metric_headings(COLUMNS)], lines, labels=2)


def mean_and_spread(values: list[float]) -> str:
    """Mean of the seeds' results, and half the range between them, as text."""
    return f"{mean(values):.1f} ± {(max(values) - min(values)) / 2:.1f}"


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())

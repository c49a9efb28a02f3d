"""SPGNet and the transformer at equal processor time, on the open benchmark, with the same losses.

    OMP_NUM_THREADS=1 python benchmarks/transformer.py MOTION    # MOTION: the folder of the motion archives

First measures what a training step of each costs on this machine, in turns so that other work on it
disturbs all alike, and gives each as many steps as the time allows. Resumes where it stopped; writes what a
step costs, the results as JSON and a table as Markdown into its output folder.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
import tyro

from spgnet.data.config import DataConfig, Input
from spgnet.data.dataset import PoseDataset
from spgnet.data.samples import WindowSampler
from spgnet.data.sources import load_dataset
from spgnet.data.training_data import TrainingData
from spgnet.datasets.takes import Split
from spgnet.evaluation import evaluate, markdown_table, metric_headings
from spgnet.files import read_json, write_json, write_text
from spgnet.models import SPGNetConfig, build_model
from spgnet.models.baselines.transformer import TransformerConfig
from spgnet.training.experiments import mean_and_spread
from spgnet.training.loop import train
from spgnet.training.losses import total, weighted_losses
from spgnet.training.processes import Machine
from spgnet.training.recipes import RECIPES, SPGNET_LOSS_WITH_DROPOUT, TrainConfig
from spgnet.training.runs import load_run, read_log

COLUMNS = ("mpjpe", "p_mpjpe", "velocity", "trajectory", "reprojection", "bone_deviation")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
FINAL_RATE = 0.04
"""The rate of the last epoch, as a share of the first one's."""


@dataclass(frozen=True)
class Comparison:
    """Train every method for the same processor time, and evaluate it on the test split."""

    motion: tyro.conf.Positional[Path]
    """Folder of the open benchmark's motion archives."""
    out: Path = Path("runs/transformer")
    """Folder of the runs and the results."""
    inputs: tuple[Input, ...] = ("projected", "noisy")
    """2D inputs."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the runs."""
    seconds: float = 100.0
    """Processor time of a run's training steps, on one core."""
    epochs: int = 12
    """Epochs of every run; the rate falls from each to the next, to a twenty-fifth in all."""
    ablation: bool = False
    """Train the transformer without attention over time, too."""


def methods(comparison: Comparison) -> dict[str, TrainConfig]:
    """What is compared: SPGNet as it is best at this size, with dropout, and the transformer."""
    base = replace(
        RECIPES["small-27"],
        model=SPGNetConfig(filter_widths=(3, 3, 3), channels=256, trajectory_channels=128, dropout=0.25),
        loss=SPGNET_LOSS_WITH_DROPOUT,
        epochs=comparison.epochs,
        decay=FINAL_RATE ** (1 / max(1, comparison.epochs - 1)),
        precision="bf16-mixed",
    )
    transformer = replace(base, model=TransformerConfig(), batch_size=64)
    found = {"SPGNet": base, "Transformer": transformer}
    if comparison.ablation:
        alone = replace(transformer, model=TransformerConfig(filter_widths=(1,)))
        found["Transformer, single frames"] = alone
    return found


def main() -> None:
    comparison = tyro.cli(Comparison, description=__doc__)
    torch.set_num_threads(1)
    comparison.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in comparison.inputs:
        data = DataConfig(motion=comparison.motion, input=kind)
        datasets: dict[Split, PoseDataset] = {split: load_dataset(data, split) for split in SPLITS}
        recipes = {name: replace(each, data=data) for name, each in methods(comparison).items()}
        costs = step_costs(recipes, datasets["train"], comparison.out / "costs.json")
        for seed in comparison.seeds:
            for name, recipe in recipes.items():
                steps = round(comparison.seconds / comparison.epochs / costs[name])
                recipe = replace(recipe, seed=seed, steps_per_epoch=steps)
                run_dir = comparison.out / f"{kind}-{name.replace(', ', '-').replace(' ', '-')}-seed{seed}"
                result = trained_and_scored(recipe, run_dir, datasets)
                rows.append({"input": kind, "method": name, "seed": seed, **result})
                score = result["test"]["mean_over_actions"]["mpjpe"]
                print(kind, name, f"seed {seed}: {score:.1f} mm, {result['seconds']:.0f} s", flush=True)
    write_json(comparison.out / "results.json", rows)
    write_text(comparison.out / "results.md", table(rows))
    print(table(rows))


def step_costs(
    recipes: dict[str, TrainConfig], dataset: PoseDataset, done: Path, rounds: int = 8
) -> dict[str, float]:
    """Processor seconds of a training step of every method, measured in turns, or as they were measured."""
    costs = read_json(done) if done.exists() else {}
    if not recipes.keys() <= costs.keys():
        steppers = {name: stepper(recipe, dataset) for name, recipe in recipes.items()}
        spent: dict[str, list[float]] = {name: [] for name in recipes}
        for _ in range(rounds):
            for name, step in steppers.items():
                spent[name].append(cost_of(step))
        costs = {name: median(each) for name, each in spent.items()}
        write_json(done, costs)
    return costs


def stepper(recipe: TrainConfig, dataset: PoseDataset):
    """A training step of a recipe, as the training loop does it."""
    model = build_model(recipe.model).train()
    adam = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    sampler = WindowSampler(dataset, frames_per_sample=recipe.frames_per_sample, context=model.context)
    size = recipe.batch_size // recipe.frames_per_sample

    def step() -> None:
        batch = sampler.draw_random(size)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            lifted = model(batch.keypoints_2d)
        lifted = type(lifted)(*(each.float() for each in lifted))
        adam.zero_grad()
        total(weighted_losses(lifted, batch, recipe.loss)).backward()
        adam.step()

    return step


def cost_of(step, steps: int = 25) -> float:
    """Mean processor seconds of some steps, after a few to warm up."""
    for _ in range(5):
        step()
    began = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - began) / steps


def trained_and_scored(
    recipe: TrainConfig, run_dir: Path, datasets: dict[Split, PoseDataset]
) -> dict[str, Any]:
    """A run's scores and the processor seconds of its steps, after training where that is not yet done."""
    done = run_dir / "scores.json"
    if done.exists():
        return read_json(done)
    resume, clock = (run_dir / "config.json").exists(), StepClock(recipe.steps_in_epoch(0))
    options = {"resume": resume, "machine": Machine("cpu"), "on_step": clock.tick}
    if not train(recipe, run_dir, TrainingData(datasets["train"]), datasets["validation"], **options):
        raise KeyboardInterrupt
    _, model = load_run(run_dir)
    log, environment = read_log(run_dir), read_json(run_dir / "environment.json")
    result = {
        "commit": environment["commit"],
        "steps": log[-1]["step"],
        "seconds": log[-1]["step"] * mean(clock.spent) if clock.spent else None,
        "validation_mpjpe": min(entry["validation_mpjpe"] for entry in log),
        "weights": sum(parameter.numel() for parameter in model.parameters()),
        "test": evaluate(model, datasets["test"]).to_json(),
    }
    write_json(done, result)
    return result


class StepClock:
    """Processor seconds from step to step; what lies between epochs is not a step's."""

    def __init__(self, steps_in_epoch: int) -> None:
        self.steps_in_epoch, self.last, self.spent = steps_in_epoch, None, []

    def tick(self, entry: dict[str, Any]) -> None:
        """After each step; called by the training loop."""
        now = time.process_time()
        if self.last is not None and (entry["step"] - 1) % self.steps_in_epoch:
            self.spent.append(now - self.last)
        self.last = now


def table(rows: list[dict[str, Any]]) -> str:
    """Mean of the seeds and half the range between them, by input and method."""
    lines = []
    for kind, method in dict.fromkeys((row["input"], row["method"]) for row in rows):
        runs = [row for row in rows if (row["input"], row["method"]) == (kind, method)]
        scores = [run["test"]["mean_over_actions"] for run in runs]
        spreads = [mean_and_spread([score[column] for score in scores]) for column in COLUMNS]
        spent = mean_and_spread([run["seconds"] for run in runs if run["seconds"]])
        lines.append([kind, method, f"{runs[0]['steps']}", spent, *spreads])
    return markdown_table(
        ["input", "method", "steps", "CPU [s]", *metric_headings(COLUMNS)], lines, text=(0, 1)
    )


if __name__ == "__main__":
    main()

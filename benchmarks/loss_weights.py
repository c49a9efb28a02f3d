"""Sweep the weights of the kinematic and the re-projection term on the open benchmark's validation split.

Resumes where it stopped; writes the results as JSON and Markdown into its output folder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from spgnet.data.config import DataConfig, Input
from spgnet.data.sources import load_dataset, load_training_data
from spgnet.evaluation import markdown_table, metric_headings
from spgnet.files import write_json, write_text
from spgnet.models import SPGNetConfig
from spgnet.training.experiments import mean_and_spread, train_and_evaluate
from spgnet.training.losses import LossWeights
from spgnet.training.recipes import RECIPES

COLUMNS = ("mpjpe", "p_mpjpe", "trajectory", "reprojection", "bone_deviation")


@dataclass(frozen=True)
class Sweep:
    """Train small-27 with every pair of weights."""

    motion: Path
    """Folder of the open benchmark's motion archives."""
    out: Path = Path("runs/loss-weights")
    """Folder of the runs and the results."""
    input: Input = "projected"
    """2D input."""
    kinematic: tuple[float, ...] = (0.0, 1.0)
    """Weights of the kinematic term."""
    reprojection: tuple[float, ...] = (0.0, 0.2, 0.5, 1.0, 2.0)
    """Weights of the re-projection term."""
    seeds: tuple[int, ...] = (0, 1)
    """Seeds of the runs."""
    epochs: int = 6
    """Epochs of 400 steps."""


def main() -> None:
    sweep = tyro.cli(Sweep, description=__doc__)
    data = DataConfig(motion=sweep.motion, input=sweep.input)
    train_data, validation_data = load_training_data(data), load_dataset(data, "validation")
    rows = []
    for kinematic in sweep.kinematic:
        for reprojection in sweep.reprojection:
            for seed in sweep.seeds:
                recipe = replace(
                    RECIPES["small-27"],
                    model=SPGNetConfig((3, 3, 3), channels=256, trajectory_channels=128, dropout=0.0),
                    data=data,
                    loss=LossWeights(kinematic=kinematic, reprojection=reprojection),
                    epochs=sweep.epochs,
                    decay=0.65,
                    seed=seed,
                )
                name = f"{sweep.input}-kinematic{kinematic:g}-reprojection{reprojection:g}-seed{seed}"
                result = train_and_evaluate(
                    recipe,
                    sweep.out / name,
                    lambda: (train_data, validation_data),
                    lambda: validation_data,
                )
                score = result["evaluation"]["mean_over_frames"]
                rows.append({"weights": (kinematic, reprojection), "seed": seed, "score": score})
                print(rows[-1]["weights"], f"seed {seed}: {score['mpjpe']:.1f} mm", flush=True)
    write_json(sweep.out / f"{sweep.input}.json", rows)
    write_text(sweep.out / f"{sweep.input}.md", table(rows))
    print(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for weights in dict.fromkeys(row["weights"] for row in rows):
        scores = [row["score"] for row in rows if row["weights"] == weights]
        spreads = [mean_and_spread([score[column] for score in scores]) for column in COLUMNS]
        lines.append([*(f"{weight:g}" for weight in weights), *spreads])
    return markdown_table(["kinematic", "re-projection", *metric_headings(COLUMNS)], lines, text=())


if __name__ == "__main__":
    main()

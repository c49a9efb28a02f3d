"""What each part of the wild recipe is worth: short runs without it, on people that nobody trained on.

Validated on captured motion (CMU's modern dance, held out) and on generated motion of another seed (sitting,
squatting, bending, lying), both with the full recipe's random cameras, detector noise and gaps:

    python benchmarks/wild_ablation.py MOTION        # MOTION: the folder of the motion archives

Resumes where it stopped; writes the results as JSON and Markdown into its output folder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from spgnet.benchmark import mean_and_spread
from spgnet.data.open_benchmark import FPS, load_training_data, load_views, procedural_clips
from spgnet.data.wild import wild_views
from spgnet.data.wildness import Wildness
from spgnet.evaluation import evaluate, metric_headings
from spgnet.recipes import RECIPES, TrainConfig
from spgnet.runs import git_commit, load_run, read_json, write_json, write_text
from spgnet.tables import markdown_table
from spgnet.training import train

COLUMNS = ("mpjpe", "p_mpjpe", "trajectory", "bone_deviation")
EXACT = {"noise": (0.0, 0.0), "bias": 0.0}
ONE_CAMERA = {
    "distance": (4.0, 4.0),
    "height": (1.5, 1.5),
    "focal": (1.0, 1.0),
    "roll": 0.0,
    "truncated": 0.0,
}


@dataclass(frozen=True)
class Ablation:
    """Train shortened wild recipes."""

    motion: tyro.conf.Positional[Path]
    """Folder of the open benchmark's motion archives."""
    out: Path = Path("runs/wild-ablation")
    """Folder of the runs and the results."""
    seeds: tuple[int, ...] = (0, 1)
    """Seeds of the runs."""
    epochs: int = 5
    """Epochs of every run; the rate falls by 0.55 from each to the next."""
    steps: int = 600
    """Steps of every epoch."""


def main() -> None:
    ablation = tyro.cli(Ablation, description=__doc__)
    base = RECIPES["wild"]
    base = replace(
        base,
        data=replace(base.data, motion=ablation.motion),
        epochs=ablation.epochs,
        steps_per_epoch=ablation.steps,
        decay=0.55,
    )
    captured = load_views(base.data, "validation")
    views = {"captured": captured, "generated": wild_views(procedural_clips(28, seed=2, fps=FPS), seed=0)}
    rows = []
    for seed in ablation.seeds:
        for name, recipe in variants(base).items():
            folder = ablation.out / f"{name.replace(' ', '-')}-seed{seed}"
            scores = trained_and_scored(replace(recipe, seed=seed), folder, views)
            rows.append({"variant": name, "seed": seed, **scores})
            print(name, seed, {k: round(v["mpjpe"], 1) for k, v in scores["scores"].items()}, flush=True)
    write_json(ablation.out / "results.json", rows)
    write_text(ablation.out / "results.md", table(rows))
    print(table(rows))


def variants(base: TrainConfig) -> dict[str, TrainConfig]:
    """The recipe, and the recipe less one part each."""

    def wild(**changes: Any) -> TrainConfig:
        return replace(base, data=replace(base.data, wildness=replace(Wildness(), **changes)))

    return {
        "everything": base,
        "no re-projection term": replace(base, loss=replace(base.loss, reprojection=0.0)),
        "no kinematic term": replace(base, loss=replace(base.loss, kinematic=0.0)),
        "no detector noise": wild(**EXACT),
        "no detector joints": wild(offset=0.0),
        "one camera": wild(**ONE_CAMERA),
        "no generated motion": replace(base, data=replace(base.data, generated=0)),
    }


def trained_and_scored(recipe: TrainConfig, folder: Path, views: dict[str, Any]) -> dict[str, Any]:
    """The scores of a run's best weights, after training it where that is not yet done."""
    done = folder / "scores.json"
    if done.exists():
        return read_json(done)
    resume = (folder / "config.json").exists()
    if not train(recipe, folder, load_training_data(recipe.data), views["captured"], resume=resume):
        raise KeyboardInterrupt
    _, model = load_run(folder)
    scores = {name: evaluate(model, each).mean_over_frames for name, each in views.items()}
    result = {"commit": git_commit(), "scores": scores}
    write_json(done, result)
    return result


def table(rows: list[dict[str, Any]]) -> str:
    """Mean over the seeds and half their range, for both kinds of motion."""
    lines = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        for kind in ("captured", "generated"):
            scores = [row["scores"][kind] for row in rows if row["variant"] == variant]
            lines.append([variant, kind, *(mean_and_spread([s[c] for s in scores]) for c in COLUMNS)])
    return markdown_table(["without", "motion", *metric_headings(COLUMNS)], lines, labels=2)


if __name__ == "__main__":
    main()

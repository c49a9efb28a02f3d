"""What each part of the randomized recipe is worth: short runs without it, and with other networks.

The recipe is that of the first generation of weights or today's. The first is validated on captured motion
(CMU's modern dance, held out) and on generated motion of another seed, both with the full recipe's random
cameras, detector noise and gaps; today's on simulated video of people who are held out, all kinds of movement
alike:

    python benchmarks/randomization_ablation.py MOTION        # MOTION: the folder of the motion archives
    python benchmarks/randomization_ablation.py MOTION --recipe now --out runs/randomization-ablation-now

Resumes where it stopped; writes the results as JSON and Markdown into its output folder.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from spgnet.data.config import DataConfig
from spgnet.data.samples import randomized_dataset
from spgnet.data.sources import FPS, load_clips, load_training_data, load_validation
from spgnet.evaluation import evaluate, markdown_table, metric_headings
from spgnet.files import read_json, write_json, write_text
from spgnet.models import LiftingNetwork
from spgnet.models.network import lift_sequence
from spgnet.synthetic.domain_randomization import DomainRandomization
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training.experiments import mean_and_spread
from spgnet.training.loop import train
from spgnet.training.recipes import RECIPES, TrainConfig
from spgnet.training.runs import git_commit, load_run

SEQUENCES = 120
"""Of 100 frames each, for both kinds of motion."""
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
    """Train shortened randomized recipes."""

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    recipe: Literal["first generation", "now"] = "first generation"
    """Whose parts."""
    out: Path = Path("runs/randomization-ablation")
    """Folder of the runs and the results."""
    seeds: tuple[int, ...] = (0, 1)
    """Seeds of the runs."""
    only: tuple[str, ...] = ()
    """Names of the variants to run; by default all."""
    epochs: int = 3
    """Epochs of every run; the rate falls to a third from each to the next."""
    steps: int = 600
    """Steps of every epoch."""


def main() -> None:
    ablation = tyro.cli(Ablation, description=__doc__)
    now = ablation.recipe == "now"
    base = RECIPES["randomized"] if now else first_generation()
    base = replace(
        base,
        data=replace(base.data, motion=ablation.motion),
        epochs=ablation.epochs,
        steps_per_epoch=ablation.steps,
        decay=1 / 3,
        weight_average=0.99 if now else None,  # over as large a part of so short a run
    )
    if now:
        validation = load_validation(base.data)
        assert validation is not None
        datasets = {"held out": validation}
    else:
        dancer = [clip.resampled(FPS) for clip in load_clips(base.data, "validation")]
        motion = {"captured": dancer, "generated": procedural_clips(32, seed=2, fps=FPS)}
        datasets = {
            name: randomized_dataset(clips, seed=0, count=SEQUENCES) for name, clips in motion.items()
        }
    chosen = variants_now if now else variants
    rows = []
    for seed in ablation.seeds:
        for name, recipe in chosen(base).items():
            if ablation.only and name not in ablation.only:
                continue
            run_dir = ablation.out / f"{name.replace(' ', '-')}-seed{seed}"
            scores = trained_and_scored(replace(recipe, seed=seed), run_dir, datasets)
            rows.append({"variant": name, "seed": seed, **scores})
            print(name, seed, {k: round(v["mpjpe"], 1) for k, v in scores["scores"].items()}, flush=True)
    write_json(ablation.out / "results.json", rows)
    write_text(ablation.out / "results.md", table(rows))
    print(table(rows))


def first_generation() -> TrainConfig:
    """The recipe as it was when these runs were recorded."""
    recipe = RECIPES["randomized"]
    return replace(
        recipe,
        model=replace(recipe.model, channels=256),
        data=DataConfig(input="randomized"),
        epochs=18,
        cooldown=0,
        steps_per_epoch=4000,
        batch_size=128,
        decay=0.83,
        weight_average=None,
        steps_per_draw=1,
    )


def variants(base: TrainConfig) -> dict[str, TrainConfig]:
    """The recipe; the recipe less one part each; and with other networks."""

    def randomized(**changes: Any) -> TrainConfig:
        return replace(base, data=replace(base.data, randomization=replace(DomainRandomization(), **changes)))

    return {
        "everything": base,
        "no re-projection term": replace(base, loss=replace(base.loss, reprojection=0.0)),
        "no kinematic term": replace(base, loss=replace(base.loss, kinematic=0.0)),
        "no detector noise": randomized(**EXACT),
        "no detector joints": randomized(offset=0.0),
        "one camera": randomized(**ONE_CAMERA),
        "no generated motion": replace(base, data=replace(base.data, generated=0)),
        "J = 9": replace(base, model=replace(base.model, filter_widths=(3, 3))),
        "J = 81": replace(base, model=replace(base.model, filter_widths=(3, 3, 3, 3))),
        "128 channels": replace(base, model=replace(base.model, channels=128)),
        "512 channels": replace(base, model=replace(base.model, channels=512)),
    }


def variants_now(base: TrainConfig) -> dict[str, TrainConfig]:
    """Today's recipe; the recipe less one of the parts that were added to it; and with other networks."""
    before = DomainRandomization()

    def randomized(*names: str) -> TrainConfig:
        changes = {name: getattr(before, name) for name in names}
        data = replace(base.data, randomization=replace(base.data.randomization, **changes))
        return replace(base, data=data)

    return {
        "everything": base,
        "drawn by frame, from the first generation's motion": replace(
            base, data=replace(base.data, by_movement=False)
        ),
        "hips do not widen": randomized("hip_widening", "hip_offset"),
        "cameras nearly level": randomized("tilted", "rolled", "tipped"),
        "first generation's bodies": randomized("stature", "bone_spread", "proportions", "children", "heavy"),
        "no strays, no far side": randomized("strays", "far_noise", "swaps"),
        "first generation's keypoint sets": randomized(
            "coco", "midpoint_joints", "missing_head_top", "head_offset"
        ),
        "no average of weights": replace(base, weight_average=None),
        # Steps as long as those of the recipe:
        "100 samples of 2 frames": replace(base, frames_per_sample=2, batch_size=200),
        "36 samples of 8 frames": replace(base, frames_per_sample=8, batch_size=36 * 8),
        "28 samples of 16 frames, dense": replace(base, frames_per_sample=16, batch_size=28 * 16, dense=True),
        "256 channels": replace(base, model=replace(base.model, channels=256)),
        "J = 81": replace(base, model=replace(base.model, filter_widths=(3, 3, 3, 3))),
    }


def trained_and_scored(recipe: TrainConfig, run_dir: Path, datasets: dict[str, Any]) -> dict[str, Any]:
    """The scores of a run's best weights, after training it where that is not yet done."""
    done = run_dir / "scores.json"
    if done.exists():
        return read_json(done)
    resume = (run_dir / "config.json").exists()
    if not train(
        recipe, run_dir, load_training_data(recipe.data), next(iter(datasets.values())), resume=resume
    ):
        raise KeyboardInterrupt
    _, model = load_run(run_dir)
    scores = {name: evaluate(model, each).mean_over_frames for name, each in datasets.items()}
    result = {"commit": git_commit(), "scores": scores, "microseconds": microseconds(model)}
    write_json(done, result)
    return result


def microseconds(model: LiftingNetwork, frames: int = 2000) -> float:
    """Processor time that lifting a frame of a sequence takes on one core, both ways round."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rays = torch.rand(frames, 17, model.input_channels)
    spent = []
    for _ in range(5):
        began = time.process_time()
        lift_sequence(model, rays)
        spent.append(time.process_time() - began)
    torch.set_num_threads(threads)
    return 1e6 * min(spent) / frames


def table(rows: list[dict[str, Any]]) -> str:
    """Mean over the seeds and half their range, for both kinds of motion, and the least time."""
    lines = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        runs = [row for row in rows if row["variant"] == variant]
        for kind in runs[0]["scores"]:
            spreads = [mean_and_spread([run["scores"][kind][column] for run in runs]) for column in COLUMNS]
            lines.append([variant, kind, *spreads, f"{min(run['microseconds'] for run in runs):.0f}"])
    headings = [*metric_headings(COLUMNS), "CPU [µs/frame]"]
    return markdown_table(["recipe", "motion", *headings], lines, text=(0, 1))


if __name__ == "__main__":
    main()

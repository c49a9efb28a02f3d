"""What do wrong keypoints cost, with and without looking for them before lifting?

    python benchmarks/outliers.py REAL/opencap_walk.npz CASES

The clip has marker-based truth (see ``real_video.py``), and the cases ``walk_outliers_*.npz`` are the same
clip with outliers. ``lr_swap.npz`` is the clip with left and right exchanged in bursts, and is compared with
the lift of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import real_video
import tyro

from spgnet.evaluation import markdown_table
from spgnet.keypoints import load_keypoints
from spgnet.lifting import Lifter, Motion


@dataclass(frozen=True)
class Options:
    """What to measure."""

    clip: tyro.conf.Positional[Path]
    """The clip without faults."""
    cases: tyro.conf.Positional[Path]
    """Folder of the files with wrong keypoints."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""


def main(options: Options) -> None:
    lifter = Lifter.from_pretrained(options.weights)
    clean = lifter.lift(load_keypoints(options.clip)[0])
    truth = real_video.true_joints(np.load(options.clip, allow_pickle=False))
    lines = []
    for path in (options.clip, *sorted(options.cases.glob("walk_outliers_*.npz"))):
        motions = lifted(lifter, path)
        lines.append([f"{path.stem}: P-MPJPE [mm]", *(f"{error(each, truth):.1f}" for each in motions)])
        lines[-1].append(rejected(motions[1]))
    motions = lifted(lifter, options.cases / "lr_swap.npz")
    off = [1000 * np.linalg.norm(relative(each) - relative(clean), axis=-1).mean(axis=1) for each in motions]
    swapped = off[0] > 50
    lines.append(["lr_swap: off where swapped [mm]", *(f"{o[swapped].mean():.1f}" for o in off)])
    lines[-1].append(rejected(motions[1]))
    print(markdown_table(["case", "as detected", "checked", "rejected [%]"], lines, text=(0,)))


def lifted(lifter: Lifter, path: Path) -> tuple[Motion, Motion]:
    """The motion of a file without looking for wrong keypoints, and with it."""
    (keypoints,) = load_keypoints(path)
    nothing = np.zeros((len(keypoints), 17), dtype=bool)
    with (
        patch("spgnet.lifting.inputs.find_outliers", return_value=nothing),
        patch("spgnet.lifting.inputs.find_exchanged", return_value=nothing),
    ):
        unchecked = lifter.lift(keypoints)
    return unchecked, lifter.lift(keypoints)


def error(motion: Motion, truth: np.ndarray) -> float | None:
    return real_video.scores(motion.joints[:, real_video.OURS].astype(np.float64), truth, placed=True)[0]


def relative(motion: Motion) -> np.ndarray:
    return motion.joints - motion.joints[:, :1]


def rejected(motion: Motion) -> str:
    return "–" if motion.rejected is None else f"{100 * motion.rejected.mean():.1f}"


if __name__ == "__main__":
    main(tyro.cli(Options))

"""Fit the standard deviations of refinement's terms to simulated video of held-out motion.

Usage: ``python scripts/fit_refinement.py MOTION``, where MOTION is the folder of the motion archives. Prints
what can be measured directly (the error of people's scale, and the height and speed of ankles in stance), and
then the result of a search: one value after another is multiplied or divided by a factor for as long as that
lowers P-MPJPE + MPJPE / 4. Last, what the result is worth on other videos; if it is not better there, it fits
the random numbers alone. Round the result, and put it into ``spgnet.lifting.guidance.Deviations``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # the videos and the score are theirs

from refinement import score
from simulated_video import simulated_videos

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting import Lifter, Motion, refine
from spgnet.lifting.floor import observe, runs, stances
from spgnet.lifting.guidance import ANKLES, Deviations

FACTORS = (2.0, 1.5, 1.25)
GROUPS = {
    "hips": ("pelvis", "hip"),
    "legs": ("knee", "ankle"),
    "arms": ("shoulder", "elbow", "wrist"),
    "head": ("thorax", "nose", "head_top"),
}
"""Joints whose detections are scaled together."""
PAIRS = {"direction": ("across", "along"), "root": ("across", "along"), "acceleration": ("root", "bones")}
Change = Callable[[Deviations, float], Deviations]


@dataclass(frozen=True)
class Options:
    """What to fit to."""

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    count: int = 40
    """Number of videos."""
    seed: int = 5
    """Seed of the videos."""
    other_seeds: tuple[int, ...] = (1, 2)
    """Seeds of other videos, on which the result is compared with the present values."""


def main(options: Options) -> None:
    lifter = Lifter.from_pretrained(options.weights)
    videos = lifted(lifter, options, options.seed)
    print_statistics(videos)
    sizes = Deviations()
    best = loss(videos, sizes)
    print(f"loss at the present values: {best:.2f}")
    for factor in FACTORS:
        for name, change in CHANGES.items():
            sizes, best = descend(videos, sizes, best, change, factor)
            print(f"factor {factor}, {name}: {best:.2f} with {sizes}", flush=True)
    for seed in options.other_seeds:
        others = lifted(lifter, options, seed)
        before, after = (loss(others, each) for each in (Deviations(), sizes))
        print(f"videos of seed {seed}: {before:.2f} at the present values, {after:.2f} at these")


def lifted(lifter: Lifter, options: Options, seed: int) -> list[tuple[Motion, np.ndarray]]:
    """The motions of simulated videos by the network, and their true joints."""
    videos = simulated_videos(options.motion, options.count, seed=seed)
    return [
        (lifter.lift(video.keypoints, camera=replace(video.camera, extrinsics="arbitrary")), video.joints)
        for video in videos
    ]


def print_statistics(videos: Sequence[tuple[Motion, np.ndarray]]) -> None:
    """What the scale and the ankles in stance are like, which needs no search."""
    scale = [np.log(motion.joints[:, 0, 2] / joints[:, 0, 2]).mean() for motion, joints in videos]
    print(f"logarithm of a person's scale, standard deviation: {np.std(scale):.3f}")
    heights, speeds = [], []
    for motion, joints in videos:
        true = replace(motion, joints=joints.astype(np.float32), confidence=np.ones_like(motion.confidence))
        up = true.camera.rotation.double().numpy()[:, 2]
        in_stance = stances(observe(true), up)
        periods = [joints[run, ANKLES[side]] for side in range(2) for run in runs(in_stance[:, side])]
        speeds += [np.linalg.norm(np.diff(period, axis=0), axis=-1) * motion.fps for period in periods]
        levels = np.array([np.median(period @ up) for period in periods])
        heights.append(levels - np.median(levels) if len(levels) > 2 else [])
    spread = 1.4826 * np.median(np.abs(np.concatenate(heights)))
    print(f"height of periods of stance about their median, robust standard deviation: {spread:.4f} m")
    print(f"speed of ankles in stance, median: {np.median(np.concatenate(speeds)):.3f} m/s")


def descend(
    videos: Sequence[tuple[Motion, np.ndarray]], sizes: Deviations, best: float, change: Change, factor: float
) -> tuple[Deviations, float]:
    """Change one value by a factor, up or down, for as long as the loss falls; and the loss then."""
    for each in (factor, 1 / factor):
        while (found := loss(videos, change(sizes, each))) < best - 0.01:
            sizes, best = change(sizes, each), found
    return sizes, best


def loss(videos: Sequence[tuple[Motion, np.ndarray]], sizes: Deviations) -> float:
    """P-MPJPE + MPJPE / 4 in mm, the mean over the videos."""
    scores = [score(refine([motion], sizes=sizes)[0].joints, joints) for motion, joints in videos]
    return float(np.mean(scores, axis=0) @ [1, 0.25])


def _detection(kinds: Sequence[str]) -> Change:
    def change(sizes: Deviations, factor: float) -> Deviations:
        scaled = [
            value * factor if kind in kinds else value
            for value, kind in zip(sizes.detection, HUMAN36M.joint_types, strict=True)
        ]
        return replace(sizes, detection=tuple(scaled))

    return change


def _part(name: str, part: int) -> Change:
    def change(sizes: Deviations, factor: float) -> Deviations:
        values = list(getattr(sizes, name))
        values[part] *= factor
        return replace(sizes, **{name: tuple(values)})

    return change


CHANGES: dict[str, Change] = {
    **{name: _detection(kinds) for name, kinds in GROUPS.items()},
    **{f"{name} {part}": _part(name, i) for name, parts in PAIRS.items() for i, part in enumerate(parts)},
    **{
        name: lambda sizes, factor, name=name: replace(sizes, **{name: getattr(sizes, name) * factor})
        for name in ("length", "detection_robust")
    },
}
"""The values that are searched, by their names: how to multiply each by a factor."""


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

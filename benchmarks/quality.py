"""How often is a good motion flagged, and how often a fault found? Figures and faults on simulated video.

Motion capture is filmed as in ``simulated_video.py`` and lifted, as it is and with faults made on purpose.
The limits in ``lifting/assessment.py`` are to be read off the first table:

    python benchmarks/quality.py ARCHIVE...               # such as bandai.npz hdm05_cuts.npz cmu_jump.npz
    python benchmarks/quality.py ARCHIVE... --clips 50 --no-refine
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from simulated_video import film

from spgnet import Keypoints, Lifter, lift
from spgnet.datasets.archive import load_motion_archive
from spgnet.evaluation import markdown_table
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.quality import Quality

FIGURES = ("reprojection", "worst_reprojection", "rejected", "proportions", "trunk_twist")
PERCENTILES = (50, 95, 99, 100)
SIDES, PARTS = ("left", "right"), ("hip", "knee", "ankle")
LEGS = [HUMAN36M.names.index(f"{side}_{part}") for side in SIDES for part in PARTS]
TWINS = [HUMAN36M.mirror[joint] for joint in LEGS]


@dataclass(frozen=True)
class Options:
    """What to measure."""

    archives: tyro.conf.Positional[tuple[Path, ...]]
    """Motion archives."""
    clips: int = 30
    """Clips drawn from each archive."""
    refine: bool = True
    """Refine the motions, as lifting does by default."""
    seed: int = 0
    """Of clips, cameras and the detector's errors."""


def main(options: Options) -> None:
    lifter, rng = Lifter.from_pretrained(), np.random.default_rng(options.seed)
    found: dict[str, list[Quality]] = {}
    for path in options.archives:
        clips = [clip for clip in load_motion_archive(path) if len(clip) >= clip.fps]
        for index in rng.permutation(len(clips))[: options.clips]:
            good = film(clips[index], rng).keypoints
            for name, change in {path.stem: lambda same: same, **FAULTS}.items():
                (motion,) = lift(change(good), weights=lifter, refine=options.refine, force=True)
                assert motion.quality is not None
                found.setdefault(name, []).append(motion.quality)
    good = [quality for name, those in found.items() if name not in FAULTS for quality in those]
    rows = [[name, *percentiles(good, name)] for name in FIGURES]
    print(markdown_table(["good motion", *(f"{p} %" for p in PERCENTILES)], rows, text=(0,)), end="\n\n")
    lines = [[name, str(len(those)), flagged(those)] for name, those in found.items()]
    print(markdown_table(["clips", "number", "flagged as"], lines, text=(0, 2)))


def legs_exchanged(keypoints: Keypoints) -> Keypoints:
    points = keypoints.points.copy()
    points[:, LEGS] = keypoints.points[:, TWINS]
    return replace(keypoints, points=points)


FAULTS: dict[str, Callable[[Keypoints], Keypoints]] = {
    "turned by 90": lambda good: good.rotated(90),
    "turned by 180": lambda good: good.rotated(180),
    "legs exchanged": legs_exchanged,
    "read as coco17": lambda good: replace(good, keypoint_set="coco17"),
}
"""What is done to good keypoints."""


def percentiles(qualities: list[Quality], name: str) -> list[str]:
    values = [value for quality in qualities if (value := getattr(quality, name)) is not None]
    return [f"{value:.3f}" for value in np.percentile(values, PERCENTILES)] if values else ["–"] * 4


def flagged(qualities: list[Quality]) -> str:
    counts = Counter(fault for quality in qualities for fault in quality.faults)
    shares = [f"{fault} {100 * count / len(qualities):.0f} %" for fault, count in counts.most_common()]
    return ", ".join(shares) or "nothing"


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

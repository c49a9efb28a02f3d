"""How often is a good motion flagged, and how often a fault found? Figures and faults on simulated video.

Motion capture is filmed by random cameras through the package's simulated detector and lifted, as it is and
with faults made on purpose. The limits in ``lifting/assessment.py`` are to be read off the first table:

    python benchmarks/quality.py ARCHIVE...               # such as bandai.npz hdm05_cuts.npz cmu_jump.npz
    python benchmarks/quality.py ARCHIVE... --clips 50 --no-refine
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from spgnet import Keypoints, Lifter, lift
from spgnet.datasets.archive import load_motion_archive
from spgnet.evaluation import markdown_table
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.quality import Quality
from spgnet.synthetic.detector_noise import DetectorNoise, simulate_detections

SIZE, FOCAL, FPS, SECONDS = (720, 1280), 1150.0, 30.0, 3.0
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
    lifter, generator = Lifter.from_pretrained(), torch.Generator().manual_seed(options.seed)
    found: dict[str, list[Quality]] = {}
    for path in options.archives:
        clips = [clip for clip in load_motion_archive(path) if len(clip) >= clip.fps]
        for index in torch.randperm(len(clips), generator=generator)[: options.clips].tolist():
            good = filmed(clips[index], generator)
            for name, change in {path.stem: lambda same: same, **FAULTS}.items():
                (motion,) = lift(change(good), weights=lifter, refine=options.refine, force=True)
                assert motion.quality is not None
                found.setdefault(name, []).append(motion.quality)
    good = [quality for name, those in found.items() if name not in FAULTS for quality in those]
    rows = [[name, *percentiles(good, name)] for name in FIGURES]
    print(markdown_table(["good motion", *(f"{p} %" for p in PERCENTILES)], rows, text=(0,)), end="\n\n")
    lines = [[name, str(len(those)), flagged(those)] for name, those in found.items()]
    print(markdown_table(["clips", "number", "flagged as"], lines, text=(0, 2)))


def filmed(clip: MotionClip, generator: torch.Generator) -> Keypoints:
    """Keypoints of Human3.6M's joints of a part of the clip, filmed from somewhere around it."""
    clip = clip.resampled(FPS)
    frames = round(SECONDS * FPS)
    start = int(torch.randint(max(1, len(clip) - frames), (), generator=generator))
    world = clip.joints[start : start + frames].float()
    angle, height, distance = torch.rand(3, generator=generator).tolist()
    middle = world.mean(dim=(0, 1))
    far = max(3.0 + 4.0 * distance, float((world.amax((0, 1)) - world.amin((0, 1))).norm()) * FOCAL / SIZE[0])
    around = torch.tensor([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle), 0.0], dtype=torch.float32)
    position = middle + far * around
    position[2] = 0.3 + 2.2 * height
    camera = opencv_camera(
        [[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]],
        None,
        SIZE,
        rotation=look_at(position, middle),
        position=position,
    )
    exact = camera.world_to_image(world)
    pixels = simulate_detections(exact[None], DetectorNoise(), fps=FPS, generator=generator)[0].numpy()
    points = np.concatenate((pixels, np.full((*pixels.shape[:2], 1), 0.9)), axis=-1)
    return Keypoints(points, "human36m17", np.arange(len(points)) / FPS, SIZE)


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

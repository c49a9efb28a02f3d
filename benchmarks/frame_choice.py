"""How many frames must the detector look at? What ``--detect-every auto`` costs in accuracy.

Simulated video of held-out people (``simulated_video.py``) and of fast motion (jumps, dance, martial arts,
sports) is lifted from the keypoints of every frame, of every n-th, and of those that
``spgnet.detection.frame_choice`` chooses. Printed are P-MPJPE, and the share of the frames looked at:

    python benchmarks/frame_choice.py MOTION        # MOTION: the folder of the motion archives
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from simulated_video import SimulatedVideo, film, simulated_videos

from spgnet import metrics
from spgnet.datasets.archive import load_motion_archive
from spgnet.detection import TrackedPerson
from spgnet.detection.frame_choice import AsMotionNeeds, DetectEvery, EveryNth, MotionNeed
from spgnet.evaluation import markdown_table
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints
from spgnet.lifting import Lifter, refine

FAST = ("cmu_jump.npz", "cmu_dance_martial.npz", "cmu_sports.npz")
LIMB_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
LIMBS = [j for j, kind in enumerate(HUMAN36M.joint_types) if kind in LIMB_JOINTS]


@dataclass(frozen=True)
class Options:
    """What to measure."""

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    count: int = 24
    """Number of videos of each kind."""
    fps: tuple[float, ...] = (30.0, 60.0)
    """Frame rates."""
    every: tuple[int, ...] = (2, 3, 4, 6)
    """Fixed steps to compare with."""
    error: tuple[float, ...] = (MotionNeed.error,)
    """Values of ``MotionNeed.error``."""
    noise: float = MotionNeed.noise
    """``MotionNeed.noise``."""
    longest: tuple[float, ...] = (MotionNeed.longest,)
    """Values of ``MotionNeed.longest``, in seconds."""
    refined: bool = True
    """Also refine."""
    seed: int = 0


def main(options: Options) -> None:
    lifter = Lifter.from_pretrained()
    ways: list[tuple[str, DetectEvery, MotionNeed | None]] = []
    ways += [(f"every {step}", step, None) for step in (1, *options.every)]
    for error in options.error:
        for longest in options.longest:
            need = MotionNeed(error=error, noise=options.noise, longest=longest)
            ways.append((f"auto, error {error:g}, {longest:g} s", "auto", need))
    rows = []
    for fps in options.fps:
        for name, videos in (("held out", held_out), ("fast", fast)):
            clips = list(videos(options, fps))
            reference = None
            for label, every, need in ways:
                share, errors = measure(clips, lifter, every, need, options.refined)
                reference = errors if reference is None else reference
                change = 100 * (errors.mean(axis=0) / reference.mean(axis=0) - 1)
                typical = 100 * np.median(errors / reference - 1, axis=0)
                values = [
                    f"{value:.1f} ({more:+.1f} %, median {median:+.1f} %)"
                    for value, more, median in zip(errors.mean(axis=0), change, typical, strict=True)
                ]
                rows.append([f"{name}, {fps:g} frames/s", label, f"{100 * share:.0f}", *values])
                print(*rows[-1], sep="; ", file=sys.stderr, flush=True)
    methods = ["network", "refined"][: 1 + options.refined]
    headings = ["video", "detected", "frames [%]", *(f"P-MPJPE, {method} [mm]" for method in methods)]
    print(markdown_table(headings, rows, text=(0, 1)))


def held_out(options: Options, fps: float) -> Iterator[SimulatedVideo]:
    return simulated_videos(options.motion, options.count, seed=options.seed, fps=fps)


def fast(options: Options, fps: float) -> Iterator[SimulatedVideo]:
    """Pieces of fast motion, as many from each archive as from the others."""
    rng = np.random.default_rng(options.seed)
    archives = [
        [clip for clip in load_motion_archive(options.motion / name) if len(clip) >= 100] for name in FAST
    ]
    for number in range(options.count):
        clips = archives[number % len(archives)]
        yield film(clips[rng.integers(len(clips))], rng, fps=fps)


def measure(
    clips: Sequence[SimulatedVideo],
    lifter: Lifter,
    every: DetectEvery,
    need: MotionNeed | None,
    refined: bool,
) -> tuple[float, np.ndarray]:
    """The share of the frames that are looked at, and each clip's P-MPJPE in mm, as lifted and refined."""
    looked, frames, errors = 0, 0, []
    for clip in clips:
        chosen = choose(clip.keypoints, every, need)
        looked, frames = looked + len(chosen), frames + len(clip.keypoints)
        motion = lifter.lift(detected(clip.keypoints, chosen, every), camera=clip.camera)
        motions = [motion, *(refine([motion]) if refined else [])]
        true = torch.from_numpy(clip.joints[:, LIMBS]).double()
        lifted = (torch.from_numpy(each.joints[:, LIMBS]).double() for each in motions)
        errors.append([metrics.p_mpjpe(each, true).mean() for each in lifted])
    return looked / frames, np.array(errors)


def choose(keypoints: Keypoints, every: DetectEvery, need: MotionNeed | None) -> list[int]:
    """The frames that are looked at."""
    choice = AsMotionNeeds(need) if every == "auto" else EveryNth(every)
    chosen = []
    for index, time in enumerate(keypoints.timestamps.tolist()):
        if choice.is_due(time):
            chosen.append(index)
            choice.add([TrackedPerson(1, 1, keypoints.points[index])], time)
    if every == "auto" and chosen[-1] != len(keypoints) - 1:
        chosen.append(len(keypoints) - 1)
    return chosen


def detected(keypoints: Keypoints, chosen: list[int], every: DetectEvery) -> Keypoints:
    """The keypoints of the chosen frames."""
    skipped = np.ones(len(keypoints), dtype=bool)
    skipped[chosen] = False
    points = np.where(skipped[:, None, None], 0, keypoints.points)
    return replace(keypoints, points=points, skipped=skipped if every == "auto" else None)


if __name__ == "__main__":
    main(tyro.cli(Options))

"""Is the uncertainty of joint angles right? On simulated video of held-out motion and of captured feet.

Prints how many errors of each angle are within one and two of the stated standard deviations:

    python benchmarks/angle_uncertainty.py MOTION CAPTURES    # folders of refinement.py, feet.py
    python benchmarks/angle_uncertainty.py MOTION CAPTURES --fit    # the factors of the calibration as well
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import feet
import numpy as np
import torch
import tyro
from simulated_video import simulated_videos

import spgnet
from spgnet.evaluation import markdown_table
from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.joint_angles import ANGLE_NAMES, FOOT_ANGLE_NAMES, joint_angles
from spgnet.keypoints import Keypoints
from spgnet.lifting import Lifter
from spgnet.lifting.angle_uncertainty import CALIBRATION


@dataclass(frozen=True)
class Options:
    """What to measure on."""

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    captures: tyro.conf.Positional[Path]
    """Folder of CMU's captures with feet."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    count: int = 40
    """Number of videos of the archives."""
    seed: int = 32
    """Seed of everything that is random; the factors were fitted with 31."""
    clips: str = "test"
    """Which of the captures of feet.py; the factors were fitted to "tuned"."""
    fit: bool = False
    """Fit the factors of the calibration to these videos, and print them."""


def videos(options: Options) -> Iterator[tuple[Keypoints, Camera, torch.Tensor, tuple[str, ...]]]:
    """Keypoints, the camera, the true joints in the world, and which angles to measure."""
    for video in simulated_videos(options.motion, options.count, seed=options.seed):
        world = video.camera.camera_to_world(torch.from_numpy(video.joints))
        yield video.keypoints, video.camera, world, ANGLE_NAMES
    names = [name for group in feet.CLIPS[options.clips].values() for name in group]
    for number, name in enumerate(names):
        path = next(options.captures.rglob(f"{name}.amc"))
        video = feet.film(path, 1000 * options.seed + number)
        yield video.keypoints, video.camera, torch.from_numpy(video.world), FOOT_ANGLE_NAMES


def main(options: Options) -> None:
    lifter = Lifter.from_pretrained(options.weights)
    measured = defaultdict(list)
    for keypoints, camera, world, names in videos(options):
        # As users film: nobody says where the camera is.
        lens = opencv_camera(camera.intrinsics_matrix(), None, keypoints.image_size)
        (motion,) = spgnet.lift(keypoints, camera=lens, weights=lifter)
        found, true, deviations = motion.joint_angles(), joint_angles(world), motion.joint_angle_uncertainty()
        assert deviations is not None
        for name in names:
            error = np.radians(found[name] - true[name].numpy())
            if (
                name == "pelvis_rotation"
            ):  # it counts from the world's x, which the lifted motion chose itself
                error -= np.angle(np.nanmean(np.exp(1j * error)))
            error = np.abs(np.degrees(np.angle(np.exp(1j * error))))
            seen = np.isfinite(error)
            kind = name.removeprefix("left_").removeprefix("right_")
            measured[kind].append((error[seen], deviations[name][seen]))
    rows, factors = [], {}
    for kind, parts in measured.items():
        error, deviation = (np.concatenate(values) for values in zip(*parts, strict=True))
        shares = [f"{100 * (error < times * deviation).mean():.0f}" for times in (1, 2)]
        rows.append([kind, *shares, f"{np.median(error):.1f}", f"{np.median(deviation):.1f}"])
        factors[kind] = CALIBRATION[kind] * float(np.percentile(error / deviation, 68))
    header = ["angle", "within one [%]", "within two [%]", "median error [°]", "median uncertainty [°]"]
    print(markdown_table(header, rows, text=(0,)))
    if options.fit:
        print("\n" + "\n".join(f'    "{kind}": {factor:.2f},' for kind, factor in factors.items()))


if __name__ == "__main__":
    main(tyro.cli(Options))

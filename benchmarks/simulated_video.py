"""Simulated phone video of captured people: keypoints as a detector gives them, with the true motion.

Pieces of motion capture are filmed by random phone cameras that stand and face the person. The keypoints have
the errors of the simulated detector (docs/noise.md) and the joints that a detector sees
(``spgnet.synthetic.detector_joints``). Other benchmarks import :func:`simulated_videos`, and this one prints
what is in them:

    python benchmarks/simulated_video.py MOTION     # MOTION: the folder of the motion archives
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro

from spgnet.datasets.archive import load_motion_archive
from spgnet.datasets.movements import HELD_OUT_PEOPLE
from spgnet.evaluation import markdown_table
from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import HUMAN36M, TRUNK
from spgnet.keypoints import Keypoints
from spgnet.synthetic.detector_joints import detector_joints
from spgnet.synthetic.detector_noise import DetectorNoise, draw_bursts, simulate_detections

OFFSET = 0.01
"""Standard deviation of where in the body the detector puts a joint, in metres: with it, simulated detections
are as far from the true joints as the real ones of docs/noise.md (8 pixels of 1280)."""
ERRORS = 0.8
"""Factor of the simulated detector's errors, for the same reason."""
WIDENING = (-0.1, 0.8)
"""By which share of their distance from the pelvis hips are farther out as they flex (docs/noise.md)."""
ARCHIVES = (
    "uiprmd_correct.npz",
    "uiprmd_incorrect.npz",
    "cmu_iclone.npz",
    "cmu_everyday.npz",
    "cmu_sports.npz",
    "cmu_jump.npz",
)
"""Archives with people whom the package's weights were not trained on; the videos show these alone."""
SECONDS = 8.0
HIDDEN, HIDDEN_SECONDS = 0.08, 0.6
"""Share of the time in which the end of a limb is not seen, and how long that lasts on average."""
LIMBS = tuple(
    tuple(HUMAN36M.names.index(f"{side}_{joint}") for joint in joints)
    for side in ("left", "right")
    for joints in (("knee", "ankle"), ("elbow", "wrist"))
)
MIDPOINTS = {"pelvis": ("left_hip", "right_hip"), "thorax": ("left_shoulder", "right_shoulder")}
"""Joints that most detectors lack, and that are the middles of two others."""


class SimulatedVideo(NamedTuple):
    """One person's keypoints in a video, and what they are of.

    Attributes:
        name: the archive and the clip.
        keypoints: in the set human36m17.
        joints: the true joints in the camera frame, in metres.
        camera: what filmed them.
    """

    name: str
    keypoints: Keypoints
    joints: np.ndarray
    camera: Camera


def simulated_videos(
    motion: Path, count: int, *, seed: int = 0, fps: float = 50.0
) -> Iterator[SimulatedVideo]:
    """Videos of up to :data:`SECONDS`, as many from each archive as from the others.

    Args:
        motion: folder of the motion archives.
        count: number of videos.
        seed: of everything that is random.
        fps: frames per second.
    """
    rng = np.random.default_rng(seed)
    archives = {name: _held_out_clips(motion, name) for name in ARCHIVES}
    for number in range(count):
        name = list(archives)[number % len(archives)]
        clip = archives[name][rng.integers(len(archives[name]))]
        yield film(replace(clip, name=f"{name} {clip.name}"), rng, fps=fps)


def film(clip: MotionClip, rng: np.random.Generator, *, fps: float = 50.0) -> SimulatedVideo:
    """A random piece of a clip, of up to :data:`SECONDS`, filmed by a random phone."""
    clip = clip.resampled(fps)
    length = min(len(clip), round(SECONDS * fps))
    first = int(rng.integers(len(clip) - length + 1))
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        return _detected(clip.name, clip.joints[first : first + length], fps, rng)


def _held_out_clips(motion: Path, name: str) -> list[MotionClip]:
    clips = load_motion_archive(motion / name)
    return [clip for clip in clips if clip.subject in HELD_OUT_PEOPLE and len(clip) >= 100]


def _detected(name: str, world: torch.Tensor, fps: float, rng: np.random.Generator) -> SimulatedVideo:
    """A person's joints in the world, in metres, as they are detected in the video of a random phone."""
    size = (720, 1280) if rng.random() < 0.5 else (1280, 720)
    camera = phone_camera(world, size, rng)
    joints = camera.world_to_camera(world)
    noise = DetectorNoise(dropout_fraction=0.0)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    marked = detector_joints(joints[None], OFFSET, hip_spread=0.01, hip_widening=WIDENING)[0]
    exact = camera.camera_to_image(marked)
    pixels = simulate_detections(exact, noise, fps=fps, generator=generator, scale=torch.tensor(ERRORS))
    for middle, sides in MIDPOINTS.items():
        pair = pixels[:, list(map(HUMAN36M.names.index, sides))]
        pixels[:, HUMAN36M.names.index(middle)] = pair.mean(dim=1)
    score = np.where(hidden_joints(len(world), fps, generator), 0.0, 0.9)[..., None]
    points = np.concatenate((pixels.numpy(), score), axis=-1).astype(np.float32)
    return SimulatedVideo(
        name, Keypoints(points, "human36m17", np.arange(len(world)) / fps, size), joints.numpy(), camera
    )


def hidden_joints(frames: int, fps: float, generator: torch.Generator) -> np.ndarray:
    """Which joints are not seen: now and then the end of a limb, with or without its middle."""
    hidden = np.zeros((frames, len(HUMAN36M)), dtype=bool)
    bursts, _ = draw_bursts((frames, len(LIMBS)), HIDDEN, HIDDEN_SECONDS * fps, generator)
    both = torch.rand(len(LIMBS), generator=generator) < 0.5
    for limb, (middle, end) in enumerate(LIMBS):
        hidden[:, end] = bursts[:, limb]
        hidden[:, middle] = bursts[:, limb] & both[limb]
    return hidden


def phone_camera(world: torch.Tensor, size: tuple[int, int], rng: np.random.Generator) -> Camera:
    """A camera that stands and keeps the person in the picture: 0.8 to 1.8 m high, rolled by 2.5 degrees
    (standard deviation), with a focal length of 0.7 to 1.1 longer sides of the image."""
    focal = max(size) * rng.uniform(0.7, 1.1)
    middle = (world.amin(dim=(0, 1)) + world.amax(dim=(0, 1))) / 2
    extent = (world.amax(dim=(0, 1)) - world.amin(dim=(0, 1))).norm()
    nearest = 0.55 * float(extent) * focal / (min(size) / 2)
    distance = max(nearest, 1.2) * rng.uniform(1.0, 1.6)
    angle = rng.uniform(0, 2 * math.pi)
    around = torch.tensor([math.cos(angle), math.sin(angle)]) * distance
    position = torch.cat((middle[:2] + around, torch.tensor([rng.uniform(0.8, 1.8)])))
    target = world[:, TRUNK].mean(dim=(0, 1)) * 0.5 + middle * 0.5
    rotation = look_at(position[None], target[None])[0]
    roll = math.radians(2.5 * rng.standard_normal())
    turn = torch.tensor(
        [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    )
    matrix = [[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]]
    return opencv_camera(matrix, None, size, rotation=turn @ rotation, position=position)


@dataclass(frozen=True)
class Options:
    """What to show."""

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    count: int = 12
    """Number of videos."""
    seed: int = 0
    """Seed of everything that is random."""


def main(options: Options) -> None:
    rows = []
    for video in simulated_videos(options.motion, options.count, seed=options.seed):
        seen = video.keypoints.points[..., :2]
        exact = video.camera.camera_to_image(torch.from_numpy(video.joints)).numpy()
        off = np.linalg.norm(seen - exact, axis=-1)
        high = np.ptp(exact[..., 1], axis=1)
        rows.append(
            [
                video.name,
                str(len(video.keypoints)),
                f"{video.joints[:, 0, 2].mean():.1f}",
                f"{np.median(high):.0f}",
                f"{np.median(off):.1f}",
                f"{100 * np.median(off) / np.median(high):.2f}",
            ]
        )
    header = [
        "video",
        "frames",
        "distance [m]",
        "height of the person [px]",
        "median error [px]",
        "[% of it]",
    ]
    print(markdown_table(header, rows, text=(0,)))


if __name__ == "__main__":
    main(tyro.cli(Options))

"""How right are feet, ankle angles and gait events of lifted motion?

CMU's captures with feet (ASF/AMC files of mocap.cs.cmu.edu) are filmed as ``simulated_video.py`` does it,
with a detector that sees heels and toes, and lifted like anyone's video. Truth is the captured motion: its
ankle angles, and the gait events by height and speed of its own heels and toes.

    python benchmarks/feet.py CAPTURES                   # CAPTURES: a folder with CMU's files, in any folders
    python benchmarks/feet.py CAPTURES --seed 1 --clips tuned   # those that the terms were fitted to
    python benchmarks/feet.py CAPTURES --real REAL       # and how standing feet slide and sink in real video
    python benchmarks/feet.py CAPTURES --plant-feet      # as `spgnet lift --plant-feet` gives them
    python benchmarks/feet.py CAPTURES --fit             # the usual flexion of ankles, of all but the test's
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float
from refinement import score
from simulated_video import ERRORS, OFFSET, WIDENING, hidden_joints, phone_camera

import spgnet
from spgnet.datasets.mocap.folder import read_clip_with_feet
from spgnet.errors import InputError
from spgnet.evaluation import markdown_table
from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.foot import ANKLES, FOOT_JOINTS, POINT_HEIGHT, SIDES, foot_axes
from spgnet.geometry.gait import GaitEvent, foot_contacts, gait_events
from spgnet.geometry.interpolate import interpolate_at
from spgnet.geometry.joint_angles import joint_angles
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES, foot_keypoints
from spgnet.lifting import Lifter, Motion
from spgnet.lifting.usual_feet import flexion_powers, shank_tilt
from spgnet.synthetic.detector_joints import detector_joints
from spgnet.synthetic.detector_noise import (
    FOOT_OFFSET,
    DetectorNoise,
    person_size,
    simulate_detections,
    simulate_foot_detections,
)

FPS, SECONDS = 60.0, 6.0
UNEVEN = ("01", "03")
"""CMU's people who climb and who walk on uneven ground: their ankles' heights say nothing."""
UP = np.array([0.0, 0.0, 1.0])
TILT_ERROR, HEIGHT_ERROR = math.radians(5), 0.02
"""Standard deviations of errors of lifted shanks (radians) and ankles (metres), for the fit."""
FOOT_SPREAD = 0.05
"""Standard deviation of the logarithm of feet's sizes at equal stature."""
NEAR = 0.15
"""Seconds by which an event may be off to count as the same, in how many frames it is off."""
CLIPS = {
    "tuned": {
        "walking, running": ("02_01", "02_01", "02_03"),
        "in place": ("02_05", "86_01", "86_01"),
        "sports": ("10_01", "10_02", "16_03", "118_03"),
    },
    "test": {
        "walking": ("02_02", "86_09", "02_02", "86_09", "86_09", "86_09", "86_09"),
        "sports": ("10_03", "10_05", "16_09", "118_10", "124_01"),
    },
}
"""CMU's recordings; of long ones every video shows another piece. 86_09: walks, sits down, stands up."""


class FeetVideo(NamedTuple):
    """One person's keypoints in a video, and what they are of.

    Attributes:
        keypoints: in the set halpe26.
        world: the 23 true joints in the world, in metres.
        camera: what filmed them.
    """

    keypoints: Keypoints
    world: Float[np.ndarray, "frames 23 3"]
    camera: Camera


def film(path: Path, seed: int) -> FeetVideo:
    """A random piece of a capture, filmed by a random phone.

    The feet's size and the errors of heels and toes come from random numbers of their own, so that those of
    the body do not depend on them.
    """
    body_rng, feet_rng = (np.random.default_rng((seed, part)) for part in range(2))
    clip = read_clip_with_feet(path)
    times = np.arange(len(clip.joints)) / clip.fps
    count = int(times[-1] * FPS) + 1
    length = min(count, round(SECONDS * FPS))
    first = int(body_rng.integers(count - length + 1))
    world = interpolate_at(clip.joints, times, (first + np.arange(length)) / FPS)
    ankles = world[:, [ANKLES[side] for side in SIDES], None]
    feet = world[:, len(HUMAN36M) :].reshape(length, 2, 3, 3) - ankles
    feet = ankles + feet * math.exp(FOOT_SPREAD * feet_rng.standard_normal())
    world[:, len(HUMAN36M) :] = feet.reshape(length, 6, 3)
    world[..., :2] -= world[:, 0, :2].mean(axis=0)
    with torch.random.fork_rng():
        return _detected(torch.from_numpy(world), body_rng, feet_rng)


def _detected(world: torch.Tensor, body_rng: np.random.Generator, feet_rng: np.random.Generator) -> FeetVideo:
    """A person as they are detected in the video of a random phone."""
    torch.manual_seed(int(body_rng.integers(2**31)))
    size = (720, 1280) if body_rng.random() < 0.5 else (1280, 720)
    camera = phone_camera(world[:, : len(HUMAN36M)].float(), size, body_rng)
    noise = DetectorNoise(dropout_fraction=0.0)
    generator = torch.Generator().manual_seed(int(body_rng.integers(2**31)))
    joints = camera.to(torch.float64).world_to_camera(world).float()
    body = joints[None, :, : len(HUMAN36M)]
    marked = detector_joints(body, OFFSET, hip_spread=0.01, hip_widening=WIDENING)[0]
    exact = camera.camera_to_image(marked)
    scale = torch.tensor(ERRORS)
    pixels = simulate_detections(exact, noise, fps=FPS, generator=generator, scale=scale)
    hidden = hidden_joints(len(world), FPS, generator)

    torch.manual_seed(int(feet_rng.integers(2**31)))
    generator = torch.Generator().manual_seed(int(feet_rng.integers(2**31)))
    feet = camera.camera_to_image(_marked_feet(joints))
    foot_pixels = simulate_foot_detections(
        feet, person_size(exact), noise, fps=FPS, generator=generator, scale=ERRORS
    )
    names = KEYPOINT_NAMES["halpe26"]
    points = np.zeros((len(world), len(names), 3), np.float32)
    for joint, name in enumerate(HUMAN36M.names):
        if name in names:
            points[:, names.index(name), :2] = pixels[:, joint]
            points[:, names.index(name), 2] = np.where(hidden[:, joint], 0, 0.9)
    for number, index in enumerate(foot_keypoints("halpe26")):
        points[:, index, :2] = foot_pixels[:, number]
        points[:, index, 2] = np.where(hidden[:, ANKLES[SIDES[number // 3]]], 0, 0.75)
    return FeetVideo(Keypoints(points, "halpe26", np.arange(len(world)) / FPS, size), world.numpy(), camera)


def _marked_feet(joints: torch.Tensor) -> torch.Tensor:
    """Where in the feet the detector sees heels and toes, in the frame of the joints."""
    moved = []
    for side in SIDES:
        points = joints[:, list(FOOT_JOINTS[side])]
        axes = foot_axes(joints[:, ANKLES[side]], *points.unbind(1))
        moved.append(points + FOOT_OFFSET * torch.randn(3, 3) @ axes)
    return torch.cat(moved, dim=1)


@dataclass(frozen=True)
class Options:
    """What to measure."""

    captures: tyro.conf.Positional[Path]
    """Folder with CMU's ASF and AMC files."""
    clips: Literal["test", "tuned"] = "test"
    """Recordings to film: those that the terms were fitted to, or others."""
    seed: int = 11
    """Seed of everything that is random; the terms were fitted with seed 1."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    real: Path | None = None
    """Folder of clips with real detections of feet, as ``real_video.py`` takes it."""
    plant_feet: bool = False
    """Hold standing feet in place."""
    fit: bool = False
    """Print the usual flexion of ankles (``spgnet.lifting.usual_feet.FLEXIONS``), and measure nothing."""


class Figures(NamedTuple):
    """What was measured on a video.

    Attributes:
        squares: of the errors of the ankle flexion, in square degrees.
        bias: their mean.
        off: by how many frames each event that was found is off.
        events: number of true events.
        extra: events that there are not.
        accuracy: P-MPJPE and MPJPE of the body, as ``refinement.py`` has them.
        slide: speed of the lowest point of feet on the floor, in metres per second.
        sink: how far it is below the floor, in metres.
        true_slide, true_sink: the same of the capture.
    """

    squares: float
    bias: float
    off: list[int]
    events: int
    extra: int
    accuracy: tuple[float, float]
    slide: Float[np.ndarray, " n"]
    sink: Float[np.ndarray, " n"]
    true_slide: Float[np.ndarray, " n"]
    true_sink: Float[np.ndarray, " n"]


def measure(motion: Motion, video: FeetVideo) -> Figures:
    """Compare a lifted motion with the capture that was filmed. Angles count where heel and toes are seen."""
    angles = motion.joint_angles()
    true = joint_angles(torch.from_numpy(video.world))
    errors = [
        (angles[name] - true[name].numpy())[motion.confidence[:, list(FOOT_JOINTS[side])].all(axis=1)]
        for side in SIDES
        for name in (f"{side}_ankle_flexion",)
    ]
    errors = np.concatenate(errors)
    contacts = foot_contacts(video.world, motion.timestamps)
    events = gait_events(contacts, motion.timestamps)
    off, extra = matched(motion.gait_events(), events)
    true_joints = video.camera.to(torch.float64).world_to_camera(torch.from_numpy(video.world)).numpy()
    accuracy = score(motion.joints[:, : len(HUMAN36M)], true_joints)
    squares, bias = float((errors**2).mean()), float(errors.mean())
    own = standing(motion.world, motion.foot_contact, motion.timestamps)
    true_own = standing(video.world, contacts, motion.timestamps)
    return Figures(squares, bias, off, len(events), extra, accuracy, *own, *true_own)


def matched(found: Sequence[GaitEvent], true: Sequence[GaitEvent]) -> tuple[list[int], int]:
    """By how many frames found events are off the true ones, and how many are of none."""
    left, off = list(found), []
    for event in true:
        same = [e for e in left if (e.side, e.kind) == (event.side, event.kind)]
        nearest = min(same, key=lambda e: abs(e.time - event.time), default=None)
        if nearest is not None and abs(nearest.time - event.time) < NEAR:
            off.append(nearest.frame - event.frame)
            left.remove(nearest)
    return off, len(left)


def standing(
    world: Float[np.ndarray, "frames 23 3"],
    contacts: Bool[np.ndarray, "frames 2"] | None,
    times: Float[np.ndarray, " frames"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Speed of the lowest point of each foot that is on the floor, and how far it is below its height
    there; nothing if contacts are not known."""
    slides, sinks = [np.zeros(0)], [np.zeros(0)]
    if contacts is None:
        return slides[0], sinks[0]
    for foot, side in enumerate(SIDES):
        on = contacts[:, foot]
        points = world[:, list(FOOT_JOINTS[side])].astype(np.float64)
        speed = np.linalg.norm(np.gradient(points, times, axis=0), axis=-1)[on]
        lowest = points[on][..., 2].argmin(axis=1)
        slides.append(speed[np.arange(len(speed)), lowest])
        sinks.append((POINT_HEIGHT - points[on][..., 2].min(axis=1)).clip(0))
    return np.concatenate(slides), np.concatenate(sinks)


HEADINGS = (
    "clips",
    "videos",
    "ankle flexion, RMS [degrees]",
    "about its mean error",
    "events",
    "found",
    "within 2 frames [% of found]",
    "median [frames]",
    "extra",
    "P-MPJPE [mm]",
    "MPJPE [mm]",
    "slide [m/s]",
    "sink, 95 % [mm]",
)


def row(name: str, figures: Sequence[Figures]) -> list[str]:
    """A line of the table: means over the videos, and events of all together."""
    off = np.abs(np.concatenate([each.off for each in figures]))
    slide, sink = (np.concatenate([getattr(each, what) for each in figures]) for what in ("slide", "sink"))
    about = np.mean([each.squares - each.bias**2 for each in figures])
    return [
        name,
        str(len(figures)),
        f"{math.sqrt(np.mean([each.squares for each in figures])):.1f}",
        f"{math.sqrt(about):.1f}",
        str(sum(each.events for each in figures)),
        str(len(off)),
        f"{100 * (off <= 2).mean():.0f}",
        f"{np.median(off):.0f}",
        str(sum(each.extra for each in figures)),
        *(f"{mean:.1f}" for mean in np.mean([each.accuracy for each in figures], axis=0)),
        f"{slide.mean():.2f}",
        f"{1000 * np.percentile(sink, 95):.0f}",
    ]


def fitted_flexions(captures: Path) -> list[float]:
    """The usual flexion of ankles in captures other than the test's, by least squares.

    Tilt and height have errors such as those of lifted motion; everybody counts as the root of their frames.
    """
    test = {name for names in CLIPS["test"].values() for name in names}
    rng, rows = np.random.default_rng(0), []
    for path in sorted(captures.rglob("*.amc")):
        if path.stem in test or path.stem.split("_")[0] in UNEVEN:
            continue
        try:
            clip = read_clip_with_feet(path)
        except InputError as error:
            print(error)
            continue
        count = min(int((len(clip.joints) - 1) / clip.fps * FPS), 1200)
        joints = interpolate_at(clip.joints, np.arange(len(clip.joints)) / clip.fps, np.arange(count) / FPS)
        angles = joint_angles(torch.from_numpy(joints))
        tilt, height = (
            shank_tilt(joints[:, : len(HUMAN36M)], UP),
            joints[:, [ANKLES[side] for side in SIDES], 2],
        )
        tilt = tilt + TILT_ERROR * rng.standard_normal(tilt.shape)
        height = height + HEIGHT_ERROR * rng.standard_normal(height.shape)
        flexion = np.stack([np.radians(angles[f"{side}_ankle_flexion"].numpy()) for side in SIDES], axis=1)
        rows.append((path.stem.split("_")[0], flexion_powers(tilt, height), flexion))
    matrix, right = np.zeros((6, 6)), np.zeros(6)
    for person in {row[0] for row in rows}:
        powers, flexion = (
            np.concatenate([row[part].reshape(-1, *row[part].shape[2:]) for row in rows if row[0] == person])
            for part in (1, 2)
        )
        known = np.isfinite(flexion)
        powers, flexion = powers[known], flexion[known]
        matrix += powers.T @ powers / math.sqrt(len(powers))
        right += powers.T @ flexion / math.sqrt(len(powers))
    return np.linalg.solve(matrix, right).tolist()


def main(options: Options) -> None:
    if options.fit:
        print(", ".join(f"{value:.3f}" for value in fitted_flexions(options.captures)))
        return
    lifter = Lifter.from_pretrained(options.weights)
    rows, everything, number = [], [], 0
    for group, names in CLIPS[options.clips].items():
        figures = []
        for name in names:
            path = next(options.captures.rglob(f"{name}.amc"))
            video = film(path, 100 * options.seed + number)
            # As users film: nobody says where the camera is.
            lens = opencv_camera(video.camera.intrinsics_matrix(), None, video.keypoints.image_size)
            (motion,) = spgnet.lift(
                video.keypoints, camera=lens, weights=lifter, plant_feet=options.plant_feet
            )
            figures.append(measure(motion, video))
            number += 1
        rows.append(row(group, figures))
        everything += figures
    rows.append(row("all", everything))
    print(markdown_table(list(HEADINGS), rows, text=(0,)))
    slide, sink = (
        np.concatenate([getattr(each, f"true_{what}") for each in everything]) for what in ("slide", "sink")
    )
    print(f"The captures: slide {slide.mean():.2f} m/s, sink {1000 * np.percentile(sink, 95):.0f} mm.\n")
    if options.real is not None:
        print_real(options.real, lifter, plant_feet=options.plant_feet)


def print_real(folder: Path, lifter: Lifter, *, plant_feet: bool) -> None:
    """How standing feet slide and sink in real video."""
    rows = []
    for path in sorted(folder.glob("opencap_*.npz")):
        (motion,) = spgnet.lift(path, weights=lifter, plant_feet=plant_feet)
        slide, sink = standing(motion.world, motion.foot_contact, motion.timestamps)
        rows.append(
            [
                path.stem,
                f"{slide.mean():.2f}",
                f"{np.median(slide):.2f}",
                f"{1000 * np.percentile(sink, 95):.0f}",
                f"{1000 * sink.max():.0f}",
                str(len(motion.gait_events())),
            ]
        )
    headings = ["clip", "slide, mean [m/s]", "median", "sink, 95 % [mm]", "largest", "events"]
    print(markdown_table(headings, rows, text=(0,)))


if __name__ == "__main__":
    main(tyro.cli(Options))

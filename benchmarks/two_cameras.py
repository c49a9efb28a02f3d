"""Do two cameras see the same motion? Pose2Sim's demo, lifted from camera 1 and from camera 3 alone.

Each camera is lifted by itself, with its calibration. Then the two motions are compared with each other, and
each with the joints that were triangulated from four cameras (12 of them, those of ``real_video.py``):

    python benchmarks/two_cameras.py VIDEO REAL --detector DETECTOR    # RTMPose on the videos
    python benchmarks/two_cameras.py VIDEO REAL --detections openpose  # OpenPose's keypoints, as in REAL
    python benchmarks/two_cameras.py VIDEO REAL --weights default live --lifting refined

VIDEO holds ``pose2sim_cam01.mp4``, ``pose2sim_cam03.mp4`` and ``pose2sim_calibration.toml``, and REAL
``pose2sim_demo.npz``: OpenPose's BODY_25B keypoints and the triangulated joints of the same capture.

Both detectors' keypoints are lifted with the calibration of the videos. The one inside
``pose2sim_demo.npz``, by which its joints were triangulated, is an older one that fits the keypoints of
either less well. That moves the triangulated joints by centimetres but hardly changes their shape, so they
are the truth of poses here, not of places in the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import roma
import torch
import tyro
from real_video import OURS, SCORED, Lifting, post_processed

from spgnet import metrics
from spgnet.camera_files import load_camera
from spgnet.detection import RtmDetector, detect_video, select_people
from spgnet.evaluation import markdown_table
from spgnet.geometry.camera import Camera
from spgnet.keypoints import Keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.lifting import Lifter

CAMERAS = (1, 3)
LONGEST_LAG = 8
"""Frames by which the videos may be ahead of OpenPose's keypoints, or behind."""
SURE = 0.4
"""Score from which two detectors' keypoints are compared."""
COCO = KEYPOINT_NAMES["coco17"]
LIMBS_IN_COCO = [COCO.index(name) for name in SCORED]
"""BODY_25B begins with the 17 keypoints of COCO, in COCO's order; then come the upper neck, the top of the
head and the feet."""
HEADINGS = (
    "Agreement, P-MPJPE [mm]",
    "Agreement, clip aligned [mm]",
    "Agreement in the world, roots aligned [mm]",
    "Agreement in the world [mm]",
    *(f"Camera {camera}, P-MPJPE [mm]" for camera in CAMERAS),
)


@dataclass(frozen=True)
class Options:
    """What to compare."""

    video: tyro.conf.Positional[Path]
    """Folder of the videos and their calibration."""
    real: tyro.conf.Positional[Path]
    """Folder of ``pose2sim_demo.npz``."""
    weights: tuple[str, ...] = ("default",)
    """Names of weights in the package, run folders, or safetensors files."""
    lifting: tuple[Lifting, ...] = ("network", "refined")
    """The network's motion alone (``spgnet lift --no-refine``), with constant bone lengths fitted to it, or
    refined, which is what ``spgnet lift`` gives."""
    detections: Literal["rtmpose", "openpose"] = "rtmpose"
    """Whose keypoints: RTMPose's, found in the videos now, or OpenPose's."""
    detector: Path | None = None
    """Folder of the two ONNX files of RTMPose; by default the package looks for them."""


def main(options: Options) -> None:
    rows = [[*names, *(f"{value:.1f}" for value in values)] for names, values in measured(options).items()]
    print(markdown_table(["weights", "lifting", *HEADINGS], rows, text=(0, 1)))


def measured(options: Options) -> dict[tuple[str, Lifting], list[float]]:
    """The values under the headings for each of the weights and ways of lifting."""
    cameras = [calibrated(options.video, camera) for camera in CAMERAS]
    with np.load(options.real / "pose2sim_demo.npz", allow_pickle=False) as demo:
        given = [openpose(demo["kp2d"], camera, demo["fps"].item()) for camera in CAMERAS]
        truth = body25b_limbs(demo["tri"])
    people, lag = given, 0
    if options.detections == "rtmpose":
        people = rtmpose(options)
        lag = best_lag(people, given)
        print(lag_words(people, given, lag))
    results = {}
    for weights in options.weights:
        lifter = Lifter.from_pretrained(weights)
        for way in options.lifting:
            results[weights, way] = compared(in_world(lifter, people, cameras, way), truth, lag)
    return results


def calibrated(folder: Path, camera: int) -> Camera:
    return load_camera(folder / "pose2sim_calibration.toml", name=f"cam{camera:02}")


def openpose(points: np.ndarray, camera: int, fps: float) -> Keypoints:
    """One camera's COCO keypoints of BODY_25B's [frames, cameras, 25, 3], in the calibration's image."""
    seen = points[:, camera - 1, : len(COCO)]
    return Keypoints(seen, "coco17", np.arange(len(seen)) / fps, image_size=(1088, 1920))


def body25b_limbs(joints: np.ndarray) -> np.ndarray:
    """The scored joints [frames, 12, 3] of BODY_25B's [frames, 25, 3], in metres."""
    return joints[:, LIMBS_IN_COCO].astype(np.float64)


def rtmpose(options: Options) -> list[Keypoints]:
    """The largest person in each video."""
    detector = RtmDetector(options.detector)
    return [
        select_people(detect_video(options.video / f"pose2sim_cam{camera:02}.mp4", detector), "largest")[0]
        for camera in CAMERAS
    ]


def best_lag(videos: Sequence[Keypoints], others: Sequence[Keypoints]) -> int:
    """By how many frames the videos are late: their frame i + lag shows what frame i of the others shows."""
    lags = range(-LONGEST_LAG, LONGEST_LAG + 1)
    return min(lags, key=lambda lag: apart(videos, others, lag))


def apart(videos: Sequence[Keypoints], others: Sequence[Keypoints], lag: int) -> float:
    """Median distance in pixels of the COCO keypoints that both see, but for an offset of each camera."""
    distances = []
    for video, other in zip(videos, others, strict=True):
        mine, theirs = at_lag(video.points, other.points, lag)
        mine, theirs = mine[:, : len(COCO)], theirs[:, : len(COCO)]
        both = (mine[..., 2] > SURE) & (theirs[..., 2] > SURE)
        off = (mine - theirs)[both, :2]
        distances.append(np.linalg.norm(off - np.median(off, axis=0), axis=-1))
    return float(np.median(np.concatenate(distances)))


def at_lag(late: np.ndarray, early: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames that correspond: frame i + lag of the one and frame i of the other, where both are."""
    late, early = late[max(lag, 0) :], early[max(-lag, 0) :]
    frames = min(len(late), len(early))
    return late[:frames], early[:frames]


def lag_words(videos: Sequence[Keypoints], given: Sequence[Keypoints], lag: int) -> str:
    single = [best_lag([video], [other]) for video, other in zip(videos, given, strict=True)]
    alone = ", ".join(f"camera {camera}: {own:+}" for camera, own in zip(CAMERAS, single, strict=True))
    return (
        f"Frame i of OpenPose is frame i{lag:+} of the videos ({alone}); RTMPose and OpenPose are then "
        f"{apart(videos, given, lag):.1f} pixels apart, and {apart(videos, given, 0):.1f} frame by frame.\n"
    )


def in_world(
    lifter: Lifter, people: Sequence[Keypoints], cameras: Sequence[Camera], way: Lifting
) -> list[np.ndarray]:
    """The motion that each camera gives, in the world, [frames, 17, 3] in metres."""
    worlds = []
    for keypoints, camera in zip(people, cameras, strict=True):
        motion = lifter.lift(keypoints, camera=camera)
        motion = post_processed(motion, keypoints, way)
        worlds.append(motion.world.astype(np.float64))
    return worlds


def compared(motions: Sequence[np.ndarray], truth: np.ndarray, lag: int) -> list[float]:
    """The values under the headings, in mm."""
    first, second = motions
    return agreement(first, second) + [against(motion, truth, lag) for motion in motions]


def agreement(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Mean distance in mm of the joints of two motions [frames, 17, 3] in the world, in four ways.

    With every pose of the second moved, turned and scaled onto that of the first (P-MPJPE); with the whole
    second clip moved and turned onto the first; with the pelvis of the second moved onto that of the first
    in every frame; and as they are.
    """
    target, moved = torch.from_numpy(first), torch.from_numpy(second)
    return [
        metrics.p_mpjpe(moved, target).mean().item(),
        distance(aligned_clip(moved, target), target),
        metrics.mpjpe(moved, target).mean().item(),
        distance(moved, target),
    ]


def aligned_clip(moved: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """A clip [frames, joints, 3] under the one rotation and translation that bring it closest to another."""
    found = roma.rigid_points_registration(moved.flatten(0, 1), target.flatten(0, 1))
    rotation, shift = torch.as_tensor(found[0]), torch.as_tensor(found[1])
    return moved @ rotation.mT + shift


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return metrics.MILLIMETRES * (one - other).norm(dim=-1).mean().item()


def against(motion: np.ndarray, truth: np.ndarray, lag: int) -> float:
    """P-MPJPE in mm of a motion's scored joints against the true ones [frames, 12, 3]."""
    mine, true = (torch.from_numpy(each) for each in at_lag(motion[:, OURS], truth, lag))
    return metrics.p_mpjpe(mine, true).mean().item()


if __name__ == "__main__":
    main(tyro.cli(Options))

"""How accurate is the lifted motion of real people in phone video? Ours against MediaPipe's own 3D.

Each clip is an ``.npz`` with 2D detections of every frame, marker-based joint centres in the camera's frame
of reference, and MediaPipe's 3D of the same frames. Scored are the 12 joints that all of them have, with
the middle of the hips as the root:

    python benchmarks/real_video.py REAL            # REAL: the folder of the clips
    python benchmarks/real_video.py REAL --weights runs/randomized --lifting network constant-bones refined
    python benchmarks/real_video.py REAL --weights live --live
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from frame_choice import choose, detected

from spgnet import metrics
from spgnet.camera_files import find_camera
from spgnet.detection.frame_choice import DetectEvery
from spgnet.errors import InputError
from spgnet.evaluation import markdown_table
from spgnet.geometry.interpolate import interpolate_at
from spgnet.geometry.skeleton import HUMAN36M, Skeleton
from spgnet.keypoints import Keypoints, load_keypoints
from spgnet.keypoints.keypoints import to_human36m
from spgnet.lifting import Lifter, Motion, fit_constant_bones
from spgnet.lifting.feet import add_feet
from spgnet.lifting.planting import plant_feet
from spgnet.lifting.postprocess import postprocess
from spgnet.lifting.streaming import lift_live

Lifting = Literal["network", "constant-bones", "refined", "planted"]
SCORED = tuple(
    f"{side}_{joint}"
    for side, joints in (
        ("right", ("hip", "knee", "ankle")),
        ("left", ("hip", "knee", "ankle")),
        ("left", ("shoulder", "elbow", "wrist")),
        ("right", ("shoulder", "elbow", "wrist")),
    )
    for joint in joints
)
OURS = [HUMAN36M.names.index(name) for name in SCORED]
LIMBS = Skeleton(names=("root", *SCORED), parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11))


@dataclass(frozen=True)
class Options:
    """What to score."""

    real: tyro.conf.Positional[Path]
    """Folder of the clips."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    lifting: tuple[Lifting, ...] = ("network", "refined")
    """The network's motion alone (``spgnet lift --no-refine``), with constant bone lengths fitted to it,
    refined, which is what ``spgnet lift`` gives, or with ``--plant-feet`` as well."""
    every: DetectEvery = 1
    """Use the detections of every n-th frame only, or of as many as the motion needs."""
    live: bool = False
    """Lift frame by frame as ``spgnet lift --live`` does: with weights that look at past frames only, such as
    ``live``, each pose comes from past frames only. Between the frames used, the last pose stays."""


HEADINGS = (
    "P-MPJPE [mm]",
    "MPJPE [mm]",
    "Trajectory [mm]",
    "Trajectory [%]",
    "Bone deviation [mm]",
    "Re-projection [px]",
)
DIGITS = (1, 1, 0, 1, 1, 1)


Row = tuple[str, str, list[float | None]]
"""Clip, method and the values under the headings."""


def main(options: Options) -> None:
    rows = compared(options)
    lines = [
        [clip, method, *(text(value, digits) for value, digits in zip(values, DIGITS, strict=True))]
        for clip, method, values in rows + means(rows)
    ]
    print(markdown_table(["clip", "method", *HEADINGS], lines, text=(0, 1)))


def text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def compared(options: Options) -> list[Row]:
    """All methods on every clip."""
    lifter = Lifter.from_pretrained(options.weights)
    rows = []
    for path in sorted(options.real.glob("opencap_*.npz")):
        clip = np.load(path, allow_pickle=False)
        truth, name = true_joints(clip), path.stem.removeprefix("opencap_")
        (keypoints,) = load_keypoints(path)
        for method, joints in lifted(keypoints, lifter, options).items():
            values = scores(joints[:, OURS].astype(np.float64), truth, placed=True)
            rows.append((name, f"spgnet, {method}", [*values, reprojection(joints, keypoints)]))
        theirs = clip["mediapipe_world"].astype(np.float64)
        rows.append((name, "MediaPipe", [*scores(theirs, truth, placed=False), None]))
    return rows


def means(rows: list[Row]) -> list[Row]:
    """A row for each method with the means over the clips, if there are several."""
    if len({clip for clip, _, _ in rows}) < 2:
        return []
    methods = dict.fromkeys(method for _, method, _ in rows)
    return [
        ("mean over clips", name, [mean(column) for column in zip(*columns, strict=True)])
        for name in methods
        for columns in [[values for _, method, values in rows if method == name]]
    ]


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is there; None if there is nothing."""
    given = [value for value in values if value is not None]
    return sum(given) / len(given) if given else None


def true_joints(clip: np.lib.npyio.NpzFile) -> np.ndarray:
    """Marker-based joint centres at the frames of the video, in the camera frame, in metres."""
    time = np.arange(len(clip["truth"])) / clip["truth_fps"]
    world = interpolate_at(clip["truth"].astype(np.float64), time, clip["timestamps"] + clip["truth_lag"])
    return world @ clip["world_to_camera_rotation"].T + clip["world_to_camera_translation"]


def lifted(keypoints: Keypoints, lifter: Lifter, options: Options) -> dict[str, np.ndarray]:
    """Our motion [frames, 17, 3] in the camera frame, in metres, by the way of lifting."""
    if options.live:
        return {"live": live_joints(keypoints, lifter, options)}
    if options.every == "auto":
        keypoints = detected(keypoints, choose(keypoints, "auto", None), "auto")
    elif options.every > 1:
        points = keypoints.points.copy()
        points[np.arange(len(keypoints)) % options.every != 0] = np.nan
        keypoints = replace(keypoints, points=points)
    motion = lifter.lift(keypoints)
    return {way: post_processed(motion, keypoints, way).joints for way in options.lifting}


def post_processed(motion: Motion, keypoints: Keypoints, way: Lifting) -> Motion:
    """The network's motion by a way of lifting, with 17 joints."""
    if way == "network":
        return motion
    if way == "constant-bones":
        return fit_constant_bones(motion)
    (motion,) = postprocess([motion], refined=True, feet=[keypoints])
    return plant_feet(add_feet(motion, keypoints)).without_feet() if way == "planted" else motion


def reprojection(joints: np.ndarray, keypoints: Keypoints) -> float:
    """Median distance in pixels of the scored joints' projections from their detections."""
    camera = find_camera(keypoints.image_size, keypoints=keypoints).camera
    projected = camera.camera_to_image(torch.from_numpy(joints)).numpy()
    detected, confidence = to_human36m(keypoints)
    seen = confidence[:, OURS] > 0
    return float(np.median(np.linalg.norm(projected - detected, axis=-1)[:, OURS][seen]))


def live_joints(keypoints: Keypoints, lifter: Lifter, options: Options) -> np.ndarray:
    """The motion [frames, 17, 3] lifted frame by frame: in every frame the latest pose that is not of a later
    one, and before the first pose that one.

    Poses count for the frames that they are of, however late weights with a look-ahead give them.
    """
    if options.every == "auto":
        raise InputError("--live uses every n-th frame")
    poses = list(lift_live(lifter, keypoints.frames(slice(None, None, options.every))))
    latest = np.searchsorted([pose.time for pose in poses], keypoints.timestamps, side="right") - 1
    return np.stack([pose.joints for pose in poses])[latest.clip(0)]


def scores(joints: np.ndarray, truth: np.ndarray, *, placed: bool) -> list[float | None]:
    """The metrics of a clip; the trajectory only of joints that are placed in the camera frame."""
    mine, true = (with_root(torch.from_numpy(each)) for each in (joints, truth))
    limbs = mine[:, 1:] - mine[:, :1], true[:, 1:] - true[:, :1]
    away = (mine[:, 0] - true[:, 0]).norm(dim=-1)
    inner = [b for b, name in enumerate(LIMBS.bone_names) if "hip" not in name and "shoulder" not in name]
    return [
        metrics.p_mpjpe(*limbs).mean().item(),
        1000 * (limbs[0] - limbs[1]).norm(dim=-1).mean().item(),
        1000 * away.mean().item() if placed else None,
        100 * (away / true[:, 0].norm(dim=-1)).mean().item() if placed else None,
        1000 * LIMBS.bone_lengths(mine)[:, inner].std(dim=0).mean().item(),
    ]


def with_root(joints: torch.Tensor) -> torch.Tensor:
    """The middle of the hips, and then the joints."""
    hips = [SCORED.index("right_hip"), SCORED.index("left_hip")]
    return torch.cat((joints[:, hips].mean(dim=1, keepdim=True), joints), dim=1)


if __name__ == "__main__":
    main(tyro.cli(Options))

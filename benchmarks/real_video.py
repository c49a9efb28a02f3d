"""How accurate is the lifted motion of real people in phone video? Ours against MediaPipe's own 3D.

Each clip is an ``.npz`` with 2D detections of every frame, marker-based joint centres in the camera's frame
of reference, and MediaPipe's 3D of the same frames. Scored are the 12 joints that all of them have, with
the middle of the hips as the root:

    python benchmarks/real_video.py REAL            # REAL: the folder of the clips
    python benchmarks/real_video.py REAL --weights runs/wild --rigid
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from spgnet import metrics
from spgnet.keypoints import load_people
from spgnet.lifting import Lifter
from spgnet.lifting.rigid import make_rigid
from spgnet.lifting.timing import at_times
from spgnet.skeleton import HUMAN36M, Skeleton
from spgnet.tables import markdown_table

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
LIMBS = Skeleton(names=("root", *SCORED), parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11))


@dataclass(frozen=True)
class Options:
    """What to score."""

    real: tyro.conf.Positional[Path]
    """Folder of the clips."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    rigid: bool = False
    """Fit constant bone lengths first, as ``spgnet lift --rigid`` does."""
    every: int = 1
    """Use the detections of every n-th frame only."""


HEADINGS = ("P-MPJPE [mm]", "MPJPE [mm]", "Trajectory [mm]", "Trajectory [%]", "Bone deviation [mm]")


def main(options: Options) -> None:
    rows = [
        [clip, method, *(text(value, digits) for value, digits in zip(values, (1, 1, 0, 1, 1), strict=True))]
        for clip, method, values in compared(options)
    ]
    print(markdown_table(["clip", "method", *HEADINGS], rows, labels=2))


def text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def compared(options: Options) -> list[tuple[str, str, list[float | None]]]:
    """Clip, method and the values under the headings."""
    lifter = Lifter.from_pretrained(options.weights)
    rows = []
    for path in sorted(options.real.glob("opencap_*.npz")):
        clip = np.load(path, allow_pickle=False)
        truth, name = true_joints(clip), path.stem.removeprefix("opencap_")
        rows.append((name, "spgnet", scores(lifted(path, lifter, options), truth, placed=True)))
        theirs = clip["mediapipe_world"].astype(np.float64)
        rows.append((name, "MediaPipe", scores(theirs, truth, placed=False)))
    return rows


def true_joints(clip: np.lib.npyio.NpzFile) -> np.ndarray:
    """Marker-based joint centres at the frames of the video, in the camera frame, in metres."""
    time = np.arange(len(clip["truth"])) / clip["truth_fps"]
    world = at_times(clip["truth"].astype(np.float64), time, clip["timestamps"] + clip["truth_lag"])
    return world @ clip["world_to_camera_rotation"].T + clip["world_to_camera_translation"]


def lifted(path: Path, lifter: Lifter, options: Options) -> np.ndarray:
    """The scored joints of our motion, in the camera frame, in metres."""
    (keypoints,) = load_people(path)
    if options.every > 1:
        keypoints.points[np.arange(len(keypoints)) % options.every != 0] = np.nan
    motion = lifter.lift(keypoints)
    if options.rigid:
        motion = make_rigid(motion)
    return motion.joints[:, [HUMAN36M.names.index(name) for name in SCORED]].astype(np.float64)


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

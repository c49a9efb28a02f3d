"""Clips from single files of motion capture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from spgnet.data.mocap.asf_amc import RATE, read_amc, read_asf
from spgnet.data.mocap.body import human36m_joints
from spgnet.data.mocap.bvh import read_bvh
from spgnet.data.mocap.joint_maps import choose_map
from spgnet.data.mocap.joints_file import JointsFile
from spgnet.data.mocap.points import Points
from spgnet.data.mocap.world import in_world, on_floor
from spgnet.motion import MotionClip


def read_clip(path: Path, choices: JointsFile, *, name: str, subject: str, action: str) -> MotionClip:
    """The motion in a BVH or an AMC file, in metres, z up, at its own frame rate.

    A first frame that is a pose to itself, as converters put before the motion, is left out: it is one from
    which the joints jump by over 3 cm on average, ten times as far as in the median frame.

    Raises:
        ValueError: the file is broken, or its skeleton, unit or axes are not clear; the message names it.
    """
    points = _points(path, choices)
    try:
        joint_map = choose_map(points.names, choices.joints, choices.head)
        world = in_world(points, joint_map, unit=choices.unit, up=choices.up)
        joints, guesses = human36m_joints(world, joint_map)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    joints = on_floor(joints[_lead_in(joints) :])
    return MotionClip(
        torch.from_numpy(joints).float(), choices.fps or points.fps, name, subject, action, guesses
    )


def skeleton_of(path: Path) -> Path:
    """The ASF file of an AMC file: of the same beginning (``01.asf`` for ``01_02.amc``), or the only one.

    Raises:
        ValueError: there is none, or it is not clear which it is.
    """
    skeletons = sorted(p for p in path.parent.iterdir() if p.suffix.lower() == ".asf" and p.name[0] != ".")
    same = [p for p in skeletons if p.stem in (path.stem, path.stem.split("_")[0])]
    if len(same or skeletons) != 1:
        raise ValueError(
            f"{path}: its skeleton is not clear: expected {path.stem.split('_')[0]}.asf or a single "
            f".asf file beside it, found {', '.join(p.name for p in skeletons) or 'none'}"
        )
    return (same or skeletons)[0]


def _points(path: Path, choices: JointsFile) -> Points:
    if path.suffix.lower() == ".bvh":
        return read_bvh(path)
    return read_amc(path, read_asf(skeleton_of(path)), choices.fps or RATE)


def _lead_in(joints: np.ndarray) -> int:
    """How many frames to leave out at the start: one, or none."""
    if len(joints) < 3:
        return 0
    steps = np.linalg.norm(np.diff(joints - joints[:, :1], axis=0), axis=-1).mean(axis=1)
    return int(steps[0] > max(0.03, 10 * float(np.median(steps[1:]))))

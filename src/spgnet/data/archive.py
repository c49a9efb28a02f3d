"""Motion archives: many clips of 3D motion in one ``.npz`` file of plain arrays (no pickles).

Layout: ``root`` [N, 3] metres; ``pose`` int16 [N, 17, 3], joint minus root in 0.1 mm; ``valid`` [17],
whether each joint was captured; ``lengths`` [C], frames of each clip; ``clips`` and ``subjects`` [C],
names; ``fps``; ``source`` and ``licence``, text. Joints are Human3.6M's 17, world frame, z up.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from spgnet.motion import MotionClip
from spgnet.skeleton import HUMAN36M

_SHAPES = {
    "root": ("N", 3),
    "pose": ("N", len(HUMAN36M), 3),
    "valid": (len(HUMAN36M),),
    "lengths": ("C",),
    "clips": ("C",),
    "subjects": ("C",),
    "fps": (),
}


def load_motion_archive(path: Path | str) -> list[MotionClip]:
    """The clips of a motion archive; their action is what stands before the last ``/`` of their name.

    Raises:
        ValueError: the file is missing, is no such archive, or holds broken values or joints that were
            not captured. The message names the file and every fault.
    """
    path = Path(path)
    arrays = _read_arrays(path)
    faults = _faults(arrays)
    if faults:
        raise ValueError(f"{path}: not a motion archive: {'; '.join(faults)}")
    joints = torch.from_numpy(arrays["root"][:, None] + arrays["pose"].astype(np.float32) / 10_000)
    pieces = joints.split(arrays["lengths"].tolist())
    names, subjects, fps = arrays["clips"].tolist(), arrays["subjects"].tolist(), float(arrays["fps"])
    try:
        return [
            MotionClip(piece, fps=fps, name=name, subject=subject, action=name.rpartition("/")[0] or subject)
            for piece, name, subject in zip(pieces, names, subjects, strict=True)
        ]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def save_motion_archive(
    path: Path | str, clips: list[MotionClip], *, source: str = "", licence: str = ""
) -> None:
    """Write clips of one frame rate as a motion archive.

    Raises:
        ValueError: there are no clips, they differ in frame rate, or a joint is over 3.2 m from its root.
    """
    if len({clip.fps for clip in clips}) != 1:
        raise ValueError(f"{path}: an archive holds clips of one frame rate, got {len(clips)} clips")
    joints = torch.cat([clip.joints for clip in clips]).double().numpy()
    root = joints[:, 0].astype(np.float32)
    pose = np.round((joints - root[:, None]) * 10_000)
    if np.abs(pose).max() > np.iinfo(np.int16).max:
        raise ValueError(
            f"{path}: a joint is {np.abs(pose).max() / 10_000:.1f} m from its root, at most 3.2 m fit"
        )
    temporary = Path(path).with_suffix(".partial.npz")
    np.savez_compressed(
        temporary,
        root=root,
        pose=pose.astype(np.int16),
        valid=np.ones(len(HUMAN36M), dtype=bool),
        lengths=np.array([len(clip) for clip in clips]),
        clips=np.array([clip.name for clip in clips]),
        subjects=np.array([clip.subject for clip in clips]),
        fps=np.array(clips[0].fps),
        source=np.array(source),
        licence=np.array(licence),
    )
    temporary.replace(path)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a readable .npz file of plain arrays ({error})") from None


def _faults(arrays: dict[str, np.ndarray]) -> list[str]:
    missing = [key for key in _SHAPES if key not in arrays]
    if missing:
        return [f"arrays {', '.join(missing)} are missing"]
    sizes = {"N": len(arrays["root"]), "C": len(arrays["lengths"])}
    faults = []
    for key, shape in _SHAPES.items():
        expected = tuple(sizes.get(str(size), size) for size in shape)
        if arrays[key].shape != expected:
            faults.append(f"{key} has shape {arrays[key].shape}, expected {expected}")
    if int(arrays["lengths"].sum()) != sizes["N"]:
        faults.append(f"the lengths add up to {int(arrays['lengths'].sum())} frames, root has {sizes['N']}")
    if arrays["lengths"].min(initial=1) < 1:
        faults.append("a clip has no frames")
    if arrays["fps"].shape == () and not float(arrays["fps"]) > 0:
        faults.append(f"fps is {float(arrays['fps'])}, expected a positive number")
    if arrays["valid"].shape == (len(HUMAN36M),) and not arrays["valid"].all():
        absent = [HUMAN36M.names[j] for j in np.flatnonzero(~arrays["valid"].astype(bool))]
        faults.append(f"joints {', '.join(absent)} were not captured")
    return faults

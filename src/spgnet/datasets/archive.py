"""Motion archives: many clips of 3D motion in one ``.npz`` file of plain arrays (no pickles).

Layout: ``root`` [N, 3] metres; ``pose`` int16 [N, 17, 3], joint minus root in 0.1 mm; ``valid`` [17],
whether each joint was captured; ``lengths`` [C], frames of each clip; ``clips`` and ``subjects`` [C],
names; ``fps``; ``source`` and ``licence``, text. Joints are Human3.6M's 17, world frame, z up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_npz
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.limits import FASTEST, SLOWEST

_LAYOUT = {
    "root": ("f", ("N", 3)),
    "pose": ("i", ("N", len(HUMAN36M), 3)),
    "valid": ("b", (len(HUMAN36M),)),
    "lengths": ("iu", ("C",)),
    "clips": ("U", ("C",)),
    "subjects": ("U", ("C",)),
    "fps": ("fiu", ()),
}
"""Kinds (numpy's letters) and shape of each array; N frames, C clips."""


def load_motion_archive(path: Path | str) -> list[MotionClip]:
    """The clips of a motion archive; their action is what stands before the last ``/`` of their name.

    Raises:
        InputError: the file is missing, is not a motion archive or holds invalid values. The message names
            the file and lists all errors.
    """
    with prefix_errors(path):
        return _clips(read_npz(path))


def _clips(arrays: dict[str, np.ndarray]) -> list[MotionClip]:
    errors = _errors(arrays)
    if errors:
        raise InputError(f"not a motion archive: {'; '.join(errors)}")
    root, pose = arrays["root"].astype(np.float32), arrays["pose"].astype(np.float32) / 10_000
    joints = torch.from_numpy(root[:, None] + pose)
    pieces = joints.split(arrays["lengths"].tolist())
    names, subjects, fps = arrays["clips"].tolist(), arrays["subjects"].tolist(), float(arrays["fps"])
    unmeasured_joints = tuple(HUMAN36M.names[joint] for joint in np.flatnonzero(~arrays["valid"]))
    return [
        MotionClip(piece, fps, name, subject, name.rpartition("/")[0] or subject, unmeasured_joints)
        for piece, name, subject in zip(pieces, names, subjects, strict=True)
    ]


def save_motion_archive(
    path: Path | str, clips: list[MotionClip], *, source: str = "", licence: str = ""
) -> None:
    """Write clips of one frame rate as a motion archive.

    Raises:
        InputError: there are no clips, they differ in frame rate or in the joints that were captured, or a
            joint is over 3.2 m from its root.
    """
    if len({clip.fps for clip in clips}) != 1:
        raise InputError(f"{path}: an archive holds clips of one frame rate, got {len(clips)} clips")
    if len({frozenset(clip.unmeasured_joints) for clip in clips}) != 1:
        raise InputError(f"{path}: an archive holds clips that lack the same joints")
    joints = torch.cat([clip.joints for clip in clips]).double().numpy()
    root = joints[:, 0].astype(np.float32)
    pose = np.round((joints - root[:, None]) * 10_000)
    if np.abs(pose).max() > np.iinfo(np.int16).max:
        raise InputError(
            f"{path}: a joint is {np.abs(pose).max() / 10_000:.1f} m from its root, at most 3.2 m fit"
        )
    write_npz(
        Path(path),
        root=root,
        pose=pose.astype(np.int16),
        valid=np.array([name not in clips[0].unmeasured_joints for name in HUMAN36M.names]),
        lengths=np.array([len(clip) for clip in clips]),
        clips=np.array([clip.name for clip in clips]),
        subjects=np.array([clip.subject for clip in clips]),
        fps=np.array(clips[0].fps),
        source=np.array(source),
        licence=np.array(licence),
    )


def _errors(arrays: dict[str, np.ndarray]) -> list[str]:
    missing = [key for key in _LAYOUT if key not in arrays]
    if missing:
        return [f"arrays {', '.join(missing)} are missing"]
    sizes = {"N": arrays["root"].shape[:1], "C": arrays["lengths"].shape[:1]}
    errors = []
    for key, (kinds, shape) in _LAYOUT.items():
        expected = tuple(n for size in shape for n in (sizes[size] if isinstance(size, str) else (size,)))
        if arrays[key].shape != expected or len(expected) != len(shape):
            errors.append(f"{key} has shape {arrays[key].shape}, expected {expected}")
        if arrays[key].dtype.kind not in kinds:
            errors.append(f"{key} holds {arrays[key].dtype}, expected {_KIND_NAMES[kinds]}")
    return errors or _value_errors(arrays)


_KIND_NAMES = {
    "f": "floating point numbers",
    "i": "signed integers",
    "b": "booleans",
    "iu": "integers",
    "U": "text",
    "fiu": "a number",
}


def _value_errors(arrays: dict[str, np.ndarray]) -> list[str]:
    frames, lengths, fps = len(arrays["root"]), arrays["lengths"], float(arrays["fps"])
    errors = []
    if int(lengths.sum()) != frames:
        errors.append(f"the lengths add up to {int(lengths.sum())} frames, root has {frames}")
    if lengths.min(initial=1) < 1:
        errors.append("a clip has no frames")
    if not SLOWEST <= fps <= FASTEST:
        errors.append(f"fps is {fps:g}, expected a positive number from {SLOWEST:g} to {FASTEST:g}")
    return errors

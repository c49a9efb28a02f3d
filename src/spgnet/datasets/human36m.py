"""Human3.6M: 3D motion, the four cameras, and the 2D detections that the field shares.

**3D joints** are read by :mod:`spgnet.datasets.human36m_motion`.

**2D joints** of a detector are in ``data_2d_h36m_NAME.npz``. ``positions_2d`` holds, by subject (``S1``) and
then by sequence (``Directions 1``), four arrays [T, 17, 2] in pixels, one for each camera. ``metadata``
describes the joints: ``layout_name`` (which VideoPose3D's script leaves out of ``gt``), ``num_joints``, and
``keypoints_symmetry``, the indices of the left and of the right joints. Videos are a few frames longer than
the captured motion; the surplus frames are dropped.

**Protocol:** train on S1, S5, S6, S7 and S8, test on S9 and S11, all 15 actions, without the corrupt sequence
``Directions`` of S11, as is usual in the field. There is no validation split.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spgnet.datasets.array_errors import pixel_errors, stack_cameras
from spgnet.datasets.human36m_motion import (
    ACTIONS,
    CORRUPT,
    PREPARED,
    Sequences,
    action_of,
    expected_sequences,
    original_source,
    read_motion,
    sequence_name,
    subject_of,
)
from spgnet.datasets.takes import DatasetFormat, DatasetReport, Split, Take
from spgnet.errors import InputError, list_names
from spgnet.geometry.camera import Camera
from spgnet.geometry.rigs import human36m_rig
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.object_arrays import read_dictionaries

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
"""The cameras, in the order of the archives and of :func:`spgnet.geometry.rigs.human36m_rig`."""

_PIXELS = "data_2d_h36m_"
_LAYOUT = "h36m"
_SIDES = [[j for j in range(len(HUMAN36M)) if HUMAN36M.side(j) == side] for side in ("left", "right")]
_FAR = 100.0
"""Median distance, in pixels, above which 2D joints do not belong to the 3D joints."""
_FRAME_STEP = 10
"""Every tenth frame is compared with the projected 3D joints, for speed."""


def pixel_file(root: Path, detector: str) -> Path:
    """The file of a detector's 2D joints."""
    return root / f"{_PIXELS}{detector}.npz"


def detectors_in(root: Path) -> list[str]:
    """The names of the detectors that have a file of 2D joints in a folder."""
    return sorted(file.stem.removeprefix(_PIXELS) for file in root.glob(f"{_PIXELS}?*.npz"))


def read_pixels(file: Path, motion: Sequences, errors: list[str]) -> Sequences:
    """Read a detector's 2D joints of the sequences whose motion is known, as far as they are there.

    A third column, the detector's confidence, comes with them if all cameras of a sequence have it.

    Args:
        file: the archive of 2D joints.
        motion: 3D joints by sequence.
        errors: list to which errors are appended, one line each.

    Returns:
        Joints [4, T, 17, 2 or 3] in pixels by sequence, cut to the frames of the motion.
    """
    try:
        table, metadata = read_dictionaries(file, "positions_2d", "metadata")
    except InputError as error:
        errors.append(str(error))
        return {}
    if layout := _layout_errors(metadata):
        errors.append(f"{file}: {'; '.join(layout)}")
        return {}
    held: dict[str, Any] = {
        f"{subject}/{sequence_name(str(name))}": cameras
        for subject, sequences in table.items()
        if isinstance(sequences, dict)
        for name, cameras in sequences.items()
    }
    pixels = {}
    for name in (name for name in motion if name in held):
        found = pixel_errors(held[name], CAMERAS, len(HUMAN36M), len(motion[name]))
        errors += [f"{file}: {name} {error}" for error in found]
        if not found:
            pixels[name] = torch.from_numpy(stack_cameras(held[name], len(motion[name])).astype(np.float32))
    return pixels


def _layout_errors(metadata: dict[str, Any]) -> list[str]:
    """Errors if the metadata do not describe Human3.6M's 17 joints."""
    name, sides = metadata.get("layout_name"), metadata.get("keypoints_symmetry")
    known = isinstance(sides, list | tuple) if name is None else isinstance(name, str) and name == _LAYOUT
    if not known:
        return [f"has 2D joints of the layout {name!r}, expected {_LAYOUT!r}: Human3.6M's 17 joints"]
    errors = []
    count = metadata.get("num_joints", len(HUMAN36M))
    if not isinstance(count, int | float | np.number) or count != len(HUMAN36M):
        errors.append(f"has {count} joints, expected Human3.6M's {len(HUMAN36M)}")
    if isinstance(sides, list | tuple) and _sorted_texts(sides) != _sorted_texts(_SIDES):
        errors.append(f"has the left and right joints {sides}, expected Human3.6M's {_SIDES}")
    return errors


def _sorted_texts(sides: Sequence[Any]) -> list[list[str]]:
    """The joints of each side as text, which anything in a file can be compared as."""
    return [sorted(map(str, side)) for side in sides if isinstance(side, list | tuple)]


def distances(motion: Sequences, pixels: Sequences) -> Sequences:
    """Median distance [4], in pixels, of 2D joints from the projected 3D joints, by sequence and camera."""
    rigs = {subject: human36m_rig(subject)[:, None] for subject in {subject_of(name) for name in pixels}}
    return {
        name: _distance(rigs[subject_of(name)], motion[name][::_FRAME_STEP], detected[:, ::_FRAME_STEP])
        for name, detected in pixels.items()
    }


def _distance(rig: Camera, joints: Tensor, pixels: Tensor) -> Tensor:
    return (pixels[..., :2] - rig.world_to_image(joints)).norm(dim=-1).flatten(1).median(dim=1).values


def far_errors(file: Path, medians: Sequences) -> list[str]:
    """One error if 2D joints do not match the projected 3D joints.

    Args:
        file: the archive of 2D joints, to be named in the message.
        medians: the result of :func:`distances`.
    """
    far = [name for name, distance in medians.items() if float(distance.max()) > _FAR]
    if not far:
        return []
    distance, camera = (part.item() for part in medians[far[0]].max(dim=0))
    return [
        f"{file}: 2D joints of {len(far)} sequences of {len(medians)} are far from the projected 3D joints: "
        f"those of {far[0]} in camera {CAMERAS[int(camera)]} are off by {distance:.0f} pixels in the median, "
        f"expected pixels of the cameras {', '.join(CAMERAS)} in this order"
    ]


FPS = 50.0
SUBJECTS: dict[Split, tuple[str, ...]] = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
_ALL_SUBJECTS = tuple(subject for subjects in SUBJECTS.values() for subject in subjects)
TEST_FRAMES = 543_344
"""Frames of the whole test split in all cameras, as VideoPose3D reports them (its issue 123)."""


def _root(path: Path) -> Path:
    return path.parent if path.name == PREPARED else path


def _recognises(path: Path) -> bool:
    root = _root(path)
    return (root / PREPARED).is_file() or any(original_source(root, subject) for subject in _ALL_SUBJECTS)


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    root, errors = _root(path), []
    if split not in SUBJECTS:
        return []
    if detector is not None and detector not in detectors_in(root):
        names = ", ".join(detectors_in(root)) or "none"
        raise InputError(f"{root}: has no detections by {detector!r} (it has: {names})")
    motion = read_motion(root, SUBJECTS[split], errors)
    detections: dict[str, Sequences] = {}
    if detector is not None:
        file = pixel_file(root, detector)
        detections[detector] = read_pixels(file, motion, errors)
        errors += far_errors(file, distances(motion, detections[detector]))
    if errors:
        raise InputError("; ".join(errors))
    return _takes(motion, detections)


def _takes(motion: Sequences, detections: dict[str, Sequences]) -> list[Take]:
    rigs = {subject: human36m_rig(subject) for subject in {subject_of(name) for name in motion}}
    return [
        Take(
            name=name,
            subject=subject_of(name),
            action=action_of(name),
            fps=FPS,
            cameras=rigs[subject_of(name)],
            joints=joints,
            detections={detector: pixels[name] for detector, pixels in detections.items()},
        )
        for name, joints in motion.items()
        if all(name in pixels for pixels in detections.values())
    ]


def _missing(split: Split, names: Collection[str]) -> list[str]:
    """The subjects and sequences of a split that are not there."""
    subjects = {subject: [] for subject in SUBJECTS.get(split, ())}
    for name in names:
        subjects.setdefault(subject_of(name), []).append(action_of(name))
    absent = [subject for subject, actions in subjects.items() if not actions]
    lines = [", ".join(absent)] if absent else []
    for subject in (subject for subject in subjects if subject not in absent):
        counts = [(a, subjects[subject].count(a), expected_sequences(subject, a)) for a in ACTIONS]
        lacking = [f"{a} ({found} of {expected})" for a, found, expected in counts if found < expected]
        if lacking:
            lines.append(f"{subject}: {list_names(lacking, len(ACTIONS))}")
    return lines


def _check(path: Path) -> DatasetReport:
    root, errors = _root(path), []
    facts = [f"motion: {_kind(root)}", f"left out as the field does: {', '.join(CORRUPT)} (corrupt)"]
    motion = read_motion(root, _ALL_SUBJECTS, errors)
    for split in SUBJECTS:
        facts.append(_split_fact(split, motion))
        own = [name for name in motion if subject_of(name) in SUBJECTS[split]]
        facts += [f"missing of {split}: {line}" for line in _missing(split, own)]
    for detector in detectors_in(root):
        file = pixel_file(root, detector)
        pixels = read_pixels(file, motion, errors)
        medians = distances(motion, pixels)
        if lacking := [name for name in motion if name not in pixels]:
            facts.append(f"missing of the detections {detector}: {list_names(lacking)}")
        errors += far_errors(file, medians)
        if medians:
            median = float(torch.stack(list(medians.values())).median())
            scored = ", with confidence" if all(each.shape[-1] == 3 for each in pixels.values()) else ""
            facts.append(
                f"detections {detector}: {median:.2f} px from the projected 3D joints (median){scored}"
            )
    if not detectors_in(root):
        facts.append(f"detections: none ({pixel_file(root, 'NAME').name} would be)")
    return DatasetReport(facts, list(dict.fromkeys(errors)))


def _kind(root: Path) -> str:
    if (root / PREPARED).is_file():
        return f"{PREPARED}, as VideoPose3D prepares it"
    sources = [original_source(root, subject) for subject in _ALL_SUBJECTS]
    archives = sum(path is not None and path.suffix == ".tgz" for path in sources)
    folders = sum(path is not None for path in sources) - archives
    return f"as downloaded: {archives} archives and {folders} folders of subjects"


def _split_fact(split: Split, motion: Sequences) -> str:
    lengths = [len(joints) for name, joints in motion.items() if subject_of(name) in SUBJECTS[split]]
    whole = f" (the field's test split has {TEST_FRAMES})" if split == "test" else ""
    return (
        f"{split} ({', '.join(SUBJECTS[split])}): {len(lengths)} sequences, "
        f"{len(CAMERAS) * sum(lengths)} frames in all cameras{whole}"
    )


HUMAN36M_FORMAT = DatasetFormat(
    "Human3.6M", _recognises, _load, _check, frames={"test": TEST_FRAMES}, missing=_missing
)

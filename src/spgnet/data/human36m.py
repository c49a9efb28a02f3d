"""Human3.6M: its motion, its four cameras, and the detections that the field shares.

The protocol is the field's: train on S1, S5, S6, S7 and S8, test on S9 and S11, all 15 actions, without the
corrupt sequence ``Directions`` of S11. There is no validation split. The files are described in
:mod:`spgnet.data.human36m_files` and :mod:`spgnet.data.human36m_pixels`.
"""

from __future__ import annotations

from pathlib import Path

import torch

from spgnet.data.human36m_files import (
    CORRUPT,
    PREPARED,
    Sequences,
    action_of,
    original_source,
    read_motion,
    subject_of,
)
from spgnet.data.human36m_pixels import CAMERAS, detectors_in, distances, far_faults, pixel_file, read_pixels
from spgnet.data.takes import Checked, DatasetFormat, Split, Take
from spgnet.rigs import human36m_rig

FPS = 50.0
SUBJECTS: dict[Split, tuple[str, ...]] = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
_EVERYBODY = tuple(subject for subjects in SUBJECTS.values() for subject in subjects)
TEST_FRAMES = 543_344
"""Frames of the whole test split in all cameras, as VideoPose3D reports them (its issue 123)."""


def _root(path: Path) -> Path:
    return path.parent if path.name == PREPARED else path


def _recognises(path: Path) -> bool:
    root = _root(path)
    return (root / PREPARED).is_file() or any(original_source(root, subject) for subject in _EVERYBODY)


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    root, faults = _root(path), []
    if split not in SUBJECTS:
        return []
    if detector is not None and detector not in detectors_in(root):
        names = ", ".join(detectors_in(root)) or "none"
        raise ValueError(f"{root}: has no detections by {detector!r} (it has: {names})")
    motion = read_motion(root, SUBJECTS[split], faults)
    detections: dict[str, Sequences] = {}
    if detector is not None:
        file = pixel_file(root, detector)
        detections[detector] = read_pixels(file, motion, faults)
        faults += far_faults(file, distances(motion, detections[detector]))
    if faults:
        raise ValueError("; ".join(faults))
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
    ]


def _check(path: Path) -> Checked:
    root, faults = _root(path), []
    facts = [f"motion: {_kind(root)}", f"left out as the field does: {', '.join(CORRUPT)} (corrupt)"]
    motion = read_motion(root, _EVERYBODY, faults)
    facts += [_split_fact(split, motion) for split in SUBJECTS]
    for detector in detectors_in(root):
        file = pixel_file(root, detector)
        apart = distances(motion, read_pixels(file, motion, faults))
        faults += far_faults(file, apart)
        if apart:
            median = float(torch.stack(list(apart.values())).median())
            facts.append(f"detections {detector}: {median:.2f} px from the projected 3D joints (median)")
    if not detectors_in(root):
        facts.append(f"detections: none ({pixel_file(root, 'NAME').name} would be)")
    return Checked(facts, list(dict.fromkeys(faults)))


def _kind(root: Path) -> str:
    if (root / PREPARED).is_file():
        return f"{PREPARED}, as VideoPose3D prepares it"
    places = [original_source(root, subject) for subject in _EVERYBODY]
    archives = sum(place is not None and place.suffix == ".tgz" for place in places)
    folders = sum(place is not None for place in places) - archives
    return f"as downloaded: {archives} archives and {folders} folders of subjects"


def _split_fact(split: Split, motion: Sequences) -> str:
    lengths = [len(joints) for name, joints in motion.items() if subject_of(name) in SUBJECTS[split]]
    whole = f" (the field's test split has {TEST_FRAMES})" if split == "test" else ""
    return (
        f"{split} ({', '.join(SUBJECTS[split])}): {len(lengths)} sequences, "
        f"{len(CAMERAS) * sum(lengths)} frames in all cameras{whole}"
    )


HUMAN36M_FORMAT = DatasetFormat("Human3.6M", _recognises, _load, _check)

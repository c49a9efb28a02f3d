"""Human3.6M's 3D motion, from either of its two layouts.

- **Prepared** (by VideoPose3D's script): ``data_3d_h36m.npz`` holds ``positions_3d``: by subject (``S1``) and
  then by sequence (``Directions 1``) 32 joints [T, 32, 3] in metres, world frame, z up.
- **As downloaded:** ``Poses_D3_Positions_S1.tgz`` and so on, or the folders that these unpack to. Each file
  in them, such as ``S1/MyPoseFeatures/D3_Positions/Directions 1.cdf``, is a CDF file whose variable ``Pose``
  [1, T, 96] holds the same joints in millimetres.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spgnet.datasets.array_errors import array_errors
from spgnet.datasets.cdf import CdfReader
from spgnet.errors import InputError, list_names, one_line, printable
from spgnet.extras import import_extra
from spgnet.files import DAMAGED_ARCHIVE
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.limits import check_unpacked_size
from spgnet.object_arrays import read_dictionaries

ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether"),
)
"""The 15 actions by the field's names. Every subject performs each twice."""

JOINTS = {
    0: "pelvis",
    1: "right_hip",
    2: "right_knee",
    3: "right_ankle",
    6: "left_hip",
    7: "left_knee",
    8: "left_ankle",
    12: "spine",
    13: "thorax",
    14: "nose",
    15: "head_top",
    17: "left_shoulder",
    18: "left_elbow",
    19: "left_wrist",
    25: "right_shoulder",
    26: "right_elbow",
    27: "right_wrist",
}
"""Those of the 32 joints that the field uses. The others are repetitions, toes, fingers and the like."""

CORRUPT = ("S11/Directions",)
"""Sequences that the field leaves out since their recordings are damaged."""

PREPARED = "data_3d_h36m.npz"
_POSITIONS = ("MyPoseFeatures", "D3_Positions")
_LARGEST = 64 * 2**20
"""Bytes of one sequence; those of Human3.6M have less than five million."""
_FARTHEST = 20.0
"""Metres from the origin; joints beyond are in other units."""
_BEYOND = 1e6
"""Metres beyond which a number is damage, and not one in another unit."""
_THIGH = (0.25, 0.75)
"""Metres; thighs of other lengths are in other units, or of other joints."""
_KEPT = [next(index for index, joint in JOINTS.items() if joint == name) for name in HUMAN36M.names]

Sequences = dict[str, Tensor]
"""Joints by sequence (``S9/Directions 1``): [T, 17, 3] in metres, or [4, T, 17, 2] in pixels."""


def sequence_name(name: str) -> str:
    """A sequence's name as the field writes it; some files have ``TakingPhoto`` and ``WalkingDog``."""
    return name.replace("TakingPhoto", "Photo").replace("WalkingDog", "WalkDog")


def subject_of(sequence: str) -> str:
    """The subject of a sequence: ``S9`` of ``S9/Directions 1``."""
    return sequence.partition("/")[0]


def action_of(sequence: str) -> str:
    """The action of a sequence: ``Directions`` of ``Directions 1`` and of ``S9/Directions 1``."""
    return sequence.rpartition("/")[2].split(" ")[0]


def original_source(root: Path, subject: str) -> Path | None:
    """A subject's folder of CDF files or its archive as downloaded; None if there is neither."""
    archive = f"Poses_D3_Positions_{subject}"
    for folder in (subject, f"{archive}/{subject}", archive):
        if (root / folder).joinpath(*_POSITIONS).is_dir():
            return (root / folder).joinpath(*_POSITIONS)
    return root / f"{archive}.tgz" if (root / f"{archive}.tgz").is_file() else None


class _Source(NamedTuple):
    """A subject's sequences.

    Attributes:
        path: the file or folder of the subject.
        sequences: the encoded joints of each sequence, by its name.
        decode: converts these to joints [T, 32, 3] in metres; raises an InputError if they are invalid.
    """

    path: Path
    sequences: Any
    decode: Callable[[Any], Any]


def read_motion(root: Path, subjects: tuple[str, ...], errors: list[str]) -> Sequences:
    """Read the motion of the sequences of some subjects that are there, without the corrupt one.

    Args:
        root: the folder of the files, in any of the layouts.
        subjects: the subjects to read; files that hold only other subjects are not opened.
        errors: list to which errors are appended, one line each.

    Returns:
        Joints [T, 17, 3] in metres, world frame (z up), by sequence.
    """
    with CdfReader() as reader:
        try:
            prepared = (root / PREPARED).is_file()
            source_of = _prepared(root / PREPARED) if prepared else _original(root, reader)
        except InputError as error:
            errors.append(str(error))
            return {}
        return _read_subjects(subjects, source_of, errors)


def _read_subjects(
    subjects: tuple[str, ...], source_of: Callable[[str], _Source], errors: list[str]
) -> Sequences:
    motion: Sequences = {}
    for subject in subjects:
        try:
            source = source_of(subject)
        except InputError as error:
            errors.append(str(error))
            continue
        if isinstance(source.sequences, dict):
            _read_subject(subject, source, motion, errors)
        elif source.sequences is not None:
            errors.append(
                f"{source.path}: {subject} is {type(source.sequences).__name__}, expected sequences"
            )
    return motion


def _read_subject(subject: str, source: _Source, motion: Sequences, errors: list[str]) -> None:
    held = {f"{subject}/{sequence_name(str(name))}": raw for name, raw in source.sequences.items()}
    held = {name: raw for name, raw in held.items() if name not in CORRUPT}
    errors += [f"{source.path}: {subject} {error}" for error in _surplus(list(held))]
    for name, raw in held.items():
        try:
            values = source.decode(raw)
        except InputError as error:
            errors.append(f"{source.path}: {printable(name)} {error}")
            continue
        found = _motion_errors(values)
        errors += [f"{source.path}: {printable(name)} {error}" for error in found]
        if not found:
            motion[name] = torch.from_numpy(values[:, _KEPT].astype(np.float32))


def expected_sequences(subject: str, action: str) -> int:
    """How many sequences of an action a subject has, without the corrupt one."""
    return 2 - sum(action_of(name) == action for name in CORRUPT if subject_of(name) == subject)


def _surplus(names: list[str]) -> list[str]:
    """Errors if a subject has more than two sequences of an action, or other actions than the field's."""
    actions = [action_of(name) for name in names]
    errors = [
        f"has {actions.count(action)} sequences of {action}, expected 2"
        for action in ACTIONS
        if actions.count(action) > 2
    ]
    unknown = sorted(set(actions) - set(ACTIONS))
    return [*errors, f"has unknown actions: {list_names(unknown)}"] if unknown else errors


def _prepared(file: Path) -> Callable[[str], _Source]:
    (table,) = read_dictionaries(file, "positions_3d")
    return lambda subject: _Source(file, table.get(subject), lambda values: values)


def _original(root: Path, reader: CdfReader) -> Callable[[str], _Source]:
    import_extra("cdflib", "datasets")  # one error if it is missing, not one for each subject

    def decode(content: bytes) -> np.ndarray:
        return cdf_positions(content, reader)

    def source_of(subject: str) -> _Source:
        path = original_source(root, subject)
        if path is None:
            return _Source(root, {}, decode)
        if path.suffix == ".tgz":
            return _Source(path, _members(path, subject), decode)
        files = sorted(path.glob("[!.]*.cdf"))
        return _Source(path, {file.stem: file.read_bytes() for file in files}, decode)

    return source_of


def _members(archive: Path, subject: str) -> dict[str, bytes]:
    """The CDF files in an archive. Nothing is unpacked to a path that the archive names."""
    files, unpacked, stored = {}, 0, archive.stat().st_size
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                path = PurePosixPath(member.name)
                unpacked += max(0, member.size)
                check_unpacked_size(unpacked, stored)
                if member.isfile() and member.size <= _LARGEST and _is_position_file(path, subject):
                    held = members.extractfile(member)
                    assert held is not None  # it is a file
                    files[path.stem] = held.read()
    except InputError as error:
        raise InputError(f"{archive}: {error}") from None
    except (*DAMAGED_ARCHIVE, tarfile.TarError, RecursionError) as error:
        raise InputError(f"{archive}: not a readable .tgz archive ({one_line(error)})") from None
    return files


def _is_position_file(path: PurePosixPath, subject: str) -> bool:
    return (
        path.suffix == ".cdf"
        and not path.name.startswith(".")
        and path.parts[-3:-1] == _POSITIONS
        and path.parts[-4:-3] in ((), (".",), (subject,))
    )


def cdf_positions(content: bytes, reader: CdfReader) -> np.ndarray:
    """Joints [T, 32, 3] in metres of a CDF file.

    Raises:
        InputError: it cannot be read, or holds something else. The message does not name a file.
    """
    values = reader.read(content, "Pose")
    if values.dtype.kind != "f" or values.shape[-1:] != (96,) or values.shape[:-2] not in ((), (1,)):
        raise InputError(f"has a 'Pose' of {values.dtype} {values.shape}, expected floats (1, frames, 96)")
    if not (np.abs(values) < 1000 * _BEYOND).all():
        raise InputError("has a 'Pose' with NaN or infinity, or joints far beyond any room")
    return (values.reshape(-1, 32, 3) / 1000).astype(np.float32)


def _motion_errors(values: Any) -> list[str]:
    errors = array_errors(values, (32, 3))
    if errors:
        return errors
    if np.abs(values).max() > _FARTHEST:
        return [f"has joints {np.abs(values).max():.0f} from the origin, expected metres"]
    thigh = float(np.median(np.linalg.norm(values[:, 2] - values[:, 1], axis=-1)))
    if not _THIGH[0] < thigh < _THIGH[1]:
        return [f"has thighs of a length of {thigh:.3g}, expected people in metres and Human3.6M's joints"]
    return []

"""Human3.6M's 3D joints, as downloaded or as VideoPose3D's script prepares them.

- **Prepared:** ``data_3d_h36m.npz`` holds ``positions_3d``: by subject (``S1``) and then by sequence
  (``Directions 1``) 32 joints [T, 32, 3] in metres, world frame, z up.
- **As downloaded:** ``Poses_D3_Positions_S1.tgz`` and so on, or what they unpack to. A member, such as
  ``S1/MyPoseFeatures/D3_Positions/Directions 1.cdf``, is a CDF file. Its variable ``Pose`` [1, T, 96] holds
  the same in millimetres.
"""

from __future__ import annotations

import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spgnet.data.object_arrays import array_faults, read_object_arrays
from spgnet.skeleton import HUMAN36M

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
_THIGH = (0.25, 0.75)
"""Metres; thighs of other lengths are in other units, or of other joints."""
_KEPT = [next(place for place, held in JOINTS.items() if held == name) for name in HUMAN36M.names]

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
        place: their file or folder.
        sequences: what holds the joints, by the names of the sequences.
        decode: turns that into joints [T, 32, 3] in metres; raises a ValueError that says what is wrong.
    """

    place: Path
    sequences: Any
    decode: Callable[[Any], Any]


def read_motion(root: Path, subjects: tuple[str, ...], faults: list[str]) -> Sequences:
    """The motion of all sequences of some subjects, without the corrupt one; faults are added to the list.

    Args:
        root: the folder of the files, in any of the layouts.
        subjects: whom to read; files of others stay closed where each has their own.
        faults: where to tell what is wrong, a line each.
    """
    motion: Sequences = {}
    try:
        source_of = _prepared(root / PREPARED) if (root / PREPARED).is_file() else _original(root)
    except ValueError as error:
        faults.append(str(error))
        return motion
    for subject in subjects:
        try:
            source = source_of(subject)
        except ValueError as error:
            faults.append(str(error))
            continue
        if isinstance(source.sequences, dict) and source.sequences:
            _read_subject(subject, source, motion, faults)
        else:
            faults.append(f"{source.place}: {subject} is missing")
    return motion


def _read_subject(subject: str, source: _Source, motion: Sequences, faults: list[str]) -> None:
    held = {f"{subject}/{sequence_name(str(name))}": raw for name, raw in source.sequences.items()}
    held = {name: raw for name, raw in held.items() if name not in CORRUPT}
    faults += [f"{source.place}: {subject} {fault}" for fault in _incomplete(subject, list(held))]
    for name, raw in held.items():
        try:
            values = source.decode(raw)
        except ValueError as error:
            faults.append(f"{source.place}: {name} {error}")
            continue
        found = _motion_faults(values)
        faults += [f"{source.place}: {name} {fault}" for fault in found]
        if not found:
            motion[name] = torch.from_numpy(values[:, _KEPT].astype(np.float32))


def _incomplete(subject: str, names: list[str]) -> list[str]:
    """What is missing of two sequences of every action, and what is there besides."""
    faults = []
    actions = [action_of(name) for name in names]
    for action in ACTIONS:
        expected = 2 - sum(action_of(name) == action for name in CORRUPT if name.startswith(f"{subject}/"))
        if actions.count(action) != expected:
            faults.append(f"has {actions.count(action)} sequences of {action}, expected {expected}")
    unknown = sorted(set(actions) - set(ACTIONS))
    return [*faults, f"has unknown actions: {', '.join(unknown)}"] if unknown else faults


def _prepared(file: Path) -> Callable[[str], _Source]:
    table = read_object_arrays(file).get("positions_3d")
    if not isinstance(table, dict):
        raise ValueError(f"{file}: has no dictionary 'positions_3d'")
    return lambda subject: _Source(file, table.get(subject), lambda values: values)


def _original(root: Path) -> Callable[[str], _Source]:
    _cdflib()  # told once if it is missing

    def source_of(subject: str) -> _Source:
        place = original_source(root, subject)
        if place is None:
            return _Source(root, {}, _cdf_positions)
        if place.suffix == ".tgz":
            return _Source(place, _members(place, subject), _cdf_positions)
        files = sorted(place.glob("[!.]*.cdf"))
        return _Source(place, {file.stem: file.read_bytes() for file in files}, _cdf_positions)

    return source_of


def _cdflib() -> Any:
    try:
        import cdflib
    except ImportError:
        raise ValueError("cdflib is missing; install it with: pip install 'spgnet[datasets]'") from None
    return cdflib


def _members(archive: Path, subject: str) -> dict[str, bytes]:
    """The CDF files in an archive. Nothing is unpacked to a path that the archive names."""
    files = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                path = PurePosixPath(member.name)
                if member.isfile() and member.size <= _LARGEST and _is_position_file(path, subject):
                    held = members.extractfile(member)
                    assert held is not None  # it is a file
                    files[path.stem] = held.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{archive}: not a readable .tgz archive ({error})") from None
    return files


def _is_position_file(path: PurePosixPath, subject: str) -> bool:
    return (
        path.suffix == ".cdf"
        and not path.name.startswith(".")
        and path.parts[-3:-1] == _POSITIONS
        and path.parts[-4:-3] in ((), (".",), (subject,))
    )


def _cdf_positions(content: bytes) -> np.ndarray:
    """Joints [T, 32, 3] in metres of a CDF file, which its reader needs on disk."""
    with tempfile.NamedTemporaryFile(suffix=".cdf") as file:
        file.write(content)
        file.flush()
        try:
            values = np.asarray(_cdflib().CDF(Path(file.name)).varget("Pose"))
        except Exception as error:  # whatever the reader stumbles on
            told = " ".join(str(error).replace(file.name, "it").split())
            raise ValueError(f"is no readable CDF file with a variable 'Pose' ({told})") from None
    if values.dtype.kind != "f" or values.shape[-1:] != (96,) or values.shape[:-2] not in ((), (1,)):
        raise ValueError(f"has a 'Pose' of {values.dtype} {values.shape}, expected floats (1, frames, 96)")
    return (values.reshape(-1, 32, 3) / 1000).astype(np.float32)


def _motion_faults(values: Any) -> list[str]:
    faults = array_faults(values, (32, 3))
    if faults:
        return faults
    if np.abs(values).max() > _FARTHEST:
        return [f"has joints {np.abs(values).max():.0f} from the origin, expected metres"]
    thigh = float(np.median(np.linalg.norm(values[:, 2] - values[:, 1], axis=-1)))
    if not _THIGH[0] < thigh < _THIGH[1]:
        return [f"has thighs of a length of {thigh:.3g}, expected people in metres and Human3.6M's joints"]
    return []

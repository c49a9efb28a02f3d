"""MPI-INF-3DHP as it is distributed: the test set, ``TS1`` to ``TS6``, each with ``annot_data.mat``.

The training set is read by :mod:`spgnet.datasets.mpi_inf_3dhp_training`; either may be there without the
other. The files of the test set are MATLAB 7.3 (HDF5), whose arrays h5py gives with their axes reversed:

======================= ================ ======================================================
``annot2``              [T, 1, 17, 2]     pixels
``annot3``              [T, 1, 17, 3]     millimetres, camera frame (x right, y down, z forward)
``univ_annot3``         [T, 1, 17, 3]     the same, scaled to a skeleton of one height for all
``valid_frame``         [T, 1]            1 where the frame is evaluated
``activity_annotation`` [T, 1]            1 to 7, see :data:`ACTIVITIES`
======================= ================ ======================================================

**Which 3D.** The official evaluation (``mpii_test_predictions.m``, and the readme beside it) compares with
``univ_annot3`` relative to its pelvis, and so does the field (SPIN, P-STMO and those that follow it); so do
we. Only ``annot3`` is known to project onto ``annot2``. The pelvis is therefore that of ``annot3``, moved
along its ray by the ratio of the two skeletons' sizes: scores relative to the pelvis are the official ones,
and the joints still project onto ``annot2``.

**Camera.** The published focal lengths of TS1 to TS4 differ between the official files (7.320 and 7.325 mm),
so the intrinsics of every sequence are fitted to its ``annot2`` and ``annot3``. The extrinsics are not
needed: the world is that of a level camera at the origin.

**Which frames.** A take is a stretch of one activity with all of its frames, of which the valid ones are
evaluated. In TS1 to TS4 only about one frame in ten is valid (603 of the 6151 of TS1); the field's temporal
networks take the frames between as input as well, and so do ours. A frame that is not valid keeps its values
as input unless its 3D or 2D joints are not finite or a joint is less than 0.3 m in front of the camera; then
it takes the values of the nearest valid frame of its stretch. A stretch without valid frames is left
out. A frame that is not valid and has no activity from 1 to 7 belongs to that of the nearest frame that has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from spgnet.datasets.lens_fit import LensFit, fit_lens
from spgnet.datasets.mpi_inf_3dhp_training import (
    BEYOND,
    FPS,
    NEAREST_MM,
    UNRELATED,
    missing_sequences,
    present_sequences,
    read_training_sequence,
    training_fact,
    training_take,
    universal_joints,
)
from spgnet.datasets.takes import DatasetFormat, DatasetReport, Split, Take
from spgnet.errors import InputError, list_names, prefix_errors
from spgnet.extras import import_extra
from spgnet.geometry.interpolate import nearest_at
from spgnet.hdf5 import check_size, open_hdf5

SEQUENCES = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
ACTIVITIES = (
    "Standing/Walking",
    "Exercising",
    "Sitting",
    "Reaching/Crouching",
    "On the Floor",
    "Sports",
    "Miscellaneous",
)
"""Names of the activities 1 to 7."""
JOINTS = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
"""Index of each of our joints among theirs, which are head top, neck, right arm, left arm, right leg, left
leg, pelvis, spine, head (their list of "relevant" joints, which are those of Human3.6M)."""
TEST_FRAMES = 2929
"""Valid frames of the whole test set."""

_FOLDER, _FILE = "mpi_inf_3dhp_test_set", "annot_data.mat"
_LAYOUT = {
    "annot2": (1, 17, 2),
    "annot3": (1, 17, 3),
    "univ_annot3": (1, 17, 3),
    "valid_frame": (1,),
    "activity_annotation": (1,),
}
"""Shape of each array after its frames."""
_EXACT = 0.5
"""Median distance in pixels up to which 2D is exactly the projection of 3D."""
_NEAREST = 0.3
"""Least distance, in metres, of a joint from the image plane."""


class _Sequence(NamedTuple):
    """One sequence; joints [T, 17, 3] in metres, camera frame, and pixels [T, 17, 2], in our order."""

    name: str
    activities: np.ndarray
    valid: np.ndarray
    joints: np.ndarray
    pixels: np.ndarray
    lens: LensFit
    scale: float
    shift: float


_AnySequence = TypeVar("_AnySequence")


def _image_size(name: str) -> tuple[int, int]:
    return (1920, 1080) if name in ("TS5", "TS6") else (2048, 2048)


def _root(path: Path) -> Path:
    return path / _FOLDER if (path / _FOLDER).is_dir() else path


def _recognises(path: Path) -> bool:
    return bool(_present(path, "train") or _present(path, "test"))


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    import_extra("h5py", "datasets")  # one error if it is missing, not one for each file
    with prefix_errors(file):
        try:
            with open_hdf5(file, "datasets") as held:
                found = {key: held[key] for key in _LAYOUT if hasattr(held.get(key), "shape")}
                for key, dataset in found.items():
                    check_size(dataset, key)
                return {key: np.asarray(dataset) for key, dataset in found.items()}
        except InputError as error:
            raise InputError(f"not a readable MATLAB 7.3 file ({error})") from None


def _layout_errors(arrays: dict[str, np.ndarray]) -> list[str]:
    missing = [key for key in _LAYOUT if key not in arrays]
    errors = [f"arrays {', '.join(missing)} are missing"] if missing else []
    frames = next((arrays[key].shape[:1] for key in _LAYOUT if key in arrays), (0,))
    for key, array in arrays.items():
        if array.shape != (*frames, *_LAYOUT[key]):
            errors.append(f"{key} has shape {array.shape}, expected {('frames', *_LAYOUT[key])}")
        elif array.dtype.kind not in "fiub":
            errors.append(f"{key} holds {array.dtype}, expected numbers")
    return errors


def _value_errors(arrays: dict[str, np.ndarray]) -> list[str]:
    errors, valid = [], arrays["valid_frame"][:, 0] == 1
    if not valid.any():
        return ["no frame is valid"]
    for key in ("annot2", "annot3", "univ_annot3"):
        broken = ~(np.abs(arrays[key].astype(np.float64)) <= BEYOND).all(axis=(1, 2, 3)) & valid
        if broken.any():
            first = int(broken.argmax())
            errors.append(
                f"{key} holds NaN, infinity or immense numbers in {broken.sum()} valid frames, the first is "
                f"{first}"
            )
    activities = set(arrays["activity_annotation"][valid, 0].tolist())
    unknown = sorted(activities - set(range(1, len(ACTIVITIES) + 1)))
    if unknown:
        errors.append(f"activity_annotation holds {list_names([f'{n:g}' for n in unknown])}, expected 1 to 7")
    if errors:
        return errors
    for key in ("annot3", "univ_annot3"):
        depth = arrays[key][valid][..., 2]
        if depth.min() < NEAREST_MM:
            errors.append(f"{key} has joints behind the camera")
        elif np.median(depth) < 100:
            errors.append(f"{key} is {np.median(depth):.3g} from the camera, expected millimetres")
    return errors


def _read_sequence(root: Path, name: str) -> _Sequence:
    """A sequence of the test set.

    Raises:
        InputError: the file is missing or broken. The message names it and lists all errors.
    """
    file = root / name / _FILE
    arrays = _read_arrays(file)
    errors = _layout_errors(arrays) or _value_errors(arrays)
    if errors:
        with prefix_errors(file):
            raise InputError("; ".join(errors))
    valid = arrays["valid_frame"][:, 0] == 1
    activities = _known_activities(arrays["activity_annotation"][:, 0])
    with np.errstate(all="ignore"):  # frames that are not valid may hold anything
        real, universal = (
            arrays[key][:, 0, JOINTS].astype(np.float64) / 1000 for key in ("annot3", "univ_annot3")
        )
        pixels = arrays["annot2"][:, 0, JOINTS].astype(np.float64)
        joints, scale = universal_joints(real, universal, valid)
        shift = float(np.median(np.linalg.norm(joints[valid] - universal[valid], axis=-1)))
    try:
        lens = _fit(real[valid].reshape(-1, 3), pixels[valid].reshape(-1, 2), _image_size(name))
    except InputError as error:
        raise InputError(f"{file}: annot2 is no projection of annot3: {error}") from None
    if lens.residual > UNRELATED:
        raise InputError(
            f"{file}: annot2 is no projection of annot3: the best lens is off by {lens.residual:.1f} pixels"
        )
    return _Sequence(name, activities, valid, joints, pixels, lens, scale, shift)


def _fit(points: np.ndarray, pixels: np.ndarray, image_size: tuple[int, int]) -> LensFit:
    """A lens without distortion, unless one with it halves a residual that is not small."""
    straight = fit_lens(points, pixels, image_size, distorted=False)
    if straight.residual <= _EXACT:
        return straight
    bent = fit_lens(points, pixels, image_size, distorted=True)
    return bent if bent.residual < straight.residual / 2 else straight


def _known_activities(held: np.ndarray) -> np.ndarray:
    """The activity of each frame, 1 to 7; that of the nearest frame that has one where there is none."""
    return held[_nearest_marked(np.isin(held, range(1, len(ACTIVITIES) + 1)))].astype(int)


def _nearest_marked(marked: np.ndarray) -> np.ndarray:
    """For each frame, the index of the nearest one that is marked."""
    frames = np.flatnonzero(marked)
    return nearest_at(frames, frames, np.arange(len(marked)))


def _stretches(sequence: _Sequence) -> Iterator[tuple[int, int]]:
    """First frame, and the one after the last, of every stretch of one activity that has valid frames."""
    bounds = [0, *(np.flatnonzero(np.diff(sequence.activities)) + 1).tolist(), len(sequence.activities)]
    for start, stop in pairwise(bounds):
        if sequence.valid[start:stop].any():
            yield start, stop


def _filled(sequence: _Sequence, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Joints and pixels of a stretch; frames that are not usable take those of the nearest valid one."""
    joints, pixels = sequence.joints[start:stop], sequence.pixels[start:stop]
    valid = sequence.valid[start:stop]
    finite = np.isfinite(joints).all(axis=(1, 2)) & np.isfinite(pixels).all(axis=(1, 2))
    usable = valid | finite & (joints[..., 2] >= _NEAREST).all(axis=1)
    source = np.where(usable, np.arange(len(valid)), _nearest_marked(valid))
    return joints[source], pixels[source]


def _takes(sequence: _Sequence, detector: str | None) -> list[Take]:
    camera = sequence.lens.camera
    takes = []
    for start, stop in _stretches(sequence):
        joints, pixels = (torch.from_numpy(array).float() for array in _filled(sequence, start, stop))
        takes.append(
            Take(
                name=f"{sequence.name}@{start}",
                subject=sequence.name,
                action=ACTIVITIES[sequence.activities[start] - 1],
                fps=FPS,
                cameras=camera[None],
                joints=camera.camera_to_world(joints),
                detections={} if detector is None else {detector: pixels[None]},
                eval_mask=torch.from_numpy(sequence.valid[start:stop]),
            )
        )
    return takes


def _load(path: Path, split: Split, detector: str | None) -> list[Take]:
    if not (present := _present(path, split)):
        return []
    if detector not in (None, "gt"):
        raise InputError(f"{path}: has no detections by {detector!r} (it has: gt)")
    if split == "train":
        training, errors = _read_all(partial(read_training_sequence, path), present)
        takes = [training_take(sequence, detector) for sequence in training]
    else:
        sequences, errors = _read_all(partial(_read_sequence, _root(path)), SEQUENCES)
        takes = [take for sequence in sequences for take in _takes(sequence, detector)]
    if errors:
        raise InputError("; ".join(errors))
    return takes


def _present(path: Path, split: Split) -> list[str]:
    """Names of the sequences of a split that are there."""
    if split == "train":
        return present_sequences(path)
    return [name for name in SEQUENCES if split == "test" and (_root(path) / name / _FILE).is_file()]


def _read_all(
    read: Callable[[str], _AnySequence], names: Iterable[str]
) -> tuple[list[_AnySequence], list[str]]:
    """The sequences that can be read, and the errors of the others."""
    sequences, errors = [], []
    for name in names:
        try:
            sequences.append(read(name))
        except InputError as error:
            errors.append(str(error))
    return sequences, list(dict.fromkeys(errors))


def _missing(split: Split, names: Collection[str]) -> list[str]:
    absent = missing_sequences(names) if split == "train" else []
    return [", ".join(absent)] if absent else []


def _check(path: Path) -> DatasetReport:
    facts, errors = [], []
    if present := _present(path, "train"):
        training, errors = _read_all(partial(read_training_sequence, path), present)
        facts = [training_fact(sequence) for sequence in training]
        facts += [f"missing of train: {line}" for line in _missing("train", present)]
    if _present(path, "test"):
        sequences, wrong = _read_all(partial(_read_sequence, _root(path)), SEQUENCES)
        facts += [_fact(sequence) for sequence in sequences]
        errors += wrong
    return DatasetReport(facts, errors)


def _fact(sequence: _Sequence) -> str:
    lengths = [stop - start for start, stop in _stretches(sequence)]
    camera = sequence.lens.camera
    fx, fy = camera.focal.tolist()
    lens = "with distortion" if bool((camera.radial != 0).any()) else "no distortion"
    return (
        f"{sequence.name}: {sequence.valid.sum()} valid of {len(sequence.valid)} frames, in {len(lengths)} "
        f"takes of up to {max(lengths)}; focal lengths {fx:.1f}, {fy:.1f} px ({lens}), fitted with a median "
        f"error of {sequence.lens.residual:.2f} px; the universal skeleton is {sequence.scale:.3f} times as "
        f"large and moved by {1000 * sequence.shift:.1f} mm (median)"
    )


MPI_INF_3DHP_FORMAT = DatasetFormat(
    "MPI-INF-3DHP", _recognises, _load, _check, frames={"test": TEST_FRAMES}, missing=_missing
)

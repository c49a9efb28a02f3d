"""The training set of MPI-INF-3DHP, as it is distributed: ``S1/Seq1`` to ``S8/Seq2``, two files each.

``annot.mat`` is a MATLAB 5 file with a cell for each of 14 cameras; 28 joints in each frame's row:

================ ============ =====================================================================
``annot2``       [T, 56]      pixels: x1, y1, x2, y2, ...
``annot3``       [T, 84]      millimetres, camera frame: x1, y1, z1, x2, ...
``univ_annot3``  [T, 84]      the same, scaled to a skeleton of one height for all
``cameras``      [14]         the number of each cell's camera
================ ============ =====================================================================

``camera.calibration`` is text (Skeletool's): by camera ``size``, and the 4 x 4 matrices ``intrinsic`` and
``extrinsic`` (world to camera, millimetres; the world's y axis is up).

**Protocol**, that of P-STMO's code, which the field's temporal networks follow: all 16 sequences, the eight
cameras of :data:`CAMERAS`, 2D from ``annot2``, 3D from ``univ_annot3`` relative to the pelvis, every frame
at its own rate (five sequences have 50 frames per second, the others 25), and as many frames as the videos
have (:data:`FRAMES`): the authors' readme advises so, since some videos end before their annotations.

The universal skeleton is put where its joints project onto ``annot2``: the pelvis and the cameras move
towards the world's origin by the ratio of the skeletons' sizes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spgnet.datasets.matlab import read_matlab
from spgnet.datasets.takes import Take
from spgnet.errors import InputError, list_names, prefix_errors
from spgnet.geometry.camera import Camera, concatenate_cameras, opencv_camera
from spgnet.limits import LARGEST_SETTINGS
from spgnet.text import read_text

CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""The cameras that the field uses (``vnect`` in the authors' ``mpii_get_camera_set.m``)."""
FRAMES = {
    "S1/Seq1": 6416,
    "S1/Seq2": 12430,
    "S2/Seq1": 6502,
    "S2/Seq2": 6081,
    "S3/Seq1": 12488,
    "S3/Seq2": 12283,
    "S4/Seq1": 6171,
    "S4/Seq2": 6675,
    "S5/Seq1": 12820,
    "S5/Seq2": 12312,
    "S6/Seq1": 6188,
    "S6/Seq2": 6145,
    "S7/Seq1": 6239,
    "S7/Seq2": 6320,
    "S8/Seq1": 6468,
    "S8/Seq2": 6054,
}
"""Frames of the videos of each sequence (the authors' ``mpii_get_sequence_info.m``)."""
FPS = 25.0
"""Frames per second that are assumed of every sequence: those of the test set are not published, and the
field trains and tests on frames, whatever their rate. No error depends on it but those per second."""
BEYOND = 1e9
"""Pixels or millimetres beyond which a number is an error."""
NEAREST_MM = 1.0
"""Millimetres in front of the camera, less than which counts as behind it."""
UNRELATED = 20.0
"""Median distance in pixels from which 2D is no projection of 3D."""

_JOINTS = (4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16)
"""Index of each of our joints among their 28 (``mpii_get_joint_set.m``)."""
_ALL_JOINTS = 28
_COLUMNS = {"annot2": 2 * _ALL_JOINTS, "annot3": 3 * _ALL_JOINTS, "univ_annot3": 3 * _ALL_JOINTS}
_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From their world (y up) to ours (z up)."""


class TrainingSequence(NamedTuple):
    """One sequence, as the cameras of :data:`CAMERAS` filmed it.

    Attributes:
        name: ``S1/Seq1``.
        joints: [T, 17, 3], the universal skeleton, metres, world frame (z up).
        pixels: [8, T, 17, 2].
        cameras: a batch of shape [8].
        scale: how large the universal skeleton is to the real one.
        residual: median distance in pixels between ``pixels`` and the projected joints, of the worst camera.
    """

    name: str
    joints: Tensor
    pixels: Tensor
    cameras: Camera
    scale: float
    residual: float


def present_sequences(root: Path) -> list[str]:
    """Names of the sequences that a folder holds."""
    return [name for name in FRAMES if (root / name / "annot.mat").is_file()]


def missing_sequences(names: Collection[str]) -> list[str]:
    """Names of the sequences that are not among these."""
    return [name for name in FRAMES if name not in names]


def universal_joints(real: np.ndarray, universal: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, float]:
    """The universal skeleton, its pelvis on the ray of the real one, and the ratio of their sizes.

    Args:
        real: joints [T, 17, 3], camera frame.
        universal: the same of the universal skeleton.
        valid: [T], frames that the ratio is measured on.
    """
    pose, universal_pose = real - real[:, :1], universal - universal[:, :1]
    scale = float((pose[valid] * universal_pose[valid]).sum() / (pose[valid] ** 2).sum())
    return universal_pose + scale * real[:, :1], scale


def read_training_sequence(root: Path, name: str) -> TrainingSequence:
    """A sequence of the training set.

    Raises:
        InputError: a file is missing or broken, or the two do not belong together. The message names it and
            lists all errors.
        OSError: a file cannot be read.
    """
    file, calibration, errors = root / name / "annot.mat", root / name / "camera.calibration", []
    arrays: dict[str, list[np.ndarray]] = {}
    try:
        with prefix_errors(file):
            arrays = _read_annotations(file, FRAMES[name])
    except InputError as error:
        errors.append(str(error))
    try:
        with prefix_errors(calibration):
            cameras = _read_cameras(calibration)
    except InputError as error:
        raise InputError("; ".join([*errors, str(error)])) from None
    if errors:
        raise InputError(errors[0])
    real, universal, pixels = (_by_joint(arrays[key]) for key in ("annot3", "univ_annot3", "annot2"))
    with np.errstate(
        all="ignore"
    ):  # if all joints are in one point, the scale is NaN, which is refused below
        valid = np.ones(real.shape[1], dtype=bool)
        joints, scale = universal_joints(real[0] / 1000, universal[0] / 1000, valid)
    if not 0.2 < scale < 5:
        raise InputError(
            f"{file}: univ_annot3 is {scale:.3g} times as large as annot3, expected about as large"
        )
    cameras = replace(cameras, position=scale * cameras.position)
    world = cameras[0].camera_to_world(torch.from_numpy(joints).float())
    filmed = torch.from_numpy(pixels).float()
    distances = (filmed - cameras[:, None].world_to_image(world)).norm(dim=-1).flatten(1)
    residual, worst = distances.median(dim=1).values.max(dim=0)
    if not residual <= UNRELATED:
        raise InputError(
            f"{file}: annot2 is no projection of annot3 by camera.calibration: it is off by "
            f"{float(residual):.0f} pixels (median) in camera {CAMERAS[int(worst)]}"
        )
    return TrainingSequence(name, world, filmed, cameras, scale, float(residual))


def training_take(sequence: TrainingSequence, detector: str | None) -> Take:
    """The take of a sequence, whose action is ``Seq1`` or ``Seq2``: the files do not say when an activity
    begins."""
    subject, _, action = sequence.name.partition("/")
    return Take(
        name=sequence.name,
        subject=subject,
        action=action,
        fps=FPS,
        cameras=sequence.cameras,
        joints=sequence.joints,
        detections={} if detector is None else {detector: sequence.pixels},
    )


def training_fact(sequence: TrainingSequence) -> str:
    """What there is of a sequence, for ``spgnet data check``."""
    return (
        f"{sequence.name}: {len(sequence.joints)} frames by {len(CAMERAS)} cameras; annot2 is "
        f"{sequence.residual:.2f} px from the projected joints (median of the worst camera); the universal "
        f"skeleton is {sequence.scale:.3f} times as large"
    )


def _read_annotations(file: Path, frames: int) -> dict[str, list[np.ndarray]]:
    """The cells of :data:`CAMERAS`, cut to so many frames, in double precision.

    Raises:
        InputError: the file is damaged, or a cell is missing, has another shape or impossible values; all
            such errors.
        OSError: the file cannot be read.
    """
    content = read_matlab(file, (*_COLUMNS, "cameras"))
    missing = [key for key in (*_COLUMNS, "cameras") if key not in content]
    if missing:
        raise InputError(f"arrays {', '.join(missing)} are missing")
    cameras = content["cameras"]
    numbers = [] if isinstance(cameras, list) else cameras.ravel().tolist()
    if absent := [str(camera) for camera in CAMERAS if camera not in numbers]:
        raise InputError(f"cameras lacks {', '.join(absent)}")
    cells, errors, length = {}, [], None
    for key, columns in _COLUMNS.items():
        held = content[key]
        if not isinstance(held, list) or len(held) != len(numbers):
            what = f"{len(held)} cells" if isinstance(held, list) else "no cells"
            errors.append(f"{key} has {what}, expected one for each of the {len(numbers)} cameras")
            continue
        cells[key] = [held[numbers.index(camera)] for camera in CAMERAS]
        for camera, cell in zip(CAMERAS, cells[key], strict=True):
            length = len(cell) if length is None and np.ndim(cell) == 2 else length
            if np.shape(cell) != (length, columns) or not length:
                expected = ("frames" if length is None else length, columns)
                errors.append(f"{key} of camera {camera} has shape {np.shape(cell)}, expected {expected}")
            elif cell.dtype.kind not in "fiu":
                errors.append(f"{key} of camera {camera} holds {cell.dtype}, expected numbers")
    if errors:
        raise InputError("; ".join(errors))
    arrays = {key: [cell[:frames].astype(np.float64) for cell in held] for key, held in cells.items()}
    if errors := _value_errors(arrays):
        raise InputError("; ".join(errors))
    return arrays


def _by_joint(cells: list[np.ndarray]) -> np.ndarray:
    """The rows of each camera as [8, T, 17, 2 or 3], in our order of joints."""
    return np.stack(cells).reshape(len(cells), len(cells[0]), _ALL_JOINTS, -1)[:, :, _JOINTS]


def _value_errors(arrays: dict[str, list[np.ndarray]]) -> list[str]:
    """What is wrong with the numbers in the cells, a line each."""
    errors = []
    for key, cells in arrays.items():
        for camera, cell in zip(CAMERAS, cells, strict=True):
            what, broken = f"{key} of camera {camera}", ~(np.abs(cell) <= BEYOND).all(axis=1)
            if broken.any():
                errors.append(
                    f"{what} holds NaN, infinity or immense numbers in {broken.sum()} frames, the first is "
                    f"{broken.argmax()}"
                )
            elif key != "annot2" and cell[:, 2::3].min() < NEAREST_MM:
                errors.append(f"{what} has joints behind the camera")
            elif key != "annot2" and (distance := np.median(cell[:, 2::3])) < 100:
                errors.append(f"{what} is {distance:.3g} from it, expected millimetres")
    return errors


def _read_cameras(file: Path) -> Camera:
    """The cameras of :data:`CAMERAS`, a batch of shape [8], metres, world with z up.

    Raises:
        InputError: the file is missing, or cameras are missing or malformed; all such errors.
    """
    if not file.is_file():
        raise InputError("no such file")
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in read_text(file, largest=LARGEST_SETTINGS).splitlines():
        key, *words = line.split() or [""]
        if key == "name":
            section = sections.setdefault(" ".join(words), {})
        section[key] = words
    cameras, errors = [], []
    if missing := [str(camera) for camera in CAMERAS if str(camera) not in sections]:
        raise InputError(f"cameras {list_names(missing, len(CAMERAS))} are missing")
    for camera in CAMERAS:
        try:
            cameras.append(_camera(sections[str(camera)]))
        except InputError as error:
            errors.append(f"camera {camera}: {error}")
    if errors:
        raise InputError("; ".join(errors))
    return concatenate_cameras([camera[None] for camera in cameras])


def _camera(section: dict[str, list[str]]) -> Camera:
    """The camera of a section, by key; metres, world with z up.

    Raises:
        InputError: a key is missing or malformed, or the lens has distortion.
    """
    width, height = _numbers(section, "size", 2)
    (radial,) = _numbers(section, "radial", 1)
    if radial:
        raise InputError(f"radial is {radial:g}, expected 0: no lens with distortion is known in this format")
    matrix, pose = (_numbers(section, key, 16).reshape(4, 4)[:3] for key in ("intrinsic", "extrinsic"))
    rotation = pose[:, :3] @ _TO_Z_UP.T
    position = -rotation.T @ pose[:, 3] / 1000
    size = (int(width), int(height))
    return opencv_camera(matrix[:, :3], None, size, rotation=rotation, position=position)


def _numbers(section: dict[str, list[str]], key: str, count: int) -> np.ndarray:
    """The numbers of a key.

    Raises:
        InputError: there are not ``count`` finite ones.
    """
    words = section.get(key, [])
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        numbers = np.array([np.nan])
    if len(numbers) != count or not (np.abs(numbers) <= BEYOND).all():
        found = " ".join(words)[:40] or "missing"
        raise InputError(f"{key} is {found}, expected {count} numbers")
    return numbers

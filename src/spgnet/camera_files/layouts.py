"""Where calibration tools keep a camera in their files: of one camera, or of several that have names.

A file of one camera has its matrix at the top. Pose2Sim, Caliscope, Anipose and Kalibr write a section for
each camera, and EasyMocap keys that end in the camera's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from spgnet.camera_files.anipose import is_anipose, usable_poses
from spgnet.camera_files.calibration import Calibration, stored_extrinsics
from spgnet.camera_files.entries import excerpt, numbers_or_raise, opencv_matrix
from spgnet.errors import InputError
from spgnet.geometry.distortion import is_fisheye
from spgnet.keypoints.values import floats

_MATRIX = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "intrinsicMat", "matrix", "K", "mtx", "k")
_DISTORTION = (
    "distortion",
    "distortions",
    "distortion_coefficients",
    "Distortion_Coefficients",
    "distortion_coeffs",
    "dist_coeffs",
    "distCoeffs",
    "dist",
    "D",
    "d",
)
_PLACES = (("fx", "fl_x"), ("fy", "fl_y"), ("cx",), ("cy",))
"""Names of the four numbers that a file may give instead of a matrix."""
_WIDTH = ("image_width", "image_Width", "width", "w")
_HEIGHT = ("image_height", "image_Height", "height", "h")
_SIZE = ("image_size", "size", "resolution")
_ROTATION = ("rotation", "camera_rotation")
_POSITION = ("position", "camera_position")
_DEEPEST = 3
"""Levels of sections in which cameras are looked for."""


def find_calibration(entries: Mapping[str, Any], name: str | None) -> Calibration:
    """The calibration in a file's entries, of its only camera or of the one with a name.

    Args:
        entries: of the file.
        name: of the camera in a file of several, or a unique part of it; None if there is only one.

    Raises:
        InputError: there is no camera, not exactly one of that name, or a malformed one.
    """
    several = _easymocap_cameras(entries)
    if not several and (_has_matrix(entries) or not any(isinstance(each, dict) for each in entries.values())):
        return calibration_from_keys(entries)
    if is_anipose(entries):
        return choose_calibration(usable_poses(entries), name)
    return choose_calibration(several or _sections(entries), name)


def choose_calibration(cameras: Mapping[str, Mapping[str, Any]], name: str | None) -> Calibration:
    """The calibration of one of several cameras.

    Raises:
        InputError: as :func:`find_calibration`.
    """
    if not cameras:
        raise InputError("holds no camera: no section has a matrix")
    key = _choose(cameras, name)
    return calibration_from_keys(cameras[key], key)


def _has_matrix(values: Mapping[str, Any]) -> bool:
    return any(name in values for name in (*_MATRIX, "fx", "fl_x"))


def _easymocap_cameras(entries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The cameras of EasyMocap's ``intri.yml`` by name, with the poses of ``extri.yml`` if they are there.

    The world of EasyMocap is in metres; X_camera = R X + T, where ``R_NAME`` is a rotation vector and
    ``Rot_NAME`` a matrix.
    """
    names = [key.removeprefix("K_") for key in entries if key.startswith("K_")]
    found = {}
    for name in names:
        parts = {
            "K": f"K_{name}",
            "dist": f"dist_{name}",
            "D": f"D_{name}",
            "h": f"H_{name}",
            "w": f"W_{name}",
            "rotation": f"Rot_{name}" if f"Rot_{name}" in entries else f"R_{name}",
            "translation": f"T_{name}",
        }
        found[name] = {part: entries[key] for part, key in parts.items() if key in entries}
    return found


def _sections(entries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The sections that describe a camera, by their own name, or by their path if that is not unique."""
    paths = list(_paths(entries, ()))
    last = [path[-1] for path, _ in paths]
    return {path[-1] if last.count(path[-1]) == 1 else ".".join(path): section for path, section in paths}


def _paths(
    entries: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for key, value in entries.items():
        if not isinstance(value, dict):
            continue
        here = (*path, str(key))
        if _has_matrix(value) or "intrinsics" in value:
            yield here, value
        elif len(here) < _DEEPEST:
            yield from _paths(value, here)


def _choose(cameras: Mapping[str, Mapping[str, Any]], name: str | None) -> str:
    """The section with a given name, or else the only one whose name contains it.

    Raises:
        InputError: no section or several match.
    """
    used = [key for key, section in cameras.items() if section.get("ignore") is not True]
    listed = f"the file holds {', '.join((used or list(cameras))[:20])}"
    if name is None:
        if len(used or cameras) > 1:
            raise InputError(f"which camera (--camera-name)? {listed}")
        return (used or list(cameras))[0]
    names_of = {key: {key.lower(), str(section.get("name", key)).lower()} for key, section in cameras.items()}
    for key, names in names_of.items():
        if key.isdigit():  # Caliscope and COLMAP number cameras
            names |= {f"cam{key}", f"cam_{key}", f"camera{key}"}
    wanted = name.lower()
    exact = [key for key, names in names_of.items() if wanted in names]
    matches = exact or [key for key, names in names_of.items() if any(wanted in full for full in names)]
    if len(matches) != 1:
        raise InputError(f"{name!r} names {' and '.join(matches[:20]) or 'no camera'}; {listed}")
    return matches[0]


def calibration_from_keys(values: Mapping[str, Any], name: str = "") -> Calibration:
    """The calibration of one camera, under any of the key names that calibration tools use.

    Args:
        values: the camera's entries.
        name: of the camera in a file of several, whose poses are a rotation (vector or matrix) and a
            translation; else empty.

    Raises:
        InputError: entries are missing, malformed or not understood, or the lens model is not known.
    """
    matrix = _matrix(values)
    if matrix is None:
        raise InputError(
            f"{name or 'it'} lacks camera_matrix (or fx, fy, cx, cy)" if name else "lacks camera_matrix"
        )
    distortion, fisheye = _distortion(values), _is_fisheye(values)
    if "intrinsicMat" in values:  # OpenCap: (h, w), and extrinsics in the frame of its checkerboard
        size = values.get("imageSize")
        if size is not None:
            size = numbers_or_raise("imageSize", size, (2,))[::-1]
        return Calibration(matrix, distortion, size, fisheye=fisheye)
    rotation, position = _first_value(values, _ROTATION), _first_value(values, _POSITION)
    if name and position is None:
        rotation, position = _opencv_pose(values)
    if (rotation is None) != (position is None):
        raise InputError("rotation (world to camera) and position (the camera's centre) belong together")
    return Calibration(
        matrix,
        distortion,
        _size(values),
        rotation,
        position,
        stored_extrinsics(values),
        name,
        fisheye,
        pose_left_out=values.get("pose_left_out") is True,
    )


def _first_value(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The value under the first of the names that is there; OpenCV's matrices become arrays."""
    value = next((values[name] for name in names if name in values), None)
    return opencv_matrix(value) if isinstance(value, dict) else value


def _matrix(values: Mapping[str, Any]) -> Any:
    """The matrix of the intrinsics, or fx, fy, cx, cy as one; None if there are neither."""
    matrix = _first_value(values, _MATRIX)
    if matrix is not None:
        return matrix
    given = [_first_value(values, names) for names in _PLACES]
    if all(value is None for value in given) and "intrinsics" in values:
        model = str(values.get("camera_model", "pinhole"))
        if model != "pinhole":
            raise InputError(f"the camera model {model[:40]!r} of Kalibr is not known, expected pinhole")
        given = list(numbers_or_raise("intrinsics", values["intrinsics"], (4,)))
    if all(value is None for value in given):
        return None
    if given[1] is None:
        given[1] = given[0]
    missing = [names[0] for names, value in zip(_PLACES, given, strict=True) if value is None]
    if missing:
        raise InputError(f"lacks {' and '.join(missing)}")
    fx, fy, cx, cy = given
    return [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]


def _distortion(values: Mapping[str, Any]) -> Any:
    """The distortion coefficients in OpenCV's order; none if the file has none.

    Raises:
        InputError: an entry seems to be the distortion, and is not understood.
    """
    distortion = _first_value(values, _DISTORTION)
    if distortion is not None:
        return distortion
    if "k1" in values:
        if _is_fisheye(values):
            return [values.get(key, 0.0) for key in ("k1", "k2", "k3", "k4")]
        keys = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
        return [values.get(key, 0.0) for key in (keys if "k4" in values else keys[:5])]
    for key, value in values.items():
        if str(key).lower().startswith("dist") and isinstance(value, list | dict):
            raise InputError(f"{excerpt(key)} is not understood, expected distortion: k1, k2, p1, p2, k3")
    return []


def _is_fisheye(values: Mapping[str, Any]) -> bool:
    """Whether a file says that its lens model is that of a fisheye.

    Raises:
        InputError: it names a lens model that is not known.
    """
    for key in ("fisheye", "fisheye_model"):
        if str(values.get(key, 0)).lower() not in ("0", "0.0", "false"):
            return True
    if "FISHEYE" in str(values.get("camera_model", "")):
        return True
    return is_fisheye(str(values.get("distortion_model") or "plumb_bob"))


def _size(values: Mapping[str, Any]) -> Any:
    width, height = _first_value(values, _WIDTH), _first_value(values, _HEIGHT)
    if width is not None and height is not None:
        return [width, height]
    return _first_value(values, _SIZE)


def _opencv_pose(section: Mapping[str, Any]) -> tuple[Any, Any]:
    """Rotation matrix and position from OpenCV's rotation, a vector or a matrix, and translation, in metres.

    Both are None where they are absent or all zero: the extrinsics are unknown.
    """
    rotation, translation = (
        _first_value(section, (name,)) if name in section else [0, 0, 0]
        for name in ("rotation", "translation")
    )
    if isinstance(rotation, str) or isinstance(translation, str):
        return None, None  # Caliscope writes a word for a camera without extrinsics
    vector, shift = floats(rotation), floats(translation)
    if vector is None or shift is None:
        return None, None
    vector, shift = vector.ravel(), shift.ravel()
    if len(vector) not in (3, 9) or len(shift) != 3:
        raise InputError(
            f"rotation and translation need 3 numbers each, or a rotation 3 x 3, got {excerpt(rotation)} and "
            f"{excerpt(translation)}"
        )
    if not (np.abs(vector) < 1e9).all() or not (np.abs(shift) < 1e9).all():
        raise InputError("rotation or translation holds NaN, infinity or immense numbers")
    if not vector.any() and not shift.any():
        return None, None
    matrix = vector.reshape(3, 3) if len(vector) == 9 else _rotation_matrix(vector)
    return matrix, -matrix.T @ shift


def _rotation_matrix(vector: np.ndarray) -> np.ndarray:
    import roma  # here, since it loads PyTorch's compiler, which lifting without a calibration can spare

    return roma.rotvec_to_rotmat(torch.from_numpy(vector)).numpy()

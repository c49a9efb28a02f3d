"""One camera's calibration as a file states it, and the camera that is built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from spgnet.camera_files.entries import excerpt, numbers
from spgnet.camera_files.sources import early_extrinsics
from spgnet.errors import InputError
from spgnet.geometry.camera import EXTRINSICS, Camera, Extrinsics, opencv_camera
from spgnet.keypoints.values import floats

_MAX_DISTANCE = 100.0
"""Distance from the world's origin in metres beyond which a position is assumed to be in millimetres."""
_LONGEST_SIDE = 2**17
"""Pixels of a side of an image at most."""


@dataclass(frozen=True)
class Calibration:
    """One camera's calibration as a file states it; the values are not validated yet.

    Args:
        matrix: intrinsics, 3 x 3, in pixels.
        distortion: coefficients in OpenCV's order k1, k2, p1, p2, k3, ...; of a fisheye k1 to k4.
        image_size: width and height in pixels, if stated.
        rotation: world to camera, if stated.
        position: the camera's centre in the world in metres, if stated.
        extrinsics: where rotation and position come from, if they are stated.
        name: the camera's name in a file of several cameras; else empty.
        fisheye: whether the lens model is that of ``cv2.fisheye``.
        pose_left_out: whether the file states a pose that is not used: its world is not in metres with z up.
    """

    matrix: Any
    distortion: Any
    image_size: Any = None
    rotation: Any = None
    position: Any = None
    extrinsics: Extrinsics = "calibrated"
    name: str = ""
    fisheye: bool = False
    pose_left_out: bool = False


def stored_extrinsics(values: Mapping[str, Any]) -> Extrinsics:
    """The source of the extrinsics in a camera file or a motion file; calibrated unless it is stated.

    Motion files of early versions do not state it; see :func:`early_extrinsics`.

    Raises:
        InputError: another source is stated.
    """
    if "extrinsics" in values:
        for extrinsics in EXTRINSICS:
            if str(values["extrinsics"]) == extrinsics:
                return extrinsics
        raise InputError(f"extrinsics is {values['extrinsics']}, expected {' or '.join(EXTRINSICS)}")
    early = {"camera_source", "camera_rotation", "camera_position"} <= values.keys()
    return early_extrinsics(values) if early else "calibrated"


def build_camera(calibration: Calibration, image_size: tuple[int, int] | None) -> Camera:
    """Build the camera of a calibration.

    Args:
        calibration: the values to validate.
        image_size: width and height in pixels, used if the calibration has none.

    Returns:
        A single camera in one of OpenCV's conventions.

    Raises:
        InputError: values have wrong shapes, are not finite or out of range; the message names every error.
    """
    matrix, errors = numbers("camera_matrix", calibration.matrix, (3, 3))
    lens, lens_errors = _lens(calibration.distortion, calibration.fisheye)
    size, size_errors = _image_size(calibration.image_size, image_size)
    rotation, position, pose_errors = _pose(calibration)
    if not errors and not np.allclose(matrix[2], [0, 0, 1], atol=1e-6):
        errors = ["the last row of camera_matrix is not 0 0 1 (is it transposed?)"]
    errors = errors + lens_errors + size_errors + pose_errors
    if errors:
        raise InputError("; ".join(errors))
    camera = opencv_camera(
        matrix, lens, size, rotation=rotation, position=position, fisheye=calibration.fisheye
    )
    return camera if rotation is None else replace(camera, extrinsics=calibration.extrinsics)


def _lens(value: Any, fisheye: bool) -> tuple[np.ndarray, list[str]]:
    """The coefficients of the lens model without zeros that others may follow, and errors."""
    lens = floats([] if value is None else value)
    if lens is None:
        return np.zeros(5), [f"distortion is {excerpt(value)}, expected numbers"]
    lens = lens.ravel()
    if not np.isfinite(lens).all():
        return np.zeros(5), ["distortion holds NaN or infinity"]
    if fisheye:
        if len(lens) > 4 and not lens[4:].any():
            lens = lens[:4]
        if len(lens) not in (0, 4):
            return lens, [f"distortion has {len(lens)} coefficients, expected k1, k2, k3, k4 of a fisheye"]
        return lens, []
    if len(lens) not in (0, 4, 5, 8, 12, 14):
        return lens, [f"distortion has {len(lens)} coefficients, expected k1, k2, p1, p2 and perhaps k3"]
    if lens[8:].any():
        error = (
            f"distortion has {len(lens)} coefficients, only k1, k2, p1, p2, k3, k4, k5, k6 are supported: "
        )
        return lens, [error + "calibrate without CALIB_THIN_PRISM_MODEL and CALIB_TILTED_MODEL"]
    return (lens[:8] if lens[5:].any() else lens[:5]), []


def _image_size(value: Any, given: tuple[int, int] | None) -> tuple[tuple[int, int], list[str]]:
    if value is None and given is not None:
        return given, []
    if value is None:
        return (1, 1), ["lacks image_size"]
    size, errors = numbers("image_size", value, (2,))
    if not errors and (size.min() < 1 or (size % 1).any()):
        errors = [f"image_size is {size.tolist()}, expected whole pixels, width and height"]
    if not errors and size.max() > _LONGEST_SIDE:
        errors = [f"image_size is {size.tolist()}, expected at most {_LONGEST_SIDE} pixels a side"]
    return ((1, 1) if errors else (int(size[0]), int(size[1]))), errors


def _pose(calibration: Calibration) -> tuple[Any, Any, list[str]]:
    """Rotation, position and errors; None for both if none are stated.

    Written rotations are rounded, so they are replaced by the nearest exact one.
    """
    if calibration.rotation is None:
        return None, None, []
    rotation, errors = numbers("rotation", calibration.rotation, (3, 3))
    position, position_errors = numbers("position", calibration.position, (3,))
    if not errors:
        import roma  # here, as above

        bounded = torch.from_numpy(rotation.clip(-2, 2))
        exact = torch.as_tensor(roma.special_procrustes(bounded)).numpy()
        if not np.allclose(rotation, exact, atol=1e-2):
            errors = ["rotation is not a rotation matrix"]
        rotation = exact
    distance = math.hypot(*position)
    if not position_errors and distance > _MAX_DISTANCE:
        position_errors = [f"the camera is {distance:.4g} m from the origin: is it in millimetres?"]
    return rotation, position, errors + position_errors

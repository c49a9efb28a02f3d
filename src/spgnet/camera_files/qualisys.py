"""Qualisys Track Manager's ``.qca.txt``: XML with an intrinsic matrix and a pose for each camera."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np

from spgnet.camera_files.entries import excerpt
from spgnet.errors import InputError

_UNITS = (64.0, 1.0)
"""Units of a pixel in which the intrinsics may be: 1/64, as Qualisys writes, or whole ones, as Theia does."""
_LARGEST_SENSOR = 10_000
"""Pixels that a sensor is narrower than, for a file that does not state the size of the image."""


def is_qualisys(root: ElementTree.Element) -> bool:
    """Whether XML is Qualisys's, or Theia's that follows it."""
    return root.find(".//cameras/camera") is not None


def qualisys_cameras(root: ElementTree.Element) -> dict[str, dict[str, Any]]:
    """The cameras by serial number, as entries of :func:`spgnet.camera_files.layouts.calibration_from_keys`.

    Intrinsics are in 1/64 pixels, the camera's place in millimetres. The rows of the rotation are the
    camera's right, up and back in the world; OpenCV's axes are right, down and forward. ``fov_video`` is the
    part of the sensor that is filmed. Distortion is OpenCV's. Files in whole pixels are Theia's, whose poses
    follow another convention: these are left out.

    Raises:
        InputError: a camera lacks numbers or holds something else, or there is no camera.
    """
    cameras: dict[str, dict[str, Any]] = {}
    for index, camera in enumerate(root.iterfind(".//cameras/camera")):
        name = camera.get("serial") or str(index)
        what = f"camera {name[:40]} of Qualisys"
        lens = camera.find("intrinsic")
        if lens is None:
            continue
        left, top, width, height = _image(camera, lens, what)
        unit = _unit(camera, lens, what)
        fx, fy, cx, cy = (
            _number(lens.attrib, key, what) / unit
            for key in ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
        )
        entries: dict[str, Any] = {
            "name": f"{camera.get('model', '')} {name}".strip(),
            "matrix": [[fx, 0.0, cx - left], [0.0, fy, cy - top], [0.0, 0.0, 1.0]],
            "distortion": [
                _number(lens.attrib, "radialDistortion1", what),
                _number(lens.attrib, "radialDistortion2", what),
                *(_tangential(lens.attrib, number, what) for number in (1, 2)),
                _number(lens.attrib, "radialDistortion3", what, 0.0),
            ],
            "image_size": [width, height],
        }
        pose = camera.find("transform")
        if pose is not None and unit == _UNITS[0]:
            turn = np.array(
                [[_number(pose.attrib, f"r{row}{column}", what) for column in (1, 2, 3)] for row in (1, 2, 3)]
            )
            if turn.any():  # a camera that was not calibrated has zeros
                entries["rotation"] = turn * [[1.0], [-1.0], [-1.0]]
                entries["position"] = [_number(pose.attrib, axis, what) / 1000 for axis in "xyz"]
        cameras[name] = entries
    if not cameras:
        raise InputError("a calibration of Qualisys without cameras that have 'intrinsic'")
    return cameras


def _number(values: Mapping[str, str], key: str, what: str, otherwise: float | None = None) -> float:
    if key not in values and otherwise is not None:
        return otherwise
    try:
        number = float(values[key])
    except KeyError:
        raise InputError(f"{what} lacks {key}") from None
    except ValueError:
        raise InputError(f"{key} of {what} is {excerpt(values[key])}, expected a number") from None
    if not math.isfinite(number):
        raise InputError(f"{key} of {what} is {excerpt(values[key])}, expected a number")
    return number


def _tangential(values: Mapping[str, str], number: int, what: str) -> float:
    """A coefficient, spelt as Qualisys does (``tangental``) or otherwise."""
    name = next((key for key in values if key.startswith("t") and key.endswith(f"Distortion{number}")), "")
    return _number(values, name, what) if name else 0.0


def _sensor(lens: ElementTree.Element, axis: str, what: str) -> float:
    """Length of the sensor's side U or V in the units of the intrinsics; 0 if it is not stated."""
    first, last = (_number(lens.attrib, f"sensor{end}{axis}", what, 0.0) for end in ("Min", "Max"))
    return last - first


def _unit(camera: ElementTree.Element, lens: ElementTree.Element, what: str) -> float:
    """How many units of the intrinsics a pixel is."""
    sensor = _sensor(lens, "U", what) or 2 * _number(lens.attrib, "centerPointU", what)
    whole = _window(camera, ("fov_video_max", "fov_video"), what)
    if whole is None:
        return _UNITS[0] if sensor > _LARGEST_SENSOR else _UNITS[1]
    width = whole[2] - whole[0] + 1
    return min(_UNITS, key=lambda unit: abs(math.log(max(sensor, 1e-6) / unit / width)))


def _window(
    camera: ElementTree.Element, names: tuple[str, ...], what: str
) -> tuple[float, float, float, float] | None:
    """The first and last column and row of the part of the sensor with one of the names; None without one.

    Left, top, right, bottom.
    """
    for name in names:
        found = camera.find(name)
        if found is not None:
            left, top, right, bottom = (
                _number(found.attrib, side, what, 0.0) for side in ("left", "top", "right", "bottom")
            )
            if right > left and bottom > top:
                return left, top, right, bottom
    return None


def _image(
    camera: ElementTree.Element, lens: ElementTree.Element, what: str
) -> tuple[float, float, float, float]:
    """Left, top, width and height of the image on the sensor, in pixels.

    Raises:
        InputError: the file states neither the part that is filmed nor the size of the sensor.
    """
    window = _window(camera, ("fov_video", "fov_video_max"), what)
    if window is not None:
        left, top, right, bottom = window
        return left, top, right - left + 1, bottom - top + 1
    unit = _unit(camera, lens, what)
    width, height = (math.ceil((_sensor(lens, axis, what) + 1) / unit) for axis in "UV")
    if min(width, height) <= 1:
        raise InputError(f"{what} lacks fov_video, the size of the image")
    return 0.0, 0.0, float(width), float(height)

"""Parsing one camera's calibration from JSON, XML, YAML or TOML, and building a camera from it.

OpenCV's ``FileStorage`` and ROS write top-level keys with a number, a string, or a matrix of rows, columns
and data; Pose2Sim and Caliscope write a TOML section for each camera.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
import yaml

from spgnet.camera_files.sources import early_extrinsics
from spgnet.errors import InputError
from spgnet.geometry.camera import EXTRINSICS, Camera, Extrinsics, opencv_camera

_MATRIX = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "intrinsicMat", "K", "mtx", "k")
_DISTORTION = (
    "distortion",
    "distortion_coefficients",
    "Distortion_Coefficients",
    "dist_coeffs",
    "distCoeffs",
    "dist",
    "D",
    "d",
)
_WIDTH = ("image_width", "image_Width", "width")
_HEIGHT = ("image_height", "image_Height", "height")
_ROTATION = ("rotation", "camera_rotation")
_POSITION = ("position", "camera_position")
_MAX_YAML_DEPTH = 100
"""The most levels of lists and mappings in a YAML file."""
_MAX_DISTANCE = 100.0
"""Distance from the world's origin in metres beyond which a position is assumed to be in millimetres."""


@dataclass(frozen=True)
class Calibration:
    """One camera's calibration as a file states it; the values are not validated yet.

    Args:
        matrix: intrinsics, 3 x 3, in pixels.
        distortion: coefficients in OpenCV's order k1, k2, p1, p2, k3, ...
        image_size: width and height in pixels, if stated.
        rotation: world to camera, if stated.
        position: the camera's centre in the world in metres, if stated.
        extrinsics: where rotation and position come from, if they are stated.
        name: the camera's name in a file of several cameras; else empty.
    """

    matrix: Any
    distortion: Any
    image_size: Any = None
    rotation: Any = None
    position: Any = None
    extrinsics: Extrinsics = "calibrated"
    name: str = ""


def json_entries(text: str) -> dict[str, Any]:
    """The entries of a JSON object; OpenCV's matrices become arrays.

    Raises:
        InputError: it is not JSON, or a matrix in it is malformed.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable JSON ({error})") from None
    assert isinstance(values, dict), "the text begins with a brace"
    return {name: _matrix_or_value(value) for name, value in values.items()}


def xml_entries(text: str) -> dict[str, Any]:
    """The entries of OpenCV's XML; matrices become arrays.

    Raises:
        InputError: it is not XML, or a matrix in it is malformed.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"not readable XML ({error})") from None
    return {
        node.tag: _opencv_matrix({part.tag: _scalar(part.text or "") for part in node})
        if node.get("type_id") == "opencv-matrix"
        else _scalar(node.text or "")
        for node in root
    }


def yaml_entries(text: str) -> dict[str, Any]:
    """The entries of the first document of OpenCV's or ROS's YAML; matrices become arrays.

    Raises:
        InputError: it is not a YAML mapping, has aliases or too many levels, or a matrix in it is malformed.
    """
    text = re.sub(r"\A%YAML.*", "", text)  # OpenCV writes %YAML:1.0, which is not a valid directive
    loader = getattr(
        yaml, "CBaseLoader", yaml.BaseLoader
    )  # strings, lists and mappings only, tags are ignored
    try:
        _refuse_aliases_and_depth(yaml.parse(text, Loader=loader))
        values = next(iter(yaml.load_all(text, Loader=loader)))
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"not readable YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise InputError("not readable YAML (expected keys and values)")
    return {name: _matrix_or_value(_typed(value)) for name, value in values.items()}


def _refuse_aliases_and_depth(events: Iterable[yaml.Event]) -> None:
    """Refuse YAML that could exhaust memory (by aliases) or the stack (by nesting).

    Raises:
        InputError: it has aliases, or more than :data:`_MAX_YAML_DEPTH` levels.
    """
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _MAX_YAML_DEPTH:
            raise InputError(
                f"not readable YAML (aliases and more than {_MAX_YAML_DEPTH} levels are not supported)"
            )


def _typed(value: Any) -> Any:
    """A YAML value with its number strings converted to numbers."""
    if isinstance(value, dict):
        return {key: _typed(part) for key, part in value.items()}
    return [_typed(part) for part in value] if isinstance(value, list) else _scalar(value)


def _matrix_or_value(value: Any) -> Any:
    return _opencv_matrix(value) if isinstance(value, dict) else value


def _opencv_matrix(parts: dict[str, Any]) -> np.ndarray | None:
    """The array of a matrix that OpenCV or ROS wrote; None for any other mapping.

    Raises:
        InputError: rows, cols or data are missing or malformed.
    """
    if not {"rows", "cols", "data"} & parts.keys():
        return None
    missing = [part for part in ("rows", "cols", "data") if part not in parts]
    if missing:
        raise InputError(f"a matrix lacks {' and '.join(missing)}")
    shape, errors = _numbers("a matrix's rows and cols", [parts["rows"], parts["cols"]], (2,))
    if errors or (shape < 0).any() or (shape % 1).any():
        raise InputError(f"a matrix has {parts['rows']!r:.40} rows and {parts['cols']!r:.40} cols")
    rows, cols = int(shape[0]), int(shape[1])
    data = parts["data"]
    if isinstance(data, str):
        data = [_scalar(word) for word in re.split(r"[\s,]+", data.strip()) if word]
    count = len(data) if isinstance(data, list) else 1
    if count != rows * cols:
        raise InputError(f"a matrix of {rows} x {cols} has {count} numbers")
    return _numbers_or_raise("a matrix's data", data, (rows, cols))


def _scalar(text: str) -> float | str:
    """A string as a number, with YAML's ``.Nan`` and ``.Inf``; unchanged if it is not one."""
    text = text.strip().strip("\"'")
    try:
        return float(re.sub(r"\.(?=(nan|inf)$)", "", text.lower()))
    except ValueError:
        return text


def calibration_from_keys(values: Mapping[str, Any]) -> Calibration:
    """The calibration in a file's entries, under any of the key names that calibration tools use.

    Raises:
        InputError: entries are missing or malformed, or the lens is a fisheye.
    """
    matrix, distortion = _first_value(values, _MATRIX), _first_value(values, _DISTORTION)
    missing = [names[0] for names, value in ((_MATRIX, matrix), (_DISTORTION, distortion)) if value is None]
    if missing:
        raise InputError(f"lacks {' and '.join(missing)}")
    model = str(values.get("distortion_model", "plumb_bob"))
    fisheye = str(values.get("fisheye_model", 0)) not in ("0", "0.0", "False")
    if model not in ("plumb_bob", "rational_polynomial") or fisheye:
        refuse_fisheye(model if model != "plumb_bob" else "fisheye_model")
    if "intrinsicMat" in values:  # OpenCap: (h, w), and extrinsics in the frame of its checkerboard
        size = values.get("imageSize")
        if size is not None:
            size = _numbers_or_raise("imageSize", size, (2,))[::-1]
        return Calibration(matrix, distortion, size)
    rotation, position = _first_value(values, _ROTATION), _first_value(values, _POSITION)
    if (rotation is None) != (position is None):
        raise InputError("rotation (world to camera) and position (the camera's centre) belong together")
    extrinsics = stored_extrinsics(values)
    return Calibration(matrix, distortion, _size(values), rotation, position, extrinsics)


def _first_value(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if name in values), None)


def _size(values: Mapping[str, Any]) -> Any:
    width, height = _first_value(values, _WIDTH), _first_value(values, _HEIGHT)
    if width is not None and height is not None:
        return [width, height]
    return values.get("image_size")


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
    return early_extrinsics(values) if "camera_source" in values else "calibrated"


def toml_calibration(text: str, name: str | None) -> Calibration:
    """One camera of a TOML file as Pose2Sim, Caliscope and Anipose write them.

    The file has a section for each camera: size, matrix, distortions, and ``rotation`` (a Rodrigues vector,
    world to camera) with ``translation`` in metres. Extrinsics that are absent or all zero are unknown.

    Args:
        text: the file's contents.
        name: name of the section or of the camera, or a unique part of it; None if there is only one.

    Raises:
        InputError: it is not TOML, has no camera, not exactly one of that name, or a malformed one.
    """
    try:
        sections = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable TOML ({error})") from None
    cameras = {key: value for key, value in sections.items() if isinstance(value, dict) and "matrix" in value}
    if not cameras:
        raise InputError("holds no camera: no section has a matrix")
    key = _choose(cameras, name)
    section = cameras[key]
    if section.get("fisheye", False):
        refuse_fisheye(f"fisheye = true in {key}")
    if "distortions" not in section:
        raise InputError(f"{key} lacks distortions")
    rotation, position = _opencv_pose(section)
    return Calibration(
        section["matrix"], section["distortions"], section.get("size"), rotation, position, name=key
    )


def _choose(cameras: dict[str, dict[str, Any]], name: str | None) -> str:
    """The section with a given name, or else the only one whose name contains it.

    Raises:
        InputError: no section or several match.
    """
    listed = f"the file holds {', '.join(cameras)}"
    if name is None:
        if len(cameras) > 1:
            raise InputError(f"which camera? {listed}")
        return next(iter(cameras))
    names_of = {key: {key.lower(), str(section.get("name", key)).lower()} for key, section in cameras.items()}
    wanted = name.lower()
    exact = [key for key, names in names_of.items() if wanted in names]
    matches = exact or [key for key, names in names_of.items() if any(wanted in full for full in names)]
    if len(matches) != 1:
        raise InputError(f"{name!r} names {' and '.join(matches) or 'no camera'}; {listed}")
    return matches[0]


def _opencv_pose(section: dict[str, Any]) -> tuple[Any, Any]:
    """Rotation matrix and position from OpenCV's rotation vector and translation, or None for both."""
    try:
        vector, translation = (
            np.asarray(section.get(name, [0, 0, 0]), dtype=np.float64).ravel()
            for name in ("rotation", "translation")
        )
    except (ValueError, TypeError):
        return None, None  # Caliscope writes a word for a camera without extrinsics
    except OverflowError:
        raise InputError("rotation or translation holds a number that is too large") from None
    if len(vector) != 3 or len(translation) != 3:
        raise InputError(
            f"rotation and translation need 3 numbers each, got {vector.tolist()} and {translation.tolist()}"
        )
    if not vector.any() and not translation.any():
        return None, None
    import roma  # here, since it loads PyTorch's compiler, which lifting without a calibration can spare

    rotation = roma.rotvec_to_rotmat(torch.from_numpy(vector)).numpy()
    return rotation, -rotation.T @ translation


def refuse_fisheye(model: str) -> None:
    """Raise the error for a fisheye lens, which is not supported.

    Raises:
        InputError: always.
    """
    raise InputError(
        f"fisheye lenses ({model}) are not supported: undistort the video, or calibrate as a pinhole"
    )


def build_camera(calibration: Calibration, image_size: tuple[int, int] | None) -> Camera:
    """Build the camera of a calibration.

    Args:
        calibration: the values to validate.
        image_size: width and height in pixels, used if the calibration has none.

    Returns:
        A single camera in OpenCV's convention.

    Raises:
        InputError: values have wrong shapes, are not finite or out of range; the message names every error.
    """
    matrix, errors = _numbers("camera_matrix", calibration.matrix, (3, 3))
    lens, lens_errors = _lens(calibration.distortion)
    size, size_errors = _image_size(calibration.image_size, image_size)
    rotation, position, pose_errors = _pose(calibration)
    if not errors and not np.allclose(matrix[2], [0, 0, 1], atol=1e-6):
        errors = ["the last row of camera_matrix is not 0 0 1 (is it transposed?)"]
    errors = errors + lens_errors + size_errors + pose_errors
    if errors:
        raise InputError("; ".join(errors))
    camera = opencv_camera(matrix, lens, size, rotation=rotation, position=position)
    if not all(bool(value.isfinite().all()) for value in (camera.focal, camera.center, camera.image_size)):
        raise InputError("camera_matrix or image_size holds a number that is too large")
    return camera if rotation is None else replace(camera, extrinsics=calibration.extrinsics)


def _lens(value: Any) -> tuple[np.ndarray, list[str]]:
    """k1, k2, p1, p2, k3, and errors; of OpenCV's up to 14 coefficients those after the fifth must be 0."""
    try:
        lens = np.asarray(value, dtype=np.float64).ravel()
    except (ValueError, TypeError, OverflowError):
        return np.zeros(5), [f"distortion is {_excerpt(value)}, expected numbers"]
    if len(lens) not in (0, 4, 5, 8, 12, 14):
        return lens, [f"distortion has {len(lens)} coefficients, expected k1, k2, p1, p2 and perhaps k3"]
    if not np.isfinite(lens).all():
        return lens, ["distortion holds NaN or infinity"]
    if lens[5:].any():
        error = f"distortion has {len(lens)} coefficients, only k1, k2, p1, p2, k3 are supported: "
        return lens, [error + "calibrate without CALIB_RATIONAL_MODEL and the like"]
    return lens[:5], []


def _image_size(value: Any, given: tuple[int, int] | None) -> tuple[tuple[int, int], list[str]]:
    if value is None and given is not None:
        return given, []
    if value is None:
        return (1, 1), ["lacks image_size"]
    size, errors = _numbers("image_size", value, (2,))
    if not errors and (size.min() < 1 or (size % 1).any()):
        errors = [f"image_size is {size.tolist()}, expected whole pixels, width and height"]
    return ((1, 1) if errors else (int(size[0]), int(size[1]))), errors


def _pose(calibration: Calibration) -> tuple[Any, Any, list[str]]:
    """Rotation, position and errors; None for both if none are stated.

    Written rotations are rounded, so they are replaced by the nearest exact one.
    """
    if calibration.rotation is None:
        return None, None, []
    rotation, errors = _numbers("rotation", calibration.rotation, (3, 3))
    position, position_errors = _numbers("position", calibration.position, (3,))
    if not errors:
        import roma  # here, as above

        bounded = torch.from_numpy(rotation.clip(-2, 2))
        exact = torch.as_tensor(roma.special_procrustes(bounded)).numpy()
        if not np.allclose(rotation, exact, atol=1e-2):
            errors = ["rotation is not a rotation matrix"]
        rotation = exact
    if not position_errors and np.linalg.norm(position) > _MAX_DISTANCE:
        distance = np.linalg.norm(position)
        position_errors = [f"the camera is {distance:.0f} m from the origin: is it in millimetres?"]
    return rotation, position, errors + position_errors


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """The value as an array of a shape, and its errors."""
    expected = f"expected {' x '.join(map(str, shape))} numbers"
    try:
        array = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return np.zeros(shape), [f"{name} is {_excerpt(value)}, {expected}"]
    if array.size == np.prod(shape):
        array = array.reshape(shape)
    if array.shape != shape:
        return np.zeros(shape), [f"{name} has shape {array.shape}, {expected}"]
    if not np.isfinite(array).all():
        return array, [f"{name} holds NaN or infinity"]
    return array, []


def _numbers_or_raise(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The value as an array of a shape; it may hold NaN and infinity.

    Raises:
        InputError: it is not numbers, or has another shape.
    """
    array, errors = _numbers(name, value, shape)
    if errors and np.isfinite(array).all():
        raise InputError(errors[0])
    return array


def _excerpt(value: Any) -> str:
    """The beginning of a value's representation, on one line."""
    try:
        return " ".join(repr(value).split())[:60]
    except (
        ValueError,
        RecursionError,
    ):  # integers of very many digits; deep nesting
        return f"a {type(value).__name__}"

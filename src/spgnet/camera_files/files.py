"""Camera files, read and written, and which camera a clip was filmed with."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from spgnet.camera_files.calibration import (
    Calibration,
    calibration_from_keys,
    camera_from,
    json_entries,
    toml_calibration,
    xml_entries,
    yaml_entries,
)
from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_text
from spgnet.geometry.camera import Camera, fit_to_image, opencv_camera

_LARGEST_TEXT = 10_000_000
_KNOWN = "JSON, YAML or XML of OpenCV, YAML of ROS, TOML of Pose2Sim or Caliscope, or .npz"


def load_camera(
    path: Path | str, *, name: str | None = None, image_size: tuple[int, int] | None = None
) -> Camera:
    """Read a camera from any of the formats of ``docs/cameras.md``, recognised by their contents.

    Args:
        path: the file.
        name: which camera, where a file holds several; part of the name is enough if only one has it.
        image_size: width and height of the video, in pixels; the camera is fitted to it.

    Returns:
        A single camera in OpenCV's convention: pixels, metres, world z up. Without extrinsics in the file
        (``camera.extrinsics == "arbitrary"``) it stands upright at the world's origin.

    Raises:
        InputError: the file is missing or no camera file, does not tell which camera is meant, holds values
            that cannot be, or does not fit the image. The message names the file and every fault found.
    """
    return read_camera(Path(path), name, image_size)[0]


def read_camera(path: Path, name: str | None, image_size: tuple[int, int] | None) -> tuple[Camera, str]:
    """:func:`load_camera`, and the name of the camera in a file of several (else an empty text)."""
    with prefix_errors(path):
        calibration = _read(path, name)
        camera = camera_from(calibration, image_size)
        return (fit_to_image(camera, image_size) if image_size else camera), calibration.name


def save_camera(path: Path | str, camera: Camera) -> None:
    """Write a camera as JSON, whole or not at all. Arbitrary extrinsics are left out.

    Raises:
        InputError: not a single camera in OpenCV's convention.
    """
    path = Path(path)
    if camera.focal.ndim != 1 or camera.convention != "opencv":
        raise InputError(f"{path}: only a single camera in OpenCV's convention can be saved")
    (fx, fy), (cx, cy) = _short(camera.focal), _short(camera.center)
    (k1, k2, k3), (p1, p2) = _short(camera.radial), _short(camera.tangential)
    entries: dict[str, object] = {
        "camera_matrix": [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        "distortion": [k1, k2, p1, p2, k3],
        "image_size": [int(side) for side in camera.image_size.tolist()],
    }
    if camera.extrinsics != "arbitrary":
        entries |= {
            "rotation": [_short(row) for row in camera.rotation],
            "position": _short(camera.position),
            "extrinsics": camera.extrinsics,
        }
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items())
    write_text(path, f"{{\n{lines}\n}}\n")


def _short(values: Tensor) -> list[float]:
    """Numbers with the digits that their precision has."""
    return [float(str(value)) for value in values.numpy()]


def _read(path: Path, name: str | None) -> Calibration:
    """The calibration in a file, whatever its format."""
    if not path.is_file():
        raise InputError("no such file")
    with path.open("rb") as file:
        start = file.read(4)
    if path.suffix in (".pickle", ".pkl") or start[:1] == b"\x80":
        raise InputError(
            "a pickle, which can run any code when it is opened, so it is not; if you trust it, convert it "
            "to JSON: import json, pickle; values = pickle.load(open('THE_PICKLE', 'rb')); "
            "json.dump({key: value.tolist() for key, value in values.items()}, open('camera.json', 'w'))"
        )
    if start == b"PK\x03\x04":
        return calibration_from_keys(read_npz(path))
    try:
        text = path.read_text(encoding="utf-8-sig") if path.stat().st_size < _LARGEST_TEXT else ""
    except UnicodeDecodeError:
        text = ""
    return _parse(text, name)


def _parse(text: str, name: str | None) -> Calibration:
    if text.lstrip().startswith("{"):
        return calibration_from_keys(json_entries(text))
    if text.lstrip().startswith("<"):
        return calibration_from_keys(xml_entries(text))
    if re.search(r"^\s*\[[^\],]+\]\s*$", text, re.MULTILINE):
        return toml_calibration(text, name)
    if text.startswith("%YAML") or re.search(r"^[A-Za-z_]\w*:", text, re.MULTILINE):
        return calibration_from_keys(yaml_entries(text))
    raise InputError(f"not a camera file; known are {_KNOWN}")


DEFAULT_FIELD_OF_VIEW = 65.0
"""Degrees across the longer side of the image: between phones that crop videos and those that do not."""


def default_camera(
    image_size: tuple[int, int],
    *,
    field_of_view: float = DEFAULT_FIELD_OF_VIEW,
    focal: float | None = None,
) -> Camera:
    """A camera without distortion whose principal point is the image's middle, upright at the origin.

    Args:
        image_size: width and height in pixels.
        field_of_view: degrees across the longer side; not used if a focal length is given.
        focal: focal length in pixels.

    Raises:
        InputError: the field of view is not between 10 and 150 degrees, or the focal length not positive.
    """
    if focal is None:
        if not 10 <= field_of_view <= 150:
            raise InputError(f"the field of view must be between 10 and 150 degrees, got {field_of_view:g}")
        focal = max(image_size) / (2 * math.tan(math.radians(field_of_view) / 2))
    if not (focal > 0 and math.isfinite(focal)):
        raise InputError(f"the focal length must be a positive number of pixels, got {focal:g}")
    width, height = image_size
    return opencv_camera([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], None, image_size)


def find_camera(
    image_size: tuple[int, int],
    *,
    path: Path | str | None = None,
    name: str | None = None,
    keypoints_matrix: Float[np.ndarray, "3 3"] | None = None,
    keypoints_distortion: Float[np.ndarray, " 5"] | None = None,
    focal_hint: float | None = None,
    field_of_view: float | None = None,
) -> tuple[Camera, str]:
    """The camera of a clip from the best source there is, and that source in words.

    The sources, best first: a camera file, a field of view that the user states, the intrinsics that came
    with the keypoints, a focal length from the video's metadata, the default field of view.

    Args:
        image_size: width and height of the video in pixels.
        path: a camera file.
        name: which of the file's cameras.
        keypoints_matrix: intrinsics in pixels of a keypoint file.
        keypoints_distortion: k1, k2, p1, p2, k3 of a keypoint file.
        focal_hint: focal length in pixels.
        field_of_view: degrees across the longer side of the image.

    Raises:
        InputError: a name without a file, or the source that was chosen is faulty.
    """
    if path is not None:
        camera, chosen = read_camera(Path(path), name, image_size)
        return camera, f"camera file {Path(path).name}" + (f" ({chosen})" if chosen else "")
    if name is not None:
        raise InputError(f"the camera {name!r} is named, but no camera file is given")
    if field_of_view is not None:
        camera = default_camera(image_size, field_of_view=field_of_view)
        return camera, f"given field of view of {field_of_view:g}°"
    if keypoints_matrix is not None:
        camera = opencv_camera(keypoints_matrix, keypoints_distortion, image_size)
        return camera, "intrinsics of the keypoint file"
    if focal_hint is not None:
        camera = default_camera(image_size, focal=focal_hint)
        return camera, f"focal length of {focal_hint:.0f} pixels from the video's metadata"
    words = f"default field of view of {DEFAULT_FIELD_OF_VIEW:g}° (no camera given)"
    return default_camera(image_size), words

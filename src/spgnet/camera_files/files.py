"""Loading and saving camera files, and finding the camera of a clip."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from spgnet.camera_files.calibration import Calibration, build_camera
from spgnet.camera_files.colmap import binary_cameras, is_colmap_text, text_cameras
from spgnet.camera_files.entries import json_entries, parse_xml, xml_entries, yaml_entries
from spgnet.camera_files.layouts import calibration_from_keys, choose_calibration, find_calibration
from spgnet.camera_files.qualisys import is_qualisys, qualisys_cameras
from spgnet.camera_files.sources import (
    DEFAULT_FIELD_OF_VIEW,
    FoundCamera,
    IntrinsicsSource,
    default_camera,
)
from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_text
from spgnet.geometry.camera import Camera, fit_to_image, opencv_camera
from spgnet.geometry.image_rotation import ImageRotation, rotated_camera, rotated_size
from spgnet.keypoints import Keypoints
from spgnet.limits import LARGEST_SETTINGS, check_file_size
from spgnet.text import parse_toml_text, read_text

_KNOWN = (
    "JSON, YAML or XML of OpenCV, YAML of ROS, Kalibr or EasyMocap, TOML of Pose2Sim, Caliscope or Anipose, "
    "Qualisys's .qca.txt, COLMAP's cameras, or .npz"
)
_LONGEST_MESSAGE = 280
"""Characters of a message without the file's path."""


def load_camera(
    path: Path | str, *, name: str | None = None, image_size: tuple[int, int] | None = None
) -> Camera:
    """Load a camera from a file in any format of ``docs/cameras.md``, recognised by its contents.

    >>> load_camera("calibration.toml", name="cam01").focal.tolist()  # pixels
    [1681.0, 1681.0]

    Args:
        path: the file.
        name: name of the camera in a file of several, or a unique part of it.
        image_size: width and height of the video in pixels; the camera is scaled to it.

    Returns:
        A single camera in OpenCV's convention: pixels, metres, world z up. Without extrinsics in the file it
        is upright at the world's origin, and ``camera.extrinsics`` is ``"arbitrary"``.

    Raises:
        InputError: the file is missing or not a camera file, `name` does not select exactly one camera,
            values are invalid, or the image has another shape. The message names the file and every error.
    """
    return read_camera(Path(path), name, image_size)[0]


def read_camera(
    path: Path, name: str | None, image_size: tuple[int, int] | None, rotate: ImageRotation = 0
) -> tuple[Camera, Calibration]:
    """The camera as :func:`load_camera`, and what its file states.

    ``rotate`` is that of :func:`find_camera`.
    """
    with prefix_errors(path, longest=_LONGEST_MESSAGE):
        calibration = _read(path, name)
        camera = build_camera(calibration, image_size and rotated_size(image_size, rotate))
        return (_fit(camera, image_size, rotate) if image_size else camera), calibration


def stated_image_size(path: Path, name: str | None) -> tuple[int, int] | None:
    """Width and height in pixels for which a file's camera was calibrated; None if the file does not say.

    Raises:
        InputError: as :func:`load_camera`.
    """
    with prefix_errors(path, longest=_LONGEST_MESSAGE):
        calibration = _read(path, name)
        if calibration.image_size is None:
            return None
        width, height = build_camera(calibration, None).image_size.tolist()
        return int(width), int(height)


def _fit(camera: Camera, image_size: tuple[int, int], rotate: ImageRotation) -> Camera:
    """A given camera for turned images: see :func:`find_camera`."""
    recorded = rotated_size(image_size, rotate)
    width, height = camera.image_size.tolist()
    if recorded != image_size and (width - height) * (image_size[0] - image_size[1]) > 0:
        return fit_to_image(camera, image_size)
    return rotated_camera(fit_to_image(camera, recorded), rotate)


def save_camera(path: Path | str, camera: Camera) -> None:
    """Write a camera as JSON; arbitrary extrinsics are omitted. The file appears complete or not at all.

    Raises:
        InputError: it is not a single camera in OpenCV's convention.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if camera.focal.ndim != 1 or camera.convention == "human36m":
        raise InputError(f"{path}: only a single camera in OpenCV's convention can be saved")
    entries: dict[str, object] = {
        "camera_matrix": [_short(row) for row in camera.intrinsics_matrix()],
        "distortion": _short(camera.distortion_coefficients()),
        "distortion_model": camera.distortion_model,
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
    """Numbers with no more digits than their precision has."""
    return [float(str(value)) for value in values.numpy()]


def _read(path: Path, name: str | None) -> Calibration:
    """The calibration in a file of any format."""
    if path.is_dir():
        raise InputError("a folder, expected a camera file in it")
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
        check_file_size(path, LARGEST_SETTINGS)
    except InputError as error:
        raise InputError(f"not a camera file: {error}; known are {_KNOWN}") from None
    if path.suffix == ".bin":
        return choose_calibration(binary_cameras(path.read_bytes()), name)
    try:
        text = read_text(path)
    except InputError:
        text = ""
    return _parse(text, name, path)


def _parse(text: str, name: str | None, path: Path) -> Calibration:
    if text.lstrip().startswith("{"):
        return find_calibration(json_entries(text), name)
    if text.lstrip().startswith("<"):
        root = parse_xml(text)
        if is_qualisys(root):
            return choose_calibration(qualisys_cameras(root), name)
        return find_calibration(xml_entries(root), name)
    if is_colmap_text(text):
        return choose_calibration(text_cameras(text), name)
    if text.startswith("%YAML") or re.search(r"^[\"']?[A-Za-z_]\w*[\"']?:(\s|$)", text, re.MULTILINE):
        return find_calibration(yaml_entries(text) | _easymocap_poses(path), name)
    if re.search(r"^[ \t]*\[[^\],\n]+\][ \t]*(#.*)?$", text, re.MULTILINE):
        return find_calibration(parse_toml_text(text), name)
    raise InputError(f"not a camera file; known are {_KNOWN}")


def _easymocap_poses(path: Path) -> dict[str, Any]:
    """The entries of EasyMocap's ``extri.yml`` beside an ``intri.yml``; empty if there is none."""
    beside = path.with_name(path.name.replace("intri", "extri"))
    if beside == path or not beside.is_file() or beside.stat().st_size > LARGEST_SETTINGS:
        return {}
    with prefix_errors(beside.name):
        return yaml_entries(read_text(beside))


def find_camera(
    image_size: tuple[int, int],
    *,
    camera: FoundCamera | Camera | Path | str | None = None,
    name: str | None = None,
    keypoints: Keypoints | None = None,
    focal_hint: float | None = None,
    field_of_view: float | None = None,
    rotate: ImageRotation = 0,
) -> FoundCamera:
    """The camera of a clip, from the best available source.

    A given camera or camera file is of the images as they were recorded, before they were turned, and is
    turned with them; if its image is portrait and the recorded ones are landscape, or the reverse, it is of
    the turned ones.

    The sources in order of preference: a given camera or camera file, a field of view stated by the user, the
    intrinsics of the keypoints, a focal length from the video's metadata, the default field of view.

    Args:
        image_size: width and height of the video in pixels, as it is lifted; the camera is scaled to it.
        camera: a single camera in OpenCV's convention, or a camera file.
        name: name of the camera in the file.
        keypoints: keypoints, turned with the images, whose intrinsics are used, if they have any.
        focal_hint: focal length in pixels from the video's metadata.
        field_of_view: degrees across the longer side of the image.
        rotate: degrees clockwise by which the recorded images are turned.

    Raises:
        InputError: there is a name without a file, or the chosen source is invalid: not a single camera in
            OpenCV's convention, for an image of another shape, or out of range.
    """
    if isinstance(camera, Path | str):
        read, stated = read_camera(Path(camera), name, image_size, rotate)
        description = f"camera file {Path(camera).name}" + (f" ({stated.name})" if stated.name else "")
        if stated.pose_left_out:
            description += ", without its place in the room: the file's world is not in metres with z up"
        return FoundCamera(read, IntrinsicsSource.CALIBRATION_FILE, description)
    if name is not None:
        raise InputError(f"the camera {name!r} is named, but no camera file is given")
    if isinstance(camera, FoundCamera):
        return camera._replace(camera=_fit(camera.camera, image_size, rotate))
    if camera is not None:
        if not isinstance(camera, Camera):
            raise InputError(
                f"the camera is {type(camera).__name__}, expected a Camera or a file "
                "(spgnet.opencv_camera makes one of OpenCV's matrices)"
            )
        if camera.focal.ndim != 1 or camera.convention == "human36m":
            raise InputError(
                "the camera must be a single one in OpenCV's convention, got "
                f"{camera.focal[..., 0].numel()} in {camera.convention!r} (Camera.to_convention converts "
                "those without tangential distortion)"
            )
        return FoundCamera(_fit(camera, image_size, rotate), IntrinsicsSource.GIVEN, "given camera")
    if field_of_view is not None:
        stated = default_camera(image_size, field_of_view=field_of_view)
        description = f"given field of view of {field_of_view:g}°"
        return FoundCamera(stated, IntrinsicsSource.FIELD_OF_VIEW, description)
    if keypoints is not None and keypoints.camera_matrix is not None:
        own = opencv_camera(
            keypoints.camera_matrix, keypoints.distortion, image_size, fisheye=keypoints.fisheye
        )
        return FoundCamera(own, IntrinsicsSource.KEYPOINT_FILE, "intrinsics of the keypoint file")
    if focal_hint is not None:
        hinted = default_camera(image_size, focal=focal_hint)
        description = f"focal length of {focal_hint:.0f} pixels from the video's metadata"
        return FoundCamera(hinted, IntrinsicsSource.VIDEO_METADATA, description)
    description = f"default field of view of {DEFAULT_FIELD_OF_VIEW:g}° (no camera given)"
    return FoundCamera(default_camera(image_size), IntrinsicsSource.ASSUMED, description)

"""Sources of a clip's camera, and the camera that is assumed if there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from spgnet.errors import InputError
from spgnet.geometry.camera import UPRIGHT, Camera, Extrinsics, opencv_camera

DEFAULT_FIELD_OF_VIEW = 65.0
"""Degrees across the longer side of the image: between phones that crop videos and phones that do not."""


class IntrinsicsSource(StrEnum):
    """The source of a camera's focal length, principal point and distortion."""

    CALIBRATION_FILE = "calibration_file"
    KEYPOINT_FILE = "keypoint_file"
    VIDEO_METADATA = "video_metadata"
    FIELD_OF_VIEW = "field_of_view"
    """A field of view stated by the user."""
    ASSUMED = "assumed"
    """The default field of view, since no other source was available."""
    GIVEN = "given"
    """A camera object from the caller."""


class FoundCamera(NamedTuple):
    """The camera of a clip.

    Attributes:
        camera: a single camera in OpenCV's convention.
        source: source of its intrinsics.
        description: the source in words for the user, with file names and numbers.
    """

    camera: Camera
    source: IntrinsicsSource
    description: str


def default_camera(
    image_size: tuple[int, int],
    *,
    field_of_view: float = DEFAULT_FIELD_OF_VIEW,
    focal: float | None = None,
) -> Camera:
    """A camera without distortion, its principal point in the middle of the image, upright at the origin.

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


_EARLY_DESCRIPTIONS = {
    "camera file ": IntrinsicsSource.CALIBRATION_FILE,
    "given field of view": IntrinsicsSource.FIELD_OF_VIEW,
    "intrinsics of the keypoint file": IntrinsicsSource.KEYPOINT_FILE,
    "focal length of ": IntrinsicsSource.VIDEO_METADATA,
    "default field of view": IntrinsicsSource.ASSUMED,
}
"""Source by the beginning of the description, for motion files of early versions, which state only this."""


def early_source(description: str) -> IntrinsicsSource:
    """The intrinsics source of a motion file of an early version, from its description."""
    sources = (source for start, source in _EARLY_DESCRIPTIONS.items() if description.startswith(start))
    return next(sources, IntrinsicsSource.GIVEN)


def early_extrinsics(values: Mapping[str, Any]) -> Extrinsics:
    """The extrinsics of a motion file of an early version, which holds a camera pose but not its source.

    A camera upright at the origin is arbitrary. Any other pose is calibrated if the camera is from a file or
    from the caller, since only these state a pose, and else estimated.
    """
    if np.array_equal(values["camera_rotation"], UPRIGHT) and not np.any(values["camera_position"]):
        return "arbitrary"
    stated = (IntrinsicsSource.CALIBRATION_FILE, IntrinsicsSource.GIVEN)
    return "calibrated" if early_source(str(values["camera_source"])) in stated else "estimated"

"""Which camera a clip was filmed with: from a file, from what is known of the lens, or a stated default."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spgnet.camera import Camera, opencv_camera
from spgnet.camera_files.files import read_camera

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
        ValueError: the field of view is not between 10 and 150 degrees, or the focal length not positive.
    """
    if focal is None:
        if not 10 <= field_of_view <= 150:
            raise ValueError(f"the field of view must be between 10 and 150 degrees, got {field_of_view:g}")
        focal = max(image_size) / (2 * math.tan(math.radians(field_of_view) / 2))
    if not (focal > 0 and math.isfinite(focal)):
        raise ValueError(f"the focal length must be a positive number of pixels, got {focal:g}")
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
        ValueError: a name without a file, or the source that was chosen is faulty.
    """
    if path is not None:
        camera, chosen = read_camera(Path(path), name, image_size)
        return camera, f"camera file {Path(path).name}" + (f" ({chosen})" if chosen else "")
    if name is not None:
        raise ValueError(f"the camera {name!r} is named, but no camera file is given")
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

"""Images turned by quarters of a turn: their sizes, pixels and cameras."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Real

from spgnet.errors import InputError
from spgnet.geometry.camera import Camera

ImageRotation = Literal[0, 90, 180, 270]
"""Degrees clockwise by which an image is turned."""
IMAGE_ROTATIONS: tuple[ImageRotation, ...] = get_args(ImageRotation)


def check_image_rotation(degrees: object) -> None:
    """Validate an image rotation.

    Raises:
        InputError: it is not one of :data:`IMAGE_ROTATIONS`.
    """
    if degrees not in IMAGE_ROTATIONS:
        raise InputError(f"rotate must be {', '.join(map(str, IMAGE_ROTATIONS))} degrees, got {degrees!r}")


def rotated_size(image_size: tuple[int, int], degrees: ImageRotation) -> tuple[int, int]:
    """Width and height of an image after it was turned clockwise."""
    width, height = image_size
    return (height, width) if degrees in (90, 270) else (width, height)


def rotated_image(image: np.ndarray, degrees: ImageRotation) -> np.ndarray:
    """The image [height, width, channels] turned clockwise, as a contiguous array."""
    return np.ascontiguousarray(np.rot90(image, -(degrees // 90)))


def rotated_pixels(
    pixels: Real[np.ndarray, "*batch 2"], image_size: tuple[int, int], degrees: ImageRotation
) -> Real[np.ndarray, "*batch 2"]:
    """Where pixels are in the image turned clockwise.

    Args:
        pixels: x right and y down; whole numbers are the middles of pixels, as in OpenCV.
        image_size: width and height in pixels before the turn.
        degrees: the turn.
    """
    x, y = pixels[..., 0], pixels[..., 1]
    right, bottom = image_size[0] - 1, image_size[1] - 1
    turned = {0: (x, y), 90: (bottom - y, x), 180: (right - x, bottom - y), 270: (y, right - x)}[degrees]
    return np.stack(turned, axis=-1)


def rotated_camera(camera: Camera, degrees: ImageRotation) -> Camera:
    """The camera whose image is that of a camera turned clockwise: it sees the same world.

    A quarter of a turn takes the direction (x, y) of the camera frame to (-y, x). The tangential coefficients
    (p1, p2) become (p2, -p1), as follows from putting that into OpenCV's lens model. Arbitrary extrinsics
    stay as they are, since they state nothing about the world.

    Args:
        camera: a single camera in one of OpenCV's conventions.
        degrees: the turn.
    """
    assert camera.convention != "human36m"
    for _ in range(degrees // 90):
        camera = _quarter_turned(camera)
    return camera


def _quarter_turned(camera: Camera) -> Camera:
    (x, y), (p1, p2) = camera.center, camera.tangential
    turned = camera.rotation
    if camera.extrinsics != "arbitrary":
        turned = torch.stack((-camera.rotation[1], camera.rotation[0], camera.rotation[2]))
    return replace(
        camera,
        focal=camera.focal.flip(0),
        center=torch.stack((camera.image_size[1] - 1 - y, x)),
        tangential=torch.stack((p2, -p1)),
        rotation=turned,
        image_size=camera.image_size.flip(0),
    )

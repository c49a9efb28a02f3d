"""A camera for images of another size than it was calibrated with."""

from __future__ import annotations

from dataclasses import replace

import torch

from spgnet.camera import UPRIGHT, Camera

_PADDING = 16
"""Pixels by which codecs round the sides of an image up."""
_SAME_SHAPE = 0.02
"""Relative difference of aspect ratios up to which one image is a resized copy of another."""


def is_placed(camera: Camera) -> bool:
    """Whether the camera's place in the world is known: it is not simply upright at the origin."""
    upright = torch.tensor(UPRIGHT, dtype=camera.rotation.dtype, device=camera.rotation.device)
    return bool((camera.rotation != upright).any()) or bool((camera.position != 0).any())


def fit_to_image(camera: Camera, image_size: tuple[int, int]) -> Camera:
    """The same camera for an image of another size, as far as that can be known.

    A difference of up to 16 pixels a side is a codec's padding, at the right and below: the intrinsics stay.
    An image of the same shape (within 2 %) is a resized copy: focal lengths and principal point are scaled
    by the ratio of the longer sides.

    Args:
        camera: a single camera.
        image_size: width and height of the new image in pixels.

    Raises:
        ValueError: the image is turned by 90 degrees, or has another shape.
    """
    width, height = camera.image_size.tolist()
    size = torch.tensor(image_size, dtype=camera.image_size.dtype, device=camera.image_size.device)
    sizes = f"the camera was calibrated for {width:.0f} x {height:.0f} pixels, the video has "
    sizes += f"{image_size[0]} x {image_size[1]}"
    if (width - height) * (image_size[0] - image_size[1]) < 0:
        raise ValueError(f"{sizes}: one of them is rotated; turn the video, or calibrate in its orientation")
    if max(abs(image_size[0] - width), abs(image_size[1] - height)) <= _PADDING:
        return replace(camera, image_size=size)
    across, down = image_size[0] / width, image_size[1] / height
    if abs(across / down - 1) > _SAME_SHAPE:
        raise ValueError(f"{sizes}: another shape, so the video is cropped; calibrate with videos like it")
    factor = across if width > height else down
    return replace(camera, focal=camera.focal * factor, center=camera.center * factor, image_size=size)

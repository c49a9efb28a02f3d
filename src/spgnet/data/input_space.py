"""The coordinates in which networks take 2D keypoints: from pixels, and from 3D joints by projection."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.camera import Camera
from spgnet.models.network import InputSpace


def pixels_to_input_space(
    pixels: Float[Tensor, "*points n 2"], cameras: Camera, input_space: InputSpace
) -> Float[Tensor, "*points n 2"]:
    """Pixels in an input space (``spgnet.models.network.InputSpace``), without its third channel.

    Args:
        pixels: n points for each camera.
        cameras: of shape [*points].
        input_space: the space to convert to.

    Raises:
        InputError: the input space is rays, and the lens distortion cannot be inverted at some pixels.
    """
    if input_space == "screen":
        return cameras.image_to_screen(pixels)
    if input_space == "rays":
        return cameras.image_to_rays(pixels)
    middle = cameras.image_size / 2
    return (pixels - middle[..., None, :]) / middle[..., None, :1]


def project_to_input_space(
    joints: Float[Tensor, "*points n 3"], cameras: Camera | None, input_space: InputSpace
) -> Float[Tensor, "*points n 2"]:
    """3D joints in the camera frame, projected into an input space, without its third channel.

    Args:
        joints: metres, in front of the camera.
        cameras: of shape [*points]; rays are the same for every camera, and need none.
        input_space: the space to project to.
    """
    if input_space == "rays":
        return joints[..., :2] / joints[..., 2:]
    assert cameras is not None
    return pixels_to_input_space(cameras.camera_to_image(joints), cameras, input_space)

"""Turned images: pictures, pixels and cameras are turned alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spgnet.errors import InputError
from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.image_rotation import (
    IMAGE_ROTATIONS,
    check_image_rotation,
    rotated_camera,
    rotated_image,
    rotated_pixels,
    rotated_size,
)

SIZE = (7, 4)
TURN = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""A quarter of a turn clockwise in a camera frame, x right and y down."""


LENSES = {
    "plumb_bob": [0.1, -0.2, 0.011, -0.007, 0.05],
    "rational_polynomial": [0.3, 0.1, 0.011, -0.007, 0.03, 0.4, 0.2, 0.02],
    "equidistant": [0.08, -0.02, 0.004, -0.001],
}


def lens(model="plumb_bob", **pose) -> Camera:
    matrix = [[900.0, 0, 380], [0, 940.0, 610], [0, 0, 1]]
    return opencv_camera(matrix, LENSES[model], (720, 1280), fisheye=model == "equidistant", **pose)


@pytest.mark.parametrize("degrees", IMAGE_ROTATIONS)
def test_what_a_pixel_shows_is_at_its_turned_place_in_the_turned_picture(degrees):
    picture = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[1], SIZE[0], 1)
    turned = rotated_image(picture, degrees)
    assert turned.shape[1::-1] == rotated_size(SIZE, degrees)
    rows, columns = np.indices(picture.shape[:2])
    x, y = np.moveaxis(rotated_pixels(np.stack((columns, rows), axis=-1), SIZE, degrees), -1, 0)
    np.testing.assert_array_equal(turned[y, x], picture)


def test_a_quarter_is_clockwise():
    assert rotated_image(np.array([[[1], [2]], [[3], [4]]]), 90)[..., 0].tolist() == [[3, 1], [4, 2]]


@pytest.mark.parametrize("model", LENSES)
@pytest.mark.parametrize("degrees", IMAGE_ROTATIONS)
def test_a_turned_camera_sees_what_the_camera_sees_but_turned(degrees, model):
    camera = lens(
        model, rotation=torch.linalg.qr(torch.randn(3, 3, generator=torch.manual_seed(3)))[0].numpy()
    )
    camera = camera if camera.rotation.det() > 0 else replace(camera, rotation=-camera.rotation)
    ahead = torch.tensor([[0.3, -0.4, 2.0], [-0.5, 0.8, 3.0], [0.0, 0.2, 1.5]])
    world = camera.camera_to_world(ahead)
    seen = camera.world_to_image(world).numpy()
    turned = rotated_camera(camera, degrees)
    np.testing.assert_allclose(
        turned.world_to_image(world), rotated_pixels(seen, (720, 1280), degrees), atol=2e-3
    )
    assert tuple(turned.image_size.tolist()) == rotated_size((720, 1280), degrees)
    assert turned.rotation.det() == pytest.approx(1, abs=1e-5)


def test_a_camera_whose_place_is_not_known_stays_upright_and_its_lens_turns():
    camera = lens()
    turned = rotated_camera(camera, 90)
    assert turned.extrinsics == "arbitrary"
    assert torch.equal(turned.rotation, camera.rotation)
    ahead = torch.tensor([[0.3, -0.4, 2.0], [-0.5, 0.8, 3.0]])
    np.testing.assert_allclose(
        turned.camera_to_image(ahead @ TURN.mT),
        rotated_pixels(camera.camera_to_image(ahead).numpy(), (720, 1280), 90),
        atol=2e-3,
    )


def test_four_quarters_are_none():
    camera = lens(position=[0.0, 1.0, 2.0])
    back = rotated_camera(rotated_camera(camera, 270), 90)
    for name in ("focal", "center", "tangential", "rotation", "position", "image_size"):
        torch.testing.assert_close(getattr(back, name), getattr(camera, name))


@pytest.mark.parametrize("degrees", [1, 45.5, -90, 360, "90"])
def test_other_angles_are_refused(degrees):
    with pytest.raises(InputError, match=f"rotate must be 0, 90, 180, 270 degrees, got {degrees!r}"):
        check_image_rotation(degrees)

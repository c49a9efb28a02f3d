"""Lenses fitted to pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.datasets.lens_fit import fit_lens
from spgnet.geometry.camera import opencv_camera

SIZE = (640, 480)


def a_lens(distortion=(), focal=(760.0, 765.0), center=(300.0, 232.0)):
    matrix = np.diag([*focal, 1.0])
    matrix[:2, 2] = center
    return opencv_camera(matrix, distortion or None, SIZE).to(torch.float64)


def points(count: int = 400, seed: int = 0) -> np.ndarray:
    """Points before the camera, as widely spread as the image is."""
    random = np.random.default_rng(seed)
    depth = random.uniform(2, 6, (count, 1))
    return np.hstack((random.uniform([-0.4, -0.3], [0.4, 0.3], (count, 2)) * depth, depth))


def seen(camera, points: np.ndarray) -> np.ndarray:
    return camera.camera_to_image(torch.from_numpy(points)).numpy()


LENS = st.tuples(
    st.floats(-0.35, 0.1), st.floats(-0.1, 0.2), st.floats(-0.003, 0.003), st.floats(-0.003, 0.003)
)


@settings(max_examples=25)
@given(distortion=LENS, focal=st.tuples(st.floats(400, 1500), st.floats(400, 1500)), seed=st.integers(0, 99))
def test_the_lens_that_made_the_pixels_is_found(distortion, focal, seed):
    camera = a_lens(distortion, focal)
    fit = fit_lens(points(seed=seed), seen(camera, points(seed=seed)), SIZE, distorted=True)
    assert fit.residual < 1e-6
    for name in ("focal", "center", "radial", "tangential"):
        torch.testing.assert_close(
            getattr(fit.camera, name), getattr(camera, name).float(), atol=1e-4, rtol=1e-6
        )


def test_without_distortion_the_fit_is_that_of_two_straight_lines():
    """The naive twin: u over x / z and v over y / z, a line each."""
    random = np.random.default_rng(1)
    pixels = seen(a_lens((-0.2,)), points()) + random.normal(0, 2, (400, 2))
    fit = fit_lens(points(), pixels, SIZE, distorted=False)
    lines = [np.polyfit(points()[:, i] / points()[:, 2], pixels[:, i], 1) for i in (0, 1)]
    np.testing.assert_allclose(fit.camera.focal, [line[0] for line in lines], rtol=1e-6)
    np.testing.assert_allclose(fit.camera.center, [line[1] for line in lines], rtol=1e-6)
    assert not fit.camera.radial.any()
    assert not fit.camera.tangential.any()


def test_the_residual_is_the_median_distance_in_pixels():
    pixels = seen(a_lens(), points())
    pixels[::3] += [30, 40]
    pixels[1::3] -= [30, 40]
    fit = fit_lens(points(), pixels, SIZE, distorted=False)
    expected = np.median(np.linalg.norm(seen(fit.camera.to(torch.float64), points()) - pixels, axis=1))
    assert fit.residual == pytest.approx(expected, abs=1e-3)
    assert 45 < fit.residual < 55


def test_pixels_of_a_mirrored_camera_are_refused():
    mirrored = points() * [-1, 1, 1]
    with pytest.raises(ValueError, match="focal lengths positive"):
        fit_lens(points(), seen(a_lens(), mirrored), SIZE, distorted=False)

"""Lens distortion and its inverse, against OpenCV and a scalar transcription of Algorithm 1."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.distortion import (
    DISTORT,
    Convention,
    distort_fisheye,
    distort_human36m,
    distort_opencv,
    is_fisheye,
    undistort,
)
from spgnet.geometry.rigs import human36m_rig

law = settings(max_examples=30)

CONVENTIONS: list[Convention] = ["human36m", "opencv"]

coordinates = st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
radials = st.tuples(st.floats(-0.3, 0.3), st.floats(0, 0.3), st.floats(-0.02, 0.02))
wide = st.tuples(st.floats(-4, 4), st.floats(-4, 4))
fisheyes = st.tuples(
    st.floats(-0.04, 0.1), st.floats(-0.01, 0.02), st.floats(-0.003, 0.004), st.floats(-0.001, 0.001)
)
tangentials = st.tuples(st.floats(-0.005, 0.005), st.floats(-0.005, 0.005))


def _double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def algorithm_1(
    x: float, y: float, d_r: tuple[float, float, float], d_t: tuple[float, float]
) -> tuple[float, float]:
    """Lines 4 to 8 of Algorithm 1, as corrected, one number at a time."""
    r = x**2 + y**2
    concat = (r, r**2, r**3)
    big_r = 1.0
    for i in range(3):
        big_r += d_r[i] * concat[i]
    big_t = d_t[0] * x + d_t[1] * y
    return x * (big_r + big_t) + d_t[0] * r, y * (big_r + big_t) + d_t[1] * r


def _spread(reach: float, steps: int = 15) -> Tensor:
    """Points [n, 2] over a square."""
    along = torch.linspace(-reach, reach, steps, dtype=torch.float64)
    return torch.cartesian_prod(along, along)


@given(coordinates, radials, tangentials)
@law
def test_human36m_is_the_corrected_algorithm_1(
    xy: tuple[float, float], d_r: tuple[float, float, float], d_t: tuple[float, float]
) -> None:
    ours = distort_human36m(_double(*xy), _double(*d_r), _double(*d_t))
    torch.testing.assert_close(ours, _double(*algorithm_1(*xy, d_r, d_t)), rtol=0, atol=1e-14)


@given(coordinates, radials, tangentials)
@law
def test_opencv_is_opencv(
    xy: tuple[float, float], d_r: tuple[float, float, float], d_t: tuple[float, float]
) -> None:
    coefficients = np.array([d_r[0], d_r[1], *d_t, d_r[2]])
    point = np.array([[[*xy, 1.0]]])
    theirs = cv2.projectPoints(point, np.zeros(3), np.zeros(3), np.eye(3), coefficients)[0].reshape(2)
    ours = distort_opencv(_double(*xy), _double(*d_r), _double(*d_t))
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-14)


@given(coordinates, radials, tangentials, radials)
@law
def test_opencv_with_six_radial_coefficients_is_opencvs_rational_model(
    xy: tuple[float, float],
    d_r: tuple[float, float, float],
    d_t: tuple[float, float],
    below: tuple[float, float, float],
) -> None:
    coefficients = np.array([d_r[0], d_r[1], *d_t, d_r[2], *below])
    point = np.array([[[*xy, 1.0]]])
    theirs = cv2.projectPoints(point, np.zeros(3), np.zeros(3), np.eye(3), coefficients)[0].reshape(2)
    ours = distort_opencv(_double(*xy), _double(*d_r, *below), _double(*d_t))
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-14)
    r2 = xy[0] ** 2 + xy[1] ** 2  # and one number at a time
    factor = (1 + d_r[0] * r2 + d_r[1] * r2**2 + d_r[2] * r2**3) / (
        1 + below[0] * r2 + below[1] * r2**2 + below[2] * r2**3
    )
    x = xy[0] * factor + 2 * d_t[0] * xy[0] * xy[1] + d_t[1] * (r2 + 2 * xy[0] ** 2)
    y = xy[1] * factor + d_t[0] * (r2 + 2 * xy[1] ** 2) + 2 * d_t[1] * xy[0] * xy[1]
    torch.testing.assert_close(ours, _double(x, y), rtol=0, atol=1e-14)


def _fisheye(x: float, y: float, k: tuple[float, ...]) -> tuple[float, float]:
    """OpenCV's fisheye model, one number at a time."""
    r = math.hypot(x, y)
    if r < 1e-9:
        return x, y
    angle = math.atan(r)
    bent = angle * (1 + k[0] * angle**2 + k[1] * angle**4 + k[2] * angle**6 + k[3] * angle**8)
    return x / r * bent, y / r * bent


@given(wide, fisheyes)
@law
def test_fisheye_is_opencvs_fisheye(xy: tuple[float, float], k: tuple[float, float, float, float]) -> None:
    ours = distort_fisheye(_double(*xy), _double(*k), _double(0, 0))
    torch.testing.assert_close(ours, _double(*_fisheye(*xy, k)), rtol=0, atol=1e-12)
    point = np.array([[[*xy, 1.0]]])
    theirs = cv2.fisheye.projectPoints(point, np.zeros(3), np.zeros(3), np.eye(3), np.array(k))[0].reshape(2)
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-7)


@given(st.lists(wide, min_size=1, max_size=8), fisheyes)
@law
def test_undistort_inverts_a_fisheye_up_to_the_widest_angles(
    points: list[tuple[float, float]], k: tuple[float, float, float, float]
) -> None:
    xy, radial, straight = torch.tensor(points, dtype=torch.float64), _double(*k), _double(0, 0)
    back, converged = undistort(distort_fisheye(xy, radial, straight), radial, straight, "fisheye")
    assert bool(converged.all())
    torch.testing.assert_close(back, xy, rtol=1e-7, atol=1e-8)


def test_a_fisheyes_pixels_beyond_its_fold_or_beyond_84_degrees_have_no_ray() -> None:
    straight, directions = _double(0, 0), torch.stack((_double(0.8, 0.6), _double(0, -1)))
    folding = _double(-0.3, 0, 0, 0)  # rises up to the angle where 1 = 0.9 t^2
    angle = math.sqrt(1 / 0.9)
    most = angle * (1 - 0.3 * angle**2)
    assert bool(undistort(0.99 * most * directions, folding, straight, "fisheye")[1].all())
    assert not bool(undistort(1.01 * most * directions, folding, straight, "fisheye")[1].any())
    again = _double(
        -(1 / 0.36 + 1 / 0.6) / 3, 1 / (5 * 0.36 * 0.6), 0, 0
    )  # falls from 0.6, rises from 0.77 on
    assert bool(undistort(0.34 * directions, again, straight, "fisheye")[1].all())
    assert not bool(undistort(1.0 * directions, again, straight, "fisheye")[1].any())
    equidistant = torch.zeros(4, dtype=torch.float64)
    for degrees, has_ray in ((83, True), (86, False), (100, False)):
        distorted = math.radians(degrees) * directions
        back, converged = undistort(distorted, equidistant, straight, "fisheye")
        assert converged.tolist() == [has_ray, has_ray]
        assert bool(back.isfinite().all())


@given(st.lists(coordinates, min_size=1, max_size=8), tangentials)
@law
def test_undistort_inverts_the_rational_model(
    points: list[tuple[float, float]], d_t: tuple[float, float]
) -> None:
    radial, tangential = _double(4.1, 0.9, 0.03, 4.4, 2.3, 0.2), _double(*d_t)
    xy = torch.tensor(points, dtype=torch.float64)
    back, converged = undistort(distort_opencv(xy, radial, tangential), radial, tangential, "opencv")
    assert bool(converged.all())
    torch.testing.assert_close(back, xy, rtol=0, atol=1e-8)


def test_a_point_beyond_a_pole_of_the_rational_model_has_no_ray() -> None:
    radial, straight = _double(0, 0, 0, -1, 0, 0), _double(0, 0)  # the denominator is 0 at radius 1
    beyond = distort_opencv(_double(1.5, 0), radial, straight)
    back, converged = undistort(beyond, radial, straight, "opencv")
    assert not bool(converged) or float(back.norm()) < 1


def test_the_gradients_of_the_rational_model_and_of_fisheyes_are_those_of_finite_differences() -> None:
    xy, straight = _spread(0.5, 3).requires_grad_(), _double(0, 0)
    rational = _double(0.2, 0.1, 0.03, 0.3, 0.1, 0.02).requires_grad_()
    tangential = _double(-0.001, 0.002).requires_grad_()
    fisheye = _double(0.08, -0.02, 0.004, -0.001).requires_grad_()
    assert torch.autograd.gradcheck(distort_opencv, (xy, rational, tangential))
    assert torch.autograd.gradcheck(lambda *lens: undistort(*lens, "opencv")[0], (xy, rational, tangential))
    assert torch.autograd.gradcheck(lambda xy, lens: distort_fisheye(xy, lens, straight), (xy, fisheye))
    off_centre = (_spread(0.5, 4)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda xy, lens: undistort(xy, lens, straight, "fisheye")[0], (off_centre, fisheye)
    )


@pytest.mark.parametrize(
    ("name", "fisheye"),
    [("plumb_bob", False), ("rational_polynomial", False), ("radtan", False), ("Equidistant", True)],
)
def test_lens_models_have_the_names_of_ros_and_kalibr(name: str, fisheye: bool) -> None:
    assert is_fisheye(name) == fisheye
    with pytest.raises(InputError, match=r"the lens model 'x.*' is not known"):
        is_fisheye("x" + name)


@given(coordinates, tangentials)
@law
def test_the_conventions_differ_by_the_cross_terms_with_the_coefficients_exchanged(
    xy: tuple[float, float], d_t: tuple[float, float]
) -> None:
    point, radial, tangential = _double(*xy), _double(-0.2, 0.2, 0.0), _double(*d_t)
    cross = point * (tangential * point).sum()
    difference = distort_opencv(point, radial, tangential.flip(-1)) - distort_human36m(
        point, radial, tangential
    )
    torch.testing.assert_close(difference, cross, rtol=0, atol=1e-14)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_principal_axis_is_not_distorted(convention: Convention) -> None:
    axis = torch.zeros(2, dtype=torch.float64)
    assert torch.equal(DISTORT[convention](axis, _double(-0.2, 0.2, 0.1), _double(0.01, -0.02)), axis)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(st.lists(coordinates, min_size=1, max_size=8), radials, tangentials)
@law
def test_undistort_inverts_distort(
    convention: Convention,
    points: list[tuple[float, float]],
    d_r: tuple[float, float, float],
    d_t: tuple[float, float],
) -> None:
    xy, radial, tangential = torch.tensor(points, dtype=torch.float64), _double(*d_r), _double(*d_t)
    back, converged = undistort(DISTORT[convention](xy, radial, tangential), radial, tangential, convention)
    assert bool(converged.all())
    torch.testing.assert_close(back, xy, rtol=0, atol=1e-9)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_distort_inverts_undistort_in_single_precision(convention: Convention) -> None:
    rig = human36m_rig("S1")
    radial, tangential = rig.radial[:, None], rig.tangential[:, None]
    distorted = _spread(0.45).float().expand(4, -1, 2)
    back, converged = undistort(distorted, radial, tangential, convention)
    assert bool(converged.all())
    again = DISTORT[convention](back, radial, tangential)
    torch.testing.assert_close(again, distorted, rtol=0, atol=1e-6)  # a thousandth of a pixel


def test_undistort_agrees_with_opencv() -> None:
    lens = human36m_rig("S1")[0].to(torch.float64)
    k1, k2, k3 = lens.radial.tolist()
    p1, p2 = lens.tangential.tolist()
    distorted = _spread(0.45)
    theirs = cv2.undistortPoints(
        distorted.numpy()[:, None],
        np.eye(3),
        np.array([k1, k2, p1, p2, k3]),
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-14),
    )
    ours, converged = undistort(distorted, lens.radial, lens.tangential, "opencv")
    assert bool(converged.all())
    torch.testing.assert_close(ours, torch.from_numpy(theirs).squeeze(1), rtol=0, atol=1e-4 / 1150)


def _fold(radial: Tensor) -> tuple[Tensor, Tensor]:
    """Radius where a purely radial lens folds, and the radius of its image, by a fine search."""
    r = torch.linspace(0, 4, 40001, dtype=torch.float64)
    image = r * (1 + radial[0] * r**2 + radial[1] * r**4 + radial[2] * r**6)
    first = int((image.diff() < 0).nonzero()[0])
    return r[first], image[first]


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(
    "coefficients",
    [(-0.3, 0.0, 0.0), (-0.5, 0.0, 0.0), (0.3, -0.2, 0.0), (-0.4, 0.15, -0.02), (0.1, -0.3, 0.05)],
)
def test_undistort_converges_up_to_the_fold_and_reports_every_point_beyond(
    convention: Convention, coefficients: tuple[float, float, float]
) -> None:
    radial, straight = _double(*coefficients), _double(0.0, 0.0)
    radius, image = _fold(radial)
    turn = torch.linspace(0, 6, 200, dtype=torch.float64)
    direction = torch.stack((turn.cos(), turn.sin()), dim=-1)

    inside = direction * torch.linspace(0, 0.98, 200, dtype=torch.float64)[:, None] * radius
    back, converged = undistort(
        DISTORT[convention](inside, radial, straight), radial, straight, convention, iterations=50
    )
    assert bool(converged.all())
    torch.testing.assert_close(back, inside, rtol=0, atol=1e-7)

    beyond = direction * torch.linspace(1.01, 4, 200, dtype=torch.float64)[:, None] * image
    assert not bool(undistort(beyond, radial, straight, convention)[1].any())


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_one_point_beyond_the_fold_does_not_spoil_its_neighbours(convention: Convention) -> None:
    radial, straight = _double(-0.3, 0.0, 0.0), _double(0.0, 0.0)
    points = torch.stack((_double(0.3, 0.2), _double(1.2, 0.4), _double(0.0, 0.0)))
    back, converged = undistort(points, radial, straight, convention)
    assert converged.tolist() == [True, False, True]
    again = DISTORT[convention](back, radial, straight)
    torch.testing.assert_close(again[converged], points[converged], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, None), (torch.float32, None), (torch.float64, 1e-4)]
)
def test_a_point_converges_where_its_residual_is_below_the_tolerance(
    dtype: torch.dtype, tolerance: float | None
) -> None:
    """By default 1e-9 in double precision and 1e-6 in single; it is measured before the last Newton step."""
    radial, tangential = torch.tensor([-0.2, 0.24, -0.003], dtype=dtype), torch.zeros(2, dtype=dtype)
    distorted = DISTORT["opencv"](_spread(0.6).to(dtype), radial, tangential)
    expected = tolerance or (1e-9 if dtype == torch.float64 else 1e-6)
    undecided = 0
    for iterations in range(1, 5):
        before, _ = undistort(distorted, radial, tangential, "opencv", iterations=iterations - 1)
        _, converged = undistort(
            distorted, radial, tangential, "opencv", iterations=iterations, tolerance=tolerance
        )
        residual = (DISTORT["opencv"](before, radial, tangential) - distorted).norm(dim=-1)
        clear = (residual < 0.7 * expected) | (residual > 1.4 * expected)
        assert torch.equal(converged[clear], (residual < expected)[clear])
        undecided += int(((residual > 0.01 * expected) & (residual < 100 * expected)).sum())
    assert undecided > 0


def test_no_points_give_no_points() -> None:
    back, converged = undistort(torch.zeros(0, 2), torch.zeros(3), torch.zeros(2), "opencv")
    assert back.shape == (0, 2)
    assert converged.shape == (0,)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_gradients_of_distort_and_undistort_are_those_of_finite_differences(
    convention: Convention,
) -> None:
    xy = _spread(0.5, 3).requires_grad_()
    radial = _double(-0.2, 0.24, -0.003).requires_grad_()
    tangential = _double(-0.001, 0.002).requires_grad_()
    assert torch.autograd.gradcheck(DISTORT[convention], (xy, radial, tangential))
    assert torch.autograd.gradcheck(
        lambda *lens: undistort(lens[0], lens[1], lens[2], convention)[0], (xy, radial, tangential)
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_lens_of_a_batch_has_its_own_gradients(convention: Convention) -> None:
    lenses = human36m_rig("S9").to(torch.float64)
    radial = lenses.radial[:2, None].clone().requires_grad_()
    tangential = (10 * lenses.tangential[:2, None]).clone().requires_grad_()
    xy = _spread(0.5, 2).expand(2, -1, 2).clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda *lens: undistort(lens[0], lens[1], lens[2], convention)[0], (xy, radial, tangential)
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_undistorting_a_batch_is_undistorting_point_by_point(convention: Convention) -> None:
    rig = human36m_rig("S9").to(torch.float64)
    points = _spread(0.4, 5).expand(4, -1, 2)
    together, _ = undistort(points, rig.radial[:, None], rig.tangential[:, None], convention)
    for camera in range(4):
        for index in range(0, 25, 6):
            alone, _ = undistort(
                points[camera, index], rig.radial[camera], rig.tangential[camera], convention
            )
            torch.testing.assert_close(together[camera, index], alone, rtol=0, atol=1e-12)


def test_human36ms_lenses_do_not_fold_within_their_images() -> None:
    rig = human36m_rig("S1").to(torch.float64)
    corner = math.sqrt(2) * 530 / 1145
    r2 = torch.linspace(0, corner, 200, dtype=torch.float64) ** 2
    k1, k2, k3 = (k.unsqueeze(-1) for k in rig.radial.unbind(-1))
    assert bool((1 + 3 * k1 * r2 + 5 * k2 * r2**2 + 7 * k3 * r2**3 > 0).all())

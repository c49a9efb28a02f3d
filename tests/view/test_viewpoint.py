"""The overlay's virtual camera and its floor."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spgnet.geometry.camera import opencv_camera
from spgnet.view.viewpoint import Floor, frame_points

law = settings(max_examples=25)


@given(st.integers(0, 2**31), st.floats(-3.1, 3.1), st.floats(0.0, 0.5))
@example(seed=700, azimuth=1.5, sway=0.0)
@law
def test_the_viewpoint_shows_all_points_from_every_azimuth_and_no_more_than_needed(seed, azimuth, sway):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 3)) * rng.uniform(0.3, 5, 3) + rng.normal(size=3) * 10
    rectangle = (20.0, 100.0, 620.0, 700.0)
    azimuths = azimuth + sway * np.linspace(-1, 1, 9)
    pixels = frame_points(points, azimuths, 0.3, rectangle).project(points[None])[..., :2]
    low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
    assert (low >= np.array(rectangle[:2]) - 0.5).all()
    assert (high <= np.array(rectangle[2:]) + 0.5).all()
    assert ((high - low) / 600).max() > 0.7


def test_what_is_far_and_what_is_near_are_in_the_middle_of_the_rectangle_together():
    points = np.random.default_rng(0).uniform((0, -1, 0), (12, 1, 1.8), (80, 3))
    view = frame_points(points, np.linspace(-0.2, 0.2, 5), 0.3, (20.0, 30.0, 600.0, 500.0))
    pixels = view.project(points[None])[2, :, :2]
    np.testing.assert_allclose((pixels.min(axis=0) + pixels.max(axis=0)) / 2, view.center, atol=2)


def test_the_viewpoint_projects_as_a_camera_does():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 3))
    view = frame_points(points, np.array([0.3, 0.5]), 0.3, (0.0, 0.0, 640.0, 720.0))
    ours = view.project(points[None])
    for frame in range(2):
        matrix = [[view.focal, 0, view.center[0]], [0, view.focal, view.center[1]], [0, 0, 1]]
        pose = {"rotation": view.rotation[frame], "position": view.position[frame]}
        camera = opencv_camera(matrix, None, (640, 720), **pose).to(torch.float64)
        theirs = camera.world_to_image(torch.from_numpy(points)).numpy()
        np.testing.assert_allclose(ours[frame, :, :2], theirs, atol=1e-2)
        np.testing.assert_array_equal(view.at(frame).project(points[None])[0], ours[frame])


@given(st.floats(0.0, 150.0), st.floats(-20.0, 20.0))
@law
def test_the_floors_lines_are_at_whole_metres_under_everything_and_not_too_many(span: float, start: float):
    points = np.array([[start, 0, 1], [start + span, 2, 0]], np.float64)
    floor = Floor(points)
    assert (floor.low < points[:, :2].min(axis=0)).all()
    assert (floor.high > points[:, :2].max(axis=0)).all()
    for ticks, low, high in zip(floor.ticks, floor.low, floor.high, strict=True):
        np.testing.assert_array_equal(ticks % floor.step, 0)
        assert low <= ticks[0]
        assert ticks[-1] <= high
        assert len(ticks) <= 21
    assert floor.step == 1 or span > 15


def test_labels_are_within_the_rectangle_and_name_the_metres_where_they_are():
    points = np.array([[-1, 0, 0], [2, 3, 1.8]], np.float64)
    floor, rectangle = Floor(points), (24.0, 24.0, 616.0, 696.0)
    view = frame_points(points, np.array([0.7]), 0.3, (50.0, 150.0, 590.0, 650.0))
    names, places = floor.labels(view, rectangle, 24.0)
    pixels = view.project(places[None])[0, :, :2]
    assert len(names) >= 6
    assert ((pixels > rectangle[:2]) & (pixels < rectangle[2:])).all()
    for name, place in zip(names, places, strict=True):
        assert float(name.removesuffix(" m")) in place[:2].tolist()


@pytest.mark.parametrize("span", [6.0, 18.0, 60.0])
def test_labels_that_would_crowd_are_thinned_evenly(span):
    floor = Floor(np.array([[0, 0, 0], [span, span, 1.8]], np.float64))
    view = frame_points(floor.corners, np.array([0.4]), 0.3, (20.0, 30.0, 600.0, 500.0))
    names, _ = floor.labels(view, (0.0, 0.0, 620.0, 530.0), 24.0)
    steps = np.diff([float(name.removesuffix(" m")) for name in names])
    (step,) = set(steps[steps > 0].tolist())  # where they fall, those of the other direction begin
    assert step > floor.step


def test_no_label_is_minus_zero():
    points = np.array([[-0.4, -0.4, 0], [0.4, 0.4, 1.8]], np.float64)
    view = frame_points(points, np.array([0.7]), 0.3, (50.0, 150.0, 590.0, 650.0))
    names, _ = Floor(points).labels(view, (0.0, 0.0, 640.0, 720.0), 24.0)
    assert "0 m" in names
    assert "-0 m" not in names

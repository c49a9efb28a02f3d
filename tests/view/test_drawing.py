"""Drawing: shapes lie where they are put, and nothing is drawn outside."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.errors import InputError
from spgnet.view.drawing import (
    draw_circle,
    draw_lines,
    draw_text,
    fill_polygon,
    resize,
    text_width,
    translucent,
)

law = settings(max_examples=25)


@given(st.floats(5.0, 25.0), st.floats(5.0, 25.0))
@law
def test_a_disc_lies_where_it_is_put_between_the_pixels(x: float, y: float):
    picture = np.zeros((31, 31, 3), np.uint8)
    draw_circle(picture, np.array([x, y]), 3.0, (255, 255, 255))
    weights = picture[..., 0] / picture[..., 0].sum()
    rows, columns = np.mgrid[:31, :31]
    assert (weights * columns).sum() == pytest.approx(x, abs=0.15)
    assert (weights * rows).sum() == pytest.approx(y, abs=0.15)


def test_what_is_translucent_leaves_a_share_of_the_picture_and_does_not_reach_beyond_its_part():
    picture = np.full((40, 60, 3), 100, np.uint8)
    with translucent(picture, np.array([[10.0, 10.0], [20.0, 15.0]]), 2.0, 0.25) as (part, corner):
        part[:] = 200
        assert corner.tolist() == [8, 8]
    assert (picture[8:18, 8:23] == 125).all()
    assert picture.sum() == 60 * 40 * 300 + 10 * 15 * 3 * 25


def test_drawing_outside_of_a_picture_is_drawing_nothing():
    picture = np.zeros((20, 30, 3), np.uint8)
    for place in (-1e12, 1e12):
        ends = np.array([[[place, place], [place, 2 * place]]])
        with translucent(picture, ends, 3.0, 0.5) as (part, corner):
            draw_lines(part, ends - corner, (255, 255, 255), 3.0)
        draw_lines(picture, ends, (255, 255, 255), 3.0)
        draw_circle(picture, ends[0, 0], 5.0, (255, 255, 255))
        fill_polygon(picture, np.array([[place, 0.0], [place, 9.0], [2 * place, 5.0]]), (255, 255, 255))
    assert not picture.any()


def test_text_has_the_height_and_the_anchor_that_were_asked_for():
    for height in (11.0, 24.0):
        picture = np.zeros((80, 400, 3), np.uint8)
        draw_text(picture, "3D 0:12", (200.0, 40.0), height, (255, 255, 255), anchor=(1.0, 0.5))
        rows, columns = (np.flatnonzero(picture[..., 0].any(axis=axis)) for axis in (1, 0))
        assert np.ptp(rows) + 1 == pytest.approx(height, abs=3)
        assert rows.mean() == pytest.approx(40, abs=2.5)
        assert 200 - text_width("3D 0:12", height) - 3 <= columns[0] < columns[-1] <= 203


@pytest.mark.parametrize("size", [(100, 60), (50, 30), (33, 20), (7, 4), (180, 90)])
def test_a_resized_picture_keeps_its_mean_and_one_of_the_right_size_is_itself(size):
    y, x = np.mgrid[:60, :100]
    picture = np.repeat((50 + x + y).astype(np.uint8)[..., None], 3, axis=-1)
    resized = resize(picture, size)
    assert resized.shape == (size[1], size[0], 3)
    assert resized.mean() == pytest.approx(picture.mean(), abs=1)
    assert resize(resized, size) is resized


def test_without_opencv_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"missing.*; install it with: pip install 'spgnet\[video\]'"):
        text_width("3D", 12.0)

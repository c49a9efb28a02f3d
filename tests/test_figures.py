"""Pictures and animations of lifted sequences."""

import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image, ImageStat

from spgnet import figures
from spgnet.data.views import Views
from spgnet.figures import LiftedSequence, lift_figure, save_figure, save_lift_animation


@pytest.fixture
def sequence(views: Views) -> LiftedSequence:
    """Four frames of a view, lifted with an error of a hand's breadth."""
    frames, camera = slice(0, 4), views.cameras[0]
    true = views.joints[frames]
    return LiftedSequence(camera.screen_to_image(views.screen[frames]), true + 0.1, true, camera, views.fps)


def test_a_figure_shows_something(sequence, tmp_path):
    save_figure(lift_figure(sequence, [0, 3]), tmp_path / "lifted.png")
    with Image.open(tmp_path / "lifted.png") as picture:
        assert picture.size[0] > 500
        assert max(ImageStat.Stat(picture.convert("L")).stddev) > 5
    assert [path.name for path in tmp_path.iterdir()] == ["lifted.png"]


def test_an_animation_has_every_frame_and_moves(sequence, tmp_path):
    drift = torch.arange(4.0)[:, None, None] * 0.2
    moving = replace(sequence, predicted=sequence.predicted + drift)
    save_lift_animation(moving, tmp_path / "lifted.gif", fps=50.0)
    with Image.open(tmp_path / "lifted.gif") as animation:
        assert animation.n_frames == 4
        first = animation.convert("L").tobytes()
        animation.seek(3)
        assert animation.convert("L").tobytes() != first


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"pip install 'spgnet\[figures\]'"):
        figures._pyplot()

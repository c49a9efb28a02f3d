"""The demo and its pictures, at a miniature size."""

import sys

import pytest
from PIL import Image, ImageStat

from spgnet import figures
from spgnet.data import open_benchmark
from spgnet.demo import DemoConfig, run_demo


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """The demo's result after an epoch on little motion."""
    monkeypatch.setattr(open_benchmark, "PROCEDURAL_CLIPS", {"train": 7, "validation": 1, "test": 7})
    config = DemoConfig(out=tmp_path / "demo", epochs=1, seconds=0.5)
    return config, run_demo(config, on_step=lambda entry: None, on_epoch=lambda entry: None)


def test_the_demo_evaluates_and_draws_and_can_be_repeated(demo):
    config, result = demo
    assert result.evaluation.frames > 0
    with Image.open(result.files["Picture"]) as picture:
        assert picture.size[0] > 1000
        assert max(ImageStat.Stat(picture.convert("L")).stddev) > 5
    with Image.open(result.files["Animation"]) as animation:
        assert animation.n_frames == 7
    assert not list(config.out.rglob("*.partial*"))
    again = run_demo(config, on_step=lambda entry: None, on_epoch=lambda entry: None)
    assert again.evaluation == result.evaluation


def test_the_animation_moves(demo):
    with Image.open(demo[1].files["Animation"]) as animation:
        first = animation.convert("L").tobytes()
        animation.seek(animation.n_frames - 1)
        assert animation.convert("L").tobytes() != first


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"pip install 'spgnet\[figures\]'"):
        figures._pyplot()

"""The demo and its pictures, at a miniature size."""

import sys

import pytest
from PIL import Image, ImageStat

from spgnet import figures
from spgnet.data import open_benchmark
from spgnet.demo import DemoConfig, run_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's configuration and result, done twice in the same folder with an epoch on little motion."""
    config = DemoConfig(out=tmp_path_factory.mktemp("demo"), epochs=1, seconds=0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_benchmark, "PROCEDURAL_CLIPS", {"train": 7, "validation": 1, "test": 7})
        first, again = (run_demo(config, on_step=print, on_epoch=print) for _ in range(2))
    assert again.evaluation == first.evaluation
    return config, again


def test_the_demo_evaluates_and_draws_and_leaves_nothing_half_written(demo):
    config, result = demo
    assert result.evaluation.frames > 0
    with Image.open(result.files["Picture"]) as picture:
        assert picture.size[0] > 1000
        assert max(ImageStat.Stat(picture.convert("L")).stddev) > 5
    with Image.open(result.files["Animation"]) as animation:
        assert animation.n_frames == 4
    assert not list(config.out.rglob("*.partial*"))


def test_the_animation_moves(demo):
    with Image.open(demo[1].files["Animation"]) as animation:
        first = animation.convert("L").tobytes()
        animation.seek(animation.n_frames - 1)
        assert animation.convert("L").tobytes() != first


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"pip install 'spgnet\[figures\]'"):
        figures._pyplot()

"""Pictures of a video for every moment of its motions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filmed import people

from spgnet.video import Frame, FrameSource
from spgnet.view import images
from spgnet.view.images import still


class Film(FrameSource):
    """Grey pictures that grow brighter by two with every frame."""

    name = "a film"

    def __init__(
        self, frames: int, fps: float = 30.0, start: float = 0.0, shape: tuple = (720, 1280)
    ) -> None:
        self.times, self.shape, self.read = start + np.arange(frames) / fps, shape, 0
        self.image_size = (shape[1], shape[0])

    def __iter__(self):
        self.read += 1
        for index, time in enumerate(self.times.tolist()):
            yield Frame(np.full((*self.shape, 3), (2 * index % 256, 10, 200), np.uint8), time)


def test_every_moment_has_its_picture_and_the_video_is_read_once():
    motions, project_clips = people(2), Film(60)
    image = still(project_clips, motions)
    for moment in (0, 17, 59):
        picture = image(moment)
        assert picture is not None
        assert picture.shape == (225, 400, 3)
        np.testing.assert_allclose(picture.mean(axis=(0, 1)), [2 * moment, 10, 200], atol=3)
    assert project_clips.read == 1


def test_of_a_slower_video_the_nearest_picture_is_shown():
    image = still(Film(20, fps=10.0), people())
    shades = [float(picture[..., 0].mean()) for m in (0, 1, 2, 30) if (picture := image(m)) is not None]
    np.testing.assert_allclose(shades, [0, 0, 2, 20], atol=1.5)


def test_there_is_no_picture_farther_than_a_second_away():
    image = still(Film(5), people())
    seen = [image(moment) is not None for moment in range(60)]
    assert seen == [moment / 30 <= 4 / 30 + 1 for moment in range(60)]
    assert still(Film(30, start=60.0), people())(0) is None
    assert still(Film(0), people())(0) is None


def test_many_frames_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(images, "COUNT", 20)
    kept: list[tuple[float, bytes]] = []
    compress = images.compress_images

    def remembered(*arguments):
        kept.extend(compress(*arguments))
        return kept

    monkeypatch.setattr(images, "compress_images", remembered)
    assert still(Film(400, shape=(36, 64)), people())(30) is not None
    times = np.array([time for time, _ in kept])
    assert len(times) <= 20
    assert times[-1] <= people()[0].timestamps[-1] + 1
    np.testing.assert_allclose(np.diff(times), np.diff(times)[0], atol=1e-6)


def test_what_cannot_be_shown_is_refused():
    motion = people()[0]
    with pytest.raises(ValueError, match="joints are NaN"):
        still(Film(3), [replace(motion, joints=motion.joints * np.float32(np.nan))])


@pytest.mark.parametrize("shape", [(1280, 720), (480, 640), (740, 1280)])
def test_a_video_of_other_proportions_than_the_camera_is_refused_unread(shape):
    project_clips = Film(3, shape=shape)
    with pytest.raises(ValueError, match=rf"a film: .* {shape[1]} x {shape[0]} .* 1280 x 720"):
        still(project_clips, people())
    assert project_clips.read == 0


def test_a_smaller_copy_of_the_video_with_rounded_sides_will_do():
    assert still(Film(3, shape=(240, 426)), people())(0) is not None


def test_a_real_video_is_read(tmp_path: Path):
    pytest.importorskip("av")
    from spgnet.video import VideoWriter, open_frames

    with VideoWriter(tmp_path / "film.mp4", 30.0) as writer:
        for shade in range(30):
            writer.write(np.full((180, 320, 3), 4 * shade, np.uint8))
    picture = still(open_frames(tmp_path / "film.mp4"), people())(20)
    assert picture is not None
    assert picture.shape == (180, 320, 3)
    assert picture.mean() == pytest.approx(80, abs=3)

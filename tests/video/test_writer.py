"""Writing videos."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from spgnet.video import VideoWriter, open_frames


def gradient(width: int, height: int, shift: int = 0) -> np.ndarray:
    across = np.linspace(40, 200, width)[None, :] + shift
    down = np.linspace(40, 200, height)[:, None]
    return np.stack(np.broadcast_arrays(across, down, np.full((1, 1), 90)), axis=-1).astype(np.uint8)


def write_two(
    path: Path, second: np.ndarray, error: type[BaseException] | None = None, time: float | None = None
) -> None:
    """A frame, perhaps an exception, and a second frame."""
    with VideoWriter(path) as writer:
        writer.write(gradient(64, 48))
        if error:
            raise error
        writer.write(second, time)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_written_video_gives_back_its_frames(tmp_path, suffix):
    images = [gradient(64, 48, 5 * index) for index in range(6)]
    with VideoWriter(tmp_path / f"out{suffix}", fps=24.0) as writer:
        for image in images:
            writer.write(image)
    source = open_frames(tmp_path / f"out{suffix}")
    assert source.fps == pytest.approx(24, rel=1e-3)
    for index, (frame, image) in enumerate(zip(source, images, strict=True)):
        assert frame.time == pytest.approx(index / 24, abs=1e-3)
        assert np.abs(frame.image.astype(int) - image).mean() < 4
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


def test_the_video_is_h264_that_every_player_shows(tmp_path):
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(gradient(64, 48))
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "plays before it is loaded whole"


def test_without_h264_it_is_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr(av.codec, "codecs_available", {"mpeg4"})
    with VideoWriter(tmp_path / "out.mp4", fps=59.94) as writer:
        for _ in range(3):
            writer.write(gradient(64, 48))
    source = open_frames(tmp_path / "out.mp4")
    assert "mpeg4" in source.description
    assert len(list(source)) == 3


def test_odd_sizes_are_padded_by_a_pixel(tmp_path):
    with VideoWriter(tmp_path / "out.mp4") as writer:
        writer.write(gradient(63, 47))
    (frame,) = open_frames(tmp_path / "out.mp4")
    assert frame.image.shape == (48, 64, 3)
    assert np.abs(frame.image[:47, :63].astype(int) - gradient(63, 47)).mean() < 4


def test_given_times_are_kept(tmp_path):
    times = [0.0, 0.05, 0.2, 0.21]
    with VideoWriter(tmp_path / "out.mp4") as writer:
        for time in times:
            writer.write(gradient(64, 48), time)
    assert [frame.time for frame in open_frames(tmp_path / "out.mp4")] == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_video_leaves_nothing_and_keeps_the_old_one(tmp_path, error):
    (tmp_path / "out.mp4").write_text("the old one")
    with pytest.raises(error):
        write_two(tmp_path / "out.mp4", gradient(64, 48), error)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_text() == "the old one"


def test_a_folder_in_the_way_is_named_and_kept(tmp_path):
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(OSError, match=r"out\.mp4") as error:
        write_two(tmp_path / "out.mp4", gradient(64, 48))
    assert error.value.filename == str(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == [tmp_path / "out.mp4"]


def test_frames_of_another_size_or_an_earlier_time_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"out\.mp4: frame 1 has shape \(50, 64, 3\)"):
        write_two(tmp_path / "out.mp4", gradient(64, 50))
    with pytest.raises(ValueError, match=r"time of frame 1, 0\.0 s, is not after"):
        write_two(tmp_path / "out.mp4", gradient(64, 48), time=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no frame was written"), VideoWriter(tmp_path / "out.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_every_fault_of_a_target_is_told_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.mp4.*no folder.*rate must be positive"):
        VideoWriter(tmp_path / "nowhere" / "out.gif", fps=0.0)


@pytest.mark.parametrize("name", ["walk:1.mp4", "file:walk.mp4", "pipe:1.mp4", "walk 100%d.mp4"])
def test_a_colon_in_a_path_is_a_letter_like_others(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = Path("take:2")
    folder.mkdir()
    for path in (Path(name), folder / name):
        with VideoWriter(path) as writer:
            writer.write(gradient(64, 48))
        source = open_frames(path)
        assert len(list(source)) == 1
        assert source.name == str(path)
        assert path.is_file()
        path.unlink()
    assert list(Path().rglob("*")) == [folder]

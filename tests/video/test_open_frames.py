"""Frames of video files, images and webcams."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from spgnet import video
from spgnet.files import natural_order
from spgnet.video import Frame, FrameSource, VideoWriter, files, open_frames
from spgnet.video.webcam import newest_frames

SHARED_VIDEOS = Path(__file__).resolve().parents[3] / "shared" / "video"
RED, GREEN, BLUE = (230, 20, 20), (20, 200, 20), (20, 20, 230)


def corners(width: int = 64, height: int = 48) -> np.ndarray:
    """A grey picture whose corners are red (top left), green (top right), blue (bottom left)."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[:16, :16], image[:16, -16:], image[-16:, :16] = RED, GREEN, BLUE
    return image


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that says how large it is."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each))
        for each in (header, b"IDAT")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def corner_colours(image: np.ndarray) -> list[tuple[int, ...]]:
    """Which of the colours is at top left, top right, bottom left, bottom right."""
    named = np.array([RED, GREEN, BLUE, (128, 128, 128)])
    found = image[[6, 6, -6, -6], [6, -6, 6, -6]].astype(int)
    return [tuple(named[np.abs(named - colour).sum(axis=1).argmin()].tolist()) for colour in found]


def write_video(
    path: Path,
    images: list[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    stamps: list[int] | None = None,
    display: dict | None = None,
    metadata: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    keyframes: int | None = None,
) -> Path:
    """A video made with PyAV alone: 25 frames/s, or time stamps in thousandths of a second."""
    options = {"movflags": "use_metadata_tags"} if metadata else {}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if keyframes:
            stream.gop_size = keyframes
        if display:
            stream.set_display_rotation(**display)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (stamps or range(0, 40000, 40))[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


# --- Video files --------------------------------------------------------------------------------


def test_a_video_gives_its_frames_in_order_with_their_times(tmp_path):
    levels = [20, 90, 160, 230]
    images = [np.full((48, 64, 3), level, np.uint8) for level in levels]
    source = open_frames(write_video(tmp_path / "clip.mp4", images))
    frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    np.testing.assert_allclose([frame.image.mean() for frame in frames], levels, atol=4)
    assert (source.image_size, source.fps, source.frame_count) == ((64, 48), 25, 4)
    assert source.focal_hint is None
    assert source.warnings == []
    assert source.description == "clip.mp4: 64 x 48, 25 frames/s, about 4 frames, h264"
    assert len(list(source)) == 4, "a file can be read again"


@pytest.mark.parametrize(
    ("degrees", "hflip", "shown"),
    [
        (0, False, [RED, GREEN, BLUE, (128,) * 3]),
        (90, False, [GREEN, (128,) * 3, RED, BLUE]),
        (180, False, [(128,) * 3, BLUE, GREEN, RED]),
        (270, False, [BLUE, RED, (128,) * 3, GREEN]),
        (0, True, [GREEN, RED, (128,) * 3, BLUE]),
        (180, True, [BLUE, (128,) * 3, RED, GREEN]),
    ],
)
def test_a_rotated_or_mirrored_video_comes_upright(tmp_path, degrees, hflip, shown):
    display = {"degrees": degrees, "hflip": hflip}
    source = open_frames(write_video(tmp_path / "turned.mp4", [corners()] * 3, display=display))
    size = (48, 64) if degrees % 180 else (64, 48)
    assert source.image_size == size
    for frame in source:
        assert frame.image.shape == (size[1], size[0], 3)
        assert corner_colours(frame.image) == shown


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_mirrored_and_turned_video_has_the_orientation_that_ffmpeg_gives_it(tmp_path, degrees):
    """The display matrix maps stored pixels to shown ones; here it is applied corner by corner."""
    display = {"degrees": degrees, "hflip": True}
    path = write_video(tmp_path / "both.mp4", [corners()], display=display)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        matrix = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32).reshape(3, 3)[:2, :2] / 65536
    stored = {RED: (-1, -1), GREEN: (1, -1), BLUE: (-1, 1), (128, 128, 128): (1, 1)}
    shown = {
        tuple(np.round(np.array(at) @ matrix).astype(int).tolist()): colour for colour, at in stored.items()
    }
    image = next(iter(open_frames(path))).image
    assert corner_colours(image) == [shown[at] for at in [(-1, -1), (1, -1), (-1, 1), (1, 1)]]


def test_a_variable_frame_rate_keeps_the_presentation_times_from_zero(tmp_path):
    stamps = [500, 540, 700, 710, 1200]
    source = open_frames(write_video(tmp_path / "vfr.mkv", [corners()] * 5, stamps=stamps))
    assert [frame.time for frame in source] == pytest.approx([0, 0.04, 0.2, 0.21, 0.7])


def test_a_video_of_one_frame_has_one_frame(tmp_path):
    source = open_frames(write_video(tmp_path / "one.mp4", [corners()]))
    assert [frame.time for frame in source] == [0]


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [("libx264", "yuv420p10le"), ("libx264", "yuv444p"), ("ffv1", "gray"), ("mpeg4", "yuv420p")],
)
def test_every_pixel_format_becomes_rgb(tmp_path, codec, pixels):
    source = open_frames(write_video(tmp_path / "clip.mkv", [corners()] * 2, codec=codec, pixels=pixels))
    for frame in source:
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (48, 64, 3)
        np.testing.assert_allclose(frame.image[24, 32], 128, atol=6)


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = write_video(tmp_path / "wide.mp4", [corners()] * 2, aspect=Fraction(4, 3))
    source = open_frames(path)
    assert source.image_size == (85, 48)
    assert {frame.image.shape for frame in source} == {(48, 85, 3)}


def test_apples_focal_length_becomes_pixels(tmp_path):
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    source = open_frames(write_video(tmp_path / "phone.mov", [corners()], metadata={key: "26"}))
    assert source.focal_hint == pytest.approx(26 * 80 / np.hypot(36, 24))


def test_a_video_cut_short_gives_what_can_be_read_and_a_warning(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(60)]
    with VideoWriter(tmp_path / "whole.mp4", 30.0) as writer:
        for image in images:
            writer.write(image)
    whole = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    source = open_frames(tmp_path / "cut.mp4")
    frames = list(source)
    assert 20 < len(frames) < 50
    assert any("of about 60 frames could be read" in line for line in source.warnings)
    assert all("cut.mp4" in line for line in source.warnings)


def test_damage_in_the_middle_costs_only_some_frames(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.mkv"
    write_video(
        path,
        [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)],
        codec="mjpeg",
        pixels="yuvj420p",
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 6000] = bytes(6000)
    path.write_bytes(bytes(data))
    times = [frame.time for frame in open_frames(path)]
    assert len(times) > 20
    assert (np.diff(times) > 0).all()


# --- Parts of a clip ----------------------------------------------------------------------------


def noise(frames: int) -> list[np.ndarray]:
    """Blurred noise: pictures of which a wrong or damaged one would differ."""
    coarse = np.random.default_rng(1).integers(0, 255, (frames, 6, 8, 3), np.uint8)
    return [np.kron(image, np.ones((8, 8, 1), np.uint8)) for image in coarse]


IRREGULAR = np.cumsum(np.random.default_rng(2).integers(10, 120, 40)).tolist()
"""Time stamps of a variable frame rate, the first of which is not 0."""


def clip_of_kind(kind: str, folder: Path) -> FrameSource:
    if kind == "images":
        for index, image in enumerate(noise(40)):
            Image.fromarray(image).save(folder / f"{index}.png")
        return open_frames(folder, image_fps=12.5)
    path = write_video(folder / kind, noise(40), stamps=IRREGULAR, keyframes=7)
    return open_frames(path, rotate=90 if kind == "turned.mp4" else 0)


@pytest.mark.parametrize("kind", ["clip.mp4", "clip.mkv", "turned.mp4", "clip.ts", "images"])
def test_a_part_of_a_clip_has_the_frames_of_the_whole_with_their_times(tmp_path, kind):
    clip = clip_of_kind(kind, tmp_path)
    frames = list(clip)
    times = np.array([frame.time for frame in frames])
    assert len(frames) == 40
    np.testing.assert_allclose(clip.frame_times(), times, atol=1e-9)
    for first, last, earlier in ((0, 5, 0.0), (7, 8, 0.0), (12, 31, 0.004), (39, 40, 0.0)):
        end = times[last] if last < 40 else np.inf
        part = list(clip.between(times[first] - earlier, end))
        assert [frame.time for frame in part] == times[first:last].tolist()
        for frame, expected in zip(part, frames[first:last], strict=True):
            np.testing.assert_array_equal(frame.image, expected.image)
    assert list(clip.between(times[-1] + 1, np.inf)) == []
    assert clip.warnings == []


def test_decoding_a_part_begins_near_it(tmp_path, monkeypatch):
    clip = open_frames(write_video(tmp_path / "clip.mp4", noise(60), keyframes=7))
    decoded, to_time = [], files._Clock.time
    monkeypatch.setattr(
        files._Clock, "time", lambda clock, frame: decoded.append(frame.pts) or to_time(clock, frame)
    )
    assert len(list(clip.between(40 * 0.04, 45 * 0.04))) == 5
    assert len(decoded) <= 5 + 7 + 1


def test_where_the_index_leads_behind_a_part_decoding_begins_earlier(tmp_path, monkeypatch):
    """In a transport stream without an index, seeks land where they can."""
    clip = open_frames(write_video(tmp_path / "clip.mp4", noise(60), keyframes=7))
    whole = [frame.time for frame in clip]
    opened, open_file = [], files._open

    class Astray:
        """A file of which the first seek goes to the end."""

        def __init__(self, container: av.container.InputContainer) -> None:
            self.container = container

        def seek(self, offset, *, stream):
            opened.append(offset)
            self.container.seek(offset * (4 if len(opened) == 1 else 1), stream=stream)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.container.close()

        def __getattr__(self, name):
            return getattr(self.container, name)

    monkeypatch.setattr(files, "_open", lambda path: Astray(open_file(path)))
    part = [frame.time for frame in clip.between(0.6, 1.0)]
    assert part == [time for time in whole if 0.6 - 1e-6 <= time < 1.0 - 1e-6]
    assert len(opened) == 1


def test_a_file_whose_packets_tell_no_times_has_none_before_decoding(tmp_path):
    write_video(tmp_path / "clip.h264", noise(3), codec="libx264")
    assert open_frames(tmp_path / "clip.h264").frame_times() is None


@pytest.mark.parametrize(
    ("name", "contents", "fault"),
    [
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"this is not a video\n" * 50, "not a readable video"),
        ("notes.txt", b"this is not a video\n" * 50, "not a video but a text file"),
        ("broken.png", b"\x89PNG\r\n\x1a\n but no more", "not a readable image"),
        ("immense.png", png_header(20_000, 20_000), "not a readable image .*exceeds limit"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line_by_name(tmp_path, name, contents, fault):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(ValueError, match=fault) as error:
        open_frames(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))
    assert str(error.value).count(str(tmp_path)) == 1
    assert "\n" not in str(error.value)


def test_a_video_without_its_index_is_refused(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", [corners()] * 30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.mp4: not a readable video: damaged, cut short"):
        open_frames(tmp_path / "cut.mp4")


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match="no video stream"):
        open_frames(path)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such file, folder"):
        open_frames(tmp_path / "nowhere.mp4")


def test_a_webcam_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"webcam 87: .*is one connected"):
        open_frames("87")


# --- Images -------------------------------------------------------------------------------------


def test_a_folder_of_images_comes_in_natural_order(tmp_path):
    for number in (10, 9, 1):
        Image.fromarray(np.full((20, 30, 3), number * 20, np.uint8)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".frame0.png").write_text("hidden")
    source = open_frames(tmp_path, image_fps=10.0)
    frames = list(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [20, 180, 200]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2])
    assert (source.image_size, source.frame_count, source.fps) == ((30, 20), 3, 10)


def test_natural_order_compares_numbers_by_value_and_mixes_with_names():
    names = ["b", "a10", "a9", "10", "9", "a", "²"]
    assert sorted(names, key=natural_order) == ["9", "10", "a", "a9", "a10", "b", "²"]


def test_an_image_is_turned_and_tells_its_focal_length_by_its_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    exif.get_ifd(0x8769)[0xA405] = 28
    Image.fromarray(corners()).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    source = open_frames(tmp_path / "photo.jpg")
    (frame,) = source
    assert source.image_size == (48, 64)
    assert corner_colours(frame.image) == [BLUE, RED, (128, 128, 128), GREEN]
    assert source.focal_hint == pytest.approx(28 * 80 / np.hypot(36, 24))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16"])
def test_every_kind_of_image_becomes_rgb(tmp_path, mode):
    if mode == "I;16":
        picture = Image.fromarray(np.full((20, 30), 100 * 256, np.uint16))
    else:
        picture = Image.fromarray(np.full((20, 30, 3), 100, np.uint8)).convert(mode)
    picture.save(tmp_path / "image.png")
    (frame,) = open_frames(tmp_path)
    np.testing.assert_allclose(frame.image[8, 8], 100, atol=2)  # a palette has few greys


def test_images_of_different_sizes_are_refused_by_name(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    Image.new("RGB", (20, 30)).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png: the image is \(20, 30\), expected \(30, 20\)"):
        list(open_frames(tmp_path))


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \.jpg, \.jpeg, \.png image"):
        open_frames(tmp_path)


# --- Turned by the user --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "shown"),
    [
        (90, [BLUE, RED, (128,) * 3, GREEN]),
        (180, [(128,) * 3, BLUE, GREEN, RED]),
        (270, [GREEN, (128,) * 3, RED, BLUE]),
    ],
)
def test_frames_are_turned_clockwise_and_their_times_stay(tmp_path, degrees, shown):
    path = write_video(tmp_path / "clip.mp4", [corners()] * 3)
    plain, turned = open_frames(path), open_frames(path, rotate=degrees)
    assert turned.image_size == ((48, 64) if degrees % 180 else (64, 48))
    assert turned.description == f"{plain.description}, turned by {degrees}° clockwise"
    assert (turned.fps, turned.frame_count) == (plain.fps, plain.frame_count)
    for before, after in zip(plain, turned, strict=True):
        assert after.time == before.time
        assert after.image.shape[1::-1] == turned.image_size
        assert corner_colours(after.image) == shown


def test_a_turned_webcam_is_still_one(monkeypatch):
    class Camera(FrameSource):
        name, description, image_size, fps, warnings, is_live = "webcam 0", "", (64, 48), 30.0, [], True

        def __iter__(self) -> Iterator[Frame]:
            yield Frame(corners(), 0.0)

    monkeypatch.setattr(video, "Webcam", lambda number: Camera())
    assert open_frames("0", rotate=180).is_live
    assert not open_frames(Path(__file__).parents[2] / "docs" / "page.jpg", rotate=180).is_live


# --- Live ---------------------------------------------------------------------------------------


def test_a_slow_reader_of_a_live_source_skips_frames_and_gets_the_last():
    def live() -> Iterator[Frame]:
        for index in range(50):
            time.sleep(0.002)
            yield Frame(np.zeros((2, 2, 3), np.uint8), float(index))

    seen = []
    for frame in newest_frames(live()):
        seen.append(frame.time)
        time.sleep(0.02)
    assert len(seen) < 40
    assert seen == sorted(seen)
    assert seen[-1] == 49


def test_a_fault_of_a_live_source_reaches_its_reader():
    def live() -> Iterator[Frame]:
        yield Frame(np.zeros((2, 2, 3), np.uint8), 0.0)
        raise ValueError("unplugged")

    with pytest.raises(ValueError, match="unplugged"):
        list(newest_frames(live()))


# --- Real videos --------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED_VIDEOS.is_dir(), reason="the shared videos are not beside this checkout")
def test_real_videos_are_read_whole():
    source = open_frames(SHARED_VIDEOS / "pose2sim_cam01.mp4")
    count = sum(frame.image.shape == (1920, 1080, 3) for frame in source)
    assert (count, source.fps, source.warnings) == (100, 60, [])

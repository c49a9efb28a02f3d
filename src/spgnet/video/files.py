"""Video files, read with PyAV."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.video.frames import SAME_TIME, Frame, FrameSource, ffmpeg_name, focal_in_pixels

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

FOCAL_KEYS = (
    "com.apple.quicktime.camera.focal_length.35mm_equivalent",
    "com.apple.quicktime.camera.focal-length.35mm-equivalent",
)
NOT_VIDEOS = {"tty", "bin", "xbin", "adf", "idf"}
"""FFmpeg's formats that decode any text file as a video."""


class VideoFile(FrameSource):
    """A video file: upright frames at their presentation times, as far as they can be decoded.

    Raises:
        InputError: it is not a video, or no frame of it can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.warnings = []
        with _open(path) as container:
            stream = _video_stream(path, container)
            first = _first_of_file(path, container, stream)
            self._start = first.time or 0.0
            image = to_rgb(first, stream.sample_aspect_ratio)
            self.image_size = (image.shape[1], image.shape[0])
            self.fps = float(stream.average_rate or stream.guessed_rate or 30)
            self.frame_count = stream.frames or _frames_by_duration(container, stream)
            self.focal_hint = _focal_hint(container, stream, self.image_size)
            width, height = self.image_size
            length = f", about {self.frame_count} frames" if self.frame_count else ""
            self.description = (
                f"{path.name}: {width} x {height}, {self.fps:.4g} frames/s{length}, "
                f"{stream.codec_context.name}"
            )

    def __iter__(self) -> Iterator[Frame]:
        self.warnings.clear()
        with self._stream() as (container, stream):
            frames = decode_frames(container, stream, self.warnings)
            count = yield from self._upright(frames, stream, _Clock(self.fps))
        if count is not None:
            self.warn_if_short(count)

    def between(self, start: float, end: float) -> Iterator[Frame]:
        """The frames from a time to before another one (see `FrameSource`).

        Decoding begins at the keyframe before them, or earlier if the file's index leads to a later one.
        """
        av = import_extra("av", "video")
        # Seconds before the start to seek to; infinity: no seek, decoding begins at the first frame.
        for margin in (0.0, 10.0, math.inf):
            self.warnings.clear()
            with self._stream() as (container, stream):
                seeks = start > margin
                if seeks:
                    assert stream.time_base is not None
                    with suppress(av.error.FFmpegError):  # without a seek, decoding begins at the beginning
                        container.seek(int((self._start + start - margin) / stream.time_base), stream=stream)
                frames = decode_frames(container, stream, self.warnings)
                first = next(frames, None)
                if seeks and (first is None or (first.time or 0.0) - self._start > start + SAME_TIME):
                    continue
                clock = _Clock(self.fps, self._start if seeks else None)
                yield from self._upright(chain([first] if first else [], frames), stream, clock, start, end)
                return

    def frame_times(self) -> Float[np.ndarray, " frames"] | None:
        """The times of all frames by the packets of the file (see `FrameSource`)."""
        av = import_extra("av", "video")
        stamps, time_base = set(), 1.0
        with (
            self._stream() as (container, stream),
            suppress(av.error.FFmpegError),
        ):  # of a damaged file, what is readable
            time_base = float(stream.time_base or 1)
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    if packet.pts is None:
                        return None
                    stamps.add(packet.pts)
        times = np.array(sorted(stamps)) * time_base - self._start
        return times[times > -SAME_TIME].clip(0)

    @contextmanager
    def _stream(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The file and its video, to be decoded with threads."""
        with _open(self.path) as container:
            stream = _video_stream(self.path, container)
            stream.thread_type = "AUTO"
            yield container, stream

    def _upright(
        self,
        frames: Iterable[VideoFrame],
        stream: VideoStream,
        clock: _Clock,
        start: float = 0.0,
        end: float = math.inf,
    ) -> Generator[Frame, None, int | None]:
        """Decoded frames from a time to before another one, upright. Returns how many; None if the picture
        changes its size and the rest is left."""
        count = 0
        for frame in frames:
            time = clock.time(frame)
            if time < start - SAME_TIME:
                continue
            if time >= end - SAME_TIME:
                break
            image = to_rgb(frame, stream.sample_aspect_ratio)
            if image.shape[1::-1] != self.image_size:
                self.warnings.append(
                    f"{self.name}: the picture changes its size after {time:.1f} s; the rest is left"
                )
                return None
            count += 1
            yield Frame(image, time)
        return count


class _Clock:
    """Presentation times that begin at 0 and increase, even if the file's timestamps do not.

    Args:
        fps: nominal frame rate.
        start: the file's time of the first frame of the clip; None if that is the next one.
    """

    def __init__(self, fps: float, start: float | None = None) -> None:
        self.step = 1 / fps
        self.start = start
        self.last = -self.step

    def time(self, frame: VideoFrame) -> float:
        """Seconds since the first frame; a frame without a timestamp follows at the nominal rate."""
        stamp = None if frame.pts is None else frame.time
        if self.start is None:
            self.start = stamp or 0.0
        time = self.last + self.step if stamp is None else stamp - self.start
        if time <= self.last:
            time = self.last + self.step / 2
        self.last = time
        return time


def to_rgb(frame: VideoFrame, pixel_aspect: Fraction | None = None) -> np.ndarray:
    """A decoded frame as RGB [height, width, 3], with square pixels, upright.

    Args:
        frame: the decoded frame; its display matrix says how it is rotated and mirrored.
        pixel_aspect: width of a stored pixel over its height; square if None.
    """
    width = round(frame.width * (pixel_aspect or 1))
    image = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    # A stored pixel (x, y) is displayed at (a x + c y, b x + d y), in 16.16 fixed point.
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5] / 65536
    turns = round(np.arctan2(-b, a) / (np.pi / 2)) % 4 if a * d - b * c > 0 else None
    if turns is None:  # mirrored left to right, then turned
        turns = round(np.arctan2(b, -a) / (np.pi / 2)) % 4
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, turns))


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame that can be decoded.

    Raises:
        InputError: no frame can be decoded.
    """
    errors: list[str] = []
    for frame in decode_frames(container, stream, errors):
        return frame
    raise InputError(errors[0] if errors else "it ends before the first one")


def _open(path: Path) -> InputContainer:
    av = import_extra("av", "video")
    try:
        container = av.open(ffmpeg_name(path))
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable video: damaged, cut short or of an unknown kind ({_reason(error)})"
        ) from None
    if container.format.name in NOT_VIDEOS:
        container.close()
        raise InputError(f"{path}: not a video but a text file")
    return container


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The first video stream that is not the cover image of a music file."""
    for stream in container.streams.video:
        if not _is_cover(stream):
            return stream
    raise InputError(f"{path}: no video stream in this file")


def _is_cover(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _first_of_file(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    try:
        return first_frame(container, stream)
    except InputError as error:
        raise InputError(f"{path}: no picture in this video can be decoded ({error})") from None


def decode_frames(
    container: InputContainer, stream: VideoStream, warnings: list[str]
) -> Iterator[VideoFrame]:
    """All frames of a stream that can be decoded; decoding errors are appended to the warnings once."""
    av = import_extra("av", "video")
    broken = 0
    name = container.name.removeprefix("file:")
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.error.FFmpegError as error:
            warnings.append(f"{name}: reading stopped early ({_reason(error)})")
            break
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            broken += 1
            if broken == 1:
                warnings.append(f"{name}: some frames cannot be decoded ({_reason(error)})")
            continue
        yield from frames


def _frames_by_duration(container: InputContainer, stream: VideoStream) -> int | None:
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / 1e6
    return round(seconds * float(stream.average_rate or 0)) or None


def _focal_hint(container: InputContainer, stream: VideoStream, image_size: tuple[int, int]) -> float | None:
    metadata = container.metadata | stream.metadata
    for key in FOCAL_KEYS:
        try:
            equivalent = float(metadata.get(key, ""))
        except ValueError:
            continue
        if equivalent > 0:
            return focal_in_pixels(equivalent, image_size)
    return None


def _reason(error: Exception) -> str:
    """FFmpeg's message without number and path."""
    return getattr(error, "strerror", None) or str(error)

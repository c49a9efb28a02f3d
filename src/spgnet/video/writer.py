"""Writing videos: H.264 if PyAV has an encoder for it, MPEG-4 otherwise."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.files import whole_file
from spgnet.video.frames import ffmpeg_name

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
TICKS = 60000
"""Time units per second in the file: exact for all usual frame rates, and below MPEG-4's limit of 65535."""


class VideoWriter:
    """Writes frames into a video file, which appears complete or not at all.

    Use it in a ``with`` statement: leaving it finishes the file, and an exception (Ctrl-C too) removes it.
    Odd widths and heights, which the codecs cannot store, are padded by one pixel.

    Args:
        path: the file, ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``; it is replaced if it exists.
        fps: frames per second; only nominal if `write` gets times.

    Raises:
        InputError: the suffix is another one, the folder does not exist, or the frame rate is not positive;
            on leaving: no frame was written.
    """

    def __init__(self, path: Path, fps: float = 30.0) -> None:
        errors = []
        if path.suffix.lower() not in FORMATS:
            errors.append(f"a video file ends in {', '.join(FORMATS)}")
        if not path.parent.is_dir():
            errors.append(f"there is no folder {path.parent}")
        if not 0 < fps < TICKS:
            errors.append(f"the frame rate must be positive, got {fps:g}")
        if errors:
            raise InputError(f"{path}: {'; '.join(errors)}")
        self.path, self.fps = path, float(fps)
        self._partial, self._cleanup = path, ExitStack()
        self._container = self._stream = self._size = None
        self._count, self._last = 0, -1

    def __enter__(self) -> VideoWriter:
        self._partial = self._cleanup.enter_context(whole_file(self.path))
        self._cleanup.push(self._finish)
        return self

    def write(self, image: UInt8[np.ndarray, "height width 3"], time: float | None = None) -> None:
        """Append an RGB frame.

        Args:
            image: RGB, all frames in the same size.
            time: of the frame in seconds; by default, the number of frames so far divided by `fps`.

        Raises:
            InputError: the size differs from the frames before, or time does not increase.
        """
        if self._size is None:
            self._size = image.shape
            self._open(image.shape[1] + image.shape[1] % 2, image.shape[0] + image.shape[0] % 2)
        if image.shape != self._size:
            raise InputError(
                f"{self.path}: frame {self._count} has shape {image.shape}, expected {self._size} as before"
            )
        ticks = round((self._count / self.fps if time is None else time) * TICKS)
        if ticks <= self._last:
            raise InputError(f"{self.path}: the time of frame {self._count}, {time} s, is not after the last")
        odd = ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0))
        if np.any(odd):
            image = np.pad(image, odd, mode="edge")
        frame = import_extra("av", "video").VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = ticks, Fraction(1, TICKS)
        self._count, self._last = self._count + 1, ticks
        assert self._container is not None
        assert self._stream is not None
        self._container.mux(self._stream.encode(frame))

    def _open(self, width: int, height: int) -> None:
        av = import_extra("av", "video")
        codec = "libx264" if "libx264" in av.codec.codecs_available else "mpeg4"
        suffix = self.path.suffix.lower()
        fast = {} if suffix == ".mkv" else {"movflags": "+faststart"}
        self._container = av.open(ffmpeg_name(self._partial), "w", format=FORMATS[suffix], options=fast)
        stream = self._container.add_stream(codec, rate=Fraction(self.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        if codec == "libx264":
            stream.options = {"crf": "20", "preset": "veryfast"}
        else:
            stream.bit_rate = round(0.2 * width * height * self.fps)
        self._stream = stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.__exit__(kind, error, trace)

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush the encoder, unless the ``with`` block failed, and close the file."""
        if self._container is None or self._stream is None:
            if error is None:
                raise InputError(f"{self.path}: no frame was written")
            return
        try:
            if error is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

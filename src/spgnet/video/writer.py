"""Writing videos: H.264 where PyAV has it, MPEG-4 otherwise."""

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
"""Units of time per second in the file: exact for all usual frame rates, and the most MPEG-4 can have."""


class VideoWriter:
    """Writes frames into a video file, whole or not at all.

    Use it in a ``with`` statement: leaving it finishes the file, and an exception (Ctrl-C too) removes it.
    Odd widths and heights, which the codecs cannot store, are padded by a pixel.

    Args:
        path: the file, ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``; it is replaced if it exists.
        fps: frames per second; nominal if `write` is given times.

    Raises:
        InputError: another suffix, no folder to write into, a rate that is not positive; while writing:
            frames of different sizes, or times that do not increase.
    """

    def __init__(self, path: Path, fps: float = 30.0) -> None:
        faults = []
        if path.suffix.lower() not in FORMATS:
            faults.append(f"a video file ends in {', '.join(FORMATS)}")
        if not path.parent.is_dir():
            faults.append(f"there is no folder {path.parent}")
        if not 0 < fps < TICKS:
            faults.append(f"the frame rate must be positive, got {fps:g}")
        if faults:
            raise InputError(f"{path}: {'; '.join(faults)}")
        self.path, self.fps = path, float(fps)
        self._partial, self._cleanup = path, ExitStack()
        self._container = self._stream = self._size = None
        self._count, self._last = 0, -1

    def __enter__(self) -> VideoWriter:
        self._partial = self._cleanup.enter_context(whole_file(self.path))
        self._cleanup.push(self._finish)
        return self

    def write(self, image: UInt8[np.ndarray, "height width 3"], time: float | None = None) -> None:
        """Add an RGB frame: at `time` in seconds if given, else one frame after the last."""
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
        frame = import_extra("av", "video").VideoFrame.from_ndarray(
            np.pad(image, odd, mode="edge"), format="rgb24"
        )
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
        """Write what the codec still holds, unless the ``with`` block failed, and close the file."""
        if self._container is None or self._stream is None:
            if error is None:
                raise InputError(f"{self.path}: no frame was written")
            return
        try:
            if error is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

"""Frames of a clip, and the interface of all frame sources."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.geometry.image_rotation import ImageRotation, rotated_image, rotated_size

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Diagonal in mm of a 35 mm film frame, to which the "35 mm equivalent" focal length refers."""
SAME_TIME = 1e-6
"""Seconds by which times of one frame may differ."""


@dataclass(frozen=True)
class Frame:
    """One frame of a clip.

    Args:
        image: RGB, upright.
        time: seconds since the first frame of the clip.
    """

    image: UInt8[np.ndarray, "height width 3"]
    time: float


class FrameSource(ABC):
    """A clip or a webcam, iterated frame by frame.

    The times of the frames begin at 0 and strictly increase; only a few frames are in memory at once. A file
    or folder can be iterated again.

    Attributes:
        name: the file, folder or device, for messages.
        description: one line for the user: name, size, frame rate, length.
        image_size: width and height in pixels of every frame, after rotation.
        fps: nominal frames per second; the frames' times are exact.
        frame_count: approximate number of frames; None for a webcam or if unknown.
        focal_hint: focal length in pixels from the file's metadata, if stated. Cropping and stabilisation
            make it approximate.
        warnings: problems with the frames read so far, one line each.
        is_live: whether it is a webcam, which has no end and can be iterated once.
    """

    name: str
    description: str
    image_size: tuple[int, int]
    fps: float
    frame_count: int | None = None
    focal_hint: float | None = None
    warnings: list[str]
    is_live: bool = False

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def between(self, start: float, end: float) -> Iterator[Frame]:
        """The frames from a time to before another one, in seconds since the first frame of the clip."""
        return (frame for frame in self if start - SAME_TIME <= frame.time < end - SAME_TIME)

    def frame_times(self) -> Float[np.ndarray, " frames"] | None:
        """The times of all frames in seconds, found without decoding them; None where that cannot be done.

        A frame that cannot be decoded has a time, too.
        """
        return None

    def warn_if_short(self, count: int) -> None:
        """Add a warning if fewer frames could be read than the clip says it has."""
        expected = self.frame_count
        if expected and count < expected - max(2, expected // 50):
            self.warnings.append(
                f"{self.name}: {count} of about {expected} frames could be read; the file is cut short or "
                "damaged"
            )


class RotatedFrames(FrameSource):
    """The frames of a clip or a webcam, turned clockwise; all else is that of the source."""

    def __init__(self, source: FrameSource, degrees: ImageRotation) -> None:
        self.source = source
        self.degrees: ImageRotation = degrees
        self.name, self.fps, self.frame_count = source.name, source.fps, source.frame_count
        self.focal_hint, self.warnings, self.is_live = source.focal_hint, source.warnings, source.is_live
        self.image_size = rotated_size(source.image_size, degrees)
        self.description = f"{source.description}, turned by {degrees}° clockwise"

    def __iter__(self) -> Iterator[Frame]:
        return self._rotated(self.source)

    def between(self, start: float, end: float) -> Iterator[Frame]:
        """The frames from a time to before another one (see `FrameSource`)."""
        return self._rotated(self.source.between(start, end))

    def frame_times(self) -> Float[np.ndarray, " frames"] | None:
        """The times of all frames (see `FrameSource`)."""
        return self.source.frame_times()

    def _rotated(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        return (Frame(rotated_image(frame.image, self.degrees), frame.time) for frame in frames)


def focal_in_pixels(equivalent: float, image_size: tuple[int, int]) -> float:
    """Focal length in pixels of a "35 mm equivalent" in mm, for an image size in pixels."""
    return equivalent / FILM_DIAGONAL * math.hypot(*image_size)


def ffmpeg_name(path: Path) -> str:
    """A path as a URL of FFmpeg; without the prefix, text before a colon would be taken for a protocol."""
    return f"file:{path}"

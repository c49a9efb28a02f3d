"""Frames of a clip, and the interface of all frame sources."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from spgnet.geometry.image_rotation import ImageRotation, rotated_image, rotated_size

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Diagonal in mm of a 35 mm film frame, to which the "35 mm equivalent" focal length refers."""


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
        return (Frame(rotated_image(frame.image, self.degrees), frame.time) for frame in self.source)


def focal_in_pixels(equivalent: float, image_size: tuple[int, int]) -> float:
    """Focal length in pixels of a "35 mm equivalent" in mm, for an image size in pixels."""
    return equivalent / FILM_DIAGONAL * math.hypot(*image_size)


def ffmpeg_name(path: Path) -> str:
    """A path as a URL of FFmpeg; without the prefix, text before a colon would be taken for a protocol."""
    return f"file:{path}"

"""What every source of frames gives: pictures with their times, one after the other."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Diagonal in mm of 35 mm film, to which an "equivalent focal length" refers."""


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    Args:
        image: RGB, upright.
        time: seconds since the first frame of the clip.
    """

    image: UInt8[np.ndarray, "height width 3"]
    time: float


class FrameSource(ABC):
    """A clip, or a camera, that gives its frames one at a time.

    Iterating gives frames whose times begin at 0 and strictly increase; only a few are in memory at once. A
    file or folder can be iterated again.

    Attributes:
        name: the file, folder or device, for messages.
        description: one line for people: name, size, frame rate, length.
        image_size: width and height in pixels of every frame, after rotation.
        fps: nominal frames per second; the times of the frames say the truth.
        frame_count: about how many frames there are; None for a camera or if unknown.
        focal_hint: focal length in pixels as the file tells it, if it does. Cropping and stabilisation make
            it approximate.
        warnings: what was wrong with the frames given so far, one line each.
    """

    name: str
    description: str
    image_size: tuple[int, int]
    fps: float
    frame_count: int | None = None
    focal_hint: float | None = None
    warnings: list[str]

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...


def focal_in_pixels(equivalent: float, image_size: tuple[int, int]) -> float:
    """Focal length in pixels from the "35 mm equivalent" in mm, by the diagonal of the image."""
    return equivalent / FILM_DIAGONAL * math.hypot(*image_size)


def ffmpeg_name(path: Path) -> str:
    """A path as FFmpeg takes it for a file: without this, a colon in it ends the name of a protocol."""
    return f"file:{path}"

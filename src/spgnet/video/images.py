"""A folder of images, or a single image, as a clip."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError, one_line
from spgnet.extras import import_extra
from spgnet.files import natural_order
from spgnet.video.frames import SAME_TIME, Frame, FrameSource, focal_in_pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES = (".jpg", ".jpeg", ".png")
_UNREADABLE = (OSError, SyntaxError, ValueError)
"""What Pillow raises for a damaged file."""
EXIF_IFD, EXIF_FOCAL_35MM = 0x8769, 0xA405


class ImageFolder(FrameSource):
    """PNG and JPEG images of one size, in natural order, at a constant frame rate.

    Raises:
        InputError: there is no image, or `fps` is not positive; also while iterating: an image cannot be
            read, or sizes differ.
    """

    def __init__(self, path: Path, fps: float) -> None:
        if not fps > 0:
            raise InputError(f"{path}: the frame rate must be positive, got {fps:g}")
        found = path.iterdir() if path.is_dir() else [path]
        kept = [file for file in found if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
        if not kept:
            raise InputError(f"{path}: no {', '.join(SUFFIXES)} image in this folder")
        self.files = sorted(kept, key=lambda file: natural_order(file.name))
        first, equivalent = read_image(self.files[0])
        self.name = str(path)
        self.image_size = (first.shape[1], first.shape[0])
        self.fps = float(fps)
        self.frame_count = len(self.files)
        self.focal_hint = focal_in_pixels(equivalent, self.image_size) if equivalent else None
        self.warnings = []
        width, height = self.image_size
        self.description = f"{path.name}: {width} x {height}, {len(kept)} images at {fps:g} frames/s"

    def __iter__(self) -> Iterator[Frame]:
        return self.between(0.0, math.inf)

    def frame_times(self) -> Float[np.ndarray, " frames"]:
        """The times of all images (see `FrameSource`)."""
        return np.arange(len(self.files)) / self.fps

    def between(self, start: float, end: float) -> Iterator[Frame]:
        """The images from a time to before another one (see `FrameSource`); no others are read."""
        first, last = np.searchsorted(self.frame_times(), np.array([start, end]) - SAME_TIME).tolist()
        for index, file in enumerate(self.files[first:last], start=first):
            image, _ = read_image(file)
            size = (image.shape[1], image.shape[0])
            if size != self.image_size:
                raise InputError(f"{file}: the image is {size}, expected {self.image_size} like the first")
            yield Frame(image, index / self.fps)


def read_image(path: Path) -> tuple[np.ndarray, float | None]:
    """An image as upright RGB [height, width, 3], and its 35 mm equivalent focal length in mm, if stated.

    Raises:
        InputError: it is not a readable image.
    """
    pil_image, pil_ops = (import_extra(f"PIL.{module}", "video") for module in ("Image", "ImageOps"))
    try:
        with pil_image.open(path) as file:
            equivalent = file.getexif().get_ifd(EXIF_IFD).get(EXIF_FOCAL_35MM)
            return _rgb(pil_ops.exif_transpose(file)), float(equivalent) if equivalent else None
    except (*_UNREADABLE, pil_image.DecompressionBombError) as error:
        reason = one_line(error).replace(f" '{path}'", "")
        raise InputError(f"{path}: not a readable image ({reason})") from None


def _rgb(picture: Picture) -> np.ndarray:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow's own conversion would clip
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.array(picture.convert("RGB"))

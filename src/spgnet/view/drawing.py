"""Drawing with OpenCV: antialiased lines, discs, polygons and text at positions between pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.extras import import_extra

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Picture = UInt8[np.ndarray, "_height _width 3"]

SUBPIXEL_BITS = 4
FARTHEST = 1e5
"""Positions in pixels are limited to this, which is far outside any picture."""


def opencv() -> Any:
    """The module ``cv2``.

    Raises:
        InputError: it is not installed.
    """
    return import_extra("cv2", "video")


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with a share, from 0 to 1, of another one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def lines(
    picture: Picture, ends: Float[np.ndarray, "lines points 2"], colour: Colour, width: float = 1.0
) -> None:
    """Draw open lines through pixels of a picture; the centre of the top left pixel is (0, 0)."""
    if len(ends):
        cv2 = opencv()
        thick = max(1, round(width))
        cv2.polylines(picture, list(_fixed(ends)), False, colour, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def disc(
    picture: Picture,
    centre: Float[np.ndarray, " 2"],
    radius: float,
    colour: Colour,
    ring: float | None = None,
) -> None:
    """Draw a filled circle, or a ring of a width in pixels."""
    cv2 = opencv()
    x, y = _fixed(centre).tolist()
    thick = cv2.FILLED if ring is None else max(1, round(ring))
    size = round(min(max(radius, 0.5), FARTHEST) * 2**SUBPIXEL_BITS)
    cv2.circle(picture, (x, y), size, colour, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def polygon(picture: Picture, corners: Float[np.ndarray, "points 2"], colour: Colour) -> None:
    """Fill a polygon."""
    cv2 = opencv()
    cv2.fillPoly(picture, [_fixed(corners)], colour, cv2.LINE_AA, SUBPIXEL_BITS)


def text(
    picture: Picture,
    words: str,
    place: tuple[float, float],
    height: float,
    colour: Colour,
    *,
    bold: bool = False,
    anchor: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write a line of text.

    Args:
        picture: what to draw on.
        words: plain ASCII.
        place: the point of the picture where the anchor comes to lie, in pixels.
        height: height of a capital letter in pixels.
        colour: the text's colour.
        bold: whether the strokes are bold.
        anchor: the point of the text that lies there; (0, 0) is its top left, (1, 1) its bottom right.
    """
    cv2 = opencv()
    scale, thick = _font(height, bold)
    width = text_width(words, height, bold=bold)
    x = round(place[0] - anchor[0] * width)
    y = round(place[1] + (1 - anchor[1]) * height)
    cv2.putText(picture, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)


def text_width(words: str, height: float, *, bold: bool = False) -> int:
    """Width of a line of text in pixels."""
    cv2 = opencv()
    (width, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, *_font(height, bold))
    return width


def _font(height: float, bold: bool) -> tuple[float, int]:
    """Scale and thickness of OpenCV's font, whose capital letters are 22 pixels high."""
    return height / 22, (2 if bold else 1)


@contextmanager
def translucent(
    picture: Picture, points: Float[np.ndarray, "*shape 2"], margin: float, opacity: float
) -> Iterator[tuple[Picture, Float[np.ndarray, " 2"]]]:
    """A part of the picture to draw on, which is then blended into it.

    Args:
        picture: what to draw on.
        points: what the part must enclose, in pixels.
        margin: distance in pixels to keep around the points.
        opacity: from 0, where what is drawn leaves no trace, to 1.

    Yields:
        The part, at least a pixel of it, and the position of its top left pixel in the picture.
    """
    size = np.array(picture.shape[1::-1])
    flat = points.reshape(-1, 2)
    low = np.clip(np.floor(flat.min(axis=0) - margin), 0, size - 1).astype(int)
    high = np.clip(np.ceil(flat.max(axis=0) + margin) + 1, low + 1, size).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    if opacity >= 1:
        yield part, low.astype(np.float64)
        return
    drawn = part.copy()
    yield drawn, low.astype(np.float64)
    opencv().addWeighted(drawn, opacity, part, 1 - opacity, 0, dst=part)


def fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture in another size (width, height); the picture itself if it has this size."""
    cv2 = opencv()
    if picture.shape[1::-1] == size:
        return picture
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels as OpenCV's fixed-point numbers."""
    return np.rint(np.clip(points, -FARTHEST, FARTHEST) * 2**SUBPIXEL_BITS).astype(np.int32)

"""Drawing with OpenCV: antialiased lines, circles, polygons and text at positions between pixels.

Pixel positions are (x, y); the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float, Int, UInt8

from spgnet.extras import import_extra
from spgnet.view.palette import Color

Picture = UInt8[np.ndarray, "_height _width 3"]

_SUBPIXEL_BITS = 4
_FARTHEST = 1e5
"""Positions in pixels are limited to this, which is far outside any picture."""
_CAPITAL_HEIGHT = 22
"""Height in pixels of the capital letters of OpenCV's font."""


def blend(color: Color, other: Color, share: float) -> Color:
    """A color with a share, from 0 to 1, of another one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def draw_lines(
    picture: Picture, points: Float[np.ndarray, "lines points 2"], color: Color, width: float = 1.0
) -> None:
    """Draw open lines through pixels of a picture."""
    if len(points):
        cv2 = import_extra("cv2", "video")
        thickness = max(1, round(width))
        cv2.polylines(picture, list(_fixed(points)), False, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_circle(
    picture: Picture,
    center: Float[np.ndarray, " 2"],
    radius: float,
    color: Color,
    outline: float | None = None,
) -> None:
    """Draw a filled circle, or only its outline of a width in pixels."""
    cv2 = import_extra("cv2", "video")
    x, y = _fixed(center).tolist()
    thickness = cv2.FILLED if outline is None else max(1, round(outline))
    size = round(min(max(radius, 0.5), _FARTHEST) * 2**_SUBPIXEL_BITS)
    cv2.circle(picture, (x, y), size, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def fill_polygon(picture: Picture, corners: Float[np.ndarray, "points 2"], color: Color) -> None:
    """Fill a polygon."""
    cv2 = import_extra("cv2", "video")
    cv2.fillPoly(picture, [_fixed(corners)], color, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_text(
    picture: Picture,
    content: str,
    position: tuple[float, float],
    height: float,
    color: Color,
    *,
    bold: bool = False,
    anchor: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write a line of text.

    Args:
        picture: what to draw on.
        content: plain ASCII.
        position: where the anchor comes to lie, in pixels.
        height: of a capital letter, in pixels.
        color: of the text.
        bold: whether the strokes are bold.
        anchor: the point of the text at the position; (0, 0) is its top left, (1, 1) its bottom right.
    """
    cv2 = import_extra("cv2", "video")
    scale, thickness = _font(height, bold)
    width = text_width(content, height, bold=bold)
    x = round(position[0] - anchor[0] * width)
    y = round(position[1] + (1 - anchor[1]) * height)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, content, (x, y), font, scale, color, thickness, cv2.LINE_AA)


def text_width(content: str, height: float, *, bold: bool = False) -> int:
    """Width of a line of text in pixels."""
    cv2 = import_extra("cv2", "video")
    (width, _), _ = cv2.getTextSize(content, cv2.FONT_HERSHEY_SIMPLEX, *_font(height, bold))
    return width


def _font(height: float, bold: bool) -> tuple[float, int]:
    """Scale and thickness of OpenCV's font."""
    return height / _CAPITAL_HEIGHT, (2 if bold else 1)


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
    import_extra("cv2", "video").addWeighted(drawn, opacity, part, 1 - opacity, 0, dst=part)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture in another size (width, height); the picture itself if it has this size."""
    if picture.shape[1::-1] == size:
        return picture
    cv2 = import_extra("cv2", "video")
    # Bilinear interpolation looks at four pixels: halving first lets all pixels count.
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)


def _fixed(points: Float[np.ndarray, "*shape 2"]) -> Int[np.ndarray, "*shape 2"]:
    """Pixels as OpenCV's fixed-point numbers."""
    return np.rint(np.clip(points, -_FARTHEST, _FARTHEST) * 2**_SUBPIXEL_BITS).astype(np.int32)

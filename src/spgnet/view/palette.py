"""Colors of the body's sides and of people, for every background that a body is drawn on."""

from __future__ import annotations

from dataclasses import dataclass

from spgnet.geometry.skeleton import FEET23

Color = tuple[int, int, int]
"""Red, green and blue of sRGB, 0 to 255."""


@dataclass(frozen=True)
class Palette:
    """Colors for one background.

    Args:
        left: of the body's left.
        right: of its right.
        middle: of the trunk and the head, if there is only one person.
        people: colors that tell several people apart, for trunks, paths and numbers.
    """

    left: Color
    right: Color
    middle: Color
    people: tuple[Color, ...]

    def side(self, joint: int) -> Color:
        """The color of a joint, and of the bone that ends there."""
        return {"left": self.left, "right": self.right}.get(FEET23.side(joint), self.middle)

    def person(self, index: int) -> Color:
        """The color of a person among several, from 0; they repeat."""
        return self.people[index % len(self.people)]


# Left is orange and right is blue everywhere, also in the printed figures of the reproduction, which people
# who see colors differently can tell apart too. What differs is how light they are: each background needs
# its own contrast (3:1 for what is drawn, 4.5:1 behind the white numbers of people), and the overlay's must
# also hold over any video, after a codec has halved the resolution of its colors.

LIGHT = Palette(
    left=(212, 98, 30),
    right=(34, 118, 210),
    middle=(74, 84, 98),
    people=(
        (130, 80, 223),
        (16, 125, 83),
        (194, 47, 124),
        (145, 105, 0),
        (10, 122, 137),
        (179, 55, 46),
        (88, 111, 19),
    ),
)
"""On the light page, and in the live view."""

DARK = Palette(
    left=(255, 147, 80),
    right=(85, 165, 255),
    middle=(195, 204, 214),
    people=(
        (176, 140, 255),
        (66, 201, 143),
        (245, 115, 181),
        (226, 185, 59),
        (69, 196, 212),
        (255, 131, 121),
        (179, 207, 90),
    ),
)
"""On the dark page."""

OVERLAY = Palette(
    left=(255, 138, 48),
    right=(64, 164, 255),
    middle=(226, 228, 234),
    people=(
        (118, 230, 150),
        (240, 110, 200),
        (255, 214, 80),
        (120, 220, 235),
        (186, 150, 255),
    ),
)
"""Over a video, and in the dark panel beside it."""

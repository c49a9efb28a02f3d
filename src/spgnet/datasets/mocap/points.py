"""Named points over time: what every reader of motion capture files gives, and the lines of their text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError


@dataclass(frozen=True)
class Points:
    """The joints and the ends of a captured skeleton, in the units and axes of its file.

    Args:
        names: of the points, as the file has them.
        places: where they are.
        turns: rotation of the body part that moves with each point, from the rest pose to the frame. In a BVH
            file that is the part that begins at the joint, in an ASF file the bone that ends at the point.
        rest: where the points are in the rest pose. It need not be a pose that a person can take.
        fps: frames per second.
    """

    names: tuple[str, ...]
    places: Float[np.ndarray, "frames points 3"]
    turns: Float[np.ndarray, "frames points 3 3"]
    rest: Float[np.ndarray, "points 3"]
    fps: float

    def at(self, name: str) -> Float[np.ndarray, "frames 3"]:
        """Where a point is in every frame."""
        return self.places[:, self.names.index(name)]

    def turn(self, name: str) -> Float[np.ndarray, "frames 3 3"]:
        """How the part that moves with a point is turned in every frame."""
        return self.turns[:, self.names.index(name)]

    def at_rest(self) -> Points:
        """The rest pose as a single frame."""
        turns = np.tile(np.eye(3), (1, len(self.names), 1, 1))
        return replace(self, places=self.rest[None], turns=turns)

    def scaled(self, unit: float) -> Points:
        """The same in another unit of length."""
        return replace(self, places=self.places * unit, rest=self.rest * unit)

    def y_up_to_z_up(self) -> Points:
        """The same with (x, y, z) written as (x, -z, y)."""
        axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        turns = axes @ self.turns @ axes.T
        return replace(self, places=self.places @ axes.T, turns=turns, rest=self.rest @ axes.T)


def turn_about(
    turns: Float[np.ndarray, "frames 3 3"], axis: int, angles: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, "frames 3 3"]:
    """Rotations followed, on the right, by a rotation about x, y or z (0, 1, 2): ``turns @ R(angles)``.

    Angles are in radians.
    """
    first, second = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    turned = turns.copy()
    turned[..., first] = cos * turns[..., first] + sin * turns[..., second]
    turned[..., second] = cos * turns[..., second] - sin * turns[..., first]
    return turned


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their ends.

    Raises:
        InputError: the file cannot be read or holds no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in data:
        raise InputError(f"{path}: not a text file")
    # Names may be in any of the old encodings; only ASCII has a meaning here.
    return data.decode("utf-8-sig", errors="replace").splitlines()

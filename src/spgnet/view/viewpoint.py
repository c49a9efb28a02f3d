"""The overlay's virtual camera and the floor in front of it, with its grid and labels in metres."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from spgnet.geometry.rigs import look_at

FIELD_OF_VIEW = math.radians(30)
"""Of the virtual camera, across the shorter side of the rectangle that it has."""
NEAR = 0.05
"""Smallest depth in metres: points nearer or behind are projected as if they were there."""
MARGIN = 0.5
"""How far the floor reaches beyond what happens on it, in metres."""
SMALLEST_FLOOR = 3.4
"""Shortest side of the floor, in metres."""
MOST_LINES = 20
"""How many steps of the grid the floor's longer side has at most."""

Rectangle = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Viewpoint:
    """A virtual camera, one pose for each frame.

    Args:
        rotation: world to camera.
        position: in the world, metres.
        focal: focal length in pixels.
        center: principal point in pixels.
    """

    rotation: Float[np.ndarray, "frames 3 3"]
    position: Float[np.ndarray, "frames 3"]
    focal: float
    center: Float[np.ndarray, " 2"]

    def project(self, points: Float[np.ndarray, "#frames n 3"]) -> Float[np.ndarray, "frames n 3"]:
        """World (metres) to pixels x, y and the depth in metres."""
        local = (points - self.position[:, None]) @ self.rotation.swapaxes(-1, -2)
        depth = np.maximum(local[..., 2:], NEAR)
        return np.concatenate((local[..., :2] / depth * self.focal + self.center, depth), axis=-1)

    def at(self, frame: int) -> Viewpoint:
        """The virtual camera of one frame."""
        return replace(self, rotation=self.rotation[[frame]], position=self.position[[frame]])


def frame_points(
    points: Float[np.ndarray, "points 3"],
    azimuths: Float[np.ndarray, " frames"],
    elevation: float,
    rectangle: Rectangle,
) -> Viewpoint:
    """The viewpoint from which all points lie within a rectangle, from every azimuth.

    Args:
        points: in the world, metres.
        azimuths: horizontal direction of view in each frame, radians from the world's x axis.
        elevation: how far it looks down, radians.
        rectangle: where the points shall lie.
    """
    left, top, right, bottom = rectangle
    focal = min(right - left, bottom - top) / 2 / math.tan(FIELD_OF_VIEW / 2)
    reach = np.array([right - left, bottom - top]) / 2 / focal
    sampled = _rotations(np.linspace(azimuths.min(), azimuths.max(), 9), elevation)
    target = (points.min(axis=0) + points.max(axis=0)) / 2

    def closest() -> tuple[float, Float[np.ndarray, "9 points 3"]]:
        """The smallest distance from the target that shows all points, and the points around the target."""
        local = (points - target) @ sampled.swapaxes(-1, -2)
        return float((np.abs(local[..., :2]) / reach - local[..., 2:]).max()), local

    # Moving back changes the perspective, which moves the middle of what is visible, and so on: it converges.
    for _ in range(8):
        distance, local = closest()
        flat = local[4, :, :2] / (local[4, :, 2:] + distance)
        target = target + (flat.min(axis=0) + flat.max(axis=0)) / 2 * distance @ sampled[4, :2]
    distance, _ = closest()
    rotations = _rotations(azimuths, elevation)
    center = np.array([(left + right) / 2, (top + bottom) / 2])
    return Viewpoint(rotations, target - distance * rotations[:, 2], focal, center)


def _rotations(azimuths: Float[np.ndarray, " frames"], elevation: float) -> Float[np.ndarray, "frames 3 3"]:
    """World to camera rotations that look along azimuths, and down by an elevation (radians)."""
    horizontal = math.cos(elevation)
    down = np.full_like(azimuths, -math.sin(elevation))
    forward = np.stack((horizontal * np.cos(azimuths), horizontal * np.sin(azimuths), down), axis=-1)
    return look_at(torch.zeros(len(azimuths), 3, dtype=torch.float64), torch.from_numpy(forward)).numpy()


class Floor:
    """The floor under what happens, with a labelled grid of whole metres of the world.

    Args:
        points: what lies above it, in the world, metres.

    Attributes:
        low: smallest x and y in metres; ``high`` the largest.
        step: distance of the grid's lines in metres: 1, or more on floors of more than 20 m.
        ticks: coordinates of the lines at constant x, and of those at constant y, in metres.
    """

    def __init__(self, points: Float[np.ndarray, "points 3"]) -> None:
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        beyond = np.maximum(MARGIN, (SMALLEST_FLOOR - (high - low)) / 2)
        self.low, self.high = low - beyond, high + beyond
        span = float((self.high - self.low).max())
        self.step = next(step for step in (1, 2, 5, 10, 20, 50, 10**9) if span <= MOST_LINES * step)
        first, last = np.ceil(self.low / self.step), np.floor(self.high / self.step)
        self.ticks = [np.arange(first[i], last[i] + 1) * self.step for i in (0, 1)]

    @property
    def corners(self) -> Float[np.ndarray, "4 3"]:
        """Its corners, each next to the one before."""
        (a, b), (c, d) = self.low, self.high
        return np.array([[a, b, 0], [c, b, 0], [c, d, 0], [a, d, 0]], np.float64)

    @property
    def grid(self) -> Float[np.ndarray, "ends 3"]:
        """Both ends of each line of the grid, one line after the other."""
        (a, b), (c, d) = self.low, self.high
        along_y = [[x, y, 0] for x in self.ticks[0] for y in (b, d)]
        along_x = [[x, y, 0] for y in self.ticks[1] for x in (a, c)]
        return np.array(along_y + along_x, np.float64).reshape(-1, 3)

    def labels(
        self, view: Viewpoint, rectangle: Rectangle, distance: float
    ) -> tuple[list[str], Float[np.ndarray, "labels 3"]]:
        """The grid's coordinates, and where to write them in the world.

        A line's label is a distance in pixels off its end next to the virtual camera, or where the line
        enters the rectangle if that end is outside. Where labels would crowd, only every second or fifth
        line has one.
        """
        middle = view.at(len(view.position) // 2)
        for stride in (1, 2, 5):
            names, positions, occupied, crowded = [], [], [], False
            for value, line, pixels in self._candidates(middle, distance):
                inside = np.flatnonzero(((pixels > rectangle[:2]) & (pixels < rectangle[2:])).all(axis=-1))
                if len(inside) == 0 or value % (stride * self.step):
                    continue
                pixel = pixels[inside[0]]
                if any(np.abs((pixel - other) / distance * (0.6, 1.2)).max() < 1 for other in occupied):
                    crowded = True
                    continue
                names.append(f"{value + 0.0:g} m")  # never "-0 m"
                positions.append(line[inside[0]])
                occupied.append(pixel)
            if not crowded:
                break
        return names, np.array(positions, np.float64).reshape(-1, 3)

    def _candidates(
        self, view: Viewpoint, distance: float
    ) -> Iterator[tuple[float, Float[np.ndarray, "25 3"], Float[np.ndarray, "25 2"]]]:
        """For each line its coordinate, and points where its label may be, from off its near end on.

        The points come in metres and in pixels.
        """
        eye = view.position[0, :2]
        near = np.where(np.abs(eye - self.low) < np.abs(eye - self.high), self.low, self.high)
        span = self.low + self.high - 2 * near
        off = distance * float(np.linalg.norm(view.position[0] - self.corners.mean(axis=0))) / view.focal
        for axis, other in ((0, 1), (1, 0)):
            for value in self.ticks[axis]:
                shares = np.concatenate(([-off / abs(span[other])], np.linspace(0.04, 0.96, 24)))
                line = np.zeros((len(shares), 3))
                line[:, axis], line[:, other] = value, near[other] + shares * span[other]
                yield float(value), line, view.project(line[None])[0, :, :2]

"""Where the 3D panel looks from: a virtual camera that frames a whole clip, and the floor it sees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from spgnet.rigs import look_at

FIELD = math.radians(30)
"""The virtual camera's field of view, across the shorter side of the room it has."""
MARGIN = 0.5
"""How far the floor reaches beyond what happens on it, in metres."""
SMALLEST_FLOOR = 3.4
"""Shortest side of the floor, in metres."""


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
        """World (metres) to pixels x, y and the depth in metres, which is kept above 5 cm."""
        seen = (points - self.position[:, None]) @ self.rotation.swapaxes(-1, -2)
        depth = np.maximum(seen[..., 2:], 0.05)
        return np.concatenate((seen[..., :2] / depth * self.focal + self.center, depth), axis=-1)

    def at(self, frame: int) -> Viewpoint:
        """The virtual camera of one frame."""
        return replace(self, rotation=self.rotation[[frame]], position=self.position[[frame]])


def frame_points(
    points: Float[np.ndarray, "points 3"],
    azimuths: Float[np.ndarray, " frames"],
    elevation: float,
    room: tuple[float, float, float, float],
) -> Viewpoint:
    """The viewpoint from which all points lie within a rectangle, from every azimuth.

    Args:
        points: what to see, in the world, metres.
        azimuths: horizontal direction of view in each frame, radians from the world's x axis.
        elevation: how far it looks down, radians.
        room: left, top, right and bottom of the rectangle, pixels.
    """
    left, top, right, bottom = room
    focal = min(right - left, bottom - top) / 2 / math.tan(FIELD / 2)
    reach = np.array([right - left, bottom - top]) / 2 / focal
    turns = _rotations(np.linspace(azimuths.min(), azimuths.max(), 9), elevation)
    target, far = (points.min(axis=0) + points.max(axis=0)) / 2, 1.0
    for _ in range(8):
        seen = (points - target) @ turns.swapaxes(-1, -2)
        far = float((np.abs(seen[..., :2]) / reach - seen[..., 2:]).max())
        flat = seen[4, :, :2] / (seen[4, :, 2:] + far)
        target = target + (flat.min(axis=0) + flat.max(axis=0)) / 2 * far @ turns[4, :2]
    rotations = _rotations(azimuths, elevation)
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return Viewpoint(rotations, target - far * rotations[:, 2], focal, centre)


def _rotations(azimuths: np.ndarray, elevation: float) -> np.ndarray:
    """World to camera rotations that look along azimuths, and down by an elevation."""
    level = math.cos(elevation)
    down = np.full_like(azimuths, -math.sin(elevation))
    forward = np.stack((level * np.cos(azimuths), level * np.sin(azimuths), down), axis=-1)
    return look_at(torch.zeros(len(azimuths), 3, dtype=torch.float64), torch.from_numpy(forward)).numpy()


class Floor:
    """The floor under what happens, with a labelled grid of whole metres of the world.

    Args:
        points: what lies above it, in the world, metres.

    Attributes:
        low: smallest x and y in metres; ``high`` the largest.
        step: distance of the grid's lines in metres: 1, or more on floors of more than 20 m.
    """

    def __init__(self, points: Float[np.ndarray, "points 3"]) -> None:
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        beyond = np.maximum(MARGIN, (SMALLEST_FLOOR - (high - low)) / 2)
        self.low, self.high = low - beyond, high + beyond
        span = float((self.high - self.low).max())
        self.step = next(step for step in (1, 2, 5, 10, 20, 50, 10**9) if span <= 20 * step)
        first, last = np.ceil(self.low / self.step), np.floor(self.high / self.step)
        self.ticks = [np.arange(first[i], last[i] + 1) * self.step for i in (0, 1)]

    @property
    def corners(self) -> Float[np.ndarray, "4 3"]:
        """Its corners in turn."""
        (a, b), (c, d) = self.low, self.high
        return np.array([[a, b, 0], [c, b, 0], [c, d, 0], [a, d, 0]], np.float64)

    @property
    def lines(self) -> Float[np.ndarray, "ends 3"]:
        """Both ends of each line of the grid, one after the other."""
        (a, b), (c, d) = self.low, self.high
        along_y = [[x, y, 0] for x in self.ticks[0] for y in (b, d)]
        along_x = [[x, y, 0] for y in self.ticks[1] for x in (a, c)]
        return np.array(along_y + along_x, np.float64).reshape(-1, 3)

    def labels(
        self, view: Viewpoint, room: tuple[float, float, float, float], edge: float
    ) -> tuple[list[str], Float[np.ndarray, "labels 3"]]:
        """The grid's coordinates, and where to write them.

        A line's label is a distance in pixels off its end next to the virtual camera, or where the line
        comes into the room (left, top, right and bottom, pixels) if that end is outside. Where labels would
        crowd, only every second or fifth line has one.
        """
        middle = view.at(len(view.position) // 2)
        for stride in (1, 2, 5):
            names, places, seen, crowded = [], [], [], False
            for value, line, pixels in self._seen_lines(middle, edge):
                inside = np.flatnonzero(((pixels > room[:2]) & (pixels < room[2:])).all(axis=-1))
                if len(inside) == 0 or value % (stride * self.step):
                    continue
                place = pixels[inside[0]]
                if any(np.abs((place - other) / edge * (0.6, 1.2)).max() < 1 for other in seen):
                    crowded = True
                    continue
                names.append(f"{value:g} m")
                places.append(line[inside[0]])
                seen.append(place)
            if not crowded:
                break
        return names, np.array(places, np.float64).reshape(-1, 3)

    def _seen_lines(self, view: Viewpoint, edge: float) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
        """For each line its coordinate, and points along it, from off its near end on: metres and pixels."""
        eye = view.position[0, :2]
        near = np.where(np.abs(eye - self.low) < np.abs(eye - self.high), self.low, self.high)
        span = self.low + self.high - 2 * near
        off = edge * float(np.linalg.norm(view.position[0] - self.corners.mean(axis=0))) / view.focal
        for axis, other in ((0, 1), (1, 0)):
            for value in self.ticks[axis]:
                shares = np.concatenate(([-off / abs(span[other])], np.linspace(0.04, 0.96, 24)))
                line = np.zeros((len(shares), 3))
                line[:, axis], line[:, other] = value, near[other] + shares * span[other]
                yield float(value), line, view.project(line[None])[0, :, :2]

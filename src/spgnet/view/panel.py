"""The overlay's 3D panel: people in the world, on a floor in metres, and the camera that filmed them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.geometry.camera import Camera
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.view.drawing import (
    Colour,
    Picture,
    disc,
    fitted,
    lines,
    mix,
    opencv,
    polygon,
    text,
    text_width,
    translucent,
)

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


SIDES: dict[str, Colour] = {"left": (255, 138, 48), "right": (64, 164, 255), "middle": (226, 228, 234)}
"""Colours of the body's left, right and middle."""
PEOPLE: tuple[Colour, ...] = (
    (118, 230, 150),
    (240, 110, 200),
    (255, 214, 80),
    (120, 220, 235),
    (186, 150, 255),
)
"""Colours that tell people apart: those of their paths and numbers."""
NIGHT: Colour = (17, 19, 25)
FLOOR: Colour = (33, 37, 47)
GRID: Colour = (66, 72, 88)
FAINT: Colour = (150, 156, 170)

BONES = np.array(HUMAN36M.bones)
COLOURS = tuple(SIDES[HUMAN36M.side(child)] for child in range(17))
"""The colour of each joint, and of the bone that ends there."""
HEAD_BONE = 9
"""From the nose to the top of the head."""
CAMERA_SIZE = 0.6
"""Longer side of the filming camera's image in the world, in metres."""
LIMB = 0.07
"""Thickness of a drawn limb in metres."""
HEAD = 0.1
"""Radius of a drawn head in metres."""
ASIDE, DOWN = 50.0, 17.0
"""How far the virtual camera turns aside from the filming one, and how far it looks down, in degrees."""
PERIOD = 12.0
"""Seconds in which it sways to both sides and back."""
SMALLEST = 0.25
"""The filming camera is in the picture if a metre and a half is still this share of the panel's height."""
PATH_POINTS = 500
FLOOR_SHARE = 0.6
"""The panel shows this share of the floor's length and width at least."""


class Panel:
    """Draws people in the world; what can be computed for all frames at once is so.

    Args:
        world: joints of each person in the world (z up, floor at z = 0), in metres.
        shown: the frames in which each person is drawn.
        camera: the camera that filmed them, its position above this floor.
        tracks: each person's number.
        times: time of each frame in seconds.
        size: width and height of the panel in pixels.
        unit: what a pixel of a frame 1920 pixels long is here.
        free: width on the left and height at the top to keep free for other things, in pixels.
        sway: by how much the virtual camera sways to both sides, in degrees.
    """

    def __init__(
        self,
        world: Float[np.ndarray, "people frames 17 3"],
        shown: Bool[np.ndarray, "people frames"],
        camera: Camera,
        tracks: Sequence[int],
        times: Float[np.ndarray, " frames"],
        size: tuple[int, int],
        unit: float,
        free: tuple[float, float],
        sway: float,
    ) -> None:
        self.world, self.shown, self.tracks = world, shown, tracks
        self.size, self.unit = size, unit
        people = world[shown] if shown.any() else world.reshape(-1, 17, 3)
        people = people[:: max(1, len(people) // 400)].reshape(-1, 3)
        people = np.concatenate((people, people * (1, 1, 0)))
        rotation = camera.rotation.double().numpy()
        azimuth = math.atan2(rotation[2, 1], rotation[2, 0]) + math.radians(ASIDE)
        azimuths = azimuth + math.radians(sway) * np.sin(2 * math.pi * (times - times[0]) / PERIOD)
        margin = 46 * unit
        room = (free[0] + margin, free[1] + margin / 2, size[0] - margin, size[1] - 1.5 * margin)
        self.frustum = _frustum(camera)
        everything = np.concatenate((people, self.frustum, self.frustum[:1] * (1, 1, 0)))
        for points, self.films in ((everything, True), (people, False)):
            self.floor = Floor(points)
            middle = self.floor.corners.mean(axis=0)
            around = np.concatenate((points, middle + (self.floor.corners - middle) * FLOOR_SHARE))
            self.view = frame_points(around, azimuths, math.radians(DOWN), room)
            self.far = float(np.linalg.norm(people.mean(axis=0) - self.view.position, axis=-1).mean())
            if 1.5 * self.view.focal / self.far > SMALLEST * size[1]:
                break
        self._project()

    def _project(self) -> None:
        """Project all that is drawn, in all frames."""
        frames = self.world.shape[1]
        by_frame = self.world.swapaxes(0, 1)
        shape = (frames, len(self.world), 17, 3)
        self.joints = self.view.project(by_frame.reshape(frames, -1, 3)).reshape(shape)
        self.shadows = self.view.project((by_frame * (1, 1, 0)).reshape(frames, -1, 3)).reshape(shape)[
            ..., :2
        ]
        self.corners = self.view.project(self.floor.corners[None])[..., :2]
        self.grid = self.view.project(self.floor.lines[None])[..., :2].reshape(frames, -1, 2, 2)
        edge = 24 * self.unit
        room = (1.5 * edge, edge, self.size[0] - 1.5 * edge, self.size[1] - 2 * edge)
        self.names, places = self.floor.labels(self.view, room, edge)
        self.places = self.view.project(places[None])[..., :2]
        self.pyramid = self.view.project(self.frustum[None])[..., :2]
        self.foot = self.view.project((self.frustum[:1] * (1, 1, 0))[None])[..., :2]

    def draw(self, picture: Picture, frame: int, image: Picture | None) -> None:
        """Draw a frame, with the video's image in the filming camera, on the plain night."""
        self._draw_floor(picture, frame)
        who = np.flatnonzero(self.shown[:, frame])
        for person in who:
            self._draw_shadow(picture, self.shadows[frame, person])
        for person in range(len(self.world)):
            self._draw_path(picture, frame, person)
        if self.films:
            self._draw_camera(picture, frame, image)
        self._draw_people(picture, frame, who)
        self._draw_legend(picture)

    def _draw_floor(self, picture: Picture, frame: int) -> None:
        polygon(picture, self.corners[frame], FLOOR)
        lines(picture, self.grid[frame], GRID, self.unit)
        for name, (x, y) in zip(self.names, self.places[frame], strict=True):
            text(picture, name, (x, y), 11 * self.unit, FAINT, anchor=(0.5, 1.1))

    def _draw_shadow(self, picture: Picture, feet: np.ndarray) -> None:
        width = LIMB * self.view.focal / self.far
        with translucent(picture, feet, 2 * width, 0.5) as (part, corner):
            lines(part, (feet - corner)[BONES], mix(NIGHT, (0, 0, 0), 0.6), 1.6 * width)

    def _draw_path(self, picture: Picture, frame: int, person: int) -> None:
        """The pelvis on the floor: where it was, bright, and where it will be."""
        frames = np.flatnonzero(self.shown[person])
        if len(frames) < 2:
            return
        view, colour, now = self.view.at(frame), PEOPLE[person % len(PEOPLE)], min(frame, frames[-1])
        kept = frames[:: max(1, len(frames) // PATH_POINTS)]
        for part, shade in ((kept, mix(FLOOR, colour, 0.35)), (np.append(kept[kept < now], now), colour)):
            track = self.world[person, part, 0] * (1, 1, 0)
            if len(track) > 1:
                lines(picture, view.project(track[None])[..., :2], shade, 2 * self.unit)

    def _draw_camera(self, picture: Picture, frame: int, image: Picture | None) -> None:
        """The filming camera: a pyramid with the image as its base, on a stand."""
        apex, *base = self.pyramid[frame]
        base = np.array(base)
        if image is not None:
            _paste(picture, image, base)
        edges = np.concatenate(
            [np.stack((start, base), axis=1) for start in (np.tile(apex, (4, 1)), np.roll(base, 1, axis=0))]
        )
        stand = np.stack((apex, self.foot[frame, 0]))[None]
        lines(picture, stand, GRID, 2 * self.unit)
        disc(picture, self.foot[frame, 0], 4 * self.unit, GRID)
        lines(picture, edges, FAINT, 1.5 * self.unit)

    def _draw_legend(self, picture: Picture) -> None:
        """Which colour is which side."""
        unit = self.unit
        x, y = self.size[0] - 24 * unit, self.size[1] - 26 * unit
        for side in ("left", "right"):
            text(picture, side, (x, y), 12 * unit, FAINT, anchor=(1.0, 0.5))
            x -= text_width(side, 12 * unit) + 14 * unit
            disc(picture, np.array([x, y]), 6 * unit, SIDES[side])
            x -= 24 * unit

    def _draw_people(self, picture: Picture, frame: int, who: np.ndarray) -> None:
        """Limbs and heads of all people, from far to near; what is far is darker."""
        joints = self.joints[frame, who]
        ends = joints[:, BONES]
        depth = ends[..., 2].mean(axis=-1)
        behind = (depth - joints[:, :1, 2]).clip(-0.4, 0.5)
        for place in np.argsort(-depth, axis=None, kind="stable"):
            person, bone = divmod(int(place), len(BONES))
            colour = mix(COLOURS[bone + 1], NIGHT, 0.25 + 0.55 * float(behind[person, bone]))
            self._draw_limb(picture, ends[person, bone], colour, bone == HEAD_BONE)
        if len(self.world) > 1:
            for person, (x, y, _) in zip(who.tolist(), joints[:, 10], strict=True):
                draw_number(picture, self.tracks[person], (x, y), PEOPLE[person % len(PEOPLE)], self.unit)

    def _draw_limb(self, picture: Picture, ends: np.ndarray, colour: Colour, head: bool) -> None:
        """A limb as a rounded bar with a dark outline and a highlight; the head is a ball."""
        metre = self.view.focal / float(ends[:, 2].mean())
        outline, edge = mix(colour, NIGHT, 0.8), 1.5 * self.unit
        if head:
            middle, radius = ends[:, :2].mean(axis=0), HEAD * metre
            disc(picture, middle, radius + edge, outline)
            disc(picture, middle, radius, colour)
            disc(picture, middle - 0.25 * radius, 0.45 * radius, mix(colour, (255, 255, 255), 0.25))
            return
        width = max(LIMB * metre, 2 * self.unit)
        lines(picture, ends[None, :, :2], outline, width + 2 * edge)
        lines(picture, ends[None, :, :2], colour, width)
        lines(picture, ends[None, :, :2] - 0.18 * width, mix(colour, (255, 255, 255), 0.25), 0.25 * width)


def draw_number(picture: Picture, track: int, head: tuple[float, float], colour: Colour, unit: float) -> None:
    """A person's number on a disc above the head."""
    place = np.array([head[0], head[1] - 34 * unit])
    disc(picture, place, 15 * unit, colour)
    text(picture, str(track), (place[0], place[1]), 14 * unit, NIGHT, bold=True, anchor=(0.5, 0.5))


def _frustum(camera: Camera) -> np.ndarray:
    """A camera's centre, and the corners of its image from the top left on, in the world; [5, 3]."""
    width, height = camera.image_size.tolist()
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    rays = (corners - camera.center.numpy()) / camera.focal.numpy()
    scale = CAMERA_SIZE / float(np.ptp(rays, axis=0).max())
    base = np.concatenate((rays, np.ones((4, 1))), axis=-1) * scale
    seen = np.concatenate((np.zeros((1, 3)), base))
    return seen @ camera.rotation.double().numpy() + camera.position.double().numpy()


def _paste(picture: Picture, image: Picture, corners: np.ndarray) -> None:
    """Lay an image over the quadrilateral with these corners."""
    cv2 = opencv()
    scale = 240 / max(image.shape[:2])
    small = fitted(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
    height, width = small.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    with translucent(picture, corners, 1.0, 0.9) as (part, corner):
        turn = cv2.getPerspectiveTransform(source, (corners - corner).astype(np.float32))
        cv2.warpPerspective(
            small,
            turn,
            part.shape[1::-1],
            dst=part,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )

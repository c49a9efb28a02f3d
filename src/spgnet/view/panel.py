"""The overlay's 3D panel: people in the world, on a floor in metres, and the camera that filmed them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from spgnet.camera import Camera
from spgnet.skeleton import HUMAN36M
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
from spgnet.view.viewpoint import Floor, frame_points

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

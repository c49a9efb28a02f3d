"""The overlay's 3D panel: people in the world, on a floor in metres, and the camera that filmed them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from spgnet.extras import import_extra
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import FEET23
from spgnet.view.drawing import (
    Picture,
    blend,
    draw_circle,
    draw_lines,
    draw_text,
    fill_polygon,
    resize,
    text_width,
    translucent,
)
from spgnet.view.palette import OVERLAY, Color
from spgnet.view.viewpoint import Floor, frame_points

NIGHT: Color = (17, 19, 25)
"""The panel's background."""
FLOOR: Color = (33, 37, 47)
GRID: Color = (66, 72, 88)
FAINT: Color = (150, 156, 170)
"""Of what is written beside the people."""
BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)

BONES = np.array(FEET23.bones)
"""Those of bodies with feet; the first are those of bodies without."""
JOINT_COLORS = tuple(OVERLAY.side(joint) for joint in range(len(FEET23)))
"""The color of each joint, and of the bone that ends there."""
HEAD_BONE = 9
"""From the nose to the top of the head."""
FRUSTUM_SIZE = 0.6
"""Longer side of the filming camera's image in the world, in metres."""
LIMB = 0.07
"""Thickness of a drawn limb in metres."""
HEAD = 0.1
"""Radius of a drawn head in metres."""
ASIDE, DOWN = 50.0, 17.0
"""How far the virtual camera turns aside from the filming one, and how far it looks down, in degrees."""
SWAY_PERIOD = 12.0
"""Seconds in which it sways to both sides and back."""
SMALLEST = 0.25
"""The filming camera is in the picture if a metre and a half is still this share of the panel's height."""
PATH_POINTS = 500
"""How many points a path is drawn with, about, at most."""
FLOOR_SHARE = 0.6
"""The panel shows this share of the floor's length and width at least."""
ON_FLOOR = (1, 1, 0)
"""Times a point in the world: the point under it on the floor."""


class ScenePanel:
    """Draws people in the world; what can be computed for all frames at once is so.

    Args:
        world: joints of each person in the world (z up, floor at z = 0), in metres.
        present: the frames in which each person is drawn.
        opacity: of each joint, as :func:`spgnet.view.opacity.joint_opacity` gives it.
        camera: the camera that filmed them, its position above this floor.
        tracks: each person's number.
        times: time of each frame in seconds.
        size: width and height of the panel in pixels.
        unit: pixels here for one of a frame that is 1920 pixels wide.
        reserved: width on the left and height at the top to keep free for other things, in pixels.
        sway: by how much the virtual camera sways to both sides, in degrees.
    """

    def __init__(
        self,
        world: Float[np.ndarray, "people frames joints 3"],
        present: Bool[np.ndarray, "people frames"],
        opacity: Float[np.ndarray, "people frames joints"],
        camera: Camera,
        tracks: Sequence[int],
        times: Float[np.ndarray, " frames"],
        size: tuple[int, int],
        unit: float,
        reserved: tuple[float, float],
        sway: float,
    ) -> None:
        self.world, self.present, self.tracks = world, present, tracks
        self.bones = BONES[: world.shape[2] - 1]
        self.opacity = opacity[..., self.bones].min(axis=-1)
        self.size, self.unit = size, unit
        people = world[present] if present.any() else world.reshape(-1, *world.shape[2:])
        people = people[:: max(1, len(people) // 400)].reshape(-1, 3)
        people = np.concatenate((people, people * ON_FLOOR))
        rotation = camera.rotation.double().numpy()
        azimuth = math.atan2(rotation[2, 1], rotation[2, 0]) + math.radians(ASIDE)
        azimuths = azimuth + math.radians(sway) * np.sin(2 * math.pi * (times - times[0]) / SWAY_PERIOD)
        margin = 46 * unit
        rectangle = (
            reserved[0] + margin,
            reserved[1] + margin / 2,
            size[0] - margin,
            size[1] - 1.5 * margin,
        )
        self.frustum = _frustum(camera)
        everything = np.concatenate((people, self.frustum, self.frustum[:1] * ON_FLOOR))
        # With the camera if there is room for it, or else the people alone.
        for points, self.camera_visible in ((everything, True), (people, False)):
            self.floor = Floor(points)
            middle = self.floor.corners.mean(axis=0)
            around = np.concatenate((points, middle + (self.floor.corners - middle) * FLOOR_SHARE))
            self.view = frame_points(around, azimuths, math.radians(DOWN), rectangle)
            self.distance = float(np.linalg.norm(people.mean(axis=0) - self.view.position, axis=-1).mean())
            if 1.5 * self.view.focal / self.distance > SMALLEST * size[1]:
                break
        self._project()

    def _project(self) -> None:
        """Project all that is drawn, in all frames, to pixels of the panel."""
        frames = self.world.shape[1]
        by_frame = self.world.swapaxes(0, 1)
        shape = by_frame.shape
        self.joints = self.view.project(by_frame.reshape(frames, -1, 3)).reshape(shape)
        shadows = self.view.project((by_frame * ON_FLOOR).reshape(frames, -1, 3)).reshape(shape)
        self.shadows = shadows[..., :2]
        self.floor_corners = self.view.project(self.floor.corners[None])[..., :2]
        self.grid = self.view.project(self.floor.grid[None])[..., :2].reshape(frames, -1, 2, 2)
        edge = 24 * self.unit
        rectangle = (1.5 * edge, edge, self.size[0] - 1.5 * edge, self.size[1] - 2 * edge)
        self.labels, positions = self.floor.labels(self.view, rectangle, edge)
        self.label_positions = self.view.project(positions[None])[..., :2]
        self.pyramid = self.view.project(self.frustum[None])[..., :2]
        self.stand_foot = self.view.project((self.frustum[:1] * ON_FLOOR)[None])[..., :2]

    def draw(self, picture: Picture, frame: int, image: Picture | None) -> None:
        """Draw a frame, with the video's image in the filming camera, on the plain background."""
        self._draw_floor(picture, frame)
        people = np.flatnonzero(self.present[:, frame])
        for person in people:
            self._draw_shadow(picture, self.shadows[frame, person])
        for person in range(len(self.world)):
            self._draw_path(picture, frame, person)
        if self.camera_visible:
            self._draw_camera(picture, frame, image)
        self._draw_people(picture, frame, people)
        self._draw_legend(picture)

    def _draw_floor(self, picture: Picture, frame: int) -> None:
        fill_polygon(picture, self.floor_corners[frame], FLOOR)
        draw_lines(picture, self.grid[frame], GRID, self.unit)
        for label, (x, y) in zip(self.labels, self.label_positions[frame], strict=True):
            draw_text(picture, label, (x, y), 11 * self.unit, FAINT, anchor=(0.5, 1.1))

    def _draw_shadow(self, picture: Picture, joints: Float[np.ndarray, "joints 2"]) -> None:
        width = LIMB * self.view.focal / self.distance
        with translucent(picture, joints, 2 * width, 0.5) as (part, corner):
            draw_lines(part, (joints - corner)[self.bones], blend(NIGHT, BLACK, 0.6), 1.6 * width)

    def _draw_path(self, picture: Picture, frame: int, person: int) -> None:
        """The pelvis on the floor: where it was, bright, and where it will be."""
        frames = np.flatnonzero(self.present[person])
        if len(frames) < 2:
            return
        view, color, now = self.view.at(frame), OVERLAY.person(person), min(frame, frames[-1])
        kept = frames[:: max(1, len(frames) // PATH_POINTS)]
        for part, shade in ((kept, blend(FLOOR, color, 0.35)), (np.append(kept[kept < now], now), color)):
            path = self.world[person, part, 0] * ON_FLOOR
            if len(path) > 1:
                draw_lines(picture, view.project(path[None])[..., :2], shade, 2 * self.unit)

    def _draw_camera(self, picture: Picture, frame: int, image: Picture | None) -> None:
        """The filming camera: a pyramid with the image as its base, on a stand."""
        apex, *corners = self.pyramid[frame]
        base = np.array(corners)
        if image is not None:
            _draw_image(picture, image, base)
        edges = np.concatenate(
            [np.stack((start, base), axis=1) for start in (np.tile(apex, (4, 1)), np.roll(base, 1, axis=0))]
        )
        stand = np.stack((apex, self.stand_foot[frame, 0]))[None]
        draw_lines(picture, stand, GRID, 2 * self.unit)
        draw_circle(picture, self.stand_foot[frame, 0], 4 * self.unit, GRID)
        draw_lines(picture, edges, FAINT, 1.5 * self.unit)

    def _draw_legend(self, picture: Picture) -> None:
        """Which color is which side, and what is faint."""
        unit = self.unit
        x, y = self.size[0] - 24 * unit, self.size[1] - 26 * unit
        for side, color in (("left", OVERLAY.left), ("right", OVERLAY.right)):
            draw_text(picture, side, (x, y), 12 * unit, FAINT, anchor=(1.0, 0.5))
            x -= text_width(side, 12 * unit) + 14 * unit
            draw_circle(picture, np.array([x, y]), 6 * unit, color)
            x -= 24 * unit
        draw_text(picture, "faint: not seen or uncertain", (x, y), 12 * unit, FAINT, anchor=(1.0, 0.5))

    def _draw_people(self, picture: Picture, frame: int, people: Int[np.ndarray, " people"]) -> None:
        """Limbs and heads of all people, from far to near: darker where far, fainter where uncertain."""
        joints = self.joints[frame, people]
        ends = joints[:, self.bones]
        depth = ends[..., 2].mean(axis=-1)
        behind_pelvis = (depth - joints[:, :1, 2]).clip(-0.4, 0.5)
        for index in np.argsort(-depth, axis=None, kind="stable"):
            person, bone = divmod(int(index), len(self.bones))
            darkness = 0.25 + 0.55 * float(behind_pelvis[person, bone])
            color = blend(JOINT_COLORS[bone + 1], NIGHT, darkness)
            opacity = float(self.opacity[people[person], frame, bone])
            self._draw_limb(picture, ends[person, bone], color, opacity, bone == HEAD_BONE)
        if len(self.world) > 1:
            for person, (x, y, _) in zip(people.tolist(), joints[:, 10], strict=True):
                draw_number(picture, self.tracks[person], (x, y), OVERLAY.person(person), self.unit)

    def _draw_limb(
        self, picture: Picture, ends: Float[np.ndarray, "2 3"], color: Color, opacity: float, head: bool
    ) -> None:
        """A limb as a rounded bar with a dark outline and a highlight; the head is a ball."""
        metre = self.view.focal / float(ends[:, 2].mean())
        outline, edge, highlight = blend(color, NIGHT, 0.8), 1.5 * self.unit, blend(color, WHITE, 0.25)
        radius, width = HEAD * metre, max(LIMB * metre, 2 * self.unit)
        margin = 2 * edge + (radius if head else width)
        with translucent(picture, ends[:, :2], margin, opacity) as (part, corner):
            line = ends[:, :2] - corner
            if head:
                center = line.mean(axis=0)
                draw_circle(part, center, radius + edge, outline)
                draw_circle(part, center, radius, color)
                draw_circle(part, center - 0.25 * radius, 0.45 * radius, highlight)
            else:
                draw_lines(part, line[None], outline, width + 2 * edge)
                draw_lines(part, line[None], color, width)
                draw_lines(part, line[None] - 0.18 * width, highlight, 0.25 * width)


def draw_number(picture: Picture, track: int, head: tuple[float, float], color: Color, unit: float) -> None:
    """A person's number on a disc above the head, whose top is given in pixels."""
    center = np.array([head[0], head[1] - 34 * unit])
    draw_circle(picture, center, 15 * unit, color)
    draw_text(picture, str(track), tuple(center), 14 * unit, NIGHT, bold=True, anchor=(0.5, 0.5))


def _frustum(camera: Camera) -> Float[np.ndarray, "5 3"]:
    """A camera's centre, and the corners of its image from the top left on, in the world (metres)."""
    width, height = camera.image_size.tolist()
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    rays = (corners - camera.center.numpy()) / camera.focal.numpy()
    scale = FRUSTUM_SIZE / float(np.ptp(rays, axis=0).max())
    base = np.concatenate((rays, np.ones((4, 1))), axis=-1) * scale
    local = np.concatenate((np.zeros((1, 3)), base))
    return local @ camera.rotation.double().numpy() + camera.position.double().numpy()


def _draw_image(picture: Picture, image: Picture, corners: Float[np.ndarray, "4 2"]) -> None:
    """Lay an image over the quadrilateral with these corners, in pixels of the picture."""
    cv2 = import_extra("cv2", "video")
    scale = 240 / max(image.shape[:2])
    small = resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
    height, width = small.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    with translucent(picture, corners, 1.0, 0.9) as (part, corner):
        homography = cv2.getPerspectiveTransform(source, (corners - corner).astype(np.float32))
        cv2.warpPerspective(
            small,
            homography,
            part.shape[1::-1],
            dst=part,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )

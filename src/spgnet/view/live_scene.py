"""The parts of the live 3D view's scene: bodies, the camera that filmed, and where the viewer stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float

from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion
from spgnet.view.stage import common_clock

Colour = tuple[int, int, int]

LEFT: Colour = (229, 112, 42)
RIGHT: Colour = (34, 118, 210)
ALONE: Colour = (74, 84, 98)
PEOPLE: tuple[Colour, ...] = (
    (130, 80, 223),
    (18, 135, 90),
    (194, 47, 124),
    (168, 123, 0),
    (11, 132, 148),
    (179, 55, 46),
    (88, 111, 19),
)
PALE: Colour = (214, 219, 226)
RADII = np.array([50, 58, 47, 34, 58, 47, 34, 55, 50, 30, 100, 44, 36, 28, 44, 36, 28]) / 1000
"""Metres: how thick a body is drawn at each joint; the head's is that of the skull."""
THICKNESS = np.array([RADII[child] for _, child in HUMAN36M.bones]) * 0.9
THICKNESS[[8, 9]] = 0.034, 0.015
"""Metres: how thick each bone is drawn; the neck ends in the nose, and the skull needs no bone."""
SEGMENTS = 240
"""How many pieces the drawn part of a path has."""
PARENTS, CHILDREN = (list(ends) for ends in zip(*HUMAN36M.bones, strict=True))


class Body:
    """One person: limbs and joints, a name if there are several people, and the path on the floor.

    Args:
        server: viser's server.
        motion: the person's motion.
        floor: height of the floor in the world, in metres.
        number: the person's, which no other person has.
        place: the person's place among several people, from 0; None for somebody alone.
    """

    def __init__(self, server: Any, motion: Motion, floor: float, number: int, place: int | None) -> None:
        self.wanted = self.path_wanted = True
        self._world = motion.world.astype(np.float64)
        own = ALONE if place is None else PEOPLE[place % len(PEOPLE)]
        self._colours = joint_colours(motion, own)
        root, scene = f"/world/person_{number}", server.scene
        self._root = scene.add_frame(root, show_axes=False)
        self._limbs = _instances(scene, f"{root}/limbs", _cylinder(), len(CHILDREN))
        self._joints = _instances(scene, f"{root}/joints", _sphere(), len(RADII))
        self._label = scene.add_label(f"{root}/name", str(number), visible=place is not None)
        self._path = self._world[:, 0] * [1, 1, 0] + [0, 0, floor + 0.005]
        pale = tuple((3 * p + c) // 4 for p, c in zip(PALE, own, strict=True))
        name = f"/world/path_{number}"
        self._whole = scene.add_line_segments(f"{name}/whole", self._pieces(0, len(motion) - 1), pale)
        self._past = scene.add_line_segments(f"{name}/past", self._pieces(0, 0), own)

    def show(self, frame: int) -> None:
        """Bring the body to one of the person's frames; -1 where the person is not there."""
        self._root.visible = self.wanted and frame >= 0
        self._whole.visible = self._past.visible = self.wanted and self.path_wanted
        if frame < 0:
            self._past.visible = False
            return
        joints, colours = self._world[frame], self._colours[frame]
        self._limbs.batched_positions = joints[PARENTS]
        self._limbs.batched_wxyzs, lengths = along_bones(joints)
        self._limbs.batched_scales = np.stack((THICKNESS, THICKNESS, lengths), axis=-1)
        self._limbs.batched_colors = colours[CHILDREN]
        self._joints.batched_positions = with_skull(joints)
        self._joints.batched_colors = colours
        self._label.position = joints[10] + [0, 0, 0.2]
        self._past.points = self._pieces(0, frame)

    def _pieces(self, first: int, last: int) -> Float[np.ndarray, "segments 2 3"]:
        """Part of the path, always in the same number of pieces."""
        steps = np.rint(np.linspace(first, last, SEGMENTS + 1)).astype(int)
        points = self._path[steps].astype(np.float32)
        return np.stack((points[:-1], points[1:]), axis=1)


def joint_colours(motion: Motion, own: Colour) -> np.ndarray:
    """Colours [frames, 17, 3] of bytes: by side, and paler where the detection was uncertain."""
    sides = [{"left": LEFT, "right": RIGHT}.get(HUMAN36M.side(joint), own) for joint in range(17)]
    sure = ((motion.confidence[..., None] - 0.1) / 0.4).clip(0, 1) * 0.8 + 0.2
    colours = sure * np.array(sides) + (1 - sure) * np.array(PALE)
    return np.rint(255 * (colours / 255) ** 2.0).astype(np.uint8)  # Instances want linear light, not sRGB.


def along_bones(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (w, x, y, z) [bones, 4] that turn the z axis into each bone, and the bones' lengths."""
    bones = joints[CHILDREN] - joints[PARENTS]
    lengths = np.linalg.norm(bones, axis=-1)
    x, y, z = (bones / np.maximum(lengths, 1e-6)[:, None]).T
    half = np.stack((1 + z, -y, x, np.zeros_like(z)), axis=-1)
    half[1 + z < 1e-9] = [0, 1, 0, 0]
    return half / np.linalg.norm(half, axis=-1, keepdims=True), lengths


def with_skull(joints: np.ndarray) -> np.ndarray:
    """The joints, with the middle of the skull in place of the vertex."""
    axis = (joints[10] - joints[8]) / max(1e-6, float(np.linalg.norm(joints[10] - joints[8])))
    placed = joints.copy()
    placed[10] -= RADII[10] * axis
    return placed


def _instances(scene: Any, name: str, mesh: tuple[np.ndarray, np.ndarray], count: int) -> Any:
    upright = np.tile(np.array([1.0, 0, 0, 0]), (count, 1))
    return scene.add_batched_meshes_simple(
        name,
        *mesh,
        batched_wxyzs=upright,
        batched_positions=np.zeros((count, 3)),
        batched_scales=np.repeat(RADII[:count, None], 3, axis=1),
        batched_colors=np.zeros((count, 3), np.uint8),
        lod="off",
    )


def _cylinder(sides: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """An open cylinder of radius 1 from z = 0 to 1."""
    turn = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack((np.cos(turn), np.sin(turn), np.zeros(sides)), axis=-1)
    here, there = np.arange(sides), np.roll(np.arange(sides), -1)
    faces = np.concatenate(
        (np.stack((here, there, there + sides), -1), np.stack((here, there + sides, here + sides), -1))
    )
    return np.concatenate((ring, ring + np.array([0, 0, 1]))), faces


def _sphere(sides: int = 20, rings: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of radius 1."""
    down, around = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), 2 * np.pi * np.arange(sides) / sides, indexing="ij"
    )
    points = np.stack((np.sin(down) * np.cos(around), np.sin(down) * np.sin(around), np.cos(down)), axis=-1)
    row, here = np.meshgrid(np.arange(rings), np.arange(sides), indexing="ij")
    a, b = row * sides + here, row * sides + (here + 1) % sides
    faces = np.stack((np.stack((a, a + sides, b), -1), np.stack((b, a + sides, b + sides), -1)))
    return points.reshape(-1, 3), faces.reshape(-1, 3)


class Filming:
    """The camera that filmed, with the video's image, and the floor.

    Args:
        server: viser's server.
        camera: one camera.
        floor: height of the floor in the world, in metres.
    """

    def __init__(self, server: Any, camera: Camera, floor: float) -> None:
        width, height = camera.image_size.tolist()
        xyzw = roma.rotmat_to_unitquat(camera.rotation.mT.to(torch.float64))
        self._frustum = server.scene.add_camera_frustum(
            "/world/camera",
            fov=vertical_field(camera),
            aspect=width / height,
            scale=0.35,
            color=(98, 107, 118),
            wxyz=roma.quat_xyzw_to_wxyz(xyzw).numpy(),
            position=camera.position.numpy(),
        )
        server.scene.add_grid(
            "/world/floor",
            width=20.0,
            height=20.0,
            cell_size=0.5,
            section_size=1.0,
            cell_color=(232, 235, 239),
            section_color=(196, 203, 212),
            infinite_grid=True,
            fade_distance=25.0,
            shadow_opacity=0.25,
            position=(0.0, 0.0, floor),
        )

    @property
    def visible(self) -> bool:
        """Whether the camera is shown."""
        return self._frustum.visible

    @visible.setter
    def visible(self, value: bool) -> None:
        self._frustum.visible = value

    @property
    def image(self) -> np.ndarray | None:
        """The image in the frustum; a large one is thinned to 400 pixels or fewer."""
        return self._frustum.image

    @image.setter
    def image(self, value: np.ndarray | None) -> None:
        step = 1 if value is None else max(1, -(-max(value.shape[:2]) // 400))
        self._frustum.image = None if value is None else np.ascontiguousarray(value[::step, ::step])


def vertical_field(camera: Camera) -> float:
    """A camera's vertical field of view in radians."""
    return float(2 * torch.atan(camera.image_size[1] / 2 / camera.focal[1]))


class Spectator:
    """Where the viewer stands: presets, and a world that moves under a viewer who follows somebody.

    Args:
        server: viser's server, whose world is made here.
        motions: the people of one clip.
    """

    def __init__(self, server: Any, motions: Sequence[Motion]) -> None:
        self._clock, self._camera = common_clock(motions), motions[0].camera
        self._worlds = [motion.world.astype(np.float64) for motion in motions]
        self._smooth = [
            _smoothed(world[:, 0], motion.fps) for world, motion in zip(self._worlds, motions, strict=True)
        ]
        server.scene.set_up_direction("+z")
        server.scene.configure_environment_map(hdri=None)  # Slow to load, and it washes colours out.
        server.scene.add_light_hemisphere(
            "/sky", sky_color=(255, 255, 255), ground_color=(150, 150, 160), intensity=2.2
        )
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        self._root = server.scene.add_frame("/world", show_axes=False)
        self._offset, self._followed, self._anchor = np.zeros(3), None, np.zeros(3)

    def follow(self, person: int | None, moment: int) -> None:
        """Move the world so that a person stays where they were when they were first followed."""
        frame = -1 if person is None else int(self._clock.frames[person, moment])
        if person is None:
            self._offset = np.zeros(3)
        elif frame >= 0:
            if person != self._followed:
                self._anchor = self._smooth[person][frame] + self._offset
            self._offset = self._anchor - self._smooth[person][frame]
        if person is None or frame >= 0:
            self._followed = person
        self._root.position = self._offset

    def look_from(self, client: Any, view: str, person: int, moment: int) -> None:
        """Move one viewer in front of a person, to their left, above them, or to the camera.

        Args:
            view: ``"Front"``, ``"Side"``, ``"Top"``, ``"Camera"`` or ``"Start"``.
        """
        frame = int(self._clock.frames[person, moment])
        joints = self._worlds[person][max(0, frame)]
        middle = joints[0] + self._offset
        eye = self._camera.position.numpy().astype(np.float64) + self._offset
        client.camera.fov = 0.75
        if view == "Camera":
            forward = self._camera.rotation[2].numpy()
            middle = eye + forward * max(0.5, float((middle - eye) @ forward))
            client.camera.fov = vertical_field(self._camera)
        else:
            eye = middle + self._away(view, joints, eye - middle)
        client.camera.position, client.camera.look_at = eye, middle

    def _away(self, view: str, joints: np.ndarray, to_camera: np.ndarray) -> np.ndarray:
        """From the person to the viewer, in metres."""
        left = (joints[4] - joints[1]) * [1, 1, 0]
        if view == "Start":
            cos, sin = np.cos(0.6), np.sin(0.6)
            left = to_camera @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 0]])
        elif view == "Front":
            left = np.cross(left, [0.0, 0, 1])
        left = left / max(1e-6, float(np.linalg.norm(left)))
        if view == "Top":
            return np.array([0, -0.01, 4.5])
        return 4.2 * left + [0, 0, 1.0 if view == "Start" else 0.2]


def _smoothed(path: np.ndarray, fps: float) -> np.ndarray:
    """Running mean over a second, so that the view does not bob."""
    window = np.ones(min(len(path), 2 * round(fps / 2) + 1))
    count = np.convolve(np.ones(len(path)), window, mode="same")
    return np.stack([np.convolve(axis, window, mode="same") / count for axis in path.T], axis=-1)

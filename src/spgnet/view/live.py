"""A live 3D view in the browser: a person's pose as it is lifted, with the camera's image."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8

from spgnet.extras import import_extra
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion
from spgnet.lifting.streaming import LivePose
from spgnet.view.opacity import joint_opacity
from spgnet.view.palette import LIGHT, Color
from spgnet.view.server import listen, names_this_machine
from spgnet.view.timeline import floor_height

TRAIL = 5.0
"""For how many seconds the pelvis's path stays on the floor."""
_HOST = "127.0.0.1"
_STATUS_INTERVAL = 0.25
"""Seconds between two changes of the text, so that it can be read."""
_FLOOR_STEP = 0.02
"""The floor follows lower joints from this difference on, in metres."""
_UNKNOWN_FLOOR = -1.5
"""Where the floor is under a camera of unknown height before anybody is detected, in metres."""
_IMAGE_SIZE = 400
"""The longer side of the image in the frustum, in pixels, at most."""
_PRESETS = ("Front", "Side", "Top")
_View = Literal["Start", "Front", "Side", "Top"]

_UNSURE: Color = (214, 219, 226)
"""What the colors of joints fade to where they were not seen or are uncertain."""
_FIELD_OF_VIEW = 0.75
"""Vertical, of the viewer's camera, in radians."""
_DISTANCE = 4.2
"""From the viewer to the person, in metres."""
_NARROW = 0.7
"""Width by height from which a window shows a person with arms out; for narrower ones the camera is farther
away."""
_RADII = np.array([50, 58, 47, 34, 58, 47, 34, 55, 50, 30, 100, 44, 36, 28, 44, 36, 28]) / 1000
"""How thick a body is drawn at each joint, in metres; the head's is that of the skull."""
_THICKNESS = np.array([_RADII[child] for _, child in HUMAN36M.bones]) * 0.9
_THICKNESS[[8, 9]] = 0.034, 0.015
"""How thick each bone is drawn, in metres; the neck ends in the nose, and the skull needs no bone."""
_SEGMENTS = 240
"""How many pieces the trail is drawn in."""
_PARENTS, _CHILDREN = (list(ends) for ends in zip(*HUMAN36M.bones, strict=True))


class LiveDisplay:
    """A page that shows poses as they come. Use it in a ``with`` statement: leaving it ends the page.

    Only this machine can open it. As long as the camera's place in the world is not known, it is drawn
    upright at the origin, and the floor under the lowest joint so far.

    Args:
        port: the port to listen on; 0 takes any free one.

    Raises:
        InputError: viser is missing, or the port cannot be listened on.
    """

    def __init__(self, port: int = 8080) -> None:
        viser = import_extra("viser", "view")
        with _guarded_connections():
            self._server = viser.ViserServer(_HOST, _free_port(port), "SPGNet live", verbose=False)
        self._status = self._server.gui.add_markdown("Waiting for the first frame.")
        self._status_time = -np.inf
        self._scene: _Scene | None = None

    @property
    def url(self) -> str:
        """Where browsers find the page."""
        return f"http://{_HOST}:{self._server.get_port()}"

    def show(
        self,
        pose: LivePose | None,
        camera: Camera,
        image: UInt8[np.ndarray, "height width 3"] | None,
        status: str,
    ) -> None:
        """Bring the page to the next frame.

        Args:
            pose: of the person, in the camera frame in metres; None as long as there is none.
            camera: that films; one camera.
            image: of the camera, RGB; large ones are thinned to 400 pixels or fewer.
            status: a line of text beside the scene.
        """
        with self._server.atomic():
            self._scene = self._scene or _Scene(self._server, camera)
            self._scene.show(pose, camera, image)
            if (now := time.monotonic()) >= self._status_time + _STATUS_INTERVAL:
                self._status.content, self._status_time = status, now

    def close(self) -> None:
        """End the page."""
        self._server.stop()

    def __enter__(self) -> LiveDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_port(port: int) -> int:
    """The port, or any free one for 0. (viser would silently take the next one instead.)"""
    with listen(_HOST, port) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _guarded_connections() -> Iterator[None]:
    """Let a server of viser that starts in the ``with`` block refuse what foreign web pages ask of it, and
    give its page our title.

    viser cannot do that itself: any page in the same browser could read the motion over its WebSocket.
    """
    from websockets.asyncio import server

    serve, guarded = server.serve, False

    def guarded_serve(*args: Any, process_request: Any = None, **options: Any) -> Any:
        nonlocal guarded
        guarded = True

        def check(connection: Any, request: Any) -> Any:
            if is_foreign(request.headers.get_all("Host"), request.headers.get_all("Origin")):
                return connection.respond(403, "This page can only be opened on this machine.")
            answer = process_request(connection, request) if process_request else None
            return answer and _with_own_title(answer)

        return serve(*args, process_request=check, **options)

    server.serve = guarded_serve
    try:
        yield
    finally:
        server.serve = serve
    if not guarded:  # no assertion, which Python can be told to skip
        raise RuntimeError("viser serves in another way, so that nothing guards it")


def _with_own_title(answer: Any) -> Any:
    """A response of viser: its page with our title and ``live_access.html``, which makes its controls
    accessible; any other unchanged."""
    if not answer.headers.get("Content-Type", "").startswith("text/html"):
        return answer
    zipped = answer.headers.get("Content-Encoding") == "gzip"
    page = gzip.decompress(answer.body) if zipped else answer.body
    page = page.replace(b"<title>Viser</title>", b"<title>SPGNet live</title>")
    start, end, rest = page.rpartition(b"</body>")  # viser's script must be the first of the page
    page = start + files("spgnet.view").joinpath("live_access.html").read_bytes() + end + rest
    body = gzip.compress(page) if zipped else page
    del answer.headers["Content-Length"]
    answer.headers["Content-Length"] = str(len(body))
    return replace(answer, body=body)


def is_foreign(hosts: Sequence[str], origins: Sequence[str]) -> bool:
    """Whether a request is that of a page of another site.

    Args:
        hosts: its ``Host`` headers, of which there must be one, with this machine's loopback address.
        origins: its ``Origin`` headers: that of this page, or none of programs other than browsers.
    """
    if len(hosts) != 1 or not names_this_machine(hosts[0]):
        return True
    return any(origin != f"http://{hosts[0]}" for origin in origins)


class _Scene:
    """All that is drawn: a person and their trail, the camera and the floor."""

    def __init__(self, server: Any, camera: Camera) -> None:
        self._server, self._camera = server, camera
        self._person: PersonMesh | None = None
        self._view = ViewController(server, camera)
        self._frustum = CameraFrustum(server, camera)
        self.floor = _UNKNOWN_FLOOR if camera.extrinsics == "arbitrary" else 0.0
        _draw_floor(server, self.floor)

    def show(self, pose: LivePose | None, camera: Camera, image: np.ndarray | None) -> None:
        """The next frame, as in :meth:`LiveDisplay.show`."""
        if pose is not None:
            self._show_person(_motion(pose, camera))
        if camera is not self._camera:
            self._camera, self._frustum = camera, CameraFrustum(self._server, camera)
        self._frustum.show(image)

    def _show_person(self, motion: Motion) -> None:
        """The person's next frame, as a motion of that frame alone."""
        floor = floor_height([motion])
        if self._person is None or floor < self.floor - _FLOOR_STEP:
            self.floor = floor
            _draw_floor(self._server, floor)
        self._view.joints = motion.world[0].astype(np.float64)
        if self._person is None:
            self._person = PersonMesh(self._server)
            self._view.start()
        self._person.show(motion, self.floor)


def _motion(pose: LivePose, camera: Camera) -> Motion:
    """A pose as a motion of one frame."""
    return Motion(
        joints=pose.joints[None].astype(np.float32),
        confidence=pose.confidence[None].astype(np.float32),
        pixels=pose.pixels[None].astype(np.float32),
        timestamps=np.array([pose.time]),
        camera=camera,
        camera_source="",
    )


class PersonMesh:
    """One person: limbs and joints, and the pelvis's path over the last seconds on the floor.

    Args:
        server: viser's server.
    """

    def __init__(self, server: Any) -> None:
        scene = server.scene
        scene.add_frame("/world/person", show_axes=False)
        self.limbs = _instances(scene, "/world/person/limbs", _cylinder(), len(_CHILDREN))
        self.joints = _instances(scene, "/world/person/joints", _sphere(), len(_RADII))
        nothing = np.zeros((_SEGMENTS, 2, 3), np.float32)
        self.trail = scene.add_line_segments("/world/trail", nothing, LIGHT.middle)
        self._times = np.zeros(0)
        self._path = np.zeros((0, 3))

    def show(self, motion: Motion, floor: float) -> None:
        """Bring the mesh to the next frame.

        Args:
            motion: that frame alone.
            floor: height of the floor in the world, in metres.
        """
        joints, colors = motion.world[0].astype(np.float64), joint_colors(joint_opacity(motion)[0])
        self.limbs.batched_positions = joints[_PARENTS]
        self.limbs.batched_wxyzs, lengths = bone_rotations(joints)
        self.limbs.batched_scales = np.stack((_THICKNESS, _THICKNESS, lengths), axis=-1)
        self.limbs.batched_colors = colors[_CHILDREN]
        self.joints.batched_positions = with_skull(joints)
        self.joints.batched_colors = colors
        recent = self._times > motion.timestamps[0] - TRAIL
        self._times = np.append(self._times[recent], motion.timestamps)
        self._path = np.append(self._path[recent], joints[:1], axis=0)
        above_floor = self._path * [1, 1, 0] + [0, 0, floor + 0.005]
        # The line's length is fixed when it is added: the path is drawn in always as many pieces.
        steps = np.rint(np.linspace(0, len(self._path) - 1, _SEGMENTS + 1)).astype(int)
        points = above_floor[steps].astype(np.float32)
        self.trail.points = np.stack((points[:-1], points[1:]), axis=1)


def joint_colors(opacity: Float[np.ndarray, " 17"]) -> UInt8[np.ndarray, "17 3"]:
    """Colors of linear light: by side, and paler where a joint's opacity is lower."""
    sides = np.array([LIGHT.side(joint) for joint in range(17)])
    colors = opacity[:, None] * sides + (1 - opacity[:, None]) * np.array(_UNSURE)
    return np.rint(255 * (colors / 255) ** 2.0).astype(np.uint8)  # Instances want linear light, not sRGB.


def bone_rotations(
    joints: Float[np.ndarray, "17 3"],
) -> tuple[Float[np.ndarray, "bones 4"], Float[np.ndarray, " bones"]]:
    """The minimal rotation of the z axis into each bone as a quaternion (w, x, y, z), and the bones' lengths.

    The joints and lengths are in metres.
    """
    bones = joints[_CHILDREN] - joints[_PARENTS]
    lengths = np.linalg.norm(bones, axis=-1)
    x, y, z = (bones / np.maximum(lengths, 1e-6)[:, None]).T
    quaternions = np.stack((1 + z, -y, x, np.zeros_like(z)), axis=-1)
    quaternions[1 + z < 1e-9] = [0, 1, 0, 0]  # straight down: half a turn about any horizontal axis
    return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True), lengths


def with_skull(joints: Float[np.ndarray, "17 3"]) -> Float[np.ndarray, "17 3"]:
    """The joints, with the middle of the skull in place of the top of the head."""
    axis = (joints[10] - joints[8]) / max(1e-6, float(np.linalg.norm(joints[10] - joints[8])))
    moved = joints.copy()
    moved[10] -= _RADII[10] * axis
    return moved


def _instances(scene: Any, name: str, mesh: tuple[np.ndarray, np.ndarray], count: int) -> Any:
    """A number of copies of a mesh (vertices and faces), to be placed later."""
    upright = np.tile(np.array([1.0, 0, 0, 0]), (count, 1))
    return scene.add_batched_meshes_simple(
        name,
        *mesh,
        batched_wxyzs=upright,
        batched_positions=np.zeros((count, 3)),
        batched_scales=np.repeat(_RADII[:count, None], 3, axis=1),
        batched_colors=np.zeros((count, 3), np.uint8),
        lod="off",
    )


def _cylinder(sides: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of an open cylinder of radius 1 from z = 0 to 1."""
    angles = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack((np.cos(angles), np.sin(angles), np.zeros(sides)), axis=-1)
    here, there = np.arange(sides), np.roll(np.arange(sides), -1)
    faces = np.concatenate(
        (np.stack((here, there, there + sides), -1), np.stack((here, there + sides, here + sides), -1))
    )
    return np.concatenate((ring, ring + np.array([0, 0, 1]))), faces


def _sphere(sides: int = 20, rings: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a sphere of radius 1."""
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), 2 * np.pi * np.arange(sides) / sides, indexing="ij"
    )
    vertices = (np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar))
    ring, side = np.meshgrid(np.arange(rings), np.arange(sides), indexing="ij")
    a, b = ring * sides + side, ring * sides + (side + 1) % sides
    faces = np.stack((np.stack((a, a + sides, b), -1), np.stack((b, a + sides, b + sides), -1)))
    return np.stack(vertices, axis=-1).reshape(-1, 3), faces.reshape(-1, 3)


class CameraFrustum:
    """The camera that films, with its image.

    Args:
        server: viser's server.
        camera: one camera.
    """

    def __init__(self, server: Any, camera: Camera) -> None:
        import roma  # loads PyTorch's compiler, which most commands can spare

        width, height = camera.image_size.tolist()
        xyzw = roma.rotmat_to_unitquat(camera.rotation.mT.to(torch.float64))
        self._frustum = server.scene.add_camera_frustum(
            "/world/camera",
            fov=vertical_fov(camera),
            aspect=width / height,
            scale=0.35,
            color=(98, 107, 118),
            wxyz=roma.quat_xyzw_to_wxyz(xyzw).numpy(),
            position=camera.position.numpy(),
        )

    def show(self, image: UInt8[np.ndarray, "height width 3"] | None) -> None:
        """Show an RGB image in the frustum; of a large one only some rows and columns."""
        step = 1 if image is None else max(1, -(-max(image.shape[:2]) // _IMAGE_SIZE))
        self._frustum.image = None if image is None else np.ascontiguousarray(image[::step, ::step])


def vertical_fov(camera: Camera) -> float:
    """A camera's vertical field of view in radians."""
    return float(2 * torch.atan(camera.image_size[1] / 2 / camera.focal[1]))


def _draw_floor(server: Any, height: float) -> None:
    """A grid of metres at a height in the world, in metres; it takes the place of the one before."""
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
        position=(0.0, 0.0, height),
    )


class ViewController:
    """Where viewers stand: every new one at the start, and then where the buttons put them.

    Args:
        server: viser's server, whose light and up direction are set here.
        camera: that films.

    Attributes:
        joints: the person's latest pose in the world, in metres [17, 3].
    """

    def __init__(self, server: Any, camera: Camera) -> None:
        self._server, self._camera = server, camera
        ahead = camera.camera_to_world(torch.tensor([[0.0, 0.0, 3.0]]))
        self.joints = ahead.numpy().astype(np.float64).repeat(17, axis=0)
        server.scene.set_up_direction("+z")
        server.scene.configure_environment_map(hdri=None)  # Slow to load, and it washes colors out.
        server.scene.add_light_hemisphere(
            "/sky", sky_color=(255, 255, 255), ground_color=(150, 150, 160), intensity=2.2
        )
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        server.scene.add_frame("/world", show_axes=False)
        presets = server.gui.add_button_group("View from", _PRESETS)

        @presets.on_click
        def _(event: Any) -> None:
            if event.client is not None:
                self.look_from(event.client, presets.value)

        @server.on_client_connect
        def _(client: Any) -> None:
            self.look_from(client, "Start")

    def start(self) -> None:
        """Bring all viewers to the start."""
        for client in self._server.get_clients().values():
            self.look_from(client, "Start")

    def look_from(self, client: Any, view: _View) -> None:
        """Move one viewer in front of the person, to their left, above them, or beside the camera (start)."""
        pelvis = self.joints[0]
        to_camera = self._camera.position.numpy().astype(np.float64) - pelvis
        client.camera.fov = _FIELD_OF_VIEW
        farther = max(1.0, _NARROW / max(0.2, client.camera.aspect))
        client.camera.position = pelvis + farther * self._to_viewer(view, to_camera)
        client.camera.look_at = pelvis

    def _to_viewer(self, view: _View, to_camera: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
        """The vector from the pelvis to the viewer, in metres."""
        if view == "Top":
            return np.array([0, -0.01, 4.5])
        left = (self.joints[4] - self.joints[1]) * [1, 1, 0]
        toward = left if view == "Side" else np.cross(left, [0.0, 0, 1])
        if view == "Start":
            cos, sin = np.cos(0.6), np.sin(0.6)
            toward = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 0]]) @ to_camera
        toward = toward / max(1e-6, float(np.linalg.norm(toward)))
        return _DISTANCE * toward + [0, 0, 1.0 if view == "Start" else 0.2]

"""A live page: a person's pose in 3D as it is lifted, with the camera's image."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from jaxtyping import UInt8

from spgnet.extras import import_extra
from spgnet.geometry.camera import Camera
from spgnet.lifting.motion import Motion
from spgnet.lifting.streaming import LivePose
from spgnet.view.interactive import free_port
from spgnet.view.live_scene import ALONE, Body, Filming, Spectator, joint_colours
from spgnet.view.stage import floor_height

TRAIL = 5.0
"""For how many seconds the pelvis' way stays on the floor."""
_HOST = "127.0.0.1"
_WORDS_INTERVAL = 0.25
"""Seconds between two changes of the text, so that it can be read."""
_FLOOR_STEP = 0.02
"""The floor follows lower joints from this difference on, in metres."""
_VIEWS = ("Front", "Side", "Top")


class LiveDisplay:
    """A page that shows poses as they come. Use it in a ``with`` statement: leaving it ends the page.

    Only this machine can open it. As long as the camera's place in the world is not known, it is drawn
    upright at the origin, and the floor under the lowest joint seen so far.

    Args:
        port: the port to listen on; 0 takes any free one.

    Raises:
        InputError: viser is missing, or the port cannot be listened on.
    """

    def __init__(self, port: int = 8080) -> None:
        self._server = import_extra("viser", "view").ViserServer(
            _HOST, free_port(_HOST, port), "SPGNet live", verbose=False
        )
        self._words = self._server.gui.add_markdown("Waiting for the first frame.")
        self._words_time = -np.inf
        self._stage: _Stage | None = None

    @property
    def url(self) -> str:
        """Where browsers find the page."""
        return f"http://{_HOST}:{self._server.get_port()}"

    def show(
        self,
        pose: LivePose | None,
        camera: Camera,
        image: UInt8[np.ndarray, "height width 3"] | None,
        words: str,
    ) -> None:
        """Bring the page to the next frame.

        Args:
            pose: of the person, in the camera frame in metres; None as long as there is none.
            camera: what films; one camera.
            image: what it saw, RGB; large ones are thinned to 400 pixels or fewer.
            words: a line of text beside the scene.
        """
        with self._server.atomic():
            self._stage = self._stage or _Stage(self._server, camera)
            self._stage.show(pose, camera, image)
            if (now := time.monotonic()) >= self._words_time + _WORDS_INTERVAL:
                self._words.content, self._words_time = words, now

    def close(self) -> None:
        """End the page."""
        self._server.stop()

    def __enter__(self) -> LiveDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Stage:
    """The scene: a person, their trail, the camera and the floor."""

    def __init__(self, server: Any, camera: Camera) -> None:
        self._server, self._camera = server, camera
        self._person: _Person | None = None
        self._floor = -1.5 if camera.extrinsics == "arbitrary" else 0.0
        self._viewer = _Viewer(server, [_motion(_ahead(), camera)])
        self._filming = Filming(server, camera, self._floor)
        presets = server.gui.add_button_group("View from", _VIEWS)

        @presets.on_click
        def _(event: Any) -> None:
            if event.client is not None:
                self._viewer.look_from(event.client, presets.value, 0, 0)

        @server.on_client_connect
        def _(client: Any) -> None:
            self._viewer.look_from(client, "Start", 0, 0)

    def show(self, pose: LivePose | None, camera: Camera, image: np.ndarray | None) -> None:
        if pose is not None:
            self._place(_motion(pose, camera))
        if camera is not self._camera:
            self._camera, self._filming = camera, Filming(self._server, camera, self._floor)
        self._filming.image = image

    def _place(self, motion: Motion) -> None:
        floor = floor_height([motion])
        first = self._person is None
        if first or floor < self._floor - _FLOOR_STEP:
            self._floor, self._filming = floor, Filming(self._server, motion.camera, floor)
        self._viewer.see(motion)
        self._person = self._person or _Person(self._server, motion, floor)
        self._person.push(motion, self._floor)
        if first:
            for client in self._server.get_clients().values():
                self._viewer.look_from(client, "Start", 0, 0)


class _Person(Body):
    """A body that is given its frames one by one, and keeps those of the last seconds for its trail."""

    def __init__(self, server: Any, motion: Motion, floor: float) -> None:
        super().__init__(server, motion, floor, number=1, place=None)
        self._times = np.array([-np.inf])

    def push(self, motion: Motion, floor: float) -> None:
        """The next frame, as a motion of that frame alone."""
        kept = self._times > motion.timestamps[0] - TRAIL
        self._times = np.concatenate((self._times[kept], motion.timestamps))
        self._world = np.concatenate((self._world[kept], motion.world.astype(np.float64)))
        self._colours = np.concatenate((self._colours[kept], joint_colours(motion, ALONE)))
        self._path = self._world[:, 0] * [1, 1, 0] + [0, 0, floor + 0.005]
        self.show(len(self._world) - 1)


class _Viewer(Spectator):
    """Where viewers stand, about a person's latest pose."""

    def see(self, motion: Motion) -> None:
        """The latest pose, as a motion of one frame."""
        self._worlds = [motion.world.astype(np.float64)]


def _motion(pose: LivePose, camera: Camera) -> Motion:
    return Motion(
        joints=pose.joints[None].astype(np.float32),
        confidence=pose.confidence[None].astype(np.float32),
        pixels=pose.pixels[None].astype(np.float32),
        timestamps=np.array([pose.time]),
        camera=camera,
        camera_source="",
    )


def _ahead() -> LivePose:
    """Somebody's place before anybody is seen: three metres in front of the camera."""
    return LivePose(np.tile([0.0, 0.0, 3.0], (17, 1)), np.zeros(17), np.zeros((17, 2)), 0.0)

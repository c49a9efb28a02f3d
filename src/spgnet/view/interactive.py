"""Motions in a live 3D view that browsers open: a small server, and a handle to steer it."""

from __future__ import annotations

import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.lifting.motion import Motion
from spgnet.view.live_scene import Body, Filming, Spectator
from spgnet.view.stage import common_clock, floor_height, person_numbers

Images = Callable[[int], np.ndarray | None]

_SPEEDS = ("0.25×", "0.5×", "1×", "1.5×", "2×")
_VIEWS = ("Front", "Side", "Top", "Camera")
_NOBODY = "nobody"
_ROAMING = 3.0
"""Metres."""
_IMAGE_INTERVAL = 0.1
"""Seconds between two images while the motion plays."""


def serve(
    motions: Sequence[Motion],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    images: Images | None = None,
    open_browser: bool = False,
) -> LiveView:
    """Show motions in a live 3D view, and return at once.

    Args:
        motions: the people of one clip, in one world.
        host: the address to listen on; only this machine can look at the default one.
        port: the port to listen on; 0 takes any free one.
        images: gives the RGB image [height, width, 3] of bytes at a moment of the common clock of all people
            (the index of the frame, for one person or people seen in the same frames), or None. It is called
            when an image is needed, from another thread.
        open_browser: also open the page.

    Returns:
        The running view. It ends with its ``close``, or with the program.

    Raises:
        InputError: viser is missing, the address cannot be listened on, or there is no motion, or one that
            cannot be shown (not finite, time does not increase).
    """
    viser = import_extra("viser", "view")
    common_clock(motions)
    view = LiveView(viser.ViserServer(host, free_port(host, port), "SPGNet", verbose=False), motions, images)
    if open_browser:
        webbrowser.open(view.url)
    return view


class LiveView:
    """A running 3D view of motions: plays on its own, until it is told otherwise.

    Args:
        server: viser's server, which the view owns from here on.
        motions: the people of one clip, in one world.
        images: as in :func:`serve`.
    """

    def __init__(self, server: Any, motions: Sequence[Motion], images: Images | None) -> None:
        self.clock = common_clock(motions)
        self._server, self._images = server, images
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._moment, self._time, self._pictured = 0, float(self.clock.times[0]), -1
        self._playing = len(self.clock) > 1
        self._spectator = Spectator(server, motions)
        floor, numbers = floor_height(motions), person_numbers(motions)
        self._bodies = [
            Body(server, motion, floor, number, place if len(motions) > 1 else None)
            for place, (motion, number) in enumerate(zip(motions, numbers, strict=True))
        ]
        self._filming = Filming(server, motions[0].camera, floor)
        self._add_time_controls()
        self._add_view_controls(motions)
        server.gui.add_markdown(_facts(motions, len(self.clock), self.clock.fps))
        self._show(0)
        self._thread = threading.Thread(target=self._play, name="spgnet-live-view", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where browsers find the view."""
        host = self._server.get_host()
        host = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{host}:{self._server.get_port()}"

    @property
    def frames(self) -> int:
        """Number of moments that can be shown."""
        return len(self.clock)

    @property
    def frame(self) -> int:
        """The moment that is shown, from 0."""
        return self._moment

    @property
    def playing(self) -> bool:
        """Whether time runs."""
        return self._playing

    def play(self, on: bool = True) -> None:
        """Let time run, or stop it."""
        with self._lock:
            self._playing = on and self.frames > 1
            self._button.label = "Pause" if self._playing else "Play"

    def seek(self, frame: int) -> None:
        """Stop at a moment, from 0; moments beyond the ends are the ends."""
        self.play(False)
        with self._lock:
            self._show(min(max(frame, 0), self.frames - 1))
            self._time = float(self.clock.times[self._moment])

    def wait(self) -> None:
        """Stay until the view is closed; Ctrl+C raises ``KeyboardInterrupt`` as usual."""
        while not self._stop.wait(0.2):
            pass

    def close(self) -> None:
        """End the server; browsers lose the view. A second call does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        self._server.stop()

    def __enter__(self) -> LiveView:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add_time_controls(self) -> None:
        gui = self._server.gui
        self._button = gui.add_button("Pause" if self._playing else "Play", hint="Play or pause")
        last = max(1, self.frames - 1)
        self._slider = gui.add_slider("Frame", min=0, max=last, step=1, initial_value=0)
        self._clock_text = gui.add_text("Time", initial_value="", disabled=True)
        self._speed = gui.add_dropdown("Speed", _SPEEDS, initial_value="1×")
        self._button.on_click(lambda _: self.play(not self._playing))

        @self._slider.on_update
        def _(event: Any) -> None:
            if event.client is not None:
                self.seek(int(self._slider.value))

    def _add_view_controls(self, motions: Sequence[Motion]) -> None:
        gui = self._server.gui
        names = [f"person {number}" for number in person_numbers(motions)]
        presets = gui.add_button_group("View from", _VIEWS, hint="The camera's view hides the camera itself")
        self._follow = gui.add_dropdown(
            "Follow", (_NOBODY, *names), initial_value=names[0] if _roams(motions[0]) else _NOBODY
        )
        paths = gui.add_checkbox("Path", initial_value=True)
        camera = gui.add_checkbox("Camera", initial_value=True)
        with gui.add_folder("People", expand_by_default=len(motions) > 1):
            people = [gui.add_checkbox(name.capitalize(), initial_value=True) for name in names]

        def refresh(_: Any = None) -> None:
            with self._lock:
                for body, box in zip(self._bodies, people, strict=True):
                    body.wanted, body.path_wanted = box.value, paths.value
                self._filming.visible = camera.value
                self._show(self._moment)

        for control in (self._follow, paths, camera, *people):
            control.on_update(refresh)

        @presets.on_click
        def _(event: Any) -> None:
            if presets.value == "Camera":
                camera.value = False
            if event.client is not None:
                self._spectator.look_from(event.client, presets.value, self._followed(), self._moment)

        @self._server.on_client_connect
        def _(client: Any) -> None:
            self._spectator.look_from(client, "Start", 0, self._moment)

    def _followed(self) -> int:
        """The person that is followed, or else the first."""
        return max(0, self._follow.options.index(self._follow.value) - 1)

    def _show(self, moment: int) -> None:
        """Bring the scene and the controls to a moment."""
        self._moment = moment
        with self._server.atomic():
            for body, frames in zip(self._bodies, self.clock.frames, strict=True):
                body.show(int(frames[moment]))
            follows = self._follow.value != _NOBODY
            self._spectator.follow(self._followed() if follows else None, moment)
            self._slider.value = moment
            self._clock_text.value = f"{self.clock.times[moment]:.2f} s of {self.clock.times[-1]:.2f} s"
        self._show_image(moment)

    def _show_image(self, moment: int) -> None:
        if self._images is None or moment == self._pictured:
            return
        passed = abs(float(self.clock.times[moment] - self.clock.times[max(0, self._pictured)]))
        if self._playing and self._pictured >= 0 and passed < _IMAGE_INTERVAL:
            return
        self._pictured = moment
        self._filming.image = self._images(moment)

    def _play(self) -> None:
        """Advance time while it runs; the motion starts again at its end."""
        before = time.monotonic()
        while not self._stop.wait(1 / 60):
            now = time.monotonic()
            with self._lock:
                if self._playing:
                    self._advance((now - before) * float(self._speed.value[:-1]))
            before = now

    def _advance(self, seconds: float) -> None:
        times = self.clock.times
        self._time += seconds
        if self._time > times[-1] + 1 / self.clock.fps:
            self._time = float(times[0])
        moment = max(0, int(np.searchsorted(times, self._time, side="right")) - 1)
        if moment != self._moment:
            self._show(moment)


def _roams(motion: Motion) -> bool:
    """Whether a person goes so far that they would leave a view that stands still."""
    return bool((np.ptp(motion.world[:, 0], axis=0) > _ROAMING).any())


def free_port(host: str, port: int) -> int:
    """The port, or any free one for 0. (viser would silently take the next one instead.)"""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise InputError(
            f"cannot listen on {host}:{port} ({error}); choose another port, or 0 for any free one"
        ) from None


def _facts(motions: Sequence[Motion], frames: int, fps: float) -> str:
    """What the motions are, as Markdown."""
    sources = "; ".join(dict.fromkeys(motion.camera_source for motion in motions))
    weights = "; ".join(dict.fromkeys(motion.weights for motion in motions if motion.weights)) or "–"
    lines = (f"{frames} frames at {fps:.4g} fps; metres, z up", f"Camera: {sources}", f"Weights: {weights}")
    return "\n\n".join("".join(f"\\{c}" if c in "\\`*_{}[]<>#|!&" else c for c in line) for line in lines)

"""The overlay video: detections and lifted motion over the filmed picture, and the motion in 3D beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from spgnet.errors import InputError
from spgnet.lifting.motion import Motion, common_skeleton
from spgnet.video import VideoWriter
from spgnet.video.ahead import frames_ahead, make_ahead
from spgnet.view.drawing import Picture, draw_circle, draw_text, resize
from spgnet.view.opacity import joint_opacity
from spgnet.view.palette import OVERLAY, Color
from spgnet.view.panel import FAINT, NIGHT, WHITE, ScenePanel
from spgnet.view.reprojection import ReprojectionPicture
from spgnet.view.timeline import common_timeline, floor_height

DARK: Color = (10, 11, 15)
"""The background where there is no image."""
SPEED_TIME = 0.2
"""Speeds are means over this time, in seconds."""
STATUS_WIDTH, STATUS_TOP, STATUS_ROW = 300, 70, 31
"""Width of the status, and height of its first line and of those of the people, in units."""
ROWS = 4
"""People whose distance and speed are written down; there is a row that counts the others."""


@dataclass(frozen=True)
class OverlayStyle:
    """How an overlay looks.

    Args:
        width: largest width of a frame in pixels, even.
        height: largest height of a frame in pixels, even.
        panel: where the 3D panel is; ``"auto"`` puts it beside the picture, or below very wide ones.
        sway: by how much the panel's view sways to both sides, in degrees; 0 keeps it still.

    Raises:
        InputError: the size is odd or too small, or the sway is out of range.
    """

    width: int = 1920
    height: int = 1080
    panel: Literal["auto", "beside", "below"] = "auto"
    sway: float = 12.0

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 240:
            raise InputError(
                f"an overlay's width and height must be even and 240 or more, got {self.width}x{self.height}"
            )
        if not 0 <= self.sway <= 180:
            raise InputError(f"an overlay's sway must be between 0 and 180 degrees, got {self.sway}")


@dataclass(frozen=True)
class Layout:
    """Where things are in a frame: sizes (width, height) and the panel's top left pixel.

    The filmed picture is in the top left corner.
    """

    frame: tuple[int, int]
    picture: tuple[int, int]
    panel: tuple[int, int]
    corner: tuple[int, int]


def layout(image_size: tuple[int, int], style: OverlayStyle) -> Layout:
    """Room for a picture and the panel: the picture fills two thirds of the width, or the height."""
    width, height = image_size
    beside = style.panel == "beside" or (style.panel == "auto" and width <= 2.2 * height)
    scale = min(style.width * 2 / 3 / width, style.height * (1.0 if beside else 0.6) / height)
    w, h = _even(width * scale), _even(height * scale)
    if beside:
        return Layout((style.width, h), (w, h), (style.width - w, h), (w, 0))
    return Layout((w, style.height), (w, h), (w, style.height - h), (0, h))


def _even(pixels: float) -> int:
    return max(2, 2 * round(pixels / 2))


class Overlay:
    """Draws the overlay of a clip; what can be computed for all frames at once is computed first.

    Args:
        motions: the people; they share the camera and the video's frames.
        style: how the overlay looks.

    Attributes:
        layout: where things are in a frame.

    Raises:
        InputError: there is no motion, or the motions differ in their frames or cameras, or hold values
            that are not finite.
    """

    def __init__(self, motions: Sequence[Motion], style: OverlayStyle | None = None) -> None:
        common_timeline(motions)  # refuses what cannot be drawn
        _check_together(motions)
        motions = common_skeleton(motions)
        self.motions, self.times = tuple(motions), motions[0].timestamps
        width, height = (int(side) for side in motions[0].camera.image_size.tolist())
        self.image_size = (width, height)
        self.layout = layout(self.image_size, style or OverlayStyle())
        self.unit = max(self.layout.frame[0] / 1920, self.layout.frame[1] / 1080)
        self.present = np.stack([_present(motion.confidence) for motion in motions])
        self.picture = ReprojectionPicture(motions, self.present, self.layout.picture, self.unit)
        self.panel = self._panel((style or OverlayStyle()).sway)
        self.background = np.full((*self.layout.frame[::-1], 3), NIGHT, np.uint8)
        self.background[: self.layout.picture[1], : self.layout.picture[0]] = DARK
        self._measure()

    def __len__(self) -> int:
        return len(self.times)

    def _panel(self, sway: float) -> ScenePanel:
        floor = floor_height(self.motions)
        camera = self.motions[0].camera
        raised = replace(camera, position=camera.position - torch.tensor([0.0, 0.0, floor]))
        world = np.stack([motion.world for motion in self.motions]).astype(np.float64) - (0, 0, floor)
        opacity = np.stack([joint_opacity(motion) for motion in self.motions])
        tracks = [motion.track for motion in self.motions]
        width, height = self.layout.panel
        top = (STATUS_TOP + STATUS_ROW * min(len(tracks), ROWS + 1)) * self.unit
        reserved = (STATUS_WIDTH * self.unit, 0.0) if width > 2 * height else (0.0, top)
        return ScenePanel(
            world,
            self.present,
            opacity,
            raised,
            tracks,
            self.times,
            (width, height),
            self.unit,
            reserved,
            sway,
        )

    def _measure(self) -> None:
        """Compute each person's distance from the camera (metres) and speed (m/s) in all frames."""
        self.distance = [np.linalg.norm(motion.joints[:, 0], axis=-1) for motion in self.motions]
        self.speed = [_speed(motion.world[:, 0], self.times) for motion in self.motions]

    def draw(
        self, image: UInt8[np.ndarray, "h w 3"] | None, frame: int
    ) -> UInt8[np.ndarray, "out_h out_w 3"]:
        """Draw a frame of the overlay video.

        Args:
            image: the filmed frame, RGB; None for a plain background.
            frame: its index.

        Returns:
            A new RGB picture of even size.

        Raises:
            InputError: the image is not as large as the motions' camera says, or OpenCV is missing.
        """
        if image is not None and image.shape[1::-1] != self.image_size:
            raise InputError(
                f"frame {frame} has {image.shape[1]}x{image.shape[0]} pixels, but the motion's camera has "
                f"{self.image_size[0]}x{self.image_size[1]}"
            )
        (w, h), (x, y) = self.layout.picture, self.layout.corner
        drawn = self.background.copy()
        small = None if image is None else resize(image, (w, h))
        if small is not None:
            drawn[:h, :w] = small
        self.picture.draw(drawn[:h, :w], frame)
        panel = drawn[y:, x:]
        self.panel.draw(panel, frame, small)
        self._draw_status(panel, frame)
        return drawn

    def _draw_status(self, panel: Picture, frame: int) -> None:
        """Time, and each person's distance from the camera and speed."""
        unit = self.unit
        x, y = 28 * unit, 26 * unit
        seconds = float(self.times[frame] - self.times[0])
        clock = f"{int(seconds // 60)}:{seconds % 60:05.2f}"
        draw_text(panel, clock, (x, y), 26 * unit, WHITE, bold=True)
        y += 48 * unit
        people = range(len(self.motions))
        for person in people[:ROWS]:
            self._draw_row(panel, (x, y), frame, person)
            y += STATUS_ROW * unit
        if len(people) > ROWS:
            draw_text(panel, f"and {len(people) - ROWS} more", (x, y), 14 * unit, FAINT)

    def _draw_row(self, panel: Picture, position: tuple[float, float], frame: int, person: int) -> None:
        """One person's number, distance and speed."""
        (x, y), unit = position, self.unit
        present = bool(self.present[person, frame])
        if len(self.motions) > 1:
            color = OVERLAY.person(person) if present else FAINT
            center = (x + 11 * unit, y + 7 * unit)
            draw_circle(panel, np.array(center), 12 * unit, color)
            number = str(self.motions[person].track)
            draw_text(panel, number, center, 12 * unit, NIGHT, bold=True, anchor=(0.5, 0.5))
            x += 34 * unit
        if not present:
            draw_text(panel, "not in the picture", (x, y), 15 * unit, FAINT)
            return
        status = f"{self.distance[person][frame]:.2f} m from the camera"
        if len(self) > 1:
            status += f"   {self.speed[person][frame]:.2f} m/s"
        draw_text(panel, status, (x, y), 15 * unit, WHITE)


def write_overlay(
    path: Path,
    frames: Iterable[np.ndarray | None],
    overlay: Overlay,
    fps: float,
    on_frame: Callable[[int], None] = lambda frames: None,
) -> None:
    """Draw an overlay over every frame of a video and write the result, whole or not at all.

    Frames are read in a thread and drawn in another one, while those before are encoded.

    Args:
        path: the video to write (H.264).
        frames: the filmed frames [h, w, 3], RGB; None for plain backgrounds.
        overlay: what to draw.
        fps: nominal frames per second of the result; every frame has the time of its own.
        on_frame: called with the number of frames written so far.

    Raises:
        InputError: there are more or fewer frames than the overlay has, or one has another size.
    """
    times = (overlay.times - overlay.times[0]).tolist()
    with (
        VideoWriter(path, fps) as video,
        closing(make_ahead(frames, frames_ahead(overlay.image_size))) as read,
        closing(make_ahead(_draw_each(path, read, overlay), frames_ahead(overlay.layout.frame))) as drawn,
    ):
        count = 0
        for count, picture in enumerate(drawn, start=1):
            video.write(picture, times[count - 1])
            on_frame(count)
        if count < len(overlay):
            raise InputError(f"{path}: the video has {count} frames, the motion {len(overlay)}")


def _draw_each(path: Path, frames: Iterable[np.ndarray | None], overlay: Overlay) -> Iterator[np.ndarray]:
    for index, image in enumerate(frames):
        if index == len(overlay):
            raise InputError(f"{path}: the video has more than the {len(overlay)} frames of the motion")
        yield overlay.draw(image, index)


def _check_together(motions: Sequence[Motion]) -> None:
    """The people of one video have its frames and its camera."""
    first = motions[0]
    for motion in motions[1:]:
        if not np.array_equal(motion.timestamps, first.timestamps):
            raise InputError(
                f"tracks {first.track} and {motion.track} have different frames; an overlay needs the "
                "motions of one video, with all its frames"
            )
        if motion.camera.image_size.tolist() != first.camera.image_size.tolist():
            raise InputError(f"tracks {first.track} and {motion.track} have images of different sizes")


def _present(confidence: Float[np.ndarray, "frames joints"]) -> Bool[np.ndarray, " frames"]:
    """Frames from the first to the last one in which a joint of the person was detected."""
    present = np.zeros(len(confidence), bool)
    detected = np.flatnonzero((confidence > 0).any(axis=-1))
    if len(detected):
        present[detected[0] : detected[-1] + 1] = True
    return present


def _speed(
    path: Float[np.ndarray, "frames 3"], times: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, " frames"]:
    """Speed along a path (metres) in m/s, over the time around each frame (seconds)."""
    if len(times) == 1:
        return np.zeros(1)
    frames = np.arange(len(times))
    first = np.minimum(np.searchsorted(times, times - SPEED_TIME / 2), (frames - 1).clip(0))
    last = np.maximum(np.searchsorted(times, times + SPEED_TIME / 2, side="right") - 1, frames + 1)
    last = last.clip(max=len(times) - 1)
    return np.linalg.norm(path[last] - path[first], axis=-1) / (times[last] - times[first])

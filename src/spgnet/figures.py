"""Pictures of lifted motion, drawn with matplotlib (the extra ``figures``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.camera import Camera
from spgnet.files import whole_file
from spgnet.skeleton import HUMAN36M

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = {"left": "#d95f02", "right": "#1b7fb8", "middle": "#4d4d4d"}
"""Colours of the body's left, right and middle."""
TRUTH = "#b8b8b8"


@dataclass(frozen=True)
class LiftedSequence:
    """One view of a sequence: what went in and what came out.

    Args:
        pixels: the 2D input.
        predicted: joints relative to the camera, metres.
        true: the same of the truth.
        camera: the camera of the view.
        fps: frames per second.
    """

    pixels: Float[Tensor, "frames 17 2"]
    predicted: Float[Tensor, "frames 17 3"]
    true: Float[Tensor, "frames 17 3"]
    camera: Camera
    fps: float


def draw_pose(
    axes: Any, joints: Float[Tensor, "17 d"], *, color: str | None = None, width: float = 2.0
) -> list:
    """Draw a pose into 2D or 3D axes, in one colour or in those of the body's sides."""
    lines = []
    for parent, child in HUMAN36M.bones:
        ends = joints[[parent, child]].T.tolist()
        shade = color or SIDES[HUMAN36M.side(child)]
        lines += axes.plot(*ends, color=shade, linewidth=width, solid_capstyle="round")
    return lines


class Scene:
    """Draws the frames of a lifted sequence: the image plane, and the world around the person."""

    def __init__(self, sequence: LiftedSequence) -> None:
        self.sequence, camera = sequence, sequence.camera
        self.reprojected = camera.camera_to_image(sequence.predicted)
        self.predicted = camera.camera_to_world(sequence.predicted)
        self.true = camera.camera_to_world(sequence.true)
        both = torch.cat((self.predicted, self.true)).flatten(0, 1)
        low, high = both.amin(0), both.amax(0)
        self.middle, self.radius = (low + high) / 2, max(0.7, (high - low)[:2].max().item() / 2 + 0.1)
        self.floor, self.ceiling = min(0.0, low[2].item()), max(1.8, high[2].item())

    def draw_image(self, axes: Any, frame: int, *, follow: bool) -> None:
        """The 2D input in grey and the re-projected prediction in colour.

        Args:
            axes: 2D axes.
            frame: which frame.
            follow: show the person's surroundings instead of all places where the person goes.
        """
        pixels = self.sequence.pixels
        low, high = pixels.amin(1), pixels.amax(1)
        shown = (low[frame], high[frame]) if follow else (low.amin(0), high.amax(0))
        size = (high - low).amax() if follow else (shown[1] - shown[0]).amax()
        (x, y), radius = ((shown[0] + shown[1]) / 2).tolist(), 0.56 * size.item()
        axes.set(xlim=(x - radius, x + radius), ylim=(y + radius, y - radius), xticks=[], yticks=[])
        axes.set_aspect("equal")
        draw_pose(axes, pixels[frame], color=TRUTH, width=4.0)
        draw_pose(axes, self.reprojected[frame], width=1.5)

    def draw_space(self, axes: Any, frame: int) -> None:
        """Truth in grey, the prediction in colour, and its path on the floor so far, in 3D axes."""
        (x, y, _), radius = self.middle.tolist(), self.radius
        axes.set(
            xlim=(x - radius, x + radius), ylim=(y - radius, y + radius), zlim=(self.floor, self.ceiling)
        )
        axes.set_box_aspect((2 * radius, 2 * radius, self.ceiling - self.floor), zoom=1.25)
        axes.view_init(elev=12, azim=self._azimuth())
        axes.locator_params(nbins=4)
        axes.tick_params(labelsize=6, pad=-2)
        path = self.predicted[: frame + 1, 0, :2].T.tolist()
        axes.plot(*path, zs=self.floor, color=SIDES["middle"], linewidth=0.8)
        draw_pose(axes, self.true[frame], color=TRUTH, width=4.0)
        draw_pose(axes, self.predicted[frame], width=1.5)

    def _azimuth(self) -> float:
        """Look at the person from 50 degrees beside the camera, where errors in depth can be seen."""
        x, y, _ = (self.sequence.camera.position - self.middle).tolist()
        return math.degrees(math.atan2(y, x)) + 50


def lift_figure(sequence: LiftedSequence, frames: Sequence[int]) -> Figure:
    """A column per frame: the 2D input with the re-projection over it, and below the pose in the world."""
    scene = Scene(sequence)
    figure = _pyplot().figure(figsize=(2.5 * len(frames), 4.8), layout="constrained")
    for column, frame in enumerate(frames, start=1):
        image = figure.add_subplot(2, len(frames), column)
        image.set_title(f"{frame / sequence.fps:.2f} s", fontsize=9)
        scene.draw_image(image, frame, follow=True)
        space = figure.add_subplot(2, len(frames), len(frames) + column, projection="3d")
        scene.draw_space(space, frame)
    figure.suptitle(
        "above: 2D input (grey) and re-projection · below: truth (grey) and lifted 3D, metres · "
        "left side orange, right side blue",
        fontsize=10,
    )
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as an image and close it."""
    with whole_file(path, ending=path.suffix) as temporary:
        figure.savefig(temporary, dpi=110)
    _pyplot().close(figure)


def save_lift_animation(sequence: LiftedSequence, path: Path, *, fps: float = 12.5) -> None:
    """Write the animation of input, re-projection and 3D result as a GIF."""
    plt, scene = _pyplot(), Scene(sequence)
    from matplotlib.animation import FuncAnimation, PillowWriter

    figure = plt.figure(figsize=(7.2, 3.8), layout="constrained")
    image, space = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="3d")

    def draw(frame: int) -> list[Any]:
        image.clear()
        space.clear()
        image.set_title("2D input (grey), re-projection", fontsize=9)
        space.set_title("truth (grey), lifted 3D [m]", fontsize=9)
        scene.draw_image(image, frame, follow=False)
        scene.draw_space(space, frame)
        return []

    step = max(1, round(sequence.fps / fps))
    frames = range(0, len(sequence.pixels), step)
    animation = FuncAnimation(figure, draw, frames=frames, init_func=list)
    with whole_file(path, ending=".gif") as temporary:
        animation.save(temporary, writer=PillowWriter(fps=round(sequence.fps / step)), dpi=80)
    plt.close(figure)


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise ValueError("figures need matplotlib; install it with: pip install 'spgnet[figures]'") from None
    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot

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
from spgnet.skeleton import HUMAN36M

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

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
        self.middle = (both.amin(0) + both.amax(0)) / 2
        self.radius = max(1.0, (both.amax(0) - both.amin(0)).max().item() / 2)

    def draw_image(self, axes: Axes, frame: int) -> None:
        """The 2D input in grey and the re-projected prediction in colour."""
        pixels = self.sequence.pixels
        low, high = pixels.amin((0, 1)), pixels.amax((0, 1))
        (x, y), radius = ((low + high) / 2).tolist(), 0.55 * (high - low).max().item()
        axes.set(xlim=(x - radius, x + radius), ylim=(y + radius, y - radius))
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        draw_pose(axes, pixels[frame], color=TRUTH, width=4.0)
        draw_pose(axes, self.reprojected[frame], width=1.5)

    def draw_space(self, axes: Axes3D, frame: int) -> None:
        """Truth in grey, the prediction in colour, and its path on the floor so far."""
        (x, y, z), radius = self.middle.tolist(), self.radius
        floor = min(0.0, z - radius)
        axes.set(
            xlim=(x - radius, x + radius), ylim=(y - radius, y + radius), zlim=(floor, floor + 2 * radius)
        )
        axes.set_box_aspect((1, 1, 1))
        axes.view_init(elev=12, azim=self._azimuth())
        axes.tick_params(labelsize=6, pad=-2)
        axes.plot(
            *self.predicted[: frame + 1, 0, :2].T.tolist(), zs=floor, color=SIDES["middle"], linewidth=0.8
        )
        draw_pose(axes, self.true[frame], color=TRUTH, width=4.0)
        draw_pose(axes, self.predicted[frame], width=1.5)

    def _azimuth(self) -> float:
        """Look at the person from 50 degrees beside the camera, where errors in depth can be seen."""
        x, y, _ = (self.sequence.camera.position - self.middle).tolist()
        return math.degrees(math.atan2(y, x)) + 50


def lift_figure(sequence: LiftedSequence, frames: Sequence[int]) -> Figure:
    """A column per frame: the 2D input with the re-projection over it, and below the pose in the world."""
    scene = Scene(sequence)
    figure = _pyplot().figure(figsize=(2.5 * len(frames), 5.4), layout="constrained")
    for column, frame in enumerate(frames, start=1):
        image = figure.add_subplot(2, len(frames), column)
        image.set_title(f"{frame / sequence.fps:.2f} s", fontsize=9)
        scene.draw_image(image, frame)
        scene.draw_space(_axes_3d(figure, 2, len(frames), len(frames) + column), frame)
    figure.suptitle(
        "above: 2D input (grey), re-projection · below: truth (grey), lifted 3D, metres", fontsize=10
    )
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as an image and close it."""
    temporary = path.with_suffix(f".partial{path.suffix}")
    figure.savefig(temporary, dpi=110)
    _pyplot().close(figure)
    temporary.replace(path)


def save_lift_animation(sequence: LiftedSequence, path: Path, *, fps: float = 12.5) -> None:
    """Write the animation of input, re-projection and 3D result as a GIF."""
    plt, scene = _pyplot(), Scene(sequence)
    from matplotlib.animation import FuncAnimation, PillowWriter

    figure = plt.figure(figsize=(7.2, 3.8), layout="constrained")
    image, space = figure.add_subplot(1, 2, 1), _axes_3d(figure, 1, 2, 2)

    def draw(frame: int) -> list[Any]:
        image.clear()
        space.clear()
        image.set_title("2D input (grey), re-projection", fontsize=9)
        space.set_title("truth (grey), lifted 3D [m]", fontsize=9)
        scene.draw_image(image, frame)
        scene.draw_space(space, frame)
        return []

    step = max(1, round(sequence.fps / fps))
    frames = range(0, len(sequence.pixels), step)
    animation = FuncAnimation(figure, draw, frames=frames, init_func=list)
    temporary = path.with_suffix(".partial.gif")
    animation.save(temporary, writer=PillowWriter(fps=round(sequence.fps / step)), dpi=80)
    plt.close(figure)
    temporary.replace(path)


def _axes_3d(figure: Figure, rows: int, columns: int, index: int) -> Axes3D:
    return figure.add_subplot(rows, columns, index, projection="3d")  # type: ignore[return-value]


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise ValueError("figures need matplotlib; install it with: pip install 'spgnet[figures]'") from None
    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot

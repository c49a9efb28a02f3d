"""Qualitative panels: 2D input, true and lifted pose of single frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.figures.canvas import SIDES, TRUTH, new_figure
from spgnet.skeleton import HUMAN36M

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """One frame.

    Args:
        title: beside the row.
        pixels: the 2D input.
        predicted: the lifted pose in the camera frame, metres, relative to its root.
        true: the true one.
        hidden: which joints the body hides from the camera.
        error: MPJPE in mm.
    """

    title: str
    pixels: Float[Tensor, "17 2"]
    predicted: Float[Tensor, "17 3"]
    true: Float[Tensor, "17 3"]
    hidden: Bool[Tensor, " 17"]
    error: float


def draw_pose(
    axes: Any, joints: Float[Tensor, "17 d"], *, color: str | None = None, width: float = 2.0
) -> None:
    """Draw a pose into 2D or 3D axes, in one colour or in those of the body's sides."""
    for parent, child in HUMAN36M.bones:
        ends = joints[[parent, child]].T.tolist()
        shade = color or SIDES[HUMAN36M.side(child)]
        axes.plot(*ends, color=shade, linewidth=width, solid_capstyle="round")


def panel_figure(panels: Sequence[Panel]) -> Figure:
    """A row for each frame: the 2D input, and true and lifted pose from the camera and from its side."""
    figure = new_figure(8.6, 0.6 + 2.15 * len(panels))
    views = (("from the camera", 0.0), ("from 45° beside it", 45.0), ("from 90° beside it", 90.0))
    for row, panel in enumerate(panels):
        image = figure.add_subplot(len(panels), 4, 4 * row + 1)
        draw_image(image, panel)
        image.set_title("2D input" if not row else "", fontsize=9)
        image.set_ylabel(panel.title, fontsize=9)
        for column, (title, angle) in enumerate(views, start=2):
            space = figure.add_subplot(len(panels), 4, 4 * row + column)
            draw_turned(space, panel, angle)
            space.set_title(title if not row else "", fontsize=9)
    figure.legend(handles=_explained(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _explained() -> list[Any]:
    """What the colours and rings are, for a legend."""
    from matplotlib.lines import Line2D

    ring = {"linestyle": "", "marker": "o", "markersize": 8, "markerfacecolor": "none", "color": "black"}
    return [
        Line2D([], [], color=TRUTH, linewidth=4.0, label="truth"),
        *(
            Line2D([], [], color=color, linewidth=1.6, label=f"lifted, {side}")
            for side, color in SIDES.items()
        ),
        Line2D([], [], **ring, label="hidden by the body"),
    ]


def draw_image(axes: Any, panel: Panel) -> None:
    """The 2D input, with a ring around every hidden joint."""
    draw_pose(axes, panel.pixels)
    hidden = panel.pixels[panel.hidden]
    axes.scatter(*hidden.T.tolist(), s=60, facecolors="none", edgecolors="black", linewidths=1.2, zorder=3)
    _frame(axes, panel.pixels)


def draw_turned(axes: Any, panel: Panel, angle: float) -> None:
    """Truth and lifted pose as seen by the camera after it went around the person by an angle in degrees."""
    turn = math.radians(angle)
    across = torch.tensor([[math.cos(turn), 0.0, math.sin(turn)], [0.0, 1.0, 0.0]])
    true, predicted = panel.true @ across.T, panel.predicted @ across.T
    draw_pose(axes, true, color=TRUTH, width=4.0)
    draw_pose(axes, predicted, width=1.6)
    _frame(axes, torch.cat((true, predicted)), least=1.0)


def _frame(axes: Any, points: Tensor, least: float = 0.0) -> None:
    low, high = points.amin(0), points.amax(0)
    (x, y), radius = ((low + high) / 2).tolist(), max(0.56 * (high - low).max().item(), least)
    axes.set(xlim=(x - radius, x + radius), ylim=(y + radius, y - radius), xticks=[], yticks=[])
    axes.set_aspect("equal")

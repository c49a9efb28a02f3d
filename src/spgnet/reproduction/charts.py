"""Charts and pose panels, drawn with matplotlib (the extra ``figures``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.extras import import_extra
from spgnet.files import whole_file
from spgnet.geometry.skeleton import HUMAN36M

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES_COLORS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb")
"""Paul Tol's "bright" colours, which colour-blind people can tell apart."""
SIDE_COLORS = {"left": "#d95f02", "right": "#1b7fb8", "middle": "#4d4d4d"}
"""Colours of the body's left, right and middle."""
TRUTH_COLOR = "#b8b8b8"
"""Colour of the true pose."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, without a window.

    Raises:
        InputError: matplotlib is missing; the message names the extra.
    """
    figure = import_extra("matplotlib.figure", "figures").Figure(
        figsize=(width, height), layout="constrained"
    )
    import_extra("matplotlib.backends.backend_agg", "figures").FigureCanvasAgg(figure)
    return figure


def _style_axes(axes: Any) -> None:
    """Remove the axes without a scale, and add a light grid behind the chart."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as an image, whose format is that of the path's suffix.

    Raises:
        ValueError: matplotlib does not know the suffix.
    """
    with whole_file(path, ending=path.suffix) as temporary:
        figure.savefig(temporary, dpi=150)


@dataclass(frozen=True)
class ColumnPanel:
    """One panel of clustered columns.

    Args:
        title: above the panel.
        groups: names along the axis.
        series: names of the columns in each group.
        values: for each series and group, the values of the seeds.
    """

    title: str
    groups: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[tuple[float, ...], ...], ...]


def column_chart(panels: Sequence[ColumnPanel], label: str) -> Figure:
    """Clustered columns: the mean of the seeds, also as text, and of several a bar from lowest to highest."""
    figure = new_figure(1.2 + 3.4 * len(panels), 3.4)
    all_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)
    for axes, panel in zip(all_axes[0], panels, strict=True):
        _style_axes(axes)
        width = 0.8 / len(panel.series)
        for number, (name, groups) in enumerate(zip(panel.series, panel.values, strict=True)):
            places = [group + (number - (len(panel.series) - 1) / 2) * width for group in range(len(groups))]
            _columns(axes, places, groups, width, name, SERIES_COLORS[number])
        axes.set_xticks(range(len(panel.groups)), panel.groups)
        axes.set_title(panel.title, fontsize=10)
        axes.margins(y=0.1)
    all_axes[0, 0].set_ylabel(label)
    figure.legend(
        *all_axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def _columns(
    axes: Any, places: list[float], groups: Sequence[Sequence[float]], width: float, name: str, color: str
) -> None:
    drawn = [(place, seeds) for place, seeds in zip(places, groups, strict=True) if seeds]
    places, groups = [place for place, _ in drawn], [seeds for _, seeds in drawn]
    means = [mean(seeds) for seeds in groups]
    reach = [
        [value - min(seeds) for value, seeds in zip(means, groups, strict=True)],
        [max(seeds) - value for value, seeds in zip(means, groups, strict=True)],
    ]
    bar = {"elinewidth": 1, "capsize": 2.5, "capthick": 1}
    several = reach if any(len(seeds) > 1 for seeds in groups) else None
    axes.bar(places, means, width * 0.92, yerr=several, label=name, color=color, error_kw=bar)
    for place, value, top in zip(places, means, reach[1], strict=True):
        axes.annotate(
            f"{value:.1f}", (place, value + top), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )


@dataclass(frozen=True)
class CurvePanel:
    """One panel of training curves.

    Args:
        title: above the panel.
        curves: for each method, of each seed the error at some numbers of steps.
    """

    title: str
    curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]]


def curve_chart(panels: Sequence[CurvePanel], steps: str, label: str) -> Figure:
    """A line for every run, in the colour of its method.

    Args:
        panels: beside each other, with one scale.
        steps: label of the axis of steps.
        label: of the error's axis.
    """
    figure = new_figure(1.6 + 4.2 * len(panels), 4.2)
    all_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    styles = {
        name: (SERIES_COLORS[number % len(SERIES_COLORS)], ("-", "--", ":")[number // len(SERIES_COLORS) % 3])
        for number, name in enumerate(names)
    }
    for axes, panel in zip(all_axes[0], panels, strict=True):
        _style_axes(axes)
        for name, seeds in panel.curves.items():
            color, style = styles[name]
            for curve in seeds:
                axes.plot(*zip(*curve, strict=True), style, color=color, linewidth=1.2)
        axes.set_title(panel.title, fontsize=10)
        axes.set_xlabel(steps)
    every = [curve for panel in panels for seeds in panel.curves.values() for curve in seeds]
    lowest = min(error for curve in every for _, error in curve)
    all_axes[0, 0].set_ylim(0.9 * lowest, 2 * lowest)  # of all panels
    all_axes[0, 0].set_ylabel(label)
    handles = [_line(color, style, name) for name, (color, style) in styles.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _line(color: str, style: Any, name: str) -> Any:
    """A line of a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linestyle=style, label=name)


def bone_length_chart(
    names: Sequence[str], lengths: Sequence[Sequence[float]], frames: Sequence[int], title: str
) -> Figure:
    """A line for every bone: its length in metres in each of the frames, named beside the line's end.

    Args:
        names: of the bones; those that begin with ``left_`` and ``right_`` have the colours of their side.
        lengths: for each frame, of every bone, in metres.
        frames: their numbers.
        title: above the chart.
    """
    figure = new_figure(7.2, 5.0)
    axes = figure.subplots()
    _style_axes(axes)
    columns = list(zip(*lengths, strict=True))
    top = 1.05 * max(map(max, columns))
    heights = _separate_labels([column[-1] for column in columns], gap=top / 28)
    for name, column, height in zip(names, columns, heights, strict=True):
        color = SIDE_COLORS.get(name.split("_")[0], SIDE_COLORS["middle"])
        axes.plot(range(len(frames)), column, color=color, marker="o", markersize=3, linewidth=1.3)
        _name_end(axes, name.replace("_", " "), (len(frames) - 1.0, column[-1]), height, color)
    axes.set_xticks(range(len(frames)), [str(frame) for frame in frames])
    axes.set(xlabel="frame", ylabel="bone length [m]", xlim=(-0.2, len(frames) - 0.9), ylim=(0, top))
    axes.set_title(title, fontsize=10)
    return figure


def _name_end(axes: Any, name: str, end: tuple[float, float], height: float, color: str) -> None:
    """Write the name of a line to the right of the axes, at a height, with a leader from the line's end."""
    lead = {
        "arrowstyle": "-",
        "color": color,
        "linewidth": 0.6,
        "relpos": (0, 0.5),
        "shrinkA": 1,
        "shrinkB": 3,
    }
    axes.annotate(
        name,
        end,
        (1.04, height),
        textcoords=axes.get_yaxis_transform(),
        annotation_clip=False,
        arrowprops=lead,
        color=color,
        fontsize=8,
        va="center",
    )


def _separate_labels(positions: Sequence[float], gap: float) -> list[float]:
    """The positions moved apart to at least ``gap``, in their order, with the least sum of squared shifts.

    Neighbours that are too close form a block with equal gaps, centred on the mean of its members; blocks
    that come too close are merged.
    """
    order = sorted(range(len(positions)), key=positions.__getitem__)
    blocks: list[list[float]] = []
    for rank, number in enumerate(order):
        blocks.append([positions[number] - rank * gap])
        while len(blocks) > 1 and mean(blocks[-2]) > mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    level = [mean(block) for block in blocks for _ in block]
    return [level[order.index(number)] + order.index(number) * gap for number in range(len(positions))]


def occlusion_chart(
    errors: Sequence[dict[int, float]], shares: dict[int, float], label: str, title: str
) -> Figure:
    """Error by the number of hidden joints: a line for the mean of the seeds, a band from lowest to highest.

    Args:
        errors: for each seed, the mean error of the frames with each number of hidden joints.
        shares: the share of the frames that have it.
        label: of the error's axis.
        title: above the chart.
    """
    figure = new_figure(5.4, 3.6)
    axes = figure.subplots()
    _style_axes(axes)
    counts = sorted(shares)
    values = [[seed[count] for seed in errors] for count in counts]
    low, high = [min(seeds) for seeds in values], [max(seeds) for seeds in values]
    axes.fill_between(
        counts, low, high, color=SERIES_COLORS[0], alpha=0.25, linewidth=0, label="lowest to highest seed"
    )
    axes.plot(
        counts,
        [mean(seeds) for seeds in values],
        color=SERIES_COLORS[0],
        marker="o",
        label="mean of the seeds",
    )
    for count, top in zip(counts, high, strict=True):
        axes.annotate(
            f"{100 * shares[count]:.{0 if shares[count] >= 0.01 else 1}f} %",
            (count, top),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set(xlabel="joints hidden by the body (above: share of the frames)", ylabel=label)
    axes.set_ylim(0, 1.15 * max(high))
    axes.set_xticks(counts)
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    axes.set_title(title, fontsize=10)
    return figure


@dataclass(frozen=True)
class PosePanel:
    """The poses of one frame, drawn as a row of a figure.

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
    """Draw the bones of a pose in one colour, or in the colours of the body's sides."""
    for parent, child in HUMAN36M.bones:
        ends = joints[[parent, child]].T.tolist()
        shade = color or SIDE_COLORS[HUMAN36M.side(child)]
        axes.plot(*ends, color=shade, linewidth=width, solid_capstyle="round")


def pose_panel_figure(panels: Sequence[PosePanel]) -> Figure:
    """A row for each frame: the 2D input, and true and lifted pose from the camera and from its side."""
    figure = new_figure(8.6, 0.6 + 2.15 * len(panels))
    views = (("from the camera", 0.0), ("from 45° beside it", 45.0), ("from 90° beside it", 90.0))
    for row, panel in enumerate(panels):
        image = figure.add_subplot(len(panels), 4, 4 * row + 1)
        draw_keypoints(image, panel)
        image.set_title("2D input" if not row else "", fontsize=9)
        image.set_ylabel(panel.title, fontsize=9)
        for column, (title, angle) in enumerate(views, start=2):
            space = figure.add_subplot(len(panels), 4, 4 * row + column)
            draw_rotated(space, panel, angle)
            space.set_title(title if not row else "", fontsize=9)
    figure.legend(handles=_legend_handles(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _legend_handles() -> list[Any]:
    """The legend of the colours and rings."""
    from matplotlib.lines import Line2D

    ring = {"linestyle": "", "marker": "o", "markersize": 8, "markerfacecolor": "none", "color": "black"}
    return [
        Line2D([], [], color=TRUTH_COLOR, linewidth=4.0, label="truth"),
        *(
            Line2D([], [], color=color, linewidth=1.6, label=f"lifted, {side}")
            for side, color in SIDE_COLORS.items()
        ),
        Line2D([], [], **ring, label="hidden by the body"),
    ]


def draw_keypoints(axes: Any, panel: PosePanel) -> None:
    """The 2D input, with a ring around every hidden joint."""
    draw_pose(axes, panel.pixels)
    hidden = panel.pixels[panel.hidden]
    axes.scatter(*hidden.T.tolist(), s=60, facecolors="none", edgecolors="black", linewidths=1.2, zorder=3)
    _set_limits(axes, panel.pixels)


def draw_rotated(axes: Any, panel: PosePanel, angle: float) -> None:
    """True and lifted pose, seen by the camera after it went around the person by an angle in degrees."""
    radians = math.radians(angle)
    projection = torch.tensor([[math.cos(radians), 0.0, math.sin(radians)], [0.0, 1.0, 0.0]])
    true, predicted = panel.true @ projection.T, panel.predicted @ projection.T
    draw_pose(axes, true, color=TRUTH_COLOR, width=4.0)
    draw_pose(axes, predicted, width=1.6)
    _set_limits(axes, torch.cat((true, predicted)), least=1.0)


def _set_limits(axes: Any, points: Tensor, least: float = 0.0) -> None:
    """Square limits around points, with a half width of at least ``least``; y points down as in images."""
    low, high = points.amin(0), points.amax(0)
    (x, y), radius = ((low + high) / 2).tolist(), max(0.56 * (high - low).max().item(), least)
    axes.set(xlim=(x - radius, x + radius), ylim=(y + radius, y - radius), xticks=[], yticks=[])
    axes.set_aspect("equal")

"""Charts of errors: columns, bone lengths over frames, and error by what is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from spgnet.figures.canvas import SERIES, SIDES, bare, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Columns:
    """One panel of clustered columns.

    Args:
        title: above the panel.
        groups: what stands along the axis.
        series: what stands side by side in each group.
        values: for each series and group, the values of the seeds.
    """

    title: str
    groups: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[tuple[float, ...], ...], ...]


def column_chart(panels: Sequence[Columns], label: str) -> Figure:
    """Clustered columns: the seeds' mean, its figure, and a bar from the lowest to the highest seed."""
    figure = new_figure(1.2 + 3.4 * len(panels), 3.4)
    all_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)
    for axes, panel in zip(all_axes[0], panels, strict=True):
        bare(axes)
        width = 0.8 / len(panel.series)
        for number, (name, groups) in enumerate(zip(panel.series, panel.values, strict=True)):
            places = [group + (number - (len(panel.series) - 1) / 2) * width for group in range(len(groups))]
            _columns(axes, places, groups, width, name, SERIES[number])
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
    means = [mean(seeds) for seeds in groups]
    reach = [
        [value - min(seeds) for value, seeds in zip(means, groups, strict=True)],
        [max(seeds) - value for value, seeds in zip(means, groups, strict=True)],
    ]
    bar = {"elinewidth": 1, "capsize": 2.5, "capthick": 1}
    axes.bar(places, means, width * 0.92, yerr=reach, label=name, color=color, error_kw=bar)
    for place, value, top in zip(places, means, reach[1], strict=True):
        axes.annotate(
            f"{value:.1f}", (place, value + top), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )


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
    bare(axes)
    columns = list(zip(*lengths, strict=True))
    top = 1.05 * max(map(max, columns))
    ends = _spread([column[-1] for column in columns], gap=top / 28)
    for name, column, end in zip(names, columns, ends, strict=True):
        color = SIDES.get(name.split("_")[0], SIDES["middle"])
        axes.plot(range(len(frames)), column, color=color, marker="o", markersize=3, linewidth=1.3)
        _name_end(axes, name.replace("_", " "), (len(frames) - 1.0, column[-1]), end, color)
    axes.set_xticks(range(len(frames)), [str(frame) for frame in frames])
    axes.set(xlabel="frame", ylabel="bone length [m]", xlim=(-0.2, len(frames) - 0.9), ylim=(0, top))
    axes.set_title(title, fontsize=10)
    return figure


def _name_end(axes: Any, name: str, end: tuple[float, float], height: float, color: str) -> None:
    """Write a line's name to the right of the axes at a height, and lead from the line's end to it."""
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


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """The places moved apart to at least ``gap``, in their order, by the least squared distance in all.

    Neighbours that are too close form a block of equal gaps, which lies where its members are on average;
    blocks that come too close are joined.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    blocks: list[list[float]] = []
    for rank, number in enumerate(order):
        blocks.append([places[number] - rank * gap])
        while len(blocks) > 1 and mean(blocks[-2]) > mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    level = [mean(block) for block in blocks for _ in block]
    return [level[order.index(number)] + order.index(number) * gap for number in range(len(places))]


def hidden_chart(
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
    bare(axes)
    counts = sorted(shares)
    values = [[seed[count] for seed in errors] for count in counts]
    low, high = [min(seeds) for seeds in values], [max(seeds) for seeds in values]
    axes.fill_between(
        counts, low, high, color=SERIES[0], alpha=0.25, linewidth=0, label="lowest to highest seed"
    )
    axes.plot(
        counts, [mean(seeds) for seeds in values], color=SERIES[0], marker="o", label="mean of the seeds"
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

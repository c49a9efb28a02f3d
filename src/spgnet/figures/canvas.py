"""What all figures share: a canvas without a window, colours, and writing a figure to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spgnet.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb")
"""Colours that people who see colours differently can tell apart (Paul Tol's "bright")."""
SIDES = {"left": "#d95f02", "right": "#1b7fb8", "middle": "#4d4d4d"}
"""Colours of the body's left, right and middle."""
TRUTH = "#b8b8b8"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, which belongs to no window.

    Raises:
        ValueError: matplotlib is missing; the message names the extra.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("figures need matplotlib; install it with: pip install 'spgnet[figures]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def bare(axes: Any) -> None:
    """Leave only the axes that carry a scale, with a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as an image (of the kind that the path ends in)."""
    with whole_file(path, ending=path.suffix) as temporary:
        figure.savefig(temporary, dpi=150)

"""The figures of a reproduction, each drawn from its results alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.charts import (
    Columns,
    Panel,
    bone_length_chart,
    column_chart,
    hidden_chart,
    panel_figure,
    save_figure,
)
from spgnet.reproduction.methods import METHODS
from spgnet.reproduction.tables import scores, two_d

if TYPE_CHECKING:
    from matplotlib.figure import Figure


GROUPS = {
    "pavllo": "Baseline",
    "kinematic": "Baseline*",
    **{f"spgnet-{frames}": f"J = {frames}" for frames in (27, 81, 243)},
}
"""What methods are called in the paper's Figure 4."""
PROTOCOLS = {"mpjpe": "Protocol 1 (MPJPE)", "p_mpjpe": "Protocol 2 (P-MPJPE)"}


def draw(result: dict[str, Any], stem: Path) -> list[Path]:
    """Draw what a result is a figure of; the files that were written, none for a table."""
    files = []
    for name, figure in figures(result).items():
        path = stem.with_name(f"{stem.name}{name}.png")
        save_figure(figure, path)
        files.append(path)
    return files


def picture_endings(result: dict[str, Any]) -> tuple[str, ...]:
    """What is added to a result's name in the names of its pictures; none for a table."""
    if "hidden" in result:
        return ("", "-hidden")
    return ("",) if result["artefact"].startswith("figure") else ()


def figures(result: dict[str, Any]) -> dict[str, Figure]:
    """The figures of a result by what is added to the name of its files."""
    if "bones" in result:
        bones = result["bones"]
        title = f"SPGNet, {bones['subject']}, {bones['clip']}"
        return {"": bone_length_chart(bones["names"], bones["predicted"], bones["frames"], title)}
    if "hidden" in result:
        return _hidden(result["hidden"])
    if result["artefact"].startswith("figure4"):
        return {"": _columns(result)}
    return {}


def _columns(result: dict[str, Any]) -> Figure:
    about = ARTEFACTS[result["artefact"]]
    groups = tuple(GROUPS.get(key, METHODS[key].name) for key in about.methods)
    panels = [
        Columns(
            title=f"2D: {two_d(result, seen)}",
            groups=groups,
            series=tuple(PROTOCOLS.values()),
            values=tuple(
                tuple(tuple(scores(result, key, seen, metric)) for key in about.methods)
                for metric in PROTOCOLS
            ),
        )
        for seen in about.seen
    ]
    return column_chart(panels, "error [mm]")


def _hidden(hidden: dict[str, Any]) -> dict[str, Figure]:
    panels = [
        Panel(
            title=f"{panel['action']}\n{sum(panel['hidden'])} hidden, {panel['error']:.0f} mm",
            **{key: torch.tensor(panel[key]) for key in ("pixels", "predicted", "true", "hidden")},
            error=panel["error"],
        )
        for panel in hidden["panels"]
    ]
    seeds, shares = (
        [{int(count): value for count, value in each.items()} for each in rows]
        for rows in (hidden["mpjpe"], [hidden["shares"]])
    )
    title = f"SPGNet, {hidden['frames']} frames of the test split"
    chart = hidden_chart(seeds, shares[0], "MPJPE (P1) [mm]", title)
    return {"": panel_figure(panels), "-hidden": chart}

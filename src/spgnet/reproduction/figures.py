"""The figures of a reproduction, drawn from its results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.charts import (
    ColumnPanel,
    CurvePanel,
    PosePanel,
    bone_length_chart,
    column_chart,
    curve_chart,
    occlusion_chart,
    pose_panel_figure,
    save_figure,
)
from spgnet.reproduction.methods import METHODS
from spgnet.reproduction.tables import CURVES, input_label, method_label, seed_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


GROUPS = {
    "pavllo": "Baseline",
    "kinematic": "Baseline*",
    **{f"spgnet-{frames}": f"J = {frames}" for frames in (27, 81, 243)},
}
"""The names of methods in the paper's Figure 4."""
PROTOCOLS = {"mpjpe": "Protocol 1 (MPJPE)", "p_mpjpe": "Protocol 2 (P-MPJPE)"}


def draw_figures(result: dict[str, Any], stem: Path) -> list[Path]:
    """Draw the pictures of a result; return the files that were written, none for a table."""
    files = []
    for suffix, figure in figures(result).items():
        path = stem.with_name(f"{stem.name}{suffix}.png")
        save_figure(figure, path)
        files.append(path)
    return files


def figures(result: dict[str, Any]) -> dict[str, Figure]:
    """The figures of a result by what is added to the name of its files (``Artefact.pictures``)."""
    curves = {CURVES: _curves(result)} if any(run.get("curve") for run in result["runs"]) else {}
    return _own_figures(result) | curves


def _own_figures(result: dict[str, Any]) -> dict[str, Figure]:
    """Those of the paper."""
    if "bones" in result:
        bones = result["bones"]
        title = f"SPGNet, {bones['subject']}, {bones['clip']}"
        return {"": bone_length_chart(bones["names"], bones["predicted"], bones["frames"], title)}
    if "hidden" in result:
        return _occlusion_figures(result["hidden"])
    if result["artefact"].startswith("figure4"):
        return {"": _columns(result)}
    return {}


def _columns(result: dict[str, Any]) -> Figure:
    artefact = ARTEFACTS[result["artefact"]]
    groups = tuple(GROUPS.get(key, METHODS[key].name) for key in artefact.methods)
    panels = [
        ColumnPanel(
            title=f"2D: {input_label(result, input_2d)}",
            groups=groups,
            series=tuple(PROTOCOLS.values()),
            values=tuple(
                tuple(tuple(seed_scores(result, key, input_2d, metric)) for key in artefact.methods)
                for metric in PROTOCOLS
            ),
        )
        for input_2d in artefact.inputs
        if any(run["seen"] == input_2d for run in result["runs"])
    ]
    return column_chart(panels, "error [mm]")


def _curves(result: dict[str, Any]) -> Figure:
    """Validation error during training, a panel for each kind of input."""
    panels = []
    for input_2d in ARTEFACTS[result["artefact"]].inputs:
        curves: dict[str, list[list[tuple[int, float]]]] = {}
        for run in result["runs"]:
            if run["seen"] == input_2d and run.get("curve"):
                curve = [(step, error) for step, error in run["curve"]]  # lists in a JSON file
                curves.setdefault(method_label(run["method"]), []).append(curve)
        if curves:
            panels.append(CurvePanel(f"2D: {input_label(result, input_2d)}", curves))
    return curve_chart(panels, "steps", "validation MPJPE [mm]")


def _occlusion_figures(hidden: dict[str, Any]) -> dict[str, Figure]:
    panels = [
        PosePanel(
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
    chart = occlusion_chart(seeds, shares[0], "MPJPE (P1) [mm]", title)
    return {"": pose_panel_figure(panels), "-hidden": chart}

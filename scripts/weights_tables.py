"""Print the tables of ``docs/weights.md`` from the manifest of the package's weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # the headings are theirs

from generalisation import COLUMNS
from two_cameras import HEADINGS

from spgnet.evaluation import markdown_table, metric_headings
from spgnet.lifting.weights import load_weights, read_manifest


def main() -> None:
    print("\n\n".join(tables(read_manifest())))


def tables(weights: dict[str, Any]) -> list[str]:
    """Real video, two cameras and other people."""
    return [real_video(weights), two_cameras(weights), other_people(weights)]


def real_video(weights: dict[str, Any]) -> str:
    """Every clip with whole-clip lifting, and P-MPJPE with constant bones, few detections, and live."""
    rows = []
    for name, entry in weights.items():
        modes, model = entry["real_video"], load_weights(name)[0]
        for clip, plain in modes["plain"].items():
            columns = ("P-MPJPE [mm]", "MPJPE [mm]", "Trajectory [%]", "Bone deviation [mm]")
            others = [modes[mode][clip]["P-MPJPE [mm]"] for mode in ("rigid", "every 4", "live")]
            values = [f"{value:.1f}" for value in [*(plain[column] for column in columns), *others]]
            rows.append([f"`{name}`", str(model.context[1]), clip, *values])
    headings = ["P-MPJPE [mm]", "MPJPE [mm]", "trajectory [%]", "bone deviation [mm]"]
    headings += [f"P-MPJPE, `{mode}` [mm]" for mode in ("--constant-bones", "--every 4", "--live")]
    return markdown_table(["weights", "frames ahead", "clip", *headings], rows, text=(0, 1, 2))


def two_cameras(weights: dict[str, Any]) -> str:
    """Two cameras of one capture, against each other and against triangulated joints."""
    rows = [
        [f"`{name}`", *(f"{entry['two_cameras'][heading]:.1f}" for heading in HEADINGS)]
        for name, entry in weights.items()
    ]
    return markdown_table(["weights", *HEADINGS], rows, text=(0,))


def other_people(weights: dict[str, Any]) -> str:
    """Bandai-Namco's motion."""
    headings = metric_headings(COLUMNS)
    rows = [
        [f"`{name}`", kind, *(f"{values[heading]:.1f}" for heading in headings)]
        for name, entry in weights.items()
        for kind, values in entry["generalisation"].items()
    ]
    return markdown_table(["weights", "2D input", *headings], rows, text=(0, 1))


if __name__ == "__main__":
    main()

"""Print the tables of ``docs/weights.md`` from the manifest of the package's weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # the headings are theirs

from generalisation import COLUMNS
from two_cameras import HEADINGS

from spgnet.evaluation import markdown_table, metric_headings
from spgnet.lifting.weights import load_weights
from spgnet.training.weights import read_manifest


def main() -> None:
    print("\n\n".join(tables(read_manifest())))


def tables(weights: dict[str, Any]) -> list[str]:
    """Real video, two cameras and other people."""
    return [real_video(weights), two_cameras(weights), other_people(weights)]


def real_video(weights: dict[str, Any]) -> str:
    """Every clip: the network alone, refined, refined with few detections, and live."""
    columns = ("P-MPJPE [mm]", "MPJPE [mm]", "Trajectory [%]", "Bone deviation [mm]", "Re-projection [px]")
    rows = []
    for name, entry in weights.items():
        modes, model = entry["real_video"], load_weights(name)[0]
        for clip, refined in modes["refined"].items():
            errors = [modes[mode][clip]["P-MPJPE [mm]"] for mode in ("network", "every 4", "live")]
            values = [errors[0], *(refined[column] for column in columns), *errors[1:]]
            rows.append([f"`{name}`", str(model.context[1]), clip, *(f"{value:.1f}" for value in values)])
    headings = ["P-MPJPE, `--no-refine` [mm]", *columns]
    headings += [f"P-MPJPE, `{mode}` [mm]" for mode in ("--every 4", "--live")]
    return markdown_table(["weights", "frames ahead", "clip", *headings], rows, text=(0, 1, 2))


def two_cameras(weights: dict[str, Any]) -> str:
    """Two cameras of one capture, against each other and against triangulated joints."""
    rows = [
        [f"`{name}`", way, *(f"{values[heading]:.1f}" for heading in HEADINGS)]
        for name, entry in weights.items()
        for way, values in entry["two_cameras"].items()
    ]
    return markdown_table(["weights", "lifting", *HEADINGS], rows, text=(0, 1))


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

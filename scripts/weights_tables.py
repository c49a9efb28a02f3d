"""Write the tables of ``docs/weights.md`` and the package's rows in the README from the manifest."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # the headings are theirs

from generalisation import COLUMNS
from two_cameras import HEADINGS

from spgnet.evaluation import markdown_table, metric_headings
from spgnet.lifting.weights import load_weights
from spgnet.training.weights import read_manifest

ROOT = Path(__file__).parents[1]


def main() -> None:
    manifest = read_manifest()
    page = (ROOT / "docs/weights.md").read_text()
    for name, table in tables(manifest).items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = page.split(start)
        page = f"{before}{start}{table}\n{end}{rest.split(end)[1]}"
    (ROOT / "docs/weights.md").write_text(page)
    readme = (ROOT / "README.md").read_text()
    for row in readme_rows(manifest):
        readme = re.sub(re.escape(row.split(" |")[0]) + r" \|( [\d.]+ \|){4}", row, readme)
    (ROOT / "README.md").write_text(readme)


def tables(weights: dict[str, Any]) -> dict[str, str]:
    """The tables by their names in the page: real video, two cameras, other people, kinds of movement."""
    makers = {"real": real_video, "cameras": two_cameras, "people": other_people, "movements": movements}
    return {name: make(weights) for name, make in makers.items()}


def readme_rows(weights: dict[str, Any]) -> list[str]:
    """The beginnings of the README's rows: P-MPJPE and MPJPE of ``default`` on both real clips."""
    rows = []
    for way in ("refined", "network"):
        clips = weights["default"]["real_video"][way]
        metrics = ("P-MPJPE [mm]", "MPJPE [mm]")
        values = [clips[clip][metric] for clip in ("squat", "walk") for metric in metrics]
        rows.append(f"| spgnet, {way} | {' | '.join(f'{value:.1f}' for value in values)} |")
    return rows


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


def movements(weights: dict[str, Any]) -> str:
    """Simulated video by kind of movement, of people who were not trained on, and with rolled cameras."""
    rows = []
    for table, kinds in weights["default"]["movements"].items():
        for kind in kinds:
            errors = [entry["movements"][table][kind].values() for entry in weights.values()]
            rows.append([f"{table}, {kind}", *(f"{value:.1f}" for both in errors for value in both)])
    headings = [f"`{name}`, {protocol} [mm]" for name in weights for protocol in ("P1", "P2")]
    return markdown_table(["simulated video of", *headings], rows, text=(0,))


if __name__ == "__main__":
    main()

"""Write the results page, docs/results.md, and what it is made from.

python scripts/results_page.py runs/reproduce     # takes over the results of spgnet reproduce
python scripts/results_page.py                    # writes the page anew from docs/results.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from spgnet.files import read_json, write_text
from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.figures import draw
from spgnet.reproduction.page import results_page

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True)
class Options:
    """What to write the page from."""

    runs: tyro.conf.Positional[Path | None] = None
    """Folder that spgnet reproduce wrote its results to."""
    kind: str = "captured-small"
    """Which of them: the data and the size of the networks, as the files are named."""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if options.runs is not None:
        take_over(options.runs, options.kind)
    results = read_json(DOCS / "results.json")
    for result in results:
        draw(result, DOCS / "results" / result["artefact"])
    write_text(DOCS / "results.md", results_page(results))


def take_over(runs: Path, kind: str) -> None:
    files = [runs / f"{name}-{kind}.json" for name in ARTEFACTS]
    found: list[dict[str, Any]] = [read_json(file) for file in files if file.exists()]
    for result in found:
        for run in result["runs"]:
            run["evaluation"] = shown_metrics(run["evaluation"])
    lines = ",\n".join(json.dumps(rounded(result)) for result in found)
    (DOCS / "results").mkdir(exist_ok=True)
    write_text(DOCS / "results.json", f"[\n{lines}\n]\n")


def shown_metrics(evaluation: dict[str, Any]) -> dict[str, Any]:
    """An evaluation with the metrics that tables show."""
    shown = {metric for about in ARTEFACTS.values() for metric in about.metrics}

    def kept(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in shown}

    actions = {action: kept(values) for action, values in evaluation["actions"].items()}
    means = {name: kept(evaluation[name]) for name in ("mean_over_actions", "mean_over_frames")}
    return {"actions": actions, **means, "frames": evaluation["frames"]}


def rounded(value: Any) -> Any:
    """The same with five digits behind the point."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 5) if isinstance(value, float) else value


if __name__ == "__main__":
    main()

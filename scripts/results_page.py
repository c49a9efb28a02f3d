"""Write the results page, docs/results.md, the model cards, docs/model_cards.md, and what they are made from.

python scripts/results_page.py runs/reproduce     # first copies the results of spgnet reproduce
python scripts/results_page.py runs/full --kind captured-full    # those of scripts/full_size.sh
python scripts/results_page.py                    # writes the page from docs/results.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from spgnet.files import read_json, write_text
from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.cards import model_cards
from spgnet.reproduction.figures import draw_figures
from spgnet.reproduction.tables import picture_stem, results_page

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True)
class Options:
    """Where the results are."""

    runs: tyro.conf.Positional[Path | None] = None
    """Folder that spgnet reproduce wrote its results to."""
    kind: str = "captured-small"
    """Which of the results: data and size of the networks, as in the names of the files."""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if options.runs is not None:
        copy_results(options.runs, options.kind)
    results = read_json(DOCS / "results.json")
    for result in results:
        draw_figures(result, DOCS / "results" / picture_stem(result))
    write_text(DOCS / "results.md", results_page(results))
    write_text(DOCS / "model_cards.md", model_cards(results))


def copy_results(runs: Path, kind: str) -> None:
    """Add the results of ``spgnet reproduce`` to docs/results.json; see :func:`add_results`."""
    files = [runs / f"{name}-{kind}.json" for name in ARTEFACTS]
    found: list[dict[str, Any]] = [read_json(file) for file in files if file.exists()]
    for result in found:
        for run in result["runs"]:
            run["evaluation"] = select_metrics(run["evaluation"])
    known: list[dict[str, Any]] = read_json(DOCS / "results.json") if (DOCS / "results.json").exists() else []
    lines = ",\n".join(json.dumps(round_floats(result)) for result in add_results(known, found))
    (DOCS / "results").mkdir(exist_ok=True)
    write_text(DOCS / "results.json", f"[\n{lines}\n]\n")


def add_results(known: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Known results and those found, which replace the known runs with the same 2D input, and no others.

    So the inputs of a table can be run on different machines. All runs with one input come from one machine:
    paired tests need the errors by clip, which are not kept here.
    """

    def kind(result: dict[str, Any]) -> tuple[str, str, str]:
        return result["artefact"], result["motion"], result["size"]

    merged = {kind(result): result for result in known}
    for result in found:
        before = merged.get(kind(result), {})
        renewed = {run["seen"] for run in result["runs"]}
        parts: dict[str, Any] = {
            part: [each for each in before.get(part, []) if each["seen"] not in renewed] + result[part]
            for part in ("runs", "tests")
            if part in result
        }
        planned = {
            input_2d: count
            for input_2d, count in (before.get("planned", {}) | result["planned"]).items()
            if input_2d in {run["seen"] for run in parts["runs"]}
        }
        merged[kind(result)] = result | parts | {"planned": planned}
    return list(merged.values())


def select_metrics(evaluation: dict[str, Any]) -> dict[str, Any]:
    """An evaluation reduced to the metrics that tables show."""
    shown = {metric for artefact in ARTEFACTS.values() for metric in artefact.metrics}

    def select(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in shown}

    actions = {action: select(values) for action, values in evaluation["actions"].items()}
    means = {name: select(evaluation[name]) for name in ("mean_over_actions", "mean_over_frames")}
    return {"actions": actions, **means, "frames": evaluation["frames"]}


def round_floats(value: Any) -> Any:
    """A JSON value with its numbers rounded to five decimal places."""
    if isinstance(value, dict):
        return {key: round_floats(each) for key, each in value.items()}
    if isinstance(value, list):
        return [round_floats(each) for each in value]
    return round(value, 5) if isinstance(value, float) else value


if __name__ == "__main__":
    main()

"""The page of results, and how results of several machines come together on it."""

import copy
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from spgnet.reproduction.tables import picture_stem, results_page
from spgnet.reproduction.tables import test_table as table_of_tests

ROOT = Path(__file__).parents[2]
RESULTS: list[dict[str, Any]] = json.loads((ROOT / "docs/results.json").read_text())


def recorded(artefact: str, size: str) -> dict[str, Any]:
    (result,) = (each for each in RESULTS if (each["artefact"], each["size"]) == (artefact, size))
    return copy.deepcopy(result)


@pytest.fixture
def add_results(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("results_page").add_results


def with_input(result: dict[str, Any], input_2d: str, commit: str) -> dict[str, Any]:
    """The part of a result with one 2D input, as another commit would have it."""
    parts = {part: [each for each in result[part] if each["seen"] == input_2d] for part in ("runs", "tests")}
    runs = [run | {"commit": commit} for run in parts["runs"]]
    return result | parts | {"runs": runs, "planned": {input_2d: result["planned"][input_2d]}}


def test_a_result_on_human36m_stands_beside_that_on_open_data_and_not_in_its_place():
    ours = recorded("table1", "small")
    human36m = recorded("table1", "small") | {"motion": "human36m", "size": "paper"}
    page = results_page([ours, human36m])
    assert "here, captured motion [mm]" in page
    assert "here, Human3.6M [mm]" in page.partition("\n# Human3.6M\n")[2]
    assert "None of our numbers is of Human3.6M" not in page
    assert "None of our numbers is of Human3.6M" in results_page([ours])
    assert picture_stem(ours) != picture_stem(human36m)


def test_runs_of_one_input_replace_those_of_the_same_input_alone(add_results):
    known = recorded("figure4a", "full")
    found = with_input(known, "detected", "new")
    (merged,) = add_results([known], [found])
    assert len(merged["runs"]) == len(known["runs"])
    assert {run["commit"] for run in merged["runs"] if run["seen"] == "detected"} == {"new"}
    assert "new" not in {run["commit"] for run in merged["runs"] if run["seen"] == "exact"}
    assert len(merged["tests"]) == len(known["tests"])
    assert merged["planned"] == known["planned"]


def test_results_of_other_sizes_and_tables_stay_as_they_are(add_results):
    known = [recorded("figure4a", "small"), recorded("forms", "full"), recorded("figure4a", "full")]
    merged = add_results(known, [with_input(known[2], "exact", "new")])
    assert merged[:2] == known[:2]
    assert add_results([], known[1:]) == known[1:]


@pytest.mark.parametrize(("p_seeds", "reason"), [(None, "too few seeds"), (0.2, "too few clips")])
def test_a_test_that_cannot_judge_says_what_is_too_few(p_seeds, reason):
    result = recorded("figure4a", "full")
    test = result["tests"][0] | {"p_clips": None, "p_seeds": p_seeds, "significant": None}
    assert reason in table_of_tests(result | {"tests": [test]})

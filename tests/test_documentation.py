"""The documentation's results are those of the recorded runs, and its links lead somewhere."""

import importlib
import json
import re
from pathlib import Path

import pytest

from spgnet.benchmark import METHODS, BenchmarkConfig, results_table
from spgnet.lifting.weights import manifest
from spgnet.recipes import GUIDED, GUIDED_WITH_DROPOUT, RECIPES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_benchmark_s_tables_are_those_of_the_recorded_runs():
    recorded = json.loads((ROOT / "docs/open_benchmark.json").read_text())
    config = BenchmarkConfig()
    assert recorded["motion"] == "captured"
    assert len(recorded["runs"]) == len(METHODS) * len(config.inputs) * config.seeds
    table = results_table(recorded["runs"])
    assert table in (ROOT / "README.md").read_text()
    assert table in (ROOT / "docs/open_benchmark.md").read_text()


def test_the_accuracy_on_real_video_is_that_of_the_manifest():
    readme = (ROOT / "README.md").read_text()
    for clip, values in manifest()["default"]["real_video"]["plain"].items():
        shown = [f"{values[f'{metric} [mm]']:.1f}" for metric in ("P-MPJPE", "MPJPE")]
        assert f"| {clip} | spgnet | {shown[0]} | {shown[1]} |" in readme


def test_the_tables_of_the_weights_are_those_of_the_manifest(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tables = importlib.import_module("weights_tables").tables(manifest())
    assert len(tables) == 3
    page = (ROOT / "docs/weights.md").read_text()
    assert all(table in page for table in tables)


def test_the_documented_loss_weights_are_the_defaults():
    text = f"kinematic {GUIDED.kinematic:g}, re-projection {GUIDED.reprojection:g}; "
    text += f"with dropout kinematic {GUIDED_WITH_DROPOUT.kinematic:g}"
    assert text in (ROOT / "docs/paper.md").read_text()


def test_the_ablation_s_table_is_that_of_the_recorded_runs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    ablation = importlib.import_module("wild_ablation")
    rows = json.loads((ROOT / "docs/wild_ablation.json").read_text())
    assert {row["variant"] for row in rows} == set(ablation.variants(RECIPES["wild"]))
    assert ablation.table(rows) in (ROOT / "docs/weights.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_and_sections_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text().replace("\n", " ")):
        if target.startswith("http"):
            continue
        file, _, section = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.exists(), f"{page.name}: {target}"
        if section:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), flags=re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert section in anchors, f"{page.name}: {target}"

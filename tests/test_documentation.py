"""The documentation's results are those of the recorded runs, and its links lead somewhere."""

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

from spgnet.cli.commands import parse
from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.cards import model_cards
from spgnet.reproduction.methods import NOT_RUN
from spgnet.reproduction.tables import picture_stem, picture_suffixes, results_page
from spgnet.training.recipes import RECIPES, SPGNET_LOSS, SPGNET_LOSS_WITH_DROPOUT
from spgnet.training.weights import read_manifest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


RESULTS = ROOT / "docs/results.json"
OWN = {"frames", "forms", "why", "arms", "search"}
"""What is not of the paper, and only at full size."""


def test_the_results_page_is_made_of_the_recorded_results():
    results = json.loads(RESULTS.read_text())
    assert (ROOT / "docs/results.md").read_text() == results_page(results)
    for result in results:
        assert result["motion"] == "captured"
        for ending in picture_suffixes(result):
            assert (ROOT / f"docs/results/{picture_stem(result)}{ending}.png").exists()


def test_the_model_cards_are_those_of_the_recipes_and_the_recorded_results():
    assert (ROOT / "docs/model_cards.md").read_text() == model_cards(json.loads(RESULTS.read_text()))


def test_every_recorded_figure_has_its_command_commit_and_three_seeds():
    results = [result for result in json.loads(RESULTS.read_text()) if result["size"] == "small"]
    assert {result["artefact"] for result in results} == set(ARTEFACTS) - OWN
    for result in results:
        artefact = ARTEFACTS[result["artefact"]]
        runs = {(run["method"], run["seen"], run["seed"]) for run in result["runs"]}
        assert runs == {
            (method, input_2d, seed)
            for method in artefact.methods
            for input_2d in artefact.inputs
            for seed in range(3)
        }
        for run in result["runs"]:
            assert run["command"][:2] == ["spgnet", "reproduce"]
            assert re.fullmatch(r"[0-9a-f]{12}", run["commit"])  # a commit, and nothing changed since


def test_every_figure_of_the_full_size_is_of_version_2_and_has_its_command_commit_and_seed():
    for result in json.loads(RESULTS.read_text()):
        if result["size"] != "full":
            continue
        assert result["benchmark"] == 2
        assert sum(result["planned"].values()) >= len([run for run in result["runs"] if "curve" in run]) > 0
        for run in result["runs"]:
            assert run["command"][:2] == ["spgnet", "reproduce"]
            assert re.fullmatch(r"[0-9a-f]{12}", run["commit"])
            if "curve" in run:  # by steps: seconds are the machine's, 16 minutes of a core or more
                assert run["curve"][-1][0] >= 30_000


def test_the_reasons_for_quoting_are_those_that_the_tables_print():
    page = (ROOT / "docs/reproduce.md").read_text()
    for column, reason in NOT_RUN.items():
        assert f"| {column} | {reason} |" in page


def test_the_example_of_one_s_own_data_works(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "docs/datasets.md").read_text().partition("A worked example")[2]
    example = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert example
    exec(compile(example[1], "docs/datasets.md", "exec"), {})
    code, output = command("data", "check", "my_data")
    assert code is None
    assert "no errors" in output
    options = ("--data.takes", "my_data", "--data.input", "detected", "--data.detector", "rtmpose")
    quick = ("--epochs", "1", "--steps-per-epoch", "2", "--channels", "8", "--trajectory-channels", "4")
    assert command("train", "demo", *options, *quick, "--out", "runs/mine")[0] is None
    code, output = command("evaluate", "runs/mine")
    assert code is None
    assert "turning" in output


def test_the_accuracy_of_the_weights_is_that_of_the_manifest(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("weights_tables")
    page = (ROOT / "docs/weights.md").read_text()
    assert all(table in page for table in script.tables(read_manifest()).values())
    readme = (ROOT / "README.md").read_text()
    assert all(row in readme for row in script.readme_rows(read_manifest()))


def test_the_documented_loss_weights_are_the_defaults():
    text = f"kinematic {SPGNET_LOSS.kinematic:g}, re-projection {SPGNET_LOSS.reprojection:g}; "
    text += f"with dropout kinematic {SPGNET_LOSS_WITH_DROPOUT.kinematic:g}"
    assert text in (ROOT / "docs/paper.md").read_text()


@pytest.mark.parametrize("recorded", ["randomization_ablation", "randomization_ablation_now"])
def test_the_ablation_s_table_is_that_of_the_recorded_runs(monkeypatch, recorded):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    ablation = importlib.import_module("randomization_ablation")
    rows = json.loads((ROOT / f"docs/{recorded}.json").read_text())
    now = recorded.endswith("now")
    variants = (
        ablation.variants_now(RECIPES["randomized"])
        if now
        else ablation.variants(ablation.first_generation())
    )
    assert {row["variant"] for row in rows} == set(variants)
    assert ablation.table(rows) in (ROOT / "docs/research/weights.md").read_text()


def test_the_transformer_s_table_is_that_of_the_recorded_runs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    comparison = importlib.import_module("transformer")
    rows = json.loads((ROOT / "docs/transformer.json").read_text())
    assert {row["method"] for row in rows} == set(
        comparison.methods(comparison.Comparison(Path(), ablation=True))
    )
    assert {row["seed"] for row in rows} == {0, 1, 2}
    assert all(re.fullmatch(r"[0-9a-f]{12}", row["commit"]) for row in rows)
    assert comparison.table(rows) in (ROOT / "docs/open_benchmark.md").read_text()


def test_the_table_of_opened_exports_is_that_of_the_recorded_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    checks = json.loads((ROOT / "docs/export_oracles.json").read_text())
    assert all(check["least"] <= check["value"] <= check["most"] for check in checks)
    assert importlib.import_module("export_table").table(checks) in (ROOT / "docs/export.md").read_text()


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


def commands_in(page: Path) -> list[list[str]]:
    """The arguments of every ``spgnet`` command line of a page."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("spgnet ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood_as_they_are_written(page):
    for arguments in commands_in(page):
        if "--help" not in arguments and "…" not in arguments:
            parse(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_the_documentation_names_are_there(page):
    named = set(re.findall(r"`((?:src|tests|benchmarks|scripts|examples)/[\w/.-]+\.\w+)`", page.read_text()))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []

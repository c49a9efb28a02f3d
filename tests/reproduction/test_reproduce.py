"""``spgnet reproduce``: every table and figure, end to end, at a miniature size."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

from spgnet.data import sources
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.reproduction.artefacts import ARTEFACTS, ArtefactName
from spgnet.reproduction.figures import figures
from spgnet.reproduction.gradients import GRADIENTS
from spgnet.training.runs import read_config, read_log

QUICK = ("--epochs", "2", "--steps-per-epoch", "2", "--seeds", "2")


@pytest.fixture(autouse=True)
def little_motion(monkeypatch):
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 3, "validation": 1, "test": 4})


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Where the runs of most tests go, so that tables share them as a user's do."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def reproduce(spgnet, out) -> Callable[[str], tuple[dict[str, Any], str]]:
    """Reproduce a table or figure on generated motion: its results, and what was printed."""

    def run(name: str) -> tuple[dict[str, Any], str]:
        code, output = spgnet("reproduce", name, "--data", "open", "--out", str(out), *QUICK)
        assert code is None
        return json.loads((out / f"{name}-generated-small.json").read_text()), output

    return run


OWN = ("frames", "forms", "why", "arms", "search")
"""What is not of the paper and meant for the full size."""


@pytest.mark.parametrize("name", [name for name in get_args(ArtefactName) if name not in OWN])
def test_every_table_and_figure_runs_on_open_data_and_says_how_it_was_made(reproduce, out, name):
    made, output = reproduce(name)
    artefact = ARTEFACTS[name]
    runs = {(run["method"], run["seen"], run["seed"]) for run in made["runs"]}
    assert runs == {(m, s, n) for m in artefact.methods for s in artefact.inputs for n in range(2)}
    for run in made["runs"]:
        assert run["command"][1] == "reproduce"
        assert {"commit", "seconds", "evaluation"} <= run.keys()
    assert made["command"].startswith(f"spgnet reproduce {name} --data open")
    text = (out / f"{name}-generated-small.md").read_text()
    assert text.strip() in output.replace("\r", "")
    pictures = sorted(path.name for path in out.glob(f"{name}*.png"))
    expected = [] if name.startswith(("table", "semi")) else [f"{name}-generated-small.png"]
    expected += [f"{name}-generated-small-hidden.png"] if name == "figure6" else []
    assert pictures == sorted(expected)
    for picture in pictures:
        with Image.open(out / picture) as image:
            assert min(image.size) > 300


@pytest.mark.parametrize("name", ["figure4a", "forms"])
def test_at_full_size_differences_are_tested_in_pairs_and_curves_are_drawn(spgnet, name):
    quick = ("--epochs", "2", "--steps-per-epoch", "2", "--seeds", "3", "--input", "exact")
    code, _ = spgnet("reproduce", name, "--data", "open", "--size", "full", "--out", "out", *quick)
    assert code is None
    artefact = ARTEFACTS[name]
    made = json.loads(Path(f"out/{name}-generated-full.json").read_text())
    text = Path(f"out/{name}-generated-full.md").read_text()
    runs = {(run["method"], run["seed"]) for run in made["runs"]}
    assert runs == {(key, seed) for key in artefact.rows for seed in range(3)}
    assert sum(made["planned"].values()) == 3 * len(artefact.methods)
    tests = {(test["method"], test["reference"]) for test in made["tests"]}
    assert tests == set(artefact.comparisons)
    assert all(len(test["of_seeds"]) == 3 for test in made["tests"])
    assert "runs are done" not in text
    assert "signed-rank" in text
    assert ("cosine" in text) == bool(artefact.gradients)
    assert Path("out/generated-full/exact/spgnet-seed0", GRADIENTS).exists()  # for those that show them
    assert Path(f"out/{name}-generated-full-curves.png").exists()
    trained = [run for run in made["runs"] if "+guided" not in run["method"]]
    assert all(len(run["curve"]) == 2 for run in trained)
    evaluation = json.loads(Path("out/generated-full/exact/pavllo-seed0/evaluation.json").read_text())
    assert len(evaluation["clips"]) == 4


def test_a_report_is_of_the_runs_that_are_done_and_says_how_many_these_are(spgnet):
    command = ("reproduce", "figure4a", "--data", "open", "--size", "full", "--out", "out")
    quick = ("--epochs", "1", "--steps-per-epoch", "1")
    code, _ = spgnet(*command, *quick, "--report")
    assert "no run of figure4a is done" in str(code)
    assert spgnet(*command, *quick, "--seeds", "1", "--input", "exact")[0] is None
    weights = sorted(Path().rglob("last.safetensors"))
    code, output = spgnet(*command, *quick, "--report")
    assert code is None
    assert "3 of 18 runs are done" in output
    assert sorted(Path().rglob("last.safetensors")) == weights
    chart = figures(json.loads(Path("out/figure4a-generated-full.json").read_text()))[""]
    assert [axes.get_title() for axes in chart.axes] == ["2D: projected"]


def test_quick_is_the_size_that_was_called_small(spgnet):
    for size in ("quick", "small"):
        assert (
            spgnet("reproduce", "figure5", "--data", "open", "--size", size, "--out", size, *QUICK)[0] is None
        )
    quick, small = (
        json.loads(Path(f"{size}/figure5-generated-small.json").read_text()) for size in ("quick", "small")
    )
    assert quick["bones"] == small["bones"]


def test_tables_share_their_runs(spgnet):
    spgnet("reproduce", "table1", "--data", "open", *QUICK)
    weights = {path: path.stat().st_mtime_ns for path in Path().rglob("last.safetensors")}
    spgnet("reproduce", "table2", "--data", "open", *QUICK)
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    assert len(list(Path().rglob("last.safetensors"))) == len(weights) + 2  # Liu et al., two seeds


def test_our_rows_stand_beside_the_printed_ones_with_the_audit_s_marks(reproduce, out):
    runs = [run for run in reproduce("table1")[0]["runs"] if run["method"] == "spgnet"]
    lines = (out / "table1-generated-small.md").read_text().splitlines()
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:5]]
        for line in lines
        if "|" in line
    }
    errors = [run["evaluation"]["mean_over_actions"]["mpjpe"] for run in runs]
    measured = f"{sum(errors) / 2:.1f} ± {abs(errors[0] - errors[1]) / 2:.1f}"
    assert rows["SPGNet"] == ["45.3", measured, ""]
    assert rows["Yang [30]"][:2] == ["58.6 (57.96)", "–"]
    assert "images" in rows["Yang [30]"][2]
    assert all(rows[quoted][1] == "–" and rows[quoted][2] for quoted in ("Sun [22]", "Lee [13]", "Xu [28]"))


def test_figure_5_shows_seven_frames_of_sixteen_bones_of_one_walk(reproduce):
    bones = reproduce("figure5")[0]["bones"]
    assert bones["names"] == list(HUMAN36M.bone_names)
    assert len(bones["frames"]) == len(set(bones["frames"])) == 7
    assert [len(lengths) for lengths in bones["predicted"]] == [16] * 7
    assert "walk" in bones["clip"]
    true = list(zip(*bones["true"], strict=True))
    assert all(max(lengths) - min(lengths) < 1e-4 for lengths in true)  # generated bones are constant


def test_figure_6_counts_every_frame_once(reproduce):
    hidden = reproduce("figure6")[0]["hidden"]
    assert 0.8 < sum(hidden["shares"].values()) <= 1 + 1e-6
    assert len(hidden["panels"]) == 3
    counts = [sum(panel["hidden"]) for panel in hidden["panels"]]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_training_with_few_labels_sees_a_tenth_of_the_clips_and_the_others_as_2d(reproduce, out):
    reproduce("semi")
    runs = {name: out / f"generated-small/exact/{name}-seed0" for name in ("labels-10", "semi-10", "spgnet")}
    extra = {"loss/unlabelled_reprojection", "loss/unlabelled_bone_lengths"}
    for name, run in runs.items():
        assert read_config(run).data.labels == (1.0 if name == "spgnet" else 0.1)
        assert (extra <= read_log(run)[-1].keys()) == (name == "semi-10")
        assert not extra & read_log(run)[0].keys()  # the first epoch warms up


def refusal(code: object, printed: str) -> str:
    """Why a command was refused, in one line: by argument parsing (in a box) or later."""
    return " ".join(printed.replace("│", " ").split()) if code == 2 else str(code)


def test_without_human36m_it_says_where_to_get_it_and_what_else_there_is(spgnet, tmp_path):
    fault = refusal(*spgnet("reproduce", "table1"))
    assert "vision.imar.ro/human3.6m" in fault
    assert "--human36m FOLDER" in fault
    assert "--data open" in fault
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["table9"], "table9"),
        (["table1", "--data", "open", "--seeds", "0"], "seeds must be at least 1, got 0"),
        (["figure5", "--data", "open", "--input", "exact"], "figure5 has the 2D input detected alone"),
        (["table1", "--data", "open", "--human36m", "x"], "human36m is not for --data open"),
        (["table1", "--human36m", "nowhere"], "nowhere: no such file or folder"),
        (["table1", "--data", "open", "--motion", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_refused_with_its_fault_and_leaves_nothing(spgnet, tmp_path, arguments, fault):
    message = refusal(*spgnet("reproduce", *arguments))
    assert fault in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []

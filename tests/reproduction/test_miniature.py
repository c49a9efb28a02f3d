"""``spgnet reproduce`` and the commands around it on a miniature of Human3.6M in its real layouts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from datasets.human36m_files import make_motion, write_prepared
from spgnet.datasets.human36m_motion import ACTIONS
from spgnet.reproduction.artefacts import ArtefactName
from spgnet.reproduction.paper import paper_tables
from spgnet.reproduction.tables import results_page
from spgnet.training.runs import read_config, read_log

QUICK = ("--epochs", "1", "--steps-per-epoch", "2", "--seeds", "1")


@pytest.fixture(scope="module")
def human36m(tmp_path_factory) -> Path:
    """All subjects, actions, sequences and cameras, with CPN's detections, in VideoPose3D's archives."""
    folder = tmp_path_factory.mktemp("human36m")
    return write_prepared(folder, make_motion(frames=(8, 12)), ("cpn_ft_h36m_dbb",))


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Where all tests' runs go, so that tables share them as a user's do."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def reproduce(spgnet, human36m, out) -> Callable[[str], dict[str, Any]]:
    """Reproduce a table or figure on the miniature: its results."""

    def run(name: str) -> dict[str, Any]:
        code, _ = spgnet("reproduce", name, "--human36m", str(human36m), "--out", str(out), *QUICK)
        assert code is None
        return json.loads((out / f"{name}-human36m-paper.json").read_text())

    return run


@pytest.mark.parametrize(
    "name", [name for name in get_args(ArtefactName) if name not in ("frames", "why", "arms", "search")]
)
def test_every_table_and_figure_runs_on_human36m_s_own_files(reproduce, name):
    for run in reproduce(name)["runs"]:
        assert set(run["evaluation"]["actions"]) == set(ACTIONS)
        assert run["evaluation"]["mean_over_actions"]["mpjpe"] > 0


def test_the_printed_figures_stand_beside_ours_in_every_row(reproduce, out):
    runs = reproduce("table1")["runs"]
    lines = (out / "table1-human36m-paper.md").read_text().splitlines()
    rows = {line.split("|")[1].strip(): line.split("|")[2:] for line in lines if line.startswith("| ")}
    (table,) = (table for table in paper_tables() if table.name == "Table 1")
    (actions,) = (run["evaluation"]["actions"] for run in runs if run["method"] == "spgnet")
    for number, action in enumerate(ACTIONS):
        printed, ours = rows[action][3].split("/")
        assert float(printed) == table.column("Our")[number]
        assert ours.strip() == f"{actions[action]['mpjpe']:.1f}"


def test_the_json_to_send_back_says_of_every_run_what_it_was_made_from_and_where(reproduce):
    result = reproduce("table1")
    for run in result["runs"]:
        assert [len(sha256) for sha256 in run["data_sha256"].values()] == [64, 64]
        assert run["machine"]["accelerator"] == "cpu"
        assert run["command"][1:3] == ["reproduce", "table1"]
    assert "Human3.6M" in results_page([result])


def test_the_paper_s_protocol_is_what_is_trained_and_tested(reproduce, out):
    reproduce("table1")
    run = out / "human36m-paper/detected/spgnet-seed0"
    data = read_config(run).data
    assert (data.input, data.detector, data.labels) == ("detected", "cpn_ft_h36m_dbb", 1.0)
    assert "validation_mpjpe" not in read_log(run)[0]  # the test subjects choose nothing
    reproduce("table3")
    assert read_config(out / "human36m-paper/exact/spgnet-seed0").data.input == "projected"


def test_a_network_is_trained_evaluated_and_its_data_checked_by_hand(spgnet, human36m):
    code, output = spgnet("data", "check", str(human36m))
    assert code is None
    assert "no errors" in output
    assert "cpn_ft_h36m_dbb" in output
    takes = ("--data.takes", str(human36m), "--data.input", "detected")
    quick = ("--epochs", "1", "--steps-per-epoch", "2", "--channels", "8", "--trajectory-channels", "4")
    assert spgnet("train", "small-27", *takes, *quick, "--out", "run")[0] is None
    code, output = spgnet("evaluate", "run")
    assert code is None
    assert "WalkTogether" in output
    (written,) = Path("run").glob("evaluation-*.json")
    assert len(json.loads(written.read_text())["actions"]) == 15


def test_a_detector_that_is_not_there_is_named_beside_those_that_are(spgnet, human36m, tmp_path):
    takes = ("--data.takes", str(human36m), "--data.input", "detected", "--data.detector", "openpose")
    code, _ = spgnet("train", "small-27", *takes)
    assert "openpose" in str(code)
    assert "cpn_ft_h36m_dbb" in str(code)
    assert "\n" not in str(code)
    assert list(tmp_path.iterdir()) == []

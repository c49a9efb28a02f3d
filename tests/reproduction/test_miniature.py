"""``spgnet reproduce`` and the commands around it on a miniature of Human3.6M in its real layouts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from data.human36m_files import make_motion, write_prepared
from spgnet.models import AttentionConfig, MartinezConfig, SPGNetConfig, STGCNConfig
from spgnet.paper import paper_tables
from spgnet.reproduction import facts, methods
from spgnet.reproduction.artefacts import Name
from spgnet.reproduction.methods import METHODS
from spgnet.reproduction.tables import PRINTED_ACTIONS
from spgnet.runs import read_config

TINY = {
    SPGNetConfig: SPGNetConfig((3,), channels=8, trajectory_channels=4),
    MartinezConfig: MartinezConfig(8, 4),
    STGCNConfig: STGCNConfig(frames=1, channels=4, trajectory_channels=4),
    AttentionConfig: AttentionConfig(layers=2, channels=8, trajectory_channels=4, squeeze=4),
}
QUICK = ("--epochs", "1", "--steps-per-epoch", "2", "--seeds", "1", "--out", "out")


@pytest.fixture(scope="module")
def human36m(tmp_path_factory) -> Path:
    """All subjects, actions, sequences and cameras, with CPN's detections, in VideoPose3D's archives."""
    folder = tmp_path_factory.mktemp("human36m")
    return write_prepared(folder, make_motion(frames=(8, 12)), ("cpn_ft_h36m_dbb",))


@pytest.fixture
def spgnet(monkeypatch, tmp_path, command):
    """Run the command in an empty folder, with tiny networks at the paper's size."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(facts, "FEWEST", 3)
    for name, method in METHODS.items():
        paper = replace(method.paper, model=TINY[type(method.paper.model)], batch_size=64)
        monkeypatch.setitem(methods.METHODS, name, replace(method, paper=paper))
    return command


@pytest.mark.parametrize("name", get_args(Name))
def test_every_table_and_figure_runs_on_human36m_s_own_files(spgnet, human36m, name):
    code, _ = spgnet("reproduce", name, "--human36m", str(human36m), *QUICK)
    assert code is None
    made = json.loads(Path(f"out/{name}-human36m-paper.json").read_text())
    for run in made["runs"]:
        assert set(run["evaluation"]["actions"]) == set(PRINTED_ACTIONS)
        assert run["evaluation"]["mean_over_actions"]["mpjpe"] > 0


def test_the_printed_figures_stand_beside_ours_in_every_row(spgnet, human36m):
    spgnet("reproduce", "table1", "--human36m", str(human36m), *QUICK)
    lines = Path("out/table1-human36m-paper.md").read_text().splitlines()
    rows = {line.split("|")[1].strip(): line.split("|")[2:] for line in lines if line.startswith("| ")}
    (table,) = (table for table in paper_tables() if table.name == "Table 1")
    (run,) = (
        r
        for r in json.loads(Path("out/table1-human36m-paper.json").read_text())["runs"]
        if r["method"] == "spgnet"
    )
    for number, action in enumerate(PRINTED_ACTIONS):
        printed, ours = rows[action][3].split("/")
        assert float(printed) == table.column("Our")[number]
        assert ours.strip() == f"{run['evaluation']['actions'][action]['mpjpe']:.1f}"


def test_the_paper_s_protocol_is_what_is_trained_and_tested(spgnet, human36m):
    spgnet("reproduce", "table1", "--human36m", str(human36m), *QUICK)
    config = read_config(Path("out/human36m-paper/detected/spgnet-seed0"))
    assert (config.data.input, config.data.detector) == ("detected", "cpn_ft_h36m_dbb")
    log = json.loads(Path("out/human36m-paper/detected/spgnet-seed0/log.jsonl").read_text())
    assert "validation_mpjpe" not in log  # the test subjects choose nothing
    spgnet("reproduce", "table3", "--human36m", str(human36m), *QUICK)
    assert read_config(Path("out/human36m-paper/exact/spgnet-seed0")).data.input == "projected"


def test_a_network_is_trained_evaluated_and_its_data_checked_by_hand(spgnet, human36m):
    code, output = spgnet("data", "check", str(human36m))
    assert code is None
    assert "no faults" in output
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

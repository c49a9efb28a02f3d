"""The speed comparison: what it runs, what it says, and that it leaves out what is not there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spgnet.bench import BenchConfig, Timing, cases, describe, run_bench, timing
from spgnet.bench.cases import load_videopose3d_code
from spgnet.bench.timing import compared
from spgnet.cli.commands import parse
from spgnet.errors import InputError
from spgnet.models import SPGNetConfig
from spgnet.training.recipes import TrainConfig


@pytest.fixture
def small(monkeypatch):
    """Networks and numbers as small as they can be."""
    monkeypatch.setattr(cases, "SIZES", {"J = 9, 8 channels": ((3, 3), 8)})


def checkout(folder: Path) -> Path:
    """A stand-in of VideoPose3D's files: a network of one layer, and a metric."""
    (folder / "common").mkdir(parents=True)
    (folder / "common" / "model.py").write_text(
        "from torch import nn\n"
        "class TemporalModel(nn.Module):\n"
        "    def __init__(self, *sizes, channels):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(34, 51)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x[:, 4:-4].flatten(2)).unflatten(-1, (17, 3))\n"
        "TemporalModelOptimized1f = TemporalModel\n"
    )
    (folder / "common" / "loss.py").write_text(
        "def p_mpjpe(predicted, target):\n    return abs(predicted - target).mean()\n"
    )
    return folder


def test_programs_are_run_in_turn_after_a_warm_up():
    calls: list[str] = []
    seconds = compared({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert set(seconds) == {"a", "b"}


def test_the_median_of_the_processor_times_counts_and_the_warm_up_does_not(monkeypatch):
    clock, durations = [0.0], iter([100.0, 3.0, 1.0, 2.0])
    monkeypatch.setattr(timing.time, "process_time", lambda: clock[0])

    def work() -> None:
        clock[0] += next(durations)

    assert compared({"work": work}, 3) == {"work": 2.0}


def test_with_a_peer_there_are_ratios_and_without_one_its_name(small, tmp_path):
    only = ("lifting", "training", "protocol2")
    alone = run_bench(BenchConfig(only=only, repeats=1))["timings"]
    beside = run_bench(BenchConfig(checkout(tmp_path), only=only, repeats=1))["timings"]
    assert [each["what"] for each in alone] == [each["what"] for each in beside]
    for without, given in zip(alone, beside, strict=True):
        assert without["ratio"] is None
        assert without["peer"] == given["peer"]
        assert given["ratio"] == pytest.approx(given["value"] / given["peer_value"])
    assert all("VideoPose3D" in each["peer"] for each in alone)


def test_the_number_of_threads_is_put_back(small):
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        run_bench(BenchConfig(only=("protocol2",), repeats=1))
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


def test_a_line_says_what_was_measured_in_words():
    beside = Timing("Protocol 2", 541_234.0, "frames/s", "VideoPose3D", 293_210.0, 1.846)
    assert describe(beside) == "Protocol 2: 541,234 frames/s (VideoPose3D: 293,210; 1.85 times as fast)"
    alone = Timing("Protocol 2", 541_234.0, "frames/s", "VideoPose3D")
    assert describe(alone) == "Protocol 2: 541,234 frames/s (VideoPose3D: not there)"
    assert describe(Timing("live", 0.512, "ms", notes={"p99": 0.9})) == "live: 0.512 ms (p99: 0.9)"


def test_the_command_writes_what_was_measured_where(small, tmp_path, capsys):
    parse(["bench", "--only", "protocol2", "--repeats", "1", "--out", str(tmp_path / "speed.json")])()
    result = json.loads((tmp_path / "speed.json").read_text())
    assert result["machine"]["matrix_gflops"] > 0
    assert {"processor", "torch", "commit"} <= result["machine"].keys()
    assert result["settings"] == {"repeats": 1, "threads": 1}
    assert [each["what"] for each in result["timings"]] == ["Protocol 2"]
    assert "Protocol 2" in capsys.readouterr().out


def test_operations_of_a_step_are_those_of_its_matrix_products():
    model = SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=8, dropout=0.0)
    recipe = TrainConfig(model=model, batch_size=32, frames_per_sample=2)
    encoders = 2 * (3 * 8 * 8 + 8 * 8) + 8 * (51 + 3)  # weights that are used once for an output frame
    first = 2 * 3 * (3 * 34 * 8)  # used three times, and without a gradient for their input
    assert cases.operations_of_step(recipe) == 32 * 2 * (3 * encoders + 2 * first)
    many = replace(recipe, frames_per_sample=16)
    assert cases.operations_of_step(many) == cases.operations_of_step(recipe)
    assert cases.operations_of_step(replace(many, dense=True)) < cases.operations_of_step(many)


def test_epochs_in_nine_minutes_follow_from_operations_and_rate(monkeypatch):
    recipe = TrainConfig(model=SPGNetConfig((3, 3), 8, 8, 0.0), batch_size=32)
    monkeypatch.setitem(cases.RECIPES, "paper-243", recipe)
    monkeypatch.setattr(cases, "GPU_RECIPES", {"paper-243": 320})
    (measured,) = run_bench(BenchConfig(only=("gpu",), repeats=1))["timings"]
    epochs = measured["notes"]["at most epochs in nine minutes of an H100"]
    assert epochs * 10 * measured["value"] * 1e12 == pytest.approx(540 * 0.4 * 67e12)


def test_a_step_is_timed_on_its_device():
    recipe = TrainConfig(model=SPGNetConfig((3, 3), 8, 8, 0.0), batch_size=32)
    assert 0 < cases.seconds_of_step(recipe, torch.device("cpu"), 3) < 10


def test_another_folder_is_no_checkout_of_videopose3d(tmp_path):
    with pytest.raises(InputError, match=r"not a checkout of VideoPose3D \(it has no common/model.py\)"):
        load_videopose3d_code(tmp_path)
    with pytest.raises(InputError, match="repeats and threads must be at least 1"):
        BenchConfig(repeats=0)


def test_weights_that_are_not_there_are_named():
    with pytest.raises(InputError, match="no weights 'nothing'"):
        next(cases.hour(BenchConfig(weights="nothing"), None))

"""Experiments: run once, kept, resumed, and never mixed up."""

from dataclasses import replace
from pathlib import Path

import pytest

from spgnet.data import sources
from spgnet.experiments import Experiment, mean_and_spread, run_experiments, slug
from spgnet.models import SPGNetConfig
from spgnet.recipes import TrainConfig
from spgnet.runs import read_json

TINY = TrainConfig(
    model=SPGNetConfig((3,), channels=8, trajectory_channels=4), epochs=1, steps_per_epoch=2, batch_size=16
)


@pytest.fixture(autouse=True)
def little_motion(monkeypatch):
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 2, "validation": 1, "test": 2})


def two_seeds(folder: Path) -> list[Experiment]:
    return [Experiment(f"seed {seed}", replace(TINY, seed=seed), folder / str(seed)) for seed in (0, 1)]


def test_results_come_in_the_order_of_the_experiments_with_how_they_were_made(tmp_path):
    seen = []
    results = run_experiments(two_seeds(tmp_path), on_progress=lambda run, entry: seen.append(run))
    assert seen == ["seed 0", "seed 0", "seed 1", "seed 1"]  # a line of the log, and the result
    for seed, result in enumerate(results):
        assert result == read_json(tmp_path / str(seed) / "evaluation.json")
        assert result.keys() == {"command", "commit", "evaluated_at", "seconds", "evaluation"}
        assert result["evaluation"]["mean_over_actions"]["mpjpe"] > 0
    assert results[0]["evaluation"] != results[1]["evaluation"]


def test_what_is_done_is_read_and_what_is_not_is_run(tmp_path):
    results = run_experiments(two_seeds(tmp_path))
    kept, lost = (tmp_path / seed / "evaluation.json" for seed in "01")
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    before = kept.stat().st_mtime_ns
    lost.unlink()
    again = run_experiments(two_seeds(tmp_path))
    assert again == results
    assert kept.stat().st_mtime_ns == before
    assert {path: path.stat().st_mtime_ns for path in weights} == weights  # evaluated again, not trained


def test_results_of_another_recipe_are_not_mixed_in(tmp_path):
    run_experiments(two_seeds(tmp_path)[:1])
    other = Experiment("longer", replace(TINY, steps_per_epoch=3), tmp_path / "0")
    with pytest.raises(ValueError, match="a run of another configuration: steps_per_epoch is 2, now 3"):
        run_experiments([other])


def test_spread_is_half_the_range():
    assert mean_and_spread([10.0, 11.0, 13.0]) == "11.3 ± 1.5"


def test_a_slug_is_a_part_of_a_file_s_name():
    assert slug("Baseline* (+ kinematic)") == "baseline-kinematic"

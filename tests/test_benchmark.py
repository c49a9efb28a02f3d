"""The benchmark's harness, at a miniature size."""

import json
from dataclasses import replace

import pytest

from spgnet import benchmark
from spgnet.benchmark import METHODS, BenchmarkConfig, mean_and_spread, run_benchmark
from spgnet.data import sources
from spgnet.models import MartinezConfig, SPGNetConfig


@pytest.fixture
def miniature(monkeypatch, tmp_path) -> BenchmarkConfig:
    """The benchmark on little motion with tiny networks."""
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 2, "validation": 1, "test": 2})
    for name, method in METHODS.items():
        small = MartinezConfig(8, 4) if isinstance(method.model, MartinezConfig) else SPGNetConfig((3,), 8, 4)
        monkeypatch.setitem(benchmark.METHODS, name, replace(method, model=small))
    return BenchmarkConfig(out=tmp_path, seeds=2, inputs=("projected",), epochs=1, steps_per_epoch=2)


def test_all_methods_differ_in_their_losses_or_network_alone():
    temporal = [method for method in METHODS.values() if isinstance(method.model, SPGNetConfig)]
    assert len({(m.loss.kinematic > 0, m.loss.reprojection > 0) for m in temporal}) == 3
    for method in METHODS.values():
        assert replace(method, model=temporal[0].model, loss=temporal[0].loss) == temporal[0]


def test_the_benchmark_runs_every_method_and_resumes_where_it_stopped(miniature):
    seen = []
    summary = run_benchmark(miniature, on_progress=lambda run, entry: seen.append(run))
    assert len(summary["runs"]) == 4 * 2
    table = (miniature.out / "results.md").read_text()
    assert all(method in table for method in METHODS)

    one = miniature.out / "projected/spgnet-re-projection-seed1"
    before = {path: path.stat().st_mtime_ns for path in miniature.out.rglob("last.safetensors")}
    (one / "evaluation.json").unlink()
    again = run_benchmark(miniature)
    assert again["runs"] == summary["runs"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert json.loads((miniature.out / "results.json").read_text()) == again


def test_results_of_another_size_are_not_mixed_in(miniature):
    run_benchmark(replace(miniature, seeds=1))
    with pytest.raises(ValueError, match="a run of another configuration: steps_per_epoch is 2, now 3"):
        run_benchmark(replace(miniature, seeds=1, steps_per_epoch=3))


def test_every_run_has_a_folder_of_its_own():
    assert len({benchmark._slug(name) for name in METHODS}) == len(METHODS)


def test_spread_is_half_the_range():
    assert mean_and_spread([10.0, 11.0, 13.0]) == "11.3 ± 1.5"


@pytest.mark.parametrize("field", ["seeds", "epochs", "steps_per_epoch"])
def test_a_benchmark_of_nothing_is_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got 0"):
        BenchmarkConfig(**{field: 0})

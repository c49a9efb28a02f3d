"""Experiments: run once, kept, resumed, and never mixed up."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from typing import Any

import pytest
import torch

from spgnet import metrics
from spgnet.data import sources
from spgnet.data.config import DataConfig
from spgnet.data.dataset import project_clips
from spgnet.datasets.take_files import save_take
from spgnet.datasets.takes import Take
from spgnet.files import read_json
from spgnet.geometry.rigs import human36m_rig, random_rig
from spgnet.models import SPGNetConfig
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training import loop
from spgnet.training.checkpoint import read_progress
from spgnet.training.experiments import Experiment, clip_errors, mean_and_spread, run_experiments
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import read_log

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
        about = {"command", "commit", "evaluated_at", "machine", "data_sha256", "seconds"}
        assert result.keys() == {*about, "evaluation", "clips"}
        assert {*result["data_sha256"]} == {"train", "test"}
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


def keep_process(run_dir: Path, data: DataConfig, device: torch.device) -> None:
    """A further evaluation: which process made it, once."""
    assert (run_dir / "evaluation.json").exists()
    if not (run_dir / "process").exists():
        (run_dir / "process").write_text(f"{os.getpid()} {data.labels:g} {data.target} {device}")


def test_what_is_evaluated_is_evaluated_further_on_all_data_also_if_it_was_trained_before(tmp_path):
    recipe = replace(TINY, data=DataConfig(labels=0.5, target="exact"))
    experiment = Experiment("", recipe, tmp_path / "run")
    run_experiments([experiment])
    assert not (tmp_path / "run" / "process").exists()
    (result,) = run_experiments([replace(experiment, evaluate_further=keep_process)])
    assert (tmp_path / "run" / "process").read_text() == f"{os.getpid()} 1 input cpu"
    assert result == read_json(tmp_path / "run" / "evaluation.json")


def test_a_run_that_was_killed_before_its_last_checkpoint_comes_to_its_end(tmp_path, monkeypatch):
    recipe = replace(TINY, steps_per_epoch=3, checkpoint_every=1)
    straight = run_experiments([Experiment("", recipe, tmp_path / "straight")])
    save, saved = loop.save_checkpoint, []

    def die(path: Path, *arguments: Any) -> None:
        saved.append(path.name)
        if len(saved) == 4:
            raise KeyboardInterrupt
        save(path, *arguments)

    killed = Experiment("", recipe, tmp_path / "killed")
    monkeypatch.setattr(loop, "save_checkpoint", die)
    with pytest.raises(KeyboardInterrupt):
        run_experiments([killed])
    assert saved == ["last.safetensors", "last.safetensors", "best.safetensors", "last.safetensors"]
    assert len(read_log(killed.run_dir)) == 1  # the whole log, beside a checkpoint of the second step
    assert read_progress(killed.run_dir / "last.safetensors").step == 2
    monkeypatch.setattr(loop, "save_checkpoint", save)
    assert run_experiments([killed])[0]["evaluation"] == straight[0]["evaluation"]
    assert read_progress(killed.run_dir / "last.safetensors").step == 3


def test_results_of_another_recipe_are_not_mixed_in(tmp_path):
    run_experiments(two_seeds(tmp_path)[:1])
    other = Experiment("longer", replace(TINY, steps_per_epoch=3), tmp_path / "0")
    with pytest.raises(ValueError, match="a run of another configuration: steps_per_epoch is 2, now 3"):
        run_experiments([other])


def test_a_clip_s_error_is_the_mean_over_the_evaluated_frames_of_its_pieces_and_cameras():
    (clip,) = procedural_clips(1, seed=0, seconds=0.2, fps=50.0)
    pieces = [replace(clip, name=name, subject=who) for name, who in PIECES]
    dataset = project_clips([(piece, human36m_rig("S1")[:2]) for piece in pieces])
    dataset = replace(dataset, eval_mask=torch.arange(len(dataset.joints)) % 2 == 0)
    predicted = dataset.joints.clone()
    off = torch.arange(1.0, 1 + len(dataset)).repeat_interleave(dataset.lengths)  # mm, by sequence
    predicted[:, 3, 0] += 17 * off / 1000 + 100 * ~dataset.eval_frames()
    errors = clip_errors(predicted, dataset)
    assert {name: each["mpjpe"] for name, each in errors.items()} == pytest.approx(
        {"Ada: walk": 2.5, "Ben: walk": 5.5}, abs=1e-3
    )
    aligned = metrics.p_mpjpe(predicted[-len(clip) :: 2], dataset.joints[-len(clip) :: 2])
    assert errors["Ben: walk"]["p_mpjpe"] == pytest.approx(aligned.mean().item(), rel=0.2)


PIECES = (("walk#1", "Ada"), ("walk@50", "Ada"), ("walk", "Ben"))


def test_spread_is_half_the_range_and_a_single_value_has_none():
    assert mean_and_spread([10.0, 11.0, 13.0]) == "11.3 ± 1.5"
    assert mean_and_spread([10.0]) == "10.0"


def in_another_process(function: Callable[..., Any], *arguments: Any) -> Process:
    """A process of its own, which can be sent signals."""
    process = get_context("spawn").Process(target=function, args=arguments)
    process.start()
    return process


def run_at_once(experiments: list[Experiment]) -> None:
    sources.PROCEDURAL_CLIPS.update({"train": 2, "validation": 1, "test": 2})
    run_experiments(experiments, jobs=2)


def long(folder: Path, number: int) -> Experiment:
    """A run that nobody waits for, on motion that every process generates for itself."""
    return Experiment(str(number), replace(TINY, seed=number, epochs=10**6), folder / str(number))


def test_jobs_at_once_give_the_results_of_one_after_the_other_and_evaluate_further_themselves(tmp_path):
    cameras = replace(random_rig(2, seed=0, distance=(4.0, 5.0)), convention="opencv")
    for split in ("train", "test"):
        (tmp_path / "takes" / split).mkdir(parents=True)
        (clip,) = procedural_clips(1, seed=1, seconds=1.0)
        save_take(tmp_path / "takes" / split / "a.npz", Take("a", "b", "c", clip.fps, cameras, clip.joints))
    data = DataConfig(takes=tmp_path / "takes")
    recipes = [replace(TINY, data=data, seed=seed) for seed in (0, 1)]
    experiments = {
        jobs: [
            Experiment("", r, tmp_path / f"{jobs}-{r.seed}", evaluate_further=keep_process) for r in recipes
        ]
        for jobs in (1, 2)
    }
    apart, together = (run_experiments(each, jobs=jobs) for jobs, each in experiments.items())
    assert [each["evaluation"] for each in apart] == [each["evaluation"] for each in together]
    processes = {
        jobs: {(each.run_dir / "process").read_text().split()[0] for each in experiments[jobs]}
        for jobs in (1, 2)
    }
    assert processes[1] == {str(os.getpid())}
    assert str(os.getpid()) not in processes[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_jobs_after_a_checkpoint_and_begins_no_others(tmp_path, number):
    process = in_another_process(run_at_once, [long(tmp_path, each) for each in range(4)])
    begun = [tmp_path / each / "last.safetensors" for each in "01"]
    wait_until(lambda: all(path.exists() for path in begun), process)
    if number == signal.SIGTERM:
        os.kill(process.pid or 0, number)
    else:  # as a terminal does: to all of them
        for child in (process.pid, *children_of(process.pid or 0)):
            os.kill(child or 0, number)
    process.join(300)
    assert process.exitcode not in (None, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    wait_until(lambda: not children_of(process.pid or 0))


def test_the_jobs_of_a_killed_process_end_too(tmp_path):
    process = in_another_process(run_at_once, [long(tmp_path, each) for each in range(2)])
    begun = [tmp_path / each / "last.safetensors" for each in "01"]
    wait_until(lambda: all(path.exists() for path in begun), process)
    children = children_of(process.pid or 0)
    assert len(children) == 2
    process.kill()
    process.join(300)
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    assert all(read_progress(path).step > 0 for path in begun)


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", "spawn_main"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def wait_until(done: Callable[[], bool], process: Any = None, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert process is None or process.is_alive()
        assert time.monotonic() < end
        time.sleep(0.1)

"""Experiments: runs of several methods with several seeds, each trained and evaluated once and then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from spgnet.data.config import DataConfig
from spgnet.data.sources import TrainingData, load_training_data, load_validation, load_views
from spgnet.data.takes import Split
from spgnet.data.views import Views
from spgnet.evaluation import evaluate
from spgnet.recipes import TrainConfig
from spgnet.runs import check_resumable, git_commit, load_run, read_json, read_log, write_json
from spgnet.training import Machine, Report, pick_device, train

RunReport = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Experiment:
    """One run of one method.

    Args:
        name: for reports: the method, the input and the seed.
        recipe: what is trained, and on what.
        folder: the run folder.
    """

    name: str
    recipe: TrainConfig
    folder: Path


def run_experiments(
    experiments: Sequence[Experiment],
    *,
    jobs: int = 1,
    machine: Machine | None = None,
    on_progress: RunReport = lambda run, entry: None,
) -> list[dict[str, Any]]:
    """The results of experiments, in their order; those that are done are read, the others run.

    Args:
        experiments: what to run.
        jobs: how many to run at once, each in a process of its own with a share of the cores.
        machine: where to train.
        on_progress: called with a run's name and a line of its log (of one job alone), or its results.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        ValueError: a folder holds a run of another configuration.
    """
    machine = machine or Machine()
    results: dict[int, dict[str, Any]] = {}
    if jobs == 1:
        for number, each in enumerate(experiments):
            results[number] = run_experiment(
                each, machine, lambda entry, of=each: on_progress(of.name, entry)
            )
            on_progress(each.name, results[number]["evaluation"]["mean_over_actions"])
    else:
        with _workers(jobs) as pool:
            numbers = {
                pool.submit(run_experiment, each, machine): number for number, each in enumerate(experiments)
            }
            for done in as_completed(numbers):
                results[numbers[done]] = done.result()
                name = experiments[numbers[done]].name
                on_progress(name, done.result()["evaluation"]["mean_over_actions"])
    return [results[number] for number in range(len(experiments))]


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the cores; work that has not begun is dropped when one of them fails."""
    threads = max(1, torch.get_num_threads() // jobs)
    pool = ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def run_experiment(
    experiment: Experiment, machine: Machine | None = None, on_epoch: Report = lambda entry: None
) -> dict[str, Any]:
    """The result of one experiment; see :func:`run_experiments`."""
    data = experiment.recipe.data

    def load(split: Split) -> Views | TrainingData | None:
        return _loaded(data, split)

    return train_and_evaluate(experiment.recipe, experiment.folder, load, machine=machine, on_epoch=on_epoch)


@lru_cache(maxsize=4)
def _loaded(data: DataConfig, split: Split) -> Views | TrainingData | None:
    """A data set's split, kept for the next run on the same."""
    if split == "train":
        return load_training_data(data)
    return load_validation(data) if split == "validation" else load_views(data, split)


def train_and_evaluate(
    recipe: TrainConfig,
    folder: Path,
    load: Callable[[Split], Views | TrainingData | None],
    *,
    evaluate_on: Split = "test",
    machine: Machine | None = None,
    on_epoch: Report = lambda entry: None,
) -> dict[str, Any]:
    """The evaluation of a run, with the command, commit and seconds of its training.

    Reads what is there, and otherwise trains, from where it stopped, and evaluates.

    Args:
        recipe: what to train.
        folder: the run folder.
        load: gives the data of a split, if they are needed.
        evaluate_on: the split to evaluate on.
        machine: where to train.
        on_epoch: called with every line of the log.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        ValueError: the folder holds a run of another configuration.
    """
    done = folder / "evaluation.json"
    started = (folder / "config.json").exists()
    if done.exists():
        check_resumable(folder, recipe)
        return read_json(done)
    data, validation = load("train"), load("validation")
    labelled, unlabelled = data if isinstance(data, TrainingData) else (data, None)
    assert labelled is not None
    assert not isinstance(validation, TrainingData)
    options = {"machine": machine, "on_epoch": on_epoch, "unlabelled": unlabelled}
    if not train(recipe, folder, labelled, validation, resume=started, **options):
        raise KeyboardInterrupt
    _, model = load_run(folder)
    views = load(evaluate_on)
    assert isinstance(views, Views)
    device = pick_device((machine or Machine()).accelerator)
    environment = read_json(folder / "environment.json")
    result = {
        "command": environment["command"],
        "commit": environment["commit"],
        "evaluated_at": git_commit(),
        "seconds": round(sum(entry["seconds"] for entry in read_log(folder)), 1),
        "evaluation": evaluate(model.to(device), views.to(device)).to_json(),
    }
    write_json(done, result)
    return result


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean of the seeds' results, and half the range between them, as text."""
    return f"{mean(values):.1f} ± {(max(values) - min(values)) / 2:.1f}"


def slug(name: str) -> str:
    """A name as part of a file's name."""
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())

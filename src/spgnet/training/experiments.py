"""Experiments: runs of several methods with several seeds, each trained and evaluated once and then kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import mean
from types import FrameType
from typing import Any

import torch

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import TrainingData, load_dataset, load_training_data, load_validation
from spgnet.datasets.takes import Split
from spgnet.evaluation import evaluate
from spgnet.files import read_json, write_json
from spgnet.training.loop import Accelerator, LogCallback, Machine, pick_device, train
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import check_resumable, git_commit, load_run, read_log

RunCallback = Callable[[str, dict[str, Any]], None]


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
    accelerator: Accelerator = "auto",
    on_progress: RunCallback = lambda run, entry: None,
) -> list[dict[str, Any]]:
    """The results of experiments, in their order; those that are done are read, the others run.

    Args:
        experiments: what to run.
        jobs: how many to run at once, each in a process of its own with a share of the cores.
        accelerator: what computes.
        on_progress: called with a run's name and a line of its log (of one job alone), or its results.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        InputError: a folder holds a run of another configuration.
    """
    results: dict[int, dict[str, Any]] = {}

    def finish(number: int, result: dict[str, Any]) -> None:
        results[number] = result
        on_progress(experiments[number].name, result["evaluation"]["mean_over_actions"])

    if jobs == 1:
        for number, each in enumerate(experiments):
            report = partial(on_progress, each.name)
            finish(number, run_experiment(each, accelerator, report))
        return [results[number] for number in range(len(experiments))]
    waiting, running = list(enumerate(experiments)), {}
    with _workers(jobs) as pool:
        while waiting or running:
            while (
                waiting and len(running) < jobs
            ):  # no more at once: what is handed over cannot be called off
                number, each = waiting.pop(0)
                running[pool.submit(run_experiment, each, accelerator)] = number
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                finish(running.pop(done), done.result())
    return [results[number] for number in range(len(experiments))]


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the cores, and that a SIGTERM of this process stops as Ctrl-C does."""
    threads = max(1, torch.get_num_threads() // jobs)
    pool = ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
    )

    def stop(number: int, frame: FrameType | None) -> None:
        for child in active_children():
            child.terminate()
        raise KeyboardInterrupt

    here = threading.current_thread() is threading.main_thread()  # no other thread may set handlers
    previous = signal.signal(signal.SIGTERM, stop) if here else None
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        if here:
            signal.signal(signal.SIGTERM, previous)


def run_experiment(
    experiment: Experiment, accelerator: Accelerator = "auto", on_epoch: LogCallback = lambda entry: None
) -> dict[str, Any]:
    """The result of one experiment; see :func:`run_experiments`."""
    data = experiment.recipe.data

    def load(split: Split) -> PoseDataset | TrainingData | None:
        return _loaded(data if split == "train" else replace(data, labels=1.0), split)

    return train_and_evaluate(
        experiment.recipe, experiment.folder, load, accelerator=accelerator, on_epoch=on_epoch
    )


@lru_cache(maxsize=4)
def _loaded(data: DataConfig, split: Split) -> PoseDataset | TrainingData | None:
    """A data set's split, kept for the next run on the same."""
    if split == "train":
        return load_training_data(data)
    return load_validation(data) if split == "validation" else load_dataset(data, split)


def train_and_evaluate(
    recipe: TrainConfig,
    folder: Path,
    load: Callable[[Split], PoseDataset | TrainingData | None],
    *,
    evaluate_on: Split = "test",
    accelerator: Accelerator = "auto",
    on_epoch: LogCallback = lambda entry: None,
) -> dict[str, Any]:
    """The evaluation of a run, with the command, commit and seconds of its training.

    Reads what is there, and otherwise trains, from where it stopped, and evaluates.

    Args:
        recipe: what to train.
        folder: the run folder.
        load: gives the data of a split, if they are needed.
        evaluate_on: the split to evaluate on.
        accelerator: what computes.
        on_epoch: called with every line of the log.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        InputError: the folder holds a run of another configuration.
    """
    done = folder / "evaluation.json"
    if (folder / "config.json").exists():
        check_resumable(folder, recipe)
    if done.exists():
        return read_json(done)
    if len(read_log(folder)) < recipe.epochs:
        _train(recipe, folder, load, accelerator, on_epoch)
    _, model = load_run(folder)
    views = load(evaluate_on)
    assert isinstance(views, PoseDataset)
    device, environment = pick_device(accelerator), read_json(folder / "environment.json")
    result = {
        "command": environment["command"],
        "commit": environment["commit"],
        "evaluated_at": git_commit(),
        "seconds": round(sum(entry["seconds"] for entry in read_log(folder)), 1),
        "evaluation": evaluate(model.to(device), views.to(device)).to_json(),
    }
    write_json(done, result)
    return result


def _train(
    recipe: TrainConfig,
    folder: Path,
    load: Callable[[Split], PoseDataset | TrainingData | None],
    accelerator: Accelerator,
    on_epoch: LogCallback,
) -> None:
    """Train from the start, or from where training was stopped."""
    data, validation = load("train"), load("validation")
    labelled, unlabelled = data if isinstance(data, TrainingData) else (data, None)
    assert labelled is not None
    assert not isinstance(validation, TrainingData)
    finished = train(
        recipe,
        folder,
        labelled,
        validation,
        unlabelled=unlabelled,
        resume=(folder / "config.json").exists(),
        machine=Machine(accelerator),
        on_epoch=on_epoch,
    )
    if not finished:
        raise KeyboardInterrupt


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean of the seeds' results, and half the range between them, as text; a single one as it is."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {(max(values) - min(values)) / 2:.1f}"

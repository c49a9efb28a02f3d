"""Experiments: runs of several methods with several seeds, each trained and evaluated once and then kept."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from statistics import mean
from types import FrameType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet import metrics
from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import load_dataset, load_training_data, load_validation
from spgnet.data.training_data import TrainingData
from spgnet.evaluation import evaluate_predictions, lift_dataset, measured_joints
from spgnet.files import read_json, write_json
from spgnet.training.checkpoint import read_progress
from spgnet.training.loop import LogCallback, train
from spgnet.training.processes import Accelerator, Machine, pick_device
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import check_same_config, git_commit, load_run, read_log

RunCallback = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Experiment:
    """One run of one method.

    Args:
        name: for reports: the method, the input and the seed.
        recipe: what is trained, and on what.
        run_dir: the run folder.
        observe: called after every epoch, with the data that the run is trained on.
        evaluate_further: called after the evaluation with the run folder, the data and a device; writes its
            results into the folder, or returns at once if they are there.
    """

    name: str
    recipe: TrainConfig
    run_dir: Path
    observe: Callable[[Experiment, TrainingData], None] | None = None
    evaluate_further: Callable[[Path, DataConfig, torch.device], None] | None = None


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
                running[pool.submit(_run_in_worker, each, accelerator)] = number
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                finish(running.pop(done), done.result())
    return [results[number] for number in range(len(experiments))]


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the cores, and that a SIGTERM of this process stops as Ctrl-C does."""
    threads = max(1, torch.get_num_threads() // jobs)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin_worker, initargs=(threads,))

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


def _begin_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_stop_without_parent, daemon=True).start()


def _stop_without_parent() -> None:
    """Stop this process as SIGTERM does when the one that started it is killed, which cannot do so itself."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run_in_worker(experiment: Experiment, accelerator: Accelerator) -> dict[str, Any]:
    try:
        return run_experiment(experiment, accelerator)
    finally:
        parent = parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(1)  # nobody takes the result, and the pool would wait for another run


def run_experiment(
    experiment: Experiment, accelerator: Accelerator = "auto", on_epoch: LogCallback = lambda entry: None
) -> dict[str, Any]:
    """The result of one experiment; see :func:`run_experiments`."""
    recipe = experiment.recipe
    whole = replace(recipe.data, labels=1.0, cameras=None, target="input")

    def after_epoch(entry: dict[str, Any]) -> None:
        if experiment.observe is not None:
            experiment.observe(experiment, _training_data(recipe.data))
        on_epoch(entry)

    result = train_and_evaluate(
        recipe,
        experiment.run_dir,
        lambda: (_training_data(recipe.data), _validation_dataset(whole)),
        lambda: _test_dataset(whole),
        accelerator=accelerator,
        on_epoch=after_epoch,
    )
    if experiment.evaluate_further is not None:
        experiment.evaluate_further(experiment.run_dir, whole, pick_device(accelerator))
    return result


_training_data = lru_cache(maxsize=2)(load_training_data)
_validation_dataset = lru_cache(maxsize=1)(load_validation)
_test_dataset = lru_cache(maxsize=1)(partial(load_dataset, split="test"))


def train_and_evaluate(
    recipe: TrainConfig,
    run_dir: Path,
    load_training: Callable[[], tuple[TrainingData, PoseDataset | None]],
    load_evaluation: Callable[[], PoseDataset],
    *,
    accelerator: Accelerator = "auto",
    on_epoch: LogCallback = lambda entry: None,
) -> dict[str, Any]:
    """The evaluation of a run, also by clip, and where it comes from: data, machine, command and commit.

    Reads what is there, and otherwise trains, from where it stopped, and evaluates.

    Args:
        recipe: what to train.
        run_dir: the run folder.
        load_training: called for the data to train and to validate on, if they are needed.
        load_evaluation: called for the data to evaluate on, if they are needed.
        accelerator: what computes.
        on_epoch: called with every line of the log.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        InputError: the folder holds a run of another configuration.
    """
    done = run_dir / "evaluation.json"
    if (run_dir / "config.json").exists():
        check_same_config(run_dir, recipe)
    if done.exists():
        return read_json(done)
    if not _is_trained(run_dir, recipe):
        resume = (run_dir / "config.json").exists()
        data, machine = load_training(), Machine(accelerator)
        if not train(recipe, run_dir, *data, resume=resume, machine=machine, on_epoch=on_epoch):
            raise KeyboardInterrupt
    _, model = load_run(run_dir)
    device, environment = pick_device(accelerator), read_json(run_dir / "environment.json")
    model, dataset = model.to(device), load_evaluation().to(device)
    predicted = lift_dataset(model, dataset, flip=True)
    result = {
        "command": environment["command"],
        "commit": environment["commit"],
        "evaluated_at": git_commit(),
        "machine": {key: environment.get(key) for key in ("accelerator", "devices", "threads", "torch")},
        "data_sha256": {"train": environment.get("data_sha256"), "test": dataset.sha256()},
        "seconds": round(sum(entry["seconds"] for entry in read_log(run_dir)), 1),
        "evaluation": evaluate_predictions(predicted, dataset, model).to_json(),
        "clips": clip_errors(predicted, dataset),
    }
    write_json(done, result)
    return result


def clip_errors(predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset) -> dict[str, dict[str, float]]:
    """MPJPE and P-MPJPE of each clip in mm, the mean over its evaluated frames, pieces and cameras.

    Args:
        predicted: joints in metres, camera frame.
        dataset: the true joints of the same frames.
    """
    joints, evaluated = measured_joints(dataset), dataset.eval_frames()
    pose, true = predicted[:, joints], dataset.joints[:, joints]
    errors = torch.stack((metrics.mpjpe(pose, true), metrics.p_mpjpe(pose, true)), dim=-1).double()
    clips: dict[str, list[Tensor]] = {}
    for sequence, name in enumerate(dataset.names):
        frames = dataset.frames_of(sequence)
        clip = f"{dataset.subjects[sequence]}: {re.split('[#@]', name)[0]}"
        clips.setdefault(clip, []).append(errors[frames][evaluated[frames]])
    means = {clip: torch.cat(parts).mean(dim=0).tolist() for clip, parts in clips.items()}
    return {clip: {"mpjpe": values[0], "p_mpjpe": values[1]} for clip, values in means.items()}


def _is_trained(run_dir: Path, recipe: TrainConfig) -> bool:
    """Whether a run has come to its end: a kill may leave the whole log beside an older checkpoint."""
    log, last = read_log(run_dir), run_dir / "last.safetensors"
    if len(log) < recipe.epochs:
        return False
    return not last.exists() or read_progress(last).step >= log[-1]["step"]


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean of the seeds' results, and half the range between them, as text; a single one as it is."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {(max(values) - min(values)) / 2:.1f}"

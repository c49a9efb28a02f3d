"""The training loop: a network, a run folder, and steps that a signal can stop and that can be resumed."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.logger import Logger
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spgnet.data.dataset import PoseDataset
from spgnet.data.samples import Batch
from spgnet.data.training_data import TrainingData
from spgnet.errors import InputError
from spgnet.evaluation import validation_errors
from spgnet.files import hold_folder
from spgnet.models import LiftedPose, LiftingNetwork, build_model
from spgnet.training import losses
from spgnet.training.checkpoint import Progress, load_checkpoint, load_initial_weights, save_checkpoint
from spgnet.training.draws import EpochDraws, batches_of_epoch, epoch_order, samplers_for, step_seed
from spgnet.training.optimization import build_optimizer, set_momentum, set_rate
from spgnet.training.processes import (
    Machine,
    connect,
    keep_freed_memory,
    mean_over_processes,
    set_up_processes,
    share_of,
)
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import (
    check_free,
    check_resumable,
    create_run,
    read_log,
    record_resumption,
    write_log,
)

LogCallback = Callable[[dict[str, Any]], None]


def train(
    config: TrainConfig,
    run_dir: Path,
    train_data: TrainingData,
    validation_data: PoseDataset | None,
    *,
    resume: bool = False,
    machine: Machine | None = None,
    on_step: LogCallback = lambda entry: None,
    on_epoch: LogCallback = lambda entry: None,
    loggers: Sequence[Logger] = (),
    log_every: int = 0,
) -> bool:
    """Train a network and leave a run folder.

    All randomness of a step follows from the seed and the step's number, so that a resumed run goes on
    exactly as if it had never stopped.

    Args:
        config: the network, its losses and how they are minimised.
        run_dir: the run folder.
        train_data: what to train on (``spgnet.data.sources.load_training_data``).
        validation_data: dataset whose MPJPE chooses the weights in ``best.safetensors``; without
            one, the last epoch's are kept.
        resume: go on with the run in the folder; ``epochs`` and ``cooldown`` may be others than those that
            it was started with, if all epochs begun so far have the same rate with them.
        machine: where to train.
        on_step: called after every step with its number and losses.
        on_epoch: called after every epoch with its line of the log.
        loggers: Fabric's, or ours (:mod:`spgnet.training.loggers`); they get the lines of the log, too.
        log_every: steps between entries of the losses and the rate of a step, which the loggers get, named
            ``step/``; 0 for none.

    Returns:
        Whether training came to its end; False if it was stopped by Ctrl-C or SIGTERM, after a checkpoint.

    Raises:
        InputError: the data have too few frames or do not suit the network, the folder does not fit the
            call, another process trains in it, the machine has no such accelerator, a batch has fewer samples
            than there are processes, or the loss is not finite any more.
        ConnectionError: another process that trains together with this one has ended.
    """
    machine = machine or Machine()
    fabric = set_up_processes(machine, config.precision, loggers)
    with hold_folder(run_dir) if fabric.is_global_zero else nullcontext():
        if resume:
            check_resumable(run_dir, config)
        else:
            check_free(run_dir)
        with connect(fabric), keep_freed_memory():
            options = (resume, machine, on_step, on_epoch, log_every)
            return _train(fabric, config, run_dir, train_data, validation_data, *options)


def _train(
    fabric: Fabric,
    config: TrainConfig,
    run_dir: Path,
    train_data: TrainingData,
    validation_data: PoseDataset | None,
    resume: bool,
    machine: Machine,
    on_step: LogCallback,
    on_epoch: LogCallback,
    log_every: int,
) -> bool:
    """:func:`train` in one of its processes. Nothing that refers to their connection outlives this call."""
    samples = config.batch_size // config.frames_per_sample
    if samples < fabric.world_size:
        raise InputError(f"a batch of {samples} samples cannot be shared by {fabric.world_size} processes")
    state = _State.initial(config, run_dir, train_data, fabric.device)
    network = state.network
    trained = cast(torch.nn.Module, torch.compile(network)) if machine.compiled else network
    model, optimizer = fabric.setup(trained, state.optimizer)
    if machine.workers and fabric.device.type != "cpu":
        raise InputError(f"machine.workers is for a CPU; on {fabric.device.type} samples are drawn there")
    if validation_data is not None:
        validation_data = validation_data.to(fabric.device)
    if not config.unlabelled.any:
        train_data = replace(train_data, unlabelled=None)
    sampler, unlabelled_sampler = samplers_for(config, train_data, network, fabric.device)
    steps = config.steps_in_epoch(train_data.frames)
    log = state.resume() if resume else []
    progress = state.progress
    if fabric.is_global_zero:
        if resume:
            record_resumption(run_dir, config, progress.step)
        else:
            create_run(run_dir, config, _machine_facts(fabric, train_data))

    with StopSignal() as stop:
        for epoch in range(progress.step // steps, config.epochs):
            began = time.monotonic()
            order = epoch_order(len(sampler), config.seed, epoch)
            draws = EpochDraws(sampler, config, order, samples=samples, steps=steps, before=epoch * steps)
            set_momentum(network, config.momentum_in_epoch(epoch))
            model.train()
            done = progress.step % steps
            for step, drawn in enumerate(batches_of_epoch(draws, done, machine.workers), start=done):
                set_rate(optimizer, config.rate_of_step(epoch, progress.step))
                batch, unlabelled = share_of(drawn, fabric), None
                if unlabelled_sampler is not None and epoch >= config.unlabelled.warm_up:
                    unlabelled = share_of(unlabelled_sampler.draw_random(samples), fabric)
                if fabric.global_rank > 0:  # all draw the same samples; their dropout differs
                    torch.manual_seed(step_seed(config.seed, progress.step, fabric.global_rank))
                terms = step_losses(model, batch, unlabelled, config, epoch)
                if fabric.world_size > 1:  # the mean over processes is to be that over samples
                    share = len(batch.joints) * fabric.world_size / samples
                    terms = {name: share * term for name, term in terms.items()}
                optimizer.zero_grad()
                fabric.backward(losses.total(terms))
                if (most := config.max_grad_norm) is not None:
                    fabric.clip_gradients(model, optimizer, max_norm=most, error_if_nonfinite=False)
                optimizer.step()
                if state.average is not None:
                    state.average.update_parameters(network)

                progress.count(mean_over_processes(terms, fabric))
                if fabric.is_global_zero:
                    on_step({"step": progress.step, "loss": sum(progress.sums.values()) / (step + 1)})
                    if log_every and progress.step % log_every == 0:
                        values = {f"step/loss/{name}": value.item() for name, value in terms.items()}
                        fabric.log_dict(
                            values | {"step/rate": optimizer.param_groups[0]["lr"]}, progress.step
                        )
                stopping = stop.requested_anywhere(fabric)
                if step + 1 < steps and (stopping or progress.step % config.checkpoint_every == 0):
                    state.save(fabric)
                    if stopping:
                        return False

            entry = {
                "epoch": epoch + 1,
                "step": progress.step,
                "rate": config.rate_of_step(epoch, progress.step - 1),
                "loss": sum(progress.sums.values()) / steps,
                **{f"loss/{name}": value / steps for name, value in progress.sums.items()},
            }
            if validation_data is not None:
                entry |= validation_errors(state.kept, validation_data)
            entry["seconds"] = round(time.monotonic() - began, 1)
            log.append(entry)
            if fabric.is_global_zero:
                if validation_data is None or entry["validation_mpjpe"] < progress.best:
                    save_checkpoint(run_dir / "best.safetensors", config.model, progress, state.kept)
                write_log(run_dir, log)
            progress.finish_epoch(entry.get("validation_mpjpe", math.inf))
            state.save(fabric)
            if fabric.is_global_zero:
                fabric.log_dict({k: v for k, v in entry.items() if k not in ("epoch", "step")}, progress.step)
                on_epoch(entry)  # when nothing of the epoch can be lost any more
            if stop.requested_anywhere(fabric) and epoch + 1 < config.epochs:
                return False
    return True


@dataclass
class _State:
    """What steps change, and what a run is resumed from.

    Args:
        config: of the run.
        run_dir: its folder.
        network: the network that is trained.
        optimizer: of its parameters.
        average: the running average of its weights, if one is kept.
        progress: where training stands.
    """

    config: TrainConfig
    run_dir: Path
    network: LiftingNetwork
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def initial(cls, config: TrainConfig, run_dir: Path, data: TrainingData, device: torch.device) -> _State:
        """The state before the first step: random weights, or those that the configuration names."""
        torch.manual_seed(config.seed)
        network = build_model(config.model)
        network.init_root_bias(data.mean_root)
        if config.initial_weights is not None and not (run_dir / "last.safetensors").exists():
            load_initial_weights(config.initial_weights, config.model, network)
        network.to(device)  # before it is copied: what is validated is on the device, too
        average = None
        if config.weight_average is not None:
            decay = get_ema_multi_avg_fn(config.weight_average)
            average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
        return cls(config, run_dir, network, build_optimizer(config, network), average)

    @property
    def kept(self) -> LiftingNetwork:
        """The network that is validated and kept: with the average of the weights, if there is one."""
        return self.network if self.average is None else cast(LiftingNetwork, self.average.module)

    def resume(self) -> list[dict[str, Any]]:
        """Go back to the last checkpoint, if there is one, and give the log until then."""
        last = self.run_dir / "last.safetensors"
        if not last.exists():
            return []
        average = None if self.average is None else self.average.module
        self.progress = load_checkpoint(last, self.config.model, self.network, self.optimizer, average)
        if self.average is not None:
            self.average.n_averaged.fill_(self.progress.step)
        return [entry for entry in read_log(self.run_dir) if entry["step"] <= self.progress.step]

    def save(self, fabric: Fabric) -> None:
        """Write a checkpoint, in the first of the processes."""
        if fabric.is_global_zero:
            last = self.run_dir / "last.safetensors"
            average = None if self.average is None else self.average.module
            save_checkpoint(last, self.config.model, self.progress, self.network, self.optimizer, average)


def _machine_facts(fabric: Fabric, data: TrainingData) -> dict[str, Any]:
    """What the result of a run depends on besides its configuration, for ``environment.json``."""
    device = fabric.device
    return {
        "accelerator": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "devices": fabric.world_size,
        "threads": torch.get_num_threads(),
        "data_sha256": data.sha256(),
    }


def step_losses(
    model: Callable[..., LiftedPose],
    batch: Batch,
    unlabelled: Batch | None,
    config: TrainConfig,
    epoch: int | None = None,
) -> dict[str, Tensor]:
    """The weighted losses of a step; samples with and without labels pass the network together."""
    if unlabelled is None:
        lifted = model(batch.keypoints_2d, dense=config.dense)
        return losses.weighted_losses(lifted, batch, config.loss, config.terms, epoch)
    count = len(batch.keypoints_2d)
    pose, root = model(torch.cat((batch.keypoints_2d, unlabelled.keypoints_2d)), dense=config.dense)
    lifted, others = LiftedPose(pose[:count], root[:count]), LiftedPose(pose[count:], root[count:])
    terms = losses.weighted_losses(lifted, batch, config.loss, config.terms, epoch)
    return terms | losses.unlabelled_losses(others, unlabelled, lifted, config.unlabelled)


class StopSignal:
    """Within it, the first Ctrl-C or SIGTERM asks to stop after the step, and the second stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def requested_anywhere(self, fabric: Fabric) -> bool:
        """Whether this process or another one of the run is asked to stop; all get the same answer."""
        if fabric.world_size == 1:
            return self.requested
        requested = torch.tensor(float(self.requested), device=fabric.device)
        return bool(fabric.all_reduce(requested, reduce_op="sum"))

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

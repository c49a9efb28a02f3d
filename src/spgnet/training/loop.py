"""The training loop."""

from __future__ import annotations

import gc
import math
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor

from spgnet.data.dataset import PoseDataset
from spgnet.data.domain_randomization import RandomizedSampler
from spgnet.data.samples import Batch, WindowSampler
from spgnet.errors import InputError
from spgnet.evaluation import validation_mpjpe
from spgnet.geometry.motion_clip import MotionClip
from spgnet.models import LiftedPose, LiftingNetwork, RayNetConfig, build_model
from spgnet.training import losses
from spgnet.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import check_free, check_resumable, create_run, read_log, write_log

LogCallback = Callable[[dict[str, Any]], None]
Accelerator = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True)
class Machine:
    """Where to train."""

    accelerator: Accelerator = "auto"
    """What computes."""
    devices: int = 1
    """How many of them; each takes its share of every batch."""


def train(
    config: TrainConfig,
    run: Path,
    train_data: PoseDataset | list[MotionClip],
    validation_data: PoseDataset | None,
    *,
    unlabelled: PoseDataset | None = None,
    resume: bool = False,
    machine: Machine | None = None,
    on_step: LogCallback = lambda entry: None,
    on_epoch: LogCallback = lambda entry: None,
) -> bool:
    """Train a network and leave a run folder.

    All randomness of a step follows from the seed and the step's number, so that a resumed run goes on
    exactly as if it had never stopped.

    Args:
        config: what to train, and how.
        run: the run folder.
        train_data: a dataset to train on, or clips to draw randomised samples from.
        validation_views: data to choose the best epoch by; without them, the best epoch is the last one.
        unlabelled: views without 3D to learn from, too (``config.unlabelled``).
        resume: go on with the run that the folder holds.
        machine: where to train.
        on_step: called after every step with its number and losses.
        on_epoch: called after every epoch with its line of the log.

    Returns:
        Whether training came to its end; False if it was stopped by Ctrl-C or SIGTERM, after a checkpoint.

    Raises:
        InputError: the data have too few frames, the folder does not fit the call, the machine lacks what
            is asked for, or the loss is not finite any more.
    """
    if resume:
        check_resumable(run, config)
    else:
        check_free(run)
    with _connected(machine or Machine(), config) as fabric:
        return _train(fabric, config, run, train_data, validation_data, unlabelled, resume, on_step, on_epoch)


def _train(
    fabric: Fabric,
    config: TrainConfig,
    run: Path,
    train_data: PoseDataset | list[MotionClip],
    validation_data: PoseDataset | None,
    unlabelled: PoseDataset | None,
    resume: bool,
    on_step: LogCallback,
    on_epoch: LogCallback,
) -> bool:
    """:func:`train` on the processes of a run; all that holds their connection ends with it."""
    torch.manual_seed(config.seed)
    network = build_model(config.model)
    network.init_root_bias(mean_root(train_data))
    adam = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    model, optimizer = fabric.setup(network, adam)
    if validation_data is not None:
        validation_data = validation_data.to(fabric.device)
    sampler = sampler_of(train_data, config, network, fabric.device)
    unlabelled_sampler = None
    if unlabelled is not None and config.unlabelled.any:
        unlabelled_sampler = sampler_of(unlabelled, config, network, fabric.device)
    steps = config.steps_in_epoch(frames_in(train_data))

    progress, log = Progress(), []
    if resume and (run / "last.safetensors").exists():
        progress = load_checkpoint(run / "last.safetensors", config.model, network, adam)
        log = [entry for entry in read_log(run) if entry["step"] <= progress.step]
    elif not resume and fabric.is_global_zero:
        create_run(run, config)

    def save() -> None:
        if fabric.is_global_zero:
            save_checkpoint(run / "last.safetensors", config.model, progress, network, adam)

    with StopSignal() as stop:
        for epoch in range(progress.step // steps, config.epochs):
            began = time.monotonic()
            order = shuffled(len(sampler), config.seed, epoch)
            without_labels = unlabelled_sampler if epoch >= config.unlabelled.warm_up else None
            rate = config.learning_rate * config.decay**epoch
            for group in optimizer.param_groups:
                group["lr"] = rate
            model.train()
            for step in range(progress.step % steps, steps):
                torch.manual_seed(step_seed(config.seed, progress.step, fabric.global_rank))
                batch = draw_batch(sampler, config, order, step, fabric)
                if without_labels is None:
                    terms = losses.weighted_losses(model(batch.screen), batch, config.loss)
                else:
                    drawn = draw_anywhere(without_labels, config, fabric)
                    terms = semi_supervised_losses(model, batch, drawn, config)
                optimizer.zero_grad()
                fabric.backward(losses.total(terms))
                if config.max_grad_norm is not None:
                    fabric.clip_gradients(
                        model, optimizer, max_norm=config.max_grad_norm, error_if_nonfinite=False
                    )
                optimizer.step()

                progress.count(terms)
                if fabric.is_global_zero:
                    on_step({"step": progress.step, "loss": sum(progress.sums.values()) / (step + 1)})
                stopping = stop.requested_anywhere(fabric)
                if step + 1 < steps and (stopping or progress.step % config.checkpoint_every == 0):
                    save()
                    if stopping:
                        return False

            entry = {
                "epoch": epoch + 1,
                "step": progress.step,
                "rate": rate,
                "loss": sum(progress.sums.values()) / steps,
                **{f"loss/{name}": value / steps for name, value in progress.sums.items()},
                **scored(network, validation_data),
                "seconds": round(time.monotonic() - began, 1),
            }
            log.append(entry)
            if fabric.is_global_zero:
                if validation_data is None or entry["validation_mpjpe"] < progress.best:
                    save_checkpoint(run / "best.safetensors", config.model, progress, network)
                write_log(run, log)
                on_epoch(entry)
            progress.finish_epoch(entry.get("validation_mpjpe", math.inf))
            save()
            if stop.requested_anywhere(fabric) and epoch + 1 < config.epochs:
                return False
    return True


@contextmanager
def _connected(machine: Machine, config: TrainConfig) -> Iterator[Fabric]:
    """Fabric with its processes started, which disconnect at the end, whether it is a good one or not.

    PyTorch may hang or crash if a process group is destroyed while a distributed model still refers to it,
    and at the end of a process that is still connected. So no model may outlive the block.
    """
    fabric = _fabric(machine.accelerator, devices=machine.devices, precision=config.precision)
    fabric.launch()
    if fabric.world_size == 1:
        yield fabric
        return
    try:
        yield fabric
        fabric.barrier()
    except BaseException as error:
        _clear_locals(error)  # the frames in its traceback hold the model
        raise
    finally:
        gc.collect()  # distributed models are part of reference cycles
        torch.distributed.destroy_process_group()


def _clear_locals(error: BaseException | None) -> None:
    """Clear the local variables of the frames that an exception, and those that led to it, went through."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def pick_device(accelerator: Accelerator) -> torch.device:
    """The (first) device of an accelerator.

    Raises:
        InputError: this machine has no such accelerator.
    """
    return _fabric(accelerator, devices=1).device


def _fabric(accelerator: Accelerator, **options: Any) -> Fabric:
    try:
        return Fabric(accelerator=accelerator, **options)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"cannot run on accelerator {accelerator!r}: {error}") from None


def frames_in(data: PoseDataset | list[MotionClip]) -> int:
    """Frames of the data."""
    return len(data.joints) if isinstance(data, PoseDataset) else sum(map(len, data))


def mean_root(data: PoseDataset | list[MotionClip]) -> Tensor:
    """Where people are on average in front of the cameras; clips have no cameras yet."""
    return data.joints[:, 0].mean(dim=0) if isinstance(data, PoseDataset) else torch.tensor([0.0, 0.0, 4.0])


def sampler_of(
    data: PoseDataset | list[MotionClip], config: TrainConfig, network: LiftingNetwork, device: torch.device
) -> WindowSampler | RandomizedSampler:
    """What draws samples from the data, on a device."""
    window = {"run": config.frames_per_sample, "context": network.context}
    if isinstance(data, PoseDataset):
        if network.input_space != "screen":
            raise InputError(
                f"views are given in screen coordinates, and this model takes {network.input_space}"
            )
        return WindowSampler(data.to(device), **window)
    if not isinstance(config.model, RayNetConfig):
        raise InputError(
            "randomized samples are rays, which this model does not take; train a RayNet on them"
        )
    return RandomizedSampler(data, **window, randomization=config.data.randomization, flip=config.flip).to(
        device
    )


def draw_batch(
    sampler: WindowSampler | RandomizedSampler, config: TrainConfig, order: Tensor, step: int, fabric: Fabric
) -> Batch:
    """The batch of a step of an epoch: this process's share of the runs, mirrored at random."""
    size = config.batch_size // config.frames_per_sample
    if isinstance(sampler, RandomizedSampler):
        return sampler.draw(size // fabric.world_size)
    runs = order[torch.arange(step * size, (step + 1) * size) % len(order)]
    runs = runs[fabric.global_rank :: fabric.world_size]
    flip = torch.rand(len(runs)) < (0.5 if config.flip else 0)
    return sampler.gather(runs.to(fabric.device), flip.to(fabric.device))


def draw_anywhere(sampler: WindowSampler | RandomizedSampler, config: TrainConfig, fabric: Fabric) -> Batch:
    """As many samples as :func:`draw_batch` draws, from random places."""
    assert isinstance(sampler, WindowSampler)
    count = config.batch_size // config.frames_per_sample // fabric.world_size
    flip = torch.rand(count) < (0.5 if config.flip else 0)
    return sampler.gather(torch.randint(len(sampler), (count,)).to(fabric.device), flip.to(fabric.device))


def semi_supervised_losses(
    model: Callable[[Tensor], LiftedPose], batch: Batch, unlabelled: Batch, config: TrainConfig
) -> dict[str, Tensor]:
    """The losses of a step on samples with and without labels, which pass the network together."""
    pose, root = model(torch.cat((batch.screen, unlabelled.screen)))
    count = len(batch.screen)
    known, other = LiftedPose(pose[:count], root[:count]), LiftedPose(pose[count:], root[count:])
    terms = losses.weighted_losses(known, batch, config.loss)
    return terms | losses.unlabelled_losses(other, unlabelled, known, config.unlabelled)


def scored(network: LiftingNetwork, views: PoseDataset | None) -> dict[str, float]:
    """The figure to choose an epoch by, if there are views for it."""
    return {} if views is None else {"validation_mpjpe": validation_mpjpe(network, views)}


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of the flips and the dropout of a run's step, on one of its processes."""
    return _mixed(seed, step, rank + 1)


def shuffled(runs: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch's samples."""
    return torch.randperm(runs, generator=torch.Generator().manual_seed(_mixed(seed, epoch, 0)))


def _mixed(seed: int, number: int, stream: int) -> int:
    """32 bits, which is all that PyTorch's generator on a CPU takes in."""
    return (seed * 0x9E3779B1 + number * 1024 + stream) % 2**32


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

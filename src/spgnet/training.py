"""The training loop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from spgnet import losses
from spgnet.checkpoint import Progress, load_checkpoint, save_checkpoint
from spgnet.data.views import Views
from spgnet.data.windows import Batch, WindowSampler
from spgnet.evaluation import validation_mpjpe
from spgnet.models import build_model
from spgnet.recipes import TrainConfig
from spgnet.runs import check_resumable, create_run, read_log, write_log

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Machine:
    """Where to train. The result may differ in the last digits between machines."""

    accelerator: str = "auto"
    """cpu, cuda, mps or auto."""
    devices: int = 1
    """How many of them; each takes its share of every batch."""
    precision: str = "32-true"
    """Lightning Fabric's name of the precision, such as 32-true, 16-mixed or bf16-mixed."""


def train(
    config: TrainConfig,
    run: Path,
    train_views: Views,
    validation_views: Views,
    *,
    resume: bool = False,
    machine: Machine | None = None,
    on_step: Report = lambda entry: None,
    on_epoch: Report = lambda entry: None,
) -> bool:
    """Train a network and leave a run folder.

    All randomness of a step follows from the seed and the step's number, so that a resumed run goes on
    exactly as if it had never stopped.

    Args:
        config: what to train, and how.
        run: the run folder.
        train_views: data to train on.
        validation_views: data to choose the best epoch by.
        resume: go on with the run that the folder holds.
        machine: where to train.
        on_step: called after every step with its number and losses.
        on_epoch: called after every epoch with its line of the log.

    Returns:
        Whether training came to its end; False if it was stopped by Ctrl-C or SIGTERM, after a checkpoint.

    Raises:
        ValueError: the data have too few frames, or the folder does not fit the call.
    """
    machine = machine or Machine()
    fabric = Fabric(accelerator=machine.accelerator, devices=machine.devices, precision=machine.precision)  # type: ignore[arg-type]
    fabric.launch()
    torch.manual_seed(config.seed)
    network = build_model(config.model)
    network.start_trajectory_at(train_views.joints[:, 0].mean(dim=0))
    adam = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    model, optimizer = fabric.setup(network, adam)
    train_views, validation_views = train_views.to(fabric.device), validation_views.to(fabric.device)
    sampler = WindowSampler(train_views, run=config.run_length, context=network.context)
    steps = config.steps_in_epoch(len(train_views.joints))

    progress, log = Progress(), []
    if resume:
        check_resumable(run, config)
        if (run / "last.safetensors").exists():
            progress = load_checkpoint(run / "last.safetensors", config.model, network, adam)
        log = [entry for entry in read_log(run) if entry["step"] <= progress.step]
    elif fabric.is_global_zero:
        create_run(run, config)

    def save() -> None:
        if fabric.is_global_zero:
            save_checkpoint(run / "last.safetensors", config.model, progress, network, adam)

    with StopSignal() as stop:
        for epoch in range(progress.step // steps, config.epochs):
            began = time.monotonic()
            order = torch.randperm(len(sampler), generator=_generator(config.seed, epoch))
            rate = config.learning_rate * config.decay**epoch
            for group in optimizer.param_groups:
                group["lr"] = rate
            model.train()
            for step in range(progress.step % steps, steps):
                torch.manual_seed(_seed(config.seed, progress.step, fabric.global_rank))
                batch = draw_batch(sampler, config, order, step, fabric)
                terms = losses.weighted_losses(model(batch.screen), batch, config.loss)
                optimizer.zero_grad()
                fabric.backward(losses.total(terms))
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
                "validation_mpjpe": validation_mpjpe(network, validation_views),
                "seconds": round(time.monotonic() - began, 1),
            }
            log.append(entry)
            if fabric.is_global_zero:
                if entry["validation_mpjpe"] < progress.best:
                    save_checkpoint(run / "best.safetensors", config.model, progress, network)
                write_log(run, log)
                on_epoch(entry)
            progress.finish_epoch(entry["validation_mpjpe"])
            save()
            if stop.requested_anywhere(fabric) and epoch + 1 < config.epochs:
                return False
    return True


def draw_batch(
    sampler: WindowSampler, config: TrainConfig, order: Tensor, step: int, fabric: Fabric
) -> Batch:
    """The batch of a step of an epoch: this process's share of the runs, mirrored at random."""
    size = config.batch_size // config.run_length
    runs = order[torch.arange(step * size, (step + 1) * size) % len(order)]
    runs = runs[fabric.global_rank :: fabric.world_size]
    flip = torch.rand(len(runs)) < (0.5 if config.flip else 0)
    return sampler.gather(runs.to(fabric.device), flip.to(fabric.device))


def _seed(seed: int, step: int, rank: int) -> int:
    """A seed of its own for every step and process of a run."""
    return ((seed << 32) + step) * 1024 + rank + 1


def _generator(seed: int, epoch: int) -> torch.Generator:
    """The random numbers that shuffle an epoch; they differ from those of all steps."""
    return torch.Generator().manual_seed(((seed << 32) + epoch) * 1024)


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

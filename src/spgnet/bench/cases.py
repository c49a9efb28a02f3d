"""What is measured: each case times the package, and beside it another program that does the same."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spgnet import metrics
from spgnet.bench.config import BenchConfig, Case
from spgnet.bench.timing import Timing, compared, peak_memory, rates
from spgnet.data.config import DataConfig
from spgnet.data.samples import Batch
from spgnet.data.sources import load_training_data
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints
from spgnet.lifting import Lifter
from spgnet.models import LiftingNetwork, RayNet, SPGNet, SPGNetConfig, build_model
from spgnet.models.folded import FoldedEncoder
from spgnet.models.streaming import SequenceStream
from spgnet.training import losses
from spgnet.training.draws import EpochDraws, batches_of_epoch, samplers_for
from spgnet.training.recipes import RECIPES, TrainConfig

HELP = "import sys; sys.argv = ['spgnet', '--help']; from spgnet.cli import main; main()"
GPU_RECIPES = {"paper-243": 1_559_752, "randomized-gpu": 0}
"""Recipes for a GPU, and how many frames their data have: Human3.6M's training frames; steps_per_epoch."""
H100_FLOPS = {"32-true": 67e12, "bf16-mixed": 989e12}
"""Peak rates of NVIDIA's H100 SXM."""
H100_SHARE = 0.4
"""Of the peak, which large matrix products may reach; drawing the samples is not counted."""
SIZES = {"J = 27, 256 channels": ((3, 3, 3), 256), "J = 243, 1024 channels": ((3, 3, 3, 3, 3), 1024)}


class VideoPose3DCode(NamedTuple):
    """The modules of a checkout of VideoPose3D."""

    model: ModuleType
    loss: ModuleType


def load_videopose3d_code(folder: Path) -> VideoPose3DCode:
    """Import the files of a checkout of VideoPose3D that hold its networks and metrics.

    Raises:
        InputError: they are not there.
    """
    modules = []
    for name in ("model", "loss"):
        path = folder / "common" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"videopose3d_{name}", path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise InputError(f"{folder}: not a checkout of VideoPose3D (it has no common/{name}.py)")
        modules.append(importlib.util.module_from_spec(spec))
        spec.loader.exec_module(modules[-1])
    return VideoPose3DCode(*modules)


def lifting(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """Whole sequences with the mirrored average, by the pose network alone, as VideoPose3D's is."""
    for size, (widths, channels) in SIZES.items():
        frames = 4096 if channels < 1024 else 1024
        network = SPGNet(SPGNetConfig(widths, channels, 1, 0.0)).eval()
        encoder = FoldedEncoder(network.pose)
        x = torch.randn(2, frames + network.receptive_field - 1, 34)
        programs: dict[str, Callable[[], object]] = {"spgnet": lambda encoder=encoder, x=x: encoder(x)}
        if peer is not None:
            theirs = peer.model.TemporalModel(17, 2, 17, list(widths), channels=channels).eval()
            programs["peer"] = lambda net=theirs, x=x: net(x.view(2, -1, 17, 2))
        weights = sum(weight.numel() for weight in network.pose.parameters() if weight.ndim > 1)
        with torch.inference_mode():
            yield rates(
                f"lifting, {size}",
                programs,
                config.repeats,
                count=frames,
                unit="frames/s",
                peer="VideoPose3D",
                flops=2 * len(x) * frames * weights,
            )


def training(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """A step on windows by the pose network alone: forward, loss, backward and Adam."""
    for size, (widths, channels) in SIZES.items():
        windows = 1024 if channels < 1024 else 256
        x, true = torch.randn(windows, math.prod(widths), 34), torch.randn(windows, 1, 17, 3)
        ours = SPGNet(SPGNetConfig(widths, channels, 1, 0.25)).pose.train()
        programs = {"spgnet": _training_step(ours, x, true)}
        if peer is not None:
            theirs = peer.model.TemporalModelOptimized1f(17, 2, 17, list(widths), channels=channels).train()
            programs["peer"] = _training_step(theirs, x.unflatten(-1, (17, 2)), true)
        yield rates(
            f"training step on {windows} windows, {size}",
            programs,
            config.repeats,
            count=windows,
            unit="windows/s",
            peer="VideoPose3D, strided",
        )


def _training_step(network: nn.Module, x: Tensor, true: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        losses.pose_loss(network(x).view(true.shape), true).backward()
        optimizer.step()

    return step


def protocol2(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """P-MPJPE of 20,000 poses."""
    true = torch.randn(20_000, 17, 3) * torch.tensor([0.2, 0.45, 0.15])
    predicted = true + 0.05 * torch.randn(true.shape)
    programs: dict[str, Callable[[], object]] = {"spgnet": lambda: metrics.p_mpjpe(predicted, true)}
    if peer is not None:
        programs["peer"] = lambda: peer.loss.p_mpjpe(predicted.numpy(), true.numpy())
    yield rates(
        "Protocol 2",
        programs,
        config.repeats,
        count=len(true),
        unit="frames/s",
        peer="VideoPose3D, batched SVD",
    )


def live(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """One frame after the other through the network, with the mirrored average, in wall-clock time."""
    stream = SequenceStream(Lifter.from_pretrained(config.live_weights).model)
    frames, seconds = _rays(3000), []
    for rays in frames:
        began = time.perf_counter()
        stream.push(rays)
        seconds.append(time.perf_counter() - began)
    milliseconds = 1000 * np.array(seconds[200:])
    notes = {"p99": float(np.quantile(milliseconds, 0.99)), "last over first third": _growth(milliseconds)}
    yield Timing(f"one frame live, {config.live_weights}", float(np.median(milliseconds)), "ms", notes=notes)


def _growth(values: np.ndarray) -> float:
    third = len(values) // 3
    return float(np.median(values[-third:]) / np.median(values[:third]))


def samples(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """The share of a step of the recipe ``randomized`` that its samples take, on generated motion.

    Drawn between the steps, in processor time; and drawn ahead in another process, the time by the clock that
    the steps wait for it.
    """
    recipe = RECIPES["randomized"]
    network = build_model(recipe.model).train()
    assert isinstance(network, RayNet)
    data = load_training_data(DataConfig(input="randomized", generated=40))
    sampler, _ = samplers_for(recipe, data, network, torch.device("cpu"))
    count = recipe.batch_size // recipe.frames_per_sample
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def draw() -> None:
        sampler.draw(torch.arange(recipe.steps_per_draw * count))

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            lifted = network(batch.keypoints_2d, dense=recipe.dense)
        losses.total(losses.weighted_losses(lifted, batch, recipe.loss)).backward()
        optimizer.step()

    batch = sampler.draw(torch.arange(count))
    programs = {"draw": draw, "steps": lambda: [step(batch) for _ in range(recipe.steps_per_draw)]}
    seconds = compared(programs, config.repeats)
    total = seconds["draw"] + seconds["steps"]
    milliseconds = 1000 * total / recipe.steps_per_draw
    name = "drawing the samples, share of a step of randomized"
    yield Timing(name, 100 * seconds["draw"] / total, "%", notes={"step ms": milliseconds})

    steps = recipe.steps_per_draw * (2 + config.repeats)
    draws = EpochDraws(sampler, recipe, torch.arange(len(sampler)), samples=count, steps=steps, before=0)
    waits, works = [], []
    batches, began = batches_of_epoch(draws, 0, workers=1), time.perf_counter()
    for batch in batches:
        ready = time.perf_counter()
        step(batch)
        waits.append(ready - began)
        began = time.perf_counter()
        works.append(began - ready)
    warm = 2 * recipe.steps_per_draw
    waited, worked = sum(waits[warm:]), sum(works[warm:])
    milliseconds = 1000 * (waited + worked) / (steps - warm)
    name = "waiting for samples with --machine.workers 1, share of a step of randomized"
    yield Timing(name, 100 * waited / (waited + worked), "%", notes={"step ms": milliseconds})


def gpu(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """A step of the recipes for a GPU: its operations, and its time where there is a GPU."""
    for name, frames in GPU_RECIPES.items():
        recipe = RECIPES[name]
        operations, steps = operations_of_step(recipe), recipe.steps_in_epoch(frames)
        rate = H100_SHARE * H100_FLOPS[recipe.precision]
        notes: dict[str, float] = {
            "at most epochs in nine minutes of an H100": 540 * rate / operations / steps
        }
        if torch.cuda.is_available():
            seconds = seconds_of_step(recipe, torch.device("cuda"), config.repeats)
            notes |= {"ms a step here": 1000 * seconds, "epochs in nine minutes here": 540 / seconds / steps}
        yield Timing(f"a training step of {name}", operations / 1e12, "TFLOP", notes=notes)


def operations_of_step(recipe: TrainConfig) -> int:
    """Floating-point operations of the matrix products of a training step, forward and backward."""
    network = build_model(recipe.model).train()
    with FlopCounterMode(display=False) as counted:
        lifted = network(_input(recipe, network, samples=2), dense=recipe.dense)
        (lifted.pose.sum() + lifted.root.sum()).backward()
    return counted.get_total_flops() * (recipe.batch_size // recipe.frames_per_sample) // 2


def seconds_of_step(recipe: TrainConfig, device: torch.device, repeats: int) -> float:
    """Median seconds, by the clock, of a step on samples that lie on the device: all but drawing them."""
    network = build_model(recipe.model).train().to(device)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    samples = recipe.batch_size // recipe.frames_per_sample
    x = _input(recipe, network, samples).to(device)
    target = torch.rand(samples, recipe.frames_per_sample, 17, 3, device=device)

    def step() -> float:
        began = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            lifted = network(x, dense=recipe.dense)
        (losses.pose_loss(lifted.pose, target) + lifted.root.mean()).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return median([step() for _ in range(5 + repeats)][5:])


def _input(recipe: TrainConfig, network: LiftingNetwork, samples: int) -> Tensor:
    frames = network.receptive_field - 1 + recipe.frames_per_sample
    return torch.rand(samples, frames, 17, network.input_channels)


def hour(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """An hour of keypoints at 60 frames a second, in a process of its own: processor time and memory.

    Raises:
        InputError: the weights cannot be used.
    """
    Lifter.from_pretrained(config.weights)
    command = (
        f"from spgnet.bench.cases import lift_an_hour; lift_an_hour({config.weights!r}, {config.threads})"
    )
    printed = subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, text=True
    ).stdout
    seconds, before, peak = map(float, printed.split())
    notes = {"peak memory GB": peak, "before GB": before}
    yield Timing("an hour of 60 Hz keypoints, not refined", seconds, "s", notes=notes)


def lift_an_hour(weights: str, threads: int) -> None:
    """Lift somebody who sways for an hour; print the seconds, and the memory before and at its peak."""
    torch.set_num_threads(threads)
    times = np.arange(216_000) / 60
    swing = np.sin(2 * np.pi * times[:, None] + np.arange(17))
    points = np.stack((960 + 60 * swing, 300 + 30 * np.arange(17) + 20 * swing, np.full_like(swing, 0.9)), -1)
    keypoints = Keypoints(points.astype(np.float32), "human36m17", times, (1920, 1080))
    lifter = Lifter.from_pretrained(weights)
    began, before = time.process_time(), peak_memory()
    lifter.lift(keypoints)
    print(time.process_time() - began, before, peak_memory())


def start(config: BenchConfig, peer: VideoPose3DCode | None) -> Iterator[Timing]:
    """The help of the command line, in processes of its own; wall-clock time."""
    seconds = []
    for _ in range(config.repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", HELP], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    yield Timing("spgnet --help", median(seconds), "s")


CASES: dict[Case, Callable[[BenchConfig, VideoPose3DCode | None], Iterator[Timing]]] = {
    "lifting": lifting,
    "training": training,
    "protocol2": protocol2,
    "live": live,
    "samples": samples,
    "gpu": gpu,
    "hour": hour,
    "start": start,
}


def _rays(frames: int) -> Tensor:
    points = torch.randn(frames, 17, 2) / 10
    return torch.cat((points, torch.ones(frames, 17, 1)), dim=-1)

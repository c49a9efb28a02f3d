"""The samples of an epoch: their order, the seeds of what is random, and drawing them ahead of the steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spgnet.data.samples import Batch, Sampler, WindowSampler
from spgnet.data.training_data import TrainingData
from spgnet.models import LiftingNetwork
from spgnet.training.recipes import TrainConfig


def samplers_for(
    config: TrainConfig, data: TrainingData, network: LiftingNetwork, device: torch.device
) -> tuple[Sampler, WindowSampler | None]:
    """What draws the samples with labels, and those without, if there are any, for a network."""
    return data.samplers(
        frames_per_sample=config.frames_per_sample,
        context=network.context,
        input_space=network.input_space,
        with_confidence=network.takes_confidence,
        flip=config.flip,
        mirrored_copies=config.flip and config.mirrored_copies,
        exact_target=config.data.target == "exact",
        randomization=config.data.randomization,
        device=device,
    )


@dataclass(frozen=True)
class EpochDraws(Dataset[tuple[Batch, Tensor]]):
    """The draws of an epoch: the samples of ``steps_per_draw`` steps each, drawn at once.

    A draw is a batch and the state of PyTorch's generator after it, so that it does not matter in which
    process it is made. Processes that train together each draw all samples, and then take their share: so
    the samples of a step do not depend on how many processes there are.

    Args:
        sampler: draws them.
        config: with the seed and ``steps_per_draw``.
        order: the indices of the epoch's samples.
        samples: samples of a step, of all processes that train together.
        steps: steps in an epoch.
        before: steps before the epoch.
    """

    sampler: Sampler
    config: TrainConfig
    order: Tensor
    samples: int
    steps: int
    before: int

    def __len__(self) -> int:
        """The number of draws in an epoch."""
        return math.ceil(self.steps / self.config.steps_per_draw)

    def __getitem__(self, number: int) -> tuple[Batch, Tensor]:
        """A draw, by its number in the epoch."""
        first = number * self.config.steps_per_draw
        indices = torch.arange(first * self.samples, (first + self.count(number)) * self.samples)
        torch.manual_seed(step_seed(self.config.seed, self.before + first, rank=0))
        batch = self.sampler.draw(self.order[indices % len(self.order)])
        return batch, torch.get_rng_state()

    def count(self, number: int) -> int:
        """How many steps a draw is for."""
        return min(self.config.steps_per_draw, self.steps - number * self.config.steps_per_draw)


def batches_of_epoch(draws: EpochDraws, done: int, workers: int) -> Iterator[Batch]:
    """The samples of each step that an epoch has left.

    Before each, PyTorch's generator is seeded for what else is random in the step.

    Args:
        draws: of the epoch.
        done: steps of the epoch that are done.
        workers: processes that draw ahead of the steps.
    """
    config = draws.config
    numbers = range(done // config.steps_per_draw, len(draws))
    loader = DataLoader(draws, batch_size=None, sampler=numbers, num_workers=workers)
    for number, (drawn, state) in zip(numbers, loader, strict=True):
        torch.set_rng_state(state)
        first, count = number * config.steps_per_draw, draws.count(number)
        for step in range(max(done, first), first + count):
            if config.steps_per_draw > 1:
                torch.manual_seed(step_seed(config.seed, draws.before + step, rank=0))
            yield drawn if config.steps_per_draw == 1 else drawn.part(step - first, count)


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of the random changes of samples and of the dropout in a step, on one of a run's processes."""
    return _derive_seed(seed, step, rank + 1)


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """A random permutation of sample indices: the order in which an epoch draws them."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(_derive_seed(seed, epoch, 0)))


def _derive_seed(seed: int, number: int, stream: int) -> int:
    """A seed of 32 bits, which is all that PyTorch's generator on a CPU uses of one."""
    return (seed * 0x9E3779B1 + number * 1024 + stream) % 2**32

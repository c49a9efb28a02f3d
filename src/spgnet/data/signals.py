"""Random signals, smooth in time, that procedural motion is made of."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

Number = float | int


class Signals:
    """Random signals for a number of clips, smooth in time.

    They are functions of continuous time: another frame rate samples the same motion.
    """

    def __init__(self, clips: int, time: Float[Tensor, " frames"], generator: torch.Generator) -> None:
        self.clips, self.time, self.generator = clips, time, generator

    def uniform(self, low: Number, high: Number, *shape: int) -> Float[Tensor, "clips ..."]:
        """Evenly distributed numbers of a shape: one for each clip, [clips, 1], unless told."""
        unit = torch.rand(self.clips, *(shape or (1,)), generator=self.generator, dtype=torch.float64)
        return low + (high - low) * unit

    def noise(self, rate: Number, channels: int = 1) -> Float[Tensor, "clips frames channels"]:
        """Independent channels of mean 0 and variance 1, with frequencies up to a rate in Hz."""
        waves = (channels, 4)
        cycles = self.time[:, None, None] * self.uniform(0.2 * rate, rate, 1, *waves)
        cycles = cycles + self.uniform(0, 1, 1, *waves)
        return (2 * math.pi * cycles).sin().sum(dim=-1) * math.sqrt(2 / waves[1])

    def between(self, low: Number, high: Number, rate: Number) -> Float[Tensor, "clips frames"]:
        """Wander between two values and linger near them."""
        return low + (high - low) * (0.5 + 0.5 * (1.3 * self.noise(rate)[..., 0]).tanh())

    def visits(self, shortest: Number, longest: Number) -> Float[Tensor, "clips frames"]:
        """Go from 0 to 1, stay, and come back: once in a period between two lengths in seconds."""
        cycles = self.time / self.uniform(shortest, longest) + self.uniform(0, 1)
        return 0.5 + 0.5 * (2.2 * (2 * math.pi * cycles).sin() + self.uniform(-0.5, 0.5)).tanh()

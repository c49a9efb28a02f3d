"""Time of a training step by three evaluations of the same temporal network, as ratios in one run.

Windows (gathered taps, kernel = stride), dense (dilated taps), and windows through strided ``Conv1d`` layers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
import tyro
from torch import Tensor, nn

from spgnet.models.temporal import TemporalEncoder


@dataclass(frozen=True)
class Timing:
    """What to time."""

    widths: tuple[int, ...] = (3, 3, 3)
    """Filter widths; the receptive field is their product."""
    channels: int = 256
    """Hidden channels."""
    samples: int = 64
    """Samples in a batch."""
    run: int = 2
    """Consecutive output frames of a sample."""
    repeats: int = 30
    """Steps timed of each."""


class StridedConvolutions(nn.Module):
    """The windows' evaluation with ``Conv1d`` layers whose stride is their kernel, channels first."""

    def __init__(self, inputs: int, outputs: int, widths: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.widths = widths
        self.first = self._layer(inputs, channels, widths[0])
        self.wide = nn.ModuleList(self._layer(channels, channels, width) for width in widths[1:])
        self.narrow = nn.ModuleList(self._layer(channels, channels, 1) for _ in widths[1:])
        self.last = nn.Conv1d(channels, outputs, 1)

    @staticmethod
    def _layer(inputs: int, outputs: int, width: int) -> nn.Module:
        convolution = nn.Conv1d(inputs, outputs, width, stride=width, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm1d(outputs), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Frames [batch, frames, inputs] to [windows, outputs, 1]."""
        field = int(torch.tensor(self.widths).prod())
        x = self.first(x.unfold(1, field, 1).flatten(0, 1))
        for wide, narrow, width in zip(self.wide, self.narrow, self.widths[1:], strict=True):
            x = x[:, :, width // 2 :: width] + narrow(wide(x))
        return self.last(x)


def main() -> None:
    timing = tyro.cli(Timing, description=__doc__)
    encoder = TemporalEncoder(
        34, 51, filter_widths=timing.widths, channels=timing.channels, dropout=0.0, causal=False
    )
    convolutions = StridedConvolutions(34, 51, timing.widths, timing.channels)
    frames = int(torch.tensor(timing.widths).prod()) + timing.run - 1
    x = torch.randn(timing.samples, frames, 34)
    candidates: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
        "windows": (encoder, lambda: encoder(x)),
        "dense": (encoder, lambda: encoder(x, dense=True)),
        "strided Conv1d": (convolutions, lambda: convolutions(x)),
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for repeat in range(timing.repeats + 3):
        for name, (model, forward) in candidates.items():
            model.zero_grad()
            began = time.perf_counter()
            forward().square().mean().backward()
            if repeat >= 3:
                times[name].append(time.perf_counter() - began)
    fastest = median(times["windows"])
    print("| evaluation | forward and backward, relative to windows |\n| --- | ---: |")
    for name, values in times.items():
        print(f"| {name} | {median(values) / fastest:.2f} |")


if __name__ == "__main__":
    main()

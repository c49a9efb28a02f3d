"""The temporal encoder of Section 3.3: dilated convolutions in residual pairs.

A convolution over time is a matrix product on its gathered taps: the ``width`` frames that one output
frame looks at, side by side. All that differs between the two evaluations is where the taps are.

- Strided, for windows that yield a single output frame: the taps are neighbours, and each layer leaves
  one frame in ``width``. Gathering is a reshape, and no frame is computed that is not needed.
- Dense, for sequences: the taps lie ``dilation`` frames apart, and each layer keeps (nearly) all frames.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul

import torch
from jaxtyping import Float
from torch import Tensor, nn


def strided_taps(x: Float[Tensor, "b frames f"], width: int) -> Float[Tensor, "b shorter {width} f"]:
    """Cut the frames into groups of ``width`` neighbours."""
    return x.unflatten(1, (-1, width))


def dilated_taps(
    x: Float[Tensor, "b frames f"], width: int, dilation: int
) -> Float[Tensor, "b kept {width} f"]:
    """For every frame that has them all, the ``width`` frames that start there, ``dilation`` apart."""
    kept = x.shape[1] - (width - 1) * dilation
    return torch.stack([x[:, i * dilation : i * dilation + kept] for i in range(width)], dim=2)


class Layer(nn.Module):
    """Equation 5: dropout of ReLU of batch norm of a linear map."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b t inputs"]) -> Float[Tensor, "b t outputs"]:
        """Frame by frame."""
        normed = self.norm(self.linear(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.dropout(normed.relu())


class Pair(nn.Module):
    """Two layers, ``width`` frames wide and then one, and the residual connection around them."""

    def __init__(self, channels: int, width: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.wide = Layer(channels * width, channels, dropout)
        self.narrow = Layer(channels, channels, dropout)
        self.kept_tap = width - 1 if causal else width // 2

    def forward(self, taps: Float[Tensor, "b t width f"]) -> Float[Tensor, "b t f"]:
        """One output frame for each group of taps."""
        return taps[:, :, self.kept_tap] + self.narrow(self.wide(taps.flatten(2)))


class TemporalEncoder(nn.Module):
    """From frames of input features to the output features of the frames with a whole receptive field.

    Args:
        inputs: features of an input frame.
        outputs: features of an output frame.
        filter_widths: frames per filter, of the input layer and of each residual pair; the receptive
            field is their product.
        channels: width of the hidden layers.
        dropout: probability of dropping a hidden feature in training.
        causal: the output frame is the last of its receptive field instead of the middle one.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        filter_widths: tuple[int, ...],
        channels: int,
        dropout: float,
        causal: bool,
    ) -> None:
        super().__init__()
        self.widths = filter_widths
        self.dilations = tuple(accumulate(filter_widths[:-1], mul, initial=1))
        self.first = Layer(inputs * filter_widths[0], channels, dropout)
        self.pairs = nn.ModuleList(Pair(channels, width, dropout, causal) for width in filter_widths[1:])
        self.last = nn.Linear(channels, outputs)

    def forward(
        self, x: Float[Tensor, "b frames inputs"], *, dense: bool = False
    ) -> Float[Tensor, "b kept outputs"]:
        """Encode; without ``dense``, window by window."""
        return self._dense(x) if dense else self._windows(x)

    def _dense(self, x: Tensor) -> Tensor:
        x = self.first(dilated_taps(x, self.widths[0], 1).flatten(2))
        for pair, width, dilation in zip(self.pairs, self.widths[1:], self.dilations[1:], strict=True):
            x = pair(dilated_taps(x, width, dilation))
        return self.last(x)

    def _windows(self, x: Tensor) -> Tensor:
        windows = x.unfold(1, prod(self.widths), 1).transpose(2, 3)
        x = self.first(strided_taps(windows.flatten(0, 1), self.widths[0]).flatten(2))
        for pair, width in zip(self.pairs, self.widths[1:], strict=True):
            x = pair(strided_taps(x, width))
        return self.last(x).reshape(*windows.shape[:2], -1)

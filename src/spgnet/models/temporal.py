"""The temporal encoder of Section 3.3: dilated convolutions over time in residual blocks.

A convolution over time is a matrix product with its gathered taps: the ``width`` input frames that one output
frame depends on, side by side. The encoder can be evaluated in two ways, which differ only in where the taps
are and give the same result:

- Strided, for windows that yield a single output frame: the taps are neighbours, and each convolution leaves
  one frame in ``width``. Gathering is a reshape, and no frame is computed that is not needed.
- Dense, for sequences: the taps lie ``dilation`` frames apart, and each convolution keeps every frame that
  has all of its taps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn
from torch.nn.functional import conv2d

from spgnet.errors import InputError
from spgnet.models.network import ModelConfig


def strided_taps(
    x: Float[Tensor, "batch frames features"], width: int
) -> Float[Tensor, "batch groups {width} features"]:
    """The frames in groups of ``width`` neighbours; ``frames`` is a multiple of ``width``."""
    return x.unflatten(1, (-1, width))


def dilated_taps(
    x: Float[Tensor, "batch frames features"], width: int, dilation: int
) -> Float[Tensor, "batch kept {width} features"]:
    """For every frame that has them all, the ``width`` frames that start there, ``dilation`` apart."""
    kept = x.shape[1] - (width - 1) * dilation
    return torch.stack([x[:, i * dilation : i * dilation + kept] for i in range(width)], dim=2)


class ReceptiveField:
    """Base of the configs of temporal networks: the receptive field that follows from their filters.

    Attributes:
        filter_widths: frames per filter of each temporal layer.
        causal: look at past frames only.
    """

    filter_widths: tuple[int, ...]
    causal: bool

    @property
    def receptive_field(self) -> int:
        """J: the number of input frames behind one output frame."""
        return prod(self.filter_widths)

    @property
    def context(self) -> tuple[int, int]:
        """How many of these come before and after the output frame."""
        before = self.receptive_field - 1 if self.causal else self.receptive_field // 2
        return before, self.receptive_field - 1 - before

    def filter_errors(self) -> list[str]:
        """What is wrong with the filter widths."""
        if not self.filter_widths or any(width < 1 or width % 2 == 0 for width in self.filter_widths):
            return [f"filter widths must be odd and positive, got {self.filter_widths}"]
        return []


@dataclass(frozen=True)
class EncodersConfig(ReceptiveField, ModelConfig):
    """The size of a pose and a trajectory encoder; as it stands, the paper's: J = 243, 1024 channels.

    Raises:
        InputError: a filter width is not odd and positive, or another value is out of its range.
    """

    filter_widths: tuple[int, ...] = (3, 3, 3, 3, 3)
    """Frames per filter of each temporal layer; the receptive field J is their product."""
    channels: int = 1024
    """Width of the hidden layers of the pose encoder."""
    trajectory_channels: int = 1024
    """Width of the hidden layers of the trajectory encoder."""
    dropout: float = 0.25
    """Probability of dropping a hidden feature in training."""
    causal: bool = False
    """Look at past frames only, for live use."""

    def __post_init__(self) -> None:
        if errors := self.filter_errors():
            raise InputError(errors[0])
        if min(self.channels, self.trajectory_channels) < 1:
            raise InputError(f"channels must be positive, got {self.channels} and {self.trajectory_channels}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1), got {self.dropout}")


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization of the last dimension (channels last), with statistics over all others.

    Where several processes train together, the statistics are those of the samples of all of them, so that
    the result is that of one process. PyTorch's ``SyncBatchNorm`` does the same on GPUs alone.
    """

    def forward(self, input: Float[Tensor, "*nodes features"]) -> Float[Tensor, "*nodes features"]:
        """Normalize every feature."""
        rows = input.reshape(-1, input.shape[-1])
        if self.training and distributed.is_available() and distributed.is_initialized():
            return self._over_processes(rows).view(input.shape)
        return super().forward(rows).view(input.shape)

    def _over_processes(self, rows: Float[Tensor, "rows features"]) -> Float[Tensor, "rows features"]:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        values = rows.float()
        count = _SumOverProcesses.apply(values.new_tensor(float(len(values))))
        mean = _SumOverProcesses.apply(values.sum(dim=0)) / count
        centered = values - mean
        variance = _SumOverProcesses.apply(centered.square().sum(dim=0)) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return (centered * (variance + self.eps).rsqrt() * self.weight + self.bias).to(rows.dtype)


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes that train together; its gradient is summed over them, too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


class Linear(nn.Linear):
    """A linear map of the last dimension, through oneDNN where that is on a CPU.

    PyTorch gives products of matrices in single precision to MKL and convolutions to oneDNN, which is twice
    as fast on processors of AMD. A convolution of one tap goes there only if it is dilated (in a single
    thread), and the dilation of one tap means nothing.
    """

    def forward(self, input: Float[Tensor, "*nodes inputs"]) -> Float[Tensor, "*nodes outputs"]:
        """Map every vector."""
        rows = input.numel() // self.in_features
        plain = input.device.type != "cpu" or input.dtype != torch.float32 or rows < _FEW_ROWS
        if plain or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        vectors = input.reshape(1, 1, rows, self.in_features).permute(0, 3, 1, 2)
        mapped = conv2d(vectors, self.weight[:, :, None, None], self.bias, dilation=2)
        return mapped.permute(0, 2, 3, 1).reshape(*input.shape[:-1], self.out_features)


_FEW_ROWS = 64
"""Vectors below which a convolution takes longer to set up than it saves."""


class Dropout(nn.Dropout):
    """Dropout whose mask takes a fifth of the time to draw on a CPU.

    There PyTorch draws a number of double precision for every feature, which took up to 30 % of a training
    step. This draws 16 random bits, so that the probability is rounded to a multiple of 2^-16.
    """

    def forward(self, input: Float[Tensor, "*features"]) -> Float[Tensor, "*features"]:
        """Drop features at random in training, and scale the others so that the mean stays the same."""
        kept = round((1 - self.p) * 2**16)
        draws_bits = input.device.type == "cpu" and 0 < kept < 2**16 and not torch.compiler.is_compiling()
        if not self.training or not draws_bits:
            return super().forward(input)
        words = torch.empty((input.numel() + 3) // 4, dtype=torch.int64, device=input.device)
        words.random_(-(2**63), None)
        bits = words.view(torch.int16)[: input.numel()].view(input.shape)
        mask = torch.lt(bits, kept - 2**15, out=torch.empty_like(input))
        return input * mask.mul_(2**16 / kept)


class ConvBlock(nn.Module):
    """Equation 5: convolution (a linear map of the taps), batch normalization, ReLU and dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.linear = Linear(inputs, outputs, bias=False)
        self.norm = BatchNorm(outputs)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch frames inputs"]) -> Float[Tensor, "batch frames outputs"]:
        """Apply the block to each frame, whose features are its taps side by side."""
        return self.dropout(self.norm(self.linear(x)).relu())


class ResidualBlock(nn.Module):
    """A dilated convolution of ``width`` frames, a pointwise one, and the residual connection around both.

    The paper counts it as two residual blocks. The residual is the tap at the output frame's own time: the
    center tap, or the last one if ``causal``.
    """

    def __init__(self, channels: int, width: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.dilated = ConvBlock(channels * width, channels, dropout)
        self.pointwise = ConvBlock(channels, channels, dropout)
        self.residual_tap = width - 1 if causal else width // 2

    def forward(
        self, taps: Float[Tensor, "batch frames width channels"]
    ) -> Float[Tensor, "batch frames channels"]:
        """One output frame for each group of taps."""
        return taps[:, :, self.residual_tap] + self.pointwise(self.dilated(taps.flatten(2)))


class TemporalEncoder(nn.Module):
    """From the input frames to the output frames that have a whole receptive field.

    An input block, residual blocks, and a linear head for each output frame.

    Args:
        inputs: features of an input frame.
        outputs: features of an output frame.
        filter_widths: frames per filter, of the input block and of each residual block; their product is
            the receptive field J.
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
        self.filter_widths = filter_widths
        self.dilations = tuple(accumulate(filter_widths[:-1], mul, initial=1))
        self.input_block = ConvBlock(inputs * filter_widths[0], channels, dropout)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels, width, dropout, causal) for width in filter_widths[1:]
        )
        self.head = nn.Linear(channels, outputs)

    @property
    def residual_blocks(self) -> list[ResidualBlock]:
        """``blocks`` with the type of its elements."""
        return [cast(ResidualBlock, block) for block in self.blocks]

    def forward(
        self, x: Float[Tensor, "batch frames inputs"], *, dense: bool = False
    ) -> Float[Tensor, "batch kept outputs"]:
        """The outputs of the ``frames - J + 1`` frames that have a whole receptive field.

        Args:
            x: input features.
            dense: share the work between neighbouring output frames, instead of computing each by itself.
        """
        return self._dense(x) if dense else self._windows(x)

    def _dense(self, x: Tensor) -> Tensor:
        x = self.input_block(dilated_taps(x, self.filter_widths[0], 1).flatten(2))
        for block, width, dilation in zip(
            self.blocks, self.filter_widths[1:], self.dilations[1:], strict=True
        ):
            x = block(dilated_taps(x, width, dilation))
        return self.head(x)

    def _windows(self, x: Tensor) -> Tensor:
        windows = x.unfold(1, prod(self.filter_widths), 1).transpose(2, 3)  # [batch, kept, J, inputs]
        x = self.input_block(strided_taps(windows.flatten(0, 1), self.filter_widths[0]).flatten(2))
        for block, width in zip(self.blocks, self.filter_widths[1:], strict=True):
            x = block(strided_taps(x, width))
        return self.head(x).reshape(*windows.shape[:2], -1)

"""Trained networks made faster: batch normalization becomes part of the convolution before it.

In evaluation a batch norm scales and shifts each feature by constants, so the linear map before it can do
that. The results differ by rounding alone.
"""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from spgnet.models.network import LiftingNetwork, check_evaluation_mode
from spgnet.models.temporal import ConvBlock, ResidualBlock, TemporalEncoder


def fold_batch_norm(model: LiftingNetwork) -> LiftingNetwork:
    """A network for lifting sequences (``dense=True``), with the result of ``model``; that stays as it is.

    A network without a temporal encoder is returned as it is.

    >>> from spgnet.models import SPGNet, SPGNetConfig
    >>> model = SPGNet(SPGNetConfig(filter_widths=(3, 3), channels=64, trajectory_channels=32)).eval()
    >>> keypoints = torch.rand(1, 12, 17, 2)
    >>> torch.allclose(fold_batch_norm(model)(keypoints, dense=True).pose, model(keypoints).pose, atol=1e-5)
    True

    Args:
        model: in evaluation mode.

    Raises:
        InputError: it is in training mode.
    """
    encoders = [module for module in model.modules() if isinstance(module, TemporalEncoder)]
    if not encoders:
        return model
    return copy.deepcopy(model, {id(encoder): FoldedEncoder(encoder) for encoder in encoders})


def fold_linear(block: ConvBlock) -> nn.Linear:
    """The linear map of a block with its batch norm; a ReLU completes the block in evaluation mode.

    Raises:
        InputError: the block is in training mode.
    """
    check_evaluation_mode(block)
    return fuse_linear_bn_eval(block.linear, block.norm)


class FoldedEncoder(nn.Module):
    """A :class:`TemporalEncoder` in evaluation mode, as dilated convolutions over whole sequences.

    On a CPU these are faster than matrix products of gathered taps. They are two-dimensional, of height 1,
    since oneDNN is fastest with channels last, and PyTorch knows that layout for images.

    Args:
        encoder: in evaluation mode; its weights are copied.
        stride: step between the input frames of a receptive field.
    """

    def __init__(self, encoder: TemporalEncoder, stride: int = 1) -> None:
        super().__init__()
        widths, dilations = encoder.filter_widths, [stride * dilation for dilation in encoder.dilations]
        self.input_block = _convolution(fold_linear(encoder.input_block), widths[0], dilations[0])
        self.blocks = nn.ModuleList(
            FoldedResidualBlock(block, width, dilation)
            for block, width, dilation in zip(encoder.residual_blocks, widths[1:], dilations[1:], strict=True)
        )
        self.head = _convolution(encoder.head)

    def forward(
        self, x: Float[Tensor, "batch frames inputs"], *, dense: bool = True
    ) -> Float[Tensor, "batch kept outputs"]:
        """The outputs of the ``frames - J + 1`` frames that have a whole receptive field.

        Args:
            x: input features.
            dense: always true: window by window it is not evaluated.
        """
        assert dense
        hidden = self.input_block(x.unsqueeze(1).permute(0, 3, 1, 2)).relu_()
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(hidden).permute(0, 2, 3, 1).squeeze(1)


class FoldedResidualBlock(nn.Module):
    """A :class:`ResidualBlock` whose batch norms are part of its convolutions."""

    def __init__(self, block: ResidualBlock, width: int, dilation: int) -> None:
        super().__init__()
        self.dilated = _convolution(fold_linear(block.dilated), width, dilation)
        self.pointwise = _convolution(fold_linear(block.pointwise))
        self.first = block.residual_tap * dilation

    def forward(self, x: Float[Tensor, "batch channels 1 frames"]) -> Float[Tensor, "batch channels 1 kept"]:
        """One output frame for each that has all of its taps."""
        residual = self.pointwise(self.dilated(x).relu_()).relu_()
        return residual.add_(x[..., self.first : self.first + residual.shape[-1]])


def _convolution(linear: nn.Linear, width: int = 1, dilation: int = 2) -> nn.Conv2d:
    """The convolution over time that a linear map of ``width`` taps, side by side, is.

    That of one tap is called dilated, which means nothing but leads it to oneDNN
    (:class:`spgnet.models.temporal.Linear`).
    """
    inputs = linear.in_features // width
    convolution = nn.utils.skip_init(
        nn.Conv2d, inputs, linear.out_features, (1, width), dilation=(1, dilation)
    )
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    with torch.no_grad():
        kernel = linear.weight.unflatten(1, (width, inputs)).mT.unsqueeze(2)
        convolution.weight = nn.Parameter(kernel.clone(memory_format=torch.channels_last))
        convolution.bias.copy_(linear.bias)
    return convolution.requires_grad_(False).eval()

"""Liu et al. (CVPR 2020): temporal convolutions at several scales, with attention to frames and to kernels.

"Attention Mechanism Exploits Temporal Contexts: Real-time 3D Human Pose Reconstruction". As in VideoPose3D,
every layer leaves one frame in three, until one is left. In addition:

- temporal attention: before each layer, frames are weighted by the similarity of their 2D poses to that of
  the center frame (cosine of the poses relative to the pelvis);
- kernel attention: each layer convolves with three dilations, and weights them against each other for each
  channel;
- several scales: the input and the output of each layer have skip connections to the later layers, by
  convolutions on the center frames of longer and longer segments.

Layers and sizes are those of the official code's common/model.py, which is the non-causal network for
J = 243. That code works for five layers only; fewer or more are our extension of the same pattern. For the
trajectory, which that paper does not predict, VideoPose3D's encoder is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, mish

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import LiftedPose, LiftingNetwork, ModelConfig, root_relative
from spgnet.models.temporal import BatchNorm, Dropout, TemporalEncoder

DILATIONS = 3
"""Kernels in each kernel attention, dilated by 1, 2 and 3."""


@dataclass(frozen=True)
class AttentionConfig(ModelConfig):
    """The network with attention; as it stands, the official size: J = 243, 14.52 M weights for the pose.

    Raises:
        InputError: a value is out of its range.
    """

    layers: int = 5
    """Number of layers, each of which leaves one frame in three; the receptive field J is 3 to its power."""
    channels: int = 1024
    """Width of the hidden layers of the pose network, a multiple of ``groups``."""
    trajectory_channels: int = 1024
    """Width of the hidden layers of the trajectory encoder."""
    groups: int = 8
    """Groups of the grouped convolutions in a kernel attention."""
    squeeze: int = 128
    """Width of the hidden layer that computes the weights of a kernel attention."""
    dropout: float = 0.2
    """Probability of dropping a hidden feature in training."""

    def __post_init__(self) -> None:
        if self.layers < 2:
            raise InputError(f"layers must be at least 2, got {self.layers}")
        if min(self.channels, self.trajectory_channels, self.groups, self.squeeze) < 1:
            raise InputError(
                "channels, trajectory_channels, groups and squeeze must be positive, got "
                f"{self.channels}, {self.trajectory_channels}, {self.groups} and {self.squeeze}"
            )
        if self.channels % self.groups:
            raise InputError(f"channels must be a multiple of groups, got {self.channels} and {self.groups}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def receptive_field(self) -> int:
        """J: the number of input frames behind one output frame."""
        return 3**self.layers


def center_frames(
    x: Float[Tensor, "batch frames *features"], segment: int
) -> Float[Tensor, "batch segments *features"]:
    """The center frame of each segment of that many frames."""
    return x[:, segment // 2 :: segment]


def uniform_parameter(*shape: int, fan_in: int) -> nn.Parameter:
    """Fresh weights of a linear map from ``fan_in`` inputs, from PyTorch's uniform distribution."""
    return nn.Parameter(torch.empty(shape).uniform_(-(fan_in**-0.5), fan_in**-0.5))


class SeparableConv(nn.Module):
    """A depthwise convolution over groups of three frames, and a pointwise one."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.depthwise = uniform_parameter(3, inputs, fan_in=3)
        self.norm = BatchNorm(inputs)
        self.pointwise = nn.Sequential(nn.Linear(inputs, outputs, bias=False), BatchNorm(outputs))
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch frames inputs"]) -> Float[Tensor, "batch groups outputs"]:
        """One frame for each group of three."""
        filtered = (x.unflatten(1, (-1, 3)) * self.depthwise).sum(dim=2)
        return self.dropout(mish(self.pointwise(self.norm(filtered))))


class PointwiseBlock(nn.Module):
    """A pointwise convolution: a linear map of the channels of each frame."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels, bias=False)
        self.norm = BatchNorm(channels)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch frames channels"]:
        """Apply the block to each frame."""
        return self.dropout(mish(self.norm(self.linear(x))))


class KernelAttention(nn.Module):
    """Separable convolutions over groups of three frames with three dilations, and a softmax over them.

    The softmax's weights depend on the mean over time of the sum of all three. The dilated convolutions reach
    into the neighbouring groups; at the ends of the window its first and last frame are repeated.
    """

    def __init__(self, channels: int, groups: int, squeeze: int) -> None:
        super().__init__()
        size = channels // groups
        self.depthwise = uniform_parameter(DILATIONS, 3, channels, fan_in=3)
        self.depthwise_norm = BatchNorm(DILATIONS * channels)
        self.pointwise = uniform_parameter(DILATIONS, groups, size, size, fan_in=size)
        self.pointwise_norm = BatchNorm(DILATIONS * channels)
        self.squeeze = nn.Linear(channels, squeeze)
        self.logits = nn.Linear(squeeze, DILATIONS * channels)

    def forward(self, x: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch groups channels"]:
        """One frame for each group of three."""
        kernels = self._convolve(x)
        squeezed = self.squeeze(kernels.sum(dim=2).mean(dim=1))
        weights = self.logits(squeezed).unflatten(-1, (DILATIONS, -1)).softmax(dim=1)
        return (kernels * weights.unsqueeze(1)).sum(dim=2)

    def _convolve(self, x: Tensor) -> Tensor:
        """The outputs of the three convolutions: [batch, groups, dilations, channels]."""
        margin = DILATIONS - 1
        first, last = x[:, :1].expand(-1, margin, -1), x[:, -1:].expand(-1, margin, -1)
        padded = torch.cat((first, x, last), dim=1)
        frames = padded.unfold(1, 3 + 2 * margin, 3).unbind(-1)  # of every group with its margins
        filtered = [self._dilated(frames, i) for i in range(DILATIONS)]
        normed = self.depthwise_norm(torch.cat(filtered, dim=-1)).unflatten(-1, self.pointwise.shape[:3])
        mixed = torch.einsum("btdgi,dgio->btdgo", normed, self.pointwise)
        return mish(self.pointwise_norm(mixed.flatten(2))).unflatten(-1, (DILATIONS, -1))

    def _dilated(self, frames: tuple[Tensor, ...], i: int) -> Tensor:
        """The depthwise convolution with dilation i + 1 around the center frame of each group."""
        before, center, after = self.depthwise[i]
        dilation = i + 1
        return (
            before * frames[DILATIONS - dilation]
            + center * frames[DILATIONS]
            + after * frames[DILATIONS + dilation]
        )


class TemporalAttention(nn.Module):
    """A weight in (0, 1) for each frame of a layer, from all input frames' similarity to the center one."""

    def __init__(self, frames: int, weights: int) -> None:
        super().__init__()
        self.linear = nn.Linear(frames, weights)
        self.norm = BatchNorm(weights)

    def forward(self, similarity: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch weights 1"]:
        """The weights of the frames of a layer."""
        return self.norm(self.linear(similarity)).sigmoid().unsqueeze(-1)


class PoseAttention(nn.Module):
    """The pose network: a window of J input frames to the pose of the center frame."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        levels, channels, dropout = config.layers - 1, config.channels, config.dropout
        frames, inputs, joints = config.receptive_field, 2 * len(HUMAN36M), 3 * len(HUMAN36M)
        self.input_blocks = nn.ModuleList(SeparableConv(inputs, channels, dropout) for _ in range(levels))
        self.temporal_attention = nn.ModuleList(
            TemporalAttention(frames, frames // 3**i) for i in range(1, levels + 1)
        )
        self.kernel_blocks = nn.ModuleList(
            nn.Sequential(
                KernelAttention(channels, config.groups, config.squeeze),
                Dropout(dropout),
                PointwiseBlock(channels, dropout),
            )
            for _ in range(levels)
        )
        self.skips = nn.ModuleDict(
            {
                f"{level}-{later}": nn.Sequential(
                    SeparableConv(channels, channels, dropout), PointwiseBlock(channels, dropout)
                )
                for level in range(levels)
                for later in range(level + 2, levels)
            }
        )
        self.head = nn.Linear(channels, joints)

    def forward(self, windows: Float[Tensor, "batch frames 17 2"]) -> Float[Tensor, "batch 51"]:
        """Level by level, each of which leaves one frame in three."""
        features, similarity = windows.flatten(2), similarity_to_center(windows)
        levels = len(self.temporal_attention)
        incoming = {
            level: [block(center_frames(features, 3**level))] for level, block in enumerate(self.input_blocks)
        }
        x = incoming[0].pop()
        for level in range(levels):
            weights, residual = self.temporal_attention[level](similarity), center_frames(x, 3)
            x = weights * x
            for later in range(level + 2, levels):
                segment = 3 ** (later - level - 1)
                skip = self.skips[f"{level}-{later}"](center_frames(x, segment))
                incoming[later].append(center_frames(residual, segment) + skip)
            x = residual + self.kernel_blocks[level](x + weights * sum(incoming[level]))
        return self.head(x.squeeze(1))


def similarity_to_center(windows: Float[Tensor, "batch frames 17 2"]) -> Float[Tensor, "batch frames"]:
    """Cosine similarity of the 2D pose of each frame to that of the center one, relative to the pelvis."""
    poses = (windows - windows[:, :, :1]).flatten(2)
    return cosine_similarity(poses, center_frames(poses, poses.shape[1]), dim=-1, eps=1e-6)


class Attention(LiftingNetwork):
    """Liu et al.'s network for the pose and VideoPose3D's for the trajectory, on screen coordinates.

    See :class:`AttentionConfig` for its size and :class:`LiftingNetwork` for how it is called.
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.receptive_field = config.receptive_field
        self.context = (self.receptive_field // 2, self.receptive_field // 2)
        self.chunk = max(1, 2**25 // (self.receptive_field * config.channels))  # about 1 GB
        self.pose = PoseAttention(config)
        self.trajectory = TemporalEncoder(
            2 * len(HUMAN36M),
            3,
            filter_widths=(3,) * config.layers,
            channels=config.trajectory_channels,
            dropout=config.dropout,
            causal=False,
        )

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> LiftedPose:
        """Lift screen coordinates; the pose always window by window, as all depends on the center frame."""
        windows = keypoints_2d.unfold(1, self.receptive_field, 1).movedim(-1, 2)
        pose = self.pose(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        root = self.trajectory(keypoints_2d.flatten(2), dense=dense)
        return LiftedPose(root_relative(pose), root.unsqueeze(-2))

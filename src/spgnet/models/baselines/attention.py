"""Liu et al. (CVPR 2020): temporal convolutions at several scales, with attention to frames and to kernels.

"Attention Mechanism Exploits Temporal Contexts: Real-time 3D Human Pose Reconstruction". As in VideoPose3D,
every layer leaves one frame in three, until one is left. Besides,

- temporal attention: before each layer, frames are weighted by how much their 2D poses are like that of the
  middle frame (cosine of the poses relative to the pelvis);
- kernel attention: each layer convolves with three dilations, and weighs them against each other, channel by
  channel;
- several scales: the output of each layer, and the input, also go straight to the later layers, by
  convolutions on the frames in the middle of longer and longer stretches.

Layers and sizes are those of the official code's common/model.py, which is the non-causal network for
J = 243. It works for five layers alone; fewer or more are our extension of the same pattern. For the
trajectory, which that paper does not predict, VideoPose3D's encoder stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, mish

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import Lifted, LiftingNetwork, Norm, rooted
from spgnet.models.temporal import TemporalEncoder

DILATIONS = 3
"""Kernels in each kernel attention, dilated by 1, 2 and 3."""


@dataclass(frozen=True)
class AttentionConfig:
    """The network with attention; as it stands, the official size: J = 243, 14.52 M weights for the pose.

    Raises:
        InputError: a value is out of its range.
    """

    layers: int = 5
    """Layers that leave one frame in three; the receptive field J is 3 to their number."""
    channels: int = 1024
    """Width of the hidden layers of the pose network, a multiple of ``groups``."""
    trajectory_channels: int = 1024
    """Width of the hidden layers of the trajectory encoder."""
    groups: int = 8
    """Groups of channels that the kernels of a kernel attention keep apart."""
    squeeze: int = 128
    """Width of the layer by which a kernel attention weighs its kernels."""
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


def middles(x: Float[Tensor, "b frames *f"], stretch: int) -> Float[Tensor, "b shorter *f"]:
    """The middle frame of each stretch of that many."""
    return x[:, stretch // 2 :: stretch]


def spread(*shape: int, inputs: int) -> nn.Parameter:
    """Fresh weights of a linear map from so many inputs, as PyTorch draws them."""
    return nn.Parameter(torch.empty(shape).uniform_(-(inputs**-0.5), inputs**-0.5))


class Separable(nn.Module):
    """A convolution over groups of three frames, channel by channel, and then across the channels."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.taps = spread(3, inputs, inputs=3)
        self.norm = Norm(inputs)
        self.across = nn.Sequential(nn.Linear(inputs, outputs, bias=False), Norm(outputs))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b frames inputs"]) -> Float[Tensor, "b shorter outputs"]:
        """One frame for three."""
        alone = (x.unflatten(1, (-1, 3)) * self.taps).sum(dim=2)
        return self.dropout(mish(self.across(self.norm(alone))))


class Mixing(nn.Module):
    """A layer across the channels, frame by frame."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels, bias=False)
        self.norm = Norm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b t f"]) -> Float[Tensor, "b t f"]:
        """Frame by frame."""
        return self.dropout(mish(self.norm(self.linear(x))))


class KernelAttention(nn.Module):
    """Convolutions over groups of three frames by three dilations, weighted by what all of them saw.

    The dilated ones reach into the neighbouring groups; at the ends of the window its last frame is repeated.
    """

    def __init__(self, channels: int, groups: int, squeeze: int) -> None:
        super().__init__()
        size = channels // groups
        self.taps = spread(DILATIONS, 3, channels, inputs=3)
        self.tap_norm = Norm(DILATIONS * channels)
        self.across = spread(DILATIONS, groups, size, size, inputs=size)
        self.across_norm = Norm(DILATIONS * channels)
        self.squeeze = nn.Linear(channels, squeeze)
        self.weigh = nn.Linear(squeeze, DILATIONS * channels)

    def forward(self, x: Float[Tensor, "b frames f"]) -> Float[Tensor, "b shorter f"]:
        """One frame for three."""
        kernels = self._kernels(x)
        everything = self.squeeze(kernels.sum(dim=2).mean(dim=1))
        weights = self.weigh(everything).unflatten(-1, (DILATIONS, -1)).softmax(dim=1)
        return (kernels * weights.unsqueeze(1)).sum(dim=2)

    def _kernels(self, x: Tensor) -> Tensor:
        reach = DILATIONS - 1
        ends = x[:, :1].expand(-1, reach, -1), x[:, -1:].expand(-1, reach, -1)
        seen = torch.cat((ends[0], x, ends[1]), dim=1).unfold(1, 3 + 2 * reach, 3).unbind(-1)
        alone = [self._dilated(seen, i) for i in range(DILATIONS)]
        normed = self.tap_norm(torch.cat(alone, dim=-1)).unflatten(-1, self.across.shape[:3])
        across = torch.einsum("btdgi,dgio->btdgo", normed, self.across)
        return mish(self.across_norm(across.flatten(2))).unflatten(-1, (DILATIONS, -1))

    def _dilated(self, seen: tuple[Tensor, ...], i: int) -> Tensor:
        before, middle, after = self.taps[i]
        reach = i + 1
        return before * seen[DILATIONS - reach] + middle * seen[DILATIONS] + after * seen[DILATIONS + reach]


class TemporalAttention(nn.Module):
    """A weight in (0, 1) for each frame of a layer, by how like the middle frame all frames are."""

    def __init__(self, frames: int, weights: int) -> None:
        super().__init__()
        self.linear = nn.Linear(frames, weights)
        self.norm = nn.BatchNorm1d(weights)

    def forward(self, likeness: Float[Tensor, "b frames"]) -> Float[Tensor, "b weights 1"]:
        """Weigh the frames of a layer."""
        return self.norm(self.linear(likeness)).sigmoid().unsqueeze(-1)


class PoseAttention(nn.Module):
    """The pose network: a window of J input frames to the pose of the middle one."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        levels, channels, dropout = config.layers - 1, config.channels, config.dropout
        frames, inputs, joints = config.receptive_field, 2 * len(HUMAN36M), 3 * len(HUMAN36M)
        self.first = nn.ModuleList(Separable(inputs, channels, dropout) for _ in range(levels))
        self.frames = nn.ModuleList(TemporalAttention(frames, frames // 3**i) for i in range(1, levels + 1))
        self.kernels = nn.ModuleList(
            nn.Sequential(
                KernelAttention(channels, config.groups, config.squeeze),
                nn.Dropout(dropout),
                Mixing(channels, dropout),
            )
            for _ in range(levels)
        )
        self.leaps = nn.ModuleDict(
            {
                f"{level}-{later}": nn.Sequential(
                    Separable(channels, channels, dropout), Mixing(channels, dropout)
                )
                for level in range(levels)
                for later in range(level + 2, levels)
            }
        )
        self.last = nn.Linear(channels, joints)

    def forward(self, windows: Float[Tensor, "b frames 17 2"]) -> Float[Tensor, "b 51"]:
        """Level by level, one frame in three."""
        features, likeness, levels = windows.flatten(2), like_the_middle(windows), len(self.frames)
        arriving = {level: [first(middles(features, 3**level))] for level, first in enumerate(self.first)}
        x = arriving[0].pop()
        for level in range(levels):
            weights, kept = self.frames[level](likeness), middles(x, 3)
            x = weights * x
            for later in range(level + 2, levels):
                stretch = 3 ** (later - level - 1)
                leap = self.leaps[f"{level}-{later}"](middles(x, stretch))
                arriving[later].append(middles(kept, stretch) + leap)
            x = kept + self.kernels[level](x + weights * sum(arriving[level]))
        return self.last(x.squeeze(1))


def like_the_middle(windows: Float[Tensor, "b frames 17 2"]) -> Float[Tensor, "b frames"]:
    """Cosine between the pose of each frame and that of the middle one, relative to the pelvis."""
    poses = (windows - windows[:, :, :1]).flatten(2)
    return cosine_similarity(poses, middles(poses, poses.shape[1]), dim=-1, eps=1e-6)


class Attention(LiftingNetwork):
    """See :class:`AttentionConfig` and :class:`LiftingNetwork`."""

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

    def forward(self, screen: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> Lifted:
        """Lift screen coordinates; the pose always window by window, as all depends on the middle frame."""
        windows = screen.unfold(1, self.receptive_field, 1).movedim(-1, 2)
        pose = self.pose(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        return Lifted(rooted(pose), self.trajectory(screen.flatten(2), dense=dense).unsqueeze(-2))

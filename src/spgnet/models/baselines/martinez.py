"""Martinez et al. (ICCV 2017), "A simple yet effective baseline": a residual MLP on single frames.

It lifts a pose relative to its root. For the trajectory, which that paper does not predict, a second MLP of
the same form is added, as in VideoPose3D.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import LiftedPose, LiftingNetwork, ModelConfig, root_relative
from spgnet.models.temporal import ConvBlock


@dataclass(frozen=True)
class MartinezConfig(ModelConfig):
    """The residual MLP; as it stands, the published size: 1024 units, two blocks, 4.29 M weights.

    Raises:
        InputError: a value is out of its range.
    """

    channels: int = 1024
    """Width of the hidden layers of the pose network."""
    trajectory_channels: int = 1024
    """Width of the hidden layers of the trajectory network."""
    blocks: int = 2
    """Residual blocks, of two layers each."""
    dropout: float = 0.5
    """Probability of dropping a hidden feature in training."""

    def __post_init__(self) -> None:
        if min(self.channels, self.trajectory_channels, self.blocks) < 1:
            raise InputError(
                "channels, trajectory_channels and blocks must be positive, got "
                f"{self.channels}, {self.trajectory_channels} and {self.blocks}"
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1), got {self.dropout}")


class ResidualMLP(nn.Module):
    """An input block, residual blocks of two blocks each, and a linear head."""

    def __init__(self, inputs: int, outputs: int, *, channels: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.input_block = ConvBlock(inputs, channels, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(ConvBlock(channels, channels, dropout), ConvBlock(channels, channels, dropout))
            for _ in range(blocks)
        )
        self.head = nn.Linear(channels, outputs)

    def forward(self, x: Float[Tensor, "batch frames inputs"]) -> Float[Tensor, "batch frames outputs"]:
        """Apply the MLP to each frame."""
        x = self.input_block(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class Martinez(LiftingNetwork):
    """A residual MLP for the pose and one for the trajectory, on screen coordinates of single frames.

    See :class:`MartinezConfig` for its size and :class:`LiftingNetwork` for how it is called.
    """

    receptive_field = 1
    context = (0, 0)

    def __init__(self, config: MartinezConfig) -> None:
        super().__init__()
        joints, shared = len(HUMAN36M), {"blocks": config.blocks, "dropout": config.dropout}
        self.pose = ResidualMLP(2 * joints, 3 * joints, channels=config.channels, **shared)
        self.trajectory = ResidualMLP(2 * joints, 3, channels=config.trajectory_channels, **shared)

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> LiftedPose:
        """Lift screen coordinates; with single frames, ``dense`` makes no difference."""
        features = keypoints_2d.flatten(2)
        return LiftedPose(root_relative(self.pose(features)), self.trajectory(features).unsqueeze(-2))

"""SPGNet: a pose encoder and a trajectory encoder over time.

The network is VideoPose3D's (the paper's Baseline), and SPGNet differs from it by its losses alone: see
:mod:`spgnet.training.losses` for the projector's guidance and the kinematic constraint.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from jaxtyping import Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import Lifted, LiftingNetwork, rooted
from spgnet.models.temporal import TemporalEncoder


@dataclass(frozen=True)
class SPGNetConfig:
    """The temporal network; as it stands, the paper's: J = 243, 1024 channels, 16.95 M weights for the pose.

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
        if not self.filter_widths or any(w < 1 or w % 2 == 0 for w in self.filter_widths):
            raise InputError(f"filter widths must be odd and positive, got {self.filter_widths}")
        if min(self.channels, self.trajectory_channels) < 1:
            raise InputError(f"channels must be positive, got {self.channels} and {self.trajectory_channels}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def receptive_field(self) -> int:
        """J: the number of input frames behind one output frame."""
        return prod(self.filter_widths)

    @property
    def context(self) -> tuple[int, int]:
        """How many of these come before and after the output frame."""
        before = self.receptive_field - 1 if self.causal else self.receptive_field // 2
        return before, self.receptive_field - 1 - before


class SPGNet(LiftingNetwork):
    """See :class:`SPGNetConfig` and :class:`LiftingNetwork`."""

    def __init__(self, config: SPGNetConfig) -> None:
        super().__init__()
        self.receptive_field, self.context = config.receptive_field, config.context
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        joints = len(HUMAN36M)
        self.pose = TemporalEncoder(2 * joints, 3 * joints, channels=config.channels, **shared)
        self.trajectory = TemporalEncoder(2 * joints, 3, channels=config.trajectory_channels, **shared)

    def forward(self, screen: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> Lifted:
        """Lift screen coordinates, window by window or densely."""
        features = screen.flatten(2)
        root = self.trajectory(features, dense=dense)
        return Lifted(rooted(self.pose(features, dense=dense)), root.unsqueeze(-2))

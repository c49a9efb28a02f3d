"""SPGNet: a pose encoder and a trajectory encoder over time.

The network is that of VideoPose3D (the paper's Baseline). SPGNet differs from it by its losses alone: the
projector's guidance and the kinematic constraint, in :mod:`spgnet.training.losses`.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import LiftedPose, LiftingNetwork, root_relative
from spgnet.models.temporal import ReceptiveField, TemporalEncoder


@dataclass(frozen=True)
class SPGNetConfig(ReceptiveField):
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
        if errors := self.filter_errors():
            raise InputError(errors[0])
        if min(self.channels, self.trajectory_channels) < 1:
            raise InputError(f"channels must be positive, got {self.channels} and {self.trajectory_channels}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1), got {self.dropout}")


class SPGNet(LiftingNetwork):
    """The paper's network: a pose encoder and a trajectory encoder on screen coordinates.

    See :class:`SPGNetConfig` for its size and :class:`LiftingNetwork` for how it is called.

    >>> import torch
    >>> model = SPGNet(SPGNetConfig(filter_widths=(3, 3), channels=64, trajectory_channels=32)).eval()
    >>> lifted = model(torch.zeros(2, 12, 17, 2))  # two clips of 12 frames, J = 9
    >>> lifted.pose.shape, lifted.root.shape, lifted.joints.shape
    (torch.Size([2, 4, 17, 3]), torch.Size([2, 4, 1, 3]), torch.Size([2, 4, 17, 3]))
    """

    def __init__(self, config: SPGNetConfig) -> None:
        super().__init__()
        self.receptive_field, self.context = config.receptive_field, config.context
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        joints = len(HUMAN36M)
        self.pose = TemporalEncoder(2 * joints, 3 * joints, channels=config.channels, **shared)
        self.trajectory = TemporalEncoder(2 * joints, 3, channels=config.trajectory_channels, **shared)

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> LiftedPose:
        """Lift screen coordinates, window by window or densely."""
        features = keypoints_2d.flatten(2)
        root = self.trajectory(features, dense=dense)
        return LiftedPose(root_relative(self.pose(features, dense=dense)), root.unsqueeze(-2))

"""SPGNet: a pose encoder and a trajectory encoder over time.

The network is that of VideoPose3D (the paper's Baseline). The paper's SPGNet differs from it by its losses
alone: the projector's guidance and the kinematic constraint, in :mod:`spgnet.training.losses`. The options of
:class:`SPGNetConfig` beyond the network's size are not the paper's; they ask what such guidance is worth in
another form, and which part of other networks makes them accurate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M, TRUNK
from spgnet.models.baselines.martinez import ResidualMLP
from spgnet.models.network import LiftedPose, LiftingNetwork, root_relative
from spgnet.models.rays import TYPICAL_RADIUS, PerspectiveCrop, backproject, rotation_towards
from spgnet.models.temporal import EncodersConfig, TemporalEncoder

TYPICAL_FOCAL_LENGTH = 2.29
"""Of Human3.6M's cameras, in screen units: half image widths."""
CENTRED_SCALE = 3.0
"""Factor of 2D joints relative to the pelvis: a person fills about a third of an image."""


@dataclass(frozen=True)
class SPGNetConfig(EncodersConfig):
    """The temporal network; as it stands, the paper's: J = 243, 1024 channels, 16.95 M weights for the pose.

    Raises:
        InputError: a filter width is not odd and positive, or another value is out of its range.
    """

    output: Literal["joints", "rays"] = "joints"
    """What the encoders answer in: coordinates of joints and root, or depths along the joints' viewing rays
    and corrections of their 2D input, which project onto the input by construction."""
    centred: bool = False
    """Give the pose encoder the 2D joints relative to the pelvis, and the pelvis."""
    confidence: bool = False
    """Take the detector's confidence of each joint, too; the data must have it (docs/datasets.md)."""
    shared: bool = False
    """One encoder, of ``channels``, for pose and trajectory."""
    frame_blocks: int = 0
    """Residual blocks that each frame passes by itself before the pose encoder."""
    frame_channels: int = 512
    """Width of these blocks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frame_blocks < 0 or self.frame_channels < 1:
            raise InputError(
                "frame_blocks must not be negative and frame_channels positive, got "
                f"{self.frame_blocks} and {self.frame_channels}"
            )


class SPGNet(LiftingNetwork):
    """The paper's network: a pose encoder and a trajectory encoder on screen coordinates.

    See :class:`SPGNetConfig` for its size and :class:`LiftingNetwork` for how it is called.

    >>> import torch
    >>> model = SPGNet(SPGNetConfig(filter_widths=(3, 3), channels=64, trajectory_channels=32)).eval()
    >>> lifted = model(torch.zeros(2, 12, 17, 2))  # two clips of 12 frames, J = 9
    >>> lifted.pose.shape, lifted.root.shape, lifted.joints.shape
    (torch.Size([2, 4, 17, 3]), torch.Size([2, 4, 1, 3]), torch.Size([2, 4, 17, 3]))

    Attributes:
        focal_length: of all cameras, in screen units; learnt, and only there with the output along rays.
    """

    def __init__(self, config: SPGNetConfig) -> None:
        super().__init__()
        self.config = config
        self.receptive_field, self.context = config.receptive_field, config.context
        self.takes_confidence = config.confidence
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        joints = len(HUMAN36M)
        seen = self.input_channels * joints
        inputs, outputs = seen, 3 * joints + (config.output == "rays")
        self.frame = nn.Identity()
        if config.frame_blocks:
            self.frame = ResidualMLP(
                inputs,
                config.channels,
                channels=config.frame_channels,
                blocks=config.frame_blocks,
                dropout=config.dropout,
            )
            inputs = config.channels
        own = 0 if config.shared else config.trajectory_channels
        self.pose = TemporalEncoder(inputs, outputs + (0 if own else 3), channels=config.channels, **shared)
        encoders = [self.pose]
        if own:
            encoders.append(TemporalEncoder(seen, 3, channels=own, **shared))
            self.trajectory = encoders[1]
        if config.output == "rays":
            self.focal_length = nn.Parameter(torch.tensor(TYPICAL_FOCAL_LENGTH))
            with torch.no_grad():  # start with a flat person of typical size, not with a random one
                for encoder in encoders:
                    encoder.head.weight.mul_(0.1)
                self.pose.head.bias.zero_()[3 * joints] = math.log(TYPICAL_RADIUS)

    def forward(
        self, keypoints_2d: Float[Tensor, "batch frames 17 channels"], *, dense: bool = False
    ) -> LiftedPose:
        """Lift screen coordinates, and perhaps the confidence in them, window by window or densely."""
        screen, confidence = keypoints_2d[..., :2], keypoints_2d[..., 2:].flatten(2)
        absolute = torch.cat((screen.flatten(2), confidence), dim=-1)
        features = torch.cat((_centred(screen), confidence), dim=-1) if self.config.centred else absolute
        # The trajectory first: stored runs drew its dropout before the pose's.
        root = None if self.config.shared else self.trajectory(absolute, dense=dense)
        pose = self.pose(self.frame(features), dense=dense)
        if root is None:
            pose, root = pose[..., :-3], pose[..., -3:]
        if self.config.output == "joints":
            return LiftedPose(root_relative(pose), root.unsqueeze(-2))
        before = self.context[0]
        return backproject(pose, root, self._crop(screen[:, before : before + pose.shape[1]]))

    def init_root_bias(self, root: Float[Tensor, " 3"]) -> None:
        """Make a fresh network predict roots near this point; along rays, people of typical size."""
        if self.config.output == "rays":
            root = root.new_tensor([0.0, 0.0, math.log(TYPICAL_RADIUS)])
        head = (self.pose if self.config.shared else self.trajectory).head
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.bias[-3:] = root

    def _crop(self, screen: Float[Tensor, "batch frames 17 2"]) -> PerspectiveCrop:
        """The view of a camera that is turned to the person, as of :class:`RayNet`, but of all joints."""
        rays = screen / self.focal_length
        rotation = rotation_towards(rays[..., TRUNK, :].mean(dim=-2))
        turned = torch.cat((rays, torch.ones_like(rays[..., :1])), dim=-1) @ rotation.mT
        points = turned[..., :2] / turned[..., 2:].clamp_min(0.05)
        size = points.square().sum(dim=-1).mean(dim=-1).sqrt().clamp_min(1e-4)[..., None, None]
        return PerspectiveCrop(screen.flatten(2), points / size, rotation, size)


def _centred(keypoints_2d: Float[Tensor, "batch frames 17 2"]) -> Float[Tensor, "batch frames 34"]:
    """The joints relative to the pelvis, scaled to a size of about one, and the pelvis."""
    root = keypoints_2d[..., :1, :]
    relative = CENTRED_SCALE * (keypoints_2d[..., 1:, :] - root)
    return torch.cat((relative.flatten(2), root.flatten(2)), dim=-1)

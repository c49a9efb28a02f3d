"""VideoPose3D (Pavllo et al., CVPR 2019) as its authors' own weights need it.

The network is SPGNet's. What differs is around it: their coordinates have their origin in the middle of the
image; weights without a trajectory are common; and some put out HumanEva's joints or take COCO's keypoints.
:func:`spgnet.videopose3d.load_videopose3d` reads the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.data.humaneva_files import JOINTS
from spgnet.models.network import Lifted, LiftingNetwork, rooted
from spgnet.models.spgnet import SPGNetConfig
from spgnet.models.temporal import TemporalEncoder
from spgnet.skeleton import HUMAN36M

InputJoints = Literal["human36m17", "coco17"]
OutputJoints = Literal["human36m17", "humaneva15"]
INPUT_JOINTS = 17
"""Joints of the input, in either order."""
OUTPUT_JOINTS: dict[OutputJoints, int] = {"human36m17": 17, "humaneva15": 15}
"""How many joints the network puts out, by the name of their order."""
BETWEEN = {"spine": ("pelvis", "thorax"), "nose": ("thorax", "head_top")}
"""The joints that HumanEva lacks, and the two that each is put in the middle of."""


@dataclass(frozen=True)
class VideoPose3DConfig(SPGNetConfig):
    """SPGNet's network on VideoPose3D's coordinates, for weights of that project."""

    trajectory: bool = True
    """Predict where the person is; without, it can be evaluated and not trained."""
    keypoints: InputJoints = "human36m17"
    """Order of the input joints. COCO's have other twins, so such input is not to be mirrored by
    ``Skeleton.flip``, and Human3.6M's joints are no substitute for it."""
    joints: OutputJoints = "human36m17"
    """What the pose encoder puts out. HumanEva's joints become Human3.6M's, the two that are missing (spine
    and nose) halfway between their neighbours."""


class NoTrajectory(nn.Module):
    """Stands where a trajectory encoder would be: everybody is at the camera's centre."""

    def __init__(self, receptive_field: int) -> None:
        super().__init__()
        self.receptive_field = receptive_field

    def forward(
        self, x: Float[Tensor, "b frames inputs"], *, dense: bool = False
    ) -> Float[Tensor, "b kept 3"]:
        """Zeros."""
        return x.new_zeros(len(x), x.shape[1] - self.receptive_field + 1, 3)


class VideoPose3D(LiftingNetwork):
    """See :class:`VideoPose3DConfig` and :class:`LiftingNetwork`.

    Attributes:
        config: what it was made of.
        has_trajectory: whether the root means anything. Without, it is zero.
    """

    sees = "image"
    as_human36m: Tensor

    def __init__(self, config: VideoPose3DConfig) -> None:
        super().__init__()
        self.config, self.has_trajectory = config, config.trajectory
        self.receptive_field, self.context = config.receptive_field, config.context
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        inputs, outputs = 2 * INPUT_JOINTS, 3 * OUTPUT_JOINTS[config.joints]
        self.pose = TemporalEncoder(inputs, outputs, channels=config.channels, **shared)
        self.trajectory = (
            TemporalEncoder(inputs, 3, channels=config.trajectory_channels, **shared)
            if config.trajectory
            else NoTrajectory(config.receptive_field)
        )
        self.register_buffer("as_human36m", human36m_of_humaneva(), persistent=False)

    def forward(self, screen: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> Lifted:
        """Lift joints in VideoPose3D's coordinates, window by window or densely."""
        features = screen.flatten(2)
        pose, root = self.pose(features, dense=dense), self.trajectory(features, dense=dense)
        if self.config.joints == "humaneva15":
            pose = (self.as_human36m @ pose.unflatten(-1, (-1, 3))).flatten(2)
        return Lifted(rooted(pose), root.unsqueeze(-2))

    def start_trajectory_at(self, root: Float[Tensor, " 3"]) -> None:
        """Let a fresh network place everybody around this point, in metres, in the camera frame.

        Raises:
            ValueError: it has no trajectory to start.
        """
        if not self.has_trajectory:
            raise ValueError("a network without a trajectory cannot be trained here, only evaluated")
        super().start_trajectory_at(root)


def human36m_of_humaneva() -> Float[Tensor, "17 15"]:
    """The weights by which HumanEva's 15 joints make Human3.6M's 17."""
    weights = torch.zeros(len(HUMAN36M), len(JOINTS))
    for joint, name in enumerate(HUMAN36M.names):
        sources = BETWEEN.get(name, (name,))
        weights[joint, [JOINTS.index(source) for source in sources]] = 1 / len(sources)
    return weights

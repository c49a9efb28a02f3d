"""The network for any camera: SPGNet's encoders on rays, through a virtual camera that faces the person.

Rays are undistorted, normalized image points (x / z, y / z), so nothing depends on the focal length or the
size of the image. In every frame a virtual camera at the same centre is rotated to face the person's trunk,
and its view is divided by the person's size in it. This is a perspective crop (as in Yu et al., "PCLs:
Geometry-aware Neural Reconstruction of 3D Pose with Perspective Crop Layers", CVPR 2021): the same pose looks
the same anywhere in the image, near and far. The encoders predict the scale from the crop to metres, the
depth of each joint relative to the root, and a correction of each 2D keypoint. Back-projection turns these
into joints, which are rotated back into the camera frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M, TRUNK
from spgnet.models.network import LiftedPose, LiftingNetwork
from spgnet.models.temporal import EncodersConfig, TemporalEncoder

SPINE = HUMAN36M.names.index("spine")
SPINE_NEIGHBOURS = tuple(map(HUMAN36M.names.index, ("pelvis", "thorax")))
DETECTED_JOINTS = tuple(joint for joint in range(len(HUMAN36M)) if joint != SPINE)
"""The joints that the encoders see: no detector has the spine, which is interpolated from its neighbours."""
TYPICAL_RADIUS = 0.45
"""Root mean square distance of a person's joints from the middle of the trunk, across the view, in metres."""


@dataclass(frozen=True)
class RayNetConfig(EncodersConfig):
    """SPGNet's network on rays with a third channel that says which joints are visible.

    Raises:
        InputError: a value is out of its range.
    """

    rates: tuple[float, float] = (20.0, 40.0)
    """Frames per second that it is for; of faster clips it looks at every second frame, every third, ..."""

    def __post_init__(self) -> None:
        super().__post_init__()
        slow, fast = self.rates
        if not 0 < slow <= fast < math.inf:
            raise InputError(
                f"rates must be two positive numbers, the lower one first, got {slow} and {fast}"
            )


class PerspectiveCrop(NamedTuple):
    """The view of the virtual camera in each frame, and its rotation and scale.

    Attributes:
        features: input of the encoders.
        points: the joints in the view, in units of ``size``; the spine is between its neighbours.
        rotation: from the camera frame to the virtual camera's frame.
        size: root mean square distance of the joints from the middle of the trunk, on the virtual camera's
            plane at depth 1.
    """

    features: Float[Tensor, "batch frames features"]
    points: Float[Tensor, "batch frames 17 2"]
    rotation: Float[Tensor, "batch frames 3 3"]
    size: Float[Tensor, "batch frames 1 1"]

    def select_frames(self, first: int, count: int) -> PerspectiveCrop:
        """``count`` frames from the ``first`` on."""
        return PerspectiveCrop(*(value[:, first : first + count] for value in self))


class RayNet(LiftingNetwork):
    """SPGNet's encoders on rays, for any camera.

    See :class:`RayNetConfig` for its size and :class:`LiftingNetwork` for how it is called. The channels of
    its input are x / z, y / z, and 1 where the joint is visible or 0 where a gap was filled.

    >>> import torch
    >>> model = RayNet(RayNetConfig(filter_widths=(3, 3), channels=64, trajectory_channels=32)).eval()
    >>> rays = torch.cat((0.1 * torch.randn(1, 12, 17, 2), torch.ones(1, 12, 17, 1)), dim=-1)
    >>> model(rays).joints.shape  # one clip of 12 frames, J = 9
    torch.Size([1, 4, 17, 3])
    """

    input_space = "rays"

    def __init__(self, config: RayNetConfig) -> None:
        super().__init__()
        self.config = config
        self.receptive_field, self.context = config.receptive_field, config.context
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        inputs = 3 * len(DETECTED_JOINTS) + 3
        self.pose = TemporalEncoder(inputs, 3 * len(HUMAN36M) + 1, channels=config.channels, **shared)
        self.trajectory = TemporalEncoder(inputs, 3, channels=config.trajectory_channels, **shared)
        with torch.no_grad():  # start with a flat person of typical size, not with a random one
            for encoder in (self.pose, self.trajectory):
                encoder.head.weight.mul_(0.1)
            self.pose.head.bias.zero_()[-1] = math.log(TYPICAL_RADIUS)

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 3"], *, dense: bool = False) -> LiftedPose:
        """Lift rays, window by window or densely; mixed precision leaves geometry in single precision."""
        single_precision = torch.autocast(keypoints_2d.device.type, enabled=False)
        with single_precision:
            crop = crop_to_person(keypoints_2d)
        pose = self.pose(crop.features, dense=dense)
        root = self.trajectory(crop.features, dense=dense)
        with single_precision:
            output_crop = crop.select_frames(self.context[0], pose.shape[1])
            return backproject(pose.to(keypoints_2d.dtype), root.to(keypoints_2d.dtype), output_crop)

    def stride(self, fps: float) -> int:
        """The smallest step that brings a clip's frame rate to at most ``rates[1]``."""
        return max(1, math.ceil(fps / self.config.rates[1] - 0.01))

    def init_root_bias(self, root: Float[Tensor, " 3"]) -> None:
        """Make a fresh network predict people of typical size in the crop's middle; ``root`` is not used."""
        super().init_root_bias(root.new_tensor([0.0, 0.0, math.log(TYPICAL_RADIUS)]))


def crop_to_person(rays: Float[Tensor, "batch frames 17 3"]) -> PerspectiveCrop:
    """Rotate a virtual camera to face the person in every frame, and scale its view by the person's size.

    Args:
        rays: x / z, y / z, and 1 where the joint is visible or 0 where a gap was filled.
    """
    center = rays[..., TRUNK, :2].mean(dim=-2)
    rotation = rotation_towards(center)
    points, visible = rays[..., DETECTED_JOINTS, :2], rays[..., DETECTED_JOINTS, 2]
    rotated = torch.cat((points, torch.ones_like(points[..., :1])), dim=-1) @ rotation.mT
    projected = rotated[..., :2] / rotated[..., 2:].clamp_min(0.05)
    size = projected.square().sum(dim=-1).mean(dim=-1).sqrt().clamp_min(1e-4)[..., None, None]
    scaled = projected / size
    features = (scaled.flatten(2), visible, center, (size[..., 0] / 0.12).log())
    neighbours = [DETECTED_JOINTS.index(joint) for joint in SPINE_NEIGHBOURS]
    spine = scaled[..., neighbours, :].mean(dim=-2, keepdim=True)
    points = torch.cat((scaled[..., :SPINE, :], spine, scaled[..., SPINE:, :]), dim=-2)
    return PerspectiveCrop(torch.cat(features, dim=-1), points, rotation, size)


def rotation_towards(ray: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation into the frame of a camera that is turned from the z axis to a ray and not rolled."""
    forward = normalize(torch.cat((ray, torch.ones_like(ray[..., :1])), dim=-1), dim=-1)
    down = torch.zeros_like(forward)
    down[..., 1] = 1
    right = normalize(torch.linalg.cross(down, forward), dim=-1)
    return torch.stack((right, torch.linalg.cross(forward, right), forward), dim=-2)


def backproject(
    pose: Float[Tensor, "batch frames 52"], root: Float[Tensor, "batch frames 3"], crop: PerspectiveCrop
) -> LiftedPose:
    """The joints in the camera frame, in metres, from the outputs of the encoders.

    Args:
        pose: for each joint a correction of its point in the crop, in units of the crop's size, and its depth
            relative to the root in metres; last, the logarithm of the scale, in metres per unit.
        root: a correction of the root's point in the crop, and the logarithm of a scale of its own, from
            which the distance follows; its own, so that neither task disturbs the other.
        crop: the crop at the output frames.
    """
    scale, offset = _scale(pose[..., None, 51:]), pose[..., :51].unflatten(-1, (-1, 3))
    depth_ratio = (1 + offset[..., 2:] * crop.size / scale).clamp_min(0.05)  # joint's depth / root's depth
    joints = torch.cat(((crop.points + offset[..., :2]) * scale * depth_ratio, offset[..., 2:]), dim=-1)
    root_scale = _scale(root[..., None, 2:])
    across = (crop.points[..., :1, :] + root[..., None, :2]) * root_scale
    position = torch.cat((across, root_scale / crop.size), dim=-1)
    return LiftedPose((joints - joints[..., :1, :]) @ crop.rotation, position @ crop.rotation)


def _scale(logarithm: Float[Tensor, "batch frames 1 1"]) -> Float[Tensor, "batch frames 1 1"]:
    return logarithm.clamp(-5, 5).exp()

"""The network for any camera: SPGNet's encoders on rays, seen by a virtual camera that faces the person.

Rays are undistorted, normalised image points (x / z, y / z), so nothing depends on the focal length or
the size of the image. In every frame a virtual camera at the same place is turned towards the person's
trunk (a perspective crop: no matter where in the image the person is, the same pose looks the same), and
what it sees is divided by its size, so that one network serves near and far. The encoders say how much
larger the person is in metres, how far joints are before and behind the root, and by how much what was seen
of them is wrong; projection backwards makes joints of that, which are turned back at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from spgnet.geometry.skeleton import HUMAN36M, TRUNK
from spgnet.models.network import Lifted, LiftingNetwork
from spgnet.models.spgnet import SPGNetConfig
from spgnet.models.temporal import TemporalEncoder

SPINE = HUMAN36M.names.index("spine")
SPINE_BETWEEN = tuple(map(HUMAN36M.names.index, ("pelvis", "thorax")))
DETECTED = tuple(joint for joint in range(len(HUMAN36M)) if joint != SPINE)
"""What the network looks at: no detector has the spine, which is only ever put between its neighbours."""
TYPICAL_RADIUS = 0.45
"""Root mean square distance of a person's joints from the middle of the trunk, across the view, in metres."""


@dataclass(frozen=True)
class RayNetConfig(SPGNetConfig):
    """SPGNet's network on rays with a third channel that says which joints were seen."""

    rates: tuple[float, float] = (20.0, 40.0)
    """Frames per second that it is for; of faster clips it looks at every second frame, every third, ..."""


class Crop(NamedTuple):
    """What the virtual camera of each frame sees, and how it stands.

    Attributes:
        features: input of the encoders.
        points: where the joints are in it, in units of ``size``; the spine is between its neighbours.
        turn: rotation from the camera frame to the virtual camera's.
        size: root mean square distance of the joints from the middle of the trunk, in rays.
    """

    features: Float[Tensor, "batch frames features"]
    points: Float[Tensor, "batch frames 17 2"]
    turn: Float[Tensor, "batch frames 3 3"]
    size: Float[Tensor, "batch frames 1 1"]

    def frames(self, first: int, count: int) -> Crop:
        """A range of the frames."""
        return Crop(*(value[:, first : first + count] for value in self))


class RayNet(LiftingNetwork):
    """See :class:`RayNetConfig` and :class:`LiftingNetwork`; called with rays ``[batch, frames, 17, 3]``.

    The channels are x / z, y / z, and 1 where the joint was seen or 0 where a gap was filled.
    """

    input_space = "rays"

    def __init__(self, config: RayNetConfig) -> None:
        super().__init__()
        self.config = config
        self.receptive_field, self.context = config.receptive_field, config.context
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        inputs = 3 * len(DETECTED) + 3
        self.pose = TemporalEncoder(inputs, 3 * len(HUMAN36M) + 1, channels=config.channels, **shared)
        self.trajectory = TemporalEncoder(inputs, 3, channels=config.trajectory_channels, **shared)
        with torch.no_grad():  # start with a flat person of typical size, not with a random one
            for encoder in (self.pose, self.trajectory):
                encoder.last.weight.mul_(0.1)
            self.pose.last.bias.zero_()[-1] = math.log(TYPICAL_RADIUS)

    def forward(self, screen: Float[Tensor, "batch frames 17 3"], *, dense: bool = False) -> Lifted:
        """Lift rays, window by window or densely; mixed precision leaves geometry in single precision."""
        exactly = torch.autocast(screen.device.type, enabled=False)
        with exactly:
            seen = crop(screen)
        pose, offset = (encoder(seen.features, dense=dense) for encoder in (self.pose, self.trajectory))
        with exactly:
            shown = seen.frames(self.context[0], pose.shape[1])
            return place(pose.to(screen.dtype), offset.to(screen.dtype), shown)

    def stride(self, fps: float) -> int:
        """1, or as many as bring the rate of faster clips down to those that the network is for."""
        return max(1, math.ceil(fps / self.config.rates[1] - 0.01))

    def init_root_bias(self, root: Float[Tensor, " 3"]) -> None:
        """Start with everybody of typical size in the middle of the virtual camera, wherever the data are."""
        super().init_root_bias(root.new_tensor([0.0, 0.0, math.log(TYPICAL_RADIUS)]))


def crop(rays: Float[Tensor, "batch frames 17 3"]) -> Crop:
    """Turn a virtual camera towards the person in every frame, and describe what it sees."""
    middle = rays[..., TRUNK, :2].mean(dim=-2)
    turn = towards(middle)
    points, seen = rays[..., DETECTED, :2], rays[..., DETECTED, 2]
    depths = torch.cat((points, torch.ones_like(points[..., :1])), dim=-1) @ turn.mT
    flat = depths[..., :2] / depths[..., 2:].clamp_min(0.05)
    size = flat.square().sum(dim=-1).mean(dim=-1).sqrt().clamp_min(1e-4)[..., None, None]
    flat = flat / size
    features = (flat.flatten(2), seen, middle, (size[..., 0] / 0.12).log())
    spine = flat[..., [DETECTED.index(joint) for joint in SPINE_BETWEEN], :].mean(dim=-2, keepdim=True)
    points = torch.cat((flat[..., :SPINE, :], spine, flat[..., SPINE:, :]), dim=-2)
    return Crop(torch.cat(features, dim=-1), points, turn, size)


def towards(ray: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation into the frame of a camera that is turned from the z axis to a ray and not rolled."""
    forward = normalize(torch.cat((ray, torch.ones_like(ray[..., :1])), dim=-1), dim=-1)
    down = torch.zeros_like(forward)
    down[..., 1] = 1
    right = normalize(torch.linalg.cross(down, forward), dim=-1)
    return torch.stack((right, torch.linalg.cross(forward, right), forward), dim=-2)


def place(
    pose: Float[Tensor, "batch frames 52"], offset: Float[Tensor, "batch frames 3"], seen: Crop
) -> Lifted:
    """The encoders' outputs as joints in the camera frame, in metres.

    Args:
        pose: for each joint what to add to its place in the crop, in units of its size, and its depth beyond
            the root's in metres; then the logarithm of the metres in a unit.
        offset: what to add to the root's place in the crop, and the logarithm of the metres in a unit, from
            which its distance follows; its own, so that neither task disturbs the other.
        seen: the crop of the output frames.
    """
    scale, shift = _scale(pose[..., None, 51:]), pose[..., :51].unflatten(-1, (-1, 3))
    nearer = (1 + shift[..., 2:] * seen.size / scale).clamp_min(0.05)
    joints = torch.cat(((seen.points + shift[..., :2]) * scale * nearer, shift[..., 2:]), dim=-1)
    scale = _scale(offset[..., None, 2:])
    across = (seen.points[..., :1, :] + offset[..., None, :2]) * scale
    root = torch.cat((across, scale / seen.size), dim=-1)
    return Lifted((joints - joints[..., :1, :]) @ seen.turn, root @ seen.turn)


def _scale(logarithm: Float[Tensor, "batch frames 1 1"]) -> Float[Tensor, "batch frames 1 1"]:
    return logarithm.clamp(-5, 5).exp()

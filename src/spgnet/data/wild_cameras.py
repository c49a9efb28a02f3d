"""Random cameras for wild samples, and people as these see them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.camera import Camera
from spgnet.data.wildness import Wildness, uniform
from spgnet.rigs import look_at
from spgnet.skeleton import TRUNK


def film_from_anywhere(
    world: Float[Tensor, "batch frames 17 3"], wild: Wildness
) -> tuple[Float[Tensor, "batch frames 17 3"], Float[Tensor, "batch 2"]]:
    """People as random cameras see them.

    Returns:
        Joints in the camera frame, at least 0.4 m ahead, and half the image's width and height in rays.
    """
    count, device = len(world), world.device
    nearest, farthest = wild.distance
    distance = uniform(math.log(nearest), math.log(farthest), count, device=device).exp()
    angle = uniform(0.0, 2 * math.pi, count, device=device)
    height = uniform(*wild.height, count, device=device)
    target = world[:, world.shape[1] // 2, TRUNK].mean(dim=1)
    level = (distance.square() - (height - target[:, 2]).square()).clamp_min(1).sqrt()
    away = torch.stack((level * angle.cos(), level * angle.sin()), dim=-1)
    position = torch.cat((target[:, :2] + away, height[:, None]), dim=-1)
    half, aim = _framed((target - position).norm(dim=-1), wild)
    turn = _turned_away(look_at(position, target), aim, torch.randn(count, device=device) * wild.roll)
    joints = (world - position[:, None, None]) @ turn.mT[:, None]
    too_near = 0.4 - joints[..., 2].flatten(1).amin(dim=1)
    joints[..., 2] += too_near.clamp_min(0)[:, None, None]
    return joints, half


def _framed(
    distance: Float[Tensor, " batch"], wild: Wildness
) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
    """Half the width and height of the image, and where in it the middle of the trunk is; in rays.

    2.5 m at the person's distance fit both ways, but for people who are cut off: of these, the image shows
    0.7 to 2 m, from the head downwards.
    """
    count, device = len(distance), distance.device
    portrait = torch.rand(count, device=device) < 0.4
    ratio = torch.where(portrait, 16 / 9, uniform(9 / 16, 1.0, count, device=device))
    needed = 1.25 / distance / ratio.clamp_max(1)
    wide = 0.5 / uniform(*wild.focal, count, device=device)
    wide = torch.minimum(torch.maximum(wide, needed), 10 * needed)
    half = torch.stack((wide, wide * ratio), dim=-1)
    place = uniform(-0.6, 0.6, count, 2, device=device)
    aim = half * place * (1 - 1.2 / (half * distance[:, None])).clamp_min(0)

    high = uniform(0.35, 1.0, count, device=device)
    close = torch.stack((high / ratio, high), dim=-1) / distance[:, None]
    chest = torch.stack((0.3 * place[:, 0] * high / ratio, 0.65 - high), dim=-1) / distance[:, None]
    cut = (torch.rand(count, device=device) < wild.truncated)[:, None]
    return torch.where(cut, close, half), torch.where(cut, chest, aim)


def _turned_away(
    rotation: Float[Tensor, "batch 3 3"], aim: Float[Tensor, "batch 2"], roll: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 3"]:
    """Panned about the vertical and tilted, which puts what was ahead at a ray; then rolled (degrees)."""
    pan, tilt = aim.atan().unbind(dim=-1)
    return _turn(roll.deg2rad(), (0, 1)) @ _turn(-tilt, (1, 2)) @ rotation @ _turn(-pan, (0, 1))


def _turn(angle: Float[Tensor, " batch"], plane: tuple[int, int]) -> Float[Tensor, "batch 3 3"]:
    """Rotations from the first of two axes to the second."""
    matrix = torch.eye(3, device=angle.device).repeat(len(angle), 1, 1)
    first, second = plane
    matrix[:, first, first] = matrix[:, second, second] = angle.cos()
    matrix[:, second, first] = angle.sin()
    matrix[:, first, second] = -angle.sin()
    return matrix


def ray_cameras(count: int, like: Tensor) -> Camera:
    """Cameras whose screen coordinates are rays: focal length 1 and an image 2 wide."""
    ones, zeros = torch.ones(count, 2).to(like), torch.zeros(count, 3).to(like)
    return Camera(
        focal=ones,
        center=zeros[:, :2],
        radial=zeros,
        tangential=zeros[:, :2],
        rotation=torch.eye(3).to(like).expand(count, 3, 3),
        position=zeros,
        image_size=2 * ones,
        convention="opencv",
    )

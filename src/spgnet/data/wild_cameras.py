"""Random cameras for wild samples, and people as these see them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.camera import Camera
from spgnet.data.wildness import Wildness, uniform
from spgnet.rigs import look_at
from spgnet.skeleton import HUMAN36M

TRUNK = tuple(map(HUMAN36M.names.index, ("right_hip", "left_hip", "left_shoulder", "right_shoulder")))


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
    half = _half_image(distance, wild)
    aim = (
        half
        * uniform(-0.6, 0.6, count, 2, device=device)
        * (1 - 0.9 / (half * distance[:, None])).clamp(0.2, 1)
    )
    turn = _tilted(aim, torch.randn(count, device=device) * math.radians(wild.roll)) @ look_at(
        position, target
    )
    joints = (world - position[:, None, None]) @ turn.mT[:, None]
    too_near = 0.4 - joints[..., 2].flatten(1).amin(dim=1)
    joints[..., 2] += too_near.clamp_min(0)[:, None, None]
    return joints, half


def _half_image(distance: Float[Tensor, " batch"], wild: Wildness) -> Float[Tensor, "batch 2"]:
    """Half the width and height of the image in rays: people fit in, but for the share that is cut off."""
    count, device = len(distance), distance.device
    needed = (
        1.1
        / distance
        * torch.where(
            torch.rand(count, device=device) < wild.truncated, uniform(0.4, 1.0, count, device=device), 1.0
        )
    )
    wide = 0.5 / uniform(*wild.focal, count, device=device)
    wide = torch.minimum(torch.maximum(wide, needed), 10 * needed)
    portrait = torch.rand(count, device=device) < 0.4
    ratio = torch.where(portrait, 16 / 9, uniform(9 / 16, 1.0, count, device=device))
    return torch.stack((wide, wide * ratio), dim=-1)


def _tilted(aim: Float[Tensor, "batch 2"], roll: Float[Tensor, " batch"]) -> Float[Tensor, "batch 3 3"]:
    """Rotations that move what is straight ahead to a ray, and then roll the camera."""
    yaw, pitch = aim.atan().unbind(dim=-1)
    one, zero = torch.ones_like(roll), torch.zeros_like(roll)

    def matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    about_y = matrix((yaw.cos(), zero, yaw.sin()), (zero, one, zero), (-yaw.sin(), zero, yaw.cos()))
    about_x = matrix((one, zero, zero), (zero, pitch.cos(), pitch.sin()), (zero, -pitch.sin(), pitch.cos()))
    about_z = matrix((roll.cos(), -roll.sin(), zero), (roll.sin(), roll.cos(), zero), (zero, zero, one))
    return about_z @ about_x @ about_y


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

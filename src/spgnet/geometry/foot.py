"""The foot: a rigid part with heel and ball on the ankle, and toes that bend about the ball.

Axes of a foot are those of the International Society of Biomechanics: x from the heel forward, y square to
the sole and up, z to the right. The origin is the ankle joint. The points are in the middle of the heel's and
the toes' ends, where annotators of images put them, 2 cm above the sole. Measures are those of a person 1.75
m tall in shoes: a foot is 0.152 of the stature long and 0.055 wide (Drillis and Contini 1966, in Winter,
Biomechanics and Motor Control of Human Movement).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.directions import unit_vectors_or_nan
from spgnet.geometry.skeleton import ANKLE_HEIGHT, FEET23, FOOT_POINTS

SIDES = ("right", "left")
"""Order of the feet, as in :data:`spgnet.geometry.skeleton.FEET23`."""
POINT_HEIGHT = 0.02
"""Height of the points of a standing foot above the floor, in metres."""
_DOWN = POINT_HEIGHT - ANKLE_HEIGHT
FOOT = {
    "heel": (-0.045, _DOWN, 0.0),
    "big_toe": (0.185, _DOWN, -0.031),
    "small_toe": (0.142, _DOWN, 0.031),
}
"""Points of a right foot with straight toes, in its axes, from the ankle, in metres, of a person 1.75 m
tall."""
BALL = (0.120, _DOWN, 0.0)
"""Where toes bend, about an axis along z."""
FOOT_INDEX = {"big_toe": 0.6, "small_toe": 0.4}
"""The point that MediaPipe calls ``foot_index``, between the toes, as shares of the others."""
FOOT_JOINTS = {side: tuple(FEET23.names.index(f"{side}_{point}") for point in FOOT_POINTS) for side in SIDES}
"""Index in FEET23 of the points of each foot."""
ANKLES = {side: FEET23.names.index(f"{side}_ankle") for side in SIDES}


def foot_points() -> Float[Tensor, "feet points 3"]:
    """The points of the right and of the left foot in its own axes, in metres, of a person 1.75 m tall."""
    right = torch.tensor([FOOT[point] for point in FOOT_POINTS], dtype=torch.float64)
    return torch.stack((right, right * torch.tensor([1.0, 1.0, -1.0])))


def foot_axes(
    ankle: Float[Tensor, "*batch 3"],
    heel: Float[Tensor, "*batch 3"],
    big_toe: Float[Tensor, "*batch 3"],
    small_toe: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """Axes of the rigid part of a foot, as rows x, y and z; NaN where its points lie on one line.

    The x and the y axis are in the plane of ankle, heel and the middle of the toes, in the directions that
    they have to the line from the heel to the ankle in :data:`FOOT`. So it does not matter how far toes are
    bent.
    """
    x, y, _ = FOOT["heel"]
    length = math.hypot(x, y)
    up = unit_vectors_or_nan(ankle - heel)
    right = unit_vectors_or_nan(torch.linalg.cross((big_toe + small_toe) / 2 - heel, ankle - heel))
    back = torch.linalg.cross(right, up)
    forward = -x / length * up + y / length * back
    return torch.stack((forward, torch.linalg.cross(right, forward), right), dim=-2)

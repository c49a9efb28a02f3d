"""The foot: its points and its axes."""

import numpy as np
import pytest
import torch

from spgnet.errors import InputError
from spgnet.geometry.foot import BALL, foot_axes, foot_points
from spgnet.geometry.skeleton import FEET23, HUMAN36M, skeleton_of


def rotations(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))[0]


def bent(points: torch.Tensor, angle: float) -> torch.Tensor:
    """The foot with its toes bent up about the ball."""
    ball = torch.tensor(BALL, dtype=torch.float64)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float64)
    return torch.cat((points[:1], ball + (points[1:] - ball) @ turn.T))


@pytest.mark.parametrize("bend", [0.0, 0.8])
@pytest.mark.parametrize("foot", [0, 1])
def test_axes_are_those_by_which_the_foot_was_turned_however_its_toes_are_bent(foot, bend):
    turns = rotations(5)
    turns = turns * torch.linalg.det(turns)[:, None, None].sign()
    ankle = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64).expand(5, 3)
    placed = ankle[:, None] + bent(foot_points()[foot], bend) @ turns.mT
    torch.testing.assert_close(foot_axes(ankle, *placed.unbind(-2)), turns.mT)


def test_left_and_right_foot_mirror_each_other():
    right, left = foot_points()
    torch.testing.assert_close(left * torch.tensor([1.0, 1.0, -1.0]), right)
    assert right[1, 2] < 0 < right[2, 2]  # the big toe is on the inner side


def test_joints_with_feet_are_those_of_human36m_and_then_three_points_of_each_foot():
    assert FEET23.names[:17] == HUMAN36M.names
    assert FEET23.parents[17:] == (3, 3, 3, 6, 6, 6)
    assert len(FEET23) == 23
    assert skeleton_of(17) is HUMAN36M
    assert skeleton_of(23) is FEET23
    with pytest.raises(InputError, match="a motion of 18 joints, expected 17 or 23"):
        skeleton_of(18)

"""Euler angles, against roma."""

import math

import numpy as np
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.export.bvh import zxy_euler_angles

law = settings(max_examples=50)
right_angles = st.integers(-4, 4).map(lambda quarters: quarters * math.pi / 2)
angles = st.lists(
    st.tuples(*[st.floats(-4, 4) | right_angles] * 3),
    min_size=1,
    max_size=8,
)


@given(angles)
@law
def test_the_angles_make_the_rotation(triples):
    rotations = roma.euler_to_rotmat("ZXY", torch.tensor(triples, dtype=torch.float64))[:, None]
    found = roma.euler_to_rotmat("ZXY", zxy_euler_angles(rotations))
    torch.testing.assert_close(found, rotations, rtol=0, atol=2e-6)  # 2e-6 beside a locked angle


@given(st.integers(0, 2**31))
@law
def test_smooth_angles_come_back_with_all_their_turns(seed):
    rng = np.random.default_rng(seed)
    true = np.cumsum(rng.uniform(-0.1, 0.1, (200, 3)), axis=0)
    true[:, [0, 2]] += np.linspace(0, 10, 200)[:, None]  # z and y turn round and round
    true[:, 1] = 1.4 * np.sin(true[:, 1])  # x stays away from the lock
    found = zxy_euler_angles(roma.euler_to_rotmat("ZXY", torch.from_numpy(true))[:, None])[:, 0].numpy()
    np.testing.assert_allclose(found, true + np.round(found[0] - true[0], 9), atol=1e-6)


def test_an_angle_that_goes_through_the_lock_and_beyond_does_not_jump():
    tilt = torch.linspace(0, 2 * math.pi, 101, dtype=torch.float64)  # a somersault, through both locks
    true = torch.stack([torch.full_like(tilt, 0.4), tilt, torch.full_like(tilt, -0.7)], dim=-1)
    found = zxy_euler_angles(roma.euler_to_rotmat("ZXY", true)[:, None])[:, 0]
    torch.testing.assert_close(found, true, rtol=0, atol=1e-6)


def test_at_the_lock_the_first_angle_stays():
    true = torch.tensor([[0.3, 1.5, 0.2], [0.3, math.pi / 2, 0.25], [0.3, 1.5, 0.3]], dtype=torch.float64)
    found = zxy_euler_angles(roma.euler_to_rotmat("ZXY", true)[:, None])[:, 0]
    torch.testing.assert_close(found, true)

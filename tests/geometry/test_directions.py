"""Unit vectors, and the smallest rotation between two."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from spgnet.geometry.directions import minimal_rotation, unit_vectors, unit_vectors_or_nan

seeds = st.integers(0, 2**31)


def directions(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return unit_vectors_or_nan(torch.randn(5, 3, generator=generator, dtype=torch.float64))


@given(seeds)
def test_unit_vectors_keep_their_directions_and_have_length_1(seed):
    vectors = np.random.default_rng(seed).normal(size=(2, 5, 3)) * 7
    units = unit_vectors(vectors)
    np.testing.assert_allclose(np.linalg.norm(units, axis=-1), 1)
    np.testing.assert_allclose(units * np.linalg.norm(vectors, axis=-1, keepdims=True), vectors)
    np.testing.assert_allclose(unit_vectors_or_nan(torch.from_numpy(vectors)), units)


def test_what_has_no_length_has_no_direction():
    assert (unit_vectors(np.zeros((1, 3))) == 0).all()
    assert unit_vectors_or_nan(torch.zeros(1, 3)).isnan().all()


@given(seeds)
def test_the_smallest_rotation_turns_by_the_angle_between_the_vectors(seed):
    start, end = directions(seed), directions(seed + 1)
    rotation = minimal_rotation(start, end)
    torch.testing.assert_close((rotation @ start.unsqueeze(-1)).squeeze(-1), end)
    trace = rotation.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    torch.testing.assert_close((trace - 1) / 2, (start * end).sum(dim=-1))


def test_opposite_vectors_are_half_a_turn_apart():
    start = directions(3)
    rotation = minimal_rotation(start, -start)
    torch.testing.assert_close((rotation @ start.unsqueeze(-1)).squeeze(-1), -start)
    torch.testing.assert_close(rotation @ rotation, torch.eye(3, dtype=torch.float64).expand(5, 3, 3))
    assert math.isclose(float(torch.linalg.det(rotation).min()), 1, abs_tol=1e-9)

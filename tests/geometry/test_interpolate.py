"""Interpolation in time agrees with its definition, computed one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.interpolate import fill_missing, interpolate_at, interpolate_frames, nearest_at


def naive(values: list[float], times: list[float], wanted: float) -> float:
    """The value at a time, by a search for the two frames around it."""
    if wanted <= times[0]:
        return values[0]
    for (start, low), (end, high) in zip(
        zip(times, values, strict=True), list(zip(times, values, strict=True))[1:], strict=False
    ):
        if start <= wanted <= end:
            return low + (high - low) * (wanted - start) / (end - start)
    return values[-1]


def test_interpolation_is_exact_for_steady_movement_and_rests_at_the_ends():
    times = np.array([0.0, 0.1, 0.5, 0.6])
    values = np.stack((3 * times, 1 - times), axis=-1)
    wanted = np.array([0.6, 0.05, 0.31])
    np.testing.assert_allclose(
        interpolate_at(values, times, wanted), np.stack((3 * wanted, 1 - wanted), axis=-1)
    )
    np.testing.assert_array_equal(interpolate_at(values, times, np.array([-1.0, 9.0])), values[[0, -1]])


def test_frames_themselves_come_back_to_the_last_bit():
    random = np.random.default_rng(0)
    times, values = np.sort(random.normal(size=30)), random.normal(size=(30, 2, 3))
    np.testing.assert_array_equal(interpolate_at(values, times, times), values)
    tensor = torch.from_numpy(values).float()
    assert torch.equal(interpolate_frames(tensor, torch.arange(30.0)), tensor)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 8))
def test_interpolation_at_times_is_that_of_the_definition(seed, frames):
    random = np.random.default_rng(seed)
    times, values = np.cumsum(random.uniform(0.01, 1, frames)), random.normal(size=(frames, 2, 3))
    wanted = np.concatenate((random.uniform(times[0] - 1, times[-1] + 1, 20), times))
    found = interpolate_at(values, times, wanted)
    for place in np.ndindex(2, 3):
        series = values[:, *place].tolist()
        expected = [naive(series, times.tolist(), time) for time in wanted.tolist()]
        np.testing.assert_allclose(found[:, *place], expected, atol=1e-12)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 8))
def test_interpolation_between_frames_is_that_of_the_definition(seed, frames):
    random = np.random.default_rng(seed)
    values = random.normal(size=(frames, 2))
    position = random.uniform(-2, frames + 1, (3, 5))
    first = random.integers(0, frames, (3, 1))
    found = interpolate_frames(*map(torch.from_numpy, (values, position - first, first))).numpy()
    assert found.shape == (3, 5, 2)
    for row, column, part in np.ndindex(3, 5, 2):
        expected = naive(values[:, part].tolist(), list(range(frames)), position[row, column])
        assert found[row, column, part] == pytest.approx(expected, abs=1e-12)


def test_positions_in_single_precision_lose_no_digits_far_into_a_long_clip():
    values = torch.arange(3_000_000, dtype=torch.float64)[-10:]
    long = torch.cat((torch.zeros(2_999_990, dtype=torch.float64), values))
    position = torch.tensor([0.001, 1.123], dtype=torch.float32)
    found = interpolate_frames(long, position, first=2_999_995)
    torch.testing.assert_close(found, 2_999_995 + position.double(), rtol=0, atol=1e-6)


def test_the_nearest_frame_is_that_of_the_definition_and_the_earlier_of_two():
    random = np.random.default_rng(1)
    for frames in range(1, 8):
        times = np.cumsum(random.integers(1, 4, frames)).astype(float)
        wanted = np.concatenate((times, np.arange(times[0] - 1, times[-1] + 2, 0.5)))
        values = random.integers(0, 100, (frames, 2))
        expected = values[[int(np.abs(times - time).argmin()) for time in wanted]]  # argmin takes the first
        np.testing.assert_array_equal(nearest_at(values, times, wanted), expected)
    marks = nearest_at(np.array([True, False, True]), np.array([0.0, 0.1, 0.5]), np.array([0.05, 0.31, 0.6]))
    assert marks.tolist() == [True, True, True]


@pytest.mark.parametrize("timed", [False, True])
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 9))
def test_gaps_are_filled_as_numpy_interpolates_joint_by_joint(timed, seed, frames):
    random = np.random.default_rng(seed)
    points, missing = random.normal(size=(2, frames, 3, 2)), random.random((2, frames, 3)) < 0.6
    times = np.cumsum(random.uniform(0.1, 1, frames)) if timed else np.arange(frames, dtype=float)
    hidden = np.where(missing[..., None] & ~missing.all(axis=1, keepdims=True)[..., None], np.nan, points)
    found = fill_missing(
        torch.from_numpy(hidden), torch.from_numpy(missing), torch.from_numpy(times) if timed else None
    ).numpy()
    for batch, joint, axis in np.ndindex(2, 3, 2):
        known = np.flatnonzero(~missing[batch, :, joint])
        series = points[batch, :, joint, axis]
        expected = np.interp(times, times[known], series[known]) if len(known) else series
        np.testing.assert_allclose(found[batch, :, joint, axis], expected, atol=1e-12)
        np.testing.assert_array_equal(found[batch, known, joint, axis], series[known])


def test_filling_gaps_can_be_trained_through():
    points = torch.randn(5, 1, 2, dtype=torch.float64, requires_grad=True)
    missing = torch.tensor([[False], [True], [True], [True], [False]])
    fill_missing(points, missing)[1].sum().backward()
    assert points.grad is not None
    torch.testing.assert_close(points.grad[:, 0, 0], torch.tensor([0.75, 0, 0, 0, 0.25]).double())

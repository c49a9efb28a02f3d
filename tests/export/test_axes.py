"""Changes of axes."""

import numpy as np
from axes import y_up_to_z_up
from hypothesis import given
from hypothesis import strategies as st

from spgnet.export.sampling import z_up_to_y_up

seeds = st.integers(0, 2**31)


def test_up_is_up():
    np.testing.assert_array_equal(z_up_to_y_up(np.array([0.0, 0.0, 1.0])), [0, 1, 0])
    np.testing.assert_array_equal(y_up_to_z_up(np.array([0.0, 1.0, 0.0])), [0, 0, 1])


@given(seeds)
def test_the_two_changes_undo_each_other(seed):
    points = np.random.default_rng(seed).normal(size=(4, 5, 3))
    np.testing.assert_array_equal(y_up_to_z_up(z_up_to_y_up(points)), points)
    np.testing.assert_array_equal(z_up_to_y_up(y_up_to_z_up(points)), points)


@given(seeds)
def test_lengths_and_handedness_are_kept(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 3))
    for change in (z_up_to_y_up, y_up_to_z_up):
        np.testing.assert_allclose(np.linalg.norm(change(a)), np.linalg.norm(a))
        np.testing.assert_allclose(np.cross(change(a), change(b)), change(np.cross(a, b)))

"""Motions on a constant frame rate."""

from dataclasses import replace

import numpy as np
import pytest

from spgnet.export.sampling import constant_rate, frame_rate


def test_evenly_spaced_frames_are_taken_as_they_are(motion):
    assert frame_rate([motion]) == pytest.approx(motion.fps)
    np.testing.assert_array_equal(constant_rate([motion], frame_rate([motion]))[0], motion.world)


def test_times_rounded_to_milliseconds_still_count_as_even(motion):
    rounded = replace(motion, timestamps=(np.arange(len(motion)) / 29.97).round(3))
    assert frame_rate([rounded]) == pytest.approx(29.97, rel=1e-4)
    np.testing.assert_array_equal(constant_rate([rounded], frame_rate([rounded]))[0], motion.world)


def test_a_pause_is_filled_along_straight_lines(motion):
    times = motion.timestamps.copy()
    times[50:] += 0.2
    paused = replace(motion, timestamps=times)
    assert frame_rate([paused]) == pytest.approx(50)
    filled = constant_rate([paused], 50.0)[0]
    assert len(filled) == len(motion) + 10
    np.testing.assert_allclose(filled[:50], motion.world[:50], atol=1e-6)
    np.testing.assert_allclose(filled[60:], motion.world[50:], atol=1e-6)
    steps = np.diff(filled[49:61], axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:1], steps.shape), atol=1e-6)


def test_another_rate_samples_the_same_movement(motion):
    halved = constant_rate([motion], 25.0)[0]
    np.testing.assert_allclose(halved, motion.world[::2], atol=1e-6)


def test_a_person_of_one_frame_between_two_frames_of_another_is_kept(motion, cut):
    glimpse = replace(cut(motion, 10, 11), timestamps=np.array([0.21]), track=2)
    both = constant_rate([motion, glimpse], 50.0)
    assert np.isfinite(both[1]).all(axis=(1, 2)).nonzero()[0].tolist() in ([10], [11])


def test_people_share_a_clock_and_are_absent_when_they_are_not_there(motion, late):
    both = constant_rate([motion, late], 50.0)
    np.testing.assert_array_equal(both[0], motion.world)
    np.testing.assert_array_equal(both[1, 25:80], late.world)
    assert np.isnan(both[1, :25]).all()
    assert np.isnan(both[1, 80:]).all()


def test_a_single_frame_has_a_rate(motion, cut):
    single = cut(motion, 7, 8)
    assert frame_rate([single]) == 30
    np.testing.assert_array_equal(constant_rate([single], 30.0)[0], single.world)

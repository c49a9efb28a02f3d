"""Paired tests: what they find, and what they do not."""

import numpy as np
import pytest

from spgnet.reproduction.paired import paired_test


def errors(rng: np.random.Generator, shift: float, *, seeds: int = 3, noise: float = 1.0):
    """Errors of 60 clips of very different difficulty, by seed."""
    hard = np.random.default_rng(0).uniform(30, 120, 60)
    return {
        seed: {f"clip {i}": value for i, value in enumerate(hard + shift + noise * rng.standard_normal(60))}
        for seed in range(seeds)
    }


def test_a_small_common_difference_is_found_though_the_clips_differ_by_far_more():
    rng = np.random.default_rng(1)
    test = paired_test(errors(rng, -1.0), errors(rng, 0.0))
    assert test is not None
    assert test.difference == pytest.approx(-1.0, abs=0.3)
    assert test.significant
    assert test.better > 0.8
    assert test.clips == 60
    assert len(test.of_seeds) == 3


def test_no_difference_is_rarely_significant():
    rng = np.random.default_rng(2)
    tests = [paired_test(errors(rng, 0.0), errors(rng, 0.0)) for _ in range(60)]
    assert sum(bool(test and test.significant) for test in tests) <= 3


def test_a_difference_that_is_only_one_seed_s_is_not_significant():
    rng = np.random.default_rng(3)
    first, reference = errors(rng, 0.0, noise=0.1), errors(rng, 0.0, noise=0.1)
    first[0] = {clip: value - 5 for clip, value in first[0].items()}
    test = paired_test(first, reference)
    assert test is not None
    assert test.p_clips is not None
    assert test.p_clips < 0.001  # these networks do differ
    assert test.significant is False


def test_fewer_than_three_seeds_are_not_judged_and_seeds_that_one_lacks_are_left_out():
    rng = np.random.default_rng(4)
    first, reference = errors(rng, -1.0), errors(rng, 0.0)
    del first[1]
    test = paired_test(first, reference)
    assert test is not None
    assert len(test.of_seeds) == 2
    assert test.p_clips is not None
    assert test.significant is None
    assert paired_test({}, reference) is None
    assert paired_test({0: {}}, reference) is None


def test_equal_methods_do_not_differ():
    same = errors(np.random.default_rng(5), 0.0)
    test = paired_test(same, same)
    assert test is not None
    assert (test.difference, test.significant) == (0.0, False)

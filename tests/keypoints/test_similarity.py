"""Similarity of poses and boxes, and the assignment by it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.keypoints.similarity import (
    best_assignment,
    bounding_box,
    iou,
    keypoint_box,
    keypoint_distances,
    mean_confidence,
    oks,
)

law = settings(max_examples=40)
seeds = st.integers(0, 2**31)


def poses(seed: int, count: int = 3, joints: int = 17) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 300, (count, joints, 2))
    return np.concatenate([points, rng.uniform(0.35, 1, (count, joints, 1))], axis=-1)


def best_sum(gain: np.ndarray) -> float:
    """By trying everything: each row gets a column or stays alone."""
    rows, columns = gain.shape
    padded = np.concatenate([np.maximum(gain, 0), np.zeros((rows, rows))], axis=1)
    return max(sum(padded[range(rows), order]) for order in permutations(range(columns + rows), rows))


@given(seeds, st.integers(0, 4), st.integers(0, 4))
@law
def test_the_assignment_is_the_best_of_all(seed, rows, columns):
    rng = np.random.default_rng(seed)
    gain = np.where(rng.random((rows, columns)) < 0.3, 0.0, rng.normal(0.5, 0.5, (rows, columns)))
    pairs = best_assignment(gain)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(gain[pair] > 0 for pair in pairs)
    assert sum(gain[pair] for pair in pairs) == pytest.approx(best_sum(gain))


@given(seeds)
@law
def test_oks_is_symmetric_and_one_for_the_same(seed):
    one, other = poses(seed), poses(seed + 1)
    similarity = oks(one, other)
    np.testing.assert_allclose(similarity, oks(other, one).T)
    np.testing.assert_allclose(np.diag(oks(one, one)), 1)
    assert (similarity >= 0).all()
    assert (similarity <= 1).all()


@given(seeds)
@law
def test_oks_does_not_depend_on_the_size_of_the_image(seed):
    one, other = poses(seed), poses(seed + 1)
    scale = [2.5, 2.5, 1]
    np.testing.assert_allclose(oks(one * scale, other * scale), oks(one, other))


def test_oks_falls_with_the_distance_and_ignores_unseen_keypoints():
    one = poses(0, 1)
    apart = [oks(one, one + np.array([distance, 0, 0]))[0, 0] for distance in (0, 10, 20, 40, 80)]
    assert apart == sorted(apart, reverse=True)
    spoilt = one.copy()
    spoilt[0, :5] = [9000, 9000, 0.1]
    assert oks(one, spoilt)[0, 0] == pytest.approx(1)
    spoilt[0, :14, 2] = 0.1
    assert oks(one, spoilt)[0, 0] == 0, "three keypoints say nothing"


def test_iou_is_intersection_over_union():
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(iou(boxes[:1], boxes), [[1, 1 / 3, 0]])
    assert iou(boxes, np.zeros((0, 4))).shape == (3, 0)


def test_the_box_holds_the_keypoints_that_are_seen():
    points = np.array([[10.0, 20, 0.9], [30, 5, 0.8], [900, 900, 0.1]])
    np.testing.assert_allclose(keypoint_box(points), [10, 5, 30, 20])


def test_half_a_person_is_as_confident_as_a_whole_one():
    whole = np.full((1, 26, 3), 0.8)
    half = whole.copy()
    half[0, :13, 2] = 0.1
    np.testing.assert_allclose(mean_confidence(whole), mean_confidence(half))


def test_a_box_of_no_points_is_empty():
    np.testing.assert_array_equal(bounding_box(np.zeros((0, 3))), np.zeros(4))


def test_the_distance_is_in_diagonals_over_the_keypoints_that_both_have():
    one = np.array([[0.0, 0, 1], [30, 40, 1], [0, 40, 0]])
    moved = one + np.array([5, 0, 0])
    assert keypoint_distances(one[None], moved[None])[0, 0] == pytest.approx(5 / 50)
    moved[2] = [900, 900, 1]  # which the first pose lacks
    larger = np.linalg.norm([895, 900])
    assert keypoint_distances(one[None], moved[None])[0, 0] == pytest.approx(5 / larger)
    assert keypoint_distances(one[None], (one * [1, 1, 0])[None])[0, 0] == np.inf

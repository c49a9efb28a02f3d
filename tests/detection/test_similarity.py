"""Likeness of detections, and the assignment by it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.detection.tracking import (
    best_assignment,
    clarity,
    clothes,
    clothes_likeness,
    keypoint_box,
    mirror,
    overlap,
    pose_likeness,
)
from spgnet.keypoints.keypoints import KEYPOINT_NAMES

law = settings(max_examples=40, deadline=None)
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
def test_pose_likeness_is_symmetric_and_one_for_the_same(seed):
    one, other = poses(seed), poses(seed + 1)
    likeness = pose_likeness(one, other)
    np.testing.assert_allclose(likeness, pose_likeness(other, one).T)
    np.testing.assert_allclose(np.diag(pose_likeness(one, one)), 1)
    assert (likeness >= 0).all()
    assert (likeness <= 1).all()


@given(seeds)
@law
def test_pose_likeness_does_not_depend_on_the_size_of_the_image(seed):
    one, other = poses(seed), poses(seed + 1)
    scale = [2.5, 2.5, 1]
    np.testing.assert_allclose(pose_likeness(one * scale, other * scale), pose_likeness(one, other))


def test_pose_likeness_falls_with_the_distance_and_ignores_unseen_keypoints():
    one = poses(0, 1)
    apart = [pose_likeness(one, one + np.array([distance, 0, 0]))[0, 0] for distance in (0, 10, 20, 40, 80)]
    assert apart == sorted(apart, reverse=True)
    spoilt = one.copy()
    spoilt[0, :5] = [9000, 9000, 0.1]
    assert pose_likeness(one, spoilt)[0, 0] == pytest.approx(1)
    spoilt[0, :14, 2] = 0.1
    assert pose_likeness(one, spoilt)[0, 0] == 0, "three keypoints say nothing"


def test_overlap_is_intersection_over_union():
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(overlap(boxes[:1], boxes), [[1, 1 / 3, 0]])
    assert overlap(boxes, np.zeros((0, 4))).shape == (3, 0)


def test_the_box_holds_the_keypoints_that_are_seen():
    points = np.array([[10.0, 20, 0.9], [30, 5, 0.8], [900, 900, 0.1]])
    np.testing.assert_allclose(keypoint_box(points), [10, 5, 30, 20])


def test_half_a_person_is_as_clear_as_a_whole_one():
    whole = np.full((1, 26, 3), 0.8)
    half = whole.copy()
    half[0, :13, 2] = 0.1
    np.testing.assert_allclose(clarity(whole), clarity(half))


@pytest.mark.parametrize("keypoint_set", list(KEYPOINT_NAMES))
def test_mirroring_exchanges_left_and_right_and_is_its_own_inverse(keypoint_set):
    names, twins = KEYPOINT_NAMES[keypoint_set], mirror(keypoint_set)
    assert [twins[twin] for twin in twins] == list(range(len(names)))
    assert names[twins[names.index("left_knee")]] == "right_knee"
    assert names[twins[names.index("nose")]] == "nose"


def test_clothes_are_known_by_their_colours_and_unseen_ones_by_nothing():
    image = np.zeros((200, 100, 3), np.uint8)
    image[:100], image[100:] = (250, 0, 0), (0, 0, 250)
    points = np.zeros((17, 3))
    points[[5, 6, 11, 12, 13, 14]] = [
        (70, 30, 1), (30, 30, 1), (65, 98, 1), (35, 98, 1), (65, 160, 1), (35, 160, 1)
    ]  # fmt: skip
    colours = clothes(image, points, "coco17")
    np.testing.assert_allclose(colours.reshape(3, 3)[[0, 2]] * 255, [(250, 0, 0), (0, 0, 250)])
    assert clothes_likeness(colours, colours) == 1
    assert clothes_likeness(colours, clothes(255 - image, points, "coco17")) < 0.01
    points[:, 2] = 0.1
    unseen = clothes(image, points, "coco17")
    assert np.isnan(unseen).all()
    assert clothes_likeness(colours, unseen) == 0.5


def test_somebody_outside_the_image_has_no_colours():
    points = np.concatenate([np.full((17, 2), -50.0), np.ones((17, 1))], axis=1)
    assert np.isnan(clothes(np.zeros((20, 20, 3), np.uint8), points, "coco17")).all()

"""People keep their numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.keypoints import Keypoints, PersonLinker, link_people, select_person

BODY = np.random.default_rng(0).uniform([-50, -100], [50, 100], (17, 2))


def _person(x: float, y: float = 0.0, score: float = 0.9) -> np.ndarray:
    return np.column_stack((np.add(BODY, [x, y]), np.full(17, score)))


@given(st.integers(0, 2**31))
@settings(max_examples=10)
def test_people_who_move_apart_from_each_other_keep_their_numbers_in_any_order(seed):
    rng = np.random.default_rng(seed)
    paths = rng.normal(scale=8, size=(30, 3, 2)).cumsum(axis=0) + np.array([[0, 0], [600, 0], [1200, 0]])
    orders = [rng.permutation(3) for _ in paths]
    frames = [
        np.stack([_person(*places[one]) for one in order])
        for places, order in zip(paths, orders, strict=True)
    ]
    numbers = link_people(frames)
    of_first = {int(one): number for one, number in zip(orders[0], numbers[0], strict=True)}
    assert sorted(of_first.values()) == [1, 2, 3]
    for order, some in zip(orders, numbers, strict=True):
        assert some == [of_first[int(one)] for one in order]


def test_the_nearest_pair_is_linked_first_and_the_other_one_is_somebody_new():
    numbers = link_people([_person(0)[None], np.stack([_person(40), _person(5)])])
    assert numbers == [[1], [2, 1]]


def test_somebody_too_far_away_is_somebody_else():
    assert link_people([_person(0)[None], _person(60)[None]]) == [[1], [1]]
    assert link_people([_person(0)[None], _person(300)[None]]) == [[1], [2]]
    assert link_people([_person(0)[None], _person(300)[None]], max_distance=5.0) == [[1], [1]]


@pytest.mark.parametrize(("away", "number"), [(0, 1), (3, 1), (4, 2)])
def test_somebody_missing_keeps_the_number_for_no_more_than_max_missing_frames(away, number):
    linker = PersonLinker(max_missing=3)
    linker.push(_person(0)[None])
    for _ in range(away):
        assert linker.push(np.zeros((0, 17, 3))) == []
    assert linker.push(_person(3)[None]) == [number]


def test_only_keypoints_that_both_have_count():
    upper, jumped = _person(0), _person(2)
    upper[9:, 2] = 0
    jumped[9:, :2] = np.nan
    assert link_people([_person(0)[None], upper[None], jumped[None]]) == [[1], [1], [1]]
    lower = _person(0)
    lower[:9, 2] = 0
    assert link_people([upper[None], lower[None]]) == [[1], [2]]


def test_the_largest_person_fills_most_of_the_image_over_the_clip():
    near = Keypoints(np.stack([_person(0)] * 10), "coco17", np.arange(10) / 30, (640, 480), track=2)
    far = replace(near, points=near.points * [0.3, 0.3, 1], track=5)
    huge_for_a_moment = replace(near, points=near.points * [2, 2, 1], track=7)
    huge_for_a_moment.points[1:, :, 2] = 0
    people = [near, far, huge_for_a_moment]
    assert select_person(people) is near
    assert select_person(people, 5) is far
    with pytest.raises(ValueError, match="no person 1; there are 2, 5, 7"):
        select_person(people, 1)

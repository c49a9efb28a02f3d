"""Contacts of feet with the floor, and gait events."""

import numpy as np
import pytest

from spgnet.geometry.foot import FOOT_JOINTS, POINT_HEIGHT
from spgnet.geometry.gait import GaitEvent, foot_contacts, gait_events, point_contacts, without_short


def steps(fps: float) -> tuple[np.ndarray, np.ndarray]:
    """A right foot that stands for a second, swings for half a second and stands again; the left one
    stands."""
    times = np.arange(round(2.5 * fps)) / fps
    phase = ((times - 1) / 0.5).clip(0, 1)
    joints = np.zeros((len(times), 23, 3))
    joints[:, 17:, 2] = POINT_HEIGHT
    for joint in FOOT_JOINTS["right"]:
        joints[:, joint, 0] = 1.2 * phase
        joints[:, joint, 2] += 0.1 * np.sin(np.pi * phase)
    return joints, times


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_a_foot_is_on_the_floor_but_while_it_swings(fps):
    joints, times = steps(fps)
    contacts = foot_contacts(joints, times)
    assert contacts[:, 1].all()
    off, on = (event.time for event in gait_events(contacts, times))
    assert off == pytest.approx(1.0, abs=2 / fps + 1e-9)
    assert on == pytest.approx(1.5, abs=2 / fps + 1e-9)


def test_events_name_foot_frame_and_time_and_begin_nowhere_before_the_clip():
    contacts = np.array([[1, 0], [0, 0], [0, 1], [1, 1]], dtype=bool)
    assert gait_events(contacts, np.array([5.0, 5.1, 5.2, 5.3])) == [
        GaitEvent(1, 5.1, "right", "foot off"),
        GaitEvent(2, 5.2, "left", "foot contact"),
        GaitEvent(3, 5.3, "right", "foot contact"),
    ]


def test_high_or_fast_points_are_not_on_the_floor():
    times = np.arange(30) / 30
    points = np.zeros((30, 3, 3))
    points[..., 2] = POINT_HEIGHT
    points[:, 1, 2] += 0.2
    points[:, 2, 0] = 2 * times
    assert point_contacts(points, points[..., 2], times).all(axis=0).tolist() == [True, False, False]
    assert not point_contacts(points, points[..., 2], times)[:, 1:].any()


def test_moments_of_contact_and_of_none_do_not_count():
    times = np.arange(12) / 60
    flags = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0], dtype=bool)
    assert without_short(flags, times).tolist() == [True] * 9 + [False] * 3
    alone = np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    assert not without_short(alone, times).any()


def test_a_foot_that_rolls_from_heel_to_toes_stays_on_the_floor():
    times = np.arange(70) / 100
    joints = np.zeros((70, 23, 3))
    joints[:, 17:, 2] = POINT_HEIGHT
    heel, *toes = FOOT_JOINTS["right"]
    joints[35:, heel, 2] = joints[:31, toes, 2] = 0.3
    right = joints[:, FOOT_JOINTS["right"]]
    assert not point_contacts(right, right[..., 2], times).any(axis=1).all()
    assert foot_contacts(joints, times).all()


def test_a_single_frame_has_contacts_but_no_events():
    joints, times = steps(30)
    contacts = foot_contacts(joints[:1], times[:1])
    assert contacts.all()
    assert gait_events(contacts, times[:1]) == []

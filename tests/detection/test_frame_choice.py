"""How many frames of a moving person are looked at, and which ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.actors import FPS, STANDING, Actor, Stage
from spgnet.detection import TrackedPerson, track_people
from spgnet.detection.frame_choice import AsMotionNeeds, EveryNth, MotionNeed, check_detect_every
from spgnet.errors import InputError

HEIGHT = 400.0
law = settings(max_examples=30)


def moving(path, *, fps: float = 60.0, seconds: float = 3.0, jitter: float = 0.0, serial: int = 1):
    """A person in every frame whose keypoints, one unit high, move as a function [17, 2] of time says."""
    rng = np.random.default_rng(serial)
    for time in np.arange(round(seconds * fps)) / fps:
        points = HEIGHT * (STANDING + path(time) + jitter * rng.normal(size=(17, 2)))
        yield time, TrackedPerson(serial, serial, np.concatenate([points, np.ones((17, 1))], axis=1))


def looks(choice, *people) -> np.ndarray:
    """The times of the frames that are looked at."""
    chosen = []
    for frame in zip(*people, strict=True):
        time = frame[0][0]
        if choice.is_due(time):
            chosen.append(time)
            choice.add([person for _, person in frame], time)
    return np.array(chosen)


def swinging(size: float, rate: float):
    """All keypoints swing by a size, `rate` times a second."""
    return lambda time: np.full((17, 2), size * np.sin(2 * np.pi * rate * time))


def still(time: float) -> np.ndarray:
    return np.zeros((17, 2))


def test_every_nth_frame_from_the_first_on():
    for step in (1, 3):
        times = looks(EveryNth(step), moving(still))
        np.testing.assert_allclose(times, np.arange(0, 180, step) / 60)


@pytest.mark.parametrize("path", [still, lambda time: np.full((17, 2), 2.0 * time)])
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 240.0])
def test_who_stands_still_or_goes_straight_on_is_looked_at_as_rarely_as_allowed(path, fps):
    need = MotionNeed()
    steps = np.diff(looks(AsMotionNeeds(), moving(path, fps=fps)))
    assert steps.max() <= need.longest + 1e-3
    assert np.median(steps) > min(need.longest, max(need.longest - 1 / fps, 1 / fps)) - 1e-3


@given(size=st.floats(0.0, 1.0), rate=st.floats(0.2, 6.0), fps=st.sampled_from([25.0, 60.0, 120.0]))
@law
def test_interpolation_is_off_by_more_than_the_limit_only_as_far_as_the_acceleration_changes(size, rate, fps):
    path, need = swinging(size, rate), MotionNeed(noise=0.0)
    looked = looks(AsMotionNeeds(need), moving(path, fps=fps))
    times = np.arange(round(looked[-1] * fps) + 1) / fps
    person = np.linalg.norm(np.ptp(STANDING, axis=0))
    true, known = (np.array([path(time)[0, 0] for time in each]) for each in (times, looked))
    error = np.sqrt(2) * np.abs(np.interp(times, looked, known) - true) / person
    gap = np.diff(looked).max(initial=0.0)
    change = np.sqrt(2) * size * (2 * np.pi * rate) ** 3 * gap / person  # the largest within a gap
    assert error.max() <= need.error + 3 * change * gap**2 / 8 + 1e-6


def test_fast_motion_is_looked_at_in_every_frame():
    times = looks(AsMotionNeeds(), moving(swinging(0.5, 4.0), fps=30.0))
    assert len(times) > 0.85 * 90


def test_jitter_of_the_detector_is_not_motion():
    noise = MotionNeed().noise / np.sqrt(2) * np.linalg.norm(np.ptp(STANDING, axis=0))
    times = looks(AsMotionNeeds(), moving(still, jitter=noise))
    assert np.median(np.diff(times)) >= MotionNeed().longest - 1 / 60 - 1e-3


def test_the_fastest_person_decides():
    fast = moving(swinging(0.5, 4.0), serial=1), moving(still, serial=2)
    alone = moving(swinging(0.5, 4.0), serial=1)
    np.testing.assert_array_equal(looks(AsMotionNeeds(), *fast), looks(AsMotionNeeds(), alone))


def test_while_nobody_is_there_some_frames_are_looked_at():
    choice, chosen = AsMotionNeeds(), []
    for time in np.arange(120) / 60:
        if choice.is_due(time):
            chosen.append(time)
            choice.add([], time)
    assert np.diff(chosen)[3:] == pytest.approx(np.floor(MotionNeed().unsure * 60 + 0.01) / 60)


def test_the_step_at_most_doubles():
    steps = np.diff(looks(AsMotionNeeds(MotionNeed(longest=1.0)), moving(still, seconds=6.0)))
    assert (steps[1:] <= 2 * steps[:-1] + 1e-6).all()
    assert steps.max() > 0.9


# --- In a clip ----------------------------------------------------------------------------------


def test_the_frames_between_are_said_to_be_skipped_and_hold_nothing():
    stage = Stage([Actor(lambda time: (100 + 30 * time, 120.0)), Actor(lambda time: (450.0, 120.0))], 61)
    stage.jitter = 0.3
    people = track_people(stage.frames(), stage, detect_every="auto")
    assert len(people) == 2
    for person in people:
        looked = np.flatnonzero(~person.skipped)
        assert looked.tolist() == stage.posed
        assert {0, 60} <= set(looked.tolist())
        assert len(looked) < 45
        assert (person.points[person.skipped] == 0).all()
        assert (person.points[looked, :, 2] > 0).all()


def test_the_person_detector_has_its_turn_after_the_same_time_at_any_frame_rate():
    stage = Stage([Actor(lambda time: (100 + 30 * time, 120.0))], 61)
    track_people(stage.frames(), stage, detect_every="auto")
    assert stage.looked == list(range(0, 61, round(0.25 * FPS)))


def test_who_comes_is_found_at_the_person_detectors_next_turn():
    late = Actor(lambda time: (450.0, 120.0) if time > 1 else None)
    stage = Stage([Actor(lambda time: (100 + 30 * time, 120.0)), late], 90)
    _, second = track_people(stage.frames(), stage, detect_every="auto")
    first = np.flatnonzero(second.present.any(axis=1))[0]
    assert 30 < first <= 30 + round(0.25 * FPS) + 1


@pytest.mark.parametrize("wrong", [0, -1])
def test_other_choices_are_refused(wrong):
    with pytest.raises(InputError, match='detect_every must be 1 or more, or "auto"'):
        check_detect_every(wrong)

"""Tracks of synthetic people, whose truth is known."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from detection.actors import FPS, HEIGHT, WIDTH, Actor, Stage
from spgnet.detection import TrackingConfig, detect_video, select_people, track_people
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints
from spgnet.video import Frame, FrameSource

RED, BLUE = (200, 60, 60), (50, 60, 190)
EVERY = TrackingConfig(boxes_every=1)


def walk(start: float, speed: float, y: float = 120.0) -> Callable[[float], tuple[float, float]]:
    """From x = start at a speed in pixels per second."""
    return lambda time: (start + speed * time, y)


def during(
    first: float, last: float, path: Callable[[float], tuple[float, float]]
) -> Callable[[float], tuple[float, float] | None]:
    return lambda time: path(time) if first <= time < last else None


def away(
    first: float, last: float, path: Callable[[float], tuple[float, float]]
) -> Callable[[float], tuple[float, float] | None]:
    return lambda time: None if first <= time < last else path(time)


def frames_with(person: Keypoints) -> np.ndarray:
    return np.flatnonzero(person.present.any(axis=1))


def check_one_actor_each(stage: Stage, people: list[Keypoints]) -> list[int]:
    """Every person is the same actor throughout, and no actor is two people; returns the actors."""
    casts = [set(stage.cast(person)) for person in people]
    assert all(len(cast) == 1 for cast in casts), casts
    actors = [cast.pop() for cast in casts]
    assert len(set(actors)) == len(actors)
    return actors


# --- Who is who ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [EVERY, TrackingConfig()])
def test_people_keep_their_numbers_and_every_frame_of_the_clip_is_there(config):
    stage = Stage([Actor(walk(100, 20)), Actor(walk(300, -10), BLUE), Actor(walk(550, -25))], 60)
    people = track_people(stage.frames(), stage, config=config)
    assert [person.track for person in people] == [1, 2, 3]
    check_one_actor_each(stage, people)
    for person in people:
        assert len(frames_with(person)) == len(person) == 60
        assert person.image_size == (640, 240)
        np.testing.assert_allclose(person.timestamps, np.arange(60) / FPS)


@pytest.mark.parametrize("config", [EVERY, TrackingConfig()])
@pytest.mark.parametrize("colours", [(RED, BLUE), (RED, RED)])
@pytest.mark.parametrize("speed", [60.0, 200.0])
def test_people_who_cross_are_not_exchanged(config, colours, speed):
    stage = Stage(
        [
            Actor(walk(320 - 1.5 * speed, speed), colours[0]),
            Actor(walk(320 + 1.5 * speed, -speed), colours[1]),
        ],
        90,
    )
    people = track_people(stage.frames(), stage, config=config)
    actors = check_one_actor_each(stage, people)
    front, back = (len(frames_with(people[actors.index(actor)])) for actor in (0, 1))
    assert front == 90
    assert 45 < back < 90, "the one behind is lost while covered, and found again"


def test_people_who_meet_and_turn_back_are_known_by_their_appearance():
    """Constant velocity alone would exchange them."""
    stage = Stage(
        [
            Actor(lambda time: (320 - 100 * abs(time - 1.5), 120.0), RED),
            Actor(lambda time: (320 + 100 * abs(time - 1.5), 120.0), BLUE),
        ],
        90,
    )
    assert len(check_one_actor_each(stage, track_people(stage.frames(), stage))) == 2


def test_a_person_twice_detected_is_one_person():
    stage = Stage([Actor(walk(100, 30)), Actor(walk(400, -10), BLUE)], 40, twice=True)
    people = track_people(stage.frames(), stage, config=EVERY)
    check_one_actor_each(stage, people)
    assert [len(frames_with(person)) for person in people] == [40, 40]


def test_colours_are_not_learnt_while_somebody_else_may_hide_them():
    """A child in blue stands before a wall of red, an adult in front, and then beside a child in red."""
    blind = range(75, 90)
    stage = Stage(
        [
            Actor(during(0.0, 2.5, walk(320, 0)), RED, height=200.0),
            Actor(lambda time: (360 if time > 2.5 else 150 + 170 * min(time, 1.0), 170.0), BLUE),
            Actor(during(2.5, 9.0, walk(282, 0, y=170)), RED),
        ],
        120,
        blind=blind,
    )
    people = track_people(stage.frames(), stage, config=EVERY)
    assert sorted(check_one_actor_each(stage, people)) == [0, 1, 2]


def test_of_two_missing_people_the_one_known_for_longer_is_found_again_if_in_doubt():
    """The one known for 0.4 s was a little nearer."""
    stage = Stage(
        [
            Actor(away(2.0, 2.2, lambda time: (290.0 if time < 2.1 else 322.0, 120.0))),
            Actor(during(1.6, 2.0, walk(350, 0))),
        ],
        90,
    )
    first, second = track_people(stage.frames(), stage, config=EVERY)
    assert frames_with(first).max() == 89
    assert frames_with(second).max() < 60


# --- Lost and found -----------------------------------------------------------------------------


@pytest.mark.parametrize("config", [EVERY, TrackingConfig()])
def test_frames_in_which_nobody_is_detected_are_gaps_of_score_zero(config):
    blind = [20, 21, 22, 23, 40]
    stage = Stage([Actor(walk(100, 60)), Actor(walk(500, -20), BLUE)], 60, blind=blind)
    people = track_people(stage.frames(), stage, config=config)
    assert len(people) == 2
    check_one_actor_each(stage, people)
    for person in people:
        assert sorted(set(range(60)) - set(frames_with(person).tolist())) == blind
        assert (person.points[blind] == 0).all()


def test_who_is_away_for_less_than_max_age_comes_back_under_the_same_number():
    stage = Stage([Actor(away(1.0, 1.7, walk(200, 40))), Actor(walk(500, 0), BLUE)], 90)
    people = track_people(stage.frames(), stage)
    assert sorted(check_one_actor_each(stage, people)) == [0, 1]


def test_who_is_away_for_longer_than_max_age_comes_back_as_somebody_else():
    stage = Stage([Actor(away(1.0, 2.5, walk(200, 40)))], 120)
    people = track_people(stage.frames(), stage)
    assert [person.track for person in people] == [1, 2]
    assert frames_with(people[0]).max() < 30
    assert frames_with(people[1]).min() >= 75


def test_who_enters_later_gets_a_later_number_and_is_missing_before():
    stage = Stage([Actor(during(1.0, 9.0, walk(500, -20)), BLUE), Actor(walk(100, 10))], 60)
    people = track_people(stage.frames(), stage)
    assert check_one_actor_each(stage, people) == [1, 0]
    assert 30 <= frames_with(people[1]).min() <= 30 + 5


def test_who_stops_while_missing_is_expected_near_the_place_and_not_farther_and_farther_on():
    stage = Stage([Actor(lambda time: (100 + 300 * min(time, 1.0), 120.0))], 80, blind=range(28, 52))
    people = track_people(stage.frames(), stage, config=EVERY)
    assert [frames_with(person).max() for person in people] == [79]


@pytest.mark.parametrize(("config", "score"), [(EVERY, 0.6), (TrackingConfig(), 0.45)])
def test_a_place_that_the_person_detector_does_not_confirm_for_long_is_no_person(config, score):
    """Keypoints that a background resembles can be followed for ever."""

    class Resembling(Stage):
        def pose(self, image, boxes):
            poses = super().pose(image, boxes)
            poses[..., 2] = np.where(poses[..., 2] > 0.5, poses[..., 2], score)
            return poses

    stage = Resembling([Actor(during(0.0, 1.0, walk(200, 0)))], 150)
    (person,) = track_people(stage.frames(), stage, config=config)
    assert 30 <= frames_with(person).max() <= 30 + 1.5 * config.max_age * FPS


def test_who_is_clear_but_not_sure_is_followed_while_it_is_not_the_person_detectors_turn():
    class Unsure(Stage):
        def pose(self, image, boxes):
            return super().pose(image, boxes) * [1, 1, 0.75]

    stage = Unsure([Actor(walk(200, 0))], 100)
    (person,) = track_people(stage.frames(), stage, config=TrackingConfig(boxes_every=90, max_age=0.5))
    assert stage.looked == [0, 90]
    assert frames_with(person).tolist() == list(range(100))


def test_who_leaves_is_not_followed_into_the_background():
    stage = Stage([Actor(during(0.0, 1.0, walk(200, 40)))], 60)
    (person,) = track_people(stage.frames(), stage)
    assert frames_with(person).tolist() == list(range(30))


# --- Who counts ---------------------------------------------------------------------------------


def test_a_short_appearance_does_not_count():
    stage = Stage([Actor(walk(100, 10)), Actor(during(0.5, 0.75, walk(500, 0)), BLUE)], 60)
    assert check_one_actor_each(stage, track_people(stage.frames(), stage, config=EVERY)) == [0]


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_in_a_clip_shorter_than_that_everybody_counts(frames):
    stage = Stage([Actor(walk(100, 10)), Actor(walk(500, 0), BLUE)], frames)
    people = track_people(stage.frames(), stage)
    assert [(person.track, len(person)) for person in people] == [(1, frames), (2, frames)]


def test_people_of_low_confidence_do_not_count():
    class LowConfidence(Stage):
        def pose(self, image, boxes):
            return super().pose(image, boxes) * [1, 1, 0.52]

    stage = LowConfidence([Actor(walk(100, 10))], 60)
    assert track_people(stage.frames(), stage) == []


def test_no_frame_gives_no_people():
    assert track_people(iter(()), Stage([], 0)) == []


# --- Economy ------------------------------------------------------------------------------------


def test_the_person_detector_rests_while_everybody_is_there_with_confidence():
    stage = Stage([Actor(walk(100, 20)), Actor(walk(400, -10), BLUE)], 60)
    track_people(stage.frames(), stage, config=TrackingConfig(boxes_every=10))
    assert stage.looked == [0, 10, 20, 30, 40, 50]


def test_the_person_detector_looks_again_as_soon_as_somebody_is_lost():
    stage = Stage([Actor(walk(100, 20))], 30, blind=[12])
    track_people(stage.frames(), stage, config=TrackingConfig(boxes_every=10))
    assert stage.looked == [0, 10, 13, 20]


def test_sparse_detection_leaves_the_frames_between_missing():
    stage = Stage([Actor(walk(100, 60)), Actor(walk(500, -60), BLUE)], 61)
    people = track_people(stage.frames(), stage, detect_every=4)
    check_one_actor_each(stage, people)
    assert sorted(set(stage.posed)) == list(range(0, 61, 4))
    for person in people:
        assert len(person) == 61
        assert frames_with(person).tolist() == list(range(0, 61, 4))


def test_frames_are_not_kept():
    stage, alive = Stage([Actor(walk(100, 20))], 30), []

    def frames() -> Iterator[Frame]:
        for frame in stage.frames():
            assert sum(image() is not None for image in alive) <= 2
            alive.append(weakref.ref(frame.image))
            yield frame

    track_people(frames(), stage)
    assert len(alive) == 30


def test_steps_of_less_than_a_frame_are_refused():
    with pytest.raises(ValueError, match='detect_every must be 1 or more, or "auto", got 0'):
        track_people(iter(()), Stage([], 0), detect_every=0)
    with pytest.raises(ValueError, match="boxes_every must be 1 or more, got 0"):
        TrackingConfig(boxes_every=0)


# --- Results ------------------------------------------------------------------------------------


class Clip(FrameSource):
    def __init__(self, stage: Stage) -> None:
        self.name, self.stage, self.warnings = "stage.mp4", stage, []
        self.image_size = (WIDTH, HEIGHT)

    def __iter__(self) -> Iterator[Frame]:
        return self.stage.frames()


def test_a_video_without_people_is_refused_by_name():
    stage = Stage([], 12)
    with pytest.raises(ValueError, match=r"no person found in stage\.mp4 \(12 frames looked at\)"):
        detect_video(Clip(stage), stage)


def test_damage_of_a_video_in_which_nobody_is_found_is_said():
    clip = Clip(Stage([], 12))
    clip.warnings.append("stage.mp4: some frames cannot be decoded")
    with pytest.raises(InputError, match=r"no person found .*; stage\.mp4: some frames cannot be decoded"):
        detect_video(clip, clip.stage)


class TwoScenes(Stage):
    """The same actor at the same place, before another picture from frame 20 on, or only once before it."""

    once = False

    def frames(self) -> Iterator[Frame]:
        backgrounds = np.random.default_rng(3).integers(0, 256, (2, 4, 8, 3), dtype=np.uint8)
        for index, frame in enumerate(super().frames()):
            later = index == 20 if self.once else index >= 20
            image = np.kron(backgrounds[int(later)], np.ones((60, 80, 1), np.uint8))
            image[0, :2] = frame.image[0, :2]
            yield Frame(image, frame.time)


@pytest.mark.parametrize("detect_every", [1, 3])
def test_after_a_cut_everybody_is_somebody_else_and_the_user_is_told(detect_every):
    clip = Clip(TwoScenes([Actor(walk(100, 10))], 40))
    first, second = detect_video(clip, clip.stage, detect_every=detect_every)
    assert frames_with(first).max() == (20 - 1) // detect_every * detect_every
    assert frames_with(second).min() == -(-20 // detect_every) * detect_every
    assert clip.warnings == ["stage.mp4: the scene changes (at 0.7 s); people get new numbers there"]


def test_every_frame_is_shown_with_the_numbers_of_the_result():
    stage = Stage([Actor(walk(100, 10)), Actor(walk(500, 0), BLUE)], 40)
    shown = []
    people = detect_video(
        Clip(stage), stage, on_frame=lambda frame, people: shown.append((frame.time, people))
    )
    assert [time for time, _ in shown] == pytest.approx(np.arange(40) / FPS)
    for index, (_, tracked) in enumerate(shown):
        for person in tracked:
            if person.track:
                result = people[person.track - 1].points[index]
                np.testing.assert_allclose(person.keypoints, result, rtol=1e-5)
    assert {person.track for person in shown[-1][1]} == {1, 2}


def test_people_are_selected_by_size_or_number():
    stage = Stage([Actor(walk(100, 0), height=80.0), Actor(walk(450, 0), BLUE, height=160.0)], 30)
    people = track_people(stage.frames(), stage)
    largest = people[check_one_actor_each(stage, people).index(1)]
    assert select_people(people, "largest") == [largest]
    assert select_people(people, "all") == people
    assert [person.track for person in select_people(people, 2)] == [2]
    with pytest.raises(ValueError, match="no person 3; there are 1, 2"):
        select_people(people, 3)

"""From detections in frames to people: duplicates, flickering numbers, people of a moment, who is meant."""

import numpy as np
import pytest
from written_files import FPS, SIZE, a_body, a_track

from spgnet.keypoints import Keypoints, select_person
from spgnet.keypoints.linking import person_numbers
from spgnet.keypoints.raw import GivenMetadata, raw_from_frames
from spgnet.keypoints.tracks import DUPLICATE_OKS, JOIN_GAP, MOST_PEOPLE, Person, people_to_tracks

GIVEN = GivenMetadata(fps=FPS, image_size=SIZE)
BODY = a_body("halpe26", frames=60)


def ghost(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """A weak second detection of somebody: a few keypoints, a few pixels off."""
    rng = np.random.default_rng(seed)
    weak = np.full_like(points, 0.0)
    some = rng.choice(len(points), 8, replace=False)
    weak[some, :2] = points[some, :2] + rng.normal(scale=2, size=(8, 2))
    weak[some, 2] = 0.25
    return weak


def test_a_weak_second_detection_of_a_person_is_merged_before_linking():
    frames = {
        frame: [Person(ghost(points, frame)), Person(points)] if frame % 3 else [Person(points)]
        for frame, points in enumerate(BODY)
    }
    tracks, remarks = people_to_tracks(frames)
    assert list(tracks) == [1]
    np.testing.assert_array_equal(tracks[1].points, BODY)
    assert remarks == ("people are detected twice in 40 frames; the less sure detection is merged",)


def test_what_the_surer_detection_lacks_is_taken_from_the_other():
    without = BODY[0].copy()
    without[9] = 0
    weak = BODY[0] * [1, 1, 0.4]
    tracks, _ = people_to_tracks({0: [Person(weak), Person(without)]})
    np.testing.assert_array_equal(tracks[1].points[0, 9], weak[9])
    np.testing.assert_array_equal(tracks[1].points[0, 10], without[10])


def test_two_people_side_by_side_are_not_merged():
    beside = BODY + np.array([60, 0, 0])
    frames = {i: [Person(a), Person(b)] for i, (a, b) in enumerate(zip(BODY, beside, strict=True))}
    tracks, remarks = people_to_tracks(frames)
    assert len(tracks) == 2
    assert not remarks
    assert 0 < DUPLICATE_OKS < 1


@pytest.mark.parametrize("gap", [0, 10])
def test_numbers_of_a_tracker_that_follow_one_another_for_a_person_are_joined(gap):
    numbers = np.repeat([1, 5, 9, 12], 15)
    frames = {
        frame: [Person(points, int(number))]
        for frame, (points, number) in enumerate(zip(BODY, numbers, strict=True))
        if frame % 15 >= gap or frame < 15
    }
    (person,) = raw_from_frames(frames).people(GIVEN)
    assert (person.track, person.joined_tracks) == (1, (5, 9, 12))
    assert person.present.any(axis=1).sum() == len(frames)
    assert "person 1 also has the tracker's numbers 5, 9, 12" in person.remarks[0]


def test_tracks_that_overlap_are_apart_or_come_much_later_are_not_joined():
    def tracks(second: np.ndarray, start: int) -> int:
        frames = {frame: [Person(points, 1)] for frame, points in enumerate(BODY[:20])}
        for frame, points in enumerate(second, start=start):
            frames.setdefault(frame, []).append(Person(points, 2))
        return len(people_to_tracks(frames)[0])

    assert tracks(BODY[20:], 20) == 1
    assert tracks(BODY[20:] + np.array([300, 0, 0]), 20) == 2
    assert tracks(BODY[20:], 15) == 2
    assert tracks(BODY[20:], 20 + JOIN_GAP) == 1
    assert tracks(BODY[20:], 21 + JOIN_GAP) == 2


def test_a_person_of_a_moment_takes_no_memory_of_the_whole_clip():
    frames = {100 * index: [Person(BODY[0], index)] for index in range(250)}
    people = raw_from_frames(frames).people(GIVEN)
    assert sum(person.points.nbytes for person in people) < 100e6
    assert "people are left out, who are seen in at most 1 of 24901 frames" in people[0].remarks[-1]


def test_a_crowd_is_refused():
    with pytest.raises(ValueError, match=f"frame 0 has {MOST_PEOPLE + 1} people, expected at most"):
        people_to_tracks({0: [Person(BODY[0])] * (MOST_PEOPLE + 1)})


def clip(points: np.ndarray, track: int) -> Keypoints:
    return Keypoints(points, "halpe26", np.arange(len(points)) / FPS, SIZE, track=track)


def test_the_largest_is_so_by_size_and_by_duration():
    near = BODY.copy()
    near[..., :2] *= 3
    near[4:] = [np.nan, np.nan, 0]
    passing, staying = clip(near, 1), clip(BODY, 2)
    assert select_person([passing, staying]) is staying
    near = np.where(np.arange(60)[:, None, None] < 40, BODY * [3, 3, 1], [np.nan, np.nan, 0])
    assert select_person([clip(near, 1), staying]).track == 1


def test_one_person_can_be_put_together_from_numbers():
    seen = np.arange(60)[:, None, None]
    first = clip(np.where(seen < 20, BODY, [np.nan, np.nan, 0]), 1)
    second = clip(np.where((seen >= 20) & (seen < 40), BODY, [np.nan, np.nan, 0]), 5)
    third = clip(np.where(seen >= 40, BODY, [np.nan, np.nan, 0]), 9)
    whole = select_person([first, second, third], "1+5+9")
    np.testing.assert_array_equal(whole.points, BODY)
    assert (whole.track, whole.joined_tracks) == (1, (5, 9))
    assert select_person([whole], "1+5+9") is whole
    assert select_person([whole], 5) is whole
    with pytest.raises(ValueError, match="no person 7; there are 1, 5, 9"):
        select_person([first, second, third], "1+7")


@pytest.mark.parametrize("text", ["", "one", "1+", "0", "1+-2", "+", "1.5"])
def test_other_texts_name_no_person(text):
    with pytest.raises(ValueError, match="expected a number from 1, or several as in"):
        person_numbers(text)


def test_the_numbers_of_a_person_may_have_spaces_around_them():
    assert person_numbers(f"1+ 5 +{' ' * 30}9") == (1, 5, 9)


def test_where_two_parts_are_seen_the_surer_one_counts():
    weak, strong = clip(BODY * [1, 1, 0.5] + np.array([50, 0, 0]), 1), clip(BODY, 2)
    np.testing.assert_array_equal(select_person([weak, strong], "1+2").points, BODY)


def test_without_scores_every_keypoint_with_a_position_is_sure():
    points = a_track("coco17")
    frames = {frame: [Person(np.nan_to_num(pose) * [1, 1, 0])] for frame, pose in enumerate(points)}
    (person,) = raw_from_frames(frames).people(GIVEN)
    np.testing.assert_array_equal(person.present, points[..., 2] > 0)
    assert person.remarks[0] == "all scores are 0: every keypoint with a position counts as sure"

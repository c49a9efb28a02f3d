"""Clips that are detected in pieces: the people are those of the whole clip, with the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import pytest

from detection.actors import FPS, HEIGHT, WIDTH, Actor, Stage
from detection.test_tracking import BLUE, RED, TwoScenes, away, during, walk
from spgnet.detection import people_in_video, track_video
from spgnet.detection.clip_tracks import ClipTracks, load_tracks, save_tracks
from spgnet.detection.frame_choice import DetectEvery
from spgnet.detection.people import box_turns
from spgnet.detection.pieces import OVERLAP, Piece, divide_clip, join_pieces
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints
from spgnet.video import Frame, FrameSource

RATE = 10
"""Frames per second of the clips: every third one of a stage's."""


class Clip(FrameSource):
    """A stage's clip, of which pieces are detected by trackers that know nothing of each other."""

    name, fps, image_size = "stage.mp4", float(RATE), (WIDTH, HEIGHT)

    def __init__(self, stage: Stage) -> None:
        self.stage, self.warnings = stage, []

    def __iter__(self) -> Iterator[Frame]:
        return islice(self.stage.frames(), 0, None, FPS // RATE)


def in_pieces(
    stage: Stage, length: float = 5.0, detect_every: DetectEvery = 1
) -> tuple[list[ClipTracks], list[Keypoints]]:
    """The pieces of a stage's clip, and the people in it."""
    clip, times = Clip(stage), np.arange(stage.count * RATE // FPS) / RATE
    pieces = divide_clip(times, length, box_turns(times, detect_every))
    assert len(pieces) > 1
    tracks = [track_video(clip, stage, detect_every=detect_every, piece=piece) for piece in pieces]
    return tracks, people_in_video(clip, join_pieces(tracks))


def whole(stage: Stage, detect_every: DetectEvery = 1) -> list[Keypoints]:
    clip = Clip(stage)
    return people_in_video(clip, track_video(clip, stage, detect_every=detect_every))


def check_same_people(found: list[Keypoints], expected: list[Keypoints]) -> None:
    assert [person.track for person in found] == [person.track for person in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.timestamps, other.timestamps)
        np.testing.assert_allclose(one.points, other.points, atol=1e-3)


class Steady(Stage):
    """Keypoints without jitter, which are the same whenever they are detected."""

    jitter = 0.0


GREEN = (60, 190, 60)
STAGES = {
    "who cross at the seam": [Actor(walk(20, 60), RED), Actor(walk(620, -60), BLUE)],
    "who cross after the seam, dressed alike": [Actor(walk(-40, 60), RED), Actor(walk(680, -60), RED)],
    "who leave and return, or come and go": [
        Actor(away(4.5, 5.3, walk(60, 10)), RED),
        Actor(away(4.0, 7.5, walk(520, -10)), BLUE),
        Actor(during(3.2, 4.9, walk(360, 0)), GREEN),
        Actor(during(5.2, 5.9, walk(600, 0)), GREEN),
        Actor(during(6.9, 9.9, walk(230, 0)), RED),
    ],
}


@pytest.mark.parametrize("name", STAGES)
def test_the_people_are_those_of_the_whole_clip(name):
    """The seam is at 5 s."""
    stage = Steady(STAGES[name], 10 * FPS)
    expected = whole(stage)
    assert len(expected) > 1
    check_same_people(in_pieces(stage)[1], expected)


def test_each_piece_has_its_frames_alone_and_each_frame_is_taken_once():
    tracks, (person,) = in_pieces(Steady([Actor(walk(100, 5))], 15 * FPS))
    assert [(piece.times[0], piece.times[-1]) for piece in tracks] == [(0, 6.9), (2.5, 11.9), (7.5, 14.9)]
    np.testing.assert_array_equal(person.timestamps, np.arange(150) / RATE)
    assert person.present.all()


@pytest.mark.parametrize("detect_every", [2, "auto"])
def test_jitter_and_looks_at_other_frames_exchange_nobody(detect_every):
    stage = Stage(STAGES["who cross at the seam"], 10 * FPS)
    people, expected = in_pieces(stage, detect_every=detect_every)[1], whole(stage, detect_every)
    for person, other in zip(people, expected, strict=True):
        seen = person.present.any(axis=1)
        at = np.flatnonzero(seen)
        apart = [
            np.abs(person.points[at, 0, 0] - [stage.truth(actor, 3 * frame)[0, 0] for frame in at]).max()
            for actor in range(2)
        ]
        assert min(apart) < 6
        assert seen.sum() >= other.present.any(axis=1).sum() - 3
        if detect_every == 2:
            assert not seen[1::2].any()
        else:
            assert not person.skipped[seen].any()
            assert np.diff(np.flatnonzero(~person.skipped)).max() <= 2


@pytest.mark.parametrize("seam_after_cut", [True, False])
def test_a_cut_is_told_once_and_ends_the_tracks(seam_after_cut):
    clip = Clip(TwoScenes([Actor(walk(300, 1))], 4 * FPS))
    pieces = [Piece(0.0, 2.0), Piece(0.4 if seam_after_cut else 0.0, np.inf)]
    tracks = [track_video(clip, clip.stage, piece=piece) for piece in pieces]
    people = people_in_video(clip, join_pieces(tracks))
    assert [len(np.flatnonzero(person.present.any(axis=1))) for person in people] == [7, 33]
    assert clip.warnings == ["stage.mp4: the scene changes (at 0.7 s); people get new numbers there"]


def test_pieces_without_frames_or_people_are_joined_too():
    stage = Steady([Actor(during(8.0, 99.0, walk(300, 0)))], 10 * FPS)
    tracks, people = in_pieces(stage)
    check_same_people(people, whole(stage))
    empty = ClipTracks("coco17")
    check_same_people(people_in_video(Clip(stage), join_pieces([empty, *tracks, empty])), people)
    with pytest.raises(InputError, match=r"no person found in stage\.mp4 \(0 frames looked at\)"):
        people_in_video(Clip(stage), join_pieces([empty, empty]))


def test_pieces_are_of_about_the_length_and_cover_the_clip():
    times = np.sort(np.random.default_rng(0).uniform(0, 1000, 5000))
    times -= times[0]
    for length in (10.0, 60.0, 300.0, 999.0, 5000.0):
        pieces = divide_clip(times, length, np.arange(0, 5000, 7))
        assert (pieces[0].start, pieces[-1].end) == (0.0, np.inf)
        for one, other in pairwise(pieces):
            assert OVERLAP <= one.end - other.start < OVERLAP + 5
            assert 2 / 3 * length - 5 < one.end - one.start < 1.5 * length + OVERLAP + 5
        starts = np.searchsorted(times, [piece.start for piece in pieces])
        assert (starts % 7 == 0).all()
        np.testing.assert_array_equal(times[starts], [piece.start for piece in pieces])
    for times in (np.array([]), np.arange(14.0)):
        assert divide_clip(times, 10.0, np.arange(len(times))) == [Piece(0.0, np.inf)]


@pytest.mark.parametrize("pause", [60.0, 1e9])
def test_a_pause_in_the_timestamps_is_no_piece(pause):
    times = np.concatenate((np.arange(300) / 10, pause + np.arange(300, 600) / 10))
    pieces = divide_clip(times, 10.0, np.arange(600))
    ends = [np.searchsorted(times, piece.end - OVERLAP / 2) for piece in pieces]
    assert len(set(ends)) == len(pieces) <= 7
    assert times[0] == pieces[0].start
    assert all(other.start < one.end for one, other in pairwise(pieces))


@pytest.mark.parametrize("detect_every", [1, 2, "auto"])
def test_the_person_detectors_turns_are_those_that_it_takes(detect_every):
    stage = Steady([Actor(walk(100, 5))], 6 * FPS)
    track_video(Clip(stage), stage, detect_every=detect_every)
    times = np.arange(6 * RATE) / RATE
    turns = box_turns(times, detect_every)
    assert 4 <= len(turns) < 30
    assert (3 * turns).tolist() == stage.looked


def test_stored_tracks_are_read_as_they_were(tmp_path):
    stage = Stage(STAGES["who cross at the seam"], 4 * FPS)
    tracks = track_video(Clip(stage), stage, detect_every="auto", piece=Piece(1.0, 3.0))
    tracks.cuts, tracks.warnings = [9.5], ["stage.mp4: some frames cannot be decoded"]
    save_tracks(tmp_path / "tracks.npz", tracks)
    again = load_tracks(tmp_path / "tracks.npz")
    assert again.points.keys() == tracks.points.keys()
    for serial, frames in tracks.points.items():
        assert again.points[serial].keys() == frames.keys()
        for frame, points in frames.items():
            np.testing.assert_array_equal(again.points[serial][frame], points)
    again.points = tracks.points = {}
    assert again == tracks
    np.savez(tmp_path / "other.npz", times=[1.0])
    for name, fault in (("other.npz", "not the tracks of a piece"), ("none.npz", "no such file")):
        with pytest.raises(InputError, match=rf"{name}: {fault}"):
            load_tracks(tmp_path / name)

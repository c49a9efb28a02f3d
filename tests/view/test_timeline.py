"""One timeline for several people, and the floor."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from filmed import people

from spgnet.view.timeline import common_timeline, floor_height, person_numbers


def test_one_person_has_their_own_frames():
    motion = people()[0]
    timeline = common_timeline([motion])
    np.testing.assert_allclose(timeline.times, motion.timestamps)
    np.testing.assert_array_equal(timeline.frames[0], np.arange(len(motion)))
    assert timeline.fps == pytest.approx(30)


def test_a_person_is_away_before_they_come_after_they_left_and_in_a_long_gap():
    first, second = people(2)
    kept = np.r_[0:20, 30 : len(second)]
    second = replace(
        second, **{n: getattr(second, n)[kept] for n in ("joints", "confidence", "pixels", "timestamps")}
    )
    frames = common_timeline([first, second]).frames
    np.testing.assert_array_equal(frames[0], np.arange(60))
    assert (frames[1, :10] == -1).all()
    np.testing.assert_array_equal(frames[1, 10:30], np.arange(20))
    assert (frames[1, 33:40] == -1).all()
    np.testing.assert_array_equal(frames[1, 40:], np.arange(20, 40))


def test_a_person_who_left_is_away_at_the_next_moment():
    first, second = people(2)
    names = ("joints", "confidence", "pixels", "timestamps")
    left = replace(second, **{name: getattr(second, name)[:20] for name in names})
    frames = common_timeline([first, left]).frames[1]
    last = int(np.flatnonzero(frames == 19)[-1])
    assert (frames == 19).sum() == 1
    assert (frames[last + 1 :] == -1).all()


def test_people_filmed_at_different_rates_share_the_moments_of_both():
    fast, slow = people(1, fps=30.0)[0], people(1, fps=15.0)[0]
    timeline = common_timeline([fast, slow])
    assert len(timeline) == 60
    np.testing.assert_array_equal(timeline.frames[1, :59], np.arange(59) // 2)


@pytest.mark.parametrize("fps", [960.0, 1000.0, 2500.0])
def test_every_frame_of_a_fast_clip_is_a_moment(fps):
    fast = [replace(motion, timestamps=np.arange(60) / fps) for motion in people(1)]
    late = replace(fast[0], timestamps=fast[0].timestamps + 0.1 / fps)  # the same moments, a little later
    timeline = common_timeline([*fast, late])
    np.testing.assert_array_equal(timeline.frames, np.tile(np.arange(60), (2, 1)))


def test_what_cannot_be_shown_is_refused_with_every_fault():
    motion = people()[0]
    broken, lost = motion.joints.copy(), motion.pixels.copy()
    broken[3:5], lost[7] = np.nan, np.inf
    with pytest.raises(
        ValueError, match="track 1: joints are NaN or infinite in 2 of 60 frames; track 1: pixels are NaN"
    ):
        common_timeline([replace(motion, joints=broken, pixels=lost)])
    with pytest.raises(ValueError, match="no motion"):
        common_timeline([])


def test_the_floor_is_at_zero_unless_the_world_is_arbitrary():
    motion = people()[0]
    assert floor_height([motion]) == 0
    at_origin = replace(motion, camera=replace(motion.camera, position=torch.zeros(3)))
    assert floor_height([at_origin]) == 0
    unplaced = replace(motion, camera=replace(motion.camera, extrinsics="arbitrary"))
    assert floor_height([unplaced]) == pytest.approx(unplaced.world[..., 2].min() - 0.08, abs=0.01)


def test_people_are_numbered_by_their_tracks_if_those_are_unique():
    first, second = people(2)
    assert person_numbers([second, first]) == [2, 1]
    assert person_numbers([first, replace(second, track=1)]) == [1, 2]

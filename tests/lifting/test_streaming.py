"""Live lifting equals lifting the whole clip with the same look-ahead."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lifting.people import SIZE, camera, filmed, lifter
from spgnet.keypoints import Keypoints, OneEuroFilter, drop_unsure, fill_gaps, to_human36m
from spgnet.lifting import Lifter
from spgnet.lifting.lifter import network_input
from spgnet.lifting.streaming import StreamingLifter, lift_live, motion_of
from spgnet.models.sequence import lift_sequence


def with_gaps(keypoints: Keypoints) -> Keypoints:
    """Nobody in the first frames, and joints and frames missing later."""
    points = keypoints.points.copy()
    points[:4, :, 2] = 0
    points[10:13] = np.nan
    points[15:, 6, 2] = 0
    points[np.random.default_rng(0).random(points.shape[:2]) < 0.1] = 0
    return replace(keypoints, points=points)


def batch(lifter: Lifter, keypoints: Keypoints) -> np.ndarray:
    """The same by the functions for whole clips."""
    pixels, confidence = drop_unsure(*to_human36m(keypoints))
    filled = fill_gaps(pixels, confidence, causal=True)[4:]
    jitter = OneEuroFilter(float(max(SIZE)))
    times = keypoints.timestamps[4:]
    steady = np.stack([jitter.push(frame, float(time)) for frame, time in zip(filled, times, strict=True)])
    return lift_sequence(lifter.model, network_input(steady, confidence[4:] > 0, camera())).numpy()


@pytest.mark.parametrize("causal", [False, True])
def test_a_live_clip_equals_the_whole_clip(causal):
    keypoints, untrained = with_gaps(filmed(40)[0]), lifter((3, 3, 3), causal=causal)
    poses = list(lift_live(untrained, keypoints, camera=camera()))
    assert len(poses) == 36
    np.testing.assert_allclose(
        np.stack([pose.joints for pose in poses]), batch(untrained, keypoints), atol=1e-5
    )
    np.testing.assert_array_equal([pose.time for pose in poses], keypoints.timestamps[4:])
    assert (poses[7].confidence == 0).all()


@pytest.mark.parametrize(("causal", "late"), [(True, 0), (False, 13)])
def test_a_pose_comes_as_many_frames_late_as_stated(causal, late):
    keypoints, _ = filmed(20)
    live = StreamingLifter(lifter((3, 3, 3), causal=causal), SIZE, "human36m17", camera=camera())
    assert live.lookahead == late
    poses = [
        live.push(points, float(time))
        for points, time in zip(keypoints.points, keypoints.timestamps, strict=True)
    ]
    assert [pose is None for pose in poses] == [True] * late + [False] * (20 - late)
    times = [pose.time for pose in poses if pose] + [pose.time for pose in live.finish()]
    np.testing.assert_array_equal(times, keypoints.timestamps)


def test_the_past_of_a_causal_motion_does_not_change_with_the_future():
    keypoints, _ = filmed(20)
    causal = lifter((3, 3), causal=True)
    whole = list(lift_live(causal, keypoints, camera=camera()))
    part = list(lift_live(causal, keypoints.frames(slice(0, 11)), camera=camera()))
    torch.testing.assert_close(
        torch.tensor(part[-1].joints), torch.tensor(whole[10].joints), atol=1e-6, rtol=0
    )


def test_a_clip_shorter_than_the_look_ahead_still_gives_every_frame():
    keypoints, _ = filmed(5)
    live = StreamingLifter(lifter((3, 3, 3)), SIZE, "human36m17")
    assert all(
        live.push(p, float(t)) is None for p, t in zip(keypoints.points, keypoints.timestamps, strict=True)
    )
    motion = motion_of(live.finish(), live, "untrained")
    np.testing.assert_array_equal(motion.timestamps, keypoints.timestamps)
    assert "default field of view" in motion.camera_source


def test_nothing_comes_of_nobody():
    live = StreamingLifter(lifter(), SIZE, "coco17")
    assert live.push(np.zeros((17, 3), np.float32), 0.0) is None
    assert live.finish() == []
    with pytest.raises(ValueError, match="nobody was seen"):
        motion_of([], live, "")

"""Live lifting equals lifting the whole clip with the same look-ahead."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from lifting.people import SIZE, camera, filmed, folding_camera, lifter
from spgnet.camera_files import save_camera
from spgnet.geometry.camera import opencv_camera
from spgnet.keypoints import Keypoints, OneEuroFilter, fill_gaps, to_human36m
from spgnet.lifting import Lifter, StreamingLifter
from spgnet.lifting.inputs import network_input
from spgnet.lifting.streaming import LivePose, lift_live, motion_from_poses
from spgnet.models.network import lift_sequence


def with_gaps(keypoints: Keypoints) -> Keypoints:
    """Nobody in the first frames; joints and frames missing, unsure or outside the image later."""
    points = keypoints.points.copy()
    points[:4, :, 2] = 0
    points[10:13] = np.nan
    points[15:, 6, 2] = 0
    points[np.random.default_rng(0).random(points.shape[:2]) < 0.1] = 0
    points[20:24, 13] = 3 * SIZE[0], 100, 0.9
    points[30:33, 3] = 100, 100, 0.1
    return replace(keypoints, points=points)


def filtered(keypoints: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """What is seen after the first four frames, filled and filtered by the functions for whole clips."""
    pixels, confidence = to_human36m(keypoints)
    margin = 0.02 * max(SIZE)
    x, y = pixels[..., 0], pixels[..., 1]
    inside = (x >= -margin) & (y >= -margin) & (x <= SIZE[0] + margin) & (y <= SIZE[1] + margin)
    seen = inside & (confidence >= 0.3)
    pixels = np.where(seen[..., None], pixels, np.nan)
    filled = fill_gaps(pixels, np.where(seen, confidence, 0.0), causal=True)[4:]
    jitter = OneEuroFilter(float(max(SIZE)))
    times = keypoints.timestamps[4:]
    steady = [jitter.push(frame, float(time)) for frame, time in zip(filled, times, strict=True)]
    return np.stack(steady), seen[4:]


def batch(lifter: Lifter, keypoints: Keypoints, stride: int = 1) -> np.ndarray:
    """The same by the functions for whole clips."""
    rays = network_input(*filtered(keypoints), camera())
    return lift_sequence(lifter.model, rays, stride=stride).numpy()


def pushed(live: StreamingLifter, keypoints: Keypoints) -> list[list[LivePose]]:
    """What came of every frame, and at last of the end."""
    frames = zip(keypoints.points, keypoints.timestamps, strict=True)
    return [live.push(points, float(time)) for points, time in frames] + [live.finish()]


def joints_of(poses) -> np.ndarray:
    return np.stack([pose.joints for pose in poses])


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


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("fps", "stated", "steps"), [(8.0, 30.0, 3), (1.1, 30.0, 19), (40.0, 120.0, 2)])
def test_a_slow_source_is_lifted_like_its_frames_and_those_in_between(fps, stated, steps, causal):
    """At 8 frames a second two are put between each two: the network sees 24, not under its lowest rate."""
    keypoints = with_gaps(replace(filmed(40)[0], timestamps=np.arange(40) / fps))
    untrained = lifter((3, 3, 3), causal=causal)
    live = StreamingLifter(untrained, SIZE, "human36m17", fps=stated, camera=camera())
    poses = [pose for poses in pushed(live, keypoints) for pose in poses]
    pixels, seen = filtered(keypoints)
    series, flags = [pixels[0]], [seen[0]]
    for index in range(1, len(pixels)):
        for step in range(1, steps + 1):
            series.append(pixels[index - 1] + (pixels[index] - pixels[index - 1]) * (step / steps))
            flags.append(seen[index - 1] if step <= steps / 2 else seen[index])
    rays = network_input(np.stack(series), np.stack(flags), camera())
    whole = lift_sequence(untrained.model, rays, stride=live.stride).numpy()[::steps]
    np.testing.assert_array_equal([pose.time for pose in poses], keypoints.timestamps[4:])
    np.testing.assert_allclose(joints_of(poses), whole, atol=1e-5)
    assert np.abs(whole - batch(untrained, keypoints, stride=live.stride)).max() > 1e-3


def test_a_source_of_a_high_rate_is_lifted_at_its_stride():
    keypoints, untrained = with_gaps(filmed(60, fps=80.0)[0]), lifter((3, 3))
    poses = list(lift_live(untrained, keypoints, camera=camera()))
    np.testing.assert_allclose(joints_of(poses), batch(untrained, keypoints, stride=2), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_every_frame_has_its_pose_once_and_in_order_however_unsteady_they_come(causal):
    times = np.cumsum(np.random.default_rng(1).choice([0.02, 0.04, 0.1, 0.7], 60))
    keypoints = replace(filmed(60)[0], timestamps=times)
    live = StreamingLifter(lifter((3, 3, 3), causal=causal), SIZE, "human36m17", camera=camera())
    came = pushed(live, keypoints)
    np.testing.assert_array_equal([pose.time for poses in came for pose in poses], times)
    late = [len(times[: index + 1]) - sum(map(len, came[: index + 1])) for index in range(60)]
    assert 0 <= min(late) <= max(late) <= live.lookahead
    assert causal == all(len(poses) == 1 for poses in came[:-1])


def test_after_a_pause_lifting_begins_anew():
    keypoints, _ = filmed(40)
    times = keypoints.timestamps + np.where(np.arange(40) < 25, 0, 1.01)
    paused, untrained = replace(keypoints, timestamps=times), lifter((3, 3, 3))
    parts = [list(lift_live(untrained, paused.frames(part))) for part in (slice(0, 25), slice(25, 40))]
    poses = list(lift_live(untrained, paused))
    np.testing.assert_array_equal([pose.time for pose in poses], times)
    np.testing.assert_array_equal(joints_of(poses), joints_of(parts[0] + parts[1]))


def test_nobody_for_long_is_no_pause():
    keypoints, untrained = filmed(60)[0], lifter((3, 3), causal=True)
    keypoints.points[10:50, :, 2] = 0
    poses = list(lift_live(untrained, keypoints, camera=camera()))
    assert len(poses) == 60
    np.testing.assert_array_equal(poses[49].pixels, poses[9].pixels)


@pytest.mark.parametrize(("causal", "late"), [(True, 0), (False, 13)])
def test_a_pose_comes_as_many_frames_late_as_stated(causal, late):
    keypoints, _ = filmed(20)
    live = StreamingLifter(lifter((3, 3, 3), causal=causal), SIZE, "human36m17", camera=camera())
    assert live.lookahead == late
    came = pushed(live, keypoints)
    assert [len(poses) for poses in came] == [0] * late + [1] * (20 - late) + [late]
    np.testing.assert_array_equal([pose.time for poses in came for pose in poses], keypoints.timestamps)


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
    came = pushed(live, keypoints)
    assert not any(came[:-1])
    motion = motion_from_poses(came[-1], live)
    np.testing.assert_array_equal(motion.timestamps, keypoints.timestamps)
    assert motion.weights == "untrained"
    assert "default field of view" in motion.camera_source


def test_nothing_comes_of_nobody():
    live = StreamingLifter(lifter(), SIZE, "coco17")
    assert live.push(np.zeros((17, 3), np.float32), 0.0) == []
    assert live.finish() == []
    with pytest.raises(ValueError, match="no person was detected"):
        motion_from_poses([], live)


def test_a_live_clip_is_seen_by_the_camera_that_came_with_it():
    matrix, distortion = (
        np.array([[913.0, 0, 366], [0, 914.0, 638], [0, 0, 1]]),
        np.array([0.1, -0.2, 0, 0, 0]),
    )
    known = replace(filmed(6)[0], camera_matrix=matrix, distortion=distortion)
    lens = opencv_camera(matrix, distortion, SIZE)
    given, found = (joints_of(lift_live(lifter(), known, camera=each)) for each in (lens, None))
    np.testing.assert_array_equal(given, found)
    assert np.abs(found - joints_of(lift_live(lifter(), filmed(6)[0]))).max() > 0.01


def test_a_camera_file_is_read_and_a_camera_fitted_to_the_image(tmp_path):
    save_camera(
        tmp_path / "camera.json", opencv_camera([[450, 0, 180], [0, 450, 320], [0, 0, 1]], None, (360, 640))
    )
    live = StreamingLifter(lifter(), SIZE, "coco17", camera=tmp_path / "camera.json")
    assert live.camera.focal.tolist() == [900, 900]
    assert live.camera_source == "camera file camera.json"
    with pytest.raises(ValueError, match="one of them is rotated"):
        StreamingLifter(lifter(), (1280, 720), "coco17", camera=camera())


def test_a_joint_beyond_the_fold_of_the_lens_counts_as_missing():
    keypoints, _ = filmed(8)
    keypoints.points[3, 13, :2] = 715, 1275
    live = StreamingLifter(lifter(causal=True), SIZE, "human36m17", camera=folding_camera())
    poses = [pose for poses in pushed(live, keypoints) for pose in poses]
    assert poses[3].confidence[13] == 0
    assert poses[4].confidence[13] > 0
    np.testing.assert_array_equal(poses[3].pixels[13], poses[2].pixels[13])


def test_a_lens_that_cannot_be_is_refused():
    with pytest.raises(
        ValueError, match=r"does not converge in .* % of the image; check the camera's distortion"
    ):
        StreamingLifter(lifter(), SIZE, "human36m17", camera=folding_camera(-5.0))


@pytest.mark.parametrize("smoothing", [False, True])
@pytest.mark.parametrize("somebody", [False, True])
def test_time_that_does_not_increase_is_refused(smoothing, somebody):
    live = StreamingLifter(lifter(), SIZE, "human36m17", smoothing=smoothing)
    points = filmed(3)[0].points * float(somebody)
    live.push(points[0], 5.0)
    for time in (5.0, 4.0, float("nan")):
        with pytest.raises(ValueError, match="time does not increase"):
            live.push(points[1], time)
    live.push(points[1], 5.1)


def test_frames_and_sources_that_do_not_fit_are_refused():
    live = StreamingLifter(lifter(), SIZE, "halpe26")
    with pytest.raises(ValueError, match=r"a frame of halpe26 has shape \(26, 3\): .*; got \(17, 3\)"):
        live.push(np.zeros((17, 3)), 0.0)
    with pytest.raises(ValueError, match="fps must be from"):
        StreamingLifter(lifter(), SIZE, "halpe26", fps=0.0)
    unchecked = inspect.unwrap(StreamingLifter.__init__)  # without the tests' check of types
    with pytest.raises(ValueError, match="no keypoint set 'mpii16'; there are human36m17, coco17"):
        unchecked(object.__new__(StreamingLifter), lifter(), SIZE, "mpii16")

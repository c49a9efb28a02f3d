"""Lifting 2D keypoints: what goes in, what comes out, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lifting.people import SIZE, camera, filmed, lifter
from spgnet.keypoints import Keypoints
from spgnet.lifting import Lifter
from spgnet.lifting.lifter import network_input
from spgnet.lifting.timing import at_times, nearest_frames, steady_grid


def test_there_are_as_many_frames_out_as_in_and_the_input_is_kept():
    keypoints, _ = filmed(31)
    motion = lifter().lift(keypoints, camera=camera())
    assert motion.joints.shape == (31, 17, 3)
    np.testing.assert_allclose(motion.pixels, keypoints.points[..., :2], atol=1e-3)
    np.testing.assert_array_equal(motion.timestamps, keypoints.timestamps)
    assert (motion.confidence == np.float32(0.9)).all()
    assert motion.weights == "untrained"


@pytest.mark.parametrize("frames", [1, 2])
def test_a_frame_or_two_are_enough(frames):
    keypoints, _ = filmed(frames + 2)
    motion = lifter().lift(keypoints.frames(slice(0, frames)), camera=camera())
    assert motion.joints.shape == (frames, 17, 3)
    assert np.isfinite(motion.joints).all()


def test_the_network_sees_the_rays_through_the_true_joints():
    keypoints, joints = filmed(5)
    rays = network_input(keypoints.points[..., :2], np.ones((5, 17), dtype=bool), camera())
    np.testing.assert_allclose(rays[..., :2], joints[..., :2] / joints[..., 2:], atol=1e-4)
    assert (rays[..., 2] == 1).all()


def test_the_same_rays_through_another_lens_are_lifted_to_the_same_motion():
    keypoints, joints = filmed(12)
    from spgnet.camera import opencv_camera

    wide = opencv_camera([[400, 0, 500], [0, 410, 300], [0, 0, 1]], None, (1000, 600))
    pixels = wide.camera_to_image(torch.from_numpy(joints)).numpy()
    points = np.concatenate((pixels, keypoints.points[..., 2:]), axis=-1)
    other = Keypoints(points.astype(np.float32), "human36m17", keypoints.timestamps, (1000, 600))
    one, two = (lifter().lift(k, camera=c, smoothing=0.0) for k, c in ((keypoints, camera()), (other, wide)))
    np.testing.assert_allclose(one.joints, two.joints, atol=2e-3)


def test_lifting_does_not_depend_on_the_chunks():
    keypoints, _ = filmed(50)
    done: list[int] = []
    whole = lifter((3, 3, 3)).lift(keypoints, camera=camera())
    pieces = lifter((3, 3, 3)).lift(keypoints, camera=camera(), chunk=8, on_progress=done.append)
    np.testing.assert_allclose(pieces.joints, whole.joints, atol=1e-5)
    assert done == [8, 16, 24, 32, 40, 48, 50]


def test_missing_joints_and_frames_are_filled_and_marked():
    keypoints, _ = filmed(20)
    points = keypoints.points.copy()
    points[5:9] = 0  # nobody
    points[:, 16] = np.nan  # a wrist that is never seen
    points[12, 3, 2] = 0.1  # unsure
    motion = lifter().lift(replace(keypoints, points=points), camera=camera())
    assert np.isfinite(motion.joints).all()
    assert np.isfinite(motion.pixels).all()
    assert (motion.confidence[5:9] == 0).all()
    assert (motion.confidence[:, 16] == 0).all()
    assert motion.confidence[12, 3] == 0
    assert (motion.confidence[:5, :16] > 0).all()
    between = (points[4, 0, :2] + points[9, 0, :2]) / 2
    np.testing.assert_allclose((motion.pixels[6, 0] + motion.pixels[7, 0]) / 2, between, atol=0.01)


def test_a_joint_far_outside_the_image_counts_as_missing():
    keypoints, _ = filmed(5)
    points = keypoints.points.copy()
    points[2, 13, 0] = SIZE[0] * 3
    motion = lifter().lift(replace(keypoints, points=points), camera=camera())
    assert motion.confidence[2, 13] == 0
    assert motion.pixels[2, 13, 0] < SIZE[0]


def test_nobody_at_all_is_refused():
    keypoints, _ = filmed(5)
    with pytest.raises(ValueError, match="no joint was seen"):
        lifter().lift(replace(keypoints, points=np.zeros_like(keypoints.points)), camera=camera())


def test_without_a_camera_the_result_says_which_one_was_assumed():
    keypoints, _ = filmed(3)
    assert "default field of view" in lifter().lift(keypoints).camera_source
    known = replace(keypoints, camera_matrix=np.array([[900.0, 0, 360], [0, 900, 640], [0, 0, 1]]))
    motion = lifter().lift(known)
    assert motion.camera_source == "intrinsics of the keypoint file"
    assert motion.camera.focal.tolist() == [900, 900]


def test_an_array_must_say_what_it_does_not_show():
    points = filmed(3)[0].points
    with pytest.raises(ValueError, match="fps, image_size, keypoint_set"):
        lifter().lift(points)  # 17 points: COCO's or Human3.6M's?
    motion = lifter().lift(points, fps=25.0, image_size=SIZE, keypoint_set="human36m17")
    assert motion.fps == pytest.approx(25)


@pytest.mark.parametrize("fps", [23.0, 24.0, 60.0, 240.0])
def test_a_steady_rate_is_lifted_as_it_is(fps):
    assert steady_grid(np.arange(50) / fps, 24.0) is None


@pytest.mark.parametrize("fps", [5.0, 15.0])
def test_a_slow_clip_is_resampled_to_the_slowest_rate_that_the_network_knows(fps):
    times = 3 + np.arange(100) / fps
    grid = steady_grid(times, 24.0)
    assert grid is not None
    assert grid[0] == times[0]
    assert grid[-1] == pytest.approx(times[-1])
    assert 1 / np.diff(grid).mean() == pytest.approx(24, rel=0.02)


def test_an_unsteady_series_is_resampled_at_its_mean_rate():
    times = np.cumsum(np.where(np.arange(90) % 3 == 0, 0.06, 0.02))
    grid = steady_grid(times, 24.0)
    assert grid is not None
    np.testing.assert_allclose(np.diff(grid), np.diff(grid).mean())
    assert len(grid) == 90


def test_a_clip_of_a_high_rate_is_lifted_like_its_frames_at_a_usual_rate():
    keypoints, _ = filmed(120, fps=120.0)
    half = keypoints.frames(slice(0, None, 2))
    fast, usual = (
        lifter((3, 3)).lift(each, camera=camera(), smoothing=0.0).joints for each in (keypoints, half)
    )
    assert len(fast) == 120
    np.testing.assert_allclose(fast[::2][5:-5], usual[5:-5], atol=1e-5)


def test_an_unsteady_clip_comes_back_at_its_own_times():
    keypoints, _ = filmed(60, fps=60.0)
    kept = np.sort(np.random.default_rng(0).choice(60, 37, replace=False))
    uneven = replace(keypoints, points=keypoints.points[kept], timestamps=keypoints.timestamps[kept])
    motion = lifter().lift(uneven, camera=camera())
    assert motion.joints.shape == (37, 17, 3)
    np.testing.assert_array_equal(motion.timestamps, uneven.timestamps)


def test_interpolation_is_exact_for_steady_movement_and_rests_at_the_ends():
    times = np.array([0.0, 0.1, 0.5, 0.6])
    values = np.stack((3 * times, 1 - times), axis=-1)
    wanted = np.array([0.05, 0.31, 0.6])
    np.testing.assert_allclose(at_times(values, times, wanted), np.stack((3 * wanted, 1 - wanted), axis=-1))
    np.testing.assert_allclose(at_times(values, times, np.array([-1.0, 9.0])), values[[0, -1]])
    np.testing.assert_array_equal(
        nearest_frames(np.array([True, False, True, False]), times, wanted), [True, True, False]
    )


def test_weights_that_are_not_there_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="no weights 'nothing': neither a file, a run folder, nor one of"):
        Lifter.from_pretrained("nothing")
    (tmp_path / "broken.safetensors").write_text("text")
    with pytest.raises(ValueError, match=r"broken\.safetensors: not a readable safetensors file"):
        Lifter.from_pretrained(tmp_path / "broken.safetensors")

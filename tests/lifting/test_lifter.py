"""Lifting 2D keypoints: what goes in, what comes out, and what is refused."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from lifting.people import SIZE, camera, filmed, folding_camera, lifter
from spgnet import lifting
from spgnet.camera_files import IntrinsicsSource, save_camera
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, smooth
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.lifting import Lifter, inputs
from spgnet.lifting.inputs import (
    interpolation_steps,
    mark_short_gaps_visible,
    network_input,
    regular_timestamps,
    visible_joints,
)
from spgnet.models.network import lift_sequence


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


def test_frames_at_which_the_detector_did_not_look_count_as_detected_where_both_neighbours_are():
    keypoints, _ = filmed(20)
    skipped = np.arange(20) % 4 != 0
    points = np.where(skipped[:, None, None], 0, keypoints.points)
    points[8, 3, 2] = 0.1  # unsure
    points[12, :, 2] *= 0.5
    known, unknown = (
        lifter().lift(replace(keypoints, points=points, skipped=each), camera=camera())
        for each in (skipped, None)
    )
    np.testing.assert_array_equal(known.joints, unknown.joints)
    np.testing.assert_array_equal(known.pixels, unknown.pixels)
    np.testing.assert_array_equal(known.confidence[~skipped], unknown.confidence[~skipped])
    assert (unknown.confidence[skipped] == 0).all()
    assert (known.confidence[5:12, 3] == 0).all(), "between two looks of which one is unsure"
    np.testing.assert_allclose(known.confidence[1:4, 3], 0.9)
    np.testing.assert_allclose(known.confidence[9:16, 0], 0.45)
    assert (known.confidence[17:] == 0).all(), "after the last look"


def test_an_outlier_counts_as_missing_and_is_marked():
    keypoints, _ = filmed(40)
    points = keypoints.points.copy()
    points[20, 13, :2] = 5.0
    motion, clean = (
        lifter().lift(each, camera=camera()) for each in (replace(keypoints, points=points), keypoints)
    )
    assert motion.rejected is not None
    assert clean.rejected is not None
    assert not clean.rejected.any()
    assert motion.rejected[20, 13]
    assert motion.rejected.sum() == 1
    assert motion.confidence[20, 13] == 0
    np.testing.assert_allclose(motion.pixels, clean.pixels, atol=3)


def test_with_an_outlying_hip_the_middle_of_the_hips_is_rejected():
    keypoints, _ = filmed(40)
    of_coco = [
        HUMAN36M.names.index(name) if name in HUMAN36M.names else 9 for name in KEYPOINT_NAMES["coco17"]
    ]
    points = keypoints.points[:, of_coco]
    points[20, 11, :2] = 5.0
    motion = lifter().lift(replace(keypoints, points=points, keypoint_set="coco17"), camera=camera())
    assert motion.rejected is not None
    assert [HUMAN36M.names[joint] for joint in np.flatnonzero(motion.rejected[20])] == [
        "pelvis",
        "left_hip",
        "spine",
    ]
    assert motion.rejected.sum() == 3


def test_left_and_right_exchanged_for_a_moment_are_lifted_as_if_they_were_not():
    keypoints, _ = filmed(60, fps=60.0)
    points = keypoints.points.copy()
    points[30:34] = points[30:34][:, HUMAN36M.mirror]
    motion, clean = (
        lifter().lift(each, camera=camera()) for each in (replace(keypoints, points=points), keypoints)
    )
    np.testing.assert_allclose(motion.joints, clean.joints, atol=0.03)
    assert motion.rejected is not None
    assert not motion.rejected.any()


def test_a_joint_far_outside_the_image_counts_as_missing():
    keypoints, _ = filmed(5)
    points = keypoints.points.copy()
    points[2, 13, 0] = SIZE[0] * 3
    motion = lifter().lift(replace(keypoints, points=points), camera=camera())
    assert motion.confidence[2, 13] == 0
    assert motion.pixels[2, 13, 0] < SIZE[0]


def test_a_lifted_clip_is_what_the_network_says_of_its_filled_and_smoothed_joints():
    """And of which joints were seen: a wrist is missing for half a second, and a knee for a tenth."""
    keypoints, _ = filmed(60)
    points = keypoints.points.copy()
    points[20:35, 16, 2] = 0
    points[40:42, 2, 2] = 0.2
    pixels, seen = points[..., :2].astype(np.float64), np.ones((60, 17), dtype=bool)
    seen[20:35, 16] = False
    for joint, before, after in ((16, 19, 35), (2, 39, 42)):
        for frame in range(before + 1, after):
            share = (frame - before) / (after - before)
            pixels[frame, joint] = (1 - share) * pixels[before, joint] + share * pixels[after, joint]
    smoothed = smooth(pixels, 30.0)

    def said(pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return lift_sequence(lifter().model, network_input(pixels, seen, camera())).numpy()

    motion = lifter().lift(replace(keypoints, points=points), camera=camera())
    np.testing.assert_allclose(motion.joints, said(smoothed, seen), atol=1e-5)
    assert (motion.confidence[40:42, 2] == 0).all()
    for other in (
        said(pixels, seen),
        said(smoothed, np.ones_like(seen)),
        said(smoothed, motion.confidence > 0),
    ):
        assert np.abs(motion.joints - other).max() > 1e-4


def test_gaps_are_filled_evenly_in_time_however_unsteady_the_frames_are():
    keypoints, _ = filmed(4)
    times = np.array([0.0, 0.1, 0.4, 0.5])
    points = keypoints.points.copy()
    points[1:3, 5, 2] = 0
    motion = lifter().lift(replace(keypoints, points=points, timestamps=times), camera=camera())
    start, end = points[0, 5, :2], points[3, 5, :2]
    np.testing.assert_allclose(motion.pixels[1, 5], start + 0.2 * (end - start), rtol=1e-5)


def test_nobody_at_all_is_refused():
    keypoints, _ = filmed(5)
    with pytest.raises(ValueError, match="no joint was detected"):
        lifter().lift(replace(keypoints, points=np.zeros_like(keypoints.points)), camera=camera())


def test_without_a_camera_the_result_says_which_one_was_assumed():
    keypoints, _ = filmed(3)
    assert "default field of view" in lifter().lift(keypoints).camera_source
    known = replace(keypoints, camera_matrix=np.array([[900.0, 0, 360], [0, 900, 640], [0, 0, 1]]))
    motion = lifter().lift(known)
    assert motion.camera_source == "intrinsics of the keypoint file"
    assert motion.intrinsics_source is IntrinsicsSource.KEYPOINT_FILE
    assert motion.camera.focal.tolist() == [900, 900]


def test_an_array_must_say_what_it_does_not_show():
    points = filmed(3)[0].points
    with pytest.raises(ValueError, match="fps, image_size, keypoint_set"):
        lifter().lift(points)  # 17 points: COCO's or Human3.6M's?
    motion = lifter().lift(points, fps=25.0, image_size=SIZE, keypoint_set="human36m17")
    assert motion.fps == pytest.approx(25)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.ones((2, 30, 17, 3)), r"has shape \(2, 30, 17, 3\), expected \[frames, joints, 3\]"),
        (np.ones((25, 25)), r"has shape \(25, 25\)"),
        (np.array(1.0), r"has shape \(\)"),
        (np.full((3, 17, 3), "left"), "holds <U4, expected real numbers"),
        (np.full((3, 17, 3), {}), "holds object, expected real numbers"),
        (np.full((3, 17, 3), 1j), "holds complex128, expected real numbers"),
    ],
)
def test_an_array_of_another_shape_or_of_no_numbers_is_refused(points, words):
    with pytest.raises(InputError, match=words):
        inspect.unwrap(inputs.keypoints_from_array)(points, 30.0, SIZE, "human36m17")


def test_whole_numbers_are_lifted_like_others():
    points = np.round(filmed(3)[0].points).astype(np.int64)
    points[..., 2] = 1
    settings = {"fps": 25.0, "image_size": SIZE, "keypoint_set": "human36m17", "camera": camera()}
    whole, real = (lifter().lift(each, **settings) for each in (points, points.astype(np.float64)))
    np.testing.assert_array_equal(whole.joints, real.joints)


def test_a_stated_rate_replaces_the_keypoints_own():
    keypoints, _ = filmed(12, fps=30.0)
    slow = lifter().lift(keypoints, camera=camera(), fps=240.0)
    np.testing.assert_allclose(slow.timestamps, np.arange(12) / 240)
    again = lifter().lift(replace(keypoints, timestamps=np.arange(12) / 240), camera=camera())
    np.testing.assert_array_equal(slow.joints, again.joints)


def test_what_contradicts_the_keypoints_is_refused():
    keypoints, _ = filmed(3)
    same = lifter().lift(keypoints, image_size=SIZE, keypoint_set="human36m17")
    np.testing.assert_array_equal(same.joints, lifter().lift(keypoints).joints)
    message = (
        r"^image_size \(640, 480\) is given, but the keypoints have \(720, 1280\); "
        r"keypoint_set coco17 is given, but the keypoints have human36m17$"
    )
    with pytest.raises(ValueError, match=message):
        lifter().lift(keypoints, image_size=(640, 480), keypoint_set="coco17")


@pytest.mark.parametrize("fps", [0.0, -25.0, 1e-9, 1e12, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_refused(fps):
    keypoints, _ = filmed(3)
    for each in (keypoints, keypoints.points):
        with pytest.raises(ValueError, match=r"fps must be from 0\.01 to 100000 frames per second, got"):
            lifter().lift(each, fps=fps, image_size=SIZE, keypoint_set="human36m17")


def test_several_people_at_once_are_refused():
    lift = inspect.unwrap(Lifter.lift)  # without the tests' check of types
    with pytest.raises(ValueError, match=r"keypoints of one person, or an array, not a list; of several"):
        lift(lifter(), [filmed(3)[0]])


def test_a_camera_for_a_smaller_copy_of_the_image_is_fitted():
    half = opencv_camera([[450, 0, 180], [0, 450, 320], [0, 0, 1]], [0.1], (360, 640))
    full = opencv_camera([[900, 0, 360], [0, 900, 640], [0, 0, 1]], [0.1], SIZE)
    keypoints, _ = filmed(5)
    fitted, given = (lifter().lift(keypoints, camera=each) for each in (half, full))
    assert fitted.camera.image_size.tolist() == list(SIZE)
    np.testing.assert_allclose(fitted.joints, given.joints, atol=1e-5)


def test_a_camera_is_read_from_its_file(tmp_path):
    save_camera(tmp_path / "camera.json", camera())
    keypoints, _ = filmed(5)
    given = lifter().lift(keypoints, camera=camera())
    for path in (tmp_path / "camera.json", str(tmp_path / "camera.json")):
        motion = lifter().lift(keypoints, camera=path)
        np.testing.assert_allclose(motion.joints, given.joints, atol=1e-4)
        assert motion.camera_source == "camera file camera.json"


def test_cameras_that_do_not_fit_are_refused_before_the_work(monkeypatch):
    monkeypatch.setattr("spgnet.lifting.lifter.lift_sequence", None)
    keypoints, _ = filmed(3)
    matrix = [[900, 0, 640], [0, 900, 360], [0, 0, 1]]
    cameras: dict[str, Camera] = {
        "one of them is rotated": opencv_camera(matrix, None, (1280, 720)),
        "another shape, so the video is cropped": opencv_camera(matrix, None, (720, 960)),
        "OpenCV's convention, got 1 in 'human36m'": replace(camera(), convention="human36m"),
        "a single one in OpenCV's convention, got 2 in 'opencv'": Camera(
            **{
                name: getattr(camera(), name).expand(2, *getattr(camera(), name).shape)
                for name in ("focal", "center", "radial", "tangential", "rotation", "position", "image_size")
            },
            convention="opencv",
        ),
    }
    for words, each in cameras.items():
        with pytest.raises(ValueError, match=words):
            lifter().lift(keypoints, camera=each)


def test_a_joint_beyond_the_fold_of_the_lens_counts_as_missing():
    keypoints, _ = filmed(9)
    keypoints.points[4, 13, :2] = 715, 1275  # in the corner of the image, where that lens has no rays
    motion = lifter().lift(keypoints, camera=folding_camera())
    assert motion.confidence[4, 13] == 0
    assert (motion.confidence > 0).sum() == 9 * 17 - 1
    between = (keypoints.points[3, 13, :2] + keypoints.points[5, 13, :2]) / 2
    np.testing.assert_allclose(motion.pixels[4, 13], between, rtol=1e-4)


def test_a_lens_without_rays_for_most_joints_is_refused():
    keypoints, _ = filmed(9)
    with pytest.raises(
        ValueError, match=r"not converge for \d+ of 153 detected joints; check .* coefficients"
    ):
        lifter().lift(keypoints, camera=folding_camera(-30.0))


def test_a_pixel_that_was_filtered_beyond_the_fold_has_the_last_ray_before_it():
    lens, pixels = folding_camera(), np.full((1, 17, 2), (360.0, 640.0))
    pixels[0, 5] = 360, 640 + 900 * 0.8  # the fold is at 0.7027
    rays = network_input(pixels, np.ones((1, 17), dtype=bool), lens)[0]
    np.testing.assert_allclose(rays[5], [0, 1 / np.sqrt(0.9), 1], atol=5e-3)
    np.testing.assert_allclose(rays[[0, 16], :2], 0, atol=1e-6)


def test_a_long_clip_is_turned_into_rays_piece_by_piece(monkeypatch):
    keypoints, _ = filmed(30)
    keypoints.points[20, 13, :2] = 715, 1275
    seen = np.random.default_rng(0).random((30, 17)) < 0.5

    def result() -> tuple[np.ndarray, ...]:
        lens = folding_camera()
        return (
            *visible_joints(keypoints, lens),
            network_input(keypoints.points[..., :2], seen, lens).numpy(),
        )

    whole, undistort, most = result(), Camera.try_image_to_rays, []

    def counted(self: Camera, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        most.append(len(pixels) if pixels.ndim == 3 else 0)
        return undistort(self, pixels)

    monkeypatch.setattr(inputs, "FRAMES_AT_ONCE", 7)
    monkeypatch.setattr(Camera, "try_image_to_rays", counted)
    for part, one in zip(result(), whole, strict=True):
        np.testing.assert_array_equal(part, one)
    assert max(most) == 7


@pytest.mark.parametrize("fps", [23.0, 24.0, 60.0, 240.0])
def test_a_steady_rate_is_lifted_as_it_is(fps):
    assert regular_timestamps(np.arange(50) / fps, 24.0) is None


@pytest.mark.parametrize("fps", [5.0, 15.0])
def test_a_slow_clip_is_resampled_to_the_slowest_rate_that_the_network_knows(fps):
    times = 3 + np.arange(100) / fps
    grid = regular_timestamps(times, 24.0)
    assert grid is not None
    assert grid[0] == times[0]
    assert grid[-1] == pytest.approx(times[-1])
    assert 1 / np.diff(grid).mean() == pytest.approx(24, rel=0.02)


def test_short_gaps_count_as_visible_and_only_they():
    rng = np.random.default_rng(0)
    seen, times = rng.random((120, 17)) < 0.2, np.cumsum(rng.uniform(0.01, 0.08, 120))
    seen[:, 4] = False
    naive = np.zeros_like(seen)
    for frame, joint in np.ndindex(seen.shape):
        before, after = (np.flatnonzero(seen[part, joint]) for part in (slice(frame + 1), slice(frame, None)))
        if len(before) and len(after):
            naive[frame, joint] = times[frame + after[0]] - times[before[-1]] <= 0.2
    np.testing.assert_array_equal(mark_short_gaps_visible(seen, times), naive)
    assert seen.sum() < naive.sum() < seen.size / 2
    every = np.zeros((21, 17), dtype=bool)
    every[::5] = True
    assert mark_short_gaps_visible(every, np.arange(21) / 25).all()  # exactly 0.2 s apart


def test_the_time_between_slow_frames_is_cut_into_steps_of_a_usual_rate():
    for fps in np.arange(1.0, 240.0, 0.3):
        rate = fps * interpolation_steps(1 / fps, 24.0)
        assert (rate == fps) if fps >= 24 / 1.1 + 0.01 else (21.8 < rate < 44)


def test_an_unsteady_series_is_resampled_at_its_mean_rate():
    times = np.cumsum(np.where(np.arange(90) % 3 == 0, 0.06, 0.02))
    grid = regular_timestamps(times, 24.0)
    assert grid is not None
    np.testing.assert_allclose(np.diff(grid), np.diff(grid).mean())
    assert len(grid) == 90


def test_a_clip_of_a_high_rate_is_lifted_like_its_frames_at_a_usual_rate():
    keypoints, _ = filmed(120, fps=80.0)
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


def test_weights_that_are_not_there_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="no weights 'nothing': neither a file, a run folder, nor one of"):
        Lifter.from_pretrained("nothing")
    (tmp_path / "broken.safetensors").write_text("text")
    with pytest.raises(ValueError, match=r"broken\.safetensors: not a readable safetensors file"):
        Lifter.from_pretrained(tmp_path / "broken.safetensors")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda", "^no device 'cuda' here: PyTorch finds 0 of cuda$"),
        ("cuda:3", "^no device 'cuda:3' here"),
        ("mps", "^no device 'mps' here"),
        ("abacus", "^no device 'abacus'; expected cpu, cuda"),
    ],
)
def test_a_device_that_is_not_there_is_refused_in_one_line(monkeypatch, device, words):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=words):
        Lifter.from_pretrained(device=device)


def test_the_room_offers_what_is_done_with_a_motion():
    keypoints, _ = filmed(30)
    motion = lifting.Lifter(lifter().model).lift(keypoints, camera=camera())
    assert (
        len(lifting.scale_to_height(lifting.fit_constant_bones(lifting.align_to_gravity(motion)), 1.8)) == 30
    )
    assert lifting.StreamingLifter.__name__ in lifting.__all__

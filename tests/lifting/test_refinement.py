"""Motions that are refined against their detections, their bones and the floor."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from lifting.people import SIZE, camera
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.foot import POINT_HEIGHT
from spgnet.geometry.skeleton import ANKLE_HEIGHT, HUMAN36M
from spgnet.lifting import refinement
from spgnet.lifting.body import Body, body_of_joints
from spgnet.lifting.guidance import Deviations, Floor, Soles
from spgnet.lifting.motion import Motion
from spgnet.lifting.refinement import CALIBRATION, calibrate, node_times, observations, refine
from spgnet.lifting.windows import NodeCallback
from spgnet.synthetic.detector_joints import usual_offsets
from spgnet.synthetic.procedural import procedural_clips

FPS = 120
ARRAYS = ("joints", "confidence", "pixels", "timestamps")
WRIST = HUMAN36M.names.index("left_wrist")


@cache
def filmed(seed: int = 0) -> tuple[Motion, np.ndarray]:
    """A second of a walk as a network might lift it, bones turned and path moved; and its true joints.

    The detector sees the joints exactly where a detector usually sees them. The camera's place is unknown.
    """
    world = procedural_clips(1, seed=seed, seconds=1.1, fps=float(FPS))[0].joints[: FPS + 1].double()
    world = world - world[0, 0] * torch.tensor([1.0, 1.0, 0.0])
    lens = camera().to(torch.float64)
    truth = lens.world_to_camera(world)
    pixels = lens.camera_to_image(truth + usual_offsets(truth)).numpy()
    body, rng, time = body_of_joints(truth.numpy()), np.random.default_rng(seed), np.arange(FPS + 1) / FPS
    rates, starts = rng.uniform(0.2, 0.6, (17, 3)), rng.uniform(0, 1, (17, 3))
    waves = np.sin(2 * np.pi * (time[:, None, None] * rates + starts))
    directions = body.directions + np.radians(6) * waves[:, 1:]
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    lifted = Body(body.root + 0.05 * waves[:, 0], directions, body.log_lengths)
    lost = opencv_camera(lens.intrinsics_matrix(), lens.distortion_coefficients(), SIZE)
    motion = Motion(
        lifted.joints.astype(np.float32),
        np.full((FPS + 1, 17), 0.9, np.float32),
        pixels.astype(np.float32),
        time,
        lost,
        "a test",
    )
    return motion, truth.numpy()


def frames(motion: Motion, chosen: slice | np.ndarray) -> Motion:
    return replace(motion, **{name: getattr(motion, name)[chosen] for name in ARRAYS})


def error(motion: Motion, truth: np.ndarray) -> float:
    """Mean error in metres."""
    return float(np.linalg.norm(motion.joints - truth, axis=-1).mean())


def pixels_off(motion: Motion) -> float:
    """Mean distance of joints, where detectors see them, from their detections; without the spine."""
    joints = torch.from_numpy(motion.joints.astype(np.float64))
    seen = motion.camera.to(torch.float64).camera_to_image(joints + usual_offsets(joints)).numpy()
    return float(np.delete(np.linalg.norm(seen - motion.pixels, axis=-1), 7, axis=1).mean())


def uncertainty(motion: Motion) -> np.ndarray:
    assert motion.uncertainty is not None
    return motion.uncertainty


def pose_error(motion: Motion, truth: np.ndarray, chosen: np.ndarray) -> float:
    """Mean error in metres of chosen frames' joints relative to the pelvis."""
    off = motion.joints[chosen] - truth[chosen]
    return float(np.linalg.norm(off - off[:, :1], axis=-1).mean())


def lengths(motion: Motion) -> np.ndarray:
    return HUMAN36M.bone_lengths(torch.from_numpy(motion.joints)).numpy()


@pytest.fixture(scope="module")
def refined() -> Motion:
    return refine([frames(filmed()[0], slice(None, None, 4))])[0]


def test_joints_project_nearer_to_their_detections_and_are_nearer_to_the_truth(refined):
    given, truth = frames(filmed()[0], slice(None, None, 4)), filmed()[1][::4]
    assert pixels_off(refined) < 0.4 * pixels_off(given)
    assert error(refined, truth) < 0.5 * error(given, truth)


def test_bones_are_constant_and_alike_on_both_sides(refined):
    found = lengths(refined)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-5)
    twins = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]
    np.testing.assert_allclose(found, found[:, twins], atol=1e-5)


def test_all_but_joints_uncertainty_and_the_cameras_place_is_kept(refined):
    motion = frames(filmed()[0], slice(None, None, 4))
    before = {name: getattr(motion, name).copy() for name in ARRAYS}
    (again,) = refine([motion])
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(motion, name), before[name])
    for name in ("confidence", "pixels", "timestamps"):
        np.testing.assert_array_equal(getattr(again, name), before[name])
    assert motion.uncertainty is None
    assert torch.equal(again.camera.focal, motion.camera.focal)
    np.testing.assert_array_equal(again.joints, refined.joints)


def test_who_walks_shows_where_the_camera_is(refined):
    assert refined.camera.extrinsics == "estimated"
    assert refined.camera.position[2] == pytest.approx(1.2, abs=0.1)
    feet = refined.world[:, [3, 6], 2].min(axis=1)
    assert np.median(feet) == pytest.approx(0.08, abs=0.02)


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(slice(None, None, 2), id="60 fps"),
        pytest.param(slice(None), id="120 fps"),
        pytest.param(
            np.unique(np.r_[np.arange(0, 121, 4), np.random.default_rng(0).choice(121, 60)]), id="unsteady"
        ),
    ],
)
def test_errors_do_not_depend_on_the_frame_rate(refined, chosen):
    """To 0.3 mm of poses on average, though interpolation between nodes moves joints by a millimetre."""
    motion, truth = filmed()
    (other,) = refine([frames(motion, chosen)])
    common = np.isin(motion.timestamps[chosen], refined.timestamps)
    one = pose_error(refined, truth[::4], np.ones(len(refined), dtype=bool))
    two = pose_error(other, truth[chosen], common)
    assert abs(one - two) < 3e-4


def test_nodes_are_25_a_second_and_never_more_than_frames():
    steps = {fps: np.diff(node_times(np.arange(fps + 1) / fps)) for fps in (5, 30, 60, 240)}
    for fps, between in steps.items():
        np.testing.assert_allclose(between, max(0.04, 1 / fps))
    assert len(node_times(np.array([3.0]))) == 1
    assert node_times(np.array([3.0, 3.01])).tolist() == [3.0, 3.01]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clips_of_few_frames_are_refined(count):
    given = frames(filmed()[0], np.arange(count) * 4)
    (motion,) = refine([given])
    assert pixels_off(motion) < 0.6 * pixels_off(given)
    assert np.isfinite(uncertainty(motion)).all()
    assert (uncertainty(motion) > 0).all()


def test_uncertainty_is_positive_and_larger_where_joints_are_hidden(refined):
    given = frames(filmed()[0], slice(None, None, 4))
    confidence = given.confidence.copy()
    confidence[10:20, WRIST] = 0
    (hidden,) = refine([replace(given, confidence=confidence)])
    assert np.isfinite(uncertainty(hidden)).all()
    assert (uncertainty(hidden) > 0).all()
    assert (uncertainty(hidden)[12:18, WRIST] > 1.02 * uncertainty(refined)[12:18, WRIST]).all()


def test_without_any_detection_bones_are_constant_and_nothing_is_infinite():
    given = frames(filmed()[0], slice(0, 60, 4))
    (motion,) = refine([replace(given, confidence=np.zeros_like(given.confidence))])
    assert np.isfinite(motion.joints).all()
    assert np.ptp(lengths(motion), axis=0).max() < 1e-5
    assert np.isfinite(uncertainty(motion)).all()


def test_a_calibrated_camera_stays_where_it_is():
    given = replace(frames(filmed()[0], slice(0, 80, 4)), camera=camera())
    assert refine([given])[0].camera is given.camera


def test_several_people_get_one_camera():
    people = [frames(filmed(seed)[0], slice(0, 80, 4)) for seed in (0, 1)]
    one, other = refine([people[0], replace(people[1], track=2)])
    assert one.camera is other.camera or torch.equal(one.camera.rotation, other.camera.rotation)
    assert torch.equal(one.camera.position, other.camera.position)
    assert [one.track, other.track] == [1, 2]


def test_a_pause_in_the_timestamps_leaves_the_nodes_as_close_as_the_frames():
    moving = np.arange(100) / 25
    nodes = node_times(np.append(moving, 20.0))
    assert np.diff(nodes).max() < 0.05
    assert len(node_times(np.append(moving, 1e6))) == 10 * 101


UP = camera().rotation.double().numpy()[:, 2]
HIPS, ANKLES = [1, 4], [3, 6]


def scaled(motion: Motion, factor: float) -> Motion:
    """The same picture of somebody larger and farther away."""
    return replace(motion, joints=motion.joints * np.float32(factor))


def on_a_box(height: float) -> Motion:
    """The walk of the others, on a box of a height in metres, as an exact network lifts it."""
    motion, truth = filmed()
    raised = torch.from_numpy(truth) + height * camera().rotation.double()[:, 2]
    pixels = camera().to(torch.float64).camera_to_image(raised + usual_offsets(raised)).numpy()
    raised_motion = replace(
        motion, joints=raised.numpy().astype(np.float32), pixels=pixels.astype(np.float32)
    )
    return frames(raised_motion, slice(None, None, 4))


def feet(motion: Motion) -> float:
    """Median height in metres of the lower ankle above the floor."""
    return float(np.median(motion.world[:, ANKLES, 2].min(axis=1)))


@pytest.mark.parametrize(("one", "other", "left"), [(0.93, 1.07, 0.02), (0.88, 1.14, 0.07)])
def test_people_of_wrong_scales_come_onto_one_floor(one, other, left):
    """Very different scales are brought together but for a part; the feet of both stand on the floor."""
    small, large = refine([scaled(on_a_box(0.0), one), scaled(on_a_box(0.0), other)])
    assert torch.equal(small.camera.position, large.camera.position)
    for motion in (small, large):
        assert feet(motion) == pytest.approx(0.08, abs=0.015)
    np.testing.assert_allclose(small.joints[:, 0, 2] / large.joints[:, 0, 2], 1, atol=left)


def test_whoever_stands_far_above_the_others_stays_there_and_the_lower_level_is_the_floor():
    for people in ((0.0, 0.9), (0.9, 0.0)):
        heights = [feet(motion) for motion in refine([on_a_box(height) for height in people])]
        np.testing.assert_allclose(heights, np.array(people) + 0.08, atol=0.05)


@pytest.mark.parametrize("step", [0.04, 0.08])
def test_each_period_of_stance_counts_as_one_however_long_it_is(step):
    motion = on_a_box(0.0)
    person = observations(motion, np.arange(0, 1, step), Deviations())
    stance = np.zeros_like(person.stance)
    stance[:2, 0] = stance[5:12, 0] = 1
    person = replace(person, stance=stance)
    floor = Floor(UP, refinement._standing_height(person, person.network, UP))
    weights = refinement._grounded(person, person.network, floor) * step / 0.04
    assert weights[:2].sum() == pytest.approx(1)
    assert weights[5:12].sum() == pytest.approx(1)
    assert weights.sum() == pytest.approx(2)


def held(number: int, motion: Motion, nodes: np.ndarray, on_solved: NodeCallback) -> Soles:
    """The right foot is on the floor in the first third of the clip, 6 cm below its ankle."""
    planted = np.zeros((len(nodes), 2, 1))
    planted[: len(nodes) // 3, 0] = 1
    down = -motion.camera.rotation.double().numpy()[:, 2]
    return Soles(np.broadcast_to((ANKLE_HEIGHT - POINT_HEIGHT) * down, (len(nodes), 2, 1, 3)), planted)


def test_what_is_on_the_floor_stands_still(refined):
    motion = frames(filmed()[0], slice(None, None, 4))
    (found,) = refine([motion], find_soles=held)
    ankle = HUMAN36M.names.index("right_ankle")
    moving, still = (
        np.linalg.norm(np.diff(each.world[:8, ankle], axis=0), axis=-1).max() * each.fps
        for each in (refined, found)
    )
    assert moving > 0.5
    assert still < 0.12
    np.testing.assert_allclose(lengths(found), lengths(found)[:1].repeat(len(found), 0), atol=1e-5)


def test_motion_without_anything_on_the_floor_stays_to_the_bit(refined):
    motion = frames(filmed()[0], slice(None, None, 4))
    (found,) = refine([motion], find_soles=lambda *person: None)
    np.testing.assert_array_equal(found.joints, refined.joints)


def test_feet_that_are_never_seen_do_not_stand():
    motion, _ = filmed()
    motion = frames(motion, slice(None, None, 4))
    confidence = motion.confidence.copy()
    confidence[:, ANKLES] = 0
    (refined,) = refine([replace(motion, confidence=confidence)])
    assert refined.camera.extrinsics == "arbitrary"


def test_hips_do_not_move_to_where_detectors_see_them():
    """Detectors see them three centimetres up the trunk; an exact network's hips stay, in the camera's y."""
    (refined,) = refine([on_a_box(0.0)])
    off = (refined.joints - filmed()[1][::4])[:, [0, *HIPS], 1].mean(axis=0)
    assert np.abs(off).max() < 0.003


def test_uncertainty_is_calibrated_joint_by_joint():
    five, ten = calibrate(np.full((1, 17), 0.05)), calibrate(np.full((1, 17), 0.1))
    for joint, kind in enumerate(HUMAN36M.joint_types):
        scale, power = CALIBRATION[kind]
        assert five[0, joint] == pytest.approx(scale)
        assert ten[0, joint] == pytest.approx(scale * 2**power)


def test_soles_are_measured_in_the_network_s_scale_from_where_a_standing_ankle_would_be():
    up = np.array([0.0, 0.6, 0.8])
    standing = np.broadcast_to(-(ANKLE_HEIGHT - POINT_HEIGHT) * up, (4, 2, 3, 3))
    floor = Floor(up, 0.0)
    soles = refinement._on_ankles(Soles(standing, np.ones((4, 2, 3))), 0.2, floor)
    np.testing.assert_allclose(soles.offsets, 0, atol=1e-12)  # they touch the floor when the ankle stands
    ahead = standing + np.array([0.1, 0, 0])
    soles = refinement._on_ankles(Soles(ahead, np.ones((4, 2, 3))), 0.2, floor)
    np.testing.assert_allclose(soles.offsets[..., 0], 0.1 * np.exp(-0.2))

"""Feet of lifted motion."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lifting.people import SIZE, camera, filmed, true_motion
from spgnet.geometry.foot import ANKLES, FOOT_JOINTS, POINT_HEIGHT, SIDES, foot_axes, foot_points
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.keypoints import FOOT_SOURCES, KEYPOINT_COUNTS, KEYPOINT_NAMES, SOURCES
from spgnet.lifting import Motion, feet
from spgnet.lifting.bone_lengths import estimate_height
from spgnet.lifting.feet import FOOT_SECONDS, add_feet, find_soles, foot_detections, sees_feet
from spgnet.lifting.foot_problem import OWN, FeetObservations, FeetState, FootDeviations, solve
from spgnet.lifting.refinement import node_times
from spgnet.lifting.usual_feet import usual_axes

ANKLE = [ANKLES[side] for side in SIDES]


@cache
def walker(frames: int = 40) -> tuple[Motion, np.ndarray]:
    """A motion of 17 joints, and its true feet [frames, 6, 3] in the camera frame: they swing about the
    ankles.

    Nothing is known of the floor, through which they do.
    """
    keypoints, joints = filmed(frames)
    motion = replace(
        true_motion(keypoints, joints),
        camera=replace(camera(), extrinsics="arbitrary"),
        uncertainty=np.full((frames, 17), 0.05, np.float32),
    )
    swing = 0.3 * np.sin(np.arange(frames) / 6)
    turn = Rotation.from_rotvec(np.outer(np.tile(swing, 2), [0, 0, 1])).as_matrix()
    turn = turn.reshape(2, frames, 3, 3).swapaxes(0, 1)
    axes = usual_axes(joints.astype(np.float64)) @ turn
    points = estimate_height(motion) / 1.75 * foot_points().numpy()
    feet = joints[:, ANKLE, None] + np.einsum("nfij,fpj->nfpi", axes, points)
    return motion, feet.reshape(frames, 6, 3)


def detections(motion: Motion, feet: np.ndarray, keypoint_set: KeypointSetName) -> Keypoints:
    """The exact keypoints of a person with feet."""
    names = KEYPOINT_NAMES[keypoint_set]
    points = np.zeros((len(motion), KEYPOINT_COUNTS[keypoint_set], 3))
    for joint, sources in SOURCES[keypoint_set].items():
        if len(sources) == 1:
            points[:, names.index(sources[0]), :2] = motion.pixels[:, HUMAN36M.names.index(joint)]
    pixels = camera().camera_to_image(torch.from_numpy(feet)).numpy().reshape(len(feet), 2, 3, 2)
    for foot, side in enumerate(SIDES):
        marks = {"heel": pixels[:, foot, 0], "big_toe": pixels[:, foot, 1], "small_toe": pixels[:, foot, 2]}
        marks["foot_index"] = 0.6 * pixels[:, foot, 1] + 0.4 * pixels[:, foot, 2]
        for point in FOOT_SOURCES.get(keypoint_set, ()):
            points[:, names.index(f"{side}_{point}"), :2] = marks[point]
    points[..., 2] = 0.9 * (points[..., 0] != 0)
    return Keypoints(points, keypoint_set, motion.timestamps, SIZE)


def off(motion: Motion, feet: np.ndarray) -> np.ndarray:
    """Angles in degrees between the feet of a motion and others, [frames, 2]."""
    found, true = (torch.from_numpy(each.astype(np.float64)) for each in (motion.joints, feet))
    angles = []
    for foot, side in enumerate(SIDES):
        ankle, own = found[:, ANKLES[side]], found[:, list(FOOT_JOINTS[side])]
        other = foot_axes(ankle, *true[:, 3 * foot : 3 * foot + 3].unbind(1))
        turn = foot_axes(ankle, *own.unbind(1)) @ other.mT
        angles.append(np.degrees(Rotation.from_matrix(turn.numpy()).magnitude()))
    return np.stack(angles, axis=1)


def test_the_body_is_that_without_feet():
    motion, feet = walker()
    found = add_feet(motion, detections(motion, feet, "halpe26"))
    np.testing.assert_array_equal(found.joints[:, :17], motion.joints)


@pytest.mark.parametrize("keypoint_set", list(FOOT_SOURCES))
def test_feet_are_where_exact_keypoints_show_them(keypoint_set):
    motion, feet = walker()
    found = add_feet(motion, detections(motion, feet, keypoint_set))
    assert found.skeleton.names[17:] == tuple(
        f"{side}_{point}" for side in SIDES for point in ("heel", "big_toe", "small_toe")
    )
    assert np.linalg.norm(found.joints[:, 17:] - feet, axis=-1).mean() < 0.012
    assert np.median(off(found, feet)) < 4


def test_bones_keep_their_lengths_and_other_joints_their_places():
    motion, feet = walker()
    found = add_feet(motion, detections(motion, feet, "halpe26"))
    lengths = [HUMAN36M.bone_lengths(torch.from_numpy(each.joints[:, :17])) for each in (found, motion)]
    torch.testing.assert_close(*lengths, atol=2e-4, rtol=0)
    legs = [HUMAN36M.names.index(f"{side}_{joint}") for side in SIDES for joint in ("knee", "ankle")]
    others = [joint for joint in range(17) if joint not in legs]
    np.testing.assert_array_equal(found.joints[:, others], motion.joints[:, others])


def test_a_foot_that_is_not_seen_is_marked_as_such_and_uncertain():
    motion, feet = walker()
    keypoints = detections(motion, feet, "halpe26")
    left = [
        i
        for i, name in enumerate(KEYPOINT_NAMES["halpe26"])
        if name in ("left_heel", "left_big_toe", "left_small_toe")
    ]
    points = keypoints.points.copy()
    points[:, left, 2] = 0
    found = add_feet(motion, replace(keypoints, points=points))
    own = list(FOOT_JOINTS["left"])
    assert not found.confidence[:, own].any()
    assert found.confidence[:, list(FOOT_JOINTS["right"])].all()
    assert found.uncertainty is not None
    assert (found.uncertainty[:, own] > found.uncertainty[:, list(FOOT_JOINTS["right"])]).all()
    assert np.isfinite(found.pixels).all()


def test_a_foot_index_is_no_small_toe():
    motion, feet = walker()
    found = add_feet(motion, detections(motion, feet, "mediapipe33"))
    assert not found.confidence[:, [19, 22]].any()
    assert found.confidence[:, [17, 18, 20, 21]].all()


def test_feet_go_with_exchanged_ankles():
    motion, feet = walker()
    keypoints = detections(motion, feet, "halpe26")
    names = KEYPOINT_NAMES["halpe26"]
    other = [
        names.index(
            {"left": "right", "right": "left"}.get(n.split("_")[0], n.split("_")[0])
            + n[len(n.split("_")[0]) :]
        )
        for n in names
    ]
    points = keypoints.points.copy()
    points[10:15] = points[10:15][:, other]
    expected = foot_detections(motion, keypoints)
    for one, same in zip(foot_detections(motion, replace(keypoints, points=points)), expected, strict=True):
        np.testing.assert_array_equal(one, same)


def test_keypoints_far_from_the_ankle_are_not_believed():
    motion, feet = walker()
    keypoints = detections(motion, feet, "halpe26")
    points = keypoints.points.copy()
    heel = KEYPOINT_NAMES["halpe26"].index("right_heel")
    points[5, heel, :2] = points[5, KEYPOINT_NAMES["halpe26"].index("right_wrist"), :2]
    _, confidence = foot_detections(motion, replace(keypoints, points=points))
    assert confidence[5, 0, 0] == 0
    assert confidence[5, 0, 1] > 0
    assert confidence[4, 0, 0] > 0


def test_sets_without_feet_see_none():
    motion, feet = walker()
    assert not sees_feet(detections(motion, feet, "coco17"))
    assert sees_feet(detections(motion, feet, "halpe26"))
    keypoints = detections(motion, feet, "halpe26")
    assert not sees_feet(replace(keypoints, points=keypoints.points * np.array([1, 1, 0.1])))


@pytest.mark.parametrize("every", [1, 3])
def test_frames_may_be_at_any_times(every):
    motion, feet = walker(60)
    keypoints = detections(motion, feet, "halpe26")
    kept = np.sort(np.random.default_rng(0).permutation(60)[: 60 // every])
    arrays = {
        name: getattr(motion, name)[kept]
        for name in ("joints", "confidence", "pixels", "timestamps", "uncertainty")
    }
    part = Keypoints(keypoints.points[kept], "halpe26", keypoints.timestamps[kept], SIZE)
    found = add_feet(replace(motion, **arrays), part)
    assert len(found) == len(kept)
    assert np.median(off(found, feet[kept])) < 8


def problem(nodes: int = 6, seed: int = 0) -> tuple[FeetObservations, FeetState]:
    rng = np.random.default_rng(seed)
    expected = Rotation.from_quat(rng.normal(size=(2 * nodes, 4))).as_matrix().reshape(nodes, 2, 3, 3)
    known = FeetObservations(
        ankles=np.array([0, 0, 4.0]) + 0.3 * rng.normal(size=(nodes, 2, 3)),
        expected=expected,
        flexion_deviation=rng.uniform(0.1, 0.3, (nodes, 2)),
        stature=1.0,
        marks=np.eye(3),
        rays=0.1 * rng.normal(size=(nodes, 2, 3, 2)),
        variances=np.full((nodes, 2, 3), 1e-3),
        up=np.array([0.0, -1.0, 0.0]),
        floor=-0.3,
        step=0.02,
        contacts=rng.random((nodes, 2, 3)) > 0.5,
    )
    turn = Rotation.from_rotvec(0.3 * rng.normal(size=(2 * nodes, 3))).as_matrix().reshape(expected.shape)
    return known, FeetState(
        turn @ expected, 0.3 * rng.normal(size=(nodes, 2)), 0.01 * rng.normal(size=(nodes, 2, 3)), 0.1
    )


def test_derivatives_are_those_of_the_terms():
    known, state = problem()
    sizes, step = FootDeviations(), 1e-6
    for number, term in enumerate(known.terms(state, sizes)):
        for unknown in range(OWN):
            own = np.zeros((len(known.ankles), OWN))
            own[:, unknown] = step
            moved = known.terms(state.after(own, 0.0), sizes)[number]
            np.testing.assert_allclose((moved.values - term.values) / step, term.own[..., unknown], atol=1e-5)
        grown = known.terms(state.after(np.zeros((len(known.ankles), OWN)), step), sizes)[number]
        np.testing.assert_allclose((grown.values - term.values) / step, term.shared[..., 0], atol=1e-5)


def test_what_stands_on_the_floor_keeps_its_place_and_height():
    known, state = problem(30)
    still = replace(
        known,
        ankles=np.broadcast_to([[0.1, 0.23, 4.0], [-0.1, 0.23, 4.0]], (30, 2, 3)).copy(),
        expected=np.broadcast_to([[0, 0, -1], [0, -1, 0], [-1, 0, 0]], (30, 2, 3, 3)).astype(float),
        variances=np.full((30, 2, 3), np.inf),
        contacts=np.ones((30, 2, 3), dtype=bool),
    )
    del state
    solved = solve(still, still.first_state(), FootDeviations())
    points = still.points(solved)
    heights = points @ still.up - still.floor
    np.testing.assert_allclose(heights, POINT_HEIGHT, atol=0.01)
    assert np.linalg.norm(np.diff(points, axis=0), axis=-1).max() / still.step < 0.02


def test_feet_that_are_never_seen_are_as_uncertain_as_their_prior():
    motion, feet = walker()
    keypoints = detections(motion, feet, "halpe26")
    points = keypoints.points.copy()
    points[:, 20:, 2] = 0
    found = add_feet(motion, replace(keypoints, points=points))
    assert found.uncertainty is not None
    assert found.uncertainty[:, 18].min() > 0.06


def test_feet_are_held_still_but_for_the_first_and_last_moment_of_a_contact(monkeypatch):
    motion, points = walker()
    placed = replace(motion, camera=replace(motion.camera, extrinsics="calibrated"))
    nodes = node_times(motion.timestamps, FOOT_SECONDS)
    contacts = np.zeros((len(nodes), 2, 3), dtype=bool)
    contacts[5:10, 0, 0] = True
    contacts[20:22, 1, 2] = True  # too short to hold anything
    monkeypatch.setattr(feet, "_contacts", lambda known, state, floor: contacts)
    soles = find_soles(placed, detections(motion, points, "halpe26"), nodes)
    assert soles is not None
    held = np.zeros_like(contacts)
    held[6:9, 0, 0] = True
    np.testing.assert_array_equal(soles.planted, held)
    contacts[5:10] = False
    assert find_soles(placed, detections(motion, points, "halpe26"), nodes) is None
    assert find_soles(motion, detections(motion, points, "halpe26"), nodes) is None  # floor not known

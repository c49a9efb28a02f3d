"""One body in motion: joints, bones and their derivatives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.body import BONES, KIND, KIND_NAMES, KINDS, UNKNOWNS, Body, body_of_joints

FRAMES = 3


def body(seed: int = 0, frames: int = FRAMES) -> Body:
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(frames, BONES, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return Body(rng.normal(size=(frames, 3)), directions, np.log(rng.uniform(0.1, 0.5, KINDS)))


def measured_lengths(joints: np.ndarray) -> np.ndarray:
    return HUMAN36M.bone_lengths(torch.from_numpy(joints)).numpy()


def test_joints_are_sums_of_bones_along_the_skeleton():
    one = body()
    expected = np.zeros((FRAMES, 17, 3))
    expected[:, 0] = one.root
    for bone, (parent, child) in enumerate(HUMAN36M.bones):
        length = np.exp(one.log_lengths[KIND_NAMES.index(HUMAN36M.joint_types[child])])
        expected[:, child] = expected[:, parent] + length * one.directions[:, bone]
    np.testing.assert_allclose(one.joints, expected, atol=1e-12)


def test_bones_are_of_constant_length_and_alike_on_both_sides():
    lengths = measured_lengths(body().joints)
    np.testing.assert_allclose(lengths, np.repeat(lengths[:1], FRAMES, axis=0), rtol=1e-12)
    twins = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]
    np.testing.assert_allclose(lengths, lengths[:, twins], rtol=1e-12)
    assert len(np.unique(lengths[0].round(9))) == KINDS


def test_derivatives_are_those_of_finite_differences():
    one = body()
    by = one.derivatives()
    for unknown in range(UNKNOWNS + KINDS):
        moved = []
        for size in (1e-6, -1e-6):
            step, log_lengths = np.zeros((FRAMES, UNKNOWNS)), np.zeros(KINDS)
            if unknown < UNKNOWNS:
                step[:, unknown] = size
            else:
                log_lengths[unknown - UNKNOWNS] = size
            moved.append(replace(one.moved(by.tangents, step), log_lengths=one.log_lengths + log_lengths))
        joints, bones = (
            (getattr(moved[0], name) - getattr(moved[1], name)) / 2e-6 for name in ("joints", "bones")
        )
        np.testing.assert_allclose(by.joints[..., unknown], joints, atol=1e-8)
        np.testing.assert_allclose(by.bones[..., unknown], bones, atol=1e-8)


UNIT = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 1e-3)


@settings(max_examples=50)
@given(UNIT | st.sampled_from([np.array([0.0, 0, 1]), np.array([0.0, 0, -1]), np.array([1.0, 0, -0.0])]))
def test_tangents_are_orthonormal_and_square_to_the_bone(vector):
    direction = vector / np.linalg.norm(vector)
    one = Body(np.zeros((1, 3)), np.tile(direction, (1, BONES, 1)), np.zeros(KINDS))
    axes = np.concatenate((one.derivatives().tangents[0, 0], direction[:, None]), axis=1)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)


def test_after_a_step_of_any_size_directions_are_unit_vectors():
    one, rng = body(), np.random.default_rng(1)
    step = rng.normal(size=(FRAMES, UNKNOWNS))
    moved = one.moved(one.derivatives().tangents, step)
    np.testing.assert_allclose(np.linalg.norm(moved.directions, axis=-1), 1, rtol=1e-12)
    np.testing.assert_allclose(moved.root, one.root + step[:, :3])
    np.testing.assert_array_equal(moved.lengths, one.lengths)


def test_the_body_of_its_own_joints_is_the_same():
    one = body()
    again = body_of_joints(one.joints)
    for name in ("root", "directions", "log_lengths"):
        np.testing.assert_allclose(getattr(again, name), getattr(one, name), atol=1e-12)


def test_the_body_of_joints_has_their_root_directions_and_the_median_lengths_of_both_sides():
    joints = np.random.default_rng(0).normal(size=(5, 17, 3))
    one = body_of_joints(joints)
    lengths = measured_lengths(joints)
    np.testing.assert_array_equal(one.root, joints[:, 0])
    for bone, (parent, child) in enumerate(HUMAN36M.bones):
        vector = joints[:, child] - joints[:, parent]
        np.testing.assert_allclose(one.directions[:, bone] * lengths[:, [bone]], vector, atol=1e-12)
        assert one.lengths[bone] == pytest.approx(np.median(lengths[:, KIND[bone] == KIND]))
    joints[:] = 7
    assert one.root.max() < 7


@pytest.mark.parametrize("frames", [slice(1, 3), np.array([2, 0])])
def test_selected_frames_have_their_joints(frames):
    one = body()
    np.testing.assert_array_equal(one.select(frames).joints, one.joints[frames])

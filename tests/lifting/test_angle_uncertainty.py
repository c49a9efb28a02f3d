"""The uncertainty of angles is that of angles of joints that are off by their uncertainty."""

import numpy as np
import pytest
import torch

import spgnet.lifting.angle_uncertainty
from spgnet.geometry.foot import ANKLES, FOOT_JOINTS, SIDES, foot_points
from spgnet.geometry.joint_angles import ANGLE_NAMES, FOOT_ANGLE_NAMES, joint_angles
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.angle_uncertainty import CALIBRATION, angle_deviations
from spgnet.lifting.usual_feet import usual_axes
from spgnet.synthetic.procedural import procedural_clips


def body_with_feet() -> np.ndarray:
    """A few postures of a walk [frames, 23, 3], in metres."""
    body = procedural_clips(1, seed=3, seconds=2.0)[0].joints[::20].double().numpy()
    ankles = body[:, [ANKLES[side] for side in SIDES], None]
    feet = ankles + np.einsum("nfij,fpj->nfpi", usual_axes(body), foot_points().numpy())
    return np.concatenate((body, feet.reshape(len(body), 6, 3)), axis=1)


def kind(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def test_every_angle_has_a_factor():
    assert {kind(name) for name in ANGLE_NAMES + FOOT_ANGLE_NAMES} == set(CALIBRATION)


def test_deviations_are_those_of_angles_of_joints_that_are_off():
    world, rng, draws = body_with_feet(), np.random.default_rng(0), 2000
    uncertainty = rng.uniform(0.002, 0.006, world.shape[:2])
    own = uncertainty[:, 17:].copy()
    off = rng.standard_normal((draws, *world.shape)) * (uncertainty / np.sqrt(3))[..., None]
    off[:, :, 0] = 0  # positions are relative to the pelvis
    for side in SIDES:
        points = list(FOOT_JOINTS[side])
        off[:, :, points] += off[:, :, [ANKLES[side]]]  # feet move with their ankles
        uncertainty[:, points] = np.hypot(uncertainty[:, points], uncertainty[:, [ANKLES[side]]])
    assert (uncertainty[:, 17:] > own).all()
    moved = joint_angles(torch.from_numpy(world + off))
    found = angle_deviations(world, uncertainty)
    angles = joint_angles(torch.from_numpy(world))
    for name, deviation in found.items():
        seen = np.isfinite(angles[name].numpy())
        np.testing.assert_array_equal(np.isfinite(deviation), seen)
        away = (moved[name] - angles[name]).numpy()[:, seen]
        away = (away + 180) % 360 - 180
        spread = np.sqrt(np.nanmean(away**2, axis=0))
        np.testing.assert_allclose(deviation[seen] / CALIBRATION[kind(name)], spread, rtol=0.12, err_msg=name)


def test_long_motions_are_worked_on_in_parts(monkeypatch):
    world = body_with_feet()[:, :17]
    uncertainty = np.full(world.shape[:2], 0.03)
    whole = angle_deviations(world, uncertainty)
    monkeypatch.setattr(spgnet.lifting.angle_uncertainty, "_FRAMES_AT_ONCE", 2)
    with torch.inference_mode():
        parts = angle_deviations(world, uncertainty)
    for name, deviation in parts.items():
        np.testing.assert_allclose(deviation, whole[name])


@pytest.mark.filterwarnings("error")
def test_joints_that_coincide_have_no_angle_and_no_deviation():
    world = body_with_feet()[:, :17]
    world[1, 2] = world[1, 1]
    found = angle_deviations(world, np.full(world.shape[:2], 0.03))
    assert np.isnan(found["right_knee_flexion"][1])
    assert np.isfinite(found["right_knee_flexion"][[0, 2]]).all()
    assert np.isfinite(found["left_knee_flexion"]).all()


def test_an_unknown_uncertainty_makes_that_of_the_angles_that_it_moves_unknown_and_no_others():
    world = body_with_feet()[:, :17]
    uncertainty = np.full(world.shape[:2], 0.03)
    expected = angle_deviations(world, uncertainty)
    uncertainty[1, HUMAN36M.names.index("left_wrist")] = np.nan
    for name, deviation in angle_deviations(world, uncertainty).items():
        moved = name in ("left_elbow_flexion", "left_shoulder_rotation")
        np.testing.assert_array_equal(
            np.isnan(deviation), np.isnan(expected[name]) | (moved & (np.arange(len(world)) == 1))
        )
        known = np.isfinite(deviation)
        np.testing.assert_array_equal(deviation[known], expected[name][known])

"""Metrics against naive twins: plain loops over joints and frames, in float64."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet import metrics
from spgnet.geometry.skeleton import HUMAN36M


def poses(*batch: int, seed: int = 0, noise: float = 0.1, dtype=torch.float64):
    """Predictions and targets of human size, a few metres from the camera."""
    random = torch.Generator().manual_seed(seed)
    target = 0.4 * torch.randn(*batch, 17, 3, generator=random) + torch.tensor([0.3, -0.2, 5.0])
    predicted = 1.1 * target + noise * torch.randn(*batch, 17, 3, generator=random)
    return predicted.to(dtype), target.to(dtype)


def rotation(seed: int):
    random = torch.Generator().manual_seed(seed)
    q = torch.linalg.qr(torch.randn(3, 3, generator=random, dtype=torch.float64)).Q
    return q * torch.linalg.det(q)


def off_by(*millimetres: float):
    """A pose of as many joints and its target: joint 0 is right, joint i + 1 is millimetres[i] off in y."""
    target = torch.zeros(len(millimetres) + 1, 3, dtype=torch.float64)
    predicted = target.clone()
    predicted[1:, 1] = torch.tensor(millimetres, dtype=torch.float64) / 1000
    return predicted, target


def assert_is(values, expected):
    """The float64 values are the expected numbers to 1e-8."""
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(values, expected, atol=1e-8, rtol=0)


def distance(a, b) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def joint_distances(predicted, target) -> list[float]:
    """Root-relative distance of each joint in mm."""
    root, target_root = predicted[0], target[0]
    return [1000 * distance(p - root, t - target_root) for p, t in zip(predicted, target, strict=True)]


def naive_mpjpe(predicted, target):
    return sum(joint_distances(predicted, target)) / len(predicted)


def naive_n_mpjpe(predicted, target):
    predicted, target = predicted - predicted[0], target - target[0]
    agreement = sum(float(p @ t) for p, t in zip(predicted, target, strict=True))
    size = sum(float(p @ p) for p in predicted)
    return naive_mpjpe(agreement / size * predicted, target)


def naive_p_mpjpe(predicted, target):
    x, y = predicted - predicted.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(x.T @ y)
    if np.linalg.det(u @ vt) < 0:
        u[:, 2] *= -1
        s[2] *= -1
    aligned = s.sum() / (x**2).sum() * x @ u @ vt
    return 1000 * sum(distance(a, b) for a, b in zip(aligned, y, strict=True)) / len(y)


def naive_pck(predicted, target, threshold=150):
    distances = joint_distances(predicted, target)
    return 100 * sum(d < threshold for d in distances) / len(distances)


def naive_auc(predicted, target):
    return sum(naive_pck(predicted, target, 5 * step) for step in range(31)) / 31


def naive_trajectory_error(predicted, target):
    return 1000 * distance(predicted[0], target[0])


def naive_difference_error(predicted, target, weights):
    """Mean distance of root-relative finite differences: one value per run of len(weights) frames."""
    values = []
    for start in range(len(target) - len(weights) + 1):
        total = 0.0
        for joint in range(17):
            ours, true = (
                sum(w * (pose[start + i, joint] - pose[start + i, 0]) for i, w in enumerate(weights))
                for pose in (predicted, target)
            )
            total += distance(ours, true)
        values.append(1000 * total / 17)
    return values


def naive_bone_length_deviation(predicted):
    deviations = []
    for parent, child in HUMAN36M.bones:
        lengths = [1000 * distance(pose[parent], pose[child]) for pose in predicted]
        mean = sum(lengths) / len(lengths)
        deviations.append(math.sqrt(sum((length - mean) ** 2 for length in lengths) / len(lengths)))
    return deviations


ERRORS = [
    (metrics.mpjpe, naive_mpjpe),
    (metrics.p_mpjpe, naive_p_mpjpe),
    (metrics.n_mpjpe, naive_n_mpjpe),
    (metrics.trajectory_error, naive_trajectory_error),
]
PER_POSE = [*ERRORS, (metrics.pck, naive_pck), (metrics.auc, naive_auc)]
OVER_TIME = [(metrics.velocity_error, (-1, 1)), (metrics.acceleration_error, (1, -2, 1))]


@pytest.mark.parametrize(("metric", "naive"), PER_POSE)
@pytest.mark.parametrize("batch", [(), (30,), (2, 1, 6), (0,)])
def test_a_metric_of_poses_agrees_with_its_naive_twin(metric, naive, batch):
    predicted, target = poses(*batch)
    pairs = zip(predicted.reshape(-1, 17, 3).numpy(), target.reshape(-1, 17, 3).numpy(), strict=True)
    expected = np.reshape([naive(p, t) for p, t in pairs], batch)
    assert_is(metric(predicted, target), expected)


@pytest.mark.parametrize(("metric", "weights"), OVER_TIME)
def test_a_metric_over_time_agrees_with_its_naive_twin(metric, weights):
    predicted, target = poses(12)
    assert_is(metric(predicted, target), naive_difference_error(predicted.numpy(), target.numpy(), weights))


def test_bone_length_deviation_agrees_with_its_naive_twin():
    predicted, _ = poses(12)
    deviation = metrics.bone_length_deviation(predicted, HUMAN36M)
    assert_is(deviation, naive_bone_length_deviation(predicted.numpy()))


def test_reprojection_error_agrees_with_its_naive_twin():
    predicted, target = (1000 * pose[..., :2] for pose in poses(3, 4))
    pairs = zip(predicted.reshape(12, 17, 2).numpy(), target.reshape(12, 17, 2).numpy(), strict=True)
    expected = [sum(distance(p[j], t[j]) for j in range(17)) / 17 for p, t in pairs]
    assert_is(metrics.reprojection_error(predicted, target).flatten(), expected)


@pytest.mark.parametrize("metric", [metric for metric, _ in ERRORS])
def test_float32_is_as_good_as_float64_to_a_thousandth_of_a_millimetre(metric):
    predicted, target = poses(200, dtype=torch.float32)
    exact = metric(predicted.double(), target.double())
    value = metric(predicted, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact, atol=1e-3, rtol=0)


@pytest.mark.parametrize("metric", [metric for metric, _ in (*ERRORS, *OVER_TIME)])
def test_a_perfect_prediction_has_no_error(metric):
    _, target = poses(6)
    assert metric(target, target).abs().max() < 1e-9


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.1, 10), shift=st.floats(-10, 10))
def test_p_mpjpe_does_not_see_rotation_scale_and_translation(seed, scale, shift):
    predicted, target = poses(4, seed=seed)
    moved = scale * predicted @ rotation(seed) + shift
    torch.testing.assert_close(metrics.p_mpjpe(moved, target), metrics.p_mpjpe(predicted, target))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.1, 10), shift=st.floats(-10, 10))
def test_n_mpjpe_does_not_see_scale_and_translation(seed, scale, shift):
    predicted, target = poses(4, seed=seed)
    moved = scale * predicted + shift
    torch.testing.assert_close(metrics.n_mpjpe(moved, target), metrics.n_mpjpe(predicted, target))


@pytest.mark.parametrize("metric", [metrics.mpjpe, metrics.pck, metrics.auc])
def test_root_relative_metrics_do_not_see_translation(metric):
    predicted, target = poses(5)
    torch.testing.assert_close(metric(predicted + 3, target - 1), metric(predicted, target))


@pytest.mark.parametrize("metric", [metrics.mpjpe, metrics.n_mpjpe])
def test_mpjpe_and_n_mpjpe_see_rotation(metric):
    predicted, _ = poses(5)
    assert (metric(predicted @ rotation(1), predicted) > 10).all()


def test_p_mpjpe_does_not_forgive_a_mirrored_pose():
    _, target = poses(20)
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    expected = [naive_p_mpjpe(p, t) for p, t in zip(mirrored.numpy(), target.numpy(), strict=True)]
    assert min(expected) > 10
    assert_is(metrics.p_mpjpe(mirrored, target), expected)


def test_p_mpjpe_is_at_most_the_root_mean_square_of_the_distances():
    predicted, target = poses(300, noise=0.5)
    moved, fixed = predicted - predicted[:, :1], target - target[:, :1]
    rms = 1000 * (moved - fixed).square().sum(-1).mean(-1).sqrt()
    assert (metrics.p_mpjpe(predicted, target) <= rms).all()


def test_p_mpjpe_may_exceed_mpjpe():
    """One joint is far off: least squares spreads its error over all the others."""
    _, target = poses()
    predicted = target.clone()
    predicted[16, 0] += 3
    assert metrics.p_mpjpe(predicted, target) > metrics.mpjpe(predicted, target)


def flat_poses():
    """All joints in one point (twice), on a line, on an axis, in a plane, and a pose, in float32."""
    point, pose = torch.full((17, 3), 1 / 3), poses(dtype=torch.float32)[0]
    line, axis = torch.linspace(-1, 1, 17)[:, None], torch.tensor([0.0, 1.0, 0.0])
    return torch.stack([0 * point, point, line * pose[1], line * axis, pose * (1 - axis), pose])


@pytest.mark.parametrize("metric", [metric for metric, _ in PER_POSE])
def test_degenerate_poses_have_finite_errors(metric):
    flat = flat_poses()
    predicted, target = torch.broadcast_tensors(flat[:, None], flat[None])
    assert metric(predicted, target).isfinite().all()


def test_pck_counts_the_joints_below_the_threshold_and_not_those_on_it():
    pose = off_by(125, 149, 151)
    assert metrics.pck(*pose).item() == 75
    assert metrics.pck(*pose, threshold_mm=125.0).item() == 25
    assert metrics.pck(*pose, threshold_mm=126.0).item() == 50


def test_auc_of_a_worked_example():
    """The root counts at 30 thresholds, 12 mm at 15, ..., 150 (28), 125 mm at 130, ... (5), 1 m at none."""
    expected = 100 * (30 + 28 + 5 + 0) / (4 * 31)
    torch.testing.assert_close(metrics.auc(*off_by(12, 125, 1000)).item(), expected)


def test_a_perfect_pose_has_all_joints_correct_and_misses_only_the_threshold_of_zero():
    _, target = poses(3)
    assert_is(metrics.pck(target, target), [100] * 3)
    assert_is(metrics.auc(target, target), [3000 / 31] * 3)


def test_pck_and_auc_of_chosen_joints_are_those_of_the_naive_twins_over_them():
    """The root is 2 m off as well, and does not count: poses are still relative to it."""
    predicted, target = poses(12, noise=0.05)
    predicted = predicted + 2
    chosen = [3, 16, 10]
    distances = np.array([joint_distances(p, t) for p, t in zip(predicted, target, strict=True)])[:, chosen]
    below = [100 * (distances < 5 * step).mean(axis=1) for step in range(31)]
    assert 0 < np.mean(below[30]) < 100
    assert_is(metrics.pck(predicted, target, joints=chosen), below[30].tolist())
    assert_is(metrics.auc(predicted, target, joints=chosen), np.mean(below, axis=0).tolist())


def test_the_field_counts_fourteen_joints():
    """mpii_get_pck_auc_joint_groups.m: head, neck, both shoulders, elbows, wrists, hips, knees, ankles."""
    middle = {"head_top", "thorax"}
    sides = {"shoulder", "elbow", "wrist", "hip", "knee", "ankle"}
    expected = middle | {f"{side}_{kind}" for side in ("left", "right") for kind in sides}
    assert len(metrics.PCK_JOINTS) == 14
    assert {HUMAN36M.names[joint] for joint in metrics.PCK_JOINTS} == expected


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), noise=st.floats(0.01, 0.3))
def test_pck_grows_with_its_threshold_and_bounds_auc(seed, noise):
    predicted, target = poses(5, seed=seed, noise=noise)
    curve = [metrics.pck(predicted, target, t) for t in (0.0, 20.0, 75.0, 150.0, 500.0)]
    assert all((low <= high).all() for low, high in pairwise(curve))
    assert (metrics.auc(predicted, target) <= metrics.pck(predicted, target)).all()


@pytest.mark.parametrize("metric", [metric for metric, _ in OVER_TIME])
def test_metrics_over_time_do_not_see_constant_offsets_nor_the_path_of_the_root(metric):
    predicted, target = poses(9)
    offset_of_each_joint, path = poses()[0], torch.linspace(0, 1, 27).reshape(9, 1, 3) ** 2
    for moved in (predicted + offset_of_each_joint, predicted + path):
        torch.testing.assert_close(metric(moved, target), metric(predicted, target))


def test_a_steady_drift_is_an_error_of_velocity_and_not_of_acceleration():
    _, target = poses(9)
    drift = torch.zeros(9, 17, 3, dtype=torch.float64)
    drift[:, 1:, 0] = 0.002 * torch.arange(9.0, dtype=torch.float64)[:, None]
    assert_is(metrics.velocity_error(target + drift, target), [2 * 16 / 17] * 8)
    assert_is(metrics.acceleration_error(target + drift, target), [0] * 7)


def test_a_sequence_without_a_step_has_no_errors_over_time():
    predicted, target = poses(2)
    assert metrics.velocity_error(predicted[:1], target[:1]).shape == (0,)
    assert metrics.acceleration_error(predicted, target).shape == (0,)


def test_trajectory_error_is_that_of_the_root_alone():
    _, target = poses(4)
    predicted = target.clone()
    predicted[:, 1:] += 1
    predicted[:, 0] += torch.tensor([0.03, 0.0, 0.04], dtype=torch.float64)
    assert_is(metrics.trajectory_error(predicted, target), [50] * 4)


def test_a_rigid_motion_has_no_bone_length_deviation():
    _, target = poses()
    moving = torch.stack([target @ rotation(seed) + seed for seed in range(6)])
    assert_is(metrics.bone_length_deviation(moving, HUMAN36M), [0] * 16)


def test_bone_length_deviation_is_that_of_the_population():
    """A pose of unit bones that grows by 20 mm in one of two frames: ± 10 mm."""
    lengths = torch.ones(2, 16, dtype=torch.float64)
    lengths[1] += 0.02
    stretched = HUMAN36M.with_bone_lengths(poses(1)[1].expand(2, 17, 3), lengths)
    assert_is(metrics.bone_length_deviation(stretched, HUMAN36M), [10] * 16)

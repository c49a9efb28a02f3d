import math
import runpy
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.detector_noise import DetectorNoise, per_joint, person_size, simulate_detections

FIT_NOISE = Path(__file__).resolve().parents[2] / "scripts" / "fit_noise.py"


def only(**values) -> DetectorNoise:
    """Noise with nothing in it but the given components."""
    nothing = {f.name: 0.0 for f in fields(DetectorNoise)} | {"jitter": (0.0,) * 17, "drift": (0.0,) * 17}
    return DetectorNoise(**(nothing | values))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def still(frames: int) -> torch.Tensor:
    """A motionless person of size 1 px (in double precision, so that sizes can be read off the error)."""
    points = torch.rand(17, 2, generator=seeded(7), dtype=torch.float64)
    return (points / person_size(points)).expand(frames, 17, 2)


def moving(*shape: int) -> torch.Tensor:
    steps = torch.randn(*shape, 17, 2, generator=seeded(3))
    start = 300 * torch.rand(17, 2, generator=seeded(4))
    return 500 + start + steps.cumsum(dim=-3)


def correlation(error: torch.Tensor, lag: int) -> float:
    return float((error[lag:] * error[:-lag]).mean() / error.square().mean())


def burst_lengths(active: torch.Tensor) -> torch.Tensor:
    """Lengths of the runs of true along the frames [frames, joints]."""
    edges = torch.nn.functional.pad(active.T.int(), (1, 1)).diff(dim=1)
    return (edges == -1).nonzero()[:, 1] - (edges == 1).nonzero()[:, 1]


@pytest.mark.parametrize("shape", [(1,), (50,), (3, 40), (2, 3, 20)])
def test_detections_are_finite_and_of_the_shape_and_type_of_the_points(shape):
    points = moving(*shape)
    for values in (points, points.double()):
        seen = simulate_detections(values, DetectorNoise(), fps=50.0, generator=seeded())
        assert seen.shape == values.shape
        assert seen.dtype == values.dtype
        assert seen.isfinite().all()


def test_a_seed_fixes_the_detections_and_another_gives_others():
    points = moving(200)
    first, again, other = (
        simulate_detections(points, DetectorNoise(), fps=50.0, generator=seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_noise_changes_nothing():
    points = moving(200)
    assert torch.equal(simulate_detections(points, only(), fps=50.0, generator=seeded()), points)


def test_input_is_left_alone():
    points = moving(100)
    before = points.clone()
    simulate_detections(points, DetectorNoise(), fps=50.0, generator=seeded())
    assert torch.equal(points, before)


def test_error_grows_with_the_person_and_ignores_where_they_stand():
    points = moving(200).double()
    seen, larger, elsewhere = (
        simulate_detections(p, DetectorNoise(), fps=50.0, generator=seeded())
        for p in (points, 2 * points, points + 100)
    )
    torch.testing.assert_close(larger, 2 * seen)
    torch.testing.assert_close(elsewhere, seen + 100)


def test_a_scale_multiplies_the_errors_of_its_sequence():
    points, noise = moving(3, 200), DetectorNoise(swap_fraction=0.0, dropout_fraction=0.0)
    scale = torch.tensor([0.0, 1.0, 2.0])
    plain = simulate_detections(points, noise, fps=50.0, generator=seeded()) - points
    scaled = (
        simulate_detections(points, noise, fps=50.0, generator=seeded(), scale=scale[:, None, None]) - points
    )
    torch.testing.assert_close(scaled, scale[:, None, None, None] * plain, atol=1e-3, rtol=1e-4)


def test_size_is_the_longer_side_of_the_box_around_the_limbs():
    points = torch.zeros(17, 2)
    points[HUMAN36M.names.index("right_wrist"), 0] = 30
    points[HUMAN36M.names.index("left_ankle"), 1] = 200
    points[HUMAN36M.names.index("head_top"), 1] = -999
    assert person_size(points) == 200


def test_midline_joints_err_as_their_stated_neighbours():
    limbs = per_joint(hip=1.0, knee=2.0, ankle=3.0, shoulder=4.0, elbow=5.0, wrist=6.0)
    values = dict(zip(HUMAN36M.names, limbs, strict=True))
    assert all(values[name] == 1 for name in ("pelvis", "spine", "left_hip", "right_hip"))
    assert all(values[name] == 4 for name in ("thorax", "nose", "head_top", "left_shoulder"))
    assert [values[f"left_{joint}"] for joint in ("knee", "ankle", "elbow", "wrist")] == [2, 3, 5, 6]


@pytest.mark.parametrize("component", ["jitter", "drift"])
def test_each_joint_strays_as_far_as_its_parameter_says(component):
    wanted = tuple(0.01 * (1 + joint) for joint in range(17))
    noise = only(**{component: wanted, f"{component}_seconds": 0.04})
    points = still(20_000)
    error = simulate_detections(points, noise, fps=50.0, generator=seeded()) - points
    measured = error.square().mean(dim=(0, 2)).sqrt()
    torch.testing.assert_close(measured, torch.tensor(wanted, dtype=measured.dtype), rtol=0.05, atol=0)
    assert (error.mean(dim=0).abs() < 0.1 * measured.unsqueeze(-1)).all()


@pytest.mark.parametrize("fps", [25.0, 50.0, 200.0])
def test_correlation_in_seconds_does_not_depend_on_the_frame_rate(fps):
    points = still(round(400 * fps))
    jitter = only(jitter=(0.01,) * 17, jitter_seconds=0.2)
    error = simulate_detections(points, jitter, fps=fps, generator=seeded()) - points
    assert correlation(error, round(0.2 * fps)) == pytest.approx(math.exp(-1), abs=0.03)
    drift = only(drift=(0.01,) * 17, drift_seconds=0.2)
    error = simulate_detections(points, drift, fps=fps, generator=seeded()) - points
    assert correlation(error, round(0.2 * fps)) == pytest.approx(2 * math.exp(-1), abs=0.03)


def test_jitter_without_correlation_time_is_white():
    points = still(5_000)
    error = simulate_detections(points, only(jitter=(0.01,) * 17), fps=50.0, generator=seeded()) - points
    assert abs(correlation(error, 1)) < 0.01


def test_noise_is_as_strong_in_the_first_frame_as_later():
    points = still(2).expand(500, 2, 17, 2)
    noise = only(drift=(0.01,) * 17, drift_seconds=0.5, jitter=(0.01,) * 17, jitter_seconds=0.5)
    error = simulate_detections(points, noise, fps=50.0, generator=seeded())[:, 0] - points[:, 0]
    assert error.std().item() == pytest.approx(0.01 * math.sqrt(2), rel=0.04)


def test_bias_is_constant_in_a_sequence_and_differs_between_sequences():
    points = still(10).expand(500, 10, 17, 2)
    error = simulate_detections(points, only(bias=0.02), fps=50.0, generator=seeded()) - points
    torch.testing.assert_close(error, error[:, :1].expand_as(error))
    assert error[:, 0].std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("fps", [50.0, 100.0])
def test_outliers_come_in_bursts_of_the_stated_share_length_and_distance(fps):
    noise = only(outlier_fraction=0.1, outlier_seconds=0.2, outlier_size=0.3)
    points = still(20_000)
    error = (simulate_detections(points, noise, fps=fps, generator=seeded()) - points).norm(dim=-1)
    far = error > 0.1
    torch.testing.assert_close(error[far], torch.full_like(error[far], 0.3))
    assert (error[~far] == 0).all()
    assert far.double().mean().item() == pytest.approx(0.1, rel=0.1)
    assert burst_lengths(far).double().mean().item() == pytest.approx(0.2 * fps, rel=0.1)


def test_bursts_are_as_likely_in_the_first_frame_as_later():
    noise = only(outlier_fraction=0.2, outlier_seconds=0.2, outlier_size=0.3)
    points = still(1).expand(2000, 1, 17, 2)
    far = simulate_detections(points, noise, fps=50.0, generator=seeded()) != points
    assert far.any(dim=-1).double().mean().item() == pytest.approx(0.2, rel=0.05)


def test_swaps_exchange_twins_and_nothing_else():
    points = moving(20_000)
    seen = simulate_detections(
        points, only(swap_fraction=0.1, swap_seconds=0.1), fps=50.0, generator=seeded()
    )
    swapped = (seen != points).any(dim=-1)
    mirror = list(HUMAN36M.mirror)
    assert torch.equal(seen[swapped], points[:, mirror][swapped])
    assert torch.equal(swapped, swapped[:, mirror])
    for inner, outer in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        first, second = (swapped[:, HUMAN36M.names.index(f"left_{joint}")] for joint in (inner, outer))
        assert not (first & ~second).any(), f"{inner}s swapped without the {outer}s"
    ends = swapped[:, [HUMAN36M.names.index("left_ankle"), HUMAN36M.names.index("left_wrist")]]
    assert ends.double().mean().item() == pytest.approx(0.1, rel=0.15)
    hips = swapped[:, HUMAN36M.names.index("left_hip")]
    assert hips.double().mean().item() == pytest.approx(0.1 / 3, rel=0.3)


def test_always_swapped_ends_are_swapped_in_every_frame():
    points = moving(50)
    seen = simulate_detections(
        points, only(swap_fraction=1.0, swap_seconds=0.1), fps=50.0, generator=seeded()
    )
    left, right = HUMAN36M.names.index("left_ankle"), HUMAN36M.names.index("right_ankle")
    assert torch.equal(seen[:, left], points[:, right])


def test_dropouts_are_interpolated_in_time_joint_by_joint():
    points = moving(2_000).double()
    seen = simulate_detections(
        points, only(dropout_fraction=0.2, dropout_seconds=0.1), fps=50.0, generator=seeded()
    )
    changed = (seen != points).any(dim=-1)
    assert changed.double().mean().item() == pytest.approx(0.2, rel=0.15)
    assert not changed.all(dim=1).any()
    for joint in range(17):
        known = (~changed[:, joint]).nonzero()[:, 0]
        for frame in changed[:, joint].nonzero()[:, 0].tolist():
            before, after = known[known < frame], known[known > frame]
            ends = points[[*before[-1:].tolist(), *after[:1].tolist()], joint]
            weight = (frame - before[-1]) / (after[0] - before[-1]) if len(ends) == 2 else 0
            torch.testing.assert_close(seen[frame, joint], ends[0] + weight * (ends[-1] - ends[0]))


def test_a_joint_that_is_never_seen_keeps_its_points():
    points = moving(5)
    seen = simulate_detections(
        points, only(dropout_fraction=1.0, dropout_seconds=1.0), fps=50.0, generator=seeded()
    )
    assert torch.equal(seen, points)


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [f.name for f in fields(DetectorNoise)])
def test_impossible_parameters_are_refused(name, wrong):
    value = (wrong,) * 17 if name in ("jitter", "drift") else wrong
    with pytest.raises(ValueError, match=f"{name} must be"):
        DetectorNoise(**{name: value})


@pytest.mark.parametrize("name", ["outlier_fraction", "swap_fraction", "dropout_fraction"])
def test_a_fraction_above_one_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be in"):
        DetectorNoise(**{name: 1.1})


def test_parameters_of_other_than_17_joints_are_refused():
    with pytest.raises(ValueError, match="jitter must hold 17 values"):
        DetectorNoise(jitter=(0.1,) * 16)


@pytest.mark.parametrize("fps", [0.0, -25.0, float("nan")])
def test_a_frame_rate_that_is_not_positive_is_refused(fps):
    with pytest.raises(ValueError, match="fps must be positive"):
        simulate_detections(moving(3), DetectorNoise(), fps=fps, generator=seeded())


def test_defaults_are_what_is_fitted_to_real_detections(real_detections):
    fitted = runpy.run_path(str(FIT_NOISE))["fit"](real_detections).noise
    default = DetectorNoise()
    for field in fields(default):
        measured, given = (np.array(getattr(noise, field.name)) for noise in (fitted, default))
        assert given == pytest.approx(measured, rel=0.1), field.name


@pytest.mark.parametrize("name", ["squat", "walk"])
def test_simulated_detections_err_and_shake_as_real_ones(real_detections, name):
    script = runpy.run_path(str(FIT_NOISE))
    recording = script["load_opencap"](real_detections / f"opencap_{name}.npz")
    real = script["measures"]([recording])
    simulated = script["measures"](list(script["simulated"](recording, DetectorNoise())))
    for theirs, ours in zip(real[:-1], simulated[:-1], strict=True):
        assert 1 / 1.5 < ours / theirs < 1.5

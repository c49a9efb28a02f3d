"""The filters take out jitter and leave motion."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import OneEuroFilter, load_keypoints, smooth, to_human36m
from spgnet.keypoints.smoothing import SMOOTHING, half_power

law = settings(max_examples=30)
rates = st.sampled_from([15.0, 25.0, 30.0, 60.0, 120.0, 240.0])
DOCS = Path(__file__).parents[2] / "docs/keypoints.md"


@given(st.integers(1, 90), rates, st.integers(0, 2**31))
@law
def test_rest_and_constant_velocity_pass_unchanged_up_to_the_ends(frames, fps, seed):
    rng = np.random.default_rng(seed)
    start, velocity = rng.uniform(0, 1000, (17, 2)), rng.normal(size=(17, 2)) * 500
    moving = start + np.arange(frames)[:, None, None] / fps * velocity
    np.testing.assert_allclose(smooth(moving, fps), moving, atol=1e-6)


@given(st.integers(1, 60), rates, st.integers(0, 2**31))
@law
def test_as_many_frames_come_out_and_the_ends_stay(frames, fps, seed):
    pixels = np.random.default_rng(seed).uniform(0, 1000, (frames, 17, 2)).astype(np.float32)
    out = smooth(pixels, fps)
    assert (out.shape, out.dtype) == (pixels.shape, pixels.dtype)
    np.testing.assert_allclose(out[[0, -1]], pixels[[0, -1]], atol=1e-3)
    np.testing.assert_array_equal(smooth(pixels, fps, seconds=0.0), pixels)


@given(st.integers(2, 60), rates, st.integers(0, 2**31))
@law
def test_smoothing_commutes_with_reversing_time_so_that_nothing_lags(frames, fps, seed):
    pixels = np.random.default_rng(seed).uniform(0, 1000, (frames, 1, 2))
    np.testing.assert_allclose(smooth(pixels[::-1], fps), smooth(pixels, fps)[::-1], atol=1e-9)


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0, 240.0])
@pytest.mark.parametrize("hertz", [1.0, 2.0, 4.0, 6.6, 10.0])
def test_a_sine_is_damped_as_by_a_gaussian_whatever_the_frame_rate(fps, hertz):
    time = np.arange(round(8 * fps)) / fps
    wave = np.sin(2 * np.pi * hertz * time)[:, None, None] * np.ones((1, 1, 2))
    middle = slice(round(fps), -round(fps))
    gain = np.linalg.norm(smooth(wave, fps)[middle]) / np.linalg.norm(wave[middle])
    exact = np.exp((SMOOTHING * fps) ** 2 * (np.cos(2 * np.pi * hertz / fps) - 1))
    assert gain == pytest.approx(exact, abs=2e-3)
    if hertz < fps / 4:
        assert gain == pytest.approx(np.exp(-2 * (np.pi * SMOOTHING * hertz) ** 2), abs=0.05)


def test_half_the_power_passes_at_the_documented_cut_off():
    hertz = half_power(SMOOTHING)
    assert np.exp(-2 * (np.pi * SMOOTHING * hertz) ** 2) ** 2 == pytest.approx(0.5)
    assert 6 <= hertz <= 8
    assert f"{SMOOTHING:g} s" in DOCS.read_text()
    assert f"{hertz:.1f} Hz" in DOCS.read_text()


def test_settings_out_of_range_are_refused():
    for seconds in (-1.0, 1e9, math.inf, math.nan):
        with pytest.raises(InputError, match="smoothing must be from 0 to 60 s"):
            smooth(np.zeros((3, 17, 2)), 30.0, seconds=seconds)
    with pytest.raises(InputError, match="expected fps > 0"):
        smooth(np.zeros((3, 17, 2)), math.nan, seconds=1.0)
    with pytest.raises(ValueError, match="expected length"):
        OneEuroFilter(0.0)


# --- 1 € ----------------------------------------------------------------------------------------


def _naive_one_euro(xs: list[float], ys: list[float], times: list[float], length: float) -> np.ndarray:
    """The pseudo-code of the paper for one point, with the speed of both coordinates and our defaults."""

    def alpha(cutoff: float, period: float) -> float:
        tau = 1.0 / (2 * np.pi * cutoff)
        return 1.0 / (1.0 + tau / period)

    x, y, dx, dy = xs[0], ys[0], 0.0, 0.0
    out = [(x, y)]
    for i in range(1, len(xs)):
        period = times[i] - times[i - 1]
        a = alpha(1.0, period)
        dx = a * (xs[i] - x) / period + (1 - a) * dx
        dy = a * (ys[i] - y) / period + (1 - a) * dy
        a = alpha(2.0 + 10.0 * np.hypot(dx, dy) / length, period)
        x, y = a * xs[i] + (1 - a) * x, a * ys[i] + (1 - a) * y
        out.append((x, y))
    return np.array(out)


@given(st.integers(0, 2**31))
@law
def test_the_one_euro_filter_is_the_papers_for_every_joint(seed):
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 1000, (20, 17, 2))
    times = np.cumsum(rng.uniform(0.01, 0.05, 20))
    live = OneEuroFilter(1280.0)
    out = np.stack([live.push(frame, float(time)) for frame, time in zip(pixels, times, strict=True)])
    for joint in range(17):
        xs, ys = pixels[:, joint, 0].tolist(), pixels[:, joint, 1].tolist()
        np.testing.assert_allclose(out[:, joint], _naive_one_euro(xs, ys, times.tolist(), 1280.0), atol=1e-9)


def test_the_one_euro_filter_is_the_same_at_any_resolution_and_calms_a_resting_joint():
    noise = np.random.default_rng(0).normal(size=(300, 17, 2))
    small, large = OneEuroFilter(640.0), OneEuroFilter(1920.0)
    out = np.stack([small.push(frame, i / 30) for i, frame in enumerate(noise)])
    scaled = np.stack([large.push(3 * frame, i / 30) for i, frame in enumerate(noise)])
    np.testing.assert_allclose(scaled, 3 * out, atol=1e-9)
    assert out[30:].std() < 0.6 * noise.std()


def test_time_that_stands_still_is_refused():
    live = OneEuroFilter(1280.0)
    first = np.ones((17, 2), np.float32)
    np.testing.assert_array_equal(live.push(first, 0.5), first)
    with pytest.raises(ValueError, match="time does not increase"):
        live.push(first, 0.5)


# --- Real detections ----------------------------------------------------------------------------


def _real(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Detected and true pixels of the same 12 joints, and the frame rate."""
    (person,) = load_keypoints(path)
    with np.load(path, allow_pickle=False) as file:
        names = [str(name) for name in file["truth_joints"]]
        long = {"l": "left", "r": "right"}
        joints = [HUMAN36M.names.index(f"{long[name[0]]}_{name[2:]}") for name in names]
        times = np.arange(len(file["truth"])) / float(file["truth_fps"])
        when = person.timestamps + float(file["truth_lag"])
        flat = file["truth"].reshape(len(times), -1)
        truth = np.stack([np.interp(when, times, column) for column in flat.T], axis=1).reshape(-1, 3)
        turn = cv2.Rodrigues(file["world_to_camera_rotation"])[0]
        shift = file["world_to_camera_translation"]
        pixels = cv2.projectPoints(truth, turn, shift, person.camera_matrix, person.distortion)[0]
    detected = to_human36m(person)[0][:, joints].astype(np.float64)
    return detected, pixels.reshape(-1, 12, 2), person.fps


def _velocity_error(detected: np.ndarray, truth: np.ndarray, fps: float) -> float:
    error = np.diff(detected - truth, axis=0) * fps
    return float(np.sqrt((error[10:-10] ** 2).sum(axis=-1).mean()))


@pytest.mark.parametrize("clip", ["squat", "walk"])
def test_on_real_detections_velocities_come_nearer_to_the_truth_as_documented(real_detections, clip):
    detected, truth, fps = _real(real_detections / f"opencap_{clip}.npz")
    live = OneEuroFilter(1280.0)
    causal = np.stack([live.push(frame, i / fps) for i, frame in enumerate(detected)])
    errors = [_velocity_error(some, truth, fps) for some in (detected, smooth(detected, fps), causal)]
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.6 * errors[0]
    row = f"| {clip} | " + " | ".join(f"{error:.0f}" for error in errors) + " |"
    assert row in DOCS.read_text(), row

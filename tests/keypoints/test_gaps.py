"""Gaps are filled, for whole clips and live."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.skeleton import BODY, HUMAN36M
from spgnet.keypoints import CausalFiller, drop_low_confidence, fill_gaps
from spgnet.keypoints.gaps import BELOW_THORAX, TORSO
from spgnet.synthetic.procedural import procedural_clips

law = settings(max_examples=60)


def _clip(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Random joints, of which a random share is missing: for good, at the start, or in one axis."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 1000, (frames, 17, 2))
    confidence = rng.uniform(0.1, 1, (frames, 17))
    confidence[rng.random((frames, 17)) < rng.random()] = 0
    pixels[rng.random((frames, 17)) < 0.1, rng.integers(2)] = np.nan
    confidence[:, rng.random(17) < 0.3] = 0
    confidence[: rng.integers(frames)] = 0
    return pixels, confidence


def _present(pixels: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    return (confidence > 0) & np.isfinite(pixels).all(axis=-1)


def _naive(pixels: np.ndarray, confidence: np.ndarray, causal: bool, times: np.ndarray) -> np.ndarray:
    """The rule of the docstring, joint by joint and frame by frame."""
    detected = _present(pixels, confidence)
    start = int(np.flatnonzero(detected.any(axis=1))[0])
    filled = np.full(pixels.shape, np.nan)
    for frame in range(len(pixels)):
        now = max(frame, start) if causal else frame
        for joint in range(17):
            known = [t for t in range(len(pixels)) if detected[t, joint] and (t <= now or not causal)]
            before = [t for t in known if t <= now]
            after = [t for t in known if t >= now]
            if before and (causal or not after):
                filled[frame, joint] = pixels[before[-1], joint]
            elif before and after:
                a, b = before[-1], after[0]
                share = (times[now] - times[a]) / (times[b] - times[a] if b > a else 1)
                filled[frame, joint] = (1 - share) * pixels[a, joint] + share * pixels[b, joint]
            elif after:
                filled[frame, joint] = pixels[after[0], joint]
        _place_lower_body(filled[frame])
        there = [joint for joint in range(17) if np.isfinite(filled[frame, joint]).all()]
        torso = [joint for joint in there if joint in TORSO]
        centre = filled[frame, torso or there].mean(axis=0)
        for joint in set(range(17)) - set(there):
            filled[frame, joint] = centre
    return filled


def _place_lower_body(pose: np.ndarray) -> None:
    """In one frame: pelvis and legs without a position go below the neck if no hip has one."""
    at = dict(zip(HUMAN36M.names, pose, strict=True))
    known = {name for name, position in at.items() if np.isfinite(position).all()}
    if known & {"pelvis", "left_hip", "right_hip"} or not {"left_shoulder", "right_shoulder"} <= known:
        return
    left, right = at["left_shoulder"], at["right_shoulder"]
    top = at["thorax"] if "thorax" in known else (left + right) / 2
    bones = [(HUMAN36M.names[p], HUMAN36M.names[c], HUMAN36M.joint_types[c]) for p, c in HUMAN36M.bones]
    lengths = sorted(np.linalg.norm(at[p] - at[c]) / BODY[k] for p, c, k in bones if {p, c} <= known)
    if not lengths:
        return
    scale = min(lengths[3 * len(lengths) // 4], 1.5 * lengths[len(lengths) // 2])
    aside = (left - right) / 2 * BODY["hip"] / BODY["shoulder"]
    for joint, (name, kind) in enumerate(zip(HUMAN36M.names, HUMAN36M.joint_types, strict=True)):
        if name not in known and kind in BELOW_THORAX:
            side = {"left": 1, "right": -1}.get(name.split("_")[0], 0)
            pose[joint] = top + side * aside + (0, scale * BELOW_THORAX[kind])


@pytest.mark.parametrize("causal", [False, True])
@given(st.integers(0, 2**31), st.integers(1, 12))
@law
def test_filling_follows_its_rule_and_keeps_what_was_seen(causal, seed, frames):
    pixels, confidence = _clip(seed, frames)
    detected = _present(pixels, confidence)
    if not detected.any():
        with pytest.raises(ValueError, match="no joint was detected"):
            fill_gaps(pixels, confidence, causal=causal)
        return
    frame_numbers = np.arange(frames)
    times = 5 + np.random.default_rng(seed).uniform(0.01, 0.2, frames).cumsum()
    for clock, meant in ((None, frame_numbers), (times, times)):
        filled = fill_gaps(pixels, confidence, causal=causal, times=clock)
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[detected], pixels[detected])
        np.testing.assert_allclose(filled, _naive(pixels, confidence, causal, meant), atol=1e-9)


@given(st.integers(0, 2**31), st.integers(1, 12))
@law
def test_frame_by_frame_is_the_causal_clip_since_the_first_sighting(seed, frames):
    pixels, confidence = _clip(seed, frames)
    filler = CausalFiller()
    live = [filler.push(*frame) for frame in zip(pixels, confidence, strict=True)]
    detected = _present(pixels, confidence).any(axis=1)
    start = int(np.argmax(detected)) if detected.any() else frames
    assert all(frame is None for frame in live[:start])
    if start < frames:
        expected = fill_gaps(pixels, confidence, causal=True)[start:]
        np.testing.assert_array_equal(
            np.stack([frame for frame in live[start:] if frame is not None]), expected
        )


@given(st.integers(0, 2**31), st.integers(2, 12))
@law
def test_a_causal_frame_does_not_know_the_future(seed, frames):
    pixels, confidence = _clip(seed, frames)
    detected = _present(pixels, confidence).any(axis=1)
    for known in range(int(np.argmax(detected)) + 1 if detected.any() else frames + 1, frames):
        early = fill_gaps(pixels[:known], confidence[:known], causal=True)
        np.testing.assert_array_equal(early, fill_gaps(pixels, confidence, causal=True)[:known])


def test_a_joint_crosses_a_gap_at_constant_speed_and_rests_at_the_ends():
    pixels = np.zeros((7, 17, 2), np.float32)
    confidence = np.zeros((7, 17), np.float32)
    confidence[[1, 5]] = 1
    pixels[1], pixels[5] = 10, 50
    filled = fill_gaps(pixels, confidence, causal=False)
    np.testing.assert_array_equal(filled[:, 3, 0], [10, 10, 20, 30, 40, 50, 50])
    assert filled.dtype == np.float32
    times = np.array([0.0, 1, 1.5, 2, 4, 5, 6])
    uneven = fill_gaps(pixels, confidence, causal=False, times=times)
    np.testing.assert_array_equal(uneven[:, 3, 0], [10, 10, 15, 20, 40, 50, 50])
    held = fill_gaps(pixels, confidence, causal=True)
    np.testing.assert_array_equal(held[:, 3, 0], [10, 10, 10, 10, 10, 50, 50])


def test_a_joint_never_seen_is_at_the_middle_of_the_torso_or_else_of_everything():
    rng = np.random.default_rng(1)
    pixels, confidence = rng.random((1, 17, 2)), np.ones((1, 17))
    head = HUMAN36M.names.index("head_top")
    confidence[0, head] = 0
    for causal in (False, True):
        filled = fill_gaps(pixels, confidence, causal=causal)
        np.testing.assert_allclose(filled[0, head], pixels[0, list(TORSO)].mean(axis=0))
    confidence[0, list(TORSO)] = 0
    limbs = [joint for joint in range(17) if confidence[0, joint] > 0]
    filled = fill_gaps(pixels, confidence, causal=False)
    np.testing.assert_allclose(filled[0, head], pixels[0, limbs].mean(axis=0))


@pytest.mark.parametrize("causal", [False, True])
def test_hips_never_seen_are_below_the_shoulders_as_far_as_in_a_body_of_that_size(causal):
    """Of people who stand and sit upright, whose hips are known: within 0.15 m on average."""
    off = []
    for seed in range(6):
        world = procedural_clips(1, seed=seed, seconds=1.0, fps=10.0)[0].joints.numpy().astype(np.float64)
        pixels = 100 + 200 * np.stack((world[..., 0], 3 - world[..., 2]), axis=-1)
        confidence = np.ones(pixels.shape[:2])
        confidence[:, [j for j, kind in enumerate(HUMAN36M.joint_types) if kind in BELOW_THORAX]] = 0
        filled = fill_gaps(pixels, confidence, causal=causal)
        off.append(np.linalg.norm(filled[:, 0] - pixels[:, 0], axis=-1).mean() / 200)
        assert (filled[:, 1] != filled[:, 4]).any()
    assert np.median(off) < 0.15


def test_joints_below_the_threshold_are_missing_and_the_others_untouched():
    pixels = np.random.default_rng(2).random((3, 17, 2))
    confidence = np.tile(np.linspace(0, 1, 17), (3, 1))
    confidence[1, 1] = np.nan
    dropped, left = drop_low_confidence(pixels, confidence, 0.5)
    kept = np.nan_to_num(confidence) >= 0.5
    np.testing.assert_array_equal(np.isfinite(dropped).all(axis=-1), kept)
    np.testing.assert_array_equal(dropped[kept], pixels[kept])
    np.testing.assert_array_equal(left, np.where(kept, confidence, 0))
    assert (drop_low_confidence(pixels, confidence)[1] > 0).sum(axis=1)[0] == (confidence[0] >= 0.3).sum()
    one = drop_low_confidence(pixels[0], confidence[0], 0.5)
    np.testing.assert_array_equal(one[1], left[0])

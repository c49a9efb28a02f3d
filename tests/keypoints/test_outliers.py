"""What no body can do is found, and what people do is left alone."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.outliers import (
    LONGEST_BURST,
    PATIENCE,
    CausalOutlierGate,
    find_exchanged,
    find_outliers,
)
from spgnet.keypoints.scale import LENGTHS, MIN_BONES, pixels_per_metre, steady_pixels_per_metre
from spgnet.synthetic.detector_noise import DetectorNoise, simulate_detections
from spgnet.synthetic.procedural import procedural_clips

FOCAL, DISTANCE, SIZE = 1000.0, 4.0, (1000, 1000)
WRIST, ELBOW, ANKLE, KNEE = (HUMAN36M.names.index(f"left_{j}") for j in ("wrist", "elbow", "ankle", "knee"))
MIRROR = list(HUMAN36M.mirror)
NOISE = DetectorNoise(swap_fraction=0.0, dropout_fraction=0.0)


class Video(NamedTuple):
    """Detections [frames, 17, 2] in pixels with their confidence and times."""

    pixels: np.ndarray
    confidence: np.ndarray
    times: np.ndarray


def video(seed: int = 0, fps: float = 30.0, seconds: float = 3.0, turn: float = 0.0) -> Video:
    """A person as a detector sees them, who turns around by a number of turns meanwhile."""
    world = procedural_clips(1, seed=seed, seconds=seconds, fps=fps)[0].joints.double()
    world = world - world[:, :1] * torch.tensor([1.0, 1.0, 0.0])
    angle = 2 * torch.pi * turn * torch.linspace(0, 1, len(world), dtype=torch.float64)[:, None]
    x, y = world[..., 0].clone(), world[..., 1].clone()
    world[..., 0], world[..., 1] = angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y
    position, target = (
        torch.tensor([[0.0, -DISTANCE, 1.2]]).double(),
        torch.tensor([[0.0, 0.0, 1.0]]).double(),
    )
    camera = (world - position) @ look_at(position, target)[0].T
    pixels = FOCAL * camera[..., :2] / camera[..., 2:] + torch.tensor(SIZE) / 2
    seen = simulate_detections(pixels, NOISE, fps=fps, generator=torch.Generator().manual_seed(seed))
    return Video(seen.numpy(), np.ones(seen.shape[:2]), np.arange(len(seen)) / fps)


def corrupted(clip: Video, share: float, burst: int, seed: int = 0) -> tuple[Video, np.ndarray]:
    """A share of the joints anywhere in the image, in bursts of frames, and which ones."""
    rng = np.random.default_rng(seed)
    pixels, wrong = clip.pixels.copy(), np.zeros(clip.confidence.shape, dtype=bool)
    while wrong.mean() < share:
        frame, joint = rng.integers(len(pixels)), rng.integers(17)
        pixels[frame : frame + burst, joint] = rng.uniform(0, SIZE)
        wrong[frame : frame + burst, joint] = True
    return clip._replace(pixels=pixels), wrong


@pytest.mark.parametrize("fps", [25.0, 60.0])
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_rejected_or_exchanged_in_a_clean_clip(seed, fps):
    clip = video(seed, fps)
    assert not find_outliers(*clip).any()
    assert not find_exchanged(*clip).any()


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_a_person_who_turns_around_keeps_left_and_right(fps):
    for seed in range(4):
        assert not find_exchanged(*video(seed, fps, turn=2.0)).any()


@pytest.mark.parametrize("burst", [1, 4])
@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_keypoints_anywhere_in_the_image_are_found(fps, burst):
    """Those that are farther off than a person moves between two frames, which is less at a higher rate."""
    caught = missed = wronged = right = 0
    for seed in range(4):
        clip = video(seed, fps)
        bad, wrong = corrupted(clip, 0.05, burst, seed)
        found = find_outliers(*bad)
        far = (
            np.linalg.norm(bad.pixels - clip.pixels, axis=-1) > (0.4 if fps < 30 else 0.2) * FOCAL / DISTANCE
        )
        caught, missed = caught + (found & far).sum(), missed + (~found & far).sum()
        wronged, right = wronged + (found & ~wrong).sum(), right + (~wrong).sum()
    assert caught > 0.95 * (caught + missed)
    assert wronged < 0.01 * right


def test_a_joint_that_sticks_in_a_corner_is_rejected_however_long():
    clip = video(1)
    clip.pixels[:, WRIST] = 3.0
    found = find_outliers(*clip)
    assert found[:, WRIST].mean() > 0.95
    assert np.delete(found, WRIST, axis=1).mean() < 0.002


def test_a_joint_on_somebody_else_for_a_moment_is_rejected():
    clip = video(2, 60.0)
    clip.pixels[60:70, ANKLE, 0] += 0.6 * FOCAL / DISTANCE
    found = find_outliers(*clip)
    assert found[60:70, ANKLE].all()
    assert found.sum() == 10


def test_a_bone_with_an_outlier_at_its_end_makes_nobody_more_than_half_as_large_again():
    pixels, known = np.zeros((17, 2)), np.zeros(17, dtype=bool)
    for (parent, child), length in zip(HUMAN36M.bones, LENGTHS, strict=True):
        pixels[child] = pixels[parent] + [0.0, 100 * length]
        known[child] = HUMAN36M.joint_types[child] in ("shoulder", "elbow", "wrist")
    assert pixels_per_metre(pixels, known, min_bones=MIN_BONES) == pytest.approx(100)
    pixels[WRIST, 1] += 1000
    assert pixels_per_metre(pixels, known, min_bones=MIN_BONES) == pytest.approx(150)


@pytest.mark.parametrize(("frames", "rejected"), [(12, True), (20, False)])
def test_at_an_end_of_the_clip_a_burst_may_last_half_as_long(frames, rejected):
    clip = video(0, 60.0)
    clip.pixels[-frames:, ANKLE, 0] += 0.6 * FOCAL / DISTANCE
    assert frames / 60 < LONGEST_BURST
    found = find_outliers(*clip)
    assert found[-frames:, ANKLE].all() == rejected
    assert found.any() == rejected


def test_a_single_image_is_judged_by_the_reach_of_the_bones_alone():
    clip = Video(*(part[:1] for part in video(3)))
    assert not find_outliers(*clip).any()
    clip.pixels[0, ELBOW] = 990.0
    np.testing.assert_array_equal(np.flatnonzero(find_outliers(*clip)[0]), [ELBOW])


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_frame_or_three_are_enough_and_nobody_at_all_is_no_fault(frames):
    clip = Video(*(part[:frames] for part in video(4)))
    assert not find_outliers(*clip).any()
    assert not find_exchanged(*clip).any()
    nobody = Video(np.full_like(clip.pixels, np.nan), np.zeros_like(clip.confidence), clip.times)
    assert not find_outliers(*nobody).any()
    assert not find_exchanged(*nobody).any()


def test_missing_joints_are_not_rejected_and_the_frames_between_are_bridged():
    """As if a detector looked at every fourth frame only."""
    clip = video(5, 60.0)
    clip.confidence[np.arange(len(clip.times)) % 4 > 0] = 0
    clip.pixels[clip.confidence == 0] = np.nan
    assert not find_outliers(*clip).any()
    clip.pixels[80, KNEE] += 0.5 * FOCAL / DISTANCE
    found = find_outliers(*clip)
    assert found[80, KNEE]
    assert found.sum() == 1


def test_uneven_times_change_nothing():
    clip = video(6, 120.0)
    kept = np.sort(np.random.default_rng(0).choice(len(clip.times), len(clip.times) // 3, replace=False))
    uneven = Video(*(part[kept] for part in clip))
    assert not find_outliers(*uneven).any()
    uneven.pixels[50:52, WRIST] += 0.7 * FOCAL / DISTANCE
    assert find_outliers(*uneven)[50:52, WRIST].all()


@pytest.mark.parametrize("joints", ["all", "legs", "ankles", "wrists"])
@pytest.mark.parametrize("burst", [1, 4, 12])
def test_left_and_right_exchanged_for_a_moment_are_put_back(joints, burst):
    """Wherever that can be seen: twins farther apart than one moves between two frames."""
    kinds = {"legs": ("hip", "knee", "ankle"), "ankles": ("ankle",), "wrists": ("wrist",)}.get(joints)
    swapped = [j for j, kind in enumerate(HUMAN36M.joint_types) if kinds is None or kind in kinds]
    clip = video(7, 60.0)
    exact = clip.pixels.copy()
    for start in (20, 80, 140):
        part = clip.pixels[start : start + burst]
        part[:, swapped] = part[:, MIRROR][:, swapped]
    exchanged = find_exchanged(*clip)
    after = np.where(exchanged[..., None], clip.pixels[:, MIRROR], clip.pixels)
    off = np.linalg.norm(after - exact, axis=-1) * DISTANCE / FOCAL
    assert off.max() < 0.2
    assert exchanged.any()
    assert (find_outliers(*clip._replace(pixels=after)) == 0).mean() > 0.998


def test_a_clip_that_is_exchanged_throughout_is_left_as_it_is():
    clip = video(8)
    assert not find_exchanged(clip.pixels[:, MIRROR], clip.confidence, clip.times).any()


def test_an_exchange_for_longer_than_a_burst_is_left_as_it_is():
    clip = video(7, 60.0)
    frames = slice(40, 40 + int(1.5 * LONGEST_BURST * 60))
    clip.pixels[frames] = clip.pixels[frames][:, MIRROR]
    assert not find_exchanged(*clip)[frames].all(axis=1).any()


def test_outliers_are_not_taken_for_exchanges():
    bad, _ = corrupted(video(9, 60.0), 0.05, 1)
    assert not find_exchanged(*bad).any()


def gated(clip: Video) -> np.ndarray:
    """What the live gate rejects [frames, 17]."""
    gate = CausalOutlierGate()
    return np.stack([gate.push(*frame) for frame in zip(*clip[:2], clip.times.tolist(), strict=True)])


@pytest.mark.parametrize("fps", [10.0, 25.0, 60.0])
def test_live_a_clean_clip_passes_and_outliers_do_not(fps):
    clip = video(1, fps)
    assert not gated(clip).any()
    middle = len(clip.times) // 2
    clip.pixels[middle, WRIST] = 3.0
    clip.pixels[middle + 1, ANKLE] = 3.0
    found = gated(clip)
    assert found[middle, WRIST]
    assert found[middle + 1, ANKLE]
    assert found.sum() == 2


def test_live_a_joint_that_stays_where_it_jumped_to_is_believed_in_the_end():
    clip = video(2, 60.0)
    clip.pixels[60:, ANKLE, 0] += 0.4 * FOCAL / DISTANCE
    found = gated(clip)[:, ANKLE]
    assert found[60:62].all()
    assert not found[60 + int(1.5 * PATIENCE * 60) :].any()


def test_live_an_outlier_in_the_first_frame_does_not_cost_the_frames_after_it():
    clip = video(3, 60.0)
    clip.pixels[0, KNEE, 0] += 0.5 * FOCAL / DISTANCE
    assert gated(clip)[1:].sum() <= 1


def test_the_size_in_the_image_is_that_of_the_person_and_not_of_the_outliers():
    clip = video(10, 60.0)
    size, with_outliers = (
        steady_pixels_per_metre(each.pixels, each.confidence > 0, each.times)
        for each in (clip, corrupted(clip, 0.05, 3)[0])
    )
    np.testing.assert_allclose(size, FOCAL / DISTANCE, rtol=0.3)
    np.testing.assert_allclose(with_outliers, size, rtol=0.15)

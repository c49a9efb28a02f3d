"""Constant bone lengths."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.bone_lengths import fit_constant_bones, median_bone_lengths
from spgnet.lifting.motion import Motion
from spgnet.synthetic.procedural import procedural_clips


def filmed(joints: torch.Tensor) -> Motion:
    """World joints seen by a camera 4 m away."""
    place = torch.tensor([3.0, -2.6, 1.2])
    camera = opencv_camera(
        [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], None, (1000, 1000), rotation=look_at(place, joints[0, 0])
    )
    seen = replace(camera, position=place).world_to_camera(joints).numpy()
    still = np.ones(seen.shape[:2], np.float32)
    return Motion(
        seen, still, np.zeros((*still.shape, 2), np.float32), np.arange(len(seen)) / 50, camera, "x"
    )


def noisy(motion: Motion, across: float, along: float) -> Motion:
    """Independent errors in metres, across the viewing rays and along them."""
    rng = np.random.default_rng(0)
    rays = motion.joints / np.linalg.norm(motion.joints, axis=-1, keepdims=True)
    errors = rng.normal(size=motion.joints.shape) * across
    errors += rays * rng.normal(size=(*motion.joints.shape[:2], 1)) * along
    return replace(motion, joints=(motion.joints + errors).astype(np.float32))


def error(motion: Motion, truth: Motion) -> float:
    return float(np.linalg.norm(motion.joints - truth.joints, axis=-1).mean())


@pytest.fixture(scope="module")
def truths() -> list[Motion]:
    return [filmed(clip.joints) for clip in procedural_clips(7, seed=3, seconds=4.0)]


def test_bone_lengths_are_constant_and_the_sides_alike(truths):
    rigid = fit_constant_bones(noisy(truths[0], 0.02, 0.04))
    lengths = HUMAN36M.bone_lengths(torch.from_numpy(rigid.joints)).numpy()
    assert lengths.std(axis=0).max() < 1e-5  # metres
    twins = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]
    np.testing.assert_allclose(lengths, lengths[:, twins], atol=1e-5)


def test_a_rigid_motion_stays_as_it_is(truths):
    for truth in truths:
        assert np.abs(fit_constant_bones(truth).joints - truth.joints).max() < 1e-4


@pytest.mark.parametrize(("across", "along", "gain"), [(0.03, 0.0, 0.92), (0.015, 0.05, 0.9)])
def test_the_fit_is_nearer_to_the_truth_than_noisy_joints_and_than_rescaled_bones(
    truths, across, along, gain
):
    raw, fitted, scaled, moved = [], [], [], []
    for truth in truths:
        given = noisy(truth, across, along)
        rigid = fit_constant_bones(given)
        lengths = torch.from_numpy(median_bone_lengths(given)).float()
        chain = HUMAN36M.with_bone_lengths(torch.from_numpy(given.joints), lengths).numpy()
        raw.append(error(given, truth))
        fitted.append(error(rigid, truth))
        scaled.append(error(replace(given, joints=chain), truth))
        moved.append(error(rigid, given))
    assert np.mean(fitted) < gain * np.mean(raw)
    assert np.mean(fitted) < np.mean(scaled)
    assert np.mean(moved) < 0.6 * np.mean(raw)


def displacement_cost(joints: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Squared displacement, of which the part along the viewing ray counts half."""
    moved, rays = joints - target, torch.nn.functional.normalize(target, dim=-1)
    along = (moved * rays).sum(dim=-1, keepdim=True) * rays
    return ((moved - along) ** 2).sum() + 0.5 * (along**2).sum()


def least_cost(target: torch.Tensor, lengths: torch.Tensor) -> float:
    """The least cost of a chain of bones of given lengths whose root stays on its ray, by L-BFGS."""
    rays = torch.nn.functional.normalize(target[:, 0], dim=-1)
    shift = torch.zeros(len(target), 1, dtype=target.dtype, requires_grad=True)
    bones = torch.stack([target[:, child] - target[:, parent] for parent, child in HUMAN36M.bones], dim=1)
    bones = bones.clone().requires_grad_()

    def cost() -> torch.Tensor:
        joints = [target[:, 0] + shift * rays]
        for number, (parent, _) in enumerate(HUMAN36M.bones):
            direction = torch.nn.functional.normalize(bones[:, number], dim=-1)
            joints.append(joints[parent] + lengths[number] * direction)
        return displacement_cost(torch.stack(joints, dim=1), target)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = cost()
        value.backward()
        return value

    optimizer = torch.optim.LBFGS([shift, bones], max_iter=300, line_search_fn="strong_wolfe")
    optimizer.step(closure)
    return cost().item()


def test_the_fit_costs_within_two_percent_what_a_general_minimiser_reaches(truths):
    reached, least = 0.0, 0.0
    for truth in truths[:4]:
        fields = ("joints", "confidence", "pixels", "timestamps")
        parts = {name: getattr(truth, name)[:80:5] for name in fields}
        given = noisy(replace(truth, **parts), 0.01, 0.02)
        target = torch.from_numpy(given.joints).double()
        reached += displacement_cost(torch.from_numpy(fit_constant_bones(given).joints), target).item()
        least += least_cost(target, torch.from_numpy(median_bone_lengths(given)))
    assert 0 < reached < 1.02 * least


def test_the_root_stays_on_its_viewing_ray(truths):
    given = noisy(truths[0], 0.03, 0.05)
    before, after = given.joints[:, 0], fit_constant_bones(given).joints[:, 0]
    np.testing.assert_allclose(before[:, :2] / before[:, 2:], after[:, :2] / after[:, 2:], atol=1e-5)


def test_unseen_joints_count_little(truths):
    wrist = HUMAN36M.names.index("left_wrist")
    joints, confidence = truths[0].joints.copy(), truths[0].confidence.copy()
    joints[::3, wrist] += np.array([0.0, 0.4, 0.3], np.float32)
    confidence[::3, wrist] = 0
    broken = replace(truths[0], joints=joints, confidence=confidence)
    others = [joint for joint in range(17) if joint != wrist]
    np.testing.assert_allclose(median_bone_lengths(broken), median_bone_lengths(truths[0]), atol=1e-4)
    off = fit_constant_bones(broken).joints - truths[0].joints
    seen = fit_constant_bones(replace(broken, confidence=truths[0].confidence)).joints - truths[0].joints
    assert np.abs(off[:, others]).mean() < 0.2 * np.abs(seen[:, others]).mean()


def test_one_frame_and_a_clip_that_was_never_seen_are_fitted(truths):
    one = replace(
        truths[0],
        **{name: getattr(truths[0], name)[:1] for name in ("joints", "pixels", "timestamps")},
        confidence=np.zeros((1, 17), np.float32),
    )
    assert np.isfinite(fit_constant_bones(one).joints).all()

"""Alignment against a naive float64 SVD of numpy, and on poses that have no unique alignment."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.alignment import scale_align, similarity_align

DEPTH = torch.tensor([0.3, -0.2, 5.0])


def poses(*batch: int, seed: int = 0, noise: float = 0.1, dtype=torch.float32):
    """Human-size poses a few metres from the camera, and noisy predictions of them."""
    random = torch.Generator().manual_seed(seed)
    target = 0.4 * torch.randn(*batch, 17, 3, generator=random)
    predicted = target + noise * torch.randn(*batch, 17, 3, generator=random)
    return (predicted - DEPTH / 2).to(dtype), (target + DEPTH).to(dtype)


def rotations(*batch: int, seed: int = 0):
    random = torch.Generator().manual_seed(seed)
    q = torch.linalg.qr(torch.randn(*batch, 3, 3, generator=random, dtype=torch.float64)).Q
    return q * torch.linalg.det(q)[..., None, None]


def naive_similarity(predicted, target):
    """Umeyama's algorithm for one pose, in numpy float64."""
    x, y = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    u, d, vt = np.linalg.svd(y.T @ x / len(x))
    s = np.eye(3)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        s[2, 2] = -1
    rotation = u @ s @ vt
    scale = np.trace(np.diag(d) @ s) / (x**2).sum(1).mean()
    return np.array([scale * rotation @ point + y_mean for point in x])


def naive_scale(predicted, target):
    x, y = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    x, root = x - x[0], y[0]
    return (x * (y - root)).sum() / (x * x).sum() * x + root


def squared_error(a, b):
    return (a.double() - b.double()).square().sum((-2, -1))


@pytest.mark.parametrize(
    ("align", "naive"), [(similarity_align, naive_similarity), (scale_align, naive_scale)]
)
@pytest.mark.parametrize("batch", [(), (1,), (200,), (4, 1, 5), (0,)])
@pytest.mark.parametrize("noise", [0.01, 0.1, 2.0])
def test_alignment_agrees_with_its_naive_twin(align, naive, batch, noise):
    predicted, target = poses(*batch, noise=noise)
    pairs = zip(predicted.reshape(-1, 17, 3), target.reshape(-1, 17, 3), strict=True)
    expected = [naive(p, t) for p, t in pairs]
    aligned = align(predicted, target)
    assert aligned.shape == target.shape
    assert aligned.dtype == torch.float32
    error = aligned.reshape(-1, 17, 3).numpy() - np.array(expected).reshape(-1, 17, 3)
    assert np.abs(error).max(initial=0) < 1e-6  # 0.001 mm


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_similarity_align_undoes_a_similarity(seed, scale, shift):
    _, target = poses(seed=seed, dtype=torch.float64)
    moved = scale * target @ rotations(seed=seed) + shift
    torch.testing.assert_close(similarity_align(moved, target), target, atol=1e-9, rtol=0)


def test_scale_align_undoes_a_scaling_and_a_translation():
    _, target = poses(5, dtype=torch.float64)
    torch.testing.assert_close(scale_align(0.3 * target - 7, target), target, atol=1e-12, rtol=0)


def test_no_nearby_similarity_is_better():
    predicted, target = poses(20, noise=0.5, dtype=torch.float64)
    aligned = similarity_align(predicted, target)
    centre = aligned.mean(-2, keepdim=True)
    best = squared_error(aligned, target)
    for axis in torch.eye(3, dtype=torch.float64):
        generator = torch.linalg.cross(axis.expand(3, 3), torch.eye(3, dtype=torch.float64))
        for step in (-1e-2, 1e-2):
            turned = (aligned - centre) @ torch.matrix_exp(step * generator) + centre
            grown = (aligned - centre) * (1 + step) + centre
            for other in (turned, grown, aligned + step * axis):
                assert (squared_error(other, target) > best).all()


def test_no_nearby_scale_is_better():
    predicted, target = poses(20, dtype=torch.float64)
    aligned, root = scale_align(predicted, target), target[..., :1, :]
    for factor in (0.99, 1.01):
        assert (
            squared_error((aligned - root) * factor + root, target) > squared_error(aligned, target)
        ).all()


def test_more_freedom_never_has_a_greater_squared_error():
    predicted, target = poses(500, noise=0.6, dtype=torch.float64)
    moved = predicted - predicted[..., :1, :] + target[..., :1, :]
    scaled = scale_align(predicted, target)
    similar = similarity_align(predicted, target)
    assert (squared_error(similar, target) <= squared_error(moved, target)).all()
    assert (squared_error(scaled, target) <= squared_error(moved, target)).all()
    root = target[..., :1, :]
    positive = ((scaled - root) * (moved - root)).sum((-2, -1)) > 0  # a negative scale is a reflection
    assert positive.any()
    assert (squared_error(similar, target) <= squared_error(scaled, target))[positive].all()


def test_a_reflection_is_no_similarity_but_a_negative_scale_is_a_scale():
    _, target = poses(dtype=torch.float64)
    reflected = -target
    torch.testing.assert_close(scale_align(reflected, target), target, atol=1e-12, rtol=0)
    assert squared_error(similarity_align(reflected, target), target) > 0.1


def degenerate_poses():
    """Poses without a unique alignment: named [17, 3] tensors in float32."""
    generic = poses(seed=3)[0]
    ramp = torch.linspace(-1, 1, 17)
    return {
        "zeros": torch.zeros(17, 3),
        "one point": torch.full((17, 3), 1 / 3),
        "collinear": ramp[:, None] * torch.tensor([0.3, -0.5, 0.1]) + DEPTH,
        "on an axis": ramp[:, None] * torch.tensor([0.0, 1.0, 0.0]),
        "planar": generic * torch.tensor([1.0, 1.0, 0.0]),
        "one joint away": torch.cat([torch.zeros(16, 3), torch.ones(1, 3)]),
        "tiny": 1e-20 * generic,
        "huge": 1e6 * generic,
        "mirrored": generic * torch.tensor([-1.0, 1.0, 1.0]),
        "generic": generic,
    }


@pytest.mark.parametrize("align", [similarity_align, scale_align])
@pytest.mark.parametrize("predicted", degenerate_poses())
@pytest.mark.parametrize("target", degenerate_poses())
def test_degenerate_poses_stay_finite(align, predicted, target):
    predicted, target = degenerate_poses()[predicted], degenerate_poses()[target]
    aligned = align(predicted, target)
    assert aligned.isfinite().all()
    moved = predicted - predicted[:1] + target[:1]
    worst = squared_error(moved, target)
    assert squared_error(aligned, target) <= worst + 1e-11 * (1 + target.double().square().sum())


@pytest.mark.parametrize("name", ["planar", "collinear", "on an axis", "one joint away"])
def test_a_flat_pose_aligns_to_itself_after_a_similarity(name):
    target = degenerate_poses()[name].double()
    moved = 2 * target @ rotations(seed=5) - 3
    torch.testing.assert_close(similarity_align(moved, target), target, atol=1e-9, rtol=0)


def test_a_planar_pose_aligns_to_its_mirror_image():
    target = degenerate_poses()["planar"].double()
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(similarity_align(mirrored, target), target, atol=1e-9, rtol=0)


def test_coinciding_joints_go_to_the_centroid_and_a_coinciding_target_is_met():
    _, target = poses(dtype=torch.float64)
    point = torch.full_like(target, 1 / 3)
    centroid = target.mean(0).expand(17, 3)
    torch.testing.assert_close(similarity_align(point, target), centroid, atol=1e-12, rtol=0)
    torch.testing.assert_close(similarity_align(target, point), point, atol=1e-12, rtol=0)


def test_many_poses_at_once_are_aligned_as_few_are():
    """Generic ones, ever flatter ones, mirrored ones and those without a unique alignment, in any order."""
    predicted, target = poses(5000, dtype=torch.float64)
    flatness = 10.0 ** -torch.arange(5000).remainder(9)[:, None]
    predicted[1000:3000, :, 2] *= flatness[1000:3000]
    target[1000:2000, :, 2] *= flatness[1000:2000]
    predicted[4000:4500, :, 0] *= -1
    kinds = torch.stack(list(degenerate_poses().values())).double()
    predicted = torch.cat((kinds.repeat_interleave(len(kinds), 0), predicted))
    target = torch.cat((kinds.repeat(len(kinds), 1, 1), target))
    few = torch.cat(
        [similarity_align(*pair) for pair in zip(predicted.split(20), target.split(20), strict=True)]
    )
    many = similarity_align(predicted, target)
    error, expected = ((each - target).norm(dim=-1).mean(-1) for each in (many, few))
    assert many.isfinite().all()
    assert ((error - expected).abs() <= 1e-9 * expected.clamp_min(1)).all()  # 1e-6 mm of metres


@pytest.mark.parametrize("count", [3, 300])
def test_a_pose_of_nan_is_an_error(count):
    predicted, target = poses(count)
    predicted[1, 4, 2] = torch.nan
    with pytest.raises(torch.linalg.LinAlgError):
        similarity_align(predicted, target)

"""Guidance at lift time: motions come to project onto their input, and the deviations are measured."""

from dataclasses import replace

import pytest
import torch

from spgnet import metrics
from spgnet.data.config import DataConfig
from spgnet.data.sources import load_dataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.guidance import Deviations
from spgnet.reproduction.guided import LEAST_DETECTION, fit_deviations, guide, measured_deviations


@pytest.fixture(scope="module")
def dataset():
    """A second of each of four views of a generated clip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spgnet.data.sources.PROCEDURAL_CLIPS", {"train": 1, "validation": 1, "test": 1})
        whole = load_dataset(DataConfig(), "validation").select(range(4))
    frames = torch.cat([torch.arange(start, start + 50) for start in whole.starts.tolist()])
    return replace(
        whole,
        joints=whole.joints[frames],
        keypoints_2d=whole.keypoints_2d[frames],
        lengths=torch.full((4,), 50),
    )


def lifted(dataset, across: float, along: float) -> torch.Tensor:
    """The truth with errors that last for the sequence: across and along the optical axis, in metres."""
    generator = torch.Generator().manual_seed(0)
    errors = torch.randn(len(dataset), 17, 3, generator=generator) * torch.tensor([across, across, along])
    return dataset.joints + errors.repeat_interleave(50, dim=0)


def reprojection(joints: torch.Tensor, dataset) -> float:
    rays = dataset.inputs("rays")[..., :2]
    return (joints[..., :2] / joints[..., 2:] - rays).norm(dim=-1).mean().item()


def test_guided_motion_projects_onto_its_input_and_keeps_its_bones(dataset):
    network = lifted(dataset, 0.05, 0.05)
    guided = guide(network, dataset, measured_deviations(network, dataset))
    assert reprojection(guided, dataset) < 0.2 * reprojection(network, dataset)
    assert metrics.mpjpe(guided, dataset.joints).mean() < 0.8 * metrics.mpjpe(network, dataset.joints).mean()
    lengths = HUMAN36M.bone_lengths(guided[:50])
    assert lengths.std(dim=0).max() < 1e-4


def test_a_motion_that_is_known_to_be_right_stays_as_it_is(dataset):
    sure = replace(Deviations(), detection=(0.01,) * 17, direction=(0.01, 0.01), root=(0.001, 0.001))
    assert metrics.mpjpe(guide(dataset.joints, dataset, sure), dataset.joints).mean() < 1


def test_deviations_are_those_of_the_errors(dataset):
    near, far = (
        measured_deviations(lifted(dataset, *sizes), dataset) for sizes in ((0.02, 0.06), (0.04, 0.12))
    )
    assert near.detection == (LEAST_DETECTION,) * 17  # the input is exact
    assert near.direction[0] < near.direction[1]
    for small, large in zip(near.direction + near.root, far.direction + far.root, strict=True):
        assert 1.4 < large / small < 2.4
    noisy = replace(dataset, keypoints_2d=dataset.keypoints_2d + 3 * torch.randn_like(dataset.keypoints_2d))
    assert min(measured_deviations(noisy.joints, noisy).detection) > LEAST_DETECTION


def test_deviations_of_the_root_are_across_and_along_its_viewing_ray(dataset):
    root = dataset.joints[:, :1]
    distance = root.norm(dim=-1, keepdim=True)
    line = root / distance
    across = torch.linalg.cross(line, torch.tensor([0.0, 1.0, 0.0]).expand_as(line))
    across = across / across.norm(dim=-1, keepdim=True)
    for way, expected in ((across, (0.05 / 2**0.5, 0.0)), (line, (0.0, 0.05))):
        moved = dataset.joints + 0.05 * distance * way
        assert measured_deviations(moved, dataset).root == pytest.approx(expected, abs=1e-5)


def test_the_prior_is_weighted_by_what_is_best_on_validation(dataset):
    network = lifted(dataset, 0.05, 0.05)
    sizes, tried = fit_deviations(network, dataset)
    best = float(min(tried, key=tried.__getitem__))
    measured = measured_deviations(network, dataset)
    assert sizes.direction == pytest.approx([best * value for value in measured.direction])
    assert set(tried) == {"0.5", "1", "2", "4"}

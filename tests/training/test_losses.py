"""The losses, against plain Python loops over the paper's formulas."""

import math
from itertools import pairwise

import pytest
import torch

from spgnet.data.samples import Batch
from spgnet.geometry.rigs import human36m_rig
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftedPose
from spgnet.training.losses import (
    LossWeights,
    UnlabelledWeights,
    bone_length_prior,
    kinematic_loss,
    pose_loss,
    reprojection_loss,
    total,
    trajectory_loss,
    unlabelled_losses,
    weighted_losses,
)


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    cameras = human36m_rig("S1")[:3]
    joints = torch.randn(3, 2, 17, 3) * 0.5 + torch.tensor([0.0, 0.0, 5.0])
    screen = cameras[:, None].camera_to_screen(joints)
    return Batch(screen, screen, joints, cameras)


def distance(a, b) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def test_pose_loss_is_equation_3():
    pose, true = torch.randn(2, 3, 17, 3), torch.randn(2, 3, 17, 3)
    pairs = zip(pose.reshape(-1, 3).tolist(), true.reshape(-1, 3).tolist(), strict=True)
    distances = [distance(a, b) for a, b in pairs]
    assert pose_loss(pose, true).item() == pytest.approx(sum(distances) / len(distances), rel=1e-5)


def test_trajectory_loss_is_equation_4_with_the_true_depth():
    root, true = torch.randn(4, 2, 1, 3), torch.randn(4, 2, 1, 3) + torch.tensor([0.0, 0.0, 6.0])
    pairs = list(zip(root.reshape(-1, 3).tolist(), true.reshape(-1, 3).tolist(), strict=True))
    naive = sum(distance(a, b) / b[2] for a, b in pairs) / len(pairs)
    assert trajectory_loss(root, true).item() == pytest.approx(naive, rel=1e-5)


def test_kinematic_loss_is_equation_2_over_the_16_bones():
    pose = torch.randn(2, 3, 17, 3)
    changes = []
    for sample in pose.tolist():
        for before, after in pairwise(sample):
            for parent, child in HUMAN36M.bones:
                lengths = [distance(frame[parent], frame[child]) for frame in (before, after)]
                changes.append(abs(lengths[0] - lengths[1]))
    assert len(changes) == 2 * 2 * 16
    assert kinematic_loss(pose).item() == pytest.approx(sum(changes) / len(changes), rel=1e-5)


def test_kinematic_loss_does_not_see_rigid_motion():
    pose = torch.randn(1, 1, 17, 3)
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    moved = torch.cat((pose, pose @ turn + 3, pose - 1), dim=1)
    assert kinematic_loss(moved).item() == pytest.approx(0, abs=1e-6)


def test_reprojection_loss_is_the_mean_screen_distance(batch):
    guess = batch.joints + 0.1 * torch.randn_like(batch.joints)
    distances = []
    for sample in range(3):
        screen = batch.cameras[sample].camera_to_screen(guess[sample])
        pairs = zip(
            screen.reshape(-1, 2).tolist(), batch.target_2d[sample].reshape(-1, 2).tolist(), strict=True
        )
        distances += [distance(a, b) for a, b in pairs]
    expected = pytest.approx(sum(distances) / len(distances), rel=1e-4)
    assert reprojection_loss(guess, batch.target_2d, batch.cameras).item() == expected


@pytest.mark.parametrize("depth", [0.19, 0.0, -2.0])
def test_a_joint_less_than_a_fifth_of_a_metre_ahead_counts_as_no_distance_in_the_mean_over_all(batch, depth):
    guess = batch.joints + 0.1
    near = guess.clone()
    near[:, :, 3, 2] = depth
    distances = (batch.cameras[:, None].camera_to_screen(guess) - batch.target_2d).norm(dim=-1)
    distances[:, :, 3] = 0
    loss = reprojection_loss(near, batch.target_2d, batch.cameras)
    assert loss.item() == pytest.approx(distances.mean().item(), rel=1e-5)


def test_a_joint_more_than_a_fifth_of_a_metre_ahead_counts(batch):
    near = batch.joints.clone()
    near[:, :, 3] = torch.tensor([0.1, 0.1, 0.21])
    loss = reprojection_loss(near, batch.target_2d, batch.cameras)
    distances = (batch.cameras[:, None].camera_to_screen(near) - batch.target_2d).norm(dim=-1)
    assert distances[:, :, 3].min() > 0.1
    assert loss.item() == pytest.approx(distances.mean().item(), rel=1e-5)


def test_the_truth_has_no_loss_but_its_own_motion(batch):
    terms = weighted_losses(
        LiftedPose(batch.pose, batch.root), batch, LossWeights(kinematic=1.0, reprojection=1.0)
    )
    assert terms["pose"].item() == 0
    assert terms["trajectory"].item() == 0
    assert terms["reprojection"].item() == pytest.approx(0, abs=1e-6)


def test_by_default_pose_and_trajectory_count_alike_and_so_do_the_terms_without_labels(batch):
    lifted = LiftedPose(batch.pose + 0.1, batch.root + 0.2)
    known = pose_loss(lifted.pose, batch.pose) + trajectory_loss(lifted.root, batch.root)
    assert total(weighted_losses(lifted, batch, LossWeights())).item() == pytest.approx(known.item())
    truth = LiftedPose(1.2 * batch.pose, batch.root)
    blind = reprojection_loss(lifted.joints, batch.target_2d, batch.cameras)
    blind = blind + bone_length_prior(lifted.pose, truth.pose)
    terms = unlabelled_losses(lifted, batch, truth, UnlabelledWeights())
    assert total(terms).item() == pytest.approx(blind.item())
    assert UnlabelledWeights().warm_up == 1


def test_a_term_of_weight_zero_is_left_out_and_others_are_scaled(batch):
    lifted = LiftedPose(batch.pose + 0.1, batch.root)
    once = weighted_losses(lifted, batch, LossWeights(trajectory=0.0, reprojection=1.0))
    twice = weighted_losses(lifted, batch, LossWeights(pose=2.0, trajectory=0.0, reprojection=1.0))
    assert list(once) == ["pose", "reprojection"]
    assert twice["pose"].item() == pytest.approx(2 * once["pose"].item())
    assert total(once).item() == pytest.approx(once["pose"].item() + once["reprojection"].item())


def test_the_reprojection_term_joins_after_the_warm_up(batch):
    lifted, weights = LiftedPose(batch.pose, batch.root + 0.1), LossWeights(reprojection=1.0, warm_up=2)
    names = [list(weighted_losses(lifted, batch, weights, epoch=epoch)) for epoch in (0, 1, 2, None)]
    assert names == [["pose", "trajectory"]] * 2 + [["pose", "trajectory", "reprojection"]] * 2


def test_gradients_are_finite_for_people_in_the_camera_centre_and_for_perfect_predictions(batch):
    for joints in (torch.zeros_like(batch.joints), batch.joints.clone()):
        root = joints[:, :, :1].clone().requires_grad_()
        pose = (joints - joints[:, :, :1]).requires_grad_()
        total(
            weighted_losses(LiftedPose(pose, root), batch, LossWeights(kinematic=1.0, reprojection=1.0))
        ).backward()
        assert pose.grad is not None
        assert root.grad is not None
        assert pose.grad.isfinite().all()
        assert root.grad.isfinite().all()


@pytest.mark.parametrize(
    "weights",
    [{"pose": -1.0}, {"pose": 0.0, "trajectory": 0.0}, {"pose": math.nan}, {"reprojection": math.inf}],
)
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="finite and not negative"):
        LossWeights(**weights)


def test_the_bone_length_prior_compares_the_mean_length_of_each_bone():
    """A mean over bones of what is a mean over samples and frames."""
    unlabelled, labelled = torch.randn(3, 2, 17, 3), 1.3 * torch.randn(5, 2, 17, 3)
    differences = []
    for parent, child in HUMAN36M.bones:
        means = []
        for poses in (unlabelled, labelled):
            frames = poses.reshape(-1, 17, 3).tolist()
            means.append(sum(distance(frame[parent], frame[child]) for frame in frames) / len(frames))
        differences.append(abs(means[0] - means[1]))
    expected = sum(differences) / len(differences)
    assert bone_length_prior(unlabelled, labelled).item() == pytest.approx(expected, rel=1e-5)


def test_the_bone_length_prior_sees_neither_how_people_move_nor_single_frames():
    torch.manual_seed(0)
    pose, turn = torch.randn(4, 2, 17, 3), torch.linalg.qr(torch.randn(3, 3))[0]
    assert bone_length_prior(pose @ turn + 2, pose).item() == pytest.approx(0, abs=1e-6)
    assert bone_length_prior(pose.flip(0), pose).item() == pytest.approx(0, abs=1e-6)
    half = torch.cat((0.5 * pose, 1.5 * pose))
    assert bone_length_prior(half, pose).item() == pytest.approx(0, abs=1e-6)
    assert bone_length_prior(1.1 * pose, pose).item() > 0.05


def test_unlabelled_terms_are_their_losses_times_their_weights(batch):
    torch.manual_seed(0)
    lifted = LiftedPose(batch.pose + 0.1 * torch.randn_like(batch.pose), batch.root + 0.2)
    known = LiftedPose(1.2 * batch.pose, batch.root)
    weights = UnlabelledWeights(reprojection=3.0, bone_lengths=0.5)
    terms = unlabelled_losses(lifted, batch, known, weights)
    assert list(terms) == ["unlabelled_reprojection", "unlabelled_bone_lengths"]
    expected = reprojection_loss(lifted.joints, batch.target_2d, batch.cameras)
    assert terms["unlabelled_reprojection"].item() == pytest.approx(3 * expected.item())
    expected = bone_length_prior(lifted.pose, known.pose)
    assert terms["unlabelled_bone_lengths"].item() == pytest.approx(0.5 * expected.item())
    assert min(term.item() for term in terms.values()) > 0


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        (UnlabelledWeights(reprojection=0.0), ["unlabelled_bone_lengths"]),
        (UnlabelledWeights(bone_lengths=0.0), ["unlabelled_reprojection"]),
        (UnlabelledWeights(reprojection=0.0, bone_lengths=0.0), []),
    ],
)
def test_an_unlabelled_term_of_weight_zero_is_left_out(batch, weights, names):
    lifted = LiftedPose(batch.pose, batch.root)
    assert list(unlabelled_losses(lifted, batch, lifted, weights)) == names
    assert weights.any == bool(names)


def test_true_joints_have_no_unlabelled_loss_and_are_not_looked_at(batch):
    """Blotted-out truth changes neither the terms nor their gradients."""
    gradients = []
    for truth in (batch.joints, torch.full_like(batch.joints, torch.nan)):
        pose = (batch.pose + 0.1).requires_grad_()
        root = batch.root.clone().requires_grad_()
        blotted = Batch(batch.keypoints_2d, batch.target_2d, truth, batch.cameras)
        total(
            unlabelled_losses(
                LiftedPose(pose, root), blotted, LiftedPose(batch.pose, root), UnlabelledWeights()
            )
        ).backward()
        assert pose.grad is not None
        assert root.grad is not None
        gradients.append(torch.cat((pose.grad, root.grad), dim=2))
    assert gradients[0].isfinite().all()
    assert gradients[0].abs().max() > 0
    assert torch.equal(*gradients)
    perfect = LiftedPose(batch.pose, batch.root)
    terms = unlabelled_losses(perfect, batch, perfect, UnlabelledWeights())
    assert total(terms).item() == pytest.approx(0, abs=1e-6)


def test_the_bone_length_prior_teaches_both_halves_of_a_batch():
    unlabelled, labelled = torch.randn(2, 1, 17, 3), torch.randn(3, 1, 17, 3)
    unlabelled.requires_grad_()
    labelled.requires_grad_()
    bone_length_prior(unlabelled, labelled).backward()
    for half in (unlabelled, labelled):
        assert half.grad is not None
        assert half.grad.isfinite().all()
        assert half.grad.abs().max() > 0


@pytest.mark.parametrize(
    "weights",
    [{"reprojection": -1.0}, {"bone_lengths": math.nan}, {"warm_up": -1}, {"bone_lengths": math.inf}],
)
def test_unlabelled_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="weights of unlabelled data must be finite and not negative"):
        UnlabelledWeights(**weights)

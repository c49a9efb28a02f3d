"""The losses, against plain Python loops over the paper's formulas."""

import math
from itertools import pairwise

import pytest
import torch

from spgnet.data.windows import Batch
from spgnet.losses import (
    LossWeights,
    kinematic_loss,
    pose_loss,
    reprojection_loss,
    total,
    trajectory_loss,
    weighted_losses,
)
from spgnet.models import Lifted
from spgnet.rigs import human36m_rig
from spgnet.skeleton import HUMAN36M


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
        pairs = zip(screen.reshape(-1, 2).tolist(), batch.seen[sample].reshape(-1, 2).tolist(), strict=True)
        distances += [distance(a, b) for a, b in pairs]
    expected = pytest.approx(sum(distances) / len(distances), rel=1e-4)
    assert reprojection_loss(guess, batch.seen, batch.cameras).item() == expected


def test_the_truth_has_no_loss_but_its_own_motion(batch):
    terms = weighted_losses(
        Lifted(batch.pose, batch.root), batch, LossWeights(kinematic=1.0, reprojection=1.0)
    )
    assert terms["pose"].item() == 0
    assert terms["trajectory"].item() == 0
    assert terms["reprojection"].item() == pytest.approx(0, abs=1e-6)


def test_a_term_of_weight_zero_is_left_out_and_others_are_scaled(batch):
    lifted = Lifted(batch.pose + 0.1, batch.root)
    once = weighted_losses(lifted, batch, LossWeights(trajectory=0.0, reprojection=1.0))
    twice = weighted_losses(lifted, batch, LossWeights(pose=2.0, trajectory=0.0, reprojection=1.0))
    assert list(once) == ["pose", "reprojection"]
    assert twice["pose"].item() == pytest.approx(2 * once["pose"].item())
    assert total(once).item() == pytest.approx(once["pose"].item() + once["reprojection"].item())


def test_gradients_are_finite_for_people_in_the_camera_centre_and_for_perfect_predictions(batch):
    for joints in (torch.zeros_like(batch.joints), batch.joints.clone()):
        root = joints[:, :, :1].clone().requires_grad_()
        pose = (joints - joints[:, :, :1]).requires_grad_()
        total(
            weighted_losses(Lifted(pose, root), batch, LossWeights(kinematic=1.0, reprojection=1.0))
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

"""The losses of Section 3.2 of the SPGNet paper, as corrected in ``docs/paper.md``.

All take joints in metres in the camera frame; poses are relative to their root.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.data.input_space import project_to_input_space
from spgnet.data.samples import Batch
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftedPose
from spgnet.models.network import InputSpace

Scalar = Float[Tensor, ""]


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms in the sum that training minimises; a term of weight zero is left out.

    Raises:
        InputError: a weight is negative or not finite, or all are zero.
    """

    pose: float = 1.0
    """Equation 3: MPJPE of the root-relative pose."""
    trajectory: float = 1.0
    """Equation 4: error of the root, weighted by its inverse depth."""
    kinematic: float = 0.0
    """Equation 2: change of bone lengths between consecutive frames."""
    reprojection: float = 0.0
    """2D MPJPE: re-projected pose against the 2D target, in the units of the input space."""
    warm_up: int = 0
    """First epochs, in which the re-projection term is left out, while poses are far off."""

    def __post_init__(self) -> None:
        if self.warm_up < 0:
            raise InputError(f"warm_up must not be negative, got {self.warm_up}")
        weights = self.of_terms().values()
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
            raise InputError(
                f"loss weights must be finite and not negative, nor all zero, got {self.of_terms()}"
            )

    def of_terms(self, epoch: int | None = None) -> dict[str, float]:
        """The weight of each term by its name, in an epoch counted from 0; by default after the warm-up."""
        weights = {name: value for name, value in asdict(self).items() if name != "warm_up"}
        return weights | ({"reprojection": 0.0} if epoch is not None and epoch < self.warm_up else {})


@dataclass(frozen=True)
class UnlabelledWeights:
    """Factors of the loss terms of unlabelled 2D data (Pavllo et al., CVPR 2019, Section 4).

    They have no effect if all training data have labels.

    Raises:
        InputError: a weight is negative or not finite.
    """

    reprojection: float = 1.0
    """2D MPJPE of the re-projected pose at its predicted position, in the units of the input space."""
    bone_lengths: float = 1.0
    """Mean difference of the bone lengths between the unlabelled and the labelled half of a batch."""
    warm_up: int = 1
    """First epochs, in which only labelled data are used: until then, predicted poses are too far off."""

    def __post_init__(self) -> None:
        weights = (self.reprojection, self.bone_lengths, self.warm_up)
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
            raise InputError(f"weights of unlabelled data must be finite and not negative, got {weights}")

    @property
    def any(self) -> bool:
        """Whether unlabelled data count at all."""
        return self.reprojection > 0 or self.bone_lengths > 0


@dataclass(frozen=True)
class LossTerm:
    """Base class of loss terms of your own, frozen dataclasses whose fields are what can be chosen.

    :func:`register_loss_term` makes a class known; its weight is then an option of every recipe
    (``--terms.NAME.weight``).

    Raises:
        InputError: the weight is negative or not finite.
    """

    weight: float = 0.0
    """Factor of the term in the sum that training minimises; at zero it is left out."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise InputError(f"loss weights must be finite and not negative, got {self.weight}")

    def __call__(self, lifted: LiftedPose, batch: Batch) -> Scalar:
        """The term, without its weight, for what the network made of labelled samples."""
        raise NotImplementedError


LOSS_TERMS: dict[str, type[LossTerm]] = {}
"""The registered terms by their names."""

Term = TypeVar("Term", bound=type[LossTerm])


def register_loss_term(term: Term) -> Term:
    """Make a loss term of your own known by the name of its class in small letters; a class decorator.

    Raises:
        InputError: a term of the package has this name.
    """
    name = term.__name__.lower()
    if name in asdict(LossWeights()):
        raise InputError(f"the package has a loss term called {name!r}; call the class otherwise")
    LOSS_TERMS[name] = term
    return term


def pose_loss(pose: Float[Tensor, "*batch joints 3"], true: Float[Tensor, "*batch joints 3"]) -> Scalar:
    """Equation 3: mean distance of predicted and true joints of root-relative poses, in metres."""
    return (pose - true).norm(dim=-1).mean()


def trajectory_loss(root: Float[Tensor, "*batch 1 3"], true: Float[Tensor, "*batch 1 3"]) -> Scalar:
    """Equation 4: mean distance of predicted and true roots, each divided by the true depth."""
    return ((root - true).norm(dim=-1) / true[..., 2]).mean()


def kinematic_loss(pose: Float[Tensor, "batch frames 17 3"]) -> Scalar:
    """Equation 2: mean absolute change of predicted bone lengths from frame to frame, in metres.

    A bone is counted once (the paper's 1/2 undoes counting it from both ends), and the first frame,
    which has no predecessor, not at all.
    """
    return HUMAN36M.bone_lengths(pose).diff(dim=1).abs().mean()


def reprojection_loss(
    joints: Float[Tensor, "batch frames joints 3"],
    target_2d: Float[Tensor, "batch frames joints 2"],
    cameras: Camera | None,
    input_space: InputSpace = "screen",
) -> Scalar:
    """2D MPJPE: mean distance of re-projected joints and 2D target, in the units of the input space.

    A predicted joint that is less than 0.2 m ahead of the camera counts as zero: there, projection
    explodes, and behind the camera its gradient points the wrong way.

    Args:
        joints: predicted joints relative to the camera, in metres: pose plus trajectory.
        target_2d: the 2D pose of the same frames, in the input space.
        cameras: one camera per sample, shape [batch]; None for rays, which need none.
        input_space: the coordinates of ``target_2d``.
    """
    ahead = joints[..., 2] > 0.2
    inside = torch.where(ahead.unsqueeze(-1), joints, joints.new_tensor([0.0, 0.0, 1.0]))
    each_frame = None if cameras is None else cameras[:, None]
    distance = (project_to_input_space(inside, each_frame, input_space) - target_2d).norm(dim=-1)
    return torch.where(ahead, distance, 0.0).mean()


def _batch_reprojection_loss(lifted: LiftedPose, batch: Batch) -> Scalar:
    return reprojection_loss(lifted.joints, batch.target_2d, batch.cameras, batch.input_space)


def bone_length_prior(
    unlabelled: Float[Tensor, "many frames joints 3"],
    labelled: Float[Tensor, "some frames joints 3"],
) -> Scalar:
    """Mean over the bones of the difference of their mean predicted lengths in two batches, in metres."""
    mean, expected = (HUMAN36M.bone_lengths(pose).mean(dim=(0, 1)) for pose in (unlabelled, labelled))
    return (mean - expected).abs().mean()


def unlabelled_losses(
    lifted: LiftedPose, batch: Batch, labelled: LiftedPose, weights: UnlabelledWeights
) -> dict[str, Scalar]:
    """Each term on unlabelled samples times its weight, for the terms whose weight is not zero.

    Args:
        lifted: the network's output for them.
        batch: the samples; their joints are not used.
        labelled: its output for the labelled samples of the same step.
        weights: of the terms.
    """
    terms = {
        "reprojection": lambda: _batch_reprojection_loss(lifted, batch),
        "bone_lengths": lambda: bone_length_prior(lifted.pose, labelled.pose),
    }
    return {
        f"unlabelled_{name}": getattr(weights, name) * term()
        for name, term in terms.items()
        if getattr(weights, name)
    }


def weighted_losses(
    lifted: LiftedPose,
    batch: Batch,
    weights: LossWeights,
    terms: Mapping[str, LossTerm] | None = None,
    epoch: int | None = None,
) -> dict[str, Scalar]:
    """Each term times its weight, for the terms whose weight is not zero; training minimises their sum.

    Args:
        lifted: the network's output.
        batch: the samples.
        weights: of the package's terms.
        terms: of your own, by their names.
        epoch: counted from 0; by default one after the warm-up.
    """
    own = {
        "pose": lambda: pose_loss(lifted.pose, batch.pose),
        "trajectory": lambda: trajectory_loss(lifted.root, batch.root),
        "kinematic": lambda: kinematic_loss(lifted.pose),
        "reprojection": lambda: _batch_reprojection_loss(lifted, batch),
    }
    weighted = {name: weight * own[name]() for name, weight in weights.of_terms(epoch).items() if weight}
    added = {name: term.weight * term(lifted, batch) for name, term in (terms or {}).items() if term.weight}
    return weighted | added


def total(losses: dict[str, Scalar]) -> Scalar:
    """The sum of the terms."""
    return torch.stack(list(losses.values())).sum()

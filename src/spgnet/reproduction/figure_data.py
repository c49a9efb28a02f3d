"""The data of Figures 5 and 6 beyond the evaluations of the runs: bone lengths and self-occlusion.

The dictionaries are written to the results as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet import metrics
from spgnet.data.dataset import PoseDataset
from spgnet.errors import InputError
from spgnet.evaluation import lift_dataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftingNetwork
from spgnet.reproduction.occlusion import hidden_joints

WALKS = ("Walking", "walk", "walking")
"""Names of the action in Human3.6M and in the open benchmark."""
BONE_FRAMES = 7
"""Frames of the walk in Figure 5."""
FRAME_STEP = 5
"""Step between the frames in which hidden joints are looked for."""
MIN_FRAMES = 200
"""Least number of frames for a mean; numbers of hidden joints that fewer frames have are left out."""


def bone_length_data(dataset: PoseDataset, model: LiftingNetwork) -> dict[str, Any]:
    """Bone lengths in metres, predicted and true, in seven frames of the last walk of a dataset.

    Raises:
        InputError: the dataset has no walk.
    """
    walks = [sequence for sequence, action in enumerate(dataset.actions) if action in WALKS]
    if not walks:
        raise InputError(f"figure5 needs a walk, and the test split has none called {' or '.join(WALKS)}")
    sequence = walks[-1]
    chosen = dataset.select([sequence])
    frames = torch.linspace(0, len(chosen.joints) - 1, BONE_FRAMES + 2).round().long()[1:-1]
    predicted = _lift(model, chosen)[frames]
    return {
        "clip": dataset.names[sequence],
        "subject": dataset.subjects[sequence],
        "frames": frames.tolist(),
        "names": list(HUMAN36M.bone_names),
        "predicted": _to_rounded_list(HUMAN36M.bone_lengths(predicted)),
        "true": _to_rounded_list(HUMAN36M.bone_lengths(chosen.joints[frames])),
    }


def occlusion_data(dataset: PoseDataset, models: Iterable[LiftingNetwork]) -> dict[str, Any]:
    """MPJPE in mm by the number of joints that the body hides, by each model, and three example frames."""
    sampled = torch.arange(0, len(dataset.joints), FRAME_STEP)
    hidden = torch.cat([hidden_joints(piece) for piece in dataset.joints[sampled].split(4096)])
    counts = hidden.sum(dim=-1)
    shown_counts = [count for count in range(18) if (counts == count).sum() >= MIN_FRAMES]
    seeds, joints, panels = [], [], []
    for model in models:
        predicted = _lift(model, dataset)[sampled]
        errors = metrics.mpjpe(predicted, dataset.joints[sampled])
        joints.append(errors_by_visibility(predicted, dataset.joints[sampled], hidden))
        seeds.append({str(count): errors[counts == count].mean().item() for count in shown_counts})
        if not panels:
            panels = list(_example_frames(dataset, sampled, hidden, predicted, errors, shown_counts))
    shares = {str(count): (counts == count).float().mean().item() for count in shown_counts}
    return {
        "mpjpe": seeds,
        "joints": joints,
        "shares": shares,
        "frames": len(sampled),
        "panels": panels,
    }


def errors_by_visibility(
    predicted: Float[Tensor, "frames 17 3"],
    true: Float[Tensor, "frames 17 3"],
    hidden: Bool[Tensor, "frames 17"],
) -> dict[str, float]:
    """Mean error in mm of hidden joints (``hidden``), and of the same joints where visible (``seen``).

    In both means a joint weighs as much as it is often hidden, so that the difference does not come from
    other joints.
    """
    errors = metrics.MILLIMETRES * ((predicted - predicted[:, :1]) - (true - true[:, :1])).norm(dim=-1)
    weight = hidden.sum(dim=0) / hidden.sum()
    joint_means = {
        name: (errors * mask).sum(0) / mask.sum(0).clamp_min(1)
        for name, mask in (("hidden", hidden), ("seen", ~hidden))
    }
    return {name: (weight * means).sum().item() for name, means in joint_means.items()}


def _example_frames(
    dataset: PoseDataset,
    sampled: Tensor,
    hidden: Tensor,
    predicted: Tensor,
    errors: Tensor,
    shown_counts: list[int],
) -> Iterator[dict[str, Any]]:
    """For the lowest, middle and highest number of hidden joints, the frame with the median error."""
    counts = hidden.sum(dim=-1)
    sequence_of = dataset.sequence_of_frames()
    for count in (shown_counts[0], shown_counts[len(shown_counts) // 2], shown_counts[-1]):
        candidates = (counts == count).nonzero().flatten()
        number = int(candidates[errors[candidates].argsort()[len(candidates) // 2]])
        frame = int(sampled[number])
        sequence = int(sequence_of[frame])
        true = dataset.joints[frame]
        yield {
            "clip": dataset.names[sequence],
            "action": dataset.actions[sequence],
            "pixels": _to_rounded_list(dataset.keypoints_2d[frame]),
            "predicted": _to_rounded_list(predicted[number] - predicted[number, :1]),
            "true": _to_rounded_list(true - true[:1]),
            "hidden": hidden[number].tolist(),
            "error": round(errors[number].item(), 2),
        }


def _lift(model: LiftingNetwork, dataset: PoseDataset) -> Float[Tensor, "frames 17 3"]:
    return lift_dataset(model, dataset.to(next(model.parameters()).device), flip=True).cpu()


def _to_rounded_list(values: Tensor) -> list[Any]:
    return (values.double() * 1e5).round().div(1e5).tolist()

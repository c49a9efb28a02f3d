"""What Figures 5 and 6 are drawn from, beyond the evaluations of the runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet import metrics
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import load_dataset
from spgnet.errors import InputError
from spgnet.evaluation import lift_dataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.reproduction.config import ReproduceConfig
from spgnet.reproduction.occlusion import hidden_joints
from spgnet.training.loop import pick_device
from spgnet.training.runs import load_run

WALKS = ("Walking", "walk", "walking")
"""What a walk is called in Human3.6M and in the open benchmark."""
FRAMES = 7
EVERY = 5
"""Frames from one that is looked at for hidden joints to the next."""
FEWEST = 200
"""Frames with some number of hidden joints that a mean needs; numbers with fewer are left out."""


def bone_facts(config: ReproduceConfig) -> dict[str, Any]:
    """Bone lengths, predicted and true, in seven frames of a walk by the last test subject who walks."""
    views = load_dataset(config.source("detected"), "test")
    walks = [view for view, action in enumerate(views.actions) if action in WALKS]
    if not walks:
        raise InputError(f"figure5 needs a walk, and the test split has none called {' or '.join(WALKS)}")
    view = walks[-1]
    chosen = views.select([view])
    frames = torch.linspace(0, len(chosen.joints) - 1, FRAMES + 2).round().long()[1:-1]
    predicted = _lifted(config, chosen, seed=0)[frames]
    return {
        "clip": views.names[view],
        "subject": views.subjects[view],
        "frames": frames.tolist(),
        "names": list(HUMAN36M.bone_names),
        "predicted": _rounded(HUMAN36M.bone_lengths(predicted)),
        "true": _rounded(HUMAN36M.bone_lengths(chosen.joints[frames])),
    }


def hidden_facts(config: ReproduceConfig) -> dict[str, Any]:
    """MPJPE by the number of joints that the body hides, for each seed, and three typical frames."""
    views = load_dataset(config.source("detected"), "test")
    looked = torch.arange(0, len(views.joints), EVERY)
    hidden = torch.cat([hidden_joints(piece) for piece in views.joints[looked].split(4096)])
    counts = hidden.sum(dim=-1)
    common = [count for count in range(18) if (counts == count).sum() >= FEWEST]
    seeds, joints, panels = [], [], []
    for seed in range(config.seeds):
        predicted = _lifted(config, views, seed)[looked]
        errors = metrics.mpjpe(predicted, views.joints[looked])
        joints.append(hidden_and_seen(predicted, views.joints[looked], hidden))
        seeds.append({str(count): errors[counts == count].mean().item() for count in common})
        if seed == 0:
            panels = [each.facts() for each in _typical(views, looked, hidden, predicted, errors, common)]
    shares = {str(count): (counts == count).float().mean().item() for count in common}
    return {
        "mpjpe": seeds,
        "joints": joints,
        "shares": shares,
        "frames": len(looked),
        "panels": panels,
    }


def hidden_and_seen(
    predicted: Float[Tensor, "frames 17 3"],
    true: Float[Tensor, "frames 17 3"],
    hidden: Bool[Tensor, "frames 17"],
) -> dict[str, float]:
    """Mean error in mm of hidden joints, and of the same joints where they are seen.

    Of the latter every joint counts as often as it is hidden, so that joints that are easy to lift and
    joints that are often hidden are not mistaken for each other.
    """
    errors = metrics.MILLIMETRES * ((predicted - predicted[:, :1]) - (true - true[:, :1])).norm(dim=-1)
    times = hidden.sum(dim=0)
    weight = times / times.sum()
    mean = {
        name: (errors * of).sum(0) / of.sum(0).clamp_min(1)
        for name, of in (("hidden", hidden), ("seen", ~hidden))
    }
    return {name: (weight * each).sum().item() for name, each in mean.items()}


class TypicalFrame(NamedTuple):
    """A frame and what is known of it."""

    clip: str
    action: str
    pixels: Tensor
    predicted: Tensor
    true: Tensor
    hidden: Tensor
    error: float

    def facts(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "clip": self.clip,
            "action": self.action,
            "pixels": _rounded(self.pixels),
            "predicted": _rounded(self.predicted),
            "true": _rounded(self.true),
            "hidden": self.hidden.tolist(),
            "error": round(self.error, 2),
        }


def _typical(
    views: PoseDataset, looked: Tensor, hidden: Tensor, predicted: Tensor, errors: Tensor, common: list[int]
) -> Iterator[TypicalFrame]:
    """Of the frames with no, some and many hidden joints, the one whose error is the median of its kind."""
    counts = hidden.sum(dim=-1)
    view_of = torch.arange(len(views)).repeat_interleave(views.lengths)
    for count in (common[0], common[len(common) // 2], common[-1]):
        kind = (counts == count).nonzero().flatten()
        number = int(kind[errors[kind].argsort()[len(kind) // 2]])
        frame = int(looked[number])
        view = int(view_of[frame])
        true = views.joints[frame]
        yield TypicalFrame(
            views.names[view],
            views.actions[view],
            views.cameras[view].screen_to_image(views.screen[frame, :, :2]),
            predicted[number] - predicted[number, :1],
            true - true[:1],
            hidden[number],
            errors[number].item(),
        )


def _lifted(config: ReproduceConfig, views: PoseDataset, seed: int) -> Tensor:
    device = pick_device(config.accelerator)
    _, model = load_run(config.experiment("spgnet", "detected", seed).folder)
    return lift_dataset(model.to(device), views.to(device), flip=True).cpu()


def _rounded(values: Tensor) -> list[Any]:
    return (values.double() * 1e5).round().div(1e5).tolist()

"""Evaluation: every metric of a network on data, by action and on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet import metrics
from spgnet.data.dataset import PoseDataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftingNetwork
from spgnet.models.network import lift_sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, labels: int) -> str:
    """A Markdown table whose first ``labels`` columns are text, and the others numbers, set to the right."""
    rule = ["---"] * labels + ["---:"] * (len(header) - labels)
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *rows))


class Metric(NamedTuple):
    """How a metric is called, in full and where there is little room, and its unit."""

    label: str
    heading: str
    unit: str


METRICS = {
    "mpjpe": Metric("MPJPE (P1)", "P1", "mm"),
    "p_mpjpe": Metric("P-MPJPE (P2)", "P2", "mm"),
    "n_mpjpe": Metric("N-MPJPE", "N", "mm"),
    "velocity": Metric("Velocity", "vel.", "mm/frame"),
    "acceleration": Metric("Acceleration", "acc.", "mm/frame²"),
    "pck": Metric("PCK@150", "PCK", "%"),
    "auc": Metric("AUC", "AUC", "%"),
    "trajectory": Metric("Trajectory", "traj.", "mm"),
    "reprojection": Metric("Re-projection", "repr.", "px"),
    "bone_deviation": Metric("Bone deviation", "bone", "mm"),
}
"""The metrics, by the names that results are stored under."""


def metric_headings(names: Sequence[str]) -> list[str]:
    """Labels and units of metrics."""
    return [f"{METRICS[name].label} [{METRICS[name].unit}]" for name in names]


@dataclass(frozen=True)
class Evaluation:
    """Results, each a dictionary from a metric's short name to its value (see ``METRICS``); NaN for a metric
    that has none, such as the trajectory of a network that predicts none.

    Attributes:
        actions: mean over the scored frames of each action.
        mean_over_actions: mean of these, which the field reports.
        mean_over_frames: mean over all scored frames.
        frames: frames scored.
    """

    actions: dict[str, dict[str, float]]
    mean_over_actions: dict[str, float]
    mean_over_frames: dict[str, float]
    frames: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be written as JSON."""
        return _without_nan(asdict(self))

    def rows(self) -> list[tuple[str, dict[str, float]]]:
        """Label and values of each line of a table."""
        averages = [
            ("mean over actions", self.mean_over_actions),
            ("mean over frames", self.mean_over_frames),
        ]
        return [*sorted(self.actions.items()), *averages]

    def to_markdown(self, columns: Sequence[str] = tuple(METRICS)) -> str:
        """A Markdown table of the given metrics."""
        rows = [[label, *(shown(values[column]) for column in columns)] for label, values in self.rows()]
        return markdown_table(["action", *metric_headings(columns)], rows, labels=1)


def evaluate(model: LiftingNetwork, views: PoseDataset, *, flip: bool = True) -> Evaluation:
    """Every metric of a network on views.

    Args:
        model: in evaluation mode, on the device of the views.
        views: the data.
        flip: average with the result for the mirrored input, as the field does.
    """
    values = frame_values(lift_dataset(model, views, flip=flip), views)
    if not model.has_trajectory:
        for name in ("trajectory", "reprojection"):
            values[name] = torch.full_like(values[name], torch.nan)
    numbers = {action: number for number, action in enumerate(dict.fromkeys(views.actions))}
    of_view = torch.tensor([numbers[action] for action in views.actions], device=views.lengths.device)
    of_frame = of_view.repeat_interleave(views.lengths)
    actions = {action: _means(values, of_frame == number) for action, number in numbers.items()}
    over_actions = {name: _mean([row[name] for row in actions.values()]) for name in METRICS}
    frames = int(views.scored_frames().sum())
    return Evaluation(actions, over_actions, _means(values, of_frame >= 0), frames)


def validation_mpjpe(model: LiftingNetwork, views: PoseDataset) -> float:
    """MPJPE over all scored frames in mm, without flips: the figure to watch in training."""
    model.eval()
    predicted = lift_dataset(model, views, flip=False)
    joints = scored_joints(views)
    errors = metrics.mpjpe(predicted[:, joints], views.joints[:, joints])
    return errors[views.scored_frames()].mean().item()


def lift_dataset(model: LiftingNetwork, views: PoseDataset, *, flip: bool) -> Float[Tensor, "frames 17 3"]:
    """Predicted joints for every frame, in metres, relative to the camera."""
    seen = {"screen": lambda: views.screen[..., :2], "rays": views.rays, "image": views.picture}[
        model.input_space
    ]()
    pieces, stride = seen.split(views.lengths.tolist()), model.stride(views.fps)
    return torch.cat([lift_sequence(model, piece, flip=flip, stride=stride) for piece in pieces])


def frame_values(
    predicted: Float[Tensor, "frames 17 3"], views: PoseDataset
) -> dict[str, Float[Tensor, " frames"]]:
    """Every metric at every frame; NaN at the frames where one has no value (velocity at a first frame).

    A frame that is not scored has none, and counts in none: velocity needs two scored frames in a row, and
    acceleration three.
    """
    joints, scored = scored_joints(views), views.scored_frames()
    counted = [joint for joint in metrics.PCK_JOINTS if joint in joints]
    pose, true = predicted[:, joints], views.joints[:, joints]
    values = {
        "mpjpe": metrics.mpjpe(pose, true),
        "p_mpjpe": metrics.p_mpjpe(pose, true),
        "n_mpjpe": metrics.n_mpjpe(pose, true),
        "pck": metrics.pck(predicted, views.joints, joints=counted),
        "auc": metrics.auc(predicted, views.joints, joints=counted),
        "trajectory": metrics.trajectory_error(pose, true),
    }
    for name in ("velocity", "acceleration", "reprojection", "bone_deviation"):
        values[name] = torch.full_like(values["mpjpe"], torch.nan)
    for view in range(len(views)):
        frames, camera = views.frames_of(view), views.cameras[view]
        if len(pose[frames]) > 1:
            values["velocity"][frames][1:] = metrics.velocity_error(pose[frames], true[frames])
            values["acceleration"][frames][2:] = metrics.acceleration_error(pose[frames], true[frames])
        pixels = camera.camera_to_image(pose[frames])
        seen = camera.screen_to_image(views.screen[frames][:, joints, :2])
        values["reprojection"][frames] = metrics.reprojection_error(pixels, seen)
        deviation = metrics.bone_length_deviation(predicted[frames][scored[frames]], HUMAN36M)
        values["bone_deviation"][frames] = deviation[scored_bones(views)].mean()
    return {name: value.masked_fill(~_scored(name, scored), torch.nan) for name, value in values.items()}


def _scored(name: str, frames: Bool[Tensor, " frames"]) -> Bool[Tensor, " frames"]:
    """Where a metric counts: at scored frames whose predecessors, if it needs them, are scored as well."""
    counts = frames.clone()
    for back in range(1, 1 + {"velocity": 1, "acceleration": 2}.get(name, 0)):
        counts[back:] &= frames[:-back]
    return counts


def scored_joints(views: PoseDataset) -> list[int]:
    """The joints whose truth is known."""
    return [joint for joint, name in enumerate(HUMAN36M.names) if name not in views.unmeasured_joints]


def scored_bones(views: PoseDataset) -> list[int]:
    """The bones between them."""
    known = scored_joints(views)
    return [bone for bone, ends in enumerate(HUMAN36M.bones) if set(ends) <= set(known)]


def _mean(values: list[float]) -> float:
    """The mean of the actions that have a value; NaN if none has."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _without_nan(values: Any) -> Any:
    """Plain values with None for NaN, which JSON does not have."""
    if isinstance(values, dict):
        return {name: _without_nan(value) for name, value in values.items()}
    return None if isinstance(values, float) and math.isnan(values) else values


def shown(value: float | None) -> str:
    """A figure in a table; a dash where a metric has no value (no trajectory is predicted, for example)."""
    return "–" if value is None or math.isnan(value) else f"{value:.1f}"


def _means(values: dict[str, Tensor], chosen: Tensor) -> dict[str, float]:
    return {name: values[name][chosen].double().nanmean().item() for name in METRICS}

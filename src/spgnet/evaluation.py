"""Evaluation: all metrics of a network on a dataset, by action and on average."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet import metrics
from spgnet.data.dataset import PoseDataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftingNetwork
from spgnet.models.folded import fold_batch_norm
from spgnet.models.network import lift_sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: Collection[int]) -> str:
    """A Markdown table; the columns of ``text`` are aligned left, the others, numbers, right."""
    rule = ["---" if column in text else "---:" for column in range(len(header))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *rows))


class Metric(NamedTuple):
    """A metric's name, in full and short, and its unit."""

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
"""The metrics by their keys in stored results."""


def metric_headings(names: Sequence[str]) -> list[str]:
    """Column headings: label and unit of each metric."""
    return [f"{METRICS[name].label} [{METRICS[name].unit}]" for name in names]


@dataclass(frozen=True)
class Evaluation:
    """Mean metrics of a network on a dataset.

    Each is a dictionary from a key of :data:`METRICS` to a value in that metric's unit; NaN if the metric has
    no value, such as the trajectory error of a network that predicts no trajectory.

    Attributes:
        actions: mean over the evaluated frames of each action.
        mean_over_actions: mean of ``actions``, the figure that the field reports.
        mean_over_frames: mean over all evaluated frames.
        frames: number of evaluated frames.
    """

    actions: dict[str, dict[str, float]]
    mean_over_actions: dict[str, float]
    mean_over_frames: dict[str, float]
    frames: int

    def to_json(self) -> dict[str, Any]:
        """Values for JSON, with None for NaN."""
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
        return markdown_table(["action", *metric_headings(columns)], rows, text=(0,))


def evaluate(model: LiftingNetwork, dataset: PoseDataset, *, flip: bool = True) -> Evaluation:
    """Evaluate a network on a dataset with all metrics.

    Args:
        model: in evaluation mode, on the device of the dataset.
        dataset: sequences with true joints.
        flip: average with the result for the mirrored input, as is usual in the field.

    Raises:
        InputError: the network takes rays, and a lens distortion cannot be inverted at some pixels.
    """
    values = frame_values(lift_dataset(model, dataset, flip=flip), dataset)
    if not model.has_trajectory:
        for name in ("trajectory", "reprojection"):
            values[name] = torch.full_like(values[name], torch.nan)
    numbers = {action: number for number, action in enumerate(dict.fromkeys(dataset.actions))}
    of_sequence = torch.tensor([numbers[action] for action in dataset.actions], device=dataset.lengths.device)
    of_frame = of_sequence.repeat_interleave(dataset.lengths)
    actions = {action: _means(values, of_frame == number) for action, number in numbers.items()}
    over_actions = {name: _mean([row[name] for row in actions.values()]) for name in METRICS}
    frames = int(dataset.eval_frames().sum())
    return Evaluation(actions, over_actions, _means(values, of_frame >= 0), frames)


def validation_errors(model: LiftingNetwork, dataset: PoseDataset) -> dict[str, float]:
    """MPJPE over all evaluated frames, in mm, without flip averaging.

    It selects the best epoch (``validation_mpjpe``). Of a dataset with several actions there is also that of
    each (``validation_mpjpe/ACTION``).
    """
    model.eval()
    predicted = lift_dataset(model, dataset, flip=False)
    joints, evaluated = measured_joints(dataset), dataset.eval_frames()
    errors = metrics.mpjpe(predicted[:, joints], dataset.joints[:, joints])
    values = {"validation_mpjpe": errors[evaluated].mean().item()}
    actions = sorted(set(dataset.actions))
    if len(actions) > 1:
        of_frame = torch.tensor([actions.index(action) for action in dataset.actions]).to(evaluated.device)
        of_frame = of_frame.repeat_interleave(dataset.lengths)
        for number, action in enumerate(actions):
            counted = evaluated & (of_frame == number)
            values[f"validation_mpjpe/{action}"] = errors[counted].mean().item()
    return values


def lift_dataset(model: LiftingNetwork, dataset: PoseDataset, *, flip: bool) -> Float[Tensor, "frames 17 3"]:
    """Predict the joints of every frame of a dataset, in metres in the camera frame.

    Args:
        model: in evaluation mode, on the device of the dataset.
        dataset: the 2D input, which is converted to the network's input space.
        flip: average with the result for the mirrored input.

    Raises:
        InputError: the network takes rays, and a lens distortion cannot be inverted at some pixels.
    """
    pieces = dataset.inputs(model.input_space).split(dataset.lengths.tolist())
    stride, folded = model.stride(dataset.fps), fold_batch_norm(model)
    return torch.cat([lift_sequence(folded, piece, flip=flip, stride=stride) for piece in pieces])


def frame_values(
    predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset
) -> dict[str, Float[Tensor, " frames"]]:
    """All metrics at every frame; NaN where a metric has no value.

    A frame that is not evaluated has no value of any metric. The velocity error needs two consecutive
    evaluated frames of a sequence, and the acceleration error three; their value is that of the last frame.
    The bone deviation, one value for each sequence, is repeated at its frames.

    Args:
        predicted: joints in metres, camera frame.
        dataset: the true joints, cameras and 2D input of the same frames.
    """
    joints, evaluated = measured_joints(dataset), dataset.eval_frames()
    counted = [joint for joint in metrics.PCK_JOINTS if joint in joints]
    pose, true = predicted[:, joints], dataset.joints[:, joints]
    values = {
        "mpjpe": metrics.mpjpe(pose, true),
        "p_mpjpe": metrics.p_mpjpe(pose, true),
        "n_mpjpe": metrics.n_mpjpe(pose, true),
        "pck": metrics.pck(predicted, dataset.joints, joints=counted),
        "auc": metrics.auc(predicted, dataset.joints, joints=counted),
        "trajectory": metrics.trajectory_error(pose, true),
    }
    for name in ("velocity", "acceleration", "reprojection", "bone_deviation"):
        values[name] = torch.full_like(values["mpjpe"], torch.nan)
    for sequence in range(len(dataset)):
        frames, camera = dataset.frames_of(sequence), dataset.cameras[sequence]
        if len(pose[frames]) > 1:
            values["velocity"][frames][1:] = metrics.velocity_error(pose[frames], true[frames])
            values["acceleration"][frames][2:] = metrics.acceleration_error(pose[frames], true[frames])
        pixels = camera.camera_to_image(pose[frames])
        target = dataset.keypoints_2d[frames][:, joints]
        values["reprojection"][frames] = metrics.reprojection_error(pixels, target)
        deviation = metrics.bone_length_deviation(predicted[frames][evaluated[frames]], HUMAN36M)
        values["bone_deviation"][frames] = deviation[measured_bones(dataset)].mean()
    counts = {name: _counted_frames(name, evaluated) for name in values}
    return {name: value.masked_fill(~counts[name], torch.nan) for name, value in values.items()}


def _counted_frames(name: str, frames: Bool[Tensor, " frames"]) -> Bool[Tensor, " frames"]:
    """Whether a metric has a value at each frame: it and the preceding frames needed are evaluated."""
    counts = frames.clone()
    for back in range(1, 1 + {"velocity": 1, "acceleration": 2}.get(name, 0)):
        counts[back:] &= frames[:-back]
    return counts


def measured_joints(dataset: PoseDataset) -> list[int]:
    """Indices of the joints whose true positions are measured, not guessed."""
    return [joint for joint, name in enumerate(HUMAN36M.names) if name not in dataset.unmeasured_joints]


def measured_bones(dataset: PoseDataset) -> list[int]:
    """Indices of the bones between measured joints."""
    known = measured_joints(dataset)
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
    """A value as text in a table, with one decimal; a dash if it is None or NaN."""
    return "–" if value is None or math.isnan(value) else f"{value:.1f}"


def _means(values: dict[str, Tensor], chosen: Tensor) -> dict[str, float]:
    return {name: values[name][chosen].double().nanmean().item() for name in METRICS}

"""Evaluation: all metrics of a network on a dataset, by action and on average."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

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
Grouping = Literal["action", "subject"]
"""What results are grouped by."""


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
        subjects: mean over the evaluated frames of each subject.
        joints: MPJPE of each joint by its name, mean over all evaluated frames, in mm.
    """

    actions: dict[str, dict[str, float]]
    mean_over_actions: dict[str, float]
    mean_over_frames: dict[str, float]
    frames: int
    subjects: dict[str, dict[str, float]] = field(default_factory=dict)
    joints: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Values for JSON, with None for NaN."""
        return _without_nan(asdict(self))

    def rows(self, by: Grouping = "action") -> list[tuple[str, dict[str, float]]]:
        """Label and values of each line of a table by action or by subject."""
        over_frames = ("mean over frames", self.mean_over_frames)
        if by == "subject":
            return [*sorted(self.subjects.items()), over_frames]
        return [*sorted(self.actions.items()), ("mean over actions", self.mean_over_actions), over_frames]

    def to_markdown(self, columns: Sequence[str] = tuple(METRICS), *, by: Grouping = "action") -> str:
        """A Markdown table of the given metrics."""
        rows = [[label, *(shown(values[column]) for column in columns)] for label, values in self.rows(by)]
        return markdown_table([by, *metric_headings(columns)], rows, text=(0,))

    def joints_to_markdown(self) -> str:
        """A Markdown table of the joints' errors."""
        rows = [[name, shown(value)] for name, value in self.joints.items()]
        return markdown_table(["joint", *metric_headings(["mpjpe"])], rows, text=(0,))


def evaluate(model: LiftingNetwork, dataset: PoseDataset, *, flip: bool = True) -> Evaluation:
    """Evaluate a network on a dataset with all metrics.

    Args:
        model: in evaluation mode, on the device of the dataset.
        dataset: sequences with true joints.
        flip: average with the result for the mirrored input, as is usual in the field.

    Raises:
        InputError: the network is in training mode, or its input cannot be made (:func:`lift_dataset`).
    """
    return evaluate_predictions(lift_dataset(model, dataset, flip=flip), dataset, model)


def evaluate_predictions(
    predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset, model: LiftingNetwork
) -> Evaluation:
    """All metrics of what a network predicted (:func:`lift_dataset`) for a dataset."""
    values = frame_values(predicted, dataset, root_as_predicted=model.root_as_predicted)
    if not model.has_trajectory:
        for name in ("trajectory", "reprojection"):
            values[name] = torch.full_like(values[name], torch.nan)
    actions = _means_by(dataset.actions, values, dataset)
    evaluated, joints = dataset.eval_frames(), measured_joints(dataset)
    pose, true = _compared_poses(predicted[evaluated], dataset.joints[evaluated], model.root_as_predicted)
    of_joints = metrics.joint_errors(pose, true)[..., -len(HUMAN36M) :].double().mean(dim=0)
    return Evaluation(
        actions=actions,
        mean_over_actions={name: _mean([row[name] for row in actions.values()]) for name in METRICS},
        mean_over_frames=_means(values, torch.ones_like(evaluated)),
        frames=int(evaluated.sum()),
        subjects=_means_by(dataset.subjects, values, dataset),
        joints={HUMAN36M.names[joint]: of_joints[joint].item() for joint in joints},
    )


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
        InputError: the network takes rays, and a lens distortion cannot be inverted at some pixels; or it
            takes the detector's confidence, which the dataset does not have.
    """
    inputs = dataset.inputs(model.input_space, with_confidence=model.takes_confidence)
    pieces = inputs.split(dataset.lengths.tolist())
    stride, folded = model.stride(dataset.fps), fold_batch_norm(model)
    return torch.cat([lift_sequence(folded, piece, flip=flip, stride=stride) for piece in pieces])


def frame_values(
    predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset, *, root_as_predicted: bool = False
) -> dict[str, Float[Tensor, " frames"]]:
    """All metrics at every frame; NaN where a metric has no value.

    A frame that is not evaluated has no value of any metric. The velocity error needs two consecutive
    evaluated frames of a sequence, and the acceleration error three; their value is that of the last frame.
    The bone deviation, one value for each sequence, is repeated at its frames.

    Args:
        predicted: joints in metres, camera frame.
        dataset: the true joints, cameras and 2D input of the same frames.
        root_as_predicted: ``predicted`` is relative to the true root, and its own root's error counts, as in
            VideoPose3D; P-MPJPE, PCK and AUC do not differ in this.
    """
    joints, evaluated = measured_joints(dataset), dataset.eval_frames()
    counted = [joint for joint in metrics.PCK_JOINTS if joint in joints]
    pose, true = predicted[:, joints], dataset.joints[:, joints]
    relative, true_relative = _compared_poses(pose, true, root_as_predicted)
    share = relative.shape[1] / len(joints)
    values = {
        "mpjpe": share * metrics.mpjpe(relative, true_relative),
        "p_mpjpe": metrics.p_mpjpe(pose, true),
        "n_mpjpe": share * metrics.n_mpjpe(relative, true_relative),
        "pck": metrics.pck(predicted, dataset.joints, joints=counted),
        "auc": metrics.auc(predicted, dataset.joints, joints=counted),
        "trajectory": metrics.trajectory_error(pose, true),
    }
    for name in ("velocity", "acceleration", "reprojection", "bone_deviation"):
        values[name] = torch.full_like(values["mpjpe"], torch.nan)
    for sequence in range(len(dataset)):
        frames, camera = dataset.frames_of(sequence), dataset.cameras[sequence]
        if len(pose[frames]) > 1:
            compared = relative[frames], true_relative[frames]
            values["velocity"][frames][1:] = share * metrics.velocity_error(*compared)
            values["acceleration"][frames][2:] = share * metrics.acceleration_error(*compared)
        pixels = camera.camera_to_image(pose[frames])
        target = dataset.keypoints_2d[frames][:, joints]
        values["reprojection"][frames] = metrics.reprojection_error(pixels, target)
        deviation = metrics.bone_length_deviation(predicted[frames][evaluated[frames]], HUMAN36M)
        values["bone_deviation"][frames] = deviation[measured_bones(dataset)].mean()
    counts = {name: _counted_frames(name, evaluated) for name in values}
    return {name: value.masked_fill(~counts[name], torch.nan) for name, value in values.items()}


def _compared_poses(
    predicted: Float[Tensor, "frames joints 3"],
    true: Float[Tensor, "frames joints 3"],
    root_as_predicted: bool,
) -> tuple[Float[Tensor, "frames compared 3"], Float[Tensor, "frames compared 3"]]:
    """Poses for metrics that put both roots (joint 0) into one point.

    If the predicted root is to stay where it is, the true root becomes joint 0 of both, ahead of the others;
    it has no error, so that a mean over the joints is that of the others times their share.
    """
    if not root_as_predicted:
        return predicted, true
    relative = true - true[:, :1]
    origin = torch.zeros_like(predicted[:, :1])
    return torch.cat((origin, predicted), dim=1), torch.cat((origin, relative), dim=1)


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


def _means_by(
    labels: Sequence[str], values: dict[str, Tensor], dataset: PoseDataset
) -> dict[str, dict[str, float]]:
    """The mean metrics of the frames of each label, of which every sequence has one."""
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    of_sequence = torch.tensor([numbers[label] for label in labels], device=dataset.lengths.device)
    of_frame = of_sequence.repeat_interleave(dataset.lengths)
    return {label: _means(values, of_frame == number) for label, number in numbers.items()}


def _means(values: dict[str, Tensor], chosen: Tensor) -> dict[str, float]:
    return {name: values[name][chosen].double().nanmean().item() for name in METRICS}

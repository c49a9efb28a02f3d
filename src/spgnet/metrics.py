"""Metrics of 3D poses, one value per frame: MPJPE, P-MPJPE, N-MPJPE, MPJVE, PCK, AUC and others.

Inputs are joint positions in metres in the camera frame (x right, y down, z forward), with joint 0 as the
root; errors are in millimetres. Functions do not average over frames, so that callers may average by action,
by sequence or over all frames. Metrics of root-relative poses subtract the root of both poses first; its
error, which is then zero, counts in every mean over the joints, as is usual on Human3.6M.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.alignment import scale_align, similarity_align
from spgnet.geometry.skeleton import HUMAN36M, Skeleton

MILLIMETRES = 1000.0
"""Millimetres in a metre."""

AUC_THRESHOLDS = tuple(float(threshold) for threshold in range(0, 151, 5))
"""The 31 thresholds of the area under the PCK curve, in mm (``mpii_compute_3d_pck.m`` of MPI-INF-3DHP)."""

PCK_JOINTS = tuple(
    joint for joint, name in enumerate(HUMAN36M.names) if name not in ("pelvis", "spine", "nose")
)
"""The 14 joints that PCK and AUC count in the field: top of the head, neck, shoulders, elbows, wrists, hips,
knees and ankles (``mpii_get_pck_auc_joint_groups.m`` of MPI-INF-3DHP's test set, as PoseFormerV2 runs it; a
variant of that script counts all 17)."""


def mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """MPJPE: mean per-joint position error of root-relative poses, in mm (Protocol 1 of Human3.6M)."""
    return joint_errors(predicted, target).mean(-1)


def p_mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """P-MPJPE: MPJPE after Procrustes alignment of every frame, in mm (Protocol 2 of Human3.6M).

    The alignment (:func:`spgnet.geometry.alignment.similarity_align`) minimises the squared error, not this
    one: P-MPJPE is at most the root mean square of the joint errors that ``mpjpe`` averages, but may exceed
    ``mpjpe`` itself.

    Raises:
        torch.linalg.LinAlgError: a pose holds values that are not finite.
    """
    return _joint_errors(similarity_align(predicted, target), target).mean(-1)


def n_mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """N-MPJPE: MPJPE of root-relative poses after the least-squares scaling of every frame, in mm.

    Rhodin et al., "Unsupervised geometry-aware representation for 3D human pose estimation", ECCV 2018.
    """
    return _joint_errors(scale_align(predicted, target), target).mean(-1)


def velocity_error(
    predicted: Float[Tensor, "frames joints 3"], target: Float[Tensor, "frames joints 3"]
) -> Float[Tensor, " frames-1"]:
    """MPJVE: mean per-joint velocity error of root-relative poses, in mm per frame.

    Pavllo et al., "3D human pose estimation in video with temporal convolutions", CVPR 2019.
    Velocities are differences between frames, which must be consecutive.
    """
    return _difference_error(predicted, target, order=1)


def acceleration_error(
    predicted: Float[Tensor, "frames joints 3"], target: Float[Tensor, "frames joints 3"]
) -> Float[Tensor, " frames-2"]:
    """Mean per-joint acceleration error of root-relative poses, in mm per frame².

    Accelerations are second differences; the two or more frames must be consecutive.
    """
    return _difference_error(predicted, target, order=2)


def joint_errors(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints"]:
    """Error of each joint of root-relative poses, in mm; their mean is the MPJPE."""
    return _joint_errors(_root_relative(predicted), _root_relative(target))


def pck(
    predicted: Float[Tensor, "*batch joints 3"],
    target: Float[Tensor, "*batch joints 3"],
    threshold_mm: float = 150.0,
    *,
    joints: Sequence[int] | None = None,
) -> Float[Tensor, "*batch"]:
    """3D PCK: percentage of the joints of root-relative poses whose error is below a threshold.

    Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN supervision", 3DV 2017.

    Args:
        predicted: joint positions in metres.
        target: true joint positions in metres.
        threshold_mm: the error, in mm, from which a joint counts as wrong.
        joints: indices of the joints that count; None: all. Poses are relative to joint 0 in either case.
    """
    return _percent_below(_counted_errors(predicted, target, joints), threshold_mm)


def auc(
    predicted: Float[Tensor, "*batch joints 3"],
    target: Float[Tensor, "*batch joints 3"],
    *,
    joints: Sequence[int] | None = None,
) -> Float[Tensor, "*batch"]:
    """Area under the PCK curve in percent: mean PCK over the thresholds 0, 5, ..., 150 mm (3DV 2017).

    No error is below the threshold 0, so a perfect pose has 30/31, or 96.8 %, as in the authors' script.

    Args:
        predicted: joint positions in metres.
        target: true joint positions in metres.
        joints: indices of the joints that count; None: all. Poses are relative to joint 0 in either case.
    """
    errors = _counted_errors(predicted, target, joints)
    return torch.stack([_percent_below(errors, threshold) for threshold in AUC_THRESHOLDS]).mean(0)


def trajectory_error(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Distance between the predicted and the true root (joint 0) in the camera frame, in mm."""
    return _joint_errors(predicted[..., 0, :], target[..., 0, :])


def reprojection_error(
    predicted_pixels: Float[Tensor, "*batch joints 2"], pixels: Float[Tensor, "*batch joints 2"]
) -> Float[Tensor, "*batch"]:
    """Mean distance between projected and given 2D joints in the image, in pixels."""
    return (predicted_pixels - pixels).norm(dim=-1).mean(-1)


def bone_length_deviation(
    predicted: Float[Tensor, "frames joints 3"], skeleton: Skeleton
) -> Float[Tensor, " bones"]:
    """Standard deviation of each bone's length over the frames, in mm (divided by the number of frames)."""
    return MILLIMETRES * skeleton.bone_lengths(predicted).std(0, correction=0)


def _root_relative(joints: Tensor) -> Tensor:
    return joints - joints[..., :1, :]


def _joint_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """Distance of each joint from its target, in mm."""
    return MILLIMETRES * (predicted - target).norm(dim=-1)


def _counted_errors(predicted: Tensor, target: Tensor, joints: Sequence[int] | None) -> Tensor:
    """Root-relative distance of each joint that counts, in mm."""
    errors = joint_errors(predicted, target)
    return errors if joints is None else errors[..., list(joints)]


def _difference_error(predicted: Tensor, target: Tensor, order: int) -> Tensor:
    """Mean distance of the joints' finite differences over time, root-relative, in mm per frame^order."""
    error = _root_relative(predicted) - _root_relative(target)
    return MILLIMETRES * error.diff(n=order, dim=0).norm(dim=-1).mean(-1)


def _percent_below(errors: Tensor, threshold: float) -> Tensor:
    return 100 * (errors < threshold).to(errors.dtype).mean(-1)

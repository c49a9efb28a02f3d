"""The interface of every lifting network, and the lifting of whole sequences with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M

InputSpace = Literal["screen", "rays", "image"]
"""The space in which a network takes its 2D keypoints:

- ``"screen"``: screen coordinates, normalized with the principal point as origin; 2 channels.
- ``"rays"``: undistorted rays through a camera of focal length 1; 3 channels, x / z, y / z, and 1 where the
  joint is visible (detected) or 0 where a gap was filled.
- ``"image"``: VideoPose3D's coordinates, normalized with the middle of the image as origin; 2 channels.
"""


@dataclass(frozen=True)
class ModelConfig:
    """Base class of the networks' configurations, which are frozen dataclasses of plain values.

    Each is registered with its network (:func:`spgnet.models.register_network`).
    """


class LiftedPose(NamedTuple):
    """The output of a network for each output frame: pose and trajectory in metres, in the camera frame.

    Attributes:
        pose: joints relative to the root, whose own entry is zero.
        root: position of the root (pelvis) relative to the camera: the trajectory.
    """

    pose: Float[Tensor, "batch frames 17 3"]
    root: Float[Tensor, "batch frames 1 3"]

    @property
    def joints(self) -> Float[Tensor, "batch frames 17 3"]:
        """Joints relative to the camera."""
        return self.pose + self.root


class LiftingNetwork(nn.Module):
    """Base class of the lifting networks.

    A network maps 2D keypoints ``[batch, frames, 17, channels]`` to the ``frames - J + 1`` poses that have a
    whole receptive field of J input frames. It can compute them in two ways that give the same result: window
    by window, which is faster for the few output frames of a training sample, and densely over the whole
    sequence, which shares the work between neighbouring frames (``dense=True``).

    Attributes:
        input_space: the coordinates of the 2D keypoints (see :data:`InputSpace`).
        takes_confidence: whether a last channel of the input is the detector's confidence of each joint.
        receptive_field: J, the number of input frames that one output frame depends on.
        context: how many of these come before and after the output frame.
        chunk: output frames of a sequence to compute at once; fewer where each needs much memory.
        has_trajectory: whether the root is predicted; weights of other projects may come without.
        root_as_predicted: the pose's own root is what the network predicts for it, instead of zero, and
            counts in the errors of the pose; for weights of other projects alone.
        trajectory: the module that predicts the root; its output layer is its attribute ``head``.
    """

    input_space: InputSpace = "screen"
    takes_confidence: bool = False
    receptive_field: int
    context: tuple[int, int]
    chunk: int = 4096
    has_trajectory: bool = True
    root_as_predicted: bool = False
    trajectory: nn.Module

    @property
    def input_channels(self) -> int:
        """Numbers for each joint of the input."""
        return (3 if self.input_space == "rays" else 2) + self.takes_confidence

    def forward(
        self, keypoints_2d: Float[Tensor, "batch frames 17 channels"], *, dense: bool = False
    ) -> LiftedPose:
        """Lift 2D keypoints in the network's input space.

        Args:
            keypoints_2d: at least J frames of the 17 joints of Human3.6M.
            dense: share the work between neighbouring output frames, instead of computing each by itself.
        """
        raise NotImplementedError

    def stride(self, fps: float) -> int:
        """Step between the input frames that one output frame depends on, for a clip of this frame rate."""
        return 1

    def init_root_bias(self, root: Float[Tensor, " 3"]) -> None:
        """Make a fresh network predict roots near this point, in metres, in the camera frame.

        Before training, a trajectory of about zero would put people into the camera's centre or behind
        it, where projection has no meaning and its gradient misleads.
        """
        head = self.trajectory.head
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.bias.copy_(root)


def root_relative(output: Float[Tensor, "batch frames 51"]) -> Float[Tensor, "batch frames 17 3"]:
    """The 3 * 17 outputs of a pose network as joints, minus the root."""
    joints = output.unflatten(-1, (-1, 3))
    return joints - joints[..., :1, :]


@torch.no_grad()
def lift_sequence(
    model: LiftingNetwork,
    keypoints_2d: Float[Tensor, "frames joints channels"],
    *,
    flip: bool = True,
    stride: int = 1,
    chunk: int | None = None,
    on_progress: Callable[[int], None] = lambda frames: None,
) -> Float[Tensor, "frames 17 3"]:
    """Joints relative to the camera, in metres, for every frame of a sequence.

    The first and the last frame are repeated before and after the sequence to fill the receptive field.

    Args:
        model: in evaluation mode.
        keypoints_2d: the 17 joints of each frame, in the network's input space.
        flip: average with the result for the mirrored input, mirrored back.
        stride: step between the input frames of a receptive field, for clips of a high frame rate.
        chunk: output frames to compute at once; the result does not depend on it. By default, the network's.
        on_progress: called with the number of frames done.

    Raises:
        InputError: there is no frame, a frame is not 17 joints of the network's channels, a value is not
            finite, or the network is in training mode.
    """
    check_evaluation_mode(model)
    _check_sequence(keypoints_2d, model.input_channels)
    frames, chunk = len(keypoints_2d), chunk or model.chunk
    before, after = (count * stride for count in model.context)
    parameter = next(model.parameters())
    pieces = []
    for start in range(0, frames, chunk):
        stop = min(start + chunk, frames)
        indices = torch.arange(start - before, stop + after, device=keypoints_2d.device)
        padded = keypoints_2d[indices.clamp(0, frames - 1)].to(parameter)
        joints = padded.new_empty(stop - start, len(HUMAN36M), 3)
        for phase in range(min(stride, stop - start)):
            lifted = model(add_mirrored(padded[phase::stride], flip), dense=True)
            joints[phase::stride] = average_mirrored(lifted.joints, flip)
        pieces.append(joints)
        on_progress(stop)
    return torch.cat(pieces)


def check_evaluation_mode(module: nn.Module) -> None:
    """Make sure that a network, or a part of one, is not in training mode, in which its output is random.

    Raises:
        InputError: it is.
    """
    if module.training:
        raise InputError("the network is in training mode; call its eval() before lifting with it")


def _check_sequence(keypoints_2d: Tensor, channels: int) -> None:
    shape = tuple(keypoints_2d.shape)
    if len(shape) != 3 or shape[1:] != (len(HUMAN36M), channels) or not shape[0]:
        raise InputError(f"2D input has shape {shape}, expected [frames, {len(HUMAN36M)}, {channels}]")
    invalid = (~keypoints_2d.isfinite()).flatten(1).any(dim=1)
    if bool(invalid.any()):
        raise InputError(f"2D input holds NaN or infinity in {int(invalid.sum())} of {shape[0]} frames")


def add_mirrored(
    keypoints_2d: Float[Tensor, "frames 17 channels"], flip: bool
) -> Float[Tensor, "batch frames 17 channels"]:
    """A batch of the frames and, with ``flip``, their mirror images."""
    return torch.stack((keypoints_2d, HUMAN36M.flip(keypoints_2d))) if flip else keypoints_2d[None]


def average_mirrored(joints: Float[Tensor, "batch frames 17 3"], flip: bool) -> Float[Tensor, "frames 17 3"]:
    """The joints of such a batch: with ``flip``, the mean with the mirror images, mirrored back."""
    return (joints[0] + HUMAN36M.flip(joints[1])) / 2 if flip else joints[0]

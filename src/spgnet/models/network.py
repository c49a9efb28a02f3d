"""What every lifting network has in common: 2D screen coordinates in, pose and trajectory out."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Lifted(NamedTuple):
    """What a network says of each output frame, in metres, in the camera frame.

    Attributes:
        pose: joints relative to the root, whose own entry is zero.
        root: the root (pelvis) relative to the camera: the global trajectory.
    """

    pose: Float[Tensor, "batch frames 17 3"]
    root: Float[Tensor, "batch frames 1 3"]

    @property
    def joints(self) -> Float[Tensor, "batch frames 17 3"]:
        """Joints relative to the camera."""
        return self.pose + self.root


class LiftingNetwork(nn.Module):
    """Base of the lifting networks.

    Called with 2D input ``[batch, frames, 17, channels]`` (screen coordinates, or what the network says), it
    returns the ``frames - J + 1`` poses that
    have a whole receptive field of J input frames. It can compute them in two ways that give the same
    result: window by window, which is faster for the few output frames of a training sample, and
    densely over the whole sequence, which shares the work between neighbours (``dense=True``).

    Attributes:
        receptive_field: J, the number of input frames behind one output frame.
        context: how many of these come before and after the output frame.
        sees: what the input is: screen coordinates; rays, and whether each joint was seen; or VideoPose3D's
            coordinates, whose origin is the middle of the image (``spgnet.data.views.Views``).
    """

    sees: Literal["screen", "rays", "image"] = "screen"
    receptive_field: int
    context: tuple[int, int]
    chunk: int = 4096
    """Output frames of a sequence to compute at once; fewer where each needs much memory."""
    has_trajectory: bool = True
    """Whether the root means anything; weights of others may come without."""
    trajectory: nn.Module
    """Its output layer is called ``last``."""

    @property
    def channels(self) -> int:
        """How many numbers a joint of the input has."""
        return 3 if self.sees == "rays" else 2

    def forward(self, screen: Float[Tensor, "batch frames 17 channels"], *, dense: bool = False) -> Lifted:
        """Lift screen coordinates."""
        raise NotImplementedError

    def stride(self, fps: float) -> int:
        """How many frames of a clip lie between the frames that one output looks at."""
        return 1

    def start_trajectory_at(self, root: Float[Tensor, " 3"]) -> None:
        """Let a fresh network place everybody around this point, in metres, in the camera frame.

        Before training, a trajectory of about zero would put people into the camera's centre or behind
        it, where projection has no meaning and its gradient misleads.
        """
        last = self.trajectory.last
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.bias.copy_(root)


def rooted(output: Float[Tensor, "batch frames 51"]) -> Float[Tensor, "batch frames 17 3"]:
    """A network's 3M outputs as root-relative joints."""
    joints = output.unflatten(-1, (-1, 3))
    return joints - joints[..., :1, :]

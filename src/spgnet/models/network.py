"""What every lifting network has in common, and the lifting of whole sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M


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
            coordinates, whose origin is the middle of the image (``spgnet.data.dataset.PoseDataset``).
    """

    input_space: Literal["screen", "rays", "image"] = "screen"
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
        return 3 if self.input_space == "rays" else 2

    def forward(self, screen: Float[Tensor, "batch frames 17 channels"], *, dense: bool = False) -> Lifted:
        """Lift screen coordinates."""
        raise NotImplementedError

    def stride(self, fps: float) -> int:
        """How many frames of a clip lie between the frames that one output looks at."""
        return 1

    def init_root_bias(self, root: Float[Tensor, " 3"]) -> None:
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


class Norm(nn.BatchNorm1d):
    """Batch norm of the last dimension over all that comes before it."""

    def forward(self, input: Float[Tensor, "*nodes features"]) -> Float[Tensor, "*nodes features"]:
        """Normalise every feature."""
        return super().forward(input.reshape(-1, input.shape[-1])).view(input.shape)


@torch.no_grad()
def lift_sequence(
    model: LiftingNetwork,
    screen: Float[Tensor, "frames joints channels"],
    *,
    flip: bool = True,
    stride: int = 1,
    chunk: int | None = None,
    on_progress: Callable[[int], None] = lambda frames: None,
) -> Float[Tensor, "frames 17 3"]:
    """Joints relative to the camera, in metres, for every frame of a sequence.

    Before the first and after the last frame, that frame is repeated for the receptive field.

    Args:
        model: in evaluation mode.
        screen: the 17 joints of each frame, in the channels that the network takes.
        flip: average with the result for the mirrored input, mirrored back.
        stride: frames from one that an output looks at to the next, for clips of a high frame rate.
        chunk: output frames to compute at once; the result does not depend on it. By default, the network's.
        on_progress: called with the number of frames done.

    Raises:
        InputError: there is no frame, a frame is not 17 joints of the network's channels, or a value is not
            finite.
    """
    if screen.ndim != 3 or screen.shape[1:] != (len(HUMAN36M), model.channels) or not len(screen):
        raise InputError(f"2D input has shape {tuple(screen.shape)}, expected [frames, 17, {model.channels}]")
    if not bool(screen.isfinite().all()):
        broken = (~screen.isfinite()).flatten(1).any(dim=1)
        raise InputError(f"2D input holds NaN or infinity in {int(broken.sum())} of {len(screen)} frames")
    (before, after), weight, chunk = model.context, next(model.parameters()), chunk or model.chunk
    pieces = []
    for start in range(0, len(screen), chunk):
        stop = min(start + chunk, len(screen))
        reach = start - before * stride, stop + after * stride
        needed = torch.arange(*reach, device=screen.device).clamp(0, len(screen) - 1)
        padded = screen[needed].to(weight)
        joints = padded.new_empty(stop - start, len(HUMAN36M), 3)
        for phase in range(min(stride, stop - start)):
            joints[phase::stride] = _lift(model, padded[phase::stride], flip)
        pieces.append(joints)
        on_progress(stop)
    return torch.cat(pieces)


def _lift(model: LiftingNetwork, padded: Tensor, flip: bool) -> Tensor:
    if not flip:
        return model(padded.unsqueeze(0), dense=True).joints[0]
    straight, mirrored = model(torch.stack((padded, HUMAN36M.flip(padded))), dense=True).joints
    return (straight + HUMAN36M.flip(mirrored)) / 2

"""Lifting whole sequences: as many frames out as in, in memory that does not grow with their length."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.models.network import LiftingNetwork
from spgnet.skeleton import HUMAN36M


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
        ValueError: there is no frame, a frame is not 17 joints of the network's channels, or a value is not
            finite.
    """
    if screen.ndim != 3 or screen.shape[1:] != (len(HUMAN36M), model.channels) or not len(screen):
        raise ValueError(f"2D input has shape {tuple(screen.shape)}, expected [frames, 17, {model.channels}]")
    if not bool(screen.isfinite().all()):
        broken = (~screen.isfinite()).flatten(1).any(dim=1)
        raise ValueError(f"2D input holds NaN or infinity in {int(broken.sum())} of {len(screen)} frames")
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

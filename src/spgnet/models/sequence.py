"""Lifting whole sequences: as many frames out as in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.models.network import LiftingNetwork
from spgnet.skeleton import HUMAN36M


@torch.no_grad()
def lift_sequence(
    model: LiftingNetwork, screen: Float[Tensor, "frames joints channels"], *, flip: bool = True
) -> Float[Tensor, "frames 17 3"]:
    """Joints relative to the camera, in metres, for every frame of a sequence.

    Before the first and after the last frame, that frame is repeated for the receptive field.

    Args:
        model: in evaluation mode.
        screen: the 17 joints of each frame, in the channels that the network takes.
        flip: average with the result for the mirrored input, mirrored back.

    Raises:
        ValueError: there is no frame, a frame is not 17 joints of the network's channels, or a value is not
            finite.
    """
    if screen.ndim != 3 or screen.shape[1:] != (len(HUMAN36M), model.channels) or not len(screen):
        raise ValueError(f"2D input has shape {tuple(screen.shape)}, expected [frames, 17, {model.channels}]")
    if not bool(screen.isfinite().all()):
        broken = (~screen.isfinite()).flatten(1).any(dim=1)
        raise ValueError(f"2D input holds NaN or infinity in {int(broken.sum())} of {len(screen)} frames")
    screen = screen.to(next(model.parameters()))
    before, after = model.context
    padded = torch.cat((screen[:1].expand(before, -1, -1), screen, screen[-1:].expand(after, -1, -1)))
    if not flip:
        return model(padded.unsqueeze(0), dense=True).joints[0]
    straight, mirrored = model(torch.stack((padded, HUMAN36M.flip(padded))), dense=True).joints
    return (straight + HUMAN36M.flip(mirrored)) / 2

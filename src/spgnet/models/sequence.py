"""Lifting whole sequences: as many frames out as in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.models.network import LiftingNetwork
from spgnet.skeleton import HUMAN36M


@torch.no_grad()
def lift_sequence(
    model: LiftingNetwork, screen: Float[Tensor, "frames 17 2"], *, flip: bool = True
) -> Float[Tensor, "frames 17 3"]:
    """Joints relative to the camera, in metres, for every frame of a sequence.

    Before the first and after the last frame, that frame is repeated for the receptive field.

    Args:
        model: in evaluation mode.
        screen: 2D input in screen coordinates.
        flip: average with the result for the mirrored input, mirrored back.
    """
    before, after = model.context
    padded = torch.cat((screen[:1].expand(before, -1, -1), screen, screen[-1:].expand(after, -1, -1)))
    if not flip:
        return model(padded.unsqueeze(0), dense=True).joints[0]
    straight, mirrored = model(torch.stack((padded, HUMAN36M.flip(padded))), dense=True).joints
    return (straight + HUMAN36M.flip(mirrored)) / 2

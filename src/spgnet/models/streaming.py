"""Lifting frame by frame, in the same time for every frame and with the result of the whole sequence.

Each layer keeps the few past frames that its next output looks at in a ring, so that a new frame costs one
output of each layer, whatever the receptive field.
"""

from __future__ import annotations

from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.rays import Crop, RayNet, crop, place
from spgnet.models.temporal import TemporalEncoder


class Ring:
    """The latest inputs of a layer: ``width`` taps, ``dilation`` frames apart."""

    def __init__(self, width: int, dilation: int) -> None:
        self.size = (width - 1) * dilation + 1
        self.offsets = torch.arange(0, self.size, dilation)
        self.pushed = 0

    def push(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch 1 width features"] | None:
        """Take in a frame; the taps that end with it, or None as long as there are too few frames."""
        if not self.pushed:
            self.frames = x.new_zeros(len(x), self.size, x.shape[1])
        self.frames[:, self.pushed % self.size] = x
        self.pushed += 1
        if self.pushed < self.size:
            return None
        return self.frames[:, (self.offsets + self.pushed) % self.size].unsqueeze(1)


class EncoderStream:
    """A temporal encoder that is given one frame at a time, and looks at every ``stride``-th."""

    def __init__(self, encoder: TemporalEncoder, stride: int) -> None:
        self.encoder = encoder
        layers = zip(encoder.widths, encoder.dilations, strict=True)
        self.rings = [Ring(width, dilation * stride) for width, dilation in layers]

    def push(self, features: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch 1 outputs"] | None:
        """Take in a frame; the output whose receptive field ends with it, once there is one."""
        taps = self.rings[0].push(features)
        if taps is None:
            return None
        x = self.encoder.first(taps.flatten(2))
        for pair, ring in zip(self.encoder.pairs, self.rings[1:], strict=True):
            taps = ring.push(x[:, 0])
            if taps is None:
                return None
            x = pair(taps)
        return self.encoder.last(x)


class SequenceStream:
    """:func:`spgnet.models.network.lift_sequence`, one frame at a time.

    Args:
        model: in evaluation mode.
        flip: average with the result for the mirrored input, mirrored back.
        stride: frames from one that an output looks at to the next.
    """

    def __init__(self, model: RayNet, *, flip: bool = True, stride: int = 1) -> None:
        self.model, self.flip, self.stride = model, flip, stride
        assert isinstance(model.trajectory, TemporalEncoder)
        self.encoders = EncoderStream(model.pose, stride), EncoderStream(model.trajectory, stride)
        self.crops: deque[Crop] = deque(maxlen=self.lookahead + 1)
        self.last: Tensor | None = None

    @property
    def lookahead(self) -> int:
        """How many frames the output is behind the input."""
        return self.model.context[1] * self.stride

    def push(self, rays: Float[Tensor, "17 3"]) -> Float[Tensor, "17 3"] | None:
        """Take in a frame; the joints of the frame ``lookahead`` before it, once there is one."""
        rays = rays.to(next(self.model.parameters()))
        if self.last is None:  # before the first frame, that frame is repeated, as for whole sequences
            for _ in range(self.model.context[0] * self.stride):
                self._push(rays)
        self.last = rays
        return self._push(rays)

    def finish(self) -> list[Float[Tensor, "17 3"]]:
        """The joints of the last frames: up to ``lookahead`` of them."""
        if self.last is None:
            return []
        outputs = [self._push(self.last) for _ in range(self.lookahead)]
        return [output for output in outputs if output is not None]

    @torch.no_grad()
    def _push(self, rays: Tensor) -> Tensor | None:
        both = torch.stack((rays, HUMAN36M.flip(rays))) if self.flip else rays.unsqueeze(0)
        seen = crop(both.unsqueeze(1))
        self.crops.append(seen)
        pose, offset = (encoder.push(seen.features[:, 0]) for encoder in self.encoders)
        if pose is None or offset is None:
            return None
        joints = place(pose, offset, self.crops[0]).joints[:, 0]
        return (joints[0] + HUMAN36M.flip(joints[1])) / 2 if self.flip else joints[0]

"""Lifting frame by frame: the result of the whole sequence, at the same cost for every frame.

Each convolution keeps its past input frames in a ring buffer, so that a new frame costs one output of each
convolution, whatever the receptive field.
"""

from __future__ import annotations

from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.folded import fold_linear
from spgnet.models.rays import PerspectiveCrop, RayNet, backproject, crop_to_person
from spgnet.models.temporal import TemporalEncoder


class RingBuffer:
    """The latest input frames of a convolution with ``width`` taps, ``dilation`` frames apart."""

    def __init__(self, width: int, dilation: int) -> None:
        self.size = (width - 1) * dilation + 1
        self.offsets = torch.arange(0, self.size, dilation)
        self.pushed = 0

    def push(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch 1 width features"] | None:
        """Add a frame; return the taps that end with it, or None while there are too few frames."""
        if not self.pushed:
            self.frames = x.new_zeros(len(x), self.size, x.shape[1])
        self.frames[:, self.pushed % self.size] = x
        self.pushed += 1
        if self.pushed < self.size:
            return None
        return self.frames[:, (self.offsets + self.pushed) % self.size].unsqueeze(1)


class EncoderStream:
    """A temporal encoder, evaluated one frame at a time; its taps are ``stride`` times as far apart.

    Args:
        encoder: in evaluation mode.
        stride: factor of the distance between taps.
    """

    def __init__(self, encoder: TemporalEncoder, stride: int) -> None:
        self.input_block, self.head = fold_linear(encoder.input_block), encoder.head
        self.blocks = [
            (fold_linear(block.dilated), fold_linear(block.pointwise), block.residual_tap)
            for block in encoder.residual_blocks
        ]
        taps = zip(encoder.filter_widths, encoder.dilations, strict=True)
        self.buffers = [RingBuffer(width, dilation * stride) for width, dilation in taps]

    def push(self, features: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch 1 outputs"] | None:
        """Add a frame; return the output whose receptive field ends with it, once there is one."""
        taps = self.buffers[0].push(features)
        if taps is None:
            return None
        x = self.input_block(taps.flatten(2)).relu_()
        for (dilated, pointwise, residual_tap), buffer in zip(self.blocks, self.buffers[1:], strict=True):
            taps = buffer.push(x[:, 0])
            if taps is None:
                return None
            x = taps[:, :, residual_tap] + pointwise(dilated(taps.flatten(2)).relu_()).relu_()
        return self.head(x)


class SequenceStream:
    """:func:`spgnet.models.network.lift_sequence`, one frame at a time.

    Args:
        model: in evaluation mode.
        flip: average with the result for the mirrored input, mirrored back.
        stride: step between the input frames of a receptive field.
    """

    def __init__(self, model: RayNet, *, flip: bool = True, stride: int = 1) -> None:
        self.model, self.flip, self.stride = model, flip, stride
        assert isinstance(model.trajectory, TemporalEncoder)
        self.encoders = EncoderStream(model.pose, stride), EncoderStream(model.trajectory, stride)
        self.crops: deque[PerspectiveCrop] = deque(maxlen=self.lookahead + 1)
        self.last_rays: Tensor | None = None

    @property
    def lookahead(self) -> int:
        """How many frames the output is behind the input."""
        return self.model.context[1] * self.stride

    def push(self, rays: Float[Tensor, "17 3"]) -> Float[Tensor, "17 3"] | None:
        """Add a frame; return the joints of the frame ``lookahead`` before it, once there is one.

        Args:
            rays: x / z, y / z, and 1 where the joint is visible or 0 where a gap was filled.

        Returns:
            Joints relative to the camera, in metres.
        """
        rays = rays.to(next(self.model.parameters()))
        if self.last_rays is None:  # before the first frame, that frame is repeated, as in lift_sequence
            for _ in range(self.model.context[0] * self.stride):
                self._push(rays)
        self.last_rays = rays
        return self._push(rays)

    def finish(self) -> list[Float[Tensor, "17 3"]]:
        """The joints of the last frames: up to ``lookahead`` of them."""
        if self.last_rays is None:
            return []
        outputs = [self._push(self.last_rays) for _ in range(self.lookahead)]
        return [output for output in outputs if output is not None]

    @torch.no_grad()
    def _push(self, rays: Tensor) -> Tensor | None:
        batch = torch.stack((rays, HUMAN36M.flip(rays))) if self.flip else rays.unsqueeze(0)
        crop = crop_to_person(batch.unsqueeze(1))
        self.crops.append(crop)
        pose, root = (encoder.push(crop.features[:, 0]) for encoder in self.encoders)
        if pose is None or root is None:
            return None
        joints = backproject(pose, root, self.crops[0]).joints[:, 0]
        return (joints[0] + HUMAN36M.flip(joints[1])) / 2 if self.flip else joints[0]

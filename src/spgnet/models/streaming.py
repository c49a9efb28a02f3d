"""Lifting frame by frame: the result of the whole sequence, at the same cost for every frame.

Each convolution remembers its past input frames, so that a new frame costs one output of each convolution,
whatever the receptive field.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.folded import fold_linear
from spgnet.models.network import add_mirrored, average_mirrored
from spgnet.models.rays import PerspectiveCrop, RayNet, backproject, crop_to_person
from spgnet.models.temporal import TemporalEncoder


class StreamingEncoder(nn.Module):
    """A temporal encoder, one frame at a time, with the past inputs of its convolutions as states.

    Args:
        encoder: in evaluation mode.
        stride: step between the input frames of a receptive field.
    """

    def __init__(self, encoder: TemporalEncoder, stride: int) -> None:
        super().__init__()
        self.input_block, self.head = fold_linear(encoder.input_block), encoder.head
        self.dilated = nn.ModuleList(fold_linear(block.dilated) for block in encoder.residual_blocks)
        self.pointwise = nn.ModuleList(fold_linear(block.pointwise) for block in encoder.residual_blocks)
        self.residual_taps = [block.residual_tap for block in encoder.residual_blocks]
        self.widths, self.channels = encoder.filter_widths, encoder.head.in_features
        self.inputs = self.input_block.in_features // self.widths[0]
        self.dilations = [dilation * stride for dilation in encoder.dilations]

    def state_shapes(self) -> list[tuple[int, int]]:
        """Past frames and features that each convolution remembers."""
        features = [self.inputs, *(self.channels for _ in self.dilated)]
        frames = [(width - 1) * dilation for width, dilation in zip(self.widths, self.dilations, strict=True)]
        return list(zip(frames, features, strict=True))

    def forward(
        self, features: Float[Tensor, "batch inputs"], states: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "batch 1 outputs"], list[Tensor]]:
        """The output whose receptive field ends with a frame, and the states for the next frame."""
        taps, following = self._taps(0, features, states[0])
        x, next_states = self.input_block(taps.flatten(1)).relu(), [following]
        blocks = zip(self.dilated, self.pointwise, self.residual_taps, strict=True)
        for number, (dilated, pointwise, residual_tap) in enumerate(blocks, start=1):
            taps, following = self._taps(number, x, states[number])
            next_states.append(following)
            x = taps[:, residual_tap] + pointwise(dilated(taps.flatten(1)).relu()).relu()
        return self.head(x).unsqueeze(1), next_states

    def _taps(self, number: int, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The taps of a convolution that end with ``x``, and what it remembers for the next frame."""
        frames = torch.cat((state, x.unsqueeze(1)), dim=1)
        return frames[:, :: self.dilations[number]], frames[:, 1:]


class StreamingNetwork(nn.Module):
    """A network on rays, one frame at a time; all that it remembers comes and goes as tensors.

    The states of the first frame are ``first_states``. It is passed ``warm_up`` times, as
    :func:`spgnet.models.network.lift_sequence` repeats it before the sequence. Each call gives the joints of
    the frame ``lookahead`` frames before, which mean nothing until there is one.

    Args:
        model: in evaluation mode.
        flip: average with the result for the mirrored input, mirrored back.
        stride: step between the input frames of a receptive field.

    Attributes:
        lookahead: how many frames the joints are behind the rays.
        warm_up: how often the first frame is passed before the second.
    """

    def __init__(self, model: RayNet, *, flip: bool = True, stride: int = 1) -> None:
        super().__init__()
        assert isinstance(model.trajectory, TemporalEncoder)
        before, after = model.context
        self.flip, self.lookahead, self.warm_up = flip, after * stride, before * stride + 1
        self.pose = StreamingEncoder(model.pose, stride)
        self.trajectory = StreamingEncoder(model.trajectory, stride)

    def first_states(self) -> list[Tensor]:
        """Zeros: for the encoders, and for the crops of the frames that are still to be answered."""
        joints, batch = len(HUMAN36M), 2 if self.flip else 1
        shapes = [*self.pose.state_shapes(), *self.trajectory.state_shapes()]
        if self.lookahead:
            shapes += [(self.lookahead, *shape) for shape in ((joints, 2), (3, 3), (1, 1))]
        return [self.pose.head.weight.new_zeros(batch, *shape) for shape in shapes]

    def forward(
        self, rays: Float[Tensor, "17 3"], states: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "17 3"], list[Tensor]]:
        """The joints of the frame ``lookahead`` frames before, and the states for the next frame."""
        crop = crop_to_person(add_mirrored(rays[None], self.flip))
        split = len(self.pose.widths)
        pose, pose_states = self.pose(crop.features[:, 0], states[:split])
        root, root_states = self.trajectory(crop.features[:, 0], states[split : 2 * split])
        crop, crop_states = self._delayed(crop, states[2 * split :])
        joints = average_mirrored(backproject(pose, root, crop).joints, self.flip)
        return joints[0], [*pose_states, *root_states, *crop_states]

    def _delayed(
        self, crop: PerspectiveCrop, states: Sequence[Tensor]
    ) -> tuple[PerspectiveCrop, list[Tensor]]:
        """The crop of ``lookahead`` frames before, and the states for the next frame."""
        if not self.lookahead:
            return crop, []
        kept = (crop.points, crop.rotation, crop.size)
        recent = [torch.cat(pair, dim=1) for pair in zip(states, kept, strict=True)]
        return PerspectiveCrop(crop.features, *(x[:, :1] for x in recent)), [x[:, 1:] for x in recent]


class SequenceStream:
    """:func:`spgnet.models.network.lift_sequence`, one frame at a time.

    Args:
        model: in evaluation mode.
        flip: average with the result for the mirrored input, mirrored back.
        stride: step between the input frames of a receptive field.
    """

    def __init__(self, model: RayNet, *, flip: bool = True, stride: int = 1) -> None:
        self.network = StreamingNetwork(model, flip=flip, stride=stride)
        self.states = self.network.first_states()
        self.pushed = 0
        self.last_rays: Tensor | None = None

    @property
    def lookahead(self) -> int:
        """How many frames the output is behind the input."""
        return self.network.lookahead

    def push(self, rays: Float[Tensor, "17 3"]) -> Float[Tensor, "17 3"] | None:
        """Add a frame; return the joints of the frame ``lookahead`` before it, once there is one.

        Args:
            rays: x / z, y / z, and 1 where the joint is visible or 0 where a gap was filled.

        Returns:
            Joints relative to the camera, in metres.
        """
        rays = rays.to(self.states[0])
        if self.last_rays is None:
            for _ in range(self.network.warm_up - 1):
                self._step(rays)
        self.last_rays = rays
        return self._push(rays)

    def finish(self) -> list[Float[Tensor, "17 3"]]:
        """The joints of the last frames: up to ``lookahead`` of them."""
        if self.last_rays is None:
            return []
        outputs = [self._push(self.last_rays) for _ in range(self.lookahead)]
        return [output for output in outputs if output is not None]

    def _push(self, rays: Tensor) -> Tensor | None:
        joints = self._step(rays)
        self.pushed += 1
        return joints if self.pushed > self.lookahead else None

    @torch.no_grad()
    def _step(self, rays: Tensor) -> Tensor:
        joints, self.states = self.network(rays, self.states)
        return joints

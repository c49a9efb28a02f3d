"""Training samples: short sequences of output frames with the 2D input around them, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spgnet.data.dataset import PoseDataset
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import InputSpace


@dataclass(frozen=True)
class Batch:
    """Samples of consecutive output frames, with the input frames around them.

    Args:
        keypoints_2d: 2D input of the output frames and of their context, as the network takes it. A window
            is the frames before the output frames, these, and the frames after them.
        target_2d: the 2D pose of the output frames that a re-projection should meet: their part of the
            input or, for randomized samples, the exact one.
        joints: true joints at the output frames, metres, camera frame.
        cameras: the camera of each sample, shape [batch]; None for rays, which need none.
        input_space: the coordinates of ``keypoints_2d`` and ``target_2d``.
    """

    keypoints_2d: Float[Tensor, "batch window 17 channels"]
    target_2d: Float[Tensor, "batch frames 17 2"]
    joints: Float[Tensor, "batch frames 17 3"]
    cameras: Camera | None
    input_space: InputSpace = "screen"

    @property
    def root(self) -> Float[Tensor, "batch frames 1 3"]:
        """The true trajectory."""
        return self.joints[:, :, :1]

    @property
    def pose(self) -> Float[Tensor, "batch frames 17 3"]:
        """The true pose, relative to its root."""
        return self.joints - self.root


@runtime_checkable
class Sampler(Protocol):
    """Draws batches of training samples, with random changes from PyTorch's global generator."""

    def __len__(self) -> int:
        """The number of places in the data that a sample can be drawn from."""
        ...

    def draw(self, places: Int[Tensor, " batch"]) -> Batch:
        """A batch of samples.

        Args:
            places: numbers below ``len(self)``, one for every sample. A sampler that chooses places itself
                draws as many samples.
        """
        ...


class WindowSampler:
    """Draws windows of a dataset, on its device.

    Args:
        dataset: what to draw from.
        frames_per_sample: consecutive output frames of a sample, all of which are evaluated frames.
        context: input frames before the first and after the last output frame. Where a window reaches
            over the end of its sequence, the sequence's first or last frame is repeated.
        input_space: coordinates of the 2D input.
        flip: mirror a random half of the samples left to right.

    Raises:
        InputError: no sequence has as many evaluated frames in a row as a sample needs, or the input space
            is ``"image"``, in which a camera's mirror image is not known.
    """

    def __init__(
        self,
        dataset: PoseDataset,
        *,
        frames_per_sample: int,
        context: tuple[int, int],
        input_space: InputSpace = "screen",
        flip: bool = True,
    ) -> None:
        if input_space == "image":
            raise InputError("networks that take VideoPose3D's image coordinates cannot be trained here")
        self.frames_per_sample, self.context = frames_per_sample, context
        self.input_space: InputSpace = input_space
        self.flip = flip
        self.keypoints_2d, self.joints = dataset.inputs(input_space), dataset.joints
        self.cameras, self.sequence = dataset.cameras, dataset.sequence_of_frames()
        self.first = dataset.starts[self.sequence]
        self.last = (dataset.starts + dataset.lengths - 1)[self.sequence]
        frame = torch.arange(len(self.sequence), device=self.sequence.device)
        complete = frame + frames_per_sample - 1 <= self.last
        if dataset.eval_mask is not None:
            left_out = torch.cat((frame.new_zeros(1), (~dataset.eval_mask).cumsum(0)))
            complete &= left_out[(frame + frames_per_sample).clamp(max=len(frame))] == left_out[:-1]
        self.starts = frame[complete]
        if not len(self.starts):
            raise InputError(
                f"too few frames: a sample needs {frames_per_sample} in a row, "
                f"the longest clip has {int(dataset.lengths.max())}"
            )

    def __len__(self) -> int:
        """The number of windows."""
        return len(self.starts)

    def draw(self, places: Int[Tensor, " batch"]) -> Batch:
        """The windows of the given numbers, mirrored at random."""
        flip = self._random_flip(len(places))
        return self.gather(places.to(self.starts.device), flip)

    def draw_anywhere(self, count: int) -> Batch:
        """Windows of random numbers, mirrored at random."""
        flip = self._random_flip(count)
        return self.gather(torch.randint(len(self), (count,)).to(self.starts.device), flip)

    def _random_flip(self, count: int) -> Bool[Tensor, " batch"]:
        return (torch.rand(count) < (0.5 if self.flip else 0)).to(self.starts.device)

    def gather(self, places: Int[Tensor, " batch"], flip: Bool[Tensor, " batch"]) -> Batch:
        """The windows of the given numbers, mirrored left to right where ``flip`` is true."""
        start = self.starts[places]
        before, after = self.context
        offsets = torch.arange(-before, self.frames_per_sample + after, device=start.device)
        first, last = self.first[start].unsqueeze(1), self.last[start].unsqueeze(1)
        frames = (start.unsqueeze(1) + offsets).clamp(first, last)
        output = slice(before, before + self.frames_per_sample)
        keypoints_2d = _mirror_where(flip, self.keypoints_2d[frames])
        return Batch(
            keypoints_2d=keypoints_2d,
            target_2d=keypoints_2d[:, output, :, :2],
            joints=_mirror_where(flip, self.joints[frames[:, output]]),
            cameras=self.cameras[self.sequence[start]].flipped_where(flip),
            input_space=self.input_space,
        )


def _mirror_where(flip: Bool[Tensor, " b"], joints: Float[Tensor, "b t 17 d"]) -> Float[Tensor, "b t 17 d"]:
    return torch.where(flip[:, None, None, None], HUMAN36M.flip(joints), joints)

"""Training samples: short runs of consecutive output frames, gathered from the views by index."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spgnet.data.dataset import PoseDataset
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M


@dataclass(frozen=True)
class Batch:
    """Samples of ``run`` consecutive output frames, with the input frames around them.

    Args:
        screen: 2D input of the output frames and of their context (before + run + after frames).
        seen: the 2D pose of the output frames that a re-projection should meet: their part of the input
            or, for wild samples, the exact one.
        joints: true joints at the output frames, metres, camera frame.
        cameras: the camera of each sample, shape [batch].
    """

    screen: Float[Tensor, "batch window 17 channels"]
    seen: Float[Tensor, "batch run 17 2"]
    joints: Float[Tensor, "batch run 17 3"]
    cameras: Camera

    @property
    def root(self) -> Float[Tensor, "batch run 1 3"]:
        """The true trajectory."""
        return self.joints[:, :, :1]

    @property
    def pose(self) -> Float[Tensor, "batch run 17 3"]:
        """The true pose, relative to its root."""
        return self.joints - self.root


class WindowSampler:
    """Gathers batches from views, on their device.

    Args:
        views: the data.
        run: consecutive output frames per sample, all of them scored.
        context: input frames before the first and after the last output frame. Where a window reaches
            over the end of its view, the view's first or last frame is repeated.

    Raises:
        InputError: no view has as many scored frames in a row as a run.
    """

    def __init__(self, views: PoseDataset, *, run: int, context: tuple[int, int]) -> None:
        self.views, self.run, self.context = views, run, context
        view = torch.repeat_interleave(torch.arange(len(views), device=views.lengths.device), views.lengths)
        self.first, self.last = views.starts[view], (views.starts + views.lengths - 1)[view]
        self.view = view
        frame = torch.arange(len(view), device=view.device)
        whole = frame + run - 1 <= self.last
        if views.eval_mask is not None:
            unscored = torch.cat((frame.new_zeros(1), (~views.eval_mask).cumsum(0)))
            whole &= unscored[(frame + run).clamp(max=len(frame))] == unscored[:-1]
        self.starts = frame[whole]
        if not len(self.starts):
            longest = int(views.lengths.max())
            raise InputError(f"too few frames: a sample needs {run} in a row, the longest clip has {longest}")

    def __len__(self) -> int:
        """The number of runs that can be drawn."""
        return len(self.starts)

    def gather(self, runs: Int[Tensor, " batch"], flip: Bool[Tensor, " batch"]) -> Batch:
        """The runs of the given numbers, mirrored left to right where ``flip`` says so."""
        start = self.starts[runs]
        before, after = self.context
        offsets = torch.arange(-before, self.run + after, device=start.device)
        first, last = self.first[start].unsqueeze(1), self.last[start].unsqueeze(1)
        frames = (start.unsqueeze(1) + offsets).clamp(first, last)
        screen = _mirrored(self.views.screen[frames], flip)
        joints = _mirrored(self.views.joints[frames[:, before : before + self.run]], flip)
        cameras = self.views.cameras[self.view[start]]
        return Batch(screen, screen[:, before : before + self.run], joints, cameras.flipped_where(flip))


def _mirrored(joints: Float[Tensor, "b t 17 d"], flip: Bool[Tensor, " b"]) -> Float[Tensor, "b t 17 d"]:
    return torch.where(flip[:, None, None, None], HUMAN36M.flip(joints), joints)

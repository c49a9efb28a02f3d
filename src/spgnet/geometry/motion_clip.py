"""Clips of 3D motion: the joints of one person over time, in the world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.interpolate import interpolate_frames
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.limits import FASTEST, SLOWEST


@dataclass(frozen=True)
class MotionClip:
    """One person's motion at a constant frame rate.

    Args:
        joints: the 17 Human3.6M joints in metres, world frame (z up).
        fps: frames per second.
        name: unique within its source.
        subject: the person.
        action: the person's action; results are grouped by it.
        unmeasured_joints: names of the joints whose positions are guesses.

    Raises:
        InputError: the joints are not 17, there is no frame, a value is not finite, or fps is not
            between :data:`spgnet.limits.SLOWEST` and :data:`spgnet.limits.FASTEST`.
    """

    joints: Float[Tensor, "frames 17 3"]
    fps: float
    name: str
    subject: str
    action: str
    unmeasured_joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.joints.ndim != 3 or self.joints.shape[1:] != (len(HUMAN36M), 3) or not len(self.joints):
            raise InputError(
                f"clip {self.name!r}: joints have shape {tuple(self.joints.shape)}, expected [frames, 17, 3]"
            )
        if not SLOWEST <= self.fps <= FASTEST:
            raise InputError(
                f"clip {self.name!r}: fps is {self.fps:g}, expected a positive number from {SLOWEST:g} to "
                f"{FASTEST:g}"
            )
        finite = self.joints.isfinite().flatten(1).all(dim=1)
        if not bool(finite.all()):
            first = int((~finite).nonzero()[0])
            raise InputError(
                f"clip {self.name!r}: {int((~finite).sum())} of {len(finite)} frames hold NaN or infinity, "
                f"the first is frame {first}"
            )

    def __len__(self) -> int:
        return len(self.joints)

    def resampled(self, fps: float) -> MotionClip:
        """The same motion at another frame rate, by linear interpolation in time."""
        if fps == self.fps:
            return self
        count = int((len(self) - 1) * fps / self.fps + 1e-6) + 1
        position = torch.arange(count, dtype=torch.float64) * (self.fps / fps)
        return replace(self, joints=interpolate_frames(self.joints, position), fps=fps)

    def rotated(self, angle: float) -> MotionClip:
        """The motion rotated about the vertical axis (z) of the world, by an angle in radians."""
        cos, sin = torch.tensor(angle).cos().item(), torch.tensor(angle).sin().item()
        rotation = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=self.joints.dtype)
        return replace(self, joints=self.joints @ rotation.T)

    def with_bone_scales(self, scales: Float[Tensor, " bones"]) -> MotionClip:
        """The motion of a body whose bones are longer or shorter by the given factors.

        Joint angles are kept. The root's path is scaled with the legs, so that the feet stay on the floor.
        """
        lengths = HUMAN36M.bone_lengths(self.joints)
        legs = [
            HUMAN36M.bone_names.index(f"{side}_{j}") for side in ("left", "right") for j in ("knee", "ankle")
        ]
        before, after = lengths[0, legs].sum(), (lengths[0] * scales)[legs].sum()
        moved = self.joints + self.joints[:, :1] * (after / before - 1)
        return replace(self, joints=HUMAN36M.with_bone_lengths(moved, lengths * scales))


def split_to_space(clip: MotionClip, radius: float, shortest: float) -> list[MotionClip]:
    """Split a clip into pieces that each fit into a capture space, and centre them there.

    A piece ends where the pelvis would leave a square of half-width ``radius`` around the middle of its
    path. Frames keep their order and none is used twice.

    Args:
        radius: metres.
        shortest: seconds; shorter pieces are dropped.
    """
    assert radius > 0
    path = clip.joints[:, 0, :2]
    pieces, start = [], 0
    while start < len(clip):
        low, high = path[start:].cummin(dim=0).values, path[start:].cummax(dim=0).values
        inside = ((high - low) <= 2 * radius).all(dim=1)
        length = len(inside) if bool(inside.all()) else int((~inside).nonzero()[0])
        if length >= shortest * clip.fps:
            middle = torch.zeros(3, dtype=clip.joints.dtype)
            middle[:2] = (low[length - 1] + high[length - 1]) / 2
            name = clip.name if length == len(clip) else f"{clip.name}@{start}"
            pieces.append(replace(clip, joints=clip.joints[start : start + length] - middle, name=name))
        start += length
    return pieces

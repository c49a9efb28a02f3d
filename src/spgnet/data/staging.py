"""Staging: motion that was captured elsewhere, put into a capture space and given cameras."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import torch

from spgnet.camera import Camera
from spgnet.data.config import Rig
from spgnet.data.takes import Split
from spgnet.motion import MotionClip, standing_pieces
from spgnet.rigs import human36m_rig, random_rig
from spgnet.skeleton import HUMAN36M

FPS = 50.0
RADIUS = 1.5
"""Half-width of the capture space in metres; clips that leave it are cut and centred anew."""
SHORTEST = 1.0
"""Seconds; shorter pieces are dropped."""
SESSIONS: dict[Split, tuple[str, ...]] = {
    "train": ("S1", "S5", "S6", "S7", "S8"),
    "validation": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
}
"""Human3.6M sessions whose camera rig films the clips of a split, in turn."""
BONE_SPREAD = 0.08
"""Standard deviation of the random bone scales of training clips; the archives hold few body shapes."""


def staged(
    clips: list[MotionClip], split: Split, rig: Rig, generator: torch.Generator
) -> Iterator[tuple[MotionClip, Camera]]:
    """Turn every clip at random, cut it to the capture space, vary training bodies, and assign a rig."""
    sessions = cycle(SESSIONS[split])
    for clip in clips:
        angle = 2 * torch.pi * torch.rand((), generator=generator).item()
        for piece in standing_pieces(clip.resampled(FPS).turned(angle), RADIUS, SHORTEST):
            cameras = human36m_rig(next(sessions)) if rig == "human36m" else _random_rig(generator)
            if split == "train":
                piece = piece.with_bone_scales(random_bone_scales(generator))
            yield piece, cameras


def _random_rig(generator: torch.Generator) -> Camera:
    return random_rig(4, seed=int(torch.randint(2**31, (), generator=generator)))


def random_bone_scales(generator: torch.Generator) -> torch.Tensor:
    """A factor for every bone, the same left and right, kept between 0.75 and 1.3."""
    scale = (torch.randn(len(HUMAN36M), generator=generator) * BONE_SPREAD).exp().clamp(0.75, 1.3)
    return scale[[min(child, HUMAN36M.mirror[child]) for _, child in HUMAN36M.bones]]

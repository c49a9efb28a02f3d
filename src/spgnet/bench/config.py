"""What to measure, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from spgnet.errors import InputError

Case = Literal["lifting", "training", "protocol2", "live", "samples", "gpu", "hour", "start"]


@dataclass(frozen=True)
class BenchConfig:
    """What to measure."""

    videopose3d: Path | None = None
    """Checkout of facebookresearch/VideoPose3D, whose networks and metric are run as they are."""
    only: tuple[Case, ...] = get_args(Case)
    """Which cases."""
    repeats: int = 7
    """How often each program is timed; the median counts."""
    threads: int = 1
    """Threads of PyTorch."""
    weights: str = "default"
    """Weights for lifting an hour."""
    live_weights: str = "live"
    """Weights for lifting frame by frame."""
    out: Path | None = None
    """A JSON file for the result."""

    def __post_init__(self) -> None:
        if self.repeats < 1 or self.threads < 1:
            raise InputError(f"repeats and threads must be at least 1, got {self.repeats}, {self.threads}")

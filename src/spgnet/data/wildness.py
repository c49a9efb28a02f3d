"""How far wild samples differ from the motion that they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

Range = tuple[float, float]


@dataclass(frozen=True)
class Wildness:
    """How far samples are changed. Ranges are drawn from evenly, and shares are of the samples.

    Raises:
        ValueError: a range is upside down, a share is not in [0, 1], or something else is negative, or zero
            where that has no meaning; all faults are named.
    """

    fps: Range = (20.0, 40.0)
    """Frames per second, drawn once a batch; as many as the network is for."""
    speed: Range = (0.8, 1.25)
    """Playing speed, by a factor."""
    stature: Range = (0.975, 0.06)
    """Mean and standard deviation of the body's size, by a factor of one 1.75 m tall: those of grown-ups,
    since nobody can tell the size of a distant person from one camera."""
    bone_spread: float = 0.06
    """Standard deviation of the logarithm of single bones' lengths; left and right alike."""
    mixed: float = 0.3
    """Share with the upper body of another sample."""
    distance: Range = (1.5, 12.0)
    """Metres from the camera to the person, drawn evenly in the logarithm; farther where the camera would be
    less than 1 m aside of somebody far below it."""
    height: Range = (0.2, 3.0)
    """Metres from the floor to the camera."""
    focal: Range = (0.5, 3.0)
    """Focal length in image widths; raised where the person would not fill a tenth of the image, lowered
    where 2.5 m at the person's distance would not fit into it; of no effect where people are cut off."""
    roll: float = 6.0
    """Standard deviation of the camera's roll, in degrees."""
    truncated: float = 0.08
    """Share in which the image shows 0.7 to 2 m of the person, from the head downwards."""
    offset: float = 0.015
    """Standard deviation, in metres, of where in the body a detector puts a joint, about where detectors
    usually do (``spgnet.data.detector_joints``); at 0 it puts all where they are."""
    bias: float = 0.005
    """Standard deviation of a joint's constant detection error, in units of ``person_size``."""
    noise: Range = (0.3, 1.5)
    """Factor of the size of the detector's errors, the constant one included."""
    derived: float = 0.5
    """Share whose pelvis and thorax are the middles of the detected hips and shoulders, as in keypoint sets
    that lack them."""
    headless: float = 0.3
    """Share without ``head_top``, as in keypoint sets that lack it."""
    faceless: float = 0.1
    """Share without ``nose``, as when people are seen from behind."""
    limb_gaps: float = 0.05
    """Share of a limb's frames in which its far half is not seen."""
    frame_gaps: float = 0.01
    """Share of the frames in which nobody is seen."""
    sparse: float = 0.15
    """Share in which only every second to fifth frame is looked at."""

    def __post_init__(self) -> None:
        faults = []
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            if not all(0 <= number < float("inf") for number in values):
                faults.append(f"{name} must be finite and not negative, got {value}")
            elif name in _POSITIVE and not values[0] > 0:
                faults.append(f"{name} must be above 0, got {value}")
            elif len(values) == 2 and name != "stature" and values[0] > values[1]:
                faults.append(f"{name} must be a range from low to high, got {value}")
            elif name in _SHARES and values[0] > 1:
                faults.append(f"{name} is a share of at most 1, got {value}")
        if faults:
            raise ValueError("; ".join(faults))


_POSITIVE = ("fps", "speed", "stature", "distance", "focal")
_SHARES = (
    "mixed",
    "truncated",
    "derived",
    "headless",
    "faceless",
    "limb_gaps",
    "frame_gaps",
    "sparse",
)


def uniform(low: float, high: float, *shape: int, device: torch.device) -> Tensor:
    """Evenly distributed numbers."""
    return low + (high - low) * torch.rand(shape, device=device)

"""How far wild samples differ from the motion that they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Wildness:
    """How far samples are changed; ranges are drawn from evenly, and shares are of the samples.

    Args:
        fps: frame rates, drawn once a batch.
        speed: playing speed, by a factor.
        stature: mean and standard deviation of the size of the body, by a factor of one 1.75 m tall; those
            of grown-ups, since nobody can tell the size of a distant person from one camera.
        bone_spread: standard deviation of the logarithm of single bones' lengths; left and right alike.
        mixed: share of samples with the upper body of another sample.
        distance: of the camera from the person, in metres (evenly in its logarithm).
        height: of the camera above the floor, in metres.
        focal: focal length in image widths; raised where the person would not fill a tenth of the image,
            lowered where 2.5 m at the person's distance would not fit into it.
        roll: standard deviation of the camera's roll, in degrees.
        truncated: share of samples in which the image shows 0.7 to 2 m of the person from the head downwards.
        offset: standard deviation, in metres, of where in the body a detector puts a joint, about where
            detectors usually do (``spgnet.data.detector_joints``).
        bias: standard deviation of a joint's constant detection error, in units of ``person_size``.
        noise: range of a factor of the detector's errors.
        derived: share of samples whose pelvis and thorax are the middles of the detected hips and shoulders,
            as they are in keypoint sets that lack them.
        headless: share of samples without ``head_top``, as in keypoint sets that lack it.
        faceless: share of samples without ``nose``, as when people are seen from behind.
        limb_gaps: share of a limb's frames in which its far half is not seen.
        frame_gaps: share of frames in which nobody is seen.
        sparse: share of samples in which only every second to fifth frame is looked at.
    """

    fps: tuple[float, float] = (20.0, 40.0)
    speed: tuple[float, float] = (0.8, 1.25)
    stature: tuple[float, float] = (0.975, 0.06)
    bone_spread: float = 0.06
    mixed: float = 0.3
    distance: tuple[float, float] = (1.5, 12.0)
    height: tuple[float, float] = (0.2, 3.0)
    focal: tuple[float, float] = (0.5, 3.0)
    roll: float = 6.0
    truncated: float = 0.08
    offset: float = 0.015
    bias: float = 0.005
    noise: tuple[float, float] = (0.3, 1.5)
    derived: float = 0.5
    headless: float = 0.3
    faceless: float = 0.1
    limb_gaps: float = 0.05
    frame_gaps: float = 0.01
    sparse: float = 0.15


def uniform(low: float, high: float, *shape: int, device: torch.device) -> Tensor:
    """Evenly distributed numbers."""
    return low + (high - low) * torch.rand(shape, device=device)

"""Procedural people, filmed by one camera: motions to look at."""

import numpy as np
import torch

from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.rigs import look_at
from spgnet.lifting.motion import Motion
from spgnet.synthetic.procedural import procedural_clips


def camera() -> Camera:
    position = torch.tensor([3.0, -5.0, 1.6])
    return opencv_camera(
        [[1100, 0, 640], [0, 1090, 360], [0, 0, 1]],
        [-0.1, 0.02, 0.001, -0.001, 0.0],
        (1280, 720),
        rotation=look_at(position, torch.tensor([0.0, 0.0, 1.0])),
        position=position,
    )


def people(count: int = 1, *, seconds: float = 2.0, fps: float = 30.0) -> list[Motion]:
    """People beside each other; the later ones come later, and their right arms are uncertain."""
    lens = camera()
    motions = []
    for index, clip in enumerate(procedural_clips(count, seed=3, seconds=seconds, fps=fps)):
        start = 10 * index
        placed = clip.joints[start:] - clip.joints[:, :1].mean(dim=0) * torch.tensor([1.0, 1.0, 0.0])
        joints = lens.world_to_camera(placed + torch.tensor([1.5 * index, 0.0, 0.0]))
        confidence = np.full((len(joints), 17), 0.9, np.float32)
        confidence[:, 14:] = 0.9 if index == 0 else 0.0
        motions.append(
            Motion(
                joints=joints.numpy(),
                confidence=confidence,
                pixels=lens.camera_to_image(joints).numpy(),
                timestamps=(start + np.arange(len(joints))) / fps,
                camera=lens,
                camera_source="a calibration",
                track=index + 1,
                weights="some weights",
            )
        )
    return motions

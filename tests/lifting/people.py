"""A person filmed by a known camera, for the tests of lifting."""

import numpy as np
import torch

from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.keypoints import Keypoints
from spgnet.lifting import Lifter
from spgnet.models import RayNet, RayNetConfig
from spgnet.synthetic.procedural import procedural_clips

SIZE = (720, 1280)


def camera() -> Camera:
    """Four metres away, 1.2 m high, looking along the world's y axis, with a real lens."""
    matrix = [[913.0, 0, 366], [0, 914.0, 638], [0, 0, 1]]
    return opencv_camera(matrix, [0.12, -0.28, -3e-4, 7e-5, 0.2], SIZE, position=[0.0, -4.0, 1.2])


def folding_camera(k1: float = -0.3) -> Camera:
    """A lens beyond whose fold the corners of the image lie; of a stronger distortion, most of the image."""
    return opencv_camera([[900.0, 0, 360], [0, 900.0, 640], [0, 0, 1]], [k1], SIZE)


def filmed(frames: int = 40, fps: float = 30.0, seed: int = 0) -> tuple[Keypoints, np.ndarray]:
    """The exact keypoints of a walk, and its joints in the camera frame."""
    world = procedural_clips(1, seed=seed, seconds=frames / fps, fps=fps)[0].joints
    world = world - world[:, :1] * torch.tensor([1.0, 1.0, 0.0])
    joints = camera().world_to_camera(world)
    pixels = camera().camera_to_image(joints).numpy()
    points = np.concatenate((pixels, np.full((frames, 17, 1), 0.9, np.float32)), axis=-1)
    return Keypoints(points.astype(np.float32), "human36m17", np.arange(frames) / fps, SIZE), joints.numpy()


def lifter(widths: tuple[int, ...] = (3, 3), *, causal: bool = False) -> Lifter:
    """An untrained network that places people sensibly."""
    torch.manual_seed(0)
    model = RayNet(RayNetConfig(filter_widths=widths, channels=16, trajectory_channels=16, causal=causal))
    model.init_root_bias(torch.zeros(3))
    return Lifter(model.eval(), "untrained")

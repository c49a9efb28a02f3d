"""A rigid motion seen by a tilted camera."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.foot import ANKLES, SIDES, foot_points
from spgnet.geometry.rigs import look_at
from spgnet.lifting.motion import Motion
from spgnet.lifting.usual_feet import usual_axes
from spgnet.synthetic.procedural import procedural_clips


def _motion(action: int, seconds: float = 2.0) -> Motion:
    clip = procedural_clips(7, seed=3, seconds=seconds)[action]
    position = torch.tensor([1.5, -6.0, 2.5])
    camera = opencv_camera(
        [[900, 0, 640], [0, 910, 360], [0, 0, 1]],
        [0.1, -0.05, 0.001, 0.002],
        (1280, 720),
        rotation=look_at(position, torch.tensor([0.0, 0.0, 1.0])),
        position=position,
    )
    joints = camera.to(torch.float64).world_to_camera(clip.joints.double())
    rng = np.random.default_rng(0)
    return Motion(
        joints=joints.numpy(),
        confidence=rng.random((len(clip), 17)).round(3),
        pixels=camera.to(torch.float64).camera_to_image(joints).numpy(),
        timestamps=np.arange(len(clip)) / clip.fps,
        camera=camera,
        camera_source="a test",
        weights="none",
    )


@pytest.fixture(scope="session")
def motion() -> Motion:
    """A walk of two seconds at 50 frames per second."""
    return _motion(0)


@pytest.fixture(scope="session")
def late(motion: Motion) -> Motion:
    """A second person, who comes half a second later and leaves earlier."""
    return replace(part(_motion(2), 25, 80), track=4)


@pytest.fixture(scope="session")
def unsure(motion: Motion) -> Motion:
    """The walk with an uncertainty, in metres, and with rejected joints."""
    rng = np.random.default_rng(1)
    uncertainty = rng.uniform(0.01, 0.3, (len(motion), 17)).astype(np.float32)
    return replace(motion, uncertainty=uncertainty, rejected=uncertainty > 0.25)


@pytest.fixture(scope="session", params=range(7))
def any_motion(request: pytest.FixtureRequest) -> Motion:
    """Each action in turn."""
    return _motion(request.param)


@pytest.fixture(scope="session")
def cut() -> Callable[[Motion, int, int], Motion]:
    """Function that gives some frames of a motion."""
    return part


def part(motion: Motion, first: int, last: int) -> Motion:
    names = ("joints", "confidence", "pixels", "timestamps")
    return replace(motion, **{name: getattr(motion, name)[first:last] for name in names})


@pytest.fixture(scope="session")
def walker(motion: Motion) -> Motion:
    """The walk with feet, whose right one is turned up by 20 degrees about the ankle."""
    axes = usual_axes(motion.joints.astype(np.float64))
    turn = Rotation.from_rotvec([0, 0, np.radians(20)]).as_matrix()
    axes[:, 0] = axes[:, 0] @ turn
    ankles = motion.joints[:, [ANKLES[side] for side in SIDES], None]
    feet = ankles + np.einsum("nfij,fpj->nfpi", axes, foot_points().numpy())
    feet = feet.reshape(len(motion), 6, 3)
    pixels = motion.camera.camera_to_image(torch.from_numpy(feet)).numpy()
    contact = np.zeros((len(motion), 2), dtype=bool)
    contact[20:50, 0] = True
    return replace(
        motion,
        joints=np.concatenate((motion.joints, feet), axis=1),
        confidence=np.concatenate((motion.confidence, np.full((len(motion), 6), 0.5)), axis=1),
        pixels=np.concatenate((motion.pixels, pixels), axis=1),
        foot_contact=contact,
    )

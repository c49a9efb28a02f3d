"""People on a floor before a camera, as the least-squares problem of lifting sees them."""

from collections.abc import Sequence

import numpy as np
import torch

from lifting.people import camera
from spgnet.lifting.body import BONES, KINDS, Body
from spgnet.lifting.guidance import ANKLES, NODE_SECONDS, Deviations, Floor, Observations, State
from spgnet.synthetic.detector_joints import usual_offsets
from spgnet.synthetic.procedural import procedural_clips

UP = camera().rotation.double().numpy()[:, 2]
CAMERA_HEIGHT = 1.2
EXACT_FLOOR = Floor(UP, 0.08 - CAMERA_HEIGHT, prior_height=0.08 - CAMERA_HEIGHT)


def true_joints(nodes: int, seed: int = 0, *, aside: float = 0.0) -> np.ndarray:
    """A walk in the camera frame, at nodes, some metres aside."""
    clip = procedural_clips(1, seed=seed, seconds=nodes * NODE_SECONDS + 1, fps=1 / NODE_SECONDS)[0]
    world = clip.joints[:nodes].double()
    start = world[:, 0].mean(dim=0) * torch.tensor([1.0, 1.0, 0.0])
    world = world - start + torch.tensor([aside, 0.0, 0.0])
    return camera().to(torch.float64).world_to_camera(world).numpy()


def disturbed(
    body: Body, seed: int, *, degrees: float = 6.0, metres: float = 0.05, scale: float = 1.0
) -> Body:
    """A body whose bones are turned, its path moved, and its lengths changed, smoothly over time."""
    rng = np.random.default_rng(seed)
    time = np.arange(len(body.root)) * NODE_SECONDS
    rates, starts = rng.uniform(0.2, 0.6, (BONES + 1, 3)), rng.uniform(0, 1, (BONES + 1, 3))
    waves = np.sin(2 * np.pi * (time[:, None, None] * rates + starts))
    directions = body.directions + np.radians(degrees) * waves[:, 1:]
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    lengths = body.log_lengths + 0.01 * rng.normal(size=KINDS) + np.log(scale)
    return Body(scale * (body.root + metres * waves[:, 0]), directions, lengths)


def observed(joints: np.ndarray, network: Body, *, noise: float = 0.0, seed: int = 0) -> Observations:
    """What a detector sees of joints, in rays with normal errors of so much, beside what the network says."""
    rng = np.random.default_rng(seed)
    offsets = usual_offsets(torch.from_numpy(joints)).numpy()
    seen = joints + offsets
    sizes = np.array(Deviations().detection) * 0.4  # a person's size in rays
    heights = joints[:, ANKLES] @ UP + CAMERA_HEIGHT
    slow = np.linalg.norm(np.gradient(joints[:, ANKLES], NODE_SECONDS, axis=0), axis=-1) < 0.3
    return Observations(
        rays=seen[..., :2] / seen[..., 2:] + noise * rng.normal(size=(*joints.shape[:2], 2)),
        variances=np.broadcast_to(sizes**2, joints.shape[:2]).copy(),
        offsets=offsets,
        network=network,
        step=NODE_SECONDS,
        joined=np.ones(len(joints)),
        stance=(slow & (heights < 0.15)) * 1.0,
        grounded=(slow & (heights < 0.15)) * 1.0,
    )


def first_state(people: Sequence[Observations], floor: Floor = EXACT_FLOOR) -> State:
    return State(tuple(person.network for person in people), np.zeros(len(people)), floor)

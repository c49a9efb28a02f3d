"""Projection-guided lifting: refine the motions of a clip's people against its image, its floor and physics.

The problem that is solved is that of :mod:`spgnet.lifting.guidance`. Here are its input and its output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from spgnet.geometry.foot import POINT_HEIGHT
from spgnet.geometry.interpolate import interpolate_at, nearest_at
from spgnet.geometry.skeleton import ANKLE_HEIGHT, HUMAN36M
from spgnet.lifting.body import Body, body_of_joints
from spgnet.lifting.floor import (
    concatenate_people,
    estimate_up,
    observe,
    runs,
    stances,
    with_world,
)
from spgnet.lifting.guidance import (
    ANKLES,
    NODE_SECONDS,
    Deviations,
    Floor,
    Observations,
    Soles,
    State,
)
from spgnet.lifting.inputs import FRAMES_AT_ONCE, network_input
from spgnet.lifting.motion import Motion
from spgnet.lifting.windows import (
    NodeCallback,
    NodeProgress,
    Solution,
    count_nodes,
    ignore_node_progress,
    nodes_to_solve,
    solve_clip,
)
from spgnet.synthetic.detector_joints import usual_offsets
from spgnet.synthetic.detector_noise import person_size

_SCALE_DIFFERENCE = 0.35
"""Logarithm of the largest ratio between two people's scales that the network's errors explain."""
_CALIBRATED_HEIGHT = 0.03
"""Standard deviation of a calibrated floor's height, in metres."""
CALIBRATION = {
    "pelvis": (0.023, 1.50),
    "hip": (0.115, 1.50),
    "knee": (0.084, 0.25),
    "ankle": (0.124, 0.75),
    "spine": (0.116, 1.50),
    "thorax": (0.068, 0.70),
    "nose": (0.102, 1.45),
    "head_top": (0.088, 0.95),
    "shoulder": (0.090, 1.50),
    "elbow": (0.081, 0.30),
    "wrist": (0.109, 0.45),
}
"""For each kind of joint c and p: c (s / 5 cm)^p metres hold 68 % of the errors once, and 95 % twice.

Here s is the standard deviation by the least-squares problem, which does not know that errors of the network
and the detector are correlated in time. Fitted by ``benchmarks/refinement.py --fit``.
"""
_SCALES, _POWERS = (np.array([CALIBRATION[kind][part] for kind in HUMAN36M.joint_types]) for part in (0, 1))


def calibrate(deviations: Float[np.ndarray, "*nodes 17"]) -> Float[np.ndarray, "*nodes 17"]:
    """Uncertainties in metres from the joints' standard deviations by the least-squares problem."""
    return _SCALES * (deviations / 0.05) ** _POWERS


FindSoles = Callable[[int, Motion, Float[np.ndarray, " nodes"], NodeCallback], Soles | None]
"""Finds the soles, in metres, of a person by number, at the nodes, from the motion that was refined without
soles; None if they are never on the floor. It calls the last argument with 0 after every window of its own,
where the refinement can be cancelled."""


def refine(
    motions: Sequence[Motion],
    *,
    sizes: Deviations | None = None,
    find_soles: FindSoles | None = None,
    on_progress: NodeProgress = ignore_node_progress,
) -> list[Motion]:
    """Refine motions so that they project onto their detections, keep their bones, and stand on one floor.

    Args:
        motions: as lifted by the network, of the people of one clip, with one camera. Feet are left out.
        sizes: standard deviations of the terms.
        find_soles: finds the points of feet on the floor, which a second solution then keeps still.
        on_progress: called after every window of nodes.

    Returns:
        The motions with refined joints and their uncertainty. If the camera's extrinsics were arbitrary and
        somebody stands, they are those of the estimated floor.
    """
    sizes, motions = sizes or Deviations(), [motion.without_feet() for motion in motions]
    nodes = [node_times(motion.timestamps) for motion in motions]
    people = [observations(motion, times, sizes) for motion, times in zip(motions, nodes, strict=True)]
    second = 0 if find_soles is None else nodes_to_solve(people)
    total = nodes_to_solve(people, rough=True) + nodes_to_solve(people) + second
    on_solved = count_nodes(total, on_progress)
    state = State(tuple(person.network for person in people), np.zeros(len(people)), _NO_FLOOR)
    state = solve_clip(people, state, sizes, rough=True, on_solved=on_solved).state
    people, state = _stand_on_floor(people, state, motions, nodes)
    solution = solve_clip(people, state, sizes, on_solved=on_solved)
    refined = _motions(motions, nodes, solution)
    if not _anybody_stands(people):
        on_solved(second)
        return refined
    refined = _in_world(refined, solution.state.floor)
    soles = [
        find_soles and find_soles(number, motion, times, on_solved)
        for number, (motion, times) in enumerate(zip(refined, nodes, strict=True))
    ]
    if not any(soles):
        on_solved(second)
        return refined
    state = solution.state
    people = [
        replace(person, soles=each and _on_ankles(each, scale, state.floor))
        for person, each, scale in zip(people, soles, state.scales, strict=True)
    ]
    solution = solve_clip(people, state, sizes, on_solved=on_solved)
    return _in_world(_motions(motions, nodes, solution), solution.state.floor)


def _stand_on_floor(
    people: Sequence[Observations], state: State, motions: Sequence[Motion], nodes: Sequence[np.ndarray]
) -> tuple[list[Observations], State]:
    """The people with their ankles' periods of stance, and the state with the floor, if anybody stands."""
    refined = _motions(motions, nodes, Solution(state, []))
    together = concatenate_people(refined)
    up = _up(together)
    people = [
        replace(person, stance=_stance(motion, person, times, up))
        for person, motion, times in zip(people, refined, nodes, strict=True)
    ]
    if not _anybody_stands(people):
        return people, state
    floor = _first_floor(together, up, people, state)
    people = [
        replace(person, grounded=_grounded(person, body, floor))
        for person, body in zip(people, state.bodies, strict=True)
    ]
    return people, replace(state, floor=floor)


def _anybody_stands(people: Sequence[Observations]) -> bool:
    return any(person.stance.any() for person in people)


def _on_ankles(soles: Soles, scale: float, floor: Floor) -> Soles:
    """Soles whose offsets are in metres as :class:`Observations` has them."""
    raised = soles.offsets + (ANKLE_HEIGHT - POINT_HEIGHT) * floor.up
    return replace(soles, offsets=math.exp(-scale) * raised)


def _in_world(refined: list[Motion], floor: Floor) -> list[Motion]:
    """The motions in a world that stands on the floor, unless their camera's place is known."""
    if refined[0].camera.extrinsics != "arbitrary":
        return refined
    camera = with_world(refined[0], floor.up, ANKLE_HEIGHT - floor.height).camera
    return [replace(motion, camera=camera) for motion in refined]


_NO_FLOOR = Floor(np.array([0.0, -1.0, 0.0]), 0.0)


def _stance(motion: Motion, person: Observations, nodes: np.ndarray, up: np.ndarray) -> np.ndarray:
    """1 at the nodes where an ankle (right, left) is seen and in stance, else 0."""
    in_stance = nearest_at(stances(observe(motion), up), motion.timestamps, nodes)
    return 1.0 * (in_stance & np.isfinite(person.variances[:, ANKLES]))


def _up(motion: Motion) -> np.ndarray:
    """Up in the camera frame: of a world whose floor is known, or estimated."""
    if motion.camera.extrinsics == "arbitrary":
        return estimate_up(motion)
    return motion.camera.rotation.double().numpy()[:, 2]


def _first_floor(together: Motion, up: np.ndarray, people: Sequence[Observations], state: State) -> Floor:
    """The floor on which most people stand, of several such levels the lowest, and what is known of it."""
    if together.camera.extrinsics != "arbitrary":
        height = ANKLE_HEIGHT - float(together.camera.position[2])
        return Floor(up, height, prior_height=height, deviation=_CALIBRATED_HEIGHT)
    standing = [
        _standing_height(person, body, up)
        for person, body in zip(people, state.bodies, strict=True)
        if person.stance.any()
    ]
    levels = [[other for other in standing if _same_level(other, height)] for height in standing]
    level = max(levels, key=lambda heights: (len(heights), -min(heights)))
    return Floor(up, float(np.median(level)))


def _standing_height(person: Observations, body: Body, up: np.ndarray) -> float:
    """Median height of a person's ankles in stance above the camera, in metres."""
    return float(np.median((body.joints[:, ANKLES] @ up)[person.stance > 0]))


def _same_level(height: float, other: float) -> bool:
    """Whether errors of people's scale can explain that their ankles are not equally far below the camera."""
    return height * other > 0 and abs(math.log(height / other)) < _SCALE_DIFFERENCE


def _grounded(person: Observations, body: Body, floor: Floor) -> np.ndarray:
    """Weights of ankles in stance: one for each period on the floor, and 0 for people on another level."""
    weights = np.zeros_like(person.stance)
    if person.stance.any() and _same_level(_standing_height(person, body, floor.up), floor.height):
        for side in range(2):
            for run in runs(person.stance[:, side] > 0):
                weights[run, side] = NODE_SECONDS / (person.step * len(run))
    return weights


def node_times(
    timestamps: Float[np.ndarray, " frames"], seconds: float = NODE_SECONDS
) -> Float[np.ndarray, " nodes"]:
    """Times of the nodes: so many seconds apart, or as far as the frames if these are farther apart.

    A pause in the timestamps has nodes, too, but no clip has more than ten times as many as frames.
    """
    if len(timestamps) == 1:
        return timestamps.astype(np.float64)
    step = max(seconds, float(np.median(np.diff(timestamps))))
    count = round(float(timestamps[-1] - timestamps[0]) / step) + 1
    return np.linspace(timestamps[0], timestamps[-1], min(max(2, count), 10 * len(timestamps)))


def observations(motion: Motion, nodes: Float[np.ndarray, " nodes"], sizes: Deviations) -> Observations:
    """What is known of a person at the nodes: means of the detections around them."""
    network = interpolate_at(motion.joints.astype(np.float64), motion.timestamps, nodes)
    expected = network[..., :2] / network[..., 2:].clip(0.1)
    rays, confidence = _detections_at(motion, nodes)
    size = person_size(torch.from_numpy(expected)).numpy()
    deviations = np.array(sizes.detection) * size[:, None]
    with np.errstate(divide="ignore"):
        variances = np.where(confidence > 0, deviations**2 / confidence, np.inf)
    return Observations(
        rays=np.where(confidence[..., None] > 0, rays, expected),
        variances=variances,
        offsets=usual_offsets(torch.from_numpy(network)).numpy(),
        network=body_of_joints(network),
        step=float(nodes[1] - nodes[0]) if len(nodes) > 1 else NODE_SECONDS,
        joined=np.ones(len(nodes)),
        stance=np.zeros((len(nodes), 2)),
        grounded=np.zeros((len(nodes), 2)),
    )


def _detections_at(
    motion: Motion, nodes: Float[np.ndarray, " nodes"]
) -> tuple[Float[np.ndarray, "nodes 17 2"], Float[np.ndarray, "nodes 17"]]:
    """Means of the detected rays around each node, weighted by confidence, and the mean confidence.

    A frame counts for the two nodes around it, the more the nearer: the adjoint of linear interpolation.
    """
    last = len(nodes) - 1
    total, mass = np.zeros((len(nodes), 17, 3)), np.zeros((len(nodes), 1))
    for start in range(0, len(motion), FRAMES_AT_ONCE):
        part = slice(start, start + FRAMES_AT_ONCE)
        seen = motion.confidence[part] > 0
        weighted = network_input(motion.pixels[part], seen, motion.camera).double().numpy()
        weighted[..., 2] = 1
        weighted *= motion.confidence[part, :, None]
        position = np.interp(motion.timestamps[part], nodes, np.arange(len(nodes)))
        before = np.floor(position).astype(int)
        near = (position - before)[:, None]
        for node, share in ((before, 1 - near), (np.minimum(before + 1, last), near)):
            np.add.at(total, node, share[..., None] * weighted)
            np.add.at(mass, node, share)
    weight = total[..., 2]
    return total[..., :2] / np.where(weight > 0, weight, 1)[..., None], weight / np.where(mass > 0, mass, 1)


def _motions(
    motions: Sequence[Motion], nodes: Sequence[Float[np.ndarray, " _"]], solution: Solution
) -> list[Motion]:
    """The motions of a solution, in their frames: cubic splines through the nodes."""
    results = []
    for number, (motion, times) in enumerate(zip(motions, nodes, strict=True)):
        body, scale = solution.state.bodies[number], math.exp(solution.state.scales[number])
        joints = scale * _joints_at(body, times, motion.timestamps)
        if not solution.variances:
            results.append(replace(motion, joints=joints))
            continue
        deviations = calibrate(scale * np.sqrt(solution.variances[number]))
        results.append(
            replace(
                motion,
                joints=joints,
                uncertainty=interpolate_at(deviations, times, motion.timestamps).astype(np.float32),
            )
        )
    return results


def _joints_at(
    body: Body, nodes: Float[np.ndarray, " nodes"], times: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, "frames 17 3"]:
    """A body's joints at other times than its nodes', in single precision: its bones keep their lengths."""
    joints = body.joints
    if len(nodes) == 1:
        return joints.astype(np.float32)
    result = np.empty((len(times), *joints.shape[1:]), np.float32)
    for joint in range(joints.shape[1]):
        result[:, joint] = CubicSpline(nodes, joints[:, joint])(times)
    lengths = torch.from_numpy(body.lengths)
    for start in range(0, len(times), FRAMES_AT_ONCE):
        part = slice(start, start + FRAMES_AT_ONCE)
        result[part] = HUMAN36M.with_bone_lengths(torch.from_numpy(result[part]).double(), lengths).numpy()
    return result

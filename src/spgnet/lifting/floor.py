"""Up and the floor: estimated from the people who stand and walk, and the world they define."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.geometry.camera import Extrinsics
from spgnet.geometry.skeleton import ANKLE_HEIGHT, HUMAN36M
from spgnet.lifting.bone_lengths import median_bone_lengths
from spgnet.lifting.motion import Motion

_IMAGE_UP = np.array([0.0, -1.0, 0.0])
_ROLL_SPREAD, _PITCH_SPREAD = math.radians(6), math.radians(20)
"""Standard deviations of the roll and pitch of cameras."""
_STANDING_SPREAD, _TRUNK_SPREAD = math.radians(4), math.radians(12)
"""Standard deviations, from the vertical, of the mean direction from ankles to head of standing people, and
of the trunk of others."""
_STANCE_SPREAD = 0.05
"""Standard deviation of ankles in stance from one plane, in metres: steps, raised heels, depth errors."""
_MAX_LEAN, _MAX_LEAN_AWAY = math.radians(45), math.radians(30)
"""The largest angles from the image's up at which a body counts as upright. Away from the camera the limit is
lower: cameras seldom look up steeply, and a person lying with the head away from a camera that looks down
appears to lean away."""
_STANCE_SPEED = 0.35
"""Speed in metres per second below which an ankle may be in stance."""
_FLOOR_SLACK = 0.02
"""Distance in metres by which the lowest joints may be below the stance positions without effect."""
_RARELY_VISIBLE = 0.1
"""Fraction of a person's frames in which a joint must be visible; if not, its guessed positions are used."""
_ITERATIONS = 8
"""Gauss-Newton steps of :func:`estimate_up`."""

_ANKLES = [HUMAN36M.names.index(f"{side}_ankle") for side in ("right", "left")]
_THORAX, _HEAD = HUMAN36M.names.index("thorax"), HUMAN36M.names.index("head_top")

Vector = Float[np.ndarray, " 3"]


@dataclass(frozen=True)
class ObservedMotion:
    """A motion, and which of its joints are used to estimate up and the floor.

    Args:
        joints: in the camera frame, in metres.
        usable: visible joints; joints that are rarely visible in the clip (such as the vertex, which most
            detectors lack) are usable in every frame with a visible joint.
        rate: frames per second.
        leg: length from hip to ankle in metres.
        trunk: length from pelvis to thorax in metres.
    """

    joints: Float[np.ndarray, "frames 17 3"]
    usable: Bool[np.ndarray, "frames 17"]
    rate: float
    leg: float
    trunk: float


@dataclass(frozen=True)
class _Direction:
    """A unit vector that points up, with the standard deviation (`spread`) of its angle in radians."""

    direction: Vector
    spread: float


class UpPrior(NamedTuple):
    """Linear terms about up: the residuals ``rows @ up - target`` have a standard deviation of 1."""

    rows: Float[np.ndarray, "n 3"]
    target: Float[np.ndarray, " n"]


def estimate_up(motion: Motion) -> Vector:
    """Estimate up, the direction against gravity, from the motion: a unit vector in the camera frame.

    It is a least-squares estimate from three terms, each weighted by the inverse of its standard deviation:

    - cameras have little roll (6 degrees) and moderate pitch (20 degrees);
    - people balance, so that the mean direction from the ankles to the top of the head is vertical in frames
      in which they stand upright (4 degrees); without such frames, the direction of the trunk (12 degrees);
    - feet in stance lie in a horizontal plane (5 cm, with outliers down-weighted). This term dominates if the
      person walks far.

    If the person lies in all frames, only the first term remains, and the camera is assumed to be level.
    Frames and joints that are not visible, whose positions are guesses, are not used.
    """
    observed = observe(motion)
    prior, up = up_prior(observed), _IMAGE_UP
    for _ in range(_ITERATIONS):
        up = _refine_up(up, prior, _stance_positions(observed, up))
    return up


def up_prior(observed: ObservedMotion) -> UpPrior:
    """The terms of :func:`estimate_up` that do not depend on feet in stance."""
    rows, target = [np.array([[1 / _ROLL_SPREAD, 0, 0], [0, 0, 1 / _PITCH_SPREAD]])], [np.zeros(2)]
    body = _body_direction(observed)
    if body is not None:
        rows.append(np.eye(3) / body.spread)
        target.append(body.direction / body.spread)
    return UpPrior(np.concatenate(rows), np.concatenate(target))


def align_to_gravity(motion: Motion) -> Motion:
    """Estimate the camera's extrinsics from the motion; the joints, in the camera frame, do not change.

    This is for cameras without calibrated extrinsics. The world's z axis is :func:`estimate_up`; its y axis
    is the horizontal component of the viewing direction, as in ``spgnet.geometry.camera.UPRIGHT``; the
    pelvis of the first frame is above its origin; the floor, z = 0, is that of :func:`place_on_floor`.
    """
    return place_on_floor(with_world(motion, estimate_up(motion), 0.0))


def with_world(motion: Motion, up: Vector, height: float) -> Motion:
    """A motion with estimated extrinsics: those of :func:`align_to_gravity` for a given up and height.

    Args:
        motion: the motion.
        up: unit vector in the camera frame.
        height: of the camera above the floor, in metres.
    """
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    ahead = ahead / np.linalg.norm(ahead)
    rotation = np.stack((np.cross(ahead, up), ahead, up), axis=1)
    pelvis = motion.joints[0, 0].astype(np.float64) @ rotation
    return _with_extrinsics(motion, rotation, np.array([-pelvis[0], -pelvis[1], height]), "estimated")


def place_on_floor(motion: Motion) -> Motion:
    """Move the camera vertically so that the person stands on the floor, z = 0.

    The camera's rotation and horizontal position do not change. The 10th percentile of the heights of ankles
    in stance is placed 0.08 m above the floor, the height of an ankle joint in a shoe. If no ankle is in
    stance, the lowest joints (5th percentile over the frames) are placed at that height instead; if they are
    more than 2 cm below the stance positions, they are placed 2 cm below that height. Frames and joints that
    are not visible are not used.
    """
    observed = observe(motion)
    rotation = motion.camera.rotation.double().numpy()
    up = rotation[:, 2]
    heights = np.where(observed.usable, observed.joints @ up, np.inf)[observed.usable[:, _ANKLES].any(axis=1)]
    lowest = float(np.percentile(heights.min(axis=1), 5))
    stance_positions = _stance_positions(observed, up)
    if len(stance_positions):
        lowest = min(lowest + _FLOOR_SLACK, float(np.percentile(stance_positions @ up, 10)))
    position = motion.camera.position.double().numpy().copy()
    position[2] = ANKLE_HEIGHT - lowest
    calibrated = motion.camera.extrinsics_known
    return _with_extrinsics(motion, rotation, position, "calibrated" if calibrated else "estimated")


def _with_extrinsics(
    motion: Motion, rotation: Float[np.ndarray, "3 3"], position: Vector, extrinsics: Extrinsics
) -> Motion:
    dtype = motion.camera.rotation.dtype
    camera = replace(
        motion.camera,
        rotation=torch.from_numpy(rotation).to(dtype),
        position=torch.from_numpy(position).to(dtype),
        extrinsics=extrinsics,
    )
    return replace(motion, camera=camera)


def observe(motion: Motion) -> ObservedMotion:
    """The motion, with the joints that are visible, or rarely visible, marked as usable."""
    motion = motion.without_feet()
    joints, visible = motion.joints.astype(np.float64), np.asarray(motion.confidence > 0)
    present = np.asarray(visible.any(axis=1)) if visible.any() else np.ones(len(visible), dtype=bool)
    rare = visible[present].mean(axis=0) < _RARELY_VISIBLE
    lengths = dict(zip(HUMAN36M.bone_names, median_bone_lengths(motion).tolist(), strict=True))
    return ObservedMotion(
        joints=joints,
        usable=present[:, None] & (visible | rare),
        rate=motion.fps,
        leg=lengths["right_knee"] + lengths["right_ankle"],
        trunk=lengths["spine"] + lengths["thorax"],
    )


def _body_direction(observed: ObservedMotion) -> _Direction | None:
    """The mean direction of the upright body, or None if it is upright in no frame."""
    joints, usable = observed.joints, observed.usable
    whole, trunk = _from_feet_to_head(joints), joints[:, _THORAX] - joints[:, 0]
    whole_visible = usable[:, [*_ANKLES, _HEAD]].all(axis=1)
    lengths = np.where(whole_visible, np.linalg.norm(whole, axis=-1), 0)
    tall = 0.96 * np.percentile(lengths[whole_visible], 95) if whole_visible.any() else 0
    stands = (lengths > max(tall, observed.leg + observed.trunk)) & _upright(whole)
    sits = usable[:, [0, _THORAX]].all(axis=1) & _upright(trunk)
    if stands.any():
        return _Direction(_mean_direction(whole[stands]), _STANDING_SPREAD)
    return _Direction(_mean_direction(trunk[sits]), _TRUNK_SPREAD) if sits.any() else None


def _from_feet_to_head(joints: Float[np.ndarray, "frames 17 3"]) -> Float[np.ndarray, "frames 3"]:
    """Vectors to the top of the head from a weighted mean of the ankles.

    The weight shifts to the ankle that is further from the head, the supporting one, as their difference
    exceeds a decimetre; if they are equally far, it is the midpoint.
    """
    vectors = joints[:, None, _HEAD] - joints[:, _ANKLES]
    difference = np.diff(np.linalg.norm(vectors, axis=-1), axis=-1)
    share = 1 / (1 + np.exp(-difference / 0.1))
    return (1 - share) * vectors[:, 0] + share * vectors[:, 1]


def _upright(vectors: Float[np.ndarray, "frames 3"]) -> Bool[np.ndarray, " frames"]:
    directions = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (directions @ _IMAGE_UP > math.cos(_MAX_LEAN)) & (directions[:, 2] < math.sin(_MAX_LEAN_AWAY))


def _mean_direction(vectors: Float[np.ndarray, "n 3"]) -> Vector:
    mean = vectors.mean(axis=0)
    return mean / np.linalg.norm(mean)


def stances(observed: ObservedMotion, up: Vector) -> Bool[np.ndarray, "frames 2"]:
    """In which frames the ankles (right, left) are in stance: visible, low and slow for a while.

    Low means below or at most 0.12 m above the other ankle, and at least half a leg's length below the
    pelvis, so that a person who lies has none.
    """
    joints = observed.joints
    result = np.zeros((len(joints), 2), dtype=bool)
    if len(joints) < 3:
        return result
    heights = joints @ up
    half = max(1, round(0.08 * observed.rate))
    for side, ankle in enumerate(_ANKLES):
        low = heights[:, ankle] < heights[:, _ANKLES].min(axis=1) + 0.12
        low &= heights[:, 0] - heights[:, ankle] > 0.5 * observed.leg
        slow = _speed(joints[:, ankle], observed.rate, half) < _STANCE_SPEED
        for run in runs(observed.usable[:, ankle] & low & slow):
            result[run, side] = len(run) > half
    return result


def _stance_positions(observed: ObservedMotion, up: Vector) -> Float[np.ndarray, "n 3"]:
    """Positions of ankles in stance: the median over each period."""
    in_stance = stances(observed, up)
    positions = [
        np.median(observed.joints[run, ankle], axis=0)
        for side, ankle in enumerate(_ANKLES)
        for run in runs(in_stance[:, side])
    ]
    return np.array(positions).reshape(-1, 3)


def _speed(path: Float[np.ndarray, "frames 3"], rate: float, half: int) -> Float[np.ndarray, " frames"]:
    """Speed in metres per second over the frames within ``half`` of each frame."""
    frames = np.arange(len(path))
    after, before = np.minimum(frames + half, len(path) - 1), np.maximum(frames - half, 0)
    return np.linalg.norm(path[after] - path[before], axis=-1) * rate / (after - before)


def runs(flags: Bool[np.ndarray, " frames"]) -> list[np.ndarray]:
    """The indices of each run of consecutive flagged frames."""
    indices = np.flatnonzero(flags)
    return [run for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1) if len(run)]


def _refine_up(up: Vector, prior: UpPrior, stances: Float[np.ndarray, "n 3"]) -> Vector:
    """One Gauss-Newton step of the least-squares problem of :func:`estimate_up` on the unit sphere."""
    matrix, target = prior
    if len(stances) > 1:
        offsets, weights = stances - stances.mean(axis=0), np.ones(len(stances))
        for _ in range(5):  # outliers are down-weighted by Cauchy's weights
            weights = 1 / (1 + (offsets @ up / _STANCE_SPREAD) ** 2)
            offsets = stances - (weights[:, None] * stances).sum(axis=0) / weights.sum()
        matrix = np.concatenate((matrix, np.sqrt(weights)[:, None] * offsets / _STANCE_SPREAD))
        target = np.append(target, np.zeros(len(stances)))
    tangent = np.linalg.svd(up[None])[2][1:].T
    step = np.linalg.lstsq(matrix @ tangent, target - matrix @ up, rcond=None)[0]
    moved = up + tangent @ step
    return moved / np.linalg.norm(moved)


def concatenate_people(motions: Sequence[Motion]) -> Motion:
    """The frames of all people one after another without a pause, to estimate their common floor.

    A pause would lower the frame rate, and so all speeds. The people need not have the same frames. The
    result has only the arrays from which the floor is estimated.
    """
    motions = [motion.without_feet() for motion in motions]
    first = motions[0]
    if len(motions) == 1:
        return first
    shifted = [first.timestamps]
    for motion in motions[1:]:
        shifted.append(motion.timestamps + (shifted[-1][-1] - motion.timestamps[0] + 1 / motion.fps))
    return replace(
        first,
        joints=np.concatenate([motion.joints for motion in motions]),
        confidence=np.concatenate([motion.confidence for motion in motions]),
        pixels=np.concatenate([motion.pixels for motion in motions]),
        timestamps=np.concatenate(shifted),
        uncertainty=None,
        rejected=None,
        foot_contact=None,
    )

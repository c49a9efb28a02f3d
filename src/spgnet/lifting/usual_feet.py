"""The usual position of feet on their shanks: what is believed of feet before they are looked at."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spgnet.geometry.directions import unit_vectors
from spgnet.geometry.foot import ANKLES, SIDES
from spgnet.geometry.skeleton import ANKLE_HEIGHT, HUMAN36M

FLEXION, TURN = 0.15, 0.12
"""Usual flexion of the ankle where the floor is not known, and angle by which feet turn outward, in
radians."""
FLEXIONS = (0.185, 0.395, 0.168, 0.246, -0.588, -0.558)
"""Coefficients of the usual flexion of the ankle in radians, for the terms of :func:`flexion_powers`. Fitted
to captured feet by ``benchmarks/feet.py CAPTURES --fit``."""
_RISE = 0.1
"""Height of an ankle above that of standing ones, in metres, at which a foot is mostly off the floor."""
_ANKLES = [ANKLES[side] for side in SIDES]


def usual_axes(
    joints: Float[np.ndarray, "nodes 17 3"], flexion: Float[np.ndarray, "nodes 2"] | float = FLEXION
) -> Float[np.ndarray, "nodes 2 3 3"]:
    """Axes, as columns, of feet in their usual position on the shanks.

    Args:
        joints: in metres.
        flexion: of the ankles, in radians.
    """
    up, ahead = _shanks(joints)
    turn = np.array([-TURN, TURN])[:, None]
    forward = np.cos(turn) * ahead + np.sin(turn) * np.cross(up, ahead)
    right = np.cross(forward, up)
    flexion = np.broadcast_to(flexion, up.shape[:2])[..., None]
    raised = np.cos(flexion) * forward + np.sin(flexion) * up
    return np.stack((raised, np.cross(right, raised), right), axis=-1)


def usual_flexion(
    joints: Float[np.ndarray, "nodes 17 3"],
    up: Float[np.ndarray, " 3"],
    floor: float,
    stature: float,
) -> tuple[Float[np.ndarray, "nodes 2"], Float[np.ndarray, "nodes 2"]]:
    """The usual flexion of the ankles, and how far the feet are in the air.

    The flexion of a standing foot grows with the shank's forward tilt, and is less as the heel rises. In the
    air, where the feet of runners and of jumpers differ, it is :data:`FLEXION`.

    Args:
        joints: in metres.
        up: unit vector against gravity.
        floor: height of the floor along it, in metres.
        stature: the person's height divided by 1.75 m.

    Returns:
        The flexion in radians, and from 0 (ankle as low as in standing) to 1 (far above).
    """
    heights = (joints[:, _ANKLES] @ up - floor) / stature
    standing = flexion_powers(shank_tilt(joints, up), heights) @ np.array(FLEXIONS)
    air = _in_air(heights)
    return (1 - air) * standing + air * FLEXION, air


def _in_air(heights: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """From 0 for ankles as low as in standing to 1 far above.

    Args:
        heights: above the floor in metres, divided by the stature (:func:`usual_flexion`).
    """
    return _rise(heights).clip(0)


def _rise(heights: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """From -1 to 1: how far ankles are above (positive) or below standing ones; as :func:`_in_air`."""
    return np.tanh((heights - ANKLE_HEIGHT) / _RISE)


def shank_tilt(
    joints: Float[np.ndarray, "nodes 17 3"], up: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "nodes 2"]:
    """Forward tilt of the shanks in radians, 0 when vertical; ``up`` is a unit vector."""
    return -np.arcsin((_shanks(joints)[1] @ up).clip(-1, 1))


def flexion_powers(
    tilt: Float[np.ndarray, "*batch"], height: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch 6"]:
    """The terms of a polynomial of degree two in the shank's tilt and the ankle's rise.

    Args:
        tilt: forward, in radians.
        height: of the ankle above the floor in metres, divided by the stature (:func:`usual_flexion`).
    """
    tilt, rise = tilt.clip(-1, 1), _rise(height)
    return np.stack((np.ones_like(tilt), tilt, rise, tilt**2, tilt * rise, rise**2), axis=-1)


def _shanks(
    joints: Float[np.ndarray, "nodes 17 3"],
) -> tuple[Float[np.ndarray, "nodes 2 3"], Float[np.ndarray, "nodes 2 3"]]:
    """Unit vectors from ankle to knee, and those at right angles to them in which unturned feet point.

    A foot points where the knee bends to; if the knee is nearly straight, where the hips face.
    """
    names = HUMAN36M.names
    hip, knee, ankle = (
        joints[:, [names.index(f"{side}_{joint}") for side in SIDES]] for joint in ("hip", "knee", "ankle")
    )
    across = unit_vectors(hip[:, :1] - hip[:, 1:])
    up = unit_vectors(knee - ankle)
    bend = np.cross(up, unit_vectors(hip - knee))  # as long as the flexion's sine
    right = bend + across / 2
    right = unit_vectors(right - (right * up).sum(axis=-1, keepdims=True) * up)
    return up, np.cross(up, right)

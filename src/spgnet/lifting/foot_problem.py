"""The least-squares problem of the feet: its unknowns, its terms and its solution (docs/refinement.md).

In every node of time each foot has an orientation, a bend of its toes, and a small displacement of its ankle
from where the refined motion has it. Both feet have one size. Every term is divided by its standard deviation
(:class:`FootDeviations`); Levenberg-Marquardt steps with analytic derivatives solve the problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from spgnet.geometry.foot import BALL, POINT_HEIGHT, foot_points
from spgnet.lifting.guidance import NODE_SECONDS
from spgnet.lifting.least_squares import Term, assemble

UNKNOWNS = 7
"""Of a foot in a node: displacement of the ankle, rotation vector, bend of the toes."""
OWN, SHARED = 2 * UNKNOWNS, 1
HEEL, BIG_TOE, SMALL_TOE, BALL_POINT = range(4)
"""Points of a foot: those of FOOT_POINTS, and the ball."""
_POINTS = np.concatenate(
    (foot_points().numpy(), np.broadcast_to(np.array(BALL), (2, 1, 3))), axis=1
)  # of the right and of the left foot, with straight toes, of a person 1.75 m tall
_SOLE = np.array([[1.0, 0, 0, 0], [0, 0, 0, 1], [0, 0.5, 0.5, 0]])
"""Heel, ball and tip of the foot, of whose contacts with the floor is kept account, by shares of the
points."""


@dataclass(frozen=True)
class FootDeviations:
    """Standard deviations of the terms, fitted to simulated video of captured feet (docs/refinement.md)."""

    detection: tuple[float, float] = (0.02, 0.02)
    """Of a detected heel and toe, in units of the person's size in the image."""
    detection_robust: float = 3.0
    """Distance in standard deviations from which detections count less."""
    angles: tuple[float, float, float] = (0.12, 0.15, 0.25)
    """Inversion, rotation and flexion between foot and shank about those that are usual, in radians."""
    flexion: float = 0.15
    """Flexion about the usual one, in radians, while the ankle is as low as in standing. The third of
    ``angles`` holds in the air, and where the floor is not known."""
    bend: tuple[float, float] = (0.3, 0.05)
    """Of toes, upward and downward, in radians."""
    ankle: tuple[float, float] = (0.01, 0.02)
    """Displacement of the ankle across the viewing ray and along it, in metres."""
    acceleration: float = 25.0
    """Of heel and toes relative to the ankle, in metres per square second."""
    ankle_acceleration: float = 3.0
    """Of the displacement of the ankle."""
    size: float = 0.08
    """Of the logarithm of the ratio of the feet's size to that of usual feet at the same stature."""
    still: float = 0.1
    """Speed of what stands on the floor, in metres per second."""
    floor: float = 0.06
    """Its height, in metres. It is large because up is uncertain: a small tilt raises or lowers what is a
    foot's length away."""
    below: float = 0.005
    """How far anything is below the floor, in metres."""
    contact_robust: float = 5.0
    """Distance in standard deviations from which contact counts less."""


class FeetState(NamedTuple):
    """The unknowns.

    Attributes:
        axes: of the right and the left foot, as columns, in the camera frame.
        bend: of the toes, upward, in radians.
        moved: displacement of the ankles in metres.
        log_size: logarithm of the ratio of the feet's size to that of usual feet at the same stature.
    """

    axes: Float[np.ndarray, "nodes 2 3 3"]
    bend: Float[np.ndarray, "nodes 2"]
    moved: Float[np.ndarray, "nodes 2 3"]
    log_size: float

    def after(self, own: Float[np.ndarray, "nodes 14"], shared: float) -> FeetState:
        """The state after a step."""
        step = own.reshape(-1, 2, UNKNOWNS)
        turn = Rotation.from_rotvec(step[..., 3:6].reshape(-1, 3)).as_matrix().reshape(self.axes.shape)
        return FeetState(
            turn @ self.axes, self.bend + step[..., 6], self.moved + step[..., :3], self.log_size + shared
        )

    def select(self, nodes: slice) -> FeetState:
        """Some nodes."""
        return FeetState(self.axes[nodes], self.bend[nodes], self.moved[nodes], self.log_size)


@dataclass(frozen=True)
class FeetObservations:
    """What is known of a person's feet at nodes that are equally spaced in time.

    Args:
        ankles: of the refined motion, right and left, in the camera frame, in metres.
        expected: usual axes of the feet, as columns.
        flexion_deviation: standard deviation of the flexion about the usual one, in radians.
        stature: the person's height divided by 1.75 m.
        marks: shares of heel, big and small toe in each keypoint of a foot.
        rays: x / z and y / z of the keypoints; anything finite where nothing was detected.
        variances: of the rays; infinite where nothing was detected.
        up: unit vector against gravity.
        floor: height of the floor along it; None if it is not known.
        step: seconds from node to node.
        contacts: whether heel, ball and tip of each foot are on the floor.
    """

    ankles: Float[np.ndarray, "nodes 2 3"]
    expected: Float[np.ndarray, "nodes 2 3 3"]
    flexion_deviation: Float[np.ndarray, "nodes 2"]
    stature: float
    marks: Float[np.ndarray, "keypoints 3"]
    rays: Float[np.ndarray, "nodes 2 keypoints 2"]
    variances: Float[np.ndarray, "nodes 2 keypoints"]
    up: Float[np.ndarray, " 3"]
    floor: float | None
    step: float
    contacts: Bool[np.ndarray, "nodes 2 3"]

    def select(self, nodes: slice) -> FeetObservations:
        """Some nodes."""
        names = ("ankles", "expected", "flexion_deviation", "rays", "variances", "contacts")
        return replace(self, **{name: getattr(self, name)[nodes] for name in names})

    def first_state(self) -> FeetState:
        """The usual orientation, with straight toes."""
        nodes = len(self.ankles)
        return FeetState(self.expected.copy(), np.zeros((nodes, 2)), np.zeros((nodes, 2, 3)), 0.0)

    def points(self, state: FeetState) -> Float[np.ndarray, "nodes 2 4 3"]:
        """Heel, toes and ball of both feet in the camera frame, in metres."""
        return (self.ankles + state.moved)[:, :, None] + self.offsets(state)

    def offsets(self, state: FeetState) -> Float[np.ndarray, "nodes 2 4 3"]:
        """The same from the ankles."""
        size = self.stature * np.exp(state.log_size)
        return size * np.einsum("nfij,nfpj->nfpi", state.axes, _bent(state.bend)[0])

    def soles(self, state: FeetState) -> Float[np.ndarray, "nodes 2 3 3"]:
        """Heel, ball and tip of both feet in the camera frame, in metres."""
        return np.einsum("sp,nfpx->nfsx", _SOLE, self.points(state))

    def terms(self, state: FeetState, sizes: FootDeviations) -> list[Term]:
        """The terms at a state, with derivatives."""
        placed = self._placed(state)
        terms = [
            self._projection(placed, sizes),
            self._angles(state, sizes),
            _bend(state, sizes),
            *self._ankles(state, sizes),
            self._acceleration(placed, sizes),
        ]
        if self.floor is not None:
            terms += self._contact(placed, self.floor, sizes)
        return [replace(term, share=self.step / NODE_SECONDS) for term in terms]

    def _placed(self, state: FeetState) -> _Placed:
        offsets = self.offsets(state)
        size = self.stature * np.exp(state.log_size)
        bending = size * np.einsum("nfij,nfpj->nfpi", state.axes, _bent(state.bend)[1])
        own = np.zeros((*offsets.shape, 2, UNKNOWNS))
        for foot in range(2):
            own[:, foot, :, :, foot, :3] = np.eye(3)
            own[:, foot, :, :, foot, 3:6] = -_cross_matrices(offsets[:, foot])
            own[:, foot, :, :, foot, 6] = bending[:, foot]
        points = (self.ankles + state.moved)[:, :, None] + offsets
        return _Placed(points, own.reshape(*offsets.shape, OWN), offsets[..., None])

    def _projection(self, placed: _Placed, sizes: FootDeviations) -> Term:
        seen = placed.mixed(self.marks, range(3))
        depth = seen.values[..., 2:].clip(0.1)
        rays = seen.values[..., :2] / depth
        own, shared = (
            (by[..., :2, :] - rays[..., None] * by[..., 2:, :]) / depth[..., None]
            for by in (seen.own, seen.shared)
        )
        return _term(
            _Placed(rays - self.rays, own, shared), 1 / self.variances, robust=sizes.detection_robust
        )

    def _angles(self, state: FeetState, sizes: FootDeviations) -> Term:
        """Rotation vectors of the feet from their usual axes."""
        back = np.swapaxes(self.expected, -1, -2)
        turns = Rotation.from_matrix((back @ state.axes).reshape(-1, 3, 3))
        vectors = turns.as_rotvec().reshape(-1, 2, 3)
        by = _inverse_left_jacobian(vectors) @ back
        deviations = np.empty(vectors.shape)
        deviations[..., :2], deviations[..., 2] = sizes.angles[:2], self.flexion_deviation
        own = _of_feet(np.concatenate((np.zeros_like(by), by, np.zeros_like(by[..., :1])), axis=-1))
        return Term(vectors / deviations, own / deviations[..., None], _none(own), np.ones((1, 1)))

    def _ankles(self, state: FeetState, sizes: FootDeviations) -> list[Term]:
        rays = self.ankles / np.linalg.norm(self.ankles, axis=-1, keepdims=True)
        across, along = sizes.ankle
        whiten = np.eye(3) / across + (1 / along - 1 / across) * rays[..., :, None] * rays[..., None, :]
        rest = np.zeros((*rays.shape, UNKNOWNS - 3))
        own = _of_feet(np.concatenate((whiten, rest), axis=-1))
        plain = _of_feet(np.concatenate((np.broadcast_to(np.eye(3), whiten.shape), rest), axis=-1))
        weight = np.full((1, 1), (sizes.ankle_acceleration * self.step**2) ** -2)
        return [
            Term((whiten @ state.moved[..., None])[..., 0], own, _none(own), np.ones((1, 1))),
            Term(state.moved, plain, _none(plain), weight, stencil=(1.0, -2.0, 1.0)),
        ]

    def _acceleration(self, placed: _Placed, sizes: FootDeviations) -> Term:
        """Of heel and tip relative to the ankle."""
        own = placed.own.copy()
        own.reshape(*own.shape[:-1], 2, UNKNOWNS)[..., :3] = 0
        offsets = placed.shared[..., 0]
        ends = _Placed(offsets, own, placed.shared).mixed(_SOLE[[0, 2]], range(4))
        weight = np.full((1, 1, 1), (sizes.acceleration * self.step**2) ** -2)
        return _term(ends, weight, stencil=(1.0, -2.0, 1.0))

    def _contact(self, placed: _Placed, floor: float, sizes: FootDeviations) -> list[Term]:
        sole = placed.mixed(_SOLE, range(4))
        both = 1.0 * (self.contacts[1:] & self.contacts[:-1])
        lowest = floor + POINT_HEIGHT
        standing, anything = sole.heights(self.up, lowest), placed.heights(self.up, lowest)
        under = 1.0 * (anything.values[..., 0] < 0)
        robust = sizes.contact_robust
        return [
            _term(sole, both / (sizes.still * self.step) ** 2, stencil=(-1.0, 1.0), robust=robust),
            _term(standing, self.contacts / sizes.floor**2, robust=robust),
            _term(anything, under / sizes.below**2, robust=robust),
        ]


class _Placed(NamedTuple):
    """Quantities of points of both feet, with derivatives by the unknowns of a node and by the log size."""

    values: Float[np.ndarray, "nodes 2 points k"]
    own: Float[np.ndarray, "nodes 2 points k 14"]
    shared: Float[np.ndarray, "nodes 2 points k 1"]

    def mixed(self, shares: Float[np.ndarray, "mixes n"], points: range) -> _Placed:
        """Mixes of the given points."""
        kept = slice(points.start, points.stop)
        return _Placed(*(np.einsum("mp,nfp...->nfm...", shares, each[:, :, kept]) for each in self))

    def heights(self, up: Float[np.ndarray, " 3"], lowest: float) -> _Placed:
        """How far the points are above a plane, in metres."""
        own, shared = (np.einsum("x,nfpxu->nfpu", up, by)[..., None, :] for by in (self.own, self.shared))
        return _Placed((self.values @ up - lowest)[..., None], own, shared)


def _term(placed: _Placed, weights: np.ndarray, **options: Any) -> Term:
    """A term of which every point of every foot is a group."""
    values, own, shared = (each.reshape(len(each), -1, *each.shape[3:]) for each in placed)
    groups = math.prod(weights.shape[1:])  # no rows, as of the steps of a single node, cannot tell
    return Term(values, own, shared, weights.reshape(len(weights), groups), **options)


def _bend(state: FeetState, sizes: FootDeviations) -> Term:
    upward, downward = sizes.bend
    by = np.zeros((*state.bend.shape, 1, UNKNOWNS))
    by[..., 6] = 1
    own = _of_feet(by)
    weights = np.where(state.bend > 0, upward, downward) ** -2.0
    return Term(state.bend[..., None], own, _none(own), weights)


def _of_feet(by: Float[np.ndarray, "nodes 2 k unknowns"]) -> Float[np.ndarray, "nodes 2 k 14"]:
    """Derivatives by both feet's unknowns from those of each foot's quantities by its own."""
    own = np.zeros((*by.shape[:3], 2, UNKNOWNS))
    for foot in range(2):
        own[:, foot, :, foot] = by[:, foot]
    return own.reshape(*by.shape[:3], OWN)


def _none(own: np.ndarray) -> np.ndarray:
    """Derivatives by the size of what does not depend on it."""
    return np.zeros((*own.shape[:-1], SHARED))


def _bent(bend: Float[np.ndarray, "nodes 2"]) -> tuple[np.ndarray, np.ndarray]:
    """The points in the axes of their feet with bent toes, and their derivatives by the bend."""
    points = np.broadcast_to(_POINTS, (*bend.shape, 4, 3)).copy()
    derivatives = np.zeros_like(points)
    toes = [BIG_TOE, SMALL_TOE]
    x, y = points[:, :, toes, 0] - BALL[0], points[:, :, toes, 1] - BALL[1]
    cos, sin = np.cos(bend)[..., None], np.sin(bend)[..., None]
    points[:, :, toes, 0], points[:, :, toes, 1] = BALL[0] + cos * x - sin * y, BALL[1] + sin * x + cos * y
    derivatives[:, :, toes, 0], derivatives[:, :, toes, 1] = -sin * x - cos * y, cos * x - sin * y
    return points, derivatives


def _cross_matrices(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Matrices whose products with other vectors are the cross products."""
    return np.cross(np.eye(3), vectors[..., None, :]).swapaxes(-1, -2) * -1.0


def _inverse_left_jacobian(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Derivatives of rotation vectors by a small rotation that comes after theirs."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = _cross_matrices(vectors)
    some = np.where(angle > 1e-3, angle, 1.0)
    share = 1 / some**2 - (1 + np.cos(some)) / (2 * some * np.sin(some).clip(1e-6))
    return np.eye(3) - cross / 2 + np.where(angle > 1e-3, share, 1 / 12) * (cross @ cross)


def solve(
    known: FeetObservations,
    state: FeetState,
    sizes: FootDeviations,
    *,
    iterations: int = 20,
    tolerance: float = 1e-4,
    fixed: bool = False,
) -> FeetState:
    """The state at the minimum of the cost, from a state on.

    Args:
        known: what is known.
        state: the first guess.
        sizes: the terms' standard deviations.
        iterations: the largest number of steps.
        tolerance: the relative decrease of the cost by a step below which the solution has converged.
        fixed: keep the size of the feet.
    """
    damping, terms = 1e-4, known.terms(state, sizes)
    best = _cost(terms, state, sizes)
    for _ in range(iterations):
        reduced = assemble(terms, len(known.ankles), OWN, SHARED).reduce(damping)
        matrix = reduced.shared + sizes.size**-2
        right = reduced.right_shared - state.log_size * sizes.size**-2
        shared = np.zeros(SHARED) if fixed else np.linalg.solve(matrix, right)
        trial = state.after(reduced.own(shared), float(shared[0]))
        trial_terms = known.terms(trial, sizes)
        cost = _cost(trial_terms, trial, sizes)
        if not cost <= best:  # written so that NaN is refused, too
            damping *= 30
            continue
        gain, best, state, terms, damping = best - cost, cost, trial, trial_terms, damping / 10
        if gain < tolerance * best:
            break
    return state


def point_variances(
    known: FeetObservations, state: FeetState, sizes: FootDeviations
) -> Float[np.ndarray, "nodes 2 3"]:
    """Variance of heel and toes relative to the ankles of the motion, in square metres, summed over x, y,
    z."""
    placed = known._placed(state)
    equations = assemble(known.terms(state, sizes), len(known.ankles), OWN, SHARED).reduce()
    own = placed.own[:, :, :3]
    covariances = equations.own_covariances()[:, None, None]
    spread = placed.shared[:, :, :3] - (own @ equations.influence[:, None, None])
    size = 1 / (equations.shared[0, 0] + sizes.size**-2)
    return ((own @ covariances) * own).sum(axis=(-2, -1)) + size * (spread**2).sum(axis=(-2, -1))


def _cost(terms: list[Term], state: FeetState, sizes: FootDeviations) -> float:
    return (state.log_size / sizes.size) ** 2 + sum(term.cost() for term in terms)

"""The least-squares problem of projection-guided lifting: its terms, their sizes, and its solution.

A lifted pose must project onto the 2D it came from (Section 3.2 of the SPGNet paper) and keep its bones
(Equation 2). Training can only encourage both; here they are enforced on the very clip that is lifted. The
unknowns are a :class:`spgnet.lifting.body.Body` of each person, whose bones are constant exactly, each
person's scale, and the :class:`Floor`. Every term is divided by its standard deviation (:class:`Deviations`).
Levenberg-Marquardt steps, which are damped Gauss-Newton steps, solve the problem with analytic derivatives.

A person's scale is the factor, about the camera, from the network's size and distance to the true ones. It
does not change what the camera sees, so only the common floor tells it. All else is in the network's scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.body import BONES, CHILDREN, KINDS, UNKNOWNS, Body, Derivatives
from spgnet.lifting.least_squares import ReducedEquations, Term, assemble

ANKLES = [HUMAN36M.names.index(f"{side}_ankle") for side in ("right", "left")]
NODE_SECONDS = 0.04
"""Time between nodes, for which :class:`Deviations` are: the terms of closer nodes count less."""
TOLERANCE = 1e-5
"""Relative change of the cost by a step at which a solution has converged."""
PRIVATE = KINDS + 1
"""Shared unknowns of a person's nodes alone: the logarithms of the lengths and of the scale."""
SHARED = PRIVATE + 1
"""With that of the floor: its height."""


def _per_kind(**values: float) -> tuple[float, ...]:
    """A value for each of the 17 joints from those of the kinds of joints."""
    return tuple(values[kind] for kind in HUMAN36M.joint_types)


@dataclass(frozen=True)
class Deviations:
    """Standard deviations of the terms, fitted to simulated video of held-out motion (docs/refinement.md)."""

    detection: tuple[float, ...] = _per_kind(
        pelvis=0.03,
        hip=0.04,
        knee=0.025,
        ankle=0.02,
        spine=np.inf,
        thorax=0.027,
        nose=0.027,
        head_top=0.027,
        shoulder=0.008,
        elbow=0.011,
        wrist=0.011,
    )
    """Of the detection of each joint, in units of the person's size in the image. Detected hips are biased,
    in squats most. No detector sees the spine."""
    direction: tuple[float, float] = (0.2, 0.14)
    """Of the network's bone directions across and along the viewing ray, in radians."""
    root: tuple[float, float] = (0.01, 0.03)
    """Of the network's root across the viewing ray and along it, divided by the root's distance."""
    length: float = 0.01
    """Of the logarithm of the network's median length of a kind of bone."""
    scale: float = 0.05
    """Of the logarithm of a person's scale."""
    acceleration: tuple[float, float] = (2.0, 10.0)
    """Of the root, and of the far end of a bone relative to the near one, in metres per square second."""
    detection_robust: float = 5.0
    """Distance in standard deviations from which detections count less."""
    stance: float = 0.05
    """Speed of an ankle in stance, in metres per second."""
    floor: float = 0.01
    """Height of an ankle in stance above the floor of the others, in metres; 7 mm in motion capture."""
    contact_robust: float = 2.0
    """Distance in standard deviations from which ankles count less as in stance."""
    sole: float = 0.05
    """Speed of a point of a foot that is on the floor, in metres per second."""
    sole_height: float = 0.06
    """Height of such a point above the floor, in metres. It is large because up is uncertain: a small tilt
    raises or lowers what is some steps away."""
    sole_robust: float = 5.0
    """Distance in standard deviations from which these points count less."""


@dataclass(frozen=True)
class Floor:
    """The plane in which the ankles of standing feet lie, in the camera frame. Its height is an unknown.

    Args:
        up: unit vector against gravity, which is given.
        height: of the plane above the camera, in metres; negative, as cameras are above the floor.
        prior_height: mean of the prior of the height, in metres.
        deviation: standard deviation of the prior of the height, in metres.
    """

    up: Float[np.ndarray, " 3"]
    height: float
    prior_height: float = 0.0
    deviation: float = 100.0

    @property
    def off(self) -> float:
        """How far the height is from its prior, in standard deviations."""
        return (self.height - self.prior_height) / self.deviation


@dataclass(frozen=True)
class Soles:
    """Points of the feet (heel, ball, tip), and when they are on the floor.

    Args:
        offsets: from each ankle (right, left) to the points of its foot, in the camera frame. Observations
            have them in the network's scale, and raised to the height of an ankle in standing, which is the
            height that their floor has.
        planted: 1 where a point is on the floor, else 0.
    """

    offsets: Float[np.ndarray, "nodes 2 points 3"]
    planted: Float[np.ndarray, "nodes 2 points"]


@dataclass(frozen=True)
class Observations:
    """What is known of one person, at nodes that are equally spaced in time.

    Args:
        rays: x / z and y / z of the detected joints; anything finite where nothing was detected.
        variances: of the rays, by joint; infinite where nothing was detected.
        offsets: from each joint to where detectors see it, in metres, in the camera frame.
        network: the network's motion: directions, root and lengths are the prior.
        step: seconds from node to node.
        joined: 1 where a node follows the one before it, 0 after a break.
        stance: 1 where an ankle (right, left) is in stance, else 0.
        grounded: weight of each ankle's height above the floor; 0 where it does not stand on the floor.
        soles: points of the feet on the floor, which count beside ankles in stance; None if not known.
    """

    rays: Float[np.ndarray, "nodes 17 2"]
    variances: Float[np.ndarray, "nodes 17"]
    offsets: Float[np.ndarray, "nodes 17 3"]
    network: Body
    step: float
    joined: Float[np.ndarray, " nodes"]
    stance: Float[np.ndarray, "nodes 2"]
    grounded: Float[np.ndarray, "nodes 2"]
    soles: Soles | None = None

    def select(self, nodes: np.ndarray) -> Observations:
        """Some nodes, given by their indices in order."""
        follows = np.diff(nodes, prepend=-2) == 1
        return Observations(
            rays=self.rays[nodes],
            variances=self.variances[nodes],
            offsets=self.offsets[nodes],
            network=self.network.select(nodes),
            step=self.step,
            joined=self.joined[nodes] * follows,
            stance=self.stance[nodes],
            grounded=self.grounded[nodes],
            soles=self.soles and Soles(self.soles.offsets[nodes], self.soles.planted[nodes]),
        )

    def terms(
        self, body: Body, scale: float, floor: Floor, sizes: Deviations, derivatives: Derivatives
    ) -> list[Term]:
        """The terms at a state, with derivatives.

        Args:
            body: the person's motion in the network's scale.
            scale: logarithm of the person's scale.
            floor: the common floor.
            sizes: the terms' standard deviations.
            derivatives: of the body by its unknowns.
        """
        terms = [self._projection(body, sizes, derivatives), *self._prior(body, sizes, derivatives)]
        terms.append(self._acceleration(body, sizes, derivatives))
        if self.stance.any():
            terms += [
                self._stance(body, sizes, derivatives),
                self._floor(body, scale, floor, sizes, derivatives),
            ]
        if self.soles is not None:
            terms += self._soles(self.soles, body, scale, floor, sizes, derivatives)
        return [replace(term, share=self.step / NODE_SECONDS) for term in terms]

    def _projection(self, body: Body, sizes: Deviations, derivatives: Derivatives) -> Term:
        seen = body.joints + self.offsets
        depth = seen[..., 2:].clip(0.1)
        rays = seen[..., :2] / depth
        across, ahead = derivatives.joints[..., :2, :], derivatives.joints[..., 2:, :]
        of_rays = (across - rays[..., None] * ahead) / depth[..., None]
        return Term(rays - self.rays, *_split(of_rays), 1 / self.variances, robust=sizes.detection_robust)

    def _prior(self, body: Body, sizes: Deviations, derivatives: Derivatives) -> list[Term]:
        network = self.network
        rays = network.joints / np.linalg.norm(network.joints, axis=-1, keepdims=True)
        of_bones = _whitening(rays[:, CHILDREN], *sizes.direction)
        of_root = _whitening(rays[:, 0], *sizes.root)
        of_root /= np.linalg.norm(network.root, axis=-1)[:, None, None]
        turned = of_bones @ (body.directions - network.directions)[..., None]
        moved = of_root @ (body.root - network.root)[..., None]
        turning = derivatives.bones[..., :UNKNOWNS] / body.lengths[:, None, None]
        return [
            Term(turned[..., 0], of_bones @ turning, _none(turning), np.ones((1, 1))),
            Term(
                moved.mT,
                of_root[:, None] @ derivatives.joints[:, :1, :, :UNKNOWNS],
                _none(turning[:, :1]),
                np.ones((1, 1)),
            ),
        ]

    def _acceleration(self, body: Body, sizes: Deviations, derivatives: Derivatives) -> Term:
        values = np.concatenate((body.root[:, None], body.bones), axis=1)
        of_values = np.concatenate((derivatives.joints[:, :1], derivatives.bones), axis=1)
        root, bone = sizes.acceleration
        deviations = np.array([root] + [bone] * BONES) * self.step**2
        joined = (self.joined[1:-1] * self.joined[2:])[:, None]
        return Term(values, *_split(of_values), joined / deviations**2, stencil=(1.0, -2.0, 1.0))

    def _stance(self, body: Body, sizes: Deviations, derivatives: Derivatives) -> Term:
        both = self.stance[1:] * self.stance[:-1] * self.joined[1:, None]
        return Term(
            body.joints[:, ANKLES],
            *_split(derivatives.joints[:, ANKLES]),
            both / (sizes.stance * self.step) ** 2,
            stencil=(-1.0, 1.0),
            robust=sizes.contact_robust,
        )

    def _floor(
        self, body: Body, scale: float, floor: Floor, sizes: Deviations, derivatives: Derivatives
    ) -> Term:
        """Heights of ankles above the floor."""
        heights = _heights(body.joints[:, ANKLES], derivatives.joints[:, ANKLES], scale, floor)
        return replace(heights, weights=self.grounded / sizes.floor**2, robust=sizes.contact_robust)

    def _soles(
        self,
        soles: Soles,
        body: Body,
        scale: float,
        floor: Floor,
        sizes: Deviations,
        derivatives: Derivatives,
    ) -> list[Term]:
        """Speeds of the points that are on the floor, and their heights above it."""
        count = soles.offsets.shape[2]
        points = body.joints[:, ANKLES].repeat(count, axis=1) + soles.offsets.reshape(len(body.root), -1, 3)
        of_points = derivatives.joints[:, ANKLES].repeat(count, axis=1)
        planted = soles.planted.reshape(points.shape[:2])
        both = planted[1:] * planted[:-1] * self.joined[1:, None]
        weights, robust = both / (sizes.sole * self.step) ** 2, sizes.sole_robust
        return [
            Term(points, *_split(of_points), weights, stencil=(-1.0, 1.0), robust=robust),
            replace(
                _heights(points, of_points, scale, floor),
                weights=planted / sizes.sole_height**2,
                robust=robust,
            ),
        ]


def _heights(points: np.ndarray, of_points: np.ndarray, scale: float, floor: Floor) -> Term:
    """Heights of points above the floor, which is scaled into the network's scale."""
    height = floor.height * np.exp(-scale)
    own, shared = _split(np.einsum("x,npxu->npu", floor.up, of_points)[..., None, :])
    shared[..., KINDS] = height
    shared[..., -1] = -np.exp(-scale)
    return Term((points @ floor.up - height)[..., None], own, shared, np.ones((1, 1)))


def _split(derivatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A body's derivatives by the unknowns of the node, and by the shared ones (:data:`SHARED`)."""
    shared = np.zeros((*derivatives.shape[:-1], SHARED))
    shared[..., :KINDS] = derivatives[..., UNKNOWNS:]
    return derivatives[..., :UNKNOWNS], shared


def _none(own: np.ndarray) -> np.ndarray:
    """Derivatives by the shared unknowns of what does not depend on them."""
    return np.zeros((*own.shape[:-1], SHARED))


def _variance(
    derivatives: Float[np.ndarray, "*batch 3 n"], covariance: Float[np.ndarray, "*#batch n n"]
) -> Float[np.ndarray, "*batch"]:
    """Variance of positions, summed over x, y and z, from that of the unknowns."""
    return ((derivatives @ covariance) * derivatives).sum(axis=(-2, -1))


def _whitening(rays: Float[np.ndarray, "*batch 3"], across: float, along: float) -> np.ndarray:
    """Matrices that divide vectors by their standard deviations across and along unit rays."""
    return np.eye(3) / across + (1 / along - 1 / across) * rays[..., :, None] * rays[..., None, :]


@dataclass(frozen=True)
class State:
    """The unknowns.

    Args:
        bodies: motion of each person, in the network's scale.
        scales: logarithm of each person's scale.
        floor: the common floor.
    """

    bodies: tuple[Body, ...]
    scales: Float[np.ndarray, " people"]
    floor: Floor

    def with_shared_step(self, step: Float[np.ndarray, " all"]) -> State:
        """The state after a step in the shared unknowns: each person's lengths and scale, then the floor."""
        private = step[:-1].reshape(len(self.bodies), PRIVATE)
        bodies = tuple(
            replace(body, log_lengths=body.log_lengths + own[:KINDS])
            for body, own in zip(self.bodies, private, strict=True)
        )
        floor = replace(self.floor, height=self.floor.height + float(step[-1]))
        return State(bodies, self.scales + private[:, KINDS], floor)


@dataclass(frozen=True)
class Problem:
    """The problem, linearised at a state.

    Attributes:
        derivatives: of each person's body.
        terms: of each person.
        cost: what is minimised.
    """

    people: Sequence[Observations]
    sizes: Deviations
    state: State
    derivatives: list[Derivatives] = field(init=False)
    terms: list[list[Term]] = field(init=False)
    cost: float = field(init=False)

    def __post_init__(self) -> None:
        state, derivatives = self.state, [body.derivatives() for body in self.state.bodies]
        terms = [
            person.terms(body, float(scale), state.floor, self.sizes, each)
            for person, body, scale, each in zip(
                self.people, state.bodies, state.scales, derivatives, strict=True
            )
        ]
        off = _private_off(self.people, state)
        cost = state.floor.off**2 + float((off**2 * _private_weights(self.sizes)).sum())
        cost += sum(term.cost() for each in terms for term in each)
        for name, value in {"derivatives": derivatives, "terms": terms, "cost": cost}.items():
            object.__setattr__(self, name, value)

    def reduce(self, damping: float = 0.0) -> tuple[list[ReducedEquations], np.ndarray, np.ndarray]:
        """Each person's equations, and the matrix and right-hand side of all shared unknowns."""
        reduced = [self.reduce_person(number, damping) for number in range(len(self.people))]
        matrix, right = shared_prior(self.people, self.state, self.sizes)
        for number, equations in enumerate(reduced):
            index = shared_index(number, len(reduced))
            matrix[np.ix_(index, index)] += equations.shared
            right[index] += equations.right_shared
        return reduced, matrix, right

    def reduce_person(self, number: int, damping: float = 0.0) -> ReducedEquations:
        """One person's equations, without the prior of the shared unknowns."""
        frames = len(self.state.bodies[number].root)
        return assemble(self.terms[number], frames, UNKNOWNS, SHARED).reduce(damping)

    def shared_covariances(self) -> list[Float[np.ndarray, "shared shared"]]:
        """Covariance of the shared unknowns of each person and of the floor (Laplace's approximation)."""
        covariance = np.linalg.inv(self.reduce()[1])
        return person_blocks(covariance, len(self.people))

    def variances(
        self, shared_covariances: Sequence[Float[np.ndarray, "shared shared"]]
    ) -> list[Float[np.ndarray, "_ 17"]]:
        """Variance of each person's joints in square metres, summed over x, y and z.

        It is that of the joint's position relative to the pelvis, and for the pelvis relative to the camera,
        from the inverse of the Gauss-Newton matrix.

        Args:
            shared_covariances: :meth:`shared_covariances` of this problem, or of one over more of the clip.
        """
        results = []
        for number, equations in enumerate(self.reduce()[0]):
            derivatives, joints = self.derivatives[number].joints.copy(), self.state.bodies[number].joints
            derivatives[:, 1:] -= derivatives[:, :1]
            joints[:, 1:] -= joints[:, :1]
            own, shared = _split(derivatives)
            shared[..., KINDS] = joints
            shared -= own @ equations.influence[:, None]
            variances = _variance(own, equations.own_covariances()[:, None])
            results.append(variances + _variance(shared, shared_covariances[number]))
        return results

    def step(self, damping: float, *, fixed: bool) -> State:
        """The state after a step; ``fixed`` keeps the shared unknowns."""
        reduced, matrix, right = self.reduce(damping)
        shared = np.zeros(len(right)) if fixed else np.linalg.solve(matrix, right)
        bodies = []
        for number, (body, derivatives) in enumerate(zip(self.state.bodies, self.derivatives, strict=True)):
            own = reduced[number].own(shared[shared_index(number, len(reduced))])
            bodies.append(body.moved(derivatives.tangents, own))
        return replace(self.state, bodies=tuple(bodies)).with_shared_step(shared)


def shared_index(number: int, people: int) -> np.ndarray:
    """Where a person's shared unknowns are among those of all people and the floor."""
    return np.r_[PRIVATE * number : PRIVATE * (number + 1), PRIVATE * people]


def person_blocks(matrix: Float[np.ndarray, "all all"], people: int) -> list[np.ndarray]:
    """The blocks of each person's and the floor's unknowns of a matrix of all shared unknowns."""
    indices = [shared_index(number, people) for number in range(people)]
    return [matrix[np.ix_(index, index)] for index in indices]


def shared_prior(
    people: Sequence[Observations], state: State, sizes: Deviations
) -> tuple[Float[np.ndarray, "all all"], Float[np.ndarray, " all"]]:
    """Matrix and right-hand side of the prior of lengths, scales and floor."""
    off, weights = _private_off(people, state), _private_weights(sizes)
    floor = state.floor
    matrix = np.diag(np.append(np.tile(weights, len(people)), floor.deviation**-2))
    return matrix, np.append(-(weights * off).ravel(), -floor.off / floor.deviation)


def _private_off(people: Sequence[Observations], state: State) -> Float[np.ndarray, "people private"]:
    """How far lengths and scales are from their prior."""
    lengths = [
        body.log_lengths - person.network.log_lengths
        for person, body in zip(people, state.bodies, strict=True)
    ]
    return np.column_stack((lengths, state.scales))


def _private_weights(sizes: Deviations) -> Float[np.ndarray, " private"]:
    return np.array([sizes.length] * KINDS + [sizes.scale]) ** -2.0


def solve(
    people: Sequence[Observations],
    state: State,
    sizes: Deviations,
    *,
    iterations: int = 20,
    tolerance: float = TOLERANCE,
    fixed: bool = False,
) -> Problem:
    """Minimise the cost, from a state on.

    Args:
        people: what is known of each.
        state: the first guess.
        sizes: the terms' standard deviations.
        iterations: the largest number of steps.
        tolerance: the relative decrease of the cost by a step below which the solution has converged.
        fixed: keep the shared unknowns (lengths, scales and floor) as they are.

    Returns:
        The problem at the solution.
    """
    best, damping = Problem(people, sizes, state), 1e-4
    for _ in range(iterations):
        trial = Problem(people, sizes, best.step(damping, fixed=fixed))
        if not trial.cost <= best.cost:  # written so that NaN is refused, too
            damping *= 30
            continue
        gain, best, damping = best.cost - trial.cost, trial, damping / 10
        if gain < tolerance * best.cost:
            break
    return best

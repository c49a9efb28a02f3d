"""The least-squares problem of projection-guided lifting, term by term, and its solution."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from lifting.problems import EXACT_FLOOR, disturbed, first_state, observed, true_joints
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.body import KINDS, UNKNOWNS, Body, body_of_joints
from spgnet.lifting.guidance import (
    ANKLES,
    NODE_SECONDS,
    PRIVATE,
    Deviations,
    Floor,
    Observations,
    Problem,
    Soles,
    State,
    solve,
)

NODES = 4
WRIST, KNEE = HUMAN36M.names.index("left_wrist"), HUMAN36M.names.index("right_knee")
SIZES = Deviations()


def robust(squared: float, distance: float) -> float:
    return distance**2 * math.log1p(squared / distance**2)


def floor_heights(body: Body, scale: float, floor: Floor) -> np.ndarray:
    """Heights of the ankles above the floor, of a body that is scaled about the camera."""
    return np.exp(scale) * body.joints[:, ANKLES] @ floor.up - floor.height


def cost_of_person(person: Observations, body: Body, scale: float, floor: Floor) -> float:
    """The cost of a person's nodes, number by number."""
    joints, network, total = body.joints, person.network, 0.0
    rays = network.joints / np.linalg.norm(network.joints, axis=-1, keepdims=True)

    def by_the_ray(off: np.ndarray, ray: np.ndarray, across: float, along: float) -> float:
        return float((off @ off - (off @ ray) ** 2) / across**2 + (off @ ray) ** 2 / along**2)

    for node in range(len(joints)):
        for joint in range(17):
            x, y, z = joints[node, joint] + person.offsets[node, joint]
            off = np.array([x / z, y / z]) - person.rays[node, joint]
            total += robust(off @ off / person.variances[node, joint], SIZES.detection_robust)
        for bone, (_, child) in enumerate(HUMAN36M.bones):
            turned = body.directions[node, bone] - network.directions[node, bone]
            total += by_the_ray(turned, rays[node, child], *SIZES.direction)
        moved = (body.root[node] - network.root[node]) / np.linalg.norm(network.root[node])
        total += by_the_ray(moved, rays[node, 0], *SIZES.root)
        for side in range(2):
            height = np.exp(-scale) * floor_heights(body, scale, floor)[node, side]
            weight = person.grounded[node, side]
            total += robust(weight * height**2 / SIZES.floor**2, SIZES.contact_robust)
            if person.soles is not None:
                total += cost_of_soles(person, person.soles, body, scale, floor, node, side)
            if not person.stance[node, side]:
                continue
            if node and person.joined[node] and person.stance[node - 1, side]:
                velocity = (joints[node, ANKLES[side]] - joints[node - 1, ANKLES[side]]) / person.step
                total += robust(velocity @ velocity / SIZES.stance**2, SIZES.contact_robust)
    deviations = [SIZES.acceleration[0]] + [SIZES.acceleration[1]] * 16
    for path, deviation in zip([body.root, *body.bones.transpose(1, 0, 2)], deviations, strict=True):
        for node in range(1, len(joints) - 1):
            if person.joined[node] and person.joined[node + 1]:
                acceleration = (path[node - 1] - 2 * path[node] + path[node + 1]) / person.step**2
                total += acceleration @ acceleration / deviation**2
    return float(total * person.step / NODE_SECONDS)


def cost_of_soles(
    person: Observations, soles: Soles, body: Body, scale: float, floor: Floor, node: int, side: int
) -> float:
    """Of what of a foot is on the floor at a node."""
    points, total = body.joints[:, [ANKLES[side]]] + soles.offsets[:, side], 0.0
    for point in np.flatnonzero(soles.planted[node, side]):
        height = points[node, point] @ floor.up - np.exp(-scale) * floor.height
        total += robust((height / SIZES.sole_height) ** 2, SIZES.sole_robust)
        if node and person.joined[node] and soles.planted[node - 1, side, point]:
            velocity = (points[node, point] - points[node - 1, point]) / person.step
            total += robust(velocity @ velocity / SIZES.sole**2, SIZES.sole_robust)
    return total


def cost_of(people: Sequence[Observations], state: State) -> float:
    """The cost of a state, number by number."""
    total, floor = 0.0, state.floor
    for person, body, scale in zip(people, state.bodies, state.scales, strict=True):
        total += cost_of_person(person, body, scale, floor) + (scale / SIZES.scale) ** 2
        total += (((body.log_lengths - person.network.log_lengths) / SIZES.length) ** 2).sum()
    return float(total) + ((floor.height - floor.prior_height) / floor.deviation) ** 2


def moved(problem: Problem, step: np.ndarray) -> State:
    """The state after a step in all unknowns: the nodes of each person, lengths and scales, and the floor."""
    people, state = len(problem.people), problem.state
    nodes, private, floor = np.split(step, [-PRIVATE * people - 1, -1])
    bodies = []
    for body, by, own, shared in zip(
        state.bodies,
        problem.derivatives,
        nodes.reshape(people, NODES, UNKNOWNS),
        private.reshape(people, PRIVATE),
        strict=True,
    ):
        lengths = body.log_lengths + shared[:KINDS]
        bodies.append(replace(body.moved(by.tangents, own), log_lengths=lengths))
    return State(tuple(bodies), state.scales + private[KINDS::PRIVATE], raised(state.floor, float(floor[0])))


def raised(floor: Floor, by: float) -> Floor:
    return replace(floor, height=floor.height + by)


def residuals(problem: Problem, weights: Sequence[np.ndarray]) -> np.ndarray:
    """All residuals by their standard deviations, given the weights of those of terms."""
    floor, parts = problem.state.floor, []
    terms = [term for each in problem.terms for term in each]
    for term, weight in zip(terms, weights, strict=True):
        parts.append((np.sqrt(weight)[..., None] * term.residuals).ravel())
    for person, body in zip(problem.people, problem.state.bodies, strict=True):
        parts.append((body.log_lengths - person.network.log_lengths) / SIZES.length)
    parts.append(problem.state.scales / SIZES.scale)
    return np.append(np.concatenate(parts), (floor.height - floor.prior_height) / floor.deviation)


def differences(function: Callable[[np.ndarray], np.ndarray | float], count: int) -> np.ndarray:
    """Derivatives by finite differences, along the last dimension."""
    steps = 1e-6 * np.eye(count)
    return np.stack([(np.asarray(function(s)) - np.asarray(function(-s))) / 2e-6 for s in steps], axis=-1)


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Two people far from a solution, with hidden joints, a break, and feet that stand: every term counts."""
    people, bodies = [], []
    for seed, aside in enumerate((-0.8, 0.7)):
        joints = true_joints(NODES, seed, aside=aside)
        person = observed(joints, disturbed(body_of_joints(joints), seed, scale=0.97), noise=0.01, seed=seed)
        person.variances[1:3, [WRIST, KNEE]] = np.inf
        stance = np.array([[1, 0], [1, 1], [1, 1], [0, 1]], float)
        joined = np.array([0, 1, 1, 1 - seed], float)
        step, grounded = NODE_SECONDS * (1 + 0.25 * seed), stance * [0.4, 1.0]
        people.append(replace(person, stance=stance, grounded=grounded, joined=joined, step=step))
        bodies.append(disturbed(people[-1].network, seed + 10, degrees=4.0, metres=0.03))
    rng = np.random.default_rng(0)
    planted = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], float)[[0, 0, 1, 1]]
    people[1] = replace(people[1], soles=Soles(0.1 * rng.normal(size=(NODES, 2, 3, 3)), planted))
    floor = raised(replace(EXACT_FLOOR, deviation=0.1), 0.04)
    return Problem(people, SIZES, State(tuple(bodies), np.array([0.03, -0.05]), floor))


@pytest.fixture(scope="module")
def jacobian(problem) -> np.ndarray:
    """Derivatives of the residuals by all unknowns, by finite differences."""
    weights = [term.effective_weights() for each in problem.terms for term in each]

    def of_step(step: np.ndarray) -> np.ndarray:
        return residuals(Problem(problem.people, SIZES, moved(problem, step)), weights)

    return differences(of_step, 2 * (NODES * UNKNOWNS + PRIVATE) + 1)


@pytest.fixture(scope="module")
def descent(problem, jacobian) -> np.ndarray:
    """Minus half the gradient of the cost by all unknowns."""
    weights = [term.effective_weights() for each in problem.terms for term in each]
    return -jacobian.T @ residuals(problem, weights)


def test_the_cost_is_the_sum_of_all_terms_and_priors(problem):
    assert problem.cost == pytest.approx(cost_of(problem.people, problem.state), rel=1e-9)


def test_every_term_contributes_to_the_cost(problem):
    for terms, count in zip(problem.terms, (6, 8), strict=True):
        assert len(terms) == count
        assert min(term.cost() for term in terms) > 0.01


def test_the_descent_is_that_of_the_cost(problem, descent):
    for direction in np.random.default_rng(0).normal(size=(10, len(descent))):
        ahead, back = (
            Problem(problem.people, SIZES, moved(problem, size * direction)).cost for size in (1e-7, -1e-7)
        )
        assert (ahead - back) / 2e-7 == pytest.approx(-2 * descent @ direction, rel=1e-5)


def test_a_step_solves_the_normal_equations_of_all_unknowns(problem, jacobian, descent):
    step = np.linalg.solve(jacobian.T @ jacobian, descent)
    expected, state = moved(problem, step), problem.step(0.0, fixed=False)
    for number in range(2):
        body, other = state.bodies[number], expected.bodies[number]
        np.testing.assert_allclose(body.joints, other.joints, atol=1e-5)
        np.testing.assert_allclose(body.log_lengths, other.log_lengths, atol=1e-6)
    np.testing.assert_allclose(state.scales, expected.scales, atol=1e-6)
    np.testing.assert_allclose(state.floor.up, expected.floor.up, atol=1e-6)
    assert state.floor.height == pytest.approx(expected.floor.height, abs=1e-6)


def test_with_shared_unknowns_fixed_a_step_solves_for_the_others(problem, jacobian, descent):
    own = len(descent) - 2 * PRIVATE - 1
    step = np.zeros(len(descent))
    step[:own] = np.linalg.solve((jacobian.T @ jacobian)[:own, :own], descent[:own])
    expected, state = moved(problem, step), problem.step(0.0, fixed=True)
    for number in range(2):
        body, before = state.bodies[number], problem.state.bodies[number]
        np.testing.assert_allclose(body.joints, expected.bodies[number].joints, atol=1e-5)
        np.testing.assert_array_equal(body.log_lengths, before.log_lengths)
    np.testing.assert_array_equal(state.scales, problem.state.scales)
    np.testing.assert_allclose(state.floor.up, problem.state.floor.up, rtol=1e-12)
    assert state.floor.height == problem.state.floor.height


def test_damping_shortens_the_step(problem):
    def length(damping: float) -> float:
        after = problem.step(damping, fixed=True).bodies
        pairs = zip(after, problem.state.bodies, strict=True)
        return sum(float(np.abs(body.joints - before.joints).sum()) for body, before in pairs)

    lengths = [length(damping) for damping in (0.0, 0.1, 10.0, 1e6)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 1e-4 * lengths[0]


def test_variances_are_those_of_the_inverse_of_the_whole_matrix(problem, jacobian):
    """Of joints relative to the pelvis, and of the pelvis to the camera, in metres of the network's scale."""
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    scales = problem.state.scales

    def positions(step: np.ndarray) -> np.ndarray:
        state, results = moved(problem, step), []
        for body, factor in zip(state.bodies, np.exp(state.scales - scales), strict=True):
            joints = factor * body.joints
            results.append(np.concatenate((joints[:, :1], joints[:, 1:] - joints[:, :1]), axis=1))
        return np.stack(results)

    derivatives = differences(positions, len(jacobian.T))
    expected = np.einsum("pnjxu,uv,pnjxv->pnj", derivatives, covariance, derivatives, optimize=True)
    np.testing.assert_allclose(problem.variances(problem.shared_covariances()), expected, rtol=1e-5)
    for number, covariances in enumerate(problem.shared_covariances()):
        index = np.r_[PRIVATE * number : PRIVATE * (number + 1), 2 * PRIVATE : 2 * PRIVATE + 1]
        shared = covariance[-2 * PRIVATE - 1 :, -2 * PRIVATE - 1 :][np.ix_(index, index)]
        np.testing.assert_allclose(covariances, shared, rtol=1e-4, atol=1e-9)


def test_certainty_along_the_viewing_ray_is_less_than_across_it(problem):
    for equations, body in zip(problem.reduce()[0], problem.state.bodies, strict=True):
        covariances = equations.own_covariances()[:, :3, :3]
        rays = body.root / np.linalg.norm(body.root, axis=-1, keepdims=True)
        along = np.einsum("ni,nij,nj->n", rays, covariances, rays)
        assert (np.sqrt(along) > 2 * np.sqrt(np.trace(covariances, axis1=1, axis2=2) - along)).all()


def test_where_joints_are_hidden_they_are_less_certain(problem):
    seen = replace(problem.people[0], variances=problem.people[1].variances[[0] * NODES])
    other = Problem([seen, problem.people[1]], SIZES, problem.state)
    hidden, clear = (each.variances(each.shared_covariances())[0] for each in (problem, other))
    assert (hidden[1:3, [WRIST, KNEE]] > 1.05 * clear[1:3, [WRIST, KNEE]]).all()


def test_scale_changes_what_the_floor_term_says_and_nothing_else(problem):
    person, body, floor = problem.people[0], problem.state.bodies[0], problem.state.floor
    small, large = (person.terms(body, scale, floor, SIZES, body.derivatives()) for scale in (0.0, 0.2))
    for one, other in zip(small[:-1], large[:-1], strict=True):
        assert one.cost() == other.cost()
    for scale, terms in ((0.0, small), (0.2, large)):
        heights = np.exp(scale) * terms[-1].residuals[..., 0]
        np.testing.assert_allclose(heights, floor_heights(body, scale, floor), atol=1e-12)


@pytest.fixture(scope="module")
def walks() -> list[Observations]:
    """Two walks of a second over one floor, at wrong scales, a metre and a half apart."""
    people = []
    for seed, aside, scale in ((0, -0.8, 1.05), (1, 0.7, 0.95)):
        joints = true_joints(25, seed, aside=aside)
        network = disturbed(body_of_joints(joints), seed, scale=scale)
        people.append(observed(joints, network, noise=0.001, seed=seed))
    return people


def distance(one: State, other: State) -> float:
    """The mean distance between joints of the first person in two states, in metres."""
    return float(np.linalg.norm(one.bodies[0].joints - other.bodies[0].joints, axis=-1).mean())


def test_the_cost_never_rises(walks):
    state, costs = first_state(walks[:1]), []
    for count in range(6):
        costs.append(solve(walks[:1], state, SIZES, iterations=count, tolerance=0.0).cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.3 * costs[0]


def test_the_solution_has_converged(walks):
    """With a far smaller tolerance joints move by less than a tenth of a millimetre on average."""
    default = solve(walks[:1], first_state(walks[:1]), SIZES)
    longer = solve(walks[:1], first_state(walks[:1]), SIZES, iterations=40, tolerance=1e-8)
    assert distance(default.state, longer.state) < 1e-4
    assert longer.cost <= default.cost


def test_from_another_start_the_solution_is_the_same(walks):
    first, body = first_state(walks[:1]), disturbed(walks[0].network, 7, degrees=8, metres=0.1)
    start = State((body,), np.array([0.05]), raised(EXACT_FLOOR, 0.1))
    one, other = (solve(walks[:1], state, SIZES, tolerance=1e-6).state for state in (first, start))
    assert distance(start, first) > 0.05
    assert distance(one, other) < 1e-4
    np.testing.assert_allclose(one.scales, other.scales, atol=1e-3)
    assert one.floor.height == pytest.approx(other.floor.height, abs=1e-3)


def test_people_of_wrong_scales_come_onto_the_one_floor(walks):
    state = first_state(walks)

    def levels(state: State) -> list[float]:
        return [
            float(np.median(floor_heights(body, scale, state.floor)[person.stance > 0]))
            for person, body, scale in zip(walks, state.bodies, state.scales, strict=True)
        ]

    before = levels(state)
    for deviation in (0.2, 0.05, SIZES.floor):
        state = solve(walks, state, replace(SIZES, floor=deviation)).state
    assert before[1] - before[0] > 0.08
    assert np.abs(levels(state)).max() < 0.01
    first, second = state.scales
    assert np.exp(first - second) == pytest.approx(0.95 / 1.05, abs=0.015)


def test_a_step_that_would_raise_the_cost_is_tried_again_with_more_damping(walks, monkeypatch):
    start, step, dampings = first_state(walks[:1]), Problem.step, []
    far = replace(start, bodies=(disturbed(walks[0].network, 3, degrees=70, metres=1.0),))
    expected = solve(walks[:1], start, SIZES)

    def misled(problem: Problem, damping: float, *, fixed: bool) -> State:
        dampings.append(damping)
        return far if damping < 1e-3 else step(problem, damping, fixed=fixed)

    monkeypatch.setattr(Problem, "step", misled)
    end = solve(walks[:1], start, SIZES, iterations=40)
    assert min(dampings) < 1e-3 < max(dampings)
    assert end.cost == pytest.approx(expected.cost, rel=0.01)

"""Clips of any length, solved in bounded memory: as if they were solved as a whole."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lifting.problems import disturbed, first_state, observed, true_joints
from spgnet.lifting import windows
from spgnet.lifting.body import body_of_joints
from spgnet.lifting.guidance import TOLERANCE, Deviations, Observations, Problem, State, solve
from spgnet.lifting.windows import OVERLAP, PIECE, SWEEPS, nodes_to_solve, solve_clip

SIZES = Deviations()
WHOLE = 40


def walk(nodes: int, seed: int = 0) -> Observations:
    joints = true_joints(nodes, seed)
    return observed(joints, disturbed(body_of_joints(joints), seed), noise=0.002, seed=seed)


@pytest.fixture(scope="module")
def whole() -> Problem:
    """A walk of 90 nodes, solved as a whole."""
    person = walk(90)
    return solve([person], first_state([person]), SIZES)


def test_with_the_same_shared_unknowns_windows_end_within_half_a_millimetre_of_the_whole(whole):
    person, state = whole.people[0], whole.state
    start = disturbed(person.network, 5, degrees=3, metres=0.02)
    first = replace(state, bodies=(replace(start, log_lengths=state.bodies[0].log_lengths),))
    (covariance,) = whole.shared_covariances()
    solved, (variances,) = windows._solve_all_windows(
        [person], first, SIZES, WHOLE, TOLERANCE, lambda nodes: None, [covariance]
    )
    joints = solved.bodies[0].joints
    assert np.linalg.norm(joints - state.bodies[0].joints, axis=-1).max() < 5e-4
    np.testing.assert_allclose(variances, whole.variances([covariance])[0], rtol=0.02)


def test_the_shared_unknowns_of_windows_are_those_of_the_whole():
    """Of two people on one floor, each known by many nodes; in metres."""
    people = [walk(160, 0), walk(110, 3)]
    together = solve(people, first_state(people), SIZES).state
    apart = solve_clip(people, first_state(people), SIZES, whole=64).state
    np.testing.assert_allclose(apart.scales, together.scales, atol=1e-3)
    for one, other in zip(apart.bodies, together.bodies, strict=True):
        np.testing.assert_allclose(one.lengths, other.lengths, atol=5e-4)
        relative = [body.joints - body.joints[:, :1] for body in (one, other)]
        assert np.linalg.norm(relative[0] - relative[1], axis=-1).mean() < 5e-4
        assert np.linalg.norm(one.root - other.root, axis=-1).mean() < 2e-3


def test_no_solution_of_a_long_clip_is_of_more_than_a_window_and_its_overlaps(whole, monkeypatch):
    handled = []

    def recorded(
        people: Sequence[Observations], state: State, sizes: Deviations, **settings: bool
    ) -> Problem:
        handled.append(sum(len(body.root) for body in state.bodies))
        return solve(people, state, sizes, iterations=2, **settings)

    monkeypatch.setattr(windows, "solve", recorded)
    reported = []
    solution = solve_clip(
        whole.people, first_state(whole.people), SIZES, whole=WHOLE, on_solved=reported.append
    )
    assert sum(reported) == nodes_to_solve(whole.people, whole=WHOLE) == 3 * 90
    assert max(reported) <= WHOLE
    sweep = [WHOLE + OVERLAP, 90 - WHOLE + OVERLAP, 10 + OVERLAP]
    assert handled == [WHOLE // PIECE * PIECE, *(1 + SWEEPS) * sweep]
    assert solution.state.bodies[0].joints.shape == (90, 17, 3)
    assert solution.variances[0].shape == (90, 17)


def test_short_clips_are_solved_as_a_whole():
    people = [walk(20)]
    state = solve_clip(people, first_state(people), SIZES, whole=20).state
    direct = solve(people, first_state(people), SIZES).state
    np.testing.assert_array_equal(state.bodies[0].joints, direct.bodies[0].joints)


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, 10), (40, 64), (64, 64), (65, 64), (300, 130), (1000, 512)]
)
def test_pieces_are_in_order_without_duplicates_and_reach_over_the_clip(count, wanted):
    nodes = windows._spread_pieces(count, wanted)
    assert (np.diff(nodes) > 0).all()
    assert nodes[0] == 0
    assert nodes[-1] < count
    assert len(nodes) <= max(wanted, PIECE)
    if wanted >= 2 * PIECE:
        assert nodes[-1] == count - 1
        gaps = np.diff(np.flatnonzero(np.diff(nodes, prepend=-2) > 1))
        assert (gaps >= PIECE).all()


def test_nodes_of_two_pieces_are_not_joined():
    person = walk(20).select(np.array([2, 3, 4, 10, 11, 15]))
    np.testing.assert_array_equal(person.joined, [0, 1, 1, 0, 1, 0])

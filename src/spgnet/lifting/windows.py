"""Solve the problem of :mod:`spgnet.lifting.guidance` for clips of any length, in bounded memory.

Short clips are solved as a whole. In long ones the unknowns that all nodes share (lengths, scales and floor)
are guessed from pieces that are spread over the clip. Then, in turns, the rest is solved window by window for
given shared unknowns, and these take a step, for which the equations of all windows are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spgnet.lifting.body import Body
from spgnet.lifting.guidance import (
    TOLERANCE,
    Deviations,
    Observations,
    Problem,
    State,
    person_blocks,
    shared_index,
    shared_prior,
    solve,
)

WHOLE = 512
"""The largest number of nodes, of all people together, that are solved as a whole."""
PIECE = 16
"""Nodes of each of the pieces from which the shared unknowns of long clips are guessed."""
SWEEPS = 2
"""Steps of the shared unknowns of long clips, each after a pass through all windows."""
OVERLAP = 32
"""Nodes by which a window is extended on both sides; those farther away have next to no influence."""
ROUGH = 1e-3
"""Relative change of the cost at which rough solutions end."""


class Solution(NamedTuple):
    """The unknowns at the minimum of the cost, and how certain they are.

    Attributes:
        state: the unknowns.
        variances: of each person's joints in square metres, as :meth:`Problem.variances` gives them; empty
            for a rough solution.
    """

    state: State
    variances: list[Float[np.ndarray, "_ 17"]]


NodeCallback = Callable[[int], None]
"""Takes how many nodes have been solved since it was last called."""
NodeProgress = Callable[[int, int], None]
"""Takes how many nodes have been solved in all so far, and how many will be."""


def count_nodes(total: int, on_progress: NodeProgress) -> NodeCallback:
    """A callback that adds up the nodes solved and reports the sum, of ``total``, to ``on_progress``."""
    done = 0

    def on_solved(nodes: int) -> None:
        nonlocal done
        done += nodes
        on_progress(done, total)

    return on_solved


def ignore_node_progress(done: int, total: int) -> None:
    """Report nothing."""


def nodes_to_solve(people: Sequence[Observations], *, rough: bool = False, whole: int = WHOLE) -> int:
    """How many nodes :func:`solve_clip` reports in all. Those of long clips count once for each sweep."""
    count = sum(len(person.joined) for person in people)
    return count if rough or count <= whole else (SWEEPS + 1) * count


def solve_clip(
    people: Sequence[Observations],
    state: State,
    sizes: Deviations,
    *,
    rough: bool = False,
    whole: int = WHOLE,
    on_solved: NodeCallback = lambda nodes: None,
) -> Solution:
    """Minimise the cost.

    Args:
        people: what is known of each person.
        state: the first guess.
        sizes: the terms' standard deviations.
        rough: a rough solution without variances will do.
        whole: the largest number of nodes, of all people together, to solve at once.
        on_solved: called after every window with the number of its nodes.
    """
    tolerance = ROUGH if rough else TOLERANCE
    count = sum(len(body.root) for body in state.bodies)
    if count <= whole:
        problem = solve(people, state, sizes, tolerance=tolerance)
        on_solved(count)
        return Solution(problem.state, [] if rough else problem.variances(problem.shared_covariances()))
    state = _guess_shared(people, state, sizes, whole)
    if rough:
        return Solution(_solve_all_windows(people, state, sizes, whole, tolerance, on_solved)[0], [])
    for _ in range(SWEEPS - 1):
        state, _ = _step_shared(people, state, sizes, whole, on_solved)
    state, matrix = _step_shared(people, state, sizes, whole, on_solved)
    covariances = person_blocks(np.linalg.inv(matrix), len(people))
    return Solution(*_solve_all_windows(people, state, sizes, whole, tolerance, on_solved, covariances))


def _guess_shared(people: Sequence[Observations], state: State, sizes: Deviations, whole: int) -> State:
    """The state with shared unknowns from pieces that hold about ``whole`` nodes."""
    counts = [len(body.root) for body in state.bodies]
    kept = [_spread_pieces(count, whole * count // sum(counts)) for count in counts]
    pieces = [person.select(nodes) for person, nodes in zip(people, kept, strict=True)]
    bodies = tuple(body.select(nodes) for body, nodes in zip(state.bodies, kept, strict=True))
    sampled = solve(pieces, replace(state, bodies=bodies), sizes, tolerance=ROUGH).state
    bodies = tuple(
        replace(body, log_lengths=other.log_lengths)
        for body, other in zip(state.bodies, sampled.bodies, strict=True)
    )
    return replace(sampled, bodies=bodies)


def _step_shared(
    people: Sequence[Observations], state: State, sizes: Deviations, length: int, on_solved: NodeCallback
) -> tuple[State, Float[np.ndarray, "all all"]]:
    """The state after a step of the shared unknowns, and the matrix of its equations.

    All windows are solved for the given ones first, so that it is a Gauss-Newton step of the cost as a
    function of the shared unknowns alone.
    """
    bodies, (matrix, right) = [], shared_prior(people, state, sizes)
    for number, person in enumerate(people):
        index, first, parts = shared_index(number, len(people)), 0, []
        for window in _solve_windows(person, _alone(state, number), sizes, length, ROUGH, on_solved):
            body = window.inner_body
            nodes = np.arange(first, first + len(body.root))
            alone = replace(window.problem.state, bodies=(body,))
            equations = Problem([person.select(nodes)], sizes, alone).reduce_person(0)
            matrix[np.ix_(index, index)] += equations.shared
            right[index] += equations.right_shared
            parts.append(body)
            first += len(nodes)
        bodies.append(_join(parts))
    return replace(state, bodies=tuple(bodies)).with_shared_step(np.linalg.solve(matrix, right)), matrix


def _solve_all_windows(
    people: Sequence[Observations],
    state: State,
    sizes: Deviations,
    length: int,
    tolerance: float,
    on_solved: NodeCallback,
    covariances: Sequence[np.ndarray] = (),
) -> tuple[State, list[Float[np.ndarray, "_ 17"]]]:
    """All motions for given shared unknowns; and, given these' covariances, all variances."""
    bodies, variances = [], []
    for number, person in enumerate(people):
        parts, own = [], []
        for window in _solve_windows(person, _alone(state, number), sizes, length, tolerance, on_solved):
            parts.append(window.inner_body)
            if covariances:
                own.append(window.problem.variances([covariances[number]])[0][window.inner])
        bodies.append(_join(parts))
        if covariances:
            variances.append(np.concatenate(own))
    return replace(state, bodies=tuple(bodies)), variances


class _Window(NamedTuple):
    """A window's solution, and which of its nodes are in no other window but for the overlap."""

    problem: Problem
    inner: slice

    @property
    def inner_body(self) -> Body:
        return self.problem.state.bodies[0].select(self.inner)


def _solve_windows(
    person: Observations,
    state: State,
    sizes: Deviations,
    length: int,
    tolerance: float,
    on_solved: NodeCallback,
) -> Iterator[_Window]:
    """One person's motion, window by window, for given shared unknowns."""
    (body,) = state.bodies
    count = len(body.root)
    for first in range(0, count, length):
        start, stop = max(first - OVERLAP, 0), min(first + length + OVERLAP, count)
        nodes = np.arange(start, stop)
        window = replace(state, bodies=(body.select(nodes),))
        problem = solve([person.select(nodes)], window, sizes, fixed=True, tolerance=tolerance)
        inner = slice(first - start, min(first + length, count) - start)
        yield _Window(problem, inner)
        on_solved(inner.stop - inner.start)


def _alone(state: State, number: int) -> State:
    """The state of one person."""
    return State((state.bodies[number],), state.scales[[number]], state.floor)


def _join(parts: Sequence[Body]) -> Body:
    """Parts of one body's motion, one after the other."""
    return Body(
        np.concatenate([part.root for part in parts]),
        np.concatenate([part.directions for part in parts]),
        parts[0].log_lengths,
    )


def _spread_pieces(count: int, wanted: int) -> np.ndarray:
    """Indices of about as many nodes as wanted, in evenly spread pieces of :data:`PIECE` nodes."""
    pieces = max(1, wanted // PIECE)
    length = min(PIECE, count)
    starts = np.linspace(0, count - length, pieces).round().astype(int)
    return np.unique(starts[:, None] + np.arange(length))

"""Solve the problem of :mod:`spgnet.lifting.guidance` for clips of any length, in bounded memory.

Short clips are solved as a whole. In long ones the unknowns that all nodes share (lengths, scales and floor)
are found from pieces that are spread over the clip, and kept; then the rest is solved window by window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spgnet.lifting.body import Body
from spgnet.lifting.guidance import Deviations, Observations, Problem, State, solve

WHOLE = 512
"""The largest number of nodes, of all people together, that are solved as a whole."""
PIECE = 64
"""Nodes of each of the pieces from which the shared unknowns of long clips are found."""
OVERLAP = 32
"""Nodes by which a window is extended on both sides; those farther away have next to no influence."""


class Solution(NamedTuple):
    """The unknowns at the minimum of the cost, and how certain they are.

    Attributes:
        state: the unknowns.
        variances: of each person's joints in square metres, as :meth:`Problem.variances` gives them.
    """

    state: State
    variances: list[Float[np.ndarray, "nodes 17"]]


def solve_clip(
    people: Sequence[Observations], state: State, schedule: Sequence[Deviations], *, whole: int = WHOLE
) -> Solution:
    """Minimise the cost.

    Args:
        people: what is known of each person.
        state: the first guess.
        schedule: standard deviations of the terms, one set after another, the final ones last.
        whole: the largest number of nodes, of all people together, to solve at once.
    """
    counts = [len(body.root) for body in state.bodies]
    if sum(counts) <= whole:
        problem = _solve_each(people, state, schedule)
        return Solution(problem.state, problem.variances(problem.shared_covariances()))
    kept = [_spread_pieces(count, whole * count // sum(counts)) for count in counts]
    pieces = [person.select(nodes) for person, nodes in zip(people, kept, strict=True)]
    bodies = [body.select(nodes) for body, nodes in zip(state.bodies, kept, strict=True)]
    sampled = _solve_each(pieces, replace(state, bodies=tuple(bodies)), schedule)
    solutions = []
    for number, covariance in enumerate(sampled.shared_covariances()):
        body = replace(state.bodies[number], log_lengths=sampled.state.bodies[number].log_lengths)
        one = State((body,), sampled.state.scales[[number]], sampled.state.floor)
        solutions.append(_solve_windows(people[number], one, schedule[-1], covariance, whole))
    solved = replace(sampled.state, bodies=tuple(body for body, _ in solutions))
    return Solution(solved, [variances for _, variances in solutions])


def _solve_each(people: Sequence[Observations], state: State, schedule: Sequence[Deviations]) -> Problem:
    for sizes in schedule[:-1]:
        state = solve(people, state, sizes).state
    return solve(people, state, schedule[-1])


def _solve_windows(
    person: Observations, state: State, sizes: Deviations, covariance: np.ndarray, length: int
) -> tuple[Body, Float[np.ndarray, "nodes 17"]]:
    """One person's motion and its variances, window by window, for given shared unknowns."""
    (body,) = state.bodies
    count, roots, directions, variances = len(body.root), [], [], []
    for first in range(0, count, length):
        start, stop = max(first - OVERLAP, 0), min(first + length + OVERLAP, count)
        nodes = np.arange(start, stop)
        window = replace(state, bodies=(body.select(nodes),))
        problem = solve([person.select(nodes)], window, sizes, fixed=True)
        inner = slice(first - start, min(first + length, count) - start)
        roots.append(problem.state.bodies[0].root[inner])
        directions.append(problem.state.bodies[0].directions[inner])
        variances.append(problem.variances([covariance])[0][inner])
    solved = Body(np.concatenate(roots), np.concatenate(directions), body.log_lengths)
    return solved, np.concatenate(variances)


def _spread_pieces(count: int, wanted: int) -> np.ndarray:
    """Indices of about as many nodes as wanted, in evenly spread pieces of :data:`PIECE` nodes."""
    pieces = max(1, wanted // PIECE)
    length = min(PIECE, count)
    starts = np.linspace(0, count - length, pieces).round().astype(int)
    return np.unique(starts[:, None] + np.arange(length))

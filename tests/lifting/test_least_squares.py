"""Least squares over time, against dense matrices and finite differences."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import LinAlgError

from spgnet.lifting.least_squares import NormalEquations, Term, assemble, factorise

law = settings(max_examples=60)
OWN, SHARED, GROUPS, K = 3, 2, 2, 2
STENCILS = [(1.0,), (-1.0, 1.0), (1.0, -2.0, 1.0)]
EXAMPLES = {
    "frames": st.integers(1, 7),
    "stencil": st.sampled_from(STENCILS),
    "robust": st.sampled_from([np.inf, 1.5]),
    "seed": st.integers(0, 2**32 - 1),
}


class Example:
    """Quantities that depend on each frame's unknowns and on the shared ones by a sine, at a random point."""

    def __init__(self, frames: int, stencil: tuple[float, ...], robust: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.own = rng.normal(size=(frames, GROUPS, K, OWN))
        self.shared = rng.normal(size=(frames, GROUPS, K, SHARED))
        self.point = rng.normal(size=frames * OWN + SHARED)
        self.frames, self.stencil, self.robust, self.share = frames, stencil, robust, rng.uniform(0.5, 2)
        rows = max(0, frames - len(stencil) + 1)
        self.weights = rng.uniform(0.5, 4, (rows, GROUPS)) * (rng.random((rows, GROUPS)) < 0.7)

    def term(self, point: np.ndarray) -> Term:
        own, shared = np.split(point, [self.frames * OWN])
        angles = np.einsum("tgko,to->tgk", self.own, own.reshape(-1, OWN)) + self.shared @ shared
        return Term(
            np.sin(angles),
            self.own * np.cos(angles)[..., None],
            self.shared * np.cos(angles)[..., None],
            self.weights,
            self.stencil,
            self.robust,
            self.share,
        )

    def residuals(self, point: np.ndarray) -> np.ndarray:
        """The residuals, row by row."""
        values = self.term(point).values
        rows = [
            sum(factor * values[row + i] for i, factor in enumerate(self.stencil))
            for row in range(len(self.weights))
        ]
        return np.array(rows).reshape(len(self.weights), GROUPS, K)

    def cost(self, point: np.ndarray) -> float:
        """The cost, residual by residual."""
        total = 0.0
        for weight, residual in zip(self.weights.ravel(), self.residuals(point).reshape(-1, K), strict=True):
            squared = weight * (residual @ residual)
            if self.robust < np.inf:
                squared = self.robust**2 * np.log(1 + squared / self.robust**2)
            total += self.share * squared
        return float(total)

    def equations(self) -> NormalEquations:
        return assemble([self.term(self.point)], self.frames, OWN, SHARED)


def derivatives(function, point: np.ndarray) -> np.ndarray:
    """Central differences by each of the numbers of a point, along the last dimension."""
    steps = 1e-6 * np.eye(len(point))
    return np.stack([(function(point + step) - function(point - step)) / 2e-6 for step in steps], axis=-1)


def dense(equations: NormalEquations, damping: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right-hand side of all unknowns, those of the frames first."""
    frames, own = equations.right.shape
    matrix = np.zeros((frames, own, frames, own))
    for ahead in range(3):
        for frame in range(frames - ahead):
            matrix[frame, :, frame + ahead] = equations.own[ahead, frame]
            matrix[frame + ahead, :, frame] = equations.own[ahead, frame].T
    matrix = matrix.reshape(frames * own, -1)
    matrix += damping * np.diag(np.diag(matrix))
    coupling = equations.coupling.reshape(frames * own, -1)
    right = np.append(equations.right, equations.right_shared)
    return np.block([[matrix, coupling], [coupling.T, equations.shared]]), right


def solvable(frames: int, seed: int = 0) -> NormalEquations:
    """The equations of terms of every stencil, of which the first fixes every unknown."""
    rng = np.random.default_rng(seed)
    terms = [
        Term(
            rng.normal(size=(frames, OWN + 1, 2)),
            rng.normal(size=(frames, OWN + 1, 2, OWN)),
            rng.normal(size=(frames, OWN + 1, 2, SHARED)),
            np.ones((1, 1)),
            stencil,
        )
        for stencil in STENCILS
    ]
    return assemble(terms, frames, OWN, SHARED)


@law
@given(**EXAMPLES)
def test_the_equations_are_those_of_the_residuals_finite_differences(**values):
    example = Example(**values)
    residuals = example.residuals(example.point)
    weights = example.weights / (1 + example.weights * (residuals**2).sum(axis=-1) / example.robust**2)
    weighted = example.share * weights.repeat(K)
    jacobian = derivatives(lambda point: example.residuals(point).ravel(), example.point)
    matrix, right = dense(example.equations())
    np.testing.assert_allclose(matrix, jacobian.T @ (weighted[:, None] * jacobian), atol=1e-6)
    np.testing.assert_allclose(right, -jacobian.T @ (weighted * residuals.ravel()), atol=1e-6)


@law
@given(**EXAMPLES)
def test_the_right_hand_side_is_minus_half_the_gradient_of_the_cost(**values):
    example = Example(**values)
    np.testing.assert_allclose(
        dense(example.equations())[1], -derivatives(example.cost, example.point) / 2, atol=1e-6
    )


@law
@given(**EXAMPLES)
def test_the_cost_is_the_sum_of_the_losses(**values):
    example = Example(**values)
    assert example.term(example.point).cost() == pytest.approx(example.cost(example.point))


def test_a_weight_for_all_rows_and_groups_is_that_of_each():
    example = Example(5, (1.0, -2.0, 1.0), 1.5, 0)
    one = replace(example.term(example.point), weights=np.full((1, 1), 3.0))
    each = replace(one, weights=np.full((3, GROUPS), 3.0))
    assert one.cost() == pytest.approx(each.cost())
    for single, full in zip(*(dense(assemble([term], 5, OWN, SHARED)) for term in (one, each)), strict=True):
        np.testing.assert_allclose(single, full)


def test_the_equations_of_terms_add_up():
    examples = [Example(4, stencil, 2.0, seed) for seed, stencil in enumerate(STENCILS)]
    together = dense(assemble([each.term(each.point) for each in examples], 4, OWN, SHARED))
    alone = [dense(each.equations()) for each in examples]
    for part, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(part, sum(parts), atol=1e-12)


@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 8])
def test_the_solution_is_that_of_the_dense_matrix(frames, damping):
    equations = solvable(frames)
    matrix, right = dense(equations, damping)
    expected = np.linalg.solve(matrix, right)
    reduced = equations.reduce(damping)
    shared = np.linalg.solve(reduced.shared, reduced.right_shared)
    np.testing.assert_allclose(shared, expected[-SHARED:], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(reduced.own(shared).ravel(), expected[:-SHARED], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 8])
def test_covariances_are_blocks_of_the_dense_inverse(frames):
    equations = solvable(frames)
    matrix, _ = dense(equations)
    own = frames * OWN
    reduced = equations.reduce()
    np.testing.assert_allclose(np.linalg.inv(reduced.shared), np.linalg.inv(matrix)[own:, own:], rtol=1e-8)
    inverse = np.linalg.inv(matrix[:own, :own]).reshape(frames, OWN, frames, OWN)
    blocks = inverse[range(frames), :, range(frames)]
    np.testing.assert_allclose(reduced.own_covariances(), blocks, rtol=1e-8, atol=1e-10)
    influence = np.linalg.solve(matrix[:own, :own], matrix[:own, own:])
    np.testing.assert_allclose(reduced.influence.reshape(own, -1), influence, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_factors_solve_and_invert_a_block_tridiagonal_matrix(blocks):
    rng = np.random.default_rng(0)
    n = 4
    upper = rng.normal(size=(blocks, n, n))
    diagonal = np.repeat(10 * np.eye(n)[None], blocks, axis=0)
    diagonal += (symmetric := rng.normal(size=(blocks, n, n))) + symmetric.transpose(0, 2, 1)
    matrix = np.zeros((blocks, n, blocks, n))
    for k in range(blocks):
        matrix[k, :, k] = diagonal[k]
        if k + 1 < blocks:
            matrix[k, :, k + 1], matrix[k + 1, :, k] = upper[k], upper[k].T
    matrix = matrix.reshape(blocks * n, -1)
    factors, right = factorise(diagonal, upper), rng.normal(size=(blocks, n, 3))
    kept = right.copy()
    solution = np.linalg.solve(matrix, right.reshape(-1, 3))
    np.testing.assert_allclose(factors.solve(right).reshape(-1, 3), solution, rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(right, kept)
    inverse = np.linalg.inv(matrix).reshape(blocks, n, blocks, n)[range(blocks), :, range(blocks)]
    np.testing.assert_allclose(factors.inverse_blocks(), inverse, rtol=1e-8, atol=1e-12)


def test_frames_on_two_sides_of_a_break_are_solved_as_if_alone():
    rng = np.random.default_rng(0)
    sizes = ((7, 2, 2), (7, 2, 2, OWN))
    values, own = (rng.normal(size=size) for size in sizes)
    shared = np.zeros((7, 2, 2, 0))
    whole = np.array([1.0, 1, 0, 0, 1])[:, None]  # rows that reach over frames 3 and 4 are left out

    def solve(part: slice, weights: np.ndarray) -> np.ndarray:
        of_part = partial(Term, values[part], own[part], shared[part])
        terms = [of_part(np.ones((1, 1))), of_part(weights, STENCILS[2])]
        return assemble(terms, len(values[part]), OWN, 0).reduce().solution

    together = solve(slice(None), whole)
    np.testing.assert_allclose(together[:4], solve(slice(0, 4), whole[:2]), rtol=1e-9)
    np.testing.assert_allclose(together[4:], solve(slice(4, 7), whole[4:]), rtol=1e-9)


def test_unknowns_that_nothing_determines_are_refused():
    example = Example(3, (-1.0, 1.0), np.inf, 0)
    with pytest.raises(LinAlgError):
        example.equations().reduce()

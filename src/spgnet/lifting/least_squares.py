"""Least squares over time: unknowns of frames, which couple to the next two alone, and shared unknowns.

The normal equations [[A, C], [C^T, S]] are block-tridiagonal (A, two frames a block) with a border of the
few unknowns that all frames share, such as bone lengths. Time and memory grow in proportion to the frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, get_lapack_funcs

# Without the checks of scipy.linalg.cholesky and solve_triangular, which take longer than a small block.
_potrf, _trtrs = get_lapack_funcs(("potrf", "trtrs"), dtype=np.float64)


@dataclass(frozen=True)
class Term:
    """Residuals of a quantity of each frame, or of its finite difference along time.

    The residual of row t is sum_i stencil[i] * values[t + i]; there are as many rows as fit.

    Args:
        values: ``groups`` quantities of k numbers each.
        own: their derivatives by the unknowns of the frame.
        shared: their derivatives by the shared unknowns.
        weights: inverse variance of each row and group.
        stencil: (1,) for the quantity itself, (-1, 1) for its change, (1, -2, 1) for its acceleration.
        robust: distance, in standard deviations, from which a group counts less (Cauchy's loss).
        share: factor of the cost, such as the time that a frame stands for.
    """

    values: Float[np.ndarray, "frames groups k"]
    own: Float[np.ndarray, "frames groups k own"]
    shared: Float[np.ndarray, "frames groups k shared"]
    weights: Float[np.ndarray, "#rows #groups"]
    stencil: tuple[float, ...] = (1.0,)
    robust: float = np.inf
    share: float = 1.0

    @property
    def residuals(self) -> Float[np.ndarray, "rows groups k"]:
        """The finite difference of the values."""
        return self._difference(self.values)

    def cost(self) -> float:
        """The sum of the losses; without a robust one, of squared residuals divided by their variances."""
        squared = self.weights * (self.residuals**2).sum(axis=-1)
        if np.isfinite(self.robust):
            squared = self.robust**2 * np.log1p(squared / self.robust**2)
        return self.share * float(squared.sum())

    def effective_weights(self) -> Float[np.ndarray, "rows groups"]:
        """Weights of the squared residuals that have the same gradient as the losses."""
        residuals = self.residuals
        weights = np.broadcast_to(self.weights, residuals.shape[:2])
        return self.share * weights / (1 + weights * (residuals**2).sum(axis=-1) / self.robust**2)

    def _difference(self, values: np.ndarray) -> np.ndarray:
        rows = self.rows
        total = self.stencil[0] * values[:rows]
        for i, factor in enumerate(self.stencil[1:], start=1):
            total = total + factor * values[i : i + rows]
        return total

    @property
    def rows(self) -> int:
        """Number of residuals along time."""
        return max(0, len(self.values) - len(self.stencil) + 1)

    def add_to(self, equations: NormalEquations) -> None:
        """Add the residuals' part of the normal equations.

        A frame's derivatives are the same in all rows that it is part of. So what these rows multiply them by
        is added up first, and each pair of frames is multiplied once.
        """
        rows, frames, k = self.rows, len(self.values), self.values.shape[2]
        if not rows or not self.values.size:
            return
        own = self.own.reshape(frames, -1, self.own.shape[-1])
        shared = self._difference(self.shared.reshape(frames, own.shape[1], -1))
        residuals = self.residuals.reshape(rows, -1, 1)
        weights = self.effective_weights().repeat(k, axis=1)[..., None]
        weighted = weights * shared
        equations.shared[...] += np.tensordot(weighted, shared, ((0, 1), (0, 1)))
        equations.right_shared[...] -= np.tensordot(weighted, residuals[..., 0], ((0, 1), (0, 1)))
        transposed, stencil = own.transpose(0, 2, 1), self.stencil
        equations.right[:frames] -= (transposed @ _convolve(weights * residuals, stencil))[..., 0]
        equations.coupling[:frames] += transposed @ _convolve(weighted, stencil)
        for apart in range(len(stencil)):
            factors = [one * other for one, other in zip(stencil, stencil[apart:], strict=False)]
            both = _convolve(weights, factors) * own[apart:]
            equations.own[apart, : frames - apart] += transposed[: frames - apart] @ both


def _convolve(
    rows: Float[np.ndarray, "rows ..."], factors: Sequence[float]
) -> Float[np.ndarray, "frames ..."]:
    """The full convolution along time: row t times factor i is added to frame t + i."""
    total = np.zeros((len(rows) + len(factors) - 1, *rows.shape[1:]))
    for i, factor in enumerate(factors):
        total[i : i + len(rows)] += factor * rows
    return total


@dataclass(frozen=True)
class NormalEquations:
    """The normal equations of the terms of a clip.

    Args:
        own: blocks of A: of each frame with itself, with the next, and with the one after that.
        coupling: C.
        shared: S.
        right: right-hand side of the frames' unknowns.
        right_shared: right-hand side of the shared unknowns.
    """

    own: Float[np.ndarray, "3 frames own own"]
    coupling: Float[np.ndarray, "frames own shared"]
    shared: Float[np.ndarray, "shared shared"]
    right: Float[np.ndarray, "frames own"]
    right_shared: Float[np.ndarray, " shared"]

    def reduce(self, damping: float = 0.0) -> ReducedEquations:
        """Eliminate the frames' unknowns.

        Args:
            damping: by how much of itself the diagonal of A grows (Levenberg-Marquardt).

        Raises:
            scipy.linalg.LinAlgError: A is not positive definite.
        """
        factors = factorise(*_in_pairs(self.own, damping))
        columns = _pair_rows(np.concatenate((self.right[..., None], self.coupling), axis=-1))
        solved = factors.solve(columns).reshape(-1, *self.coupling.shape[1:2], columns.shape[-1])
        solved = solved[: len(self.right)]
        product = np.tensordot(self.coupling, solved, ((0, 1), (0, 1)))
        return ReducedEquations(
            factors,
            solved[..., 0],
            solved[..., 1:],
            self.shared - product[:, 1:],
            self.right_shared - product[:, 0],
        )


class ReducedEquations(NamedTuple):
    """The equations of the shared unknowns, and the frames' unknowns for given shared ones.

    Attributes:
        factors: of A.
        solution: A^-1 right.
        influence: A^-1 C.
        shared: the Schur complement S - C^T A^-1 C.
        right_shared: right-hand side of the shared unknowns.
    """

    factors: Factors
    solution: Float[np.ndarray, "frames own"]
    influence: Float[np.ndarray, "frames own shared"]
    shared: Float[np.ndarray, "shared shared"]
    right_shared: Float[np.ndarray, " shared"]

    def own(self, shared: Float[np.ndarray, " shared"]) -> Float[np.ndarray, "frames own"]:
        """The frames' unknowns, given the shared ones."""
        return self.solution - self.influence @ shared

    def own_covariances(self) -> Float[np.ndarray, "frames own own"]:
        """The diagonal blocks of A^-1 of each frame: covariances if the shared unknowns were known."""
        frames, size = self.solution.shape
        pairs = self.factors.inverse_blocks()
        blocks = np.stack((pairs[:, :size, :size], pairs[:, size:, size:]), axis=1)
        return blocks.reshape(-1, size, size)[:frames]


@dataclass(frozen=True)
class Factors:
    """A = L L^T: the diagonal blocks of L, and the transposes of the blocks below them."""

    lower: Float[np.ndarray, "blocks n n"]
    above: Float[np.ndarray, "blocks n n"]

    def solve(self, right: Float[np.ndarray, "blocks n k"]) -> Float[np.ndarray, "blocks n k"]:
        """The solution x of A x = right."""
        result = right.copy()
        for k in range(len(result)):
            if k:
                result[k] -= self.above[k - 1].T @ result[k - 1]
            result[k] = _solve_lower(self.lower[k], result[k])
        for k in reversed(range(len(result))):
            if k + 1 < len(result):
                result[k] -= self.above[k] @ result[k + 1]
            result[k] = _solve_lower(self.lower[k], result[k], transposed=True)
        return result

    def inverse_blocks(self) -> Float[np.ndarray, "blocks n n"]:
        """The diagonal blocks of the inverse of A."""
        result = np.empty_like(self.lower)
        identity = np.eye(self.lower.shape[1])
        for k in reversed(range(len(result))):
            inverse = _solve_lower(self.lower[k], identity)
            result[k] = inverse.T @ inverse
            if k + 1 < len(result):
                gain = _solve_lower(self.lower[k], self.above[k], transposed=True)
                result[k] += gain @ result[k + 1] @ gain.T
        return result


def factorise(diagonal: Float[np.ndarray, "blocks n n"], upper: Float[np.ndarray, "blocks n n"]) -> Factors:
    """The Cholesky factors of a symmetric block-tridiagonal matrix.

    Args:
        diagonal: its diagonal blocks.
        upper: the blocks to the right of them; the last is not used.

    Raises:
        scipy.linalg.LinAlgError: the matrix is not positive definite.
    """
    lower, above = np.empty_like(diagonal), np.empty_like(upper)
    for k in range(len(diagonal)):
        block = diagonal[k] if k == 0 else diagonal[k] - above[k - 1].T @ above[k - 1]
        lower[k] = _cholesky(block)
        above[k] = _solve_lower(lower[k], upper[k])
    return Factors(lower, above)


def _cholesky(block: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    upper, fault = _potrf(block.T, lower=False, clean=True)
    if fault:
        raise LinAlgError("a block is not positive definite")
    return upper.T


def _solve_lower(lower: np.ndarray, right: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    return _trtrs(lower.T, right, lower=False, trans=not transposed)[0]


def _in_pairs(own: Float[np.ndarray, "3 frames own own"], damping: float) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of two frames each, so that a matrix that couples three frames is block-tridiagonal."""
    same, next_one, after = own
    frames, size = same.shape[:2]
    blocks = (frames + 1) // 2
    diagonal, upper = np.zeros((2, blocks, 2 * size, 2 * size))
    diagonal[:, size:, size:] = np.eye(size)  # of an odd number of frames, the last block's second frame
    diagonal[:, :size, :size], diagonal[: frames // 2, size:, size:] = same[::2], same[1::2]
    inner = next_one[: frames - 1 : 2]
    diagonal[: len(inner), :size, size:] = inner
    diagonal[: len(inner), size:, :size] = inner.transpose(0, 2, 1)
    upper[:, :size, :size] = after[::2]
    upper[: frames // 2, size:, :size], upper[: frames // 2, size:, size:] = next_one[1::2], after[1::2]
    every = np.arange(2 * size)
    diagonal[:, every, every] *= 1 + damping
    return diagonal, upper


def _pair_rows(rows: Float[np.ndarray, "frames n k"]) -> Float[np.ndarray, "blocks m k"]:
    frames, size, columns = rows.shape
    padded = np.zeros((frames + frames % 2, size, columns))
    padded[:frames] = rows
    return padded.reshape(-1, 2 * size, columns)


def assemble(terms: Iterable[Term], frames: int, own: int, shared: int) -> NormalEquations:
    """The normal equations of terms over so many frames, with so many unknowns of a frame and shared ones."""
    equations = NormalEquations(
        np.zeros((3, frames, own, own)),
        np.zeros((frames, own, shared)),
        np.zeros((shared, shared)),
        np.zeros((frames, own)),
        np.zeros(shared),
    )
    for term in terms:
        term.add_to(equations)
    return equations

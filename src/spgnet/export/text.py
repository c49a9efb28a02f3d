"""Rows of numbers as text, fast enough for long motions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

BLOCK = 1024


def rows(table: Float[np.ndarray, "rows columns"], formats: Sequence[str], delimiter: str) -> str:
    """One line for each row, each column in its own ``%`` format, with a newline after every line."""
    line = delimiter.join(formats) + "\n"
    blocks = (table[first : first + BLOCK] for first in range(0, len(table), BLOCK))
    return "".join(line * len(block) % tuple(block.ravel().tolist()) for block in blocks)

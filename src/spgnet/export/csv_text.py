"""CSV: tables of positions, as text (metres, z up)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from spgnet.export.sampling import format_rows
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion

_OPTIONAL = {"uncertainty": "%.4f", "rejected": "%g"}
"""Arrays that a motion may lack, and how a CSV file writes their values."""


def csv_text(motions: Sequence[Motion]) -> str:
    """The content of a CSV file: world positions (metres, z up) and confidences.

    There is one row for each frame and person. ``frame`` counts the distinct times of all people from 0;
    ``time`` is in seconds, as in the motions. Uncertainties (metres) and rejected joints (0 or 1) have
    columns if a motion has them, with ``nan`` in the rows of people without.
    """
    optional = [name for name in _OPTIONAL if any(getattr(motion, name) is not None for motion in motions)]
    names = ["frame", "time", "person", *(f"{joint}_{axis}" for joint in HUMAN36M.names for axis in "xyz")]
    names += [f"{joint}_{name}" for name in ("confidence", *optional) for joint in HUMAN36M.names]
    frames = np.unique(np.concatenate([motion.timestamps for motion in motions]))
    tables = [
        np.column_stack(
            [
                np.searchsorted(frames, motion.timestamps),
                motion.timestamps,
                np.full(len(motion), motion.track),
                motion.world.reshape(len(motion), -1),
                motion.confidence,
                *(_values_or_nan(motion, name) for name in optional),
            ]
        )
        for motion in motions
    ]
    formats = ["%d", "%.6f", "%d"] + ["%.6f"] * 51 + ["%.4f"] * 17
    formats += [_OPTIONAL[name] for name in optional for _ in HUMAN36M.names]
    return ",".join(names) + "\n" + format_rows(np.concatenate(tables), formats, ",")


def _values_or_nan(motion: Motion, name: str) -> Shaped[np.ndarray, "frames 17"]:
    values = getattr(motion, name)
    return np.full((len(motion), 17), np.nan) if values is None else values

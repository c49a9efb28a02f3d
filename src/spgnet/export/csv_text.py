"""CSV: tables of positions (metres, z up) and joint angles (degrees), as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Shaped

from spgnet.export.sampling import format_rows
from spgnet.geometry.joint_angles import ANGLE_NAMES
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion

_OPTIONAL = {"uncertainty": "%.4f", "rejected": "%g"}
"""Arrays that a motion may lack, and how a CSV file writes their values."""


Columns = Literal["positions", "angles", "all"]
"""What a CSV file holds of each frame."""
COLUMNS: tuple[Columns, ...] = get_args(Columns)
_POSITION, _ANGLE, _CONFIDENCE = "%.6f", "%.3f", "%.4f"


def csv_text(motions: Sequence[Motion], columns: Columns = "positions") -> str:
    """The content of a CSV file: one row for each frame and person.

    ``frame`` counts the distinct times of all people from 0; ``time`` is in seconds, as in the motions.
    Positions are world positions (metres, z up), with confidences. With them, uncertainties (metres) and
    rejected joints (0 or 1) have columns if a motion has them, with ``nan`` in the rows of people without.

    Args:
        motions: the people.
        columns: positions, joint angles (degrees, ``nan`` where they cannot be seen), or both.
    """
    optional = [name for name in _OPTIONAL if any(getattr(motion, name) is not None for motion in motions)]
    names, formats = ["frame", "time", "person"], ["%d", "%.6f", "%d"]
    if columns != "angles":
        names += [f"{joint}_{axis}" for joint in HUMAN36M.names for axis in "xyz"]
        names += [f"{joint}_{name}" for name in ("confidence", *optional) for joint in HUMAN36M.names]
        formats += [_POSITION] * 51 + [_CONFIDENCE] * 17
        formats += [_OPTIONAL[name] for name in optional for _ in HUMAN36M.names]
    if columns != "positions":
        names += ANGLE_NAMES
        formats += [_ANGLE] * len(ANGLE_NAMES)
    frames = np.unique(np.concatenate([motion.timestamps for motion in motions]))
    tables = []
    for motion in motions:
        table = [
            np.searchsorted(frames, motion.timestamps),
            motion.timestamps,
            np.full(len(motion), motion.track),
        ]
        if columns != "angles":
            table += [motion.world.reshape(len(motion), -1), motion.confidence]
            table += [_values_or_nan(motion, name) for name in optional]
        if columns != "positions":
            table += motion.joint_angles().values()
        tables.append(np.column_stack(table))
    return ",".join(names) + "\n" + format_rows(np.concatenate(tables), formats, ",")


def _values_or_nan(motion: Motion, name: str) -> Shaped[np.ndarray, "frames 17"]:
    values = getattr(motion, name)
    return np.full((len(motion), 17), np.nan) if values is None else values

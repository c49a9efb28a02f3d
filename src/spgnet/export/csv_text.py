"""CSV: tables of positions (metres, z up) and joint angles (degrees), as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Shaped

from spgnet.export.sampling import format_rows
from spgnet.lifting.motion import Motion

_OPTIONAL = {"uncertainty": "%.4f", "rejected": "%g"}
"""Arrays that a motion may lack, and how a CSV file writes their values."""


Columns = Literal["positions", "angles", "all"]
"""What a CSV file holds of each frame."""
COLUMNS: tuple[Columns, ...] = get_args(Columns)
_CONTACTS = ("right_foot_contact", "left_foot_contact")
_POSITION, _ANGLE, _CONFIDENCE = "%.6f", "%.3f", "%.4f"


def csv_text(motions: Sequence[Motion], columns: Columns = "positions") -> str:
    """The content of a CSV file: one row for each frame and person.

    ``frame`` counts the distinct times of all people from 0; ``time`` is in seconds, as in the motions.
    Positions are world positions (metres, z up), with confidences. With them, uncertainties (metres),
    rejected joints and feet on the floor (0 or 1) have columns if a motion has them, with ``nan`` in the rows
    of people without; so do the angles' uncertainties (one standard deviation, degrees).

    Args:
        motions: the people, with the same joints.
        columns: positions, joint angles (degrees, ``nan`` where they cannot be seen), or both.
    """
    optional = [name for name in _OPTIONAL if any(getattr(motion, name) is not None for motion in motions)]
    names, formats = ["frame", "time", "person"], ["%d", "%.6f", "%d"]
    joints = motions[0].skeleton.names
    uncertain = any(motion.uncertainty is not None for motion in motions)
    contacts = any(motion.foot_contact is not None for motion in motions)
    if columns != "angles":
        names += [f"{joint}_{axis}" for joint in joints for axis in "xyz"]
        names += [f"{joint}_{name}" for name in ("confidence", *optional) for joint in joints]
        formats += [_POSITION] * 3 * len(joints) + [_CONFIDENCE] * len(joints)
        formats += [_OPTIONAL[name] for name in optional for _ in joints]
        names += _CONTACTS if contacts else ()
        formats += ["%g"] * len(_CONTACTS) if contacts else []
    angles = [] if columns == "positions" else list(motions[0].joint_angles())
    if angles:
        names += angles
        formats += [_ANGLE] * len(angles)
        if uncertain:
            names += [f"{angle}_uncertainty" for angle in angles]
            formats += [_ANGLE] * len(angles)
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
            table += [_values_or_nan(motion, name, len(joints)) for name in optional]
            table += [_values_or_nan(motion, "foot_contact", len(_CONTACTS))] if contacts else []
        if columns != "positions":
            table += motion.joint_angles().values()
            table += _angle_deviations(motion, len(angles)) if uncertain else []
        tables.append(np.column_stack(table))
    return ",".join(names) + "\n" + format_rows(np.concatenate(tables), formats, ",")


def _values_or_nan(motion: Motion, name: str, columns: int) -> Shaped[np.ndarray, "frames columns"]:
    values = getattr(motion, name)
    return np.full((len(motion), columns), np.nan) if values is None else values


def _angle_deviations(motion: Motion, columns: int) -> list[Shaped[np.ndarray, " frames"]]:
    deviations = motion.joint_angle_uncertainty()
    return [np.full(len(motion), np.nan)] * columns if deviations is None else list(deviations.values())

"""Positions as tables: CSV and TRC."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spgnet.export.sampling import constant_rate, frame_rate, z_up_to_y_up
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion

BLOCK = 1024


def rows(table: Float[np.ndarray, "rows columns"], formats: Sequence[str], delimiter: str) -> str:
    """One line for each row, each column in its own ``%`` format, with a newline after every line."""
    line = delimiter.join(formats) + "\n"
    blocks = (table[first : first + BLOCK] for first in range(0, len(table), BLOCK))
    return "".join(line * len(block) % tuple(block.ravel().tolist()) for block in blocks)


def csv_text(motions: Sequence[Motion]) -> str:
    """One row for each frame and person: world positions (metres, z up) and confidences.

    ``frame`` counts the distinct times of all people from 0; ``time`` is in seconds, as in the motions.
    """
    names = [f"{joint}_{axis}" for joint in HUMAN36M.names for axis in "xyz"]
    names = ["frame", "time", "person", *names, *(f"{joint}_confidence" for joint in HUMAN36M.names)]
    frames = np.unique(np.concatenate([motion.timestamps for motion in motions]))
    tables = [
        np.column_stack(
            [
                np.searchsorted(frames, motion.timestamps),
                motion.timestamps,
                np.full(len(motion), motion.track),
                motion.world.reshape(len(motion), -1),
                motion.confidence,
            ]
        )
        for motion in motions
    ]
    formats = ["%d", "%.6f", "%d"] + ["%.6f"] * 51 + ["%.4f"] * 17
    return ",".join(names) + "\n" + rows(np.concatenate(tables), formats, ",")


def trc_text(motions: Sequence[Motion], name: str) -> str:
    """Markers of OpenSim: one row for each frame at a constant rate, in metres with y up.

    Args:
        motions: the people; ``nan`` stands where a person is not there.
        name: the file's name, which its first line repeats.
    """
    fps = frame_rate(motions)
    people = z_up_to_y_up(constant_rate(motions, fps))
    frames, markers = people.shape[1], marker_names(motions)
    numbers = np.arange(frames)
    table = np.column_stack([numbers + 1, numbers / fps, people.swapaxes(0, 1).reshape(frames, -1)])
    header = _trc_header(name, f"{fps:.6g}", frames, markers)
    return header + rows(table, ["%d", "%.6f"] + ["%.6f"] * (3 * len(markers)), "\t")


def _trc_header(name: str, rate: str, frames: int, markers: list[str]) -> str:
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
    values = [rate, rate, str(frames), str(len(markers)), "m", rate, "1", str(frames)]
    axes = [f"{axis}{number}" for number in range(1, len(markers) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", name],
        keys.split(),
        values,
        ["Frame#", "Time", "\t\t\t".join(markers), "", ""],
        ["", "", *axes],
        [],
    ]
    return "".join("\t".join(line) + "\n" for line in lines)


def marker_names(motions: Sequence[Motion]) -> list[str]:
    """Names of the joints; with several people each is preceded by ``person`` and its number."""
    if len(motions) == 1:
        return list(HUMAN36M.names)
    return [f"person{motion.track}_{joint}" for motion in motions for joint in HUMAN36M.names]

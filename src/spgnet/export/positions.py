"""Positions of joints: CSV tables, and the markers of TRC and C3D files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from spgnet.errors import InputError
from spgnet.export.sampling import constant_rate, frame_rate, z_up_to_y_up
from spgnet.extras import import_extra
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion

BLOCK = 1024
"""Rows that are formatted at once: much faster than one by one, and in little memory."""
MILLIMETRES = 1000.0
MAX_FRAMES = 65535
"""C3D counts frames in 16 bits."""
_OPTIONAL = {"uncertainty": "%.4f", "rejected": "%g"}
"""Arrays that a motion may lack, and how a CSV file writes their values."""


def format_rows(table: Float[np.ndarray, "rows columns"], formats: Sequence[str], delimiter: str) -> str:
    """One line for each row, each column in its own ``%`` format, with a newline after every line."""
    line = delimiter.join(formats) + "\n"
    blocks = (table[first : first + BLOCK] for first in range(0, len(table), BLOCK))
    return "".join(line * len(block) % tuple(block.ravel().tolist()) for block in blocks)


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


def trc_text(motions: Sequence[Motion], name: str) -> str:
    """The content of OpenSim's marker files: one row for each frame at a constant rate, in metres with y up.

    The format has no place for uncertainties. The first line, of which programs read the first fields, ends
    with each marker's median uncertainty over the clip, if a motion has any.

    Args:
        motions: the people; ``nan`` stands where a person is not there.
        name: the file's name, which its first line repeats.
    """
    fps = frame_rate(motions)
    people = z_up_to_y_up(constant_rate(motions, fps))
    frames, markers = people.shape[1], marker_names(motions)
    numbers = np.arange(frames)
    table = np.column_stack([numbers + 1, numbers / fps, people.swapaxes(0, 1).reshape(frames, -1)])
    title = [name, *_uncertainty_note(motions)]
    header = _trc_header(title, f"{fps:.6g}", frames, markers)
    return header + format_rows(table, ["%d", "%.6f"] + ["%.6f"] * (3 * len(markers)), "\t")


def _uncertainty_note(motions: Sequence[Motion]) -> list[str]:
    """One field of text with the median uncertainty of each marker, or none if no motion has any."""
    names = np.reshape(marker_names(motions), (len(motions), -1))
    notes = [
        f"{name} {value:.3f}"
        for motion, markers in zip(motions, names, strict=True)
        if motion.uncertainty is not None
        for name, value in zip(markers, np.median(motion.uncertainty, axis=0), strict=True)
    ]
    return [f"Median standard deviation in metres: {', '.join(notes)}"] if notes else []


def _trc_header(title: list[str], rate: str, frames: int, markers: list[str]) -> str:
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
    values = [rate, rate, str(frames), str(len(markers)), "m", rate, "1", str(frames)]
    axes = [f"{axis}{number}" for number in range(1, len(markers) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", *title],
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


def write_c3d(motions: Sequence[Motion], path: Path) -> None:
    """Write labelled points of biomechanics at a constant rate, in millimetres with z up.

    Every joint of a person who is there has residual 0, whatever its confidence: all are estimates, and
    a residual of -1 would hide them. Points of a person who is not there have residual -1. Uncertainties are
    no residuals, which say how well the rays of several cameras meet and by which programs drop points.

    Raises:
        InputError: ezc3d is missing, or the motion has more frames than the format can count.
    """
    ezc3d = import_extra("ezc3d", "export")
    fps = frame_rate(motions)
    people = constant_rate(motions, fps)
    frames = people.shape[1]
    if frames > MAX_FRAMES:
        raise InputError(f"C3D files hold at most {MAX_FRAMES} frames and this motion has {frames}")
    points = MILLIMETRES * people.transpose(3, 0, 2, 1).reshape(3, -1, frames)
    absent = np.isnan(points[0])
    file = ezc3d.c3d()
    for name, value in {"LABELS": marker_names(motions), "UNITS": ["mm"], "RATE": [fps]}.items():
        file["parameters"]["POINT"][name]["value"] = value
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    file.add_parameter("MANUFACTURER", "SOFTWARE", ["spgnet"])
    file["data"]["points"] = np.concatenate([points, np.ones((1, *absent.shape))])
    file["data"]["meta_points"]["residuals"] = np.where(absent, -1.0, 0.0)[None]
    file.write(str(path))

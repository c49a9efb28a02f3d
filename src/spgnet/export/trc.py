"""TRC: OpenSim's marker files, as text (metres, y up)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spgnet.export.markers import MarkerNames, Unseen, marker_joints, marker_names, motion_markers
from spgnet.export.sampling import format_rows, frame_rate, z_up_to_y_up
from spgnet.lifting.motion import Motion


def trc_text(
    motions: Sequence[Motion], name: str, markers: MarkerNames = "spgnet", unseen: Unseen = "keep"
) -> str:
    """The content of OpenSim's marker files: one row for each frame at a constant rate, in metres with y up.

    The format has no place for uncertainties. The first line, of which programs read the first fields, ends
    with each marker's median uncertainty over the clip, if a motion has any.

    Args:
        motions: the people; ``nan`` stands where a marker is missing.
        name: the file's name, which its first line repeats.
        markers: whose names the markers have.
        unseen: what becomes of joints that are not visible.
    """
    fps = frame_rate(motions)
    found = motion_markers(motions, fps, markers, unseen)
    frames = found.positions.shape[1]
    places = z_up_to_y_up(found.positions).swapaxes(0, 1).reshape(frames, -1)
    numbers = np.arange(frames)
    table = np.column_stack([numbers + 1, numbers / fps, places])
    header = _header([name, *_uncertainty_note(motions, markers)], f"{fps:.6g}", frames, found.names)
    return header + format_rows(table, ["%d", "%.6f"] + ["%.6f"] * places.shape[1], "\t")


def _uncertainty_note(motions: Sequence[Motion], markers: MarkerNames) -> list[str]:
    """One field of text with the median uncertainty of each marker, or none if no motion has any."""
    names = np.reshape(marker_names(motions, markers), (len(motions), -1))
    notes = [
        f"{name} {value:.3f}"
        for motion, labels in zip(motions, names, strict=True)
        if motion.uncertainty is not None
        for name, value in zip(
            labels,
            np.median(motion.uncertainty, axis=0)[marker_joints(markers, motion.skeleton)],
            strict=True,
        )
    ]
    return [f"Median standard deviation in metres: {', '.join(notes)}"] if notes else []


def _header(title: list[str], rate: str, frames: int, markers: list[str]) -> str:
    """The header as OpenSim and Pose2Sim write it: the lines of names and of axes end with tabs."""
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
    values = [rate, rate, str(frames), str(len(markers)), "m", rate, "1", str(frames)]
    axes = [f"{axis}{number}" for number in range(1, len(markers) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", *title],
        keys.split(),
        values,
        ["Frame#", "Time", *(cell for marker in markers for cell in (marker, "", "")), ""],
        ["", "", *axes, ""],
        [],
    ]
    return "".join("\t".join(line) + "\n" for line in lines)

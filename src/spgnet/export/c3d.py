"""C3D: labelled points of biomechanics (millimetres, z up)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError
from spgnet.export.markers import Event, MarkerNames, Unseen, motion_markers, presence_events, step_events
from spgnet.export.sampling import frame_rate
from spgnet.extras import import_extra
from spgnet.lifting.motion import Motion

MILLIMETRES = 1000.0
MAX_FRAMES = 65535
"""C3D counts frames in 16 bits."""
MAX_RESIDUAL = 255
"""Files hold residuals in bytes, here in whole millimetres."""


def write_c3d(
    motions: Sequence[Motion], path: Path, markers: MarkerNames = "spgnet", unseen: Unseen = "keep"
) -> None:
    """Write labelled points at a constant rate, in millimetres with z up.

    A point's residual is its uncertainty in whole millimetres, rounded up, and 255 from there on; 0 if the
    motion has none. Missing points have residual -1.

    Args:
        motions: the people.
        path: the file.
        markers: whose names the points have.
        unseen: what becomes of joints that are not visible.

    Raises:
        InputError: ezc3d is missing, or the motion has more frames than the format can count.
        OSError: it cannot be written.
    """
    ezc3d = import_extra("ezc3d", "export")
    found = motion_markers(motions, frame_rate(motions), markers, unseen)
    frames = found.positions.shape[1]
    if frames > MAX_FRAMES:
        raise InputError(f"C3D files hold at most {MAX_FRAMES} frames and this motion has {frames}")
    points = MILLIMETRES * found.positions.transpose(2, 0, 1)
    absent = np.isnan(points[0])
    file = ezc3d.c3d()
    for name, value in {"LABELS": found.names, "UNITS": ["mm"], "RATE": [found.fps]}.items():
        file["parameters"]["POINT"][name]["value"] = value
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    file.add_parameter("MANUFACTURER", "SOFTWARE", ["spgnet"])
    _add_subjects(file, motions)
    events = [*presence_events(motions), *step_events(motions)]
    _add_events(file, sorted(events, key=lambda event: event.time))
    file["data"]["points"] = np.concatenate([points, np.ones((1, *absent.shape))])
    residuals = np.ceil(MILLIMETRES * found.uncertainty).clip(0, MAX_RESIDUAL)
    file["data"]["meta_points"]["residuals"] = np.where(absent, -1.0, residuals)[None]
    file.write(str(path))
    if _is_cut_short(path, 16 * absent.size):
        raise OSError("cut short, as by a full disk")  # of which ezc3d takes no notice


def _is_cut_short(path: Path, data: int) -> bool:
    """Whether a C3D file is shorter than its header and as many bytes of data."""
    with path.open("rb") as file:
        header = file.read(512)
    block = int.from_bytes(header[16:18], "little")  # of 512 bytes, the first one is 1
    return len(header) < 512 or block < 2 or path.stat().st_size < 512 * (block - 1) + data


def _add_subjects(file: Any, motions: Sequence[Motion]) -> None:
    """Say whose points there are, and which prefix their labels have."""
    people = [f"person{motion.track}" for motion in motions]
    several = len(people) > 1
    file.add_parameter("SUBJECTS", "USED", [len(people)])
    file.add_parameter("SUBJECTS", "NAMES", people)
    file.add_parameter("SUBJECTS", "USES_PREFIXES", [int(several)])
    file.add_parameter("SUBJECTS", "LABEL_PREFIXES", [f"{name}_" if several else "" for name in people])


def _add_events(file: Any, events: Sequence[Event]) -> None:
    """List events; without any there is no such group."""
    if not events:
        return
    file.add_parameter("EVENT", "USED", [len(events)])
    file.add_parameter("EVENT", "CONTEXTS", [event.context for event in events])
    file.add_parameter("EVENT", "LABELS", [event.label for event in events])
    file.add_parameter("EVENT", "SUBJECTS", [event.subject for event in events])
    # Minutes, which this leaves 0, and seconds.
    file.add_parameter("EVENT", "TIMES", np.array([[0.0] * len(events), [event.time for event in events]]))

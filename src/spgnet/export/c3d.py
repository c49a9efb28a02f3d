"""C3D: labelled points of biomechanics, in millimetres with z up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spgnet.errors import InputError
from spgnet.export.sampling import constant_rate, frame_rate
from spgnet.export.tables import marker_names
from spgnet.extras import import_extra
from spgnet.lifting.motion import Motion

MILLIMETRES = 1000.0
MOST_FRAMES = 65535
"""The format counts frames in 16 bits."""


def write_c3d(motions: Sequence[Motion], path: Path) -> None:
    """Write the points at a constant rate.

    Every joint of a person who is there has residual 0, whatever its confidence: all are estimates, and
    a residual of -1 would hide them. Points of a person who is not there have residual -1.

    Raises:
        InputError: ezc3d is missing, or the motion has more frames than the format can count.
    """
    ezc3d = import_extra("ezc3d", "export")
    fps = frame_rate(motions)
    people = constant_rate(motions, fps)
    frames = people.shape[1]
    if frames > MOST_FRAMES:
        raise InputError(f"C3D files hold at most {MOST_FRAMES} frames and this motion has {frames}")
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

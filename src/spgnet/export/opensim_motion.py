"""OpenSim's motion files, as text: the coordinates of its model Rajagopal2016 (docs/joint_angles.md)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from spgnet.export.sampling import constant_rate, format_rows, frame_rate, z_up_to_y_up
from spgnet.geometry.joint_angles import BENT, cardan_zxy, joint_angles, segment_axes, unwrap_degrees
from spgnet.geometry.skeleton import HUMAN36M, skeleton_of
from spgnet.lifting.motion import Motion

_LIMBS = {
    "hip_flexion": "hip_flexion",
    "hip_adduction": "hip_adduction",
    "hip_rotation": "hip_rotation",
    "knee_angle": "knee_flexion",
    "arm_flex": "shoulder_flexion",
    "arm_add": "shoulder_adduction",
    "arm_rot": "shoulder_rotation",
    "elbow_flex": "elbow_flexion",
}
"""Coordinates of each side in OpenSim, and the angles here."""
_LEG, _ARM = tuple(_LIMBS)[:4], tuple(_LIMBS)[4:]
_LUMBAR = ("lumbar_extension", "lumbar_bending", "lumbar_rotation")
COORDINATES: tuple[str, ...] = (
    *("pelvis_tilt", "pelvis_list", "pelvis_rotation", "pelvis_tx", "pelvis_ty", "pelvis_tz"),
    *(f"{name}_{side}" for side in "rl" for name in _LEG),
    *_LUMBAR,
    *(f"{name}_{side}" for side in "rl" for name in _ARM),
)
"""Coordinates of a motion file, in the model's order. Those of forearms, hands, subtalar joints and toes are
not known."""
FOOT_COORDINATES = {f"ankle_angle_{side[0]}": f"{side}_ankle_flexion" for side in ("right", "left")}
"""Coordinates of motion with feet after those, and the angles here."""
_ORIGIN = (0.056276, 0.07849, 0.0)
"""The model's pelvis, from the middle of its hip joints, in its own axes and in metres."""
_UNITS = (
    "Units are S.I. units (second, meters, Newtons, ...)\n"
    "If the header above contains a line with 'inDegrees', this indicates whether rotational values are in "
    "degrees (yes) or radians (no).\n"
)


def opensim_motion_text(motion: Motion, kind: Literal["mot", "sto"] = "mot") -> str:
    """The content of a motion file as OpenSim's Inverse Kinematics writes it, or of a table of type .sto.

    There is one row for each frame at a constant rate; angles are in degrees and the pelvis's place in metres
    with y up.
    """
    fps = frame_rate([motion])
    coordinates = opensim_coordinates(constant_rate([motion], fps)[0])
    table = np.column_stack([np.arange(len(coordinates)) / fps, coordinates])
    rows, columns = f"nRows={len(table)}\n", f"nColumns={table.shape[1]}\n"
    if kind == "mot":
        header = f"Coordinates\nversion=1\n{rows}{columns}inDegrees=yes\n\n{_UNITS}\nendheader\n"
    else:
        header = f"Coordinates\ninDegrees=yes\n{columns}{rows}DataType=double\nversion=3\nendheader\n"
    named = (*COORDINATES, *(FOOT_COORDINATES if motion.has_feet else ()))
    names = "\t".join(("time", *named)) + "\n"
    return header + names + format_rows(table, ["%.8f"] * table.shape[1], "\t")


def opensim_coordinates(
    joints: Float[np.ndarray, "frames joints 3"],
) -> Float[np.ndarray, "frames coordinates"]:
    """``COORDINATES``, and with feet ``FOOT_COORDINATES``, in degrees, and in metres where they are
    positions.

    A model has all its coordinates in every frame. So the rotation of a limb that cannot be seen, since its
    knee or elbow is nearly straight, is interpolated between the frames in which it can; it is 0 if it never
    can.

    Args:
        joints: joints in metres in a world with z up.
    """
    world = torch.from_numpy(joints.astype(np.float64))
    angles = {name: value.numpy() for name, value in joint_angles(world, observable_only=False).items()}
    pelvis = segment_axes(torch.from_numpy(z_up_to_y_up(joints.astype(np.float64))))[0]
    tilt, pelvis_list, rotation = (value.numpy() for value in cardan_zxy(pelvis))
    hips = [HUMAN36M.names.index(f"{side}_hip") for side in ("left", "right")]
    origin = z_up_to_y_up(joints[:, hips].mean(axis=1)) + np.array(_ORIGIN) @ pelvis.numpy()
    columns = {
        "pelvis_tilt": unwrap_degrees(tilt),
        "pelvis_list": pelvis_list,
        "pelvis_rotation": unwrap_degrees(rotation),
        **{f"pelvis_t{axis}": origin[:, number] for number, axis in enumerate("xyz")},
        "lumbar_extension": np.zeros(len(joints)),
        "lumbar_bending": angles["trunk_bending"],
        "lumbar_rotation": angles["trunk_rotation"],
    }
    for letter, side in (("r", "right"), ("l", "left")):
        for ball, hinge in (("hip", "knee"), ("shoulder", "elbow")):
            straight = angles[f"{side}_{hinge}_flexion"] < BENT
            angles[f"{side}_{ball}_rotation"][straight] = np.nan
        columns |= {f"{name}_{letter}": angles[f"{side}_{angle}"] for name, angle in _LIMBS.items()}
    named = COORDINATES
    if len(skeleton_of(joints.shape[1])) > len(HUMAN36M):
        columns |= {name: angles[angle] for name, angle in FOOT_COORDINATES.items()}
        named += tuple(FOOT_COORDINATES)
    return np.stack([_without_gaps(columns[name]) for name in named], axis=1)


def _without_gaps(values: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """The values, with those that are NaN interpolated linearly; 0 if there are no others."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])

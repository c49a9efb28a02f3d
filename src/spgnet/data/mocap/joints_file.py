"""``joints.json`` or ``joints.toml``: what a user says about the files of a folder."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spgnet.data.mocap.joint_maps import Mix
from spgnet.data.mocap.world import Up
from spgnet.skeleton import HUMAN36M

NAMES = ("joints.json", "joints.toml")


@dataclass(frozen=True)
class JointsFile:
    """A user's own choices; what is not given is found by itself.

    As JSON: ``{"right_hip": "RThigh", "spine": ["Hips", "Chest"], "unit": 0.01, "up": "y"}``. A joint is a
    point of the files or the mean of several. Files use the choices of the nearest folder above them.
    """

    joints: Mapping[str, Mix] = field(default_factory=dict)
    """Our joints, each a mix of the files' points."""
    head: str = ""
    """The point where the head begins; nose and top of the head are fixed in its part."""
    unit: float | None = None
    """Metres per unit of length in the files (for ASF, of lengths divided by the file's own factor)."""
    up: Up | None = None
    """The axis that points up: ``"y"`` or ``"z"``."""
    fps: float | None = None
    """Frames per second, for AMC files, which do not say it, and for files that say it wrongly."""


def read_joints_file(path: Path) -> JointsFile:
    """The choices in a file.

    Raises:
        ValueError: it cannot be read or says something that is not understood; the message lists all of it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        said: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    if not isinstance(said, dict):
        raise ValueError(f"{path}: expected names of joints and their points")
    faults = [fault for key, value in said.items() if (fault := _fault(key, value))]
    if faults:
        raise ValueError(f"{path}: {'; '.join(faults)}")
    joints = {key: _mix(value) for key, value in said.items() if key in HUMAN36M.names}
    numbers = {key: float(said[key]) for key in ("unit", "fps") if key in said}
    return JointsFile(joints, said.get("head", ""), up=said.get("up"), **numbers)


def _mix(value: str | list[str]) -> Mix:
    points = [value] if isinstance(value, str) else value
    return {point: points.count(point) / len(points) for point in points}


def _fault(key: str, value: object) -> str:
    """What is wrong with an entry; empty if nothing is."""
    if key in HUMAN36M.names:
        points = value if isinstance(value, list) and value else [value]
        return "" if all(isinstance(p, str) and p for p in points) else f"{key} is {value!r}, expected points"
    if key == "head":
        return "" if isinstance(value, str) else f"head is {value!r}, expected a point"
    if key == "up":
        return "" if value in ("y", "z") else f'up is {value!r}, expected "y" or "z"'
    if key in ("unit", "fps"):
        positive = isinstance(value, int | float) and value is not True and 0 < value < 1e6
        return "" if positive else f"{key} is {value!r}, expected a positive number"
    return f"{key!r} is no joint (those are {', '.join(HUMAN36M.names)}), nor head, unit, up or fps"

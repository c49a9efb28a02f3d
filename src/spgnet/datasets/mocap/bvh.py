"""BVH files: a skeleton of offsets and channels, and the channels' values in every frame.

Rotations are in degrees and apply in the order in which the channels are listed, each about the axes that the
ones before have turned. A position channel gives the joint's position relative to its parent: it replaces
that coordinate of ``OFFSET``, as files that write both have it. Only if the positions of a joint below the
root stay near zero, by the length of its offset, are they added to the offset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spgnet.datasets.mocap.skeleton_tracks import (
    LARGEST_VALUE,
    LONGEST_NAME,
    SkeletonTracks,
    check_tracks_size,
    read_lines,
    rotate_about,
    tracks_from_rotations,
)
from spgnet.errors import InputError, list_names, one_line, prefix_errors
from spgnet.limits import FASTEST, SLOWEST

_CHANNELS = {
    f"{axis}{kind}": (kind, number) for number, axis in enumerate("xyz") for kind in ("position", "rotation")
}


_STILL = 0.05
"""Positions that stay within this share of the offset's length around zero are added to it."""


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] = field(default_factory=list)
    channels: list[tuple[str, int]] = field(default_factory=list)


def read_bvh(path: Path) -> SkeletonTracks:
    """Where every joint and every end site (``<joint>_end``) of a BVH file is, frame by frame.

    Raises:
        InputError: the file is no BVH file or is broken; the message names the line.
    """
    with prefix_errors(path):
        lines = read_lines(path)
        start = next((i for i, line in enumerate(lines) if line.strip().lower() == "motion"), None)
        if start is None:
            raise InputError("not a BVH file: there is no line MOTION")
        joints = _Hierarchy(lines[:start]).joints
        values, fps = _motion(lines, start, sum(len(joint.channels) for joint in joints))
        check_tracks_size(path, len(values), len(joints))
        return _tracks(joints, values, fps)


class _Hierarchy:
    """The joints of the lines above ``MOTION``, parents first."""

    def __init__(self, lines: list[str]) -> None:
        self.joints: list[_Joint] = []
        self.open: list[int] = []
        self.next: int | None = None
        for number, line in enumerate(lines, start=1):
            for piece in line.replace("{", "\n{\n").replace("}", "\n}\n").split("\n"):
                if piece.split():
                    self._take(piece.split(), number)
        if not self.joints or self.open or self.next is not None:
            raise InputError("the hierarchy has no joints or a brace is not closed before MOTION")
        bare = [joint.name for joint in self.joints if not joint.offset]
        if bare:
            raise InputError(f"joints without OFFSET: {list_names(bare)}")

    def _take(self, words: list[str], number: int) -> None:
        keyword = words[0].lower()
        if keyword in ("root", "joint", "end"):
            parent = self.open[-1] if self.open else -1
            if keyword == "end" and parent < 0:
                raise InputError(f"line {number}: an end of no joint")
            name = f"{self.joints[parent].name}_end" if keyword == "end" else " ".join(words[1:])
            if len(name) > LONGEST_NAME:
                raise InputError(f"line {number}: a name of {len(name)} characters")
            self.next = len(self.joints)
            self.joints.append(_Joint(name, parent))
        elif keyword == "{" and self.next is not None:
            self.open.append(self.next)
            self.next = None
        elif keyword == "}" and self.open:
            self.open.pop()
        elif keyword == "offset" and self.open:
            self.joints[self.open[-1]].offset = self._offset(words, number)
        elif keyword == "channels" and self.open:
            self.joints[self.open[-1]].channels = self._channels(words, number)
        elif keyword != "hierarchy":
            raise InputError(f"line {number} does not belong into a hierarchy: {' '.join(words)[:60]!r}")

    def _offset(self, words: list[str], number: int) -> list[float]:
        try:
            offset = [float(word) for word in words[1:]]
        except ValueError:
            offset = []
        if len(offset) != 3 or not all(abs(value) <= LARGEST_VALUE for value in offset):
            raise InputError(f"line {number}: OFFSET needs three numbers, got {' '.join(words[1:])[:60]!r}")
        return offset

    def _channels(self, words: list[str], number: int) -> list[tuple[str, int]]:
        names = [word.lower() for word in words[2:]]
        unknown = [name for name in names if name not in _CHANNELS]
        if unknown or words[1:2] != [str(len(names))]:
            raise InputError(
                f"line {number}: CHANNELS needs a count and as many names like Xposition or "
                f"Zrotation, got {' '.join(words[1:])[:60]!r}"
            )
        return [_CHANNELS[name] for name in names]


def _motion(
    lines: list[str], start: int, channels: int
) -> tuple[Float[np.ndarray, "frames channels"], float]:
    """The values of all frames, and frames per second."""
    rows = [(i + 1, line) for i, line in enumerate(lines) if i > start and line.strip()]
    header = [line.lower().replace(":", " ").split() for _, line in rows[:2]]
    try:
        (_, frames), (_, _, seconds) = header
        count, step = int(frames), float(seconds)
    except ValueError:
        raise InputError("below MOTION there must be 'Frames: N' and 'Frame Time: seconds'") from None
    if not (step > 0 and SLOWEST <= 1 / step <= FASTEST):
        raise InputError(f"the frame time is {step:g}, expected a positive number of seconds")
    rows = rows[2:]
    if not rows or len(rows) != count:
        raise InputError(f"'Frames:' says {count}, and there are {len(rows)} lines of values")
    # Frame times are written with few digits: 0.0083333 is 120 frames per second, not 120.0005.
    fps = 1 / step
    return _numbers(rows, channels), float(round(fps)) if abs(fps - round(fps)) < 5e-4 * fps else fps


def _numbers(rows: list[tuple[int, str]], channels: int) -> Float[np.ndarray, "frames channels"]:
    words = [line.split() for _, line in rows]
    for (number, _), found in zip(rows, words, strict=True):
        if len(found) != channels:
            raise InputError(f"line {number} has {len(found)} values, the channels are {channels}")
    try:
        values = np.array([[float(word) for word in found] for found in words])
    except ValueError as error:
        raise InputError(f"a value is no number ({one_line(error, 60)})") from None
    broken = np.flatnonzero(~(np.abs(values) <= LARGEST_VALUE).all(axis=1))
    if len(broken):
        raise InputError(
            f"{len(broken)} frames hold NaN, infinity or immense numbers, the first is line "
            f"{rows[broken[0]][0]}"
        )
    return values.reshape(len(rows), channels)


def _tracks(joints: list[_Joint], values: Float[np.ndarray, "frames channels"], fps: float) -> SkeletonTracks:
    """Forward kinematics of all frames at once."""
    frames, columns = len(values), iter(values.T)
    offsets = np.empty((frames, len(joints), 3))
    rotations = np.empty((frames, len(joints), 3, 3))
    for index, joint in enumerate(joints):
        channels = [(kind, axis, next(columns)) for kind, axis in joint.channels]
        positions = {axis: column for kind, axis, column in channels if kind == "position"}
        offsets[:, index] = _local(joint, positions, frames)
        rotation = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for kind, axis, column in channels:
            if kind == "rotation":
                rotation = rotate_about(rotation, axis, np.radians(column))
        rotations[:, index] = rotation
    return tracks_from_rotations(
        names=[joint.name for joint in joints],
        parents=[joint.parent for joint in joints],
        rotations=rotations,
        offsets=offsets,
        rest=np.array([joint.offset for joint in joints]),
        rotates="from_joint",
        fps=fps,
    )


def _local(
    joint: _Joint, positions: dict[int, Float[np.ndarray, " frames"]], frames: int
) -> Float[np.ndarray, "frames 3"]:
    """Where a joint is in the axes of its parent."""
    offset = np.array(joint.offset)
    local = np.tile(offset, (frames, 1))
    for axis, column in positions.items():
        local[:, axis] = column
    moved, given = list(positions), offset[list(positions)]
    if joint.parent >= 0 and np.abs(local[:, moved]).max(initial=0) < _STILL * np.linalg.norm(given):
        local[:, moved] += given
    return local

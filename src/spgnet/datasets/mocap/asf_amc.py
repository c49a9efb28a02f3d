"""Acclaim's files: an ASF file holds a skeleton, and an AMC file the angles of its bones in every frame.

At rest every bone points along its ``direction``, given in the axes of the skeleton. Its angles are rotations
about axes of its own: with C the rotation of its ``axis`` and R that of its angles, a bone is rotated by
C R C⁻¹ relative to its parent. Angles in the order XYZ are rotations about the fixed x, then y, then z, so
that R = Rz Ry Rx; angles that a bone does not have are zero.

Lengths are divided by the factor ``length`` of the file's units. What is left in CMU's files (factor 0.45)
are inches, so that a length of 1 in them is 0.0564 m.
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

RATE = 120.0
"""Frames per second of AMC files, which do not say it themselves. It is the rate of nearly all of CMU's
trials; some have 60 (see the key ``fps`` of ``joints.json``)."""
_ROTATIONS, _TRANSLATIONS = ("rx", "ry", "rz"), ("tx", "ty", "tz")


@dataclass
class Bone:
    """A bone of an ASF skeleton, or its root.

    Args:
        name: its name.
        parent: name of the bone that it hangs on; empty for the root.
        offset: from its beginning to its end at rest, in the file's units divided by its length factor.
        axis: rotation C from its own axes to those of the skeleton.
        order: the axes (0, 1, 2) in the order in which its angles apply.
        dof: its degrees of freedom, in the order of their values in an AMC file.
    """

    name: str
    parent: str = ""
    offset: Float[np.ndarray, " 3"] = field(default_factory=lambda: np.zeros(3))
    axis: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))
    order: tuple[int, ...] = (0, 1, 2)
    dof: tuple[str, ...] = ()


@dataclass
class AsfSkeleton:
    """The skeleton of an ASF file.

    Args:
        bones: the root and all bones, parents first.
        length: the factor by which lengths in the file are divided.
        radians: whether angles are in radians.
    """

    bones: list[Bone]
    length: float
    radians: bool


def read_asf(path: Path) -> AsfSkeleton:
    """The skeleton of an ASF file.

    Raises:
        InputError: the file is no ASF file or is broken.
    """
    with prefix_errors(path):
        return _skeleton(path)


def _skeleton(path: Path) -> AsfSkeleton:
    sections = _sections(path)
    missing = [name for name in ("root", "bonedata", "hierarchy") if name not in sections]
    if missing:
        raise InputError(f"{path}: not an ASF skeleton: {', '.join(f':{name}' for name in missing)} missing")
    units = {words[0].lower(): words[1] for _, words in sections.get("units", []) if len(words) > 1}
    try:
        length, radians = float(units.get("length", "1")), units.get("angle", "deg").lower().startswith("rad")
    except ValueError:
        length, radians = 0.0, False
    if not 0 < length <= LARGEST_VALUE:
        raise InputError(f"{path}: the unit of length is {units['length']}, expected a positive number")
    bones = {"root": _bone(path, "root", sections["root"], length, radians)}
    for entry in _entries(sections["bonedata"]):
        name = next((words[1] for _, words in entry if words[0].lower() == "name" and len(words) > 1), None)
        if name is None:
            raise InputError(f"{path}: the bone in line {entry[0][0]} has no name")
        bones[name] = _bone(path, name, entry, length, radians)
    return AsfSkeleton(_in_hierarchy_order(path, bones, sections["hierarchy"]), length, radians)


_Lines = list[tuple[int, list[str]]]


def _sections(path: Path) -> dict[str, _Lines]:
    """The lines of each ``:section``, with their numbers and split into words."""
    sections: dict[str, _Lines] = {}
    lines: _Lines = []
    for number, line in enumerate(read_lines(path), start=1):
        words = line.partition("#")[0].replace("(", " ").replace(")", " ").split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            lines.append((number, words))
    return sections


def _entries(lines: _Lines) -> list[_Lines]:
    """The blocks between ``begin`` and ``end``."""
    entries: list[_Lines] = []
    for number, words in lines:
        if words[0].lower() == "begin":
            entries.append([])
        elif words[0].lower() != "end" and entries:
            entries[-1].append((number, words))
    return [entry for entry in entries if entry]


def _bone(path: Path, name: str, lines: _Lines, length: float, radians: bool) -> Bone:
    fields, root = _Fields(path, name, lines), name == "root"
    order = fields.order("axis")
    angles = fields.vector("orientation" if root else "axis", optional=root)
    offset = fields.vector("position", optional=True) if root else fields.vector("direction")
    scale = 1.0 if root else fields.number("length")
    dof = tuple(word.lower() for word in fields.words("order" if root else "dof"))
    unknown = sorted(set(dof) - set(_ROTATIONS) - (set(_TRANSLATIONS) if root else set()))
    if unknown:
        raise InputError(
            f"{path}: bone {name!r} has degrees of freedom that are not read: {list_names(unknown)}"
        )
    with np.errstate(all="ignore"):
        offset = offset * scale / length
    if not (np.abs(offset) <= LARGEST_VALUE).all() or not (np.abs(angles) <= LARGEST_VALUE).all():
        raise InputError(f"{path}: bone {name!r} has NaN, infinity or an immense number")
    if len(name) > LONGEST_NAME:
        raise InputError(f"{path}: line {lines[0][0]}: a name of {len(name)} characters")
    axis = _rotation((angles if radians else np.radians(angles))[None], order)[0]
    return Bone(name, "", offset, axis, order, dof)


class _Fields:
    """The lines of a bone, by their first words."""

    def __init__(self, path: Path, name: str, lines: _Lines) -> None:
        self.where = f"{path}: bone {name!r}"
        self.fields = {words[0].lower(): words[1:] for _, words in lines}

    def words(self, key: str) -> list[str]:
        return self.fields.get(key, [])

    def number(self, key: str) -> float:
        try:
            return float(self.words(key)[0])
        except (IndexError, ValueError):
            raise InputError(f"{self.where} needs a number for {key!r}") from None

    def vector(self, key: str, *, optional: bool = False) -> Float[np.ndarray, " 3"]:
        words = self.words(key) or (["0", "0", "0"] if optional else [])
        try:
            x, y, z = (float(word) for word in words[:3])
        except ValueError:
            raise InputError(f"{self.where} needs three numbers for {key!r}") from None
        return np.array([x, y, z])

    def order(self, key: str) -> tuple[int, ...]:
        letters = (self.words(key) or [""])[-1].lower()
        if sorted(letters) != ["x", "y", "z"]:
            raise InputError(f"{self.where} needs an axis that ends with an order like XYZ")
        return tuple("xyz".index(letter) for letter in letters)


def _in_hierarchy_order(path: Path, bones: dict[str, Bone], lines: _Lines) -> list[Bone]:
    """The bones in the order of the hierarchy, each with its parent."""
    ordered = ["root"]
    for number, words in lines:
        if words[0].lower() in ("begin", "end"):
            continue
        unknown = [word for word in words if word not in bones]
        if unknown or words[0] not in ordered or set(words[1:]) & set(ordered):
            reason = (
                f"unknown bones {list_names(unknown)}" if unknown else "bones before their parent or twice"
            )
            raise InputError(f"{path}: line {number} of the hierarchy has {reason}")
        for child in words[1:]:
            bones[child].parent = words[0]
            ordered.append(child)
    without_parent = [name for name in bones if name not in ordered]
    if without_parent:
        raise InputError(f"{path}: bones that hang nowhere: {list_names(without_parent)}")
    return [bones[name] for name in ordered]


def read_amc(path: Path, skeleton: AsfSkeleton, fps: float = RATE) -> SkeletonTracks:
    """Where the root and the end of every bone are, frame by frame; each end has its bone's name.

    Raises:
        InputError: the file is no AMC file, is broken, or does not belong to the skeleton.
    """
    with prefix_errors(path):
        return _motion(path, skeleton, fps)


def _motion(path: Path, skeleton: AsfSkeleton, fps: float) -> SkeletonTracks:
    lines = [(i, line) for i, line in enumerate(read_lines(path), start=1) if line.strip() and line[0] != "#"]
    keywords = [line.strip().lower() for _, line in lines if line[0] == ":"]
    radians = ":radians" in keywords or (skeleton.radians and ":degrees" not in keywords)
    names, values = _frames(path, [(i, line) for i, line in lines if line[0] != ":"])
    expected = {bone.name: len(bone.dof) for bone in skeleton.bones if bone.dof}
    found = {name: block.shape[1] for name, block in zip(names, values, strict=True)}
    if found != expected:
        odd = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
        raise InputError(
            f"{path}: does not fit its skeleton: {list_names(odd)} are missing, unknown or have other "
            "degrees of freedom"
        )
    if not values:
        raise InputError(f"{path}: its skeleton has no degrees of freedom, so nothing moves")
    check_tracks_size(path, len(values[0]), len(skeleton.bones))
    return _tracks(skeleton, dict(zip(names, values, strict=True)), radians, fps)


def _frames(
    path: Path, lines: list[tuple[int, str]]
) -> tuple[list[str], list[Float[np.ndarray, "frames _"]]]:
    """Names of the bones, and for each its values in every frame."""
    number = lines[0][1].strip() if lines else ""
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise InputError(f"{path}: not an AMC file: there is no frame number before the first values")
    shape: list[tuple[str, int]] = []
    for _, line in lines[1:]:
        name, *numbers = line.split()
        if not numbers:
            break
        shape.append((name, len(numbers)))
    starts = np.cumsum([1, *(1 + size for _, size in shape)])
    # As objects: in an array of text every word takes the memory of the longest.
    words = np.array([word for _, line in lines for word in line.split()], dtype=object)
    first = int(words[0])
    if len(words) % starts[-1] == 0:
        table = words.reshape(-1, starts[-1])
        named = table[:, starts[:-1]] == [name for name, _ in shape]
        numbered = table[:, 0] == np.arange(first, first + len(table)).astype(str).astype(object)
        if named.all() and numbered.all():
            return [name for name, _ in shape], [
                _numbers(path, name, table[:, start + 1 : start + 1 + size])
                for start, (name, size) in zip(starts, shape, strict=False)
            ]
    raise InputError(f"{path}: {_line_error(lines, shape, first)}")


def _numbers(path: Path, name: str, words: np.ndarray) -> Float[np.ndarray, "frames _"]:
    try:
        values = words.astype(float)
    except ValueError as error:
        raise InputError(f"{path}: a value of {name} is no number ({one_line(error, 60)})") from None
    broken = np.flatnonzero(~(np.abs(values) <= LARGEST_VALUE).all(axis=1))
    if len(broken):
        raise InputError(
            f"{path}: {name} holds NaN, infinity or immense numbers in {len(broken)} frames, from "
            f"{broken[0] + 1} on"
        )
    return values


def _line_error(lines: list[tuple[int, str]], shape: list[tuple[str, int]], first: int) -> str:
    """Error message for the first line that differs from the layout of the first frame."""
    for index, (number, line) in enumerate(lines):
        frame, row = divmod(index, len(shape) + 1)
        name, *values = line.split()
        if row == 0 and (name, values) != (str(first + frame), []):
            return f"line {number}: expected the frame number {first + frame}, got {line.strip()[:60]!r}"
        if row and (name, len(values)) != shape[row - 1]:
            wanted, size = shape[row - 1]
            return f"line {number}: expected {wanted} with {size} values, got {line.strip()[:60]!r}"
    return "the last frame is not complete"


def _tracks(
    skeleton: AsfSkeleton, values: dict[str, Float[np.ndarray, "frames _"]], radians: bool, fps: float
) -> SkeletonTracks:
    """Forward kinematics of all frames at once."""
    frames = len(next(iter(values.values())))
    names = [bone.name for bone in skeleton.bones]
    rest = np.stack([bone.offset for bone in skeleton.bones])
    offsets = np.tile(rest, (frames, 1, 1))
    rotations = np.empty((frames, len(names), 3, 3))
    for index, bone in enumerate(skeleton.bones):
        block = values.get(bone.name, np.zeros((frames, 0)))
        columns = dict(zip(bone.dof, block.T, strict=True))
        angles = np.stack([columns.get(name, np.zeros(frames)) for name in _ROTATIONS], axis=1)
        rotation = _rotation(angles if radians else np.radians(angles), bone.order)
        rotations[:, index] = bone.axis @ rotation @ bone.axis.T
        if not bone.parent:
            shift = np.stack([columns.get(name, np.zeros(frames)) for name in _TRANSLATIONS], axis=1)
            offsets[:, index] += shift / skeleton.length
    return tracks_from_rotations(
        names=names,
        parents=[names.index(bone.parent) if bone.parent else -1 for bone in skeleton.bones],
        rotations=rotations,
        offsets=offsets,
        rest=rest,
        rotates="to_joint",
        fps=fps,
    )


def _rotation(
    angles: Float[np.ndarray, "frames 3"], order: tuple[int, ...]
) -> Float[np.ndarray, "frames 3 3"]:
    """Rotations by angles about the fixed x, y and z, one after the other in an order."""
    rotations = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis in reversed(order):
        rotations = rotate_about(rotations, axis, angles[:, axis])
    return rotations

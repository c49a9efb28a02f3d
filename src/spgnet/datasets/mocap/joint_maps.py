"""Which points of common skeletons are our 17 joints, and what a user says about it in joints.json.

Names are compared without case, separators and a prefix that all share: ``mixamorig:LeftUpLeg`` is
``leftupleg`` and ``Bip01 L Thigh`` is ``lthigh``. The first map whose points are all there is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from spgnet.errors import InputError, prefix_errors
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.limits import LARGEST_SETTINGS
from spgnet.text import parse_json_text, parse_toml_text, read_text

Up = Literal["y", "z"]
"""The axis of a file that points up."""

Mix = Mapping[str, float]
"""Points and their weights, which add up to 1: a joint is the weighted sum of the points."""


@dataclass(frozen=True)
class JointMap:
    """How our joints follow from the points of a skeleton.

    Joints that are not listed follow from the others: the pelvis is the middle of the hips, the spine is
    halfway along the trunk, and nose and top of the head are fixed in the head.

    Args:
        name: of the skeleton.
        joints: our joints, each a mix of points.
        trunk: joints of the spine between pelvis and thorax, from below; those that are there.
        head: where the head begins; empty if the skeleton has none.
        skull: the point whose body part rotates with the head; ``head`` if empty.
        lost: two points between which lies a bone that the file's converter lost once more above the second,
            so that a third coincides with the second; everything above is moved up by it.
        marks: more points that tell this skeleton from others.
        feet: the ball of each foot and the tip of its toes, by side; without a joint of the toes the end of
            the foot alone. Those that are there.
    """

    name: str
    joints: Mapping[str, Mix]
    trunk: tuple[str, ...] = ()
    head: str = ""
    skull: str = ""
    lost: tuple[str, str, str] | None = None
    marks: tuple[str, ...] = ()
    feet: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def points(self) -> set[str]:
        """The points that the skeleton must have."""
        needed = {point for mix in self.joints.values() for point in mix}
        return needed | {point for point in (self.head, self.skull, *(self.lost or ()), *self.marks) if point}


def plain(names: Sequence[str]) -> list[str]:
    """Names without case, separators and the prefix that nearly all of them share."""
    bare = [name.rpartition(":")[2] for name in names]
    starts = Counter(name[: m.end()] for name in bare for m in re.finditer(r"[ _.\-]+", name))
    shared = max((s for s, count in starts.items() if count >= 0.9 * len(bare)), key=len, default="")
    return [re.sub(r"[^a-z0-9]", "", name.removeprefix(shared).lower()) for name in bare]


def choose_map(names: Sequence[str], own: Mapping[str, Mix] | None = None, head: str = "") -> JointMap:
    """The map for a skeleton, its points named as the skeleton names them.

    Args:
        names: the skeleton's points.
        own: the user's own choices, in the skeleton's names; they come before those of the map.
        head: the user's own choice of the point where the head begins.

    Raises:
        InputError: no map fits; the message lists what the closest one lacks.
    """
    own = own or {}
    unknown = sorted({head, *(point for mix in own.values() for point in mix)} - {"", *names})
    if unknown:
        raise InputError(f"joints.json names points that are not there: {', '.join(unknown)}")
    given = dict(zip(reversed(plain(names)), reversed(names), strict=True))
    lacks = {}
    for candidate in MAPS:
        kept = replace(candidate, joints={j: m for j, m in candidate.joints.items() if j not in own})
        lacks[candidate.name] = sorted(kept.points() - {*given})
        if not lacks[candidate.name]:
            return _renamed(kept, given, own, head)
    limbs = {j for j in HUMAN36M.names if j not in ("pelvis", "spine", "nose", "head_top")}
    if limbs <= {*own}:
        return JointMap("joints.json", own, head=head)
    closest = min(lacks, key=lambda name: len(lacks[name]))
    raise InputError(
        f"no known skeleton: the closest is {closest}, of which {', '.join(lacks[closest])} are missing; "
        f"name the joints in joints.json ({', '.join(sorted(limbs - {*own}))}), there are {', '.join(names)}"
    )


def _renamed(chosen: JointMap, given: Mapping[str, str], own: Mapping[str, Mix], head: str) -> JointMap:
    """A map in a skeleton's own names, with the user's own choices."""
    joints = {j: {given[p]: weight for p, weight in mix.items()} for j, mix in chosen.joints.items()}
    return replace(
        chosen,
        joints={**joints, **own},
        trunk=tuple(given[point] for point in chosen.trunk if point in given),
        head=head or given.get(chosen.head, ""),
        skull="" if head else given.get(chosen.skull, ""),
        lost=(given[chosen.lost[0]], given[chosen.lost[1]], given[chosen.lost[2]]) if chosen.lost else None,
        feet={
            side: tuple(given[point] for point in points if point in given)
            for side, points in chosen.feet.items()
            if points[0] in given
        },
    )


_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


def _limbs(pattern: str, sides: tuple[str, str], names: str) -> dict[str, Mix]:
    """Mixes for both sides: names of hip, knee, ankle, shoulder, elbow and wrist, put into a pattern."""
    return {
        f"{side}_{joint}": {pattern.format(side=word, name=name): 1.0}
        for side, word in zip(("left", "right"), sides, strict=True)
        for joint, name in zip(_LIMBS, names.split(), strict=True)
    }


def _feet(sides: tuple[str, str], ball: str, toe: str = "") -> dict[str, tuple[str, ...]]:
    """Points of both feet: patterns of the ball's and of the toes' names, the latter empty if there is
    none."""
    return {
        side: tuple(name.format(side=word) for name in (ball, toe) if name)
        for side, word in zip(("left", "right"), sides, strict=True)
    }


_FRONT, _BACK = "{side}{name}", "{name}{side}"
_LONG, _SHORT = ("left", "right"), ("l", "r")
_SPINES = ("lowerback", "spine", "spine1", "spine2", "spine3", "spine4")
_CHESTS = ("spine", "spine1", "spine2", "spine3", "chest", "chest2", "chest3", "chest4")

_MOTIONBUILDER = _limbs(_FRONT, _LONG, "upleg leg foot arm forearm hand")
_CMU_WRISTS = {f"{s}_wrist": {f"{s}forearm": -0.5, f"{s}hand": 1.5} for s in _LONG}

MAPS: tuple[JointMap, ...] = (
    JointMap("spgnet's own BVH", {name: {name.replace("_", ""): 1.0} for name in HUMAN36M.names}),
    # CMU's bone "thorax" ends some 7 cm below the shoulders; the base of the neck is higher up.
    JointMap(
        "CMU's ASF",
        {
            **_limbs(_FRONT, _SHORT, "hipjoint femur tibia clavicle humerus wrist"),
            "thorax": {"thorax": 0.2, "lowerneck": 0.8},
            "spine": {"lowerback": 0.5, "upperback": 0.5},
            "head_top": {"head": 1.0},
        },
        head="upperneck",
        skull="head",
        feet=_feet(_SHORT, "{side}foot", "{side}toes"),
    ),
    # This conversion lost the bones "thorax" and "lwrist" of the ASF files, which in CMU's skeletons are as
    # long as the one below the first, and half as long as the forearm.
    JointMap(
        "CMU as BVH",
        {
            **_MOTIONBUILDER,
            **_CMU_WRISTS,
            "thorax": {"neck": 0.2, "neck1": 0.8},
            "spine": {"spine": 0.5, "spine1": 0.5},
            "head_top": {"headend": 1.0},
        },
        head="head",
        lost=("spine", "spine1", "neck"),
        marks=("lhipjoint", "rhipjoint", "lowerback"),
        feet=_feet(_LONG, "{side}toebase", "{side}toebaseend"),
    ),
    JointMap(
        "MotionBuilder (Mixamo, LAFAN1 and others)",
        {**_MOTIONBUILDER, "thorax": {"neck": 1.0}},
        _SPINES,
        "head",
        feet=_feet(_LONG, "{side}toebase", "{side}toebaseend"),
    ),
    JointMap(
        "CMU for 3ds Max",
        {**_limbs(_FRONT, _LONG, "hip knee ankle shoulder elbow wrist"), "thorax": {"lowerneck": 1.0}},
        ("lowerback", "chest", "chest2"),
        "head",
    ),
    JointMap(
        "Xsens MVN as BVH, SMPL",
        {**_limbs(_FRONT, _LONG, "hip knee ankle shoulder elbow wrist"), "thorax": {"neck": 1.0}},
        _CHESTS,
        "head",
    ),
    JointMap(
        "SMPL",
        {**_limbs(_FRONT, _SHORT, "hip knee ankle shoulder elbow wrist"), "thorax": {"neck": 1.0}},
        _CHESTS,
        "head",
    ),
    JointMap(
        "Xsens MVN's segments",
        {**_limbs(_FRONT, _LONG, "upperleg lowerleg foot upperarm forearm hand"), "thorax": {"neck": 1.0}},
        ("l5", "l3", "t12", "t8"),
        "head",
    ),
    JointMap(
        "Unity and VRM",
        {**_limbs(_FRONT, _LONG, "upperleg lowerleg foot upperarm lowerarm hand"), "thorax": {"neck": 1.0}},
        ("spine", "chest", "upperchest"),
        "head",
    ),
    JointMap(
        "Rokoko",
        {**_limbs(_FRONT, _LONG, "thigh shin foot arm forearm hand"), "thorax": {"neck": 1.0}},
        _SPINES,
        "head",
    ),
    JointMap(
        "Bandai-Namco",
        {**_limbs(_BACK, _SHORT, "upperleg lowerleg foot upperarm lowerarm hand"), "thorax": {"neck": 1.0}},
        ("spine", "chest"),
        "head",
    ),
    JointMap(
        "3ds Max Biped",
        {**_limbs(_FRONT, _SHORT, "thigh calf foot upperarm forearm hand"), "thorax": {"neck": 1.0}},
        _SPINES,
        "head",
    ),
    JointMap(
        "Reallusion",
        {**_limbs(_FRONT, _SHORT, "thigh calf foot upperarm forearm hand"), "thorax": {"necktwist01": 1.0}},
        ("waist", "spine01", "spine02"),
        "head",
    ),
    JointMap(
        "Poser and Daz",
        {**_limbs(_FRONT, _SHORT, "thigh shin foot shldr forearm hand"), "thorax": {"neck": 1.0}},
        ("abdomen", "chest"),
        "head",
        feet=_feet(_SHORT, "{side}footend"),
    ),
    JointMap(
        "Biovision",
        {**_limbs(_FRONT, _LONG, "upleg lowleg foot uparm lowarm hand"), "thorax": {"neck": 1.0}},
        _CHESTS,
        "head",
    ),
)
"""All known skeletons; of two with the same names the one that asks for more comes first."""


NAMES = ("joints.json", "joints.toml")


@dataclass(frozen=True)
class JointsFile:
    """A user's own choices; what is not given is chosen automatically.

    As JSON: ``{"right_hip": "RThigh", "spine": ["Hips", "Chest"], "unit": 0.01, "up": "y"}``. A joint is a
    point of the files or the mean of several. Files use the choices of the nearest folder above them.
    """

    joints: Mapping[str, Mix] = field(default_factory=dict)
    """Joints of Human3.6M, each a weighted mean of the files' points."""
    head: str = ""
    """The point where the head begins; nose and top of the head are fixed in its part."""
    unit: float | None = None
    """Metres per unit of length in the files (for ASF, of lengths divided by the file's own factor)."""
    up: Up | None = None
    """The axis that points up: ``"y"`` or ``"z"``."""
    fps: float | None = None
    """Frames per second, for AMC files, which do not state it, and for files that state a wrong one."""


def read_joints_file(path: Path) -> JointsFile:
    """Read a ``joints.json`` or ``joints.toml``.

    Raises:
        InputError: the file cannot be read, or has unknown keys or invalid values; the message lists all of
            them.
    """
    with prefix_errors(path):
        try:
            text = read_text(path, largest=LARGEST_SETTINGS)
            values: Any = parse_toml_text(text) if path.suffix == ".toml" else parse_json_text(text)
        except (InputError, OSError) as error:
            raise InputError(f"cannot be read ({error})") from None
        if not isinstance(values, dict):
            raise InputError("expected names of joints and their points")
        errors = [error for key, value in values.items() if (error := _entry_error(key, value))]
        if errors:
            raise InputError("; ".join(errors))
    joints = {key: _mix(value) for key, value in values.items() if key in HUMAN36M.names}
    numbers = {key: float(values[key]) for key in ("unit", "fps") if key in values}
    return JointsFile(joints, values.get("head", ""), up=values.get("up"), **numbers)


def _mix(value: str | list[str]) -> Mix:
    points = [value] if isinstance(value, str) else value
    return {point: count / len(points) for point, count in Counter(points).items()}


def _entry_error(key: str, value: object) -> str:
    """What is wrong with an entry of the file; empty if it is valid."""
    if key in HUMAN36M.names:
        points = value if isinstance(value, list) and value else [value]
        return (
            ""
            if all(isinstance(p, str) and p for p in points)
            else f"{key} is {repr(value)[:60]}, expected points"
        )
    if key == "head":
        return "" if isinstance(value, str) else f"head is {repr(value)[:60]}, expected a point"
    if key == "up":
        return "" if value in ("y", "z") else f'up is {repr(value)[:60]}, expected "y" or "z"'
    if key in ("unit", "fps"):
        positive = isinstance(value, int | float) and value is not True and 0 < value < 1e6
        return "" if positive else f"{key} is {repr(value)[:60]}, expected a positive number"
    return f"{key[:40]!r} is no joint (those are {', '.join(HUMAN36M.names)}), nor head, unit, up or fps"

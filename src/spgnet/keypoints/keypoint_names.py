"""Names of body parts as people write them, and the keypoint set that they make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError, list_names
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KEYPOINT_NAMES, SOURCES, KeypointSetName

_MIDDLE = {
    "midhip": "pelvis",
    "hip": "pelvis",
    "hips": "pelvis",
    "root": "pelvis",
    "hipcenter": "pelvis",
    "hipcentre": "pelvis",
    "head": "headtop",
    "topofhead": "headtop",
    "vertex": "headtop",
    "upperneck": "neck",
    "midshoulder": "neck",
}
_SIDED = {"bigtoe": "footindex", "smalltoe": "littletoe"}
"""Other names of parts of the body in the middle and on the sides; no set has two names of one part."""
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_SMALLEST_SHARE = 0.7
"""Share of the keypoints of a set that names must make if the set is given."""


@cache
def body_part(name: str) -> tuple[str, str]:
    """Side ("left", "right" or "") and part of ``LeftEye``, ``left eye``, ``LEye``, ``eye_l`` and so on."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name[:80])]
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    if side:
        words.remove(next(word for word in words if word in _SIDES))
    part = "".join(words)
    for start, meant in _SIDES.items():
        if not side and part.startswith(start) and part[len(start) :] in _sided_parts():
            side, part = meant, part[len(start) :]
    return side, _SIDED.get(part, part) if side else _MIDDLE.get(part, part)


_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}


@cache
def _sided_parts() -> frozenset[str]:
    """Parts of the body of which there is a left and a right one, in any set."""
    names = {name for names in KEYPOINT_NAMES.values() for name in names}
    return frozenset("".join(name.split("_")[1:]) for name in names if name.startswith(("left_", "right_")))


@cache
def _parts(keypoint_set: KeypointSetName) -> tuple[tuple[str, str], ...]:
    return tuple(body_part(name) for name in KEYPOINT_NAMES[keypoint_set])


@dataclass(frozen=True)
class MatchedNames:
    """Which of the named columns is which keypoint.

    Args:
        keypoint_set: the set that the names make.
        columns: index of the name of each keypoint; -1 where there is none.
        unknown: names that are of no keypoint of the set.
        lacking: keypoints of the set that have no name.
    """

    keypoint_set: KeypointSetName
    columns: tuple[int, ...]
    unknown: tuple[str, ...]
    lacking: tuple[str, ...]

    def reorder(self, points: Float[np.ndarray, "frames names 3"]) -> Float[np.ndarray, "frames keypoints 3"]:
        """Points in the order of the set; NaN, NaN, 0 for keypoints without a name."""
        ordered = np.full((len(points), len(self.columns), 3), np.nan)
        ordered[..., 2] = 0
        known = np.array(self.columns) >= 0
        ordered[:, known] = points[:, np.array(self.columns)[known]]
        return ordered

    def remarks(self) -> tuple[str, ...]:
        """What the user should know: which names were not understood, and which keypoints are not there."""
        lines = []
        if self.unknown:
            lines.append(f"not understood and left out: {list_names(list(self.unknown))}")
        if self.lacking:
            lines.append(
                f"keypoints of {self.keypoint_set} without a column: {list_names(list(self.lacking))}"
            )
        return tuple(lines)


def match_names(names: Sequence[str], keypoint_set: KeypointSetName | None) -> MatchedNames:
    """The keypoints that have these names.

    Args:
        names: of body parts, in any spelling that :func:`body_part` knows.
        keypoint_set: the set that they are of; if None, the one that lacks the smallest share of its
            keypoints, among equals the largest.

    Raises:
        InputError: the shoulders, elbows, wrists, hips, knees and ankles are not all there, or too few
            keypoints of the given set, or a keypoint has two names.
    """
    parts = [body_part(name) for name in names]
    if keypoint_set is None and (numbered := _numbered_sides(names)):
        parts = numbered
    there = set(parts)

    def lacking_share(name: KeypointSetName) -> tuple[float, int]:
        return sum(part not in there for part in _parts(name)) / KEYPOINT_COUNTS[name], -KEYPOINT_COUNTS[name]

    chosen: KeypointSetName = keypoint_set or min(KEYPOINT_NAMES, key=lacking_share)
    if lacking_share(chosen)[0] == 1:  # of none
        chosen = keypoint_set or "coco17"
    wanted = _parts(chosen)
    twice = [
        name for name, part in zip(names, parts, strict=True) if part in wanted and parts.count(part) > 1
    ]
    if twice:
        raise InputError(f"several columns of one keypoint: {list_names(twice)}")
    lacking = [name for name, part in zip(KEYPOINT_NAMES[chosen], wanted, strict=True) if part not in there]
    needed = {source for name in _limb_joints() for source in SOURCES[chosen][name]}
    too_few = keypoint_set is not None and len(lacking) > (1 - _SMALLEST_SHARE) * len(wanted)
    if missing := lacking if too_few else [name for name in lacking if name in needed]:
        raise InputError(
            f"columns are missing: {list_names(missing)}; expected frame and {KEYPOINT_NAMES[chosen][0]}_x, "
            f"_y, _score and so on for the keypoints of {chosen}; found {list_names(list(names)) or 'none'}"
        )
    return MatchedNames(
        chosen,
        tuple(parts.index(part) if part in there else -1 for part in wanted),
        tuple(name for name, part in zip(names, parts, strict=True) if part not in wanted),
        tuple(lacking),
    )


def _limb_joints() -> list[str]:
    return [f"{side}_{limb}" for side in ("left", "right") for limb in _LIMBS]


def _numbered_sides(names: Sequence[str]) -> list[tuple[str, str]]:
    """Parts of names such as ``ankle1`` and ``ankle2``, of which MPII and DeepLabCut's human model number the
    right one 1; empty if the names are not such."""
    found = [re.fullmatch(r"([a-z]+)_?([12])", name.lower()) for name in names]
    limbs = {match[0].replace("_", "") for match in found if match and match[1] in _LIMBS}
    if len(limbs) < 2 * len(_LIMBS):
        return []
    return [
        ({"1": "right", "2": "left"}[match[2]], match[1]) if match else body_part(name)
        for match, name in zip(found, names, strict=True)
    ]

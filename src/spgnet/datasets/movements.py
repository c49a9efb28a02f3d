"""The motion that the package's weights are trained and validated on, by source and kind of movement.

Ten archives: the open benchmark's, but for the one that is not free for any use, and five more with other
people and movements (UI-PRMD, and CMU subjects who sit, squat, play and balance). A group is the clips of one
source and kind of movement; samples are drawn from groups by their weights, not by their numbers of frames,
since ten repetitions of an exercise teach little more than one.

People who are validated on are in no group of training, whatever archive they are in
(:data:`HELD_OUT_PEOPLE`). Four clips of the archive that has lost its subjects' names show them, too
(:data:`HELD_OUT_CLIPS`): their knee and elbow angles repeat those of CMU 05/01 and 12/01 to 12/03.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.datasets.open_benchmark import load_pinned_archive, open_benchmark_facts
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.skeleton import HUMAN36M

ADDED_ARCHIVES = {
    "uiprmd_correct.npz": "bf128bb3ca5b05624e650d86ea3efc03199be92a502540b43ba804c202db5094",
    "uiprmd_incorrect.npz": "c155e834dea525cce3e7f4d7418cb387fec867c3d6b455fe4c696c416d86f224",
    "cmu_everyday.npz": "327f3a20a105a7b6b3847e6d1878c279631a7025524433cd798faa89d34cabd5",
    "cmu_sports.npz": "9f1077743b79a2d6109d3941e0f84175b3e8db5809a2e34cb40b6dd848eead0e",
    "cmu_misc.npz": "cfa9c94296ba7dc77f73b80072a0e894cc88c26ef2686d8e8c8ca2888beb5400",
}
"""SHA-256 of the archives that are not part of the open benchmark, by their names."""

HELD_OUT_PEOPLE = ("uiprmd-s02", "uiprmd-s09", "cmu05", "cmu12", "cmu124", "cmu140")
"""Subjects that are validated or tested on, and never trained on."""
HELD_OUT_CLIPS = (
    "walking/train_walking_2",
    "walking_extra/train_walking_19",
    "walking_extra/train_walking_20",
    "walking_extra/train_walking_21",
)
"""Clips of ``cmu_actions.npz`` that are recordings of people who are held out."""


@dataclass(frozen=True)
class MovementGroup:
    """Clips of one source and kind of movement.

    Args:
        kind: of movement.
        archive: the file that holds them.
        clips: patterns of their names, as of files (``*`` for anything).
        weight: how often samples are drawn from the group, relative to the others of training.
    """

    kind: str
    archive: str
    clips: tuple[str, ...]
    weight: float = 1.0

    def holds(self, clip: MotionClip) -> bool:
        """Whether a clip of the archive belongs to the group."""
        return any(fnmatchcase(clip.name, pattern) for pattern in self.clips)


TRAINING_GROUPS = (
    MovementGroup("walking", "cmu_actions.npz", ("walking/*", "walking_extra/*"), 7.0),
    MovementGroup("walking", "cmu_iclone.npz", ("7/*",), 2.0),
    MovementGroup("walking", "cmu_everyday.npz", ("08/*", "09/*"), 2.0),
    MovementGroup("walking and sitting", "cmu_misc.npz", ("86/*",), 3.0),
    MovementGroup("balancing", "cmu_misc.npz", ("49/*",), 2.0),
    MovementGroup("playground", "cmu_playground.npz", ("*",), 7.0),
    MovementGroup("everyday", "cmu_everyday.npz", ("10/*", "11/*", "13/*", "14/*"), 10.0),
    MovementGroup("sitting and squatting", "uiprmd_correct.npz", ("m01/*", "m03/*", "m05/*"), 5.0),
    MovementGroup("sitting and squatting", "uiprmd_incorrect.npz", ("m01i/*", "m03i/*", "m05i/*"), 4.0),
    MovementGroup("legs", "uiprmd_correct.npz", ("m02/*", "m04/*", "m06/*"), 3.0),
    MovementGroup("legs", "uiprmd_incorrect.npz", ("m02i/*", "m04i/*", "m06i/*"), 3.0),
    MovementGroup("arms", "uiprmd_correct.npz", ("m07/*", "m08/*", "m09/*", "m10/*"), 3.0),
    MovementGroup("arms", "uiprmd_incorrect.npz", ("m07i/*", "m08i/*", "m09i/*", "m10i/*"), 3.0),
    MovementGroup(
        "arms", "cmu_actions.npz", ("basketball_signal/*", "directing_traffic/*", "washwindow/*"), 3.0
    ),
    MovementGroup("sports", "cmu_sports.npz", ("*",), 5.0),
    MovementGroup("sports", "cmu_actions.npz", ("basketball/*", "jumping/*", "running/*", "soccer/*"), 4.0),
    MovementGroup("sports", "cmu_iclone.npz", ("6/*",), 2.0),
    MovementGroup("dance", "cmu_dance_martial.npz", ("salsa/*",), 5.0),
    MovementGroup("dance", "cmu_dance_martial.npz", ("indian/*",), 2.0),
    MovementGroup("dance", "cmu_misc.npz", ("55/*",), 1.0),
    MovementGroup("martial arts", "cmu_dance_martial.npz", ("martial/*",), 3.0),
    MovementGroup("acrobatics", "cmu_jump.npz", ("cmu/*",), 4.0),
)
GENERATED_WEIGHTS = {
    "walk": 2.0,
    "sit": 4.0,
    "squat": 3.0,
    "reach": 5.0,
    "bend": 3.0,
    "limbs": 5.0,
    "balance": 6.0,
    "lie": 7.0,
}
"""How often samples are drawn from generated motion, by its action: more often where captures are few."""

VALIDATION_GROUPS = (
    MovementGroup("walking", "cmu_everyday.npz", ("12/*",)),
    MovementGroup("sitting and squatting", "uiprmd_correct.npz", ("m01/*", "m03/*", "m05/*")),
    MovementGroup("sitting and squatting", "uiprmd_incorrect.npz", ("m01i/*", "m03i/*", "m05i/*")),
    MovementGroup("arms", "uiprmd_correct.npz", ("m07/*", "m08/*", "m09/*", "m10/*")),
    MovementGroup("arms", "uiprmd_incorrect.npz", ("m07i/*", "m08i/*", "m09i/*", "m10i/*")),
    MovementGroup("floor", "cmu_jump.npz", ("cmu/140_*",)),
    MovementGroup("sports", "cmu_iclone.npz", ("5/*",)),
    MovementGroup("sports", "cmu_sports.npz", ("124/*",)),
)
"""The kinds of movement to validate on; of their archives' clips, those of people who are held out."""
GENERATED_KINDS = {"walk": "walking", "lie": "floor", "limbs": "balancing", "balance": "balancing"}
"""Kinds of movement that generated motion is validated on as well, by its actions: captures of walks and of
the floor are few, and nobody who is held out balances."""


OWN_BODIES = (
    "cmu_misc.npz",
    "cmu_playground.npz",
    "cmu_sports.npz",
    "uiprmd_correct.npz",
    "uiprmd_incorrect.npz",
)
"""Archives in which everybody has a skeleton of their own; the others have one for all."""
NECK = 0.045
"""How far the thorax is above the middle of the shoulders while the arms hang, by the height of these above
the pelvis: as in the largest archives, and in Bandai-Namco's. Skeletons have it from 0.04 below to 0.14
above, since sources differ in what they call the thorax."""

_NAMES = HUMAN36M.names
_SHOULDERS, _WRISTS = (
    [_NAMES.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("shoulder", "wrist")
)
_THORAX, _SPINE = _NAMES.index("thorax"), _NAMES.index("spine")


def with_common_neck(clips: Sequence[MotionClip]) -> list[MotionClip]:
    """Clips of one skeleton with the thorax moved along the trunk to where all skeletons are to have it.

    It is moved by the same share of the trunk in all frames, so that shoulders still rise with raised arms;
    the spine is moved half as far. Where nobody stands with hanging arms, the clips are as they were.
    """
    joints = torch.cat([clip.joints for clip in clips])
    trunk = joints[:, _THORAX] - joints[:, 0]
    length = trunk.norm(dim=-1)
    above = (joints[:, _SHOULDERS, 2].amin(dim=1) - joints[:, _WRISTS, 2].amax(dim=1)) > 0.15
    hanging = above & (trunk[:, 2] > 0.9 * length)
    if not bool(hanging.any()):
        return list(clips)
    middle = joints[:, _SHOULDERS].mean(dim=1) - joints[:, 0]
    height = float(((middle * trunk).sum(dim=-1) / length.square())[hanging].median())
    share = height * (1 + NECK) - 1  # so that the thorax is at (1 + NECK) times the shoulders' height
    return [replace(clip, joints=_with_trunk(clip.joints, share)) for clip in clips]


def _with_trunk(joints: Float[Tensor, "frames 17 3"], share: float) -> Float[Tensor, "frames 17 3"]:
    """Joints with the thorax farther up the trunk by a share of its length, and the spine by half of that."""
    moved, rise = joints.clone(), share * (joints[:, _THORAX] - joints[:, 0])
    moved[:, _THORAX] += rise
    moved[:, _SPINE] += rise / 2
    return moved


def has_added_archives(motion: Path) -> bool:
    """Whether a folder holds an archive beyond the open benchmark's."""
    return any((motion / name).exists() for name in ADDED_ARCHIVES)


def training_groups(motion: Path) -> list[tuple[MovementGroup, list[MotionClip]]]:
    """The clips of each group to train on, without people who are held out.

    Raises:
        InputError: an archive is missing, broken or another one than named here.
    """
    return _load_groups(motion, TRAINING_GROUPS, held_out=False)


def validation_clips(motion: Path) -> dict[str, list[MotionClip]]:
    """The captured clips of people who are held out, by kind of movement.

    Raises:
        InputError: an archive is missing, broken or another one than named here.
    """
    kinds: dict[str, list[MotionClip]] = {}
    for group, clips in _load_groups(motion, VALIDATION_GROUPS, held_out=True):
        kinds.setdefault(group.kind, []).extend(clips)
    return kinds


def _with_common_necks(archive: str, clips: list[MotionClip]) -> list[MotionClip]:
    """:func:`with_common_neck` for every skeleton of an archive."""
    if archive not in OWN_BODIES:
        return with_common_neck(clips)
    people: dict[str, list[MotionClip]] = {}
    for clip in clips:
        people.setdefault(clip.subject, []).append(clip)
    return [clip for members in people.values() for clip in with_common_neck(members)]


def is_held_out(clip: MotionClip) -> bool:
    """Whether a clip shows somebody who is validated or tested on."""
    return clip.subject in HELD_OUT_PEOPLE or clip.name in HELD_OUT_CLIPS


def _load_groups(
    motion: Path, groups: Sequence[MovementGroup], *, held_out: bool
) -> list[tuple[MovementGroup, list[MotionClip]]]:
    sums = open_benchmark_facts()["archives"] | ADDED_ARCHIVES
    archives = {
        name: _with_common_necks(name, load_pinned_archive(motion / name, sums[name]))
        for name in dict.fromkeys(group.archive for group in groups)
    }
    return [
        (
            group,
            [clip for clip in archives[group.archive] if group.holds(clip) and is_held_out(clip) == held_out],
        )
        for group in groups
    ]

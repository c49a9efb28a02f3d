"""Skeletons: the joints of a pose, their parents, and their mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.kinematics import sum_bones


@dataclass(frozen=True)
class Skeleton:
    """A tree of named joints.

    Args:
        names: one name per joint. A joint that has a twin on the other side is named
            ``left_...`` or ``right_...``.
        parents: index of the parent of each joint, and -1 for the root, which comes first.
            Parents come before their children.

    Raises:
        InputError: the names and parents do not describe such a tree.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.parents):
            raise InputError(f"a skeleton of {len(self.names)} names has {len(self.parents)} parents")
        if not self.names:
            raise InputError("a skeleton has no joints")
        if self.parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(self.parents) if j):
            raise InputError(f"parents must be -1 for joint 0 and then earlier joints, got {self.parents}")
        for name in self.names:
            if self.names.count(name) > 1:
                raise InputError(f"a skeleton has more than one joint called {name!r}")
            if _twin(name) not in self.names:
                raise InputError(f"joint {name!r} has no twin {_twin(name)!r}")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) of each bone, in the order of the children: one fewer than joints."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def bone_names(self) -> tuple[str, ...]:
        """Name of each bone: that of the joint at its far end."""
        return tuple(self.names[child] for _, child in self.bones)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each joint, the index of its twin on the other side (itself on the midline)."""
        return mirror_indices(self.names)

    @cached_property
    def joint_types(self) -> tuple[str, ...]:
        """Name of each joint without its side: ``"knee"`` for both knees."""
        return tuple(name.removeprefix("left_").removeprefix("right_") for name in self.names)

    def side(self, joint: int) -> str:
        """``"left"``, ``"right"`` or ``"middle"``."""
        prefix = self.names[joint].split("_")[0]
        return prefix if prefix in ("left", "right") else "middle"

    def bone_lengths(self, joints: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch bones"]:
        """Length of each bone, in the units of the joints."""
        return self._bone_vectors(joints).norm(dim=-1)

    def _bone_vectors(self, joints: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch bones 3"]:
        parents, children = zip(*self.bones, strict=True)
        return take_joints(joints, children) - take_joints(joints, parents)

    def flip(self, joints: Float[Tensor, "*batch joints xyz"]) -> Float[Tensor, "*batch joints xyz"]:
        """Mirror poses left to right: negate x and exchange the twins.

        Works on 2D screen coordinates, whose x is 0 on the camera's axis, and on 3D poses
        in the camera frame. It is its own inverse.
        """
        flipped = take_joints(joints, self.mirror)
        flipped[..., 0].neg_()
        return flipped

    def with_bone_lengths(
        self, joints: Float[Tensor, "*batch joints 3"], lengths: Float[Tensor, "*#batch bones"]
    ) -> Float[Tensor, "*batch joints 3"]:
        """The same poses and the same root with other bone lengths: every bone keeps its direction."""
        bones = self._bone_vectors(joints)
        bones = bones * (lengths / bones.norm(dim=-1).clamp_min(1e-9)).unsqueeze(-1)
        return sum_bones(torch.cat((joints[..., :1, :], bones), dim=-2), self.parents)


def take_joints(
    joints: Shaped[Tensor, "*batch joints xyz"], indices: Sequence[int]
) -> Shaped[Tensor, "*batch taken xyz"]:
    """A copy of some joints: ``joints[..., indices, :]`` but several times as fast on a CPU."""
    if joints.device.type != "cpu":  # on a GPU, index_select adds up the gradients of a joint in random order
        return joints[..., indices, :]
    return joints.index_select(-2, torch.tensor(indices, device=joints.device))


def mirror_indices(names: Sequence[str]) -> tuple[int, ...]:
    """For each joint or keypoint, the index of its twin on the other side (its own on the midline)."""
    return tuple(names.index(_twin(name)) for name in names)


def _twin(name: str) -> str:
    other = {"left": "right", "right": "left"}
    return "_".join(other.get(word, word) for word in name.split("_"))


HUMAN36M = Skeleton(
    names=(
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
        "thorax",
        "nose",
        "head_top",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
)
"""The 17 joints of Human3.6M as the field uses them: input and output of every model here."""

FOOT_POINTS = ("heel", "big_toe", "small_toe")
"""Points of a foot that detectors mark, in the order of :data:`FEET23`."""

FEET23 = Skeleton(
    names=(
        *HUMAN36M.names,
        *(f"{side}_{point}" for side in ("right", "left") for point in FOOT_POINTS),
    ),
    parents=(
        *HUMAN36M.parents,
        *(HUMAN36M.names.index(f"{side}_ankle") for side in ("right", "left") for _ in FOOT_POINTS),
    ),
)
"""The 17 joints of Human3.6M and then three points of each foot, of which each hangs on the ankle: lifted
motion of people whose feet the detector sees."""

SkeletonName = Literal["feet23", "human36m17"]
SKELETONS: dict[SkeletonName, Skeleton] = {"human36m17": HUMAN36M, "feet23": FEET23}
"""Skeletons of lifted motion, by name."""


def skeleton_of(joints: int) -> Skeleton:
    """The skeleton of lifted motion with so many joints.

    Raises:
        InputError: there is none.
    """
    for skeleton in SKELETONS.values():
        if len(skeleton) == joints:
            return skeleton
    counts = " or ".join(str(len(skeleton)) for skeleton in SKELETONS.values())
    raise InputError(f"a motion of {joints} joints, expected {counts}")


TRUNK = tuple(map(HUMAN36M.names.index, ("right_hip", "left_hip", "left_shoulder", "right_shoulder")))
"""The joints around the trunk: their mean locates a person whatever the pose of the limbs."""

ANKLE_HEIGHT = 0.08
"""Height of an ankle joint above the floor while its foot stands there, in metres, with a shoe."""

BODY = {
    "hip": 0.090,
    "knee": 0.420,
    "ankle": 0.412,
    "spine": 0.258,
    "thorax": 0.248,
    "nose": 0.145,
    "head_top": 0.150,
    "shoulder": 0.185,
    "elbow": 0.287,
    "wrist": 0.265,
}
"""Bones of a person 1.75 m tall, in metres, by the joint at their far end: joint centres, as captured people
have them. The captures themselves differ too much in what they call a hip or a shoulder (the generated
motion's hips are Human3.6M's, 0.26 m apart) to learn from one what another lacks."""

HUMANEVA_JOINTS = (
    "pelvis",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hip",
    "right_knee",
    "right_ankle",
    "head_top",
)
"""HumanEva's 15 joints, in the order of the archives; the last is the far end of the head."""
HUMANEVA_MISSING = {"spine": ("pelvis", "thorax"), "nose": ("thorax", "head_top")}
"""The joints that HumanEva lacks, and the two neighbours whose mean each is."""


def human36m_of_humaneva() -> Float[np.ndarray, "17 15"]:
    """The matrix from HumanEva's 15 joints to Human3.6M's 17."""
    weights = np.zeros((len(HUMAN36M), len(HUMANEVA_JOINTS)))
    for row, name in zip(weights, HUMAN36M.names, strict=True):
        sources = HUMANEVA_MISSING.get(name, (name,))
        row[[HUMANEVA_JOINTS.index(source) for source in sources]] = 1 / len(sources)
    return weights

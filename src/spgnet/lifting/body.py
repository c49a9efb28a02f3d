"""One body in motion: a root path, bone directions, and bone lengths that do not change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spgnet.geometry.skeleton import HUMAN36M

PARENTS, CHILDREN = (np.array(ends) for ends in zip(*HUMAN36M.bones, strict=True))
BONES = len(CHILDREN)
KIND_NAMES = tuple(dict.fromkeys(HUMAN36M.joint_types[child] for child in CHILDREN))
"""Kinds of bones, by the joint at their far end, without its side."""
KIND = np.array([KIND_NAMES.index(HUMAN36M.joint_types[child]) for child in CHILDREN])
"""Index of each bone's kind."""
KINDS = len(KIND_NAMES)
UNKNOWNS = 3 + 2 * BONES
"""Unknowns of a frame: the root's position, and two angles of each bone."""


def _paths() -> Float[np.ndarray, "17 16"]:
    """Which bones lie between the root and each joint."""
    paths = np.zeros((len(HUMAN36M), BONES))
    for bone, (parent, child) in enumerate(HUMAN36M.bones):
        paths[child] = paths[parent]
        paths[child, bone] = 1
    return paths


_PATHS = _paths()
_IS_KIND = np.eye(KINDS)[KIND]


@dataclass(frozen=True)
class Derivatives:
    """Derivatives of a body's joints and bones by its unknowns.

    The columns are the unknowns of the frame (root, and two angles of each bone about :attr:`tangents`), and
    then the logarithms of the lengths, by kind.
    """

    tangents: Float[np.ndarray, "frames 16 3 2"]
    joints: Float[np.ndarray, "frames 17 3 45"]
    bones: Float[np.ndarray, "frames 16 3 45"]


@dataclass(frozen=True)
class Body:
    """A motion of one body, in the camera frame, in metres.

    Bone lengths are the same in all frames and on both sides, so that Equation 2 of the paper holds exactly.

    Args:
        root: path of the pelvis.
        directions: unit vectors along the bones, away from the root.
        log_lengths: logarithm of the length of each kind of bone.
    """

    root: Float[np.ndarray, "frames 3"]
    directions: Float[np.ndarray, "frames 16 3"]
    log_lengths: Float[np.ndarray, " kinds"]

    @property
    def lengths(self) -> Float[np.ndarray, " 16"]:
        """Length of each bone."""
        return np.exp(self.log_lengths)[KIND]

    @property
    def bones(self) -> Float[np.ndarray, "frames 16 3"]:
        """Vector of each bone."""
        return self.directions * self.lengths[:, None]

    @property
    def joints(self) -> Float[np.ndarray, "frames 17 3"]:
        """Position of each joint."""
        return self.root[:, None] + _PATHS @ self.bones

    def select(self, frames: np.ndarray | slice) -> Body:
        """Some frames."""
        return Body(self.root[frames], self.directions[frames], self.log_lengths)

    def derivatives(self) -> Derivatives:
        """Derivatives of the joints and the bones, for :meth:`moved`."""
        frames = len(self.root)
        tangents = _tangents(self.directions)
        bones = np.zeros((frames, BONES, 3, UNKNOWNS + KINDS))
        turning = bones[..., 3:UNKNOWNS].reshape(frames, BONES, 3, BONES, 2)
        every = np.arange(BONES)
        turning[:, every, :, every] = (tangents * self.lengths[:, None, None]).transpose(1, 0, 2, 3)
        bones[..., 3:UNKNOWNS] = turning.reshape(frames, BONES, 3, 2 * BONES)
        bones[..., UNKNOWNS:] = self.bones[..., None] * _IS_KIND[:, None]
        joints = (_PATHS @ bones.reshape(frames, BONES, -1)).reshape(frames, len(_PATHS), 3, -1)
        joints[..., :3] = np.eye(3)
        return Derivatives(tangents, joints, bones)

    def moved(
        self, tangents: Float[np.ndarray, "frames 16 3 2"], step: Float[np.ndarray, "frames 35"]
    ) -> Body:
        """The body after a step in the unknowns of its frames."""
        turned = self.directions + (tangents @ step[:, 3:].reshape(-1, BONES, 2, 1))[..., 0]
        directions = turned / np.linalg.norm(turned, axis=-1, keepdims=True)
        return Body(self.root + step[:, :3], directions, self.log_lengths)


def body_of_joints(joints: Float[np.ndarray, "frames 17 3"]) -> Body:
    """The body with the root and the bone directions of a motion, and its median bone lengths."""
    bones = joints[:, CHILDREN] - joints[:, PARENTS]
    bones = np.where(np.linalg.norm(bones, axis=-1, keepdims=True) > 1e-6, bones, [0, 0, 1e-6])
    lengths = np.linalg.norm(bones, axis=-1)
    medians = [np.median(lengths[:, kind == KIND]) for kind in range(KINDS)]
    return Body(joints[:, 0].copy(), bones / lengths[..., None], np.log(medians))


def _tangents(directions: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 2"]:
    """Two orthonormal vectors square to each unit vector, as columns (Duff et al. 2017)."""
    x, y, z = np.moveaxis(directions, -1, 0)
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1 / (sign + z)
    first = np.stack((1 + sign * x**2 * a, sign * x * y * a, -sign * x), axis=-1)
    second = np.stack((x * y * a, sign + y**2 * a, -y), axis=-1)
    return np.stack((first, second), axis=-1)

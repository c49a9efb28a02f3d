"""Tracks of a captured skeleton, which every reader of motion capture files gives; lines of text files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.geometry.kinematics import forward_kinematics, sum_bones
from spgnet.limits import check_file_size, check_unpacked_size


@dataclass(frozen=True)
class SkeletonTracks:
    """The joints and the ends of a captured skeleton over time, in the units and axes of its file.

    Args:
        names: of the points, as the file has them.
        positions: of the points in every frame.
        rotations: of the body part that moves with each point, from the rest pose to the frame. In a BVH file
            that is the part that begins at the joint, in an ASF file the bone that ends at the point.
        rest: positions in the rest pose. It need not be a pose that a person can take.
        fps: frames per second.
    """

    names: tuple[str, ...]
    positions: Float[np.ndarray, "frames points 3"]
    rotations: Float[np.ndarray, "frames points 3 3"]
    rest: Float[np.ndarray, "points 3"]
    fps: float

    def position(self, name: str) -> Float[np.ndarray, "frames 3"]:
        """The positions of a point."""
        return self.positions[:, self.names.index(name)]

    def rotation(self, name: str) -> Float[np.ndarray, "frames 3 3"]:
        """The rotations of the part that moves with a point."""
        return self.rotations[:, self.names.index(name)]

    def at_rest(self) -> SkeletonTracks:
        """The rest pose as a single frame."""
        rotations = np.tile(np.eye(3), (1, len(self.names), 1, 1))
        return replace(self, positions=self.rest[None], rotations=rotations)

    def scaled(self, unit: float) -> SkeletonTracks:
        """The same in another unit of length."""
        return replace(self, positions=self.positions * unit, rest=self.rest * unit)

    def y_up_to_z_up(self) -> SkeletonTracks:
        """The same with (x, y, z) written as (x, -z, y)."""
        axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        rotations = axes @ self.rotations @ axes.T
        return replace(self, positions=self.positions @ axes.T, rotations=rotations, rest=self.rest @ axes.T)


def tracks_from_rotations(
    names: Sequence[str],
    parents: Sequence[int],
    rotations: Float[np.ndarray, "frames points 3 3"],
    offsets: Float[np.ndarray, "frames points 3"],
    rest: Float[np.ndarray, "points 3"],
    fps: float,
    *,
    rotates: Literal["from_joint", "to_joint"],
) -> SkeletonTracks:
    """The tracks of a skeleton, by forward kinematics.

    Args:
        names: of the points.
        parents: index of each point's parent, an earlier point; -1 for a root.
        rotations: of each point relative to its parent.
        offsets: of each point from its parent, in the parent's axes; a root's is its position.
        rest: offsets of the points in the rest pose.
        fps: frames per second.
        rotates: which bone a joint's rotation applies to, see
            :func:`spgnet.geometry.kinematics.forward_kinematics`.
    """
    positions, world = forward_kinematics(
        torch.from_numpy(rotations), torch.from_numpy(offsets), parents, rotates=rotates
    )
    standing = sum_bones(torch.from_numpy(rest), parents).numpy()
    return SkeletonTracks(tuple(names), positions.numpy(), world.numpy(), standing, fps)


def rotate_about(
    rotations: Float[np.ndarray, "frames 3 3"], axis: int, angles: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, "frames 3 3"]:
    """Rotations followed, on the right, by a rotation about x, y or z (0, 1, 2): ``rotations @ R(angles)``.

    Angles are in radians.
    """
    first, second = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    rotated = rotations.copy()
    rotated[..., first] = cos * rotations[..., first] + sin * rotations[..., second]
    rotated[..., second] = cos * rotations[..., second] - sin * rotations[..., first]
    return rotated


LARGEST_VALUE = 1e9
"""Units of length, or degrees, beyond which a number in a file of motion is an error."""
LONGEST_NAME = 200
"""Characters of a point's name."""


def check_tracks_size(path: Path, frames: int, points: int) -> None:
    """Refuse motion whose tracks take far more memory than their file.

    Raises:
        InputError: they do. The message does not name the file.
    """
    check_unpacked_size(8 * (3 + 9) * frames * points, path.stat().st_size)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their ends.

    Raises:
        InputError: the file cannot be read, holds no text or is too large.
    """
    try:
        check_file_size(path)
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in data:
        raise InputError(f"{path}: not a text file")
    # Names may be in any of the old encodings; only ASCII has a meaning here.
    return data.decode("utf-8-sig", errors="replace").splitlines()

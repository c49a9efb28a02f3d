"""From the points of a captured skeleton to our 17 joints in the world: metres, z up, on the floor."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from spgnet.datasets.mocap.joint_maps import JointMap, Mix, Up
from spgnet.datasets.mocap.skeleton_tracks import SkeletonTracks
from spgnet.errors import InputError
from spgnet.geometry.directions import unit_vectors
from spgnet.geometry.skeleton import ANKLE_HEIGHT, BODY, HUMAN36M

AHEAD = 0.10
"""How far the nose is ahead of the axis of the head, in metres, on a person 1.75 m tall."""
_NOSE = float(np.sqrt(BODY["nose"] ** 2 - AHEAD**2))
"""Heights of the nose and of the vertex above the thorax of that person, looking ahead."""
_TOP = _NOSE + float(np.sqrt(BODY["head_top"] ** 2 - AHEAD**2))
_TALL, _LEG, _TRUNK = 1.75, BODY["knee"] + BODY["ankle"], BODY["spine"] + BODY["thorax"]
_UP = np.array([0.0, 0.0, 1.0])

Track = Float[np.ndarray, "frames 3"]


def named_joints(tracks: SkeletonTracks, joint_map: JointMap) -> dict[str, Track]:
    """The joints of a map that are mixes of points, in the units and axes of the points."""
    lift = _lost_bone(tracks, joint_map)
    above = {"thorax", "head_top", *(n for n in HUMAN36M.names if n.endswith(("shoulder", "elbow", "wrist")))}
    joints = {}
    for joint, mix in joint_map.joints.items():
        joints[joint] = _mixed(tracks, mix) + (lift if joint in above else 0.0)
    joints.setdefault("pelvis", (joints["left_hip"] + joints["right_hip"]) / 2)
    return joints


def stature(joints: dict[str, Track]) -> float:
    """Height of the person in the units of the joints, from the lengths of legs and trunk in any pose."""
    legs = [_length(joints, f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in _BELOW]
    return _TALL * (sum(legs) / 2 + _length(joints, "pelvis", "thorax")) / (_LEG + _TRUNK)


_BELOW = (("hip", "knee"), ("knee", "ankle"))


def human36m_joints(
    tracks: SkeletonTracks, joint_map: JointMap
) -> tuple[Float[np.ndarray, "frames 17 3"], tuple[str, ...]]:
    """All joints in metres, and the names of those whose positions are guesses.

    The spine is halfway along the line through the joints of the trunk. Nose and top of the head are fixed in
    the head, where they are on a person of this size who looks ahead: the nose 0.10 m before the axis of the
    head, the vertex on it, at the heights of ``spgnet.geometry.skeleton.BODY``. "Ahead" is that of the rest
    pose if a person can take it, and otherwise the mean over the clip of where the shoulders face. Without
    a head, both are fixed in the trunk and are guesses.

    Args:
        tracks: in metres, z up.
        joint_map: in the names of the points.
    """
    joints = named_joints(tracks, joint_map)
    joints.setdefault("spine", _halfway(tracks, joint_map, joints))
    guesses: tuple[str, ...] = ()
    if not {"nose", "head_top"} <= {*joints}:
        if joint_map.head:
            nose, top = _head(tracks, joint_map, joints)
        else:
            nose, top = _upright_head(joints)
            guesses = tuple(name for name in ("nose", "head_top") if name not in joints)
        joints.setdefault("nose", nose)
        joints.setdefault("head_top", top)
    return np.stack([joints[name] for name in HUMAN36M.names], axis=1), guesses


def _mixed(tracks: SkeletonTracks, mix: Mix) -> Track:
    return sum((weight * tracks.position(point) for point, weight in mix.items()), np.zeros(3))


def _length(joints: dict[str, Track], one: str, other: str) -> float:
    return float(np.median(np.linalg.norm(joints[one] - joints[other], axis=-1)))


def _lost_bone(tracks: SkeletonTracks, joint_map: JointMap) -> Track:
    """By how much everything above a bone that a converter lost is too low; zero where none was lost."""
    if joint_map.lost is None:
        return np.zeros((len(tracks.positions), 3))
    below, end, above = (tracks.rest[tracks.names.index(name)] for name in joint_map.lost)
    bone = end - below
    if np.linalg.norm(above - end) > 0.05 * np.linalg.norm(bone):
        return np.zeros((len(tracks.positions), 3))
    return tracks.rotation(joint_map.lost[1]) @ bone


def _halfway(tracks: SkeletonTracks, joint_map: JointMap, joints: dict[str, Track]) -> Track:
    """The point halfway along the line from the pelvis through the joints of the trunk to the thorax."""
    line = [joints["pelvis"], *(tracks.position(name) for name in joint_map.trunk), joints["thorax"]]
    steps = np.array([np.median(np.linalg.norm(b - a, axis=-1)) for a, b in pairwise(line)])
    ends = steps.cumsum()
    piece = int(np.searchsorted(ends, ends[-1] / 2))
    share = 1 - (ends[piece] - ends[-1] / 2) / steps[piece]
    return line[piece] + share * (line[piece + 1] - line[piece])


def _head(tracks: SkeletonTracks, joint_map: JointMap, joints: dict[str, Track]) -> tuple[Track, Track]:
    """Nose and top of the head, fixed in the head."""
    begin = tracks.position(joint_map.head) + _lost_bone(tracks, joint_map)
    rotations = tracks.rotation(joint_map.skull or joint_map.head)
    ahead, up = _rest_axes(tracks, joint_map) or _mean_axes(tracks, joint_map, rotations, joints)
    size = stature(joints) / _TALL
    neck = float(np.median(np.linalg.norm(begin - joints["thorax"], axis=-1)))
    nose = size * AHEAD * ahead + (size * _NOSE - neck) * up
    return begin + rotations @ nose, begin + rotations @ ((size * _TOP - neck) * up)


Axis = Float[np.ndarray, " 3"]


def _rest_axes(tracks: SkeletonTracks, joint_map: JointMap) -> tuple[Axis, Axis] | None:
    """Ahead and up in the axes of the head, from the rest pose; None if nobody can stand like it."""
    rest = {name: track[0] for name, track in named_joints(tracks.at_rest(), joint_map).items()}
    heights = [rest[name][2] for name in ("left_ankle", "left_knee", "left_hip", "thorax")]
    across = rest["left_hip"] - rest["right_hip"]
    standing = stature({name: position[None] for name, position in rest.items()})
    upright = all(a < b for a, b in pairwise(heights))
    if (
        not upright
        or heights[-1] - heights[0] < 0.6 * standing
        or np.abs(across[2]) > 0.3 * np.linalg.norm(across)
    ):
        return None
    return unit_vectors(np.cross(across, _UP)), _UP


def _mean_axes(
    tracks: SkeletonTracks,
    joint_map: JointMap,
    rotations: Float[np.ndarray, "frames 3 3"],
    joints: dict[str, Track],
) -> tuple[Axis, Axis]:
    """Ahead and up in the axes of the head, from where the trunk faces on average over the clip.

    Up is along the bone to the end of the head, where there is one.
    """
    end = f"{joint_map.head}_end"
    trunk_up, trunk_ahead = _trunk_axes(joints)
    to_end = (
        tracks.position(end) - tracks.position(joint_map.head) if end in tracks.names else np.zeros((1, 3))
    )
    rises = to_end if np.linalg.norm(to_end, axis=-1).min() > 0.01 else trunk_up
    up = unit_vectors(np.einsum("fji,fj->i", rotations, rises))
    ahead = np.einsum("fji,fj->i", rotations, trunk_ahead)
    return unit_vectors(ahead - (ahead @ up) * up), up


def _trunk_axes(joints: dict[str, Track]) -> tuple[Track, Track]:
    up = unit_vectors(joints["thorax"] - joints["pelvis"])
    return up, unit_vectors(np.cross(joints["left_shoulder"] - joints["right_shoulder"], up))


def _upright_head(joints: dict[str, Track]) -> tuple[Track, Track]:
    """Nose and top of the head of somebody who holds the head as the trunk."""
    up, ahead = _trunk_axes(joints)
    size = stature(joints) / _TALL
    return joints["thorax"] + size * (_NOSE * up + AHEAD * ahead), joints["thorax"] + size * _TOP * up


UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "CMU's unit": 0.0254 / 0.45}
"""Units of length that files are in, in metres."""
SHORTEST, TALLEST = 1.2, 2.2
"""People, in metres."""
_FAR = 0.3
_CLEAR = 0.85


def in_world(
    tracks: SkeletonTracks, joint_map: JointMap, *, unit: float | None = None, up: Up | None = None
) -> SkeletonTracks:
    """The points in metres with z up.

    Without a unit it is the one of ``UNITS`` in which the lengths of legs and trunk are those of a person of
    1.2 to 2.2 m; they are so far apart that only one can fit. Without an axis, up is where the head is above
    the ankles on average over the clip and in the rest pose.

    Args:
        tracks: as read.
        joint_map: in the names of the points.
        unit: metres per unit of length in the file.
        up: the axis that points up in the file.

    Raises:
        InputError: no unit fits, or it is not clear what is up.
    """
    if (up or _up(tracks, joint_map)) == "y":
        tracks = tracks.y_up_to_z_up()
    return tracks.scaled(unit or _unit_of_length(tracks, joint_map))


def on_floor(joints: Float[np.ndarray, "frames 17 3"]) -> Float[np.ndarray, "frames 17 3"]:
    """Joints on the floor.

    Files keep their own height as long as it is plausible. Only if the 5th percentile of the height of the
    lower ankle is more than 0.3 m off 0.08 m is the clip shifted so that it is 0.08 m. Somebody who swings
    from a bar all the time would be put on the floor by this.
    """
    ankles = [HUMAN36M.names.index(f"{side}_ankle") for side in ("left", "right")]
    height = np.percentile(joints[:, ankles, 2].min(axis=1), 5)
    if abs(height - ANKLE_HEIGHT) <= _FAR:
        return joints
    return joints - np.array([0.0, 0.0, height - ANKLE_HEIGHT])


def _unit_of_length(tracks: SkeletonTracks, joint_map: JointMap) -> float:
    tall = stature(named_joints(tracks, joint_map))
    fitting = [size for size in UNITS.values() if SHORTEST <= tall * size <= TALLEST]
    if len(fitting) != 1:
        raise InputError(
            f"the unit of length is not clear: the person is about {tall:.4g} units tall, no person in "
            f'{", ".join(UNITS)}; give "unit" in joints.json, in metres'
        )
    return fitting[0]


def _up(tracks: SkeletonTracks, joint_map: JointMap) -> Up:
    moving = _axis(tracks, joint_map)
    resting = _axis(tracks.at_rest(), joint_map)
    up = moving or resting
    if up is None or resting not in (up, None):
        reason = "the rest pose and the motion do not agree" if up else "nobody stands upright"
        raise InputError(
            f'it is not clear which axis points up, since {reason}; give "up" as "y" or "z" in joints.json'
        )
    return up


def _axis(tracks: SkeletonTracks, joint_map: JointMap) -> Up | None:
    """The axis along which the thorax is above the ankles, or None if it is not clear."""
    joints = {
        name: _mixed(tracks, joint_map.joints[name]) for name in ("thorax", "left_ankle", "right_ankle")
    }
    rise = joints["thorax"] - (joints["left_ankle"] + joints["right_ankle"]) / 2
    mean = unit_vectors(rise).mean(axis=0)
    return "y" if mean[1] > _CLEAR else "z" if mean[2] > _CLEAR else None

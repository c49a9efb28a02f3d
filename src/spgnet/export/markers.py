"""Joints as the markers of other programs: their names, their places on OpenSim's model, and their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from spgnet.export.sampling import constant_rate, resample
from spgnet.geometry.skeleton import FEET23, FOOT_POINTS, HUMAN36M, Skeleton
from spgnet.lifting.motion import Motion

MarkerNames = Literal["spgnet", "pose2sim", "opensim"]
MARKER_NAMES: tuple[MarkerNames, ...] = get_args(MarkerNames)
Unseen = Literal["keep", "missing"]
UNSEEN: tuple[Unseen, ...] = get_args(Unseen)

_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_POSE2SIM = {"pelvis": "Hip", "thorax": "Neck", "nose": "Nose", "head_top": "Head"}
_POSE2SIM_FOOT: Mapping[str, str] = dict(zip(FOOT_POINTS, ("Heel", "BigToe", "SmallToe"), strict=True))
"""Of Pose2Sim's marker set for Halpe-26 (Markers_Halpe26.xml), which has none for the spine."""
_OPENSIM = {"pelvis": "MidHJC", "spine": "Spine", "thorax": "Neck", "nose": "Nose", "head_top": "Head"}
_OPENSIM_FOOT: Mapping[str, str] = dict(zip(FOOT_POINTS, ("CAL", "TOE", "MT5"), strict=True))


def _named(middle: Mapping[str, str], limb: str, foot: Mapping[str, str]) -> dict[str, str]:
    """Names by joint: those of the middle, for limbs a pattern of side (R, L), joint and its initial, and for
    points of feet what follows the side."""
    names = {}
    for joint in FEET23.names:
        side, _, part = joint.partition("_")
        if joint in middle:
            names[joint] = middle[joint]
        elif part in foot:
            names[joint] = side[0].upper() + foot[part]
        elif part in _LIMBS:
            names[joint] = limb.format(side=side[0].upper(), joint=part.title(), initial=part[0].upper())
    return names


_NAMES: Mapping[MarkerNames, Mapping[str, str]] = {
    "spgnet": {joint: joint for joint in FEET23.names},
    "pose2sim": _named(_POSE2SIM, "{side}{joint}", _POSE2SIM_FOOT),
    "opensim": _named(_OPENSIM, "{side}{initial}JC", _OPENSIM_FOOT),
}
"""For each set of names, the marker of each joint that has one."""


def marker_joints(names: MarkerNames, skeleton: Skeleton) -> list[int]:
    """Index of the joint of each of a person's markers."""
    return [skeleton.names.index(joint) for joint in _NAMES[names] if joint in skeleton.names]


def marker_names(motions: Sequence[Motion], names: MarkerNames = "spgnet") -> list[str]:
    """Names of the markers; with several people each is preceded by ``person`` and its number.

    Args:
        motions: the people, with the same joints.
        names: ``spgnet`` (those of the joints), ``pose2sim`` (its marker set for Halpe-26, without a spine)
            or ``opensim`` (joint centres, such as RHJC for the right hip's, and RCAL, RTOE and RMT5 on feet,
            as OpenSim's full-body models name them).
    """
    skeleton = motions[0].skeleton
    markers = [marker for joint, marker in _NAMES[names].items() if joint in skeleton.names]
    if len(motions) == 1:
        return markers
    return [f"person{motion.track}_{marker}" for motion in motions for marker in markers]


@dataclass(frozen=True)
class Markers:
    """The markers of people on one clock at a constant rate.

    Args:
        names: of the markers, one person after the other.
        fps: frames per second.
        positions: metres, world (z up); NaN where a marker is missing.
        uncertainty: one standard deviation of each in metres; 0 where it is not known.
    """

    names: list[str]
    fps: float
    positions: Float[np.ndarray, "markers frames 3"]
    uncertainty: Float[np.ndarray, "markers frames"]


def motion_markers(
    motions: Sequence[Motion], fps: float, names: MarkerNames = "spgnet", unseen: Unseen = "keep"
) -> Markers:
    """The markers of people at a constant rate.

    Args:
        motions: the people. Their markers are missing while they are not there.
        fps: frames per second.
        names: as for :func:`marker_names`.
        unseen: what becomes of joints whose confidence is 0, which are the network's estimates: ``keep``
            them, or leave them ``missing``.
    """
    positions = constant_rate(motions, fps)
    uncertainty = resample(motions, fps, [_uncertainty(motion) for motion in motions])
    if unseen == "missing":
        seen = resample(motions, fps, [(motion.confidence > 0).astype(np.float64) for motion in motions])
        positions = np.where((seen >= 1)[..., None], positions, np.nan)
    joints = marker_joints(names, motions[0].skeleton)
    frames = positions.shape[1]
    return Markers(
        names=marker_names(motions, names),
        fps=fps,
        positions=positions[:, :, joints].swapaxes(1, 2).reshape(-1, frames, 3),
        uncertainty=uncertainty[:, :, joints].swapaxes(1, 2).reshape(-1, frames),
    )


def _uncertainty(motion: Motion) -> Float[np.ndarray, "frames joints"]:
    return np.zeros_like(motion.confidence) if motion.uncertainty is None else motion.uncertainty


@dataclass(frozen=True)
class Event:
    """Something that happens at a moment, as C3D files list it.

    Args:
        time: seconds from the file's first frame.
        label: what happens.
        context: ``Left``, ``Right`` or ``General``.
        subject: to whom.
    """

    time: float
    label: str
    context: str
    subject: str


def presence_events(motions: Sequence[Motion]) -> list[Event]:
    """When people come after the beginning, and when they leave before the end, in order of time."""
    start = min(float(motion.timestamps[0]) for motion in motions)
    end = max(float(motion.timestamps[-1]) for motion in motions)
    events = []
    for motion in motions:
        first, last = float(motion.timestamps[0]), float(motion.timestamps[-1])
        subject = f"person{motion.track}"
        events += [Event(first - start, "Enters", "General", subject)] if first > start else []
        events += [Event(last - start, "Leaves", "General", subject)] if last < end else []
    return sorted(events, key=lambda event: event.time)


_LABELS = {"foot contact": "Foot Strike", "foot off": "Foot Off"}
"""Of gait events, as gait laboratories name them."""


def step_events(motions: Sequence[Motion]) -> list[Event]:
    """When feet come to the floor and leave it, in order of time; none of motions without feet."""
    start = min(float(motion.timestamps[0]) for motion in motions)
    events = [
        Event(event.time - start, _LABELS[event.kind], event.side.title(), f"person{motion.track}")
        for motion in motions
        for event in motion.gait_events()
    ]
    return sorted(events, key=lambda event: event.time)


# Joint centres are origins of the model's bodies. Its pelvis carries the hips; the points of trunk and head
# are those of a person 1.75 m tall (spgnet.geometry.skeleton.BODY) in the model's neutral pose.
_PLACES: Mapping[str, tuple[str, tuple[float, float, float]]] = {
    "pelvis": ("pelvis", (-0.0707, -0.0661, 0.0)),
    "spine": ("torso", (0.0167, 0.1187, 0.0)),
    "thorax": ("torso", (0.0030, 0.3850, 0.0)),
    "nose": ("head", (0.0850, 0.0, 0.0)),
    "head_top": ("head", (0.0350, 0.1400, 0.0)),
    "right_hip": ("pelvis", (-0.0707, -0.0661, 0.0835)),
    "left_hip": ("pelvis", (-0.0707, -0.0661, -0.0835)),
    **{
        f"{side}_{joint}": (f"{body}_{side[0]}", (0.0, 0.0, 0.0))
        for side in ("right", "left")
        for joint, body in {
            "knee": "tibia",
            "ankle": "talus",
            "shoulder": "humerus",
            "elbow": "ulna",
            "wrist": "hand",
        }.items()
    },
    # Where the points of spgnet.geometry.foot.FOOT are on the unscaled model, whose foot is a heel and toes.
    **{
        f"{side}_{point}": (f"{body}_{side[0]}", (x, y, z if side == "right" else -z))
        for side in ("right", "left")
        for point, body, (x, y, z) in (
            ("heel", "calcn", (0.0038, -0.0181, -0.0079)),
            ("big_toe", "toes", (0.0550, -0.0161, -0.0290)),
            ("small_toe", "toes", (0.0120, -0.0161, 0.0330)),
        )
    },
}
"""Body of Pose2Sim's OpenSim model (Model_Pose2Sim_simple.osim) and place on it, in metres, by joint."""


def marker_set_text(names: MarkerNames = "spgnet", skeleton: Skeleton = HUMAN36M) -> str:
    """An OpenSim marker set that puts these markers on the joint centres and feet of Pose2Sim's model.

    The Scale tool takes it as its marker set, and the Inverse Kinematics tool then follows TRC files with
    these names.
    """
    markers = "".join(
        f'\t\t\t<Marker name="{marker}">\n'
        f"\t\t\t\t<socket_parent_frame>/bodyset/{body}</socket_parent_frame>\n"
        f"\t\t\t\t<location>{' '.join(f'{value:g}' for value in place)}</location>\n"
        "\t\t\t\t<fixed>true</fixed>\n\t\t\t</Marker>\n"
        for joint, marker in _NAMES[names].items()
        if joint in skeleton.names
        for body, place in [_PLACES[joint]]
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" ?>\n<OpenSimDocument Version="40000">\n'
        f'\t<MarkerSet name="spgnet">\n\t\t<objects>\n{markers}\t\t</objects>\n\t</MarkerSet>\n'
        "</OpenSimDocument>\n"
    )

"""Measuring how far a lifted motion can be believed (docs/quality.md)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.geometry.camera import project
from spgnet.geometry.directions import unit_vectors
from spgnet.geometry.skeleton import BODY, HUMAN36M
from spgnet.lifting.bone_lengths import estimate_height, median_bone_lengths, median_distance
from spgnet.lifting.motion import Motion
from spgnet.lifting.quality import Fault, Quality

POOR_REPROJECTION, POOR_JOINT = 0.06, 0.2
"""Median re-projection error, of all seen joints and of the worst joint, from which no human pose fits. Of 30
refined motions of simulated video (``benchmarks/quality.py``) the largest are 0.019 and 0.079."""
HIPS_SEEN = 0.05
"""Share of the frames in which the hips must be seen."""
MANY_REJECTED = 0.15
"""Share of the detected joints that may be rejected."""
TWISTED = 60.0
"""Median angle in degrees between hips and shoulders, which people's spines do not reach for long."""
INHUMAN = 2.5
"""Factor by which a limb may differ from that of an average human of the same size."""
BELOW_FLOOR = 0.3
"""Metres by which joints may be below a calibrated floor."""
TURNED = 0.9
"""Share of the frames in which a person must be turned for the video to be."""
MOST_TURNED = 45.0
"""Largest angle in degrees, in the image, from upside down or on the side for a person to count as that."""
ON_HANDS = 0.12
"""How far the hands of people who stand on them are below their shoulders in the image, in units of their
size."""
STEADY = 2.0
"""Standard deviation in degrees of the body's direction in the image, below which people stand and do not
lie, if their hands move."""
WAVING, WALKING = 0.1, 0.4
"""Speeds in the person's size a second: of moving hands (median of the faster one), and the difference
between the two ankles (median), one of which stands while the other swings."""

_JOINTS = HUMAN36M.names
_LIMBS = ("knee", "ankle", "elbow", "wrist")
_LIMB_JOINTS = [j for j, kind in enumerate(HUMAN36M.joint_types) if kind in (*_LIMBS, "hip", "shoulder")]
_HIPS, _SHOULDERS, _ANKLES, _WRISTS = (
    [_JOINTS.index(f"left_{kind}"), _JOINTS.index(f"right_{kind}")]
    for kind in ("hip", "shoulder", "ankle", "wrist")
)
_UPPER = [*_SHOULDERS, *(_JOINTS.index(name) for name in ("nose", "head_top"))]
_LEGS = [*_ANKLES, *(_JOINTS.index(f"{side}_knee") for side in ("left", "right"))]


def assess_quality(motion: Motion, known: Sequence[Fault] = ()) -> Quality:
    """Measure a motion, and find what is wrong with it.

    Args:
        motion: as lifted and post-processed.
        known: faults that its 2D keypoints already showed (:func:`find_input_faults`).
    """
    motion = motion.without_feet()
    seen = np.asarray(motion.confidence > 0)
    sizes = _sizes(motion.pixels, seen)
    errors = _reprojection_errors(motion, seen, sizes)
    present = np.asarray(seen.any(axis=1))
    direction = _direction(motion, seen)
    quality = Quality(
        seen=float(seen.mean()),
        hips_seen=_share(np.asarray(seen[:, _HIPS].all(axis=1)), present) or 0.0,
        reprojection=_median(errors),
        worst_reprojection=_worst_joint(errors, seen),
        rejected=_rejected(motion, seen),
        height=estimate_height(motion),
        proportions=_proportions(motion),
        trunk_twist=_trunk_twist(motion),
        upright=_share(np.abs(direction) <= 45, np.isfinite(direction)),
        lowest=_lowest(motion, present),
    )
    found = (
        *known,
        *_faults(quality, motion.camera.extrinsics_known),
        *_turned(motion, seen, sizes, direction),
    )
    return replace(quality, faults=tuple(dict.fromkeys(found)))


def _faults(quality: Quality, calibrated: bool) -> Iterator[Fault]:
    """The faults that the figures show; only a calibration states a floor that people can be below."""
    hips = quality.hips_seen >= HIPS_SEEN
    if not hips:
        yield "hips_never_seen"
    poor = _exceeds(quality.reprojection, POOR_REPROJECTION)
    if hips and (poor or _exceeds(quality.worst_reprojection, POOR_JOINT)):
        yield "poor_reprojection"
    if hips and quality.trunk_twist > TWISTED:
        yield "left_right_exchanged"
    if _exceeds(quality.rejected, MANY_REJECTED):
        yield "many_rejected"
    if hips and quality.proportions > INHUMAN:
        yield "inhuman_bones"
    if calibrated and quality.lowest is not None and quality.lowest < -BELOW_FLOOR:
        yield "below_floor"


def _exceeds(figure: float | None, limit: float) -> bool:
    return figure is not None and figure > limit


def _turned(
    motion: Motion,
    seen: Bool[np.ndarray, "frames 17"],
    sizes: Float[np.ndarray, " frames"],
    direction: Float[np.ndarray, " frames"],
) -> Iterator[Fault]:
    """Whether the video is upside down or on its side, and not the people in it.

    People who stand on their head or hands have them below their shoulders, in most frames. Those who lie do
    not keep still and move their hands at once, nor let one foot rest while the other swings.
    """
    known = np.isfinite(direction)
    if known.sum() < 3:
        return
    wrists = np.where(seen[:, _WRISTS], motion.pixels[:, _WRISTS, 1], -np.inf).max(axis=1)
    shoulders = motion.pixels[:, _SHOULDERS, 1].mean(axis=1)
    on_hands = wrists - shoulders > ON_HANDS * sizes
    down = known & (np.abs(direction) >= 180 - MOST_TURNED)
    if down[known].mean() >= TURNED and not on_hands[down].mean() > 0.6:
        yield "upside_down"
    sides: tuple[tuple[float, Fault], ...] = ((90.0, "head_right"), (-90.0, "head_left"))
    for angle, fault in sides:
        if (np.abs(direction[known] - angle) <= MOST_TURNED).mean() >= TURNED and _acts_upright(
            motion, seen, sizes, direction[known]
        ):
            yield fault


def _acts_upright(
    motion: Motion,
    seen: Bool[np.ndarray, "frames 17"],
    sizes: Float[np.ndarray, " frames"],
    direction: Float[np.ndarray, " known"],
) -> bool:
    """Whether somebody whose body is horizontal in the image moves as people do who stand or walk."""
    if len(motion) < 3 or not np.isfinite(sizes).any():
        return False
    paths = np.where(seen[..., None], motion.pixels, np.nan).astype(np.float64)
    speeds = np.linalg.norm(np.gradient(paths, motion.timestamps, axis=0), axis=-1) / np.nanmedian(sizes)
    feet = _median(np.abs(np.diff(speeds[:, _ANKLES], axis=1)))
    hands = _median(np.fmax(*speeds[:, _WRISTS].T))
    steady = float(np.std(direction)) < STEADY and _exceeds(hands, WAVING)
    return steady or _exceeds(feet, WALKING)


def _sizes(
    pixels: Float[np.ndarray, "frames 17 2"], seen: Bool[np.ndarray, "frames 17"]
) -> Float[np.ndarray, " frames"]:
    """The longer side in pixels of the box around the seen joints of the limbs; NaN without two of them."""
    shown = seen[:, _LIMB_JOINTS, None]
    limbs = pixels[:, _LIMB_JOINTS].astype(np.float64)
    low, high = np.where(shown, limbs, np.inf).min(axis=1), np.where(shown, limbs, -np.inf).max(axis=1)
    sides = (high - low).max(axis=-1)
    return np.where(sides > 0, sides, np.nan)


def _reprojection_errors(
    motion: Motion, seen: Bool[np.ndarray, "frames 17"], sizes: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, "frames 17"]:
    """Distance of each seen joint from its re-projection in units of the person's size; NaN if not seen."""
    joints = torch.from_numpy(motion.joints.astype(np.float64))
    pixels = project(joints, motion.camera.to(torch.float64)).numpy()
    errors = np.linalg.norm(pixels - motion.pixels, axis=-1) / sizes[:, None]
    return np.where(seen, errors, np.nan)


def _worst_joint(errors: Float[np.ndarray, "frames 17"], seen: Bool[np.ndarray, "frames 17"]) -> float | None:
    """The largest median error of a joint that is seen in a tenth of the frames or more."""
    often = np.flatnonzero(seen.mean(axis=0) >= 0.1)
    medians = [median for joint in often if (median := _median(errors[:, joint])) is not None]
    return max(medians, default=None)


def _rejected(motion: Motion, seen: Bool[np.ndarray, "frames 17"]) -> float | None:
    if motion.rejected is None:
        return None
    rejected = int(motion.rejected.sum())
    return rejected / max(1, rejected + int(seen.sum()))


def _proportions(motion: Motion) -> float:
    """The largest factor between a limb's or the trunk's share of their sum and that of an average human."""
    lengths = dict(zip(HUMAN36M.bone_names, median_bone_lengths(motion).tolist(), strict=True))
    limbs = {joint: lengths[f"left_{joint}"] for joint in _LIMBS}
    limbs["trunk"] = median_distance(motion, "pelvis", "thorax")
    usual = {joint: BODY[joint] for joint in _LIMBS} | {"trunk": BODY["spine"] + BODY["thorax"]}
    scale = sum(usual.values()) / max(sum(limbs.values()), 1e-6)
    return max(math.exp(abs(math.log(max(limbs[part] * scale, 1e-3) / usual[part]))) for part in limbs)


def _trunk_twist(motion: Motion) -> float:
    """Median angle in degrees between the lines of the hips and of the shoulders, about the trunk."""
    joints = motion.joints.astype(np.float64)
    trunk = unit_vectors(joints[:, _JOINTS.index("thorax")] - joints[:, 0])
    across = (joints[:, pair[0]] - joints[:, pair[1]] for pair in (_HIPS, _SHOULDERS))
    level = (line - (line * trunk).sum(axis=1, keepdims=True) * trunk for line in across)
    hips, shoulders = map(unit_vectors, level)
    return float(np.degrees(np.median(np.arccos((hips * shoulders).sum(axis=1).clip(-1, 1)))))


def _direction(motion: Motion, seen: Bool[np.ndarray, "frames 17"]) -> Float[np.ndarray, " frames"]:
    """The body's direction in the image, from the legs to the shoulders and head: degrees from up, clockwise.

    NaN where either is not seen.
    """
    upper, legs = (_mean_of_seen(motion, seen, joints) for joints in (_UPPER, _LEGS))
    across, down = np.moveaxis(upper - legs, -1, 0)
    return np.degrees(np.arctan2(across, -down))


def _mean_of_seen(
    motion: Motion, seen: Bool[np.ndarray, "frames 17"], joints: list[int]
) -> Float[np.ndarray, "frames 2"]:
    weights = seen[:, joints].astype(np.float64)
    total = weights.sum(axis=1, keepdims=True)
    mean = (weights[..., None] * motion.pixels[:, joints]).sum(axis=1) / np.maximum(total, 1)
    return np.where(total > 0, mean, np.nan)


def _lowest(motion: Motion, present: Bool[np.ndarray, " frames"]) -> float | None:
    if motion.camera.extrinsics == "arbitrary":
        return None
    heights = motion.world[..., 2].min(axis=1)
    return float(np.percentile(heights[present] if present.any() else heights, 5))


def _median(values: Float[np.ndarray, "*shape"]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


def _share(flags: Bool[np.ndarray, " frames"], known: Bool[np.ndarray, " frames"]) -> float | None:
    return float(flags[known].mean()) if known.any() else None

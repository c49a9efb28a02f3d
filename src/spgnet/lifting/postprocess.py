"""Post-processing of the motions of one clip's people, in a common world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spgnet.lifting.bone_lengths import fit_constant_bones, scale_to_height
from spgnet.lifting.floor import align_to_gravity, place_on_floor
from spgnet.lifting.motion import Motion


def postprocess(
    motions: Sequence[Motion],
    *,
    constant_bones: bool = False,
    height: float | None = None,
    align: bool = True,
) -> list[Motion]:
    """Apply the selected corrections to the motions of one clip's people, in a common world frame.

    The order matters: constant bones come first, as the height is computed from their lengths; scaling next,
    as it moves the feet; the floor last.

    Args:
        motions: as lifted, all with the same camera.
        constant_bones: fit constant bone lengths (:func:`fit_constant_bones`).
        height: standing height in metres to which every person is scaled (:func:`scale_to_height`).
        align: estimate up and the floor from all people together if the camera's extrinsics are arbitrary
            (:func:`align_to_gravity`). Other extrinsics are kept, except that scaled motions, whose feet have
            left the floor, are placed on it again (:func:`place_on_floor`).

    Raises:
        InputError: the height is not between 0.5 and 2.5 metres.
    """
    if constant_bones:
        motions = [fit_constant_bones(motion) for motion in motions]
    if height is not None:
        motions = [scale_to_height(motion, height) for motion in motions]
    if not align:
        return list(motions)
    together = _concatenate_people(motions)
    if together.camera.extrinsics == "arbitrary":
        together = align_to_gravity(together)
    elif height is not None:
        together = place_on_floor(together)
    return [replace(motion, camera=together.camera) for motion in motions]


def _concatenate_people(motions: Sequence[Motion]) -> Motion:
    """The frames of all people one after another, to estimate their common floor.

    The result has only the arrays from which the floor is estimated.
    """
    first = motions[0]
    if len(motions) == 1:
        return first
    length = float(np.ptp(first.timestamps)) + 1.0
    return replace(
        first,
        joints=np.concatenate([motion.joints for motion in motions]),
        confidence=np.concatenate([motion.confidence for motion in motions]),
        pixels=np.concatenate([motion.pixels for motion in motions]),
        timestamps=np.concatenate([m.timestamps + place * length for place, m in enumerate(motions)]),
        uncertainty=None,
        rejected=None,
    )

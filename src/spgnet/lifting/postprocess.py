"""Post-processing of the motions of one clip's people, in a common world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float

from spgnet.keypoints import Keypoints
from spgnet.lifting.bone_lengths import fit_constant_bones, scale_to_height
from spgnet.lifting.feet import find_soles, sees_feet
from spgnet.lifting.floor import align_to_gravity, concatenate_people, place_on_floor
from spgnet.lifting.guidance import Soles
from spgnet.lifting.motion import Motion
from spgnet.lifting.refinement import refine
from spgnet.lifting.windows import NodeCallback, NodeProgress, ignore_node_progress


def postprocess(
    motions: Sequence[Motion],
    *,
    refined: bool = False,
    constant_bones: bool = False,
    height: float | None = None,
    align: bool = True,
    feet: Sequence[Keypoints] = (),
    on_progress: NodeProgress = ignore_node_progress,
) -> list[Motion]:
    """Apply the selected corrections to the motions of one clip's people, in a common world frame.

    The order matters: refinement comes first, as it makes bones constant; constant bones next, as the height
    is computed from their lengths; then scaling, as it moves the feet; the floor last.

    Args:
        motions: as lifted, all with the same camera.
        refined: refine the motions (:func:`spgnet.lifting.refinement.refine`).
        constant_bones: fit constant bone lengths (:func:`fit_constant_bones`).
        height: standing height in metres to which every person is scaled (:func:`scale_to_height`).
        align: estimate up and the floor from all people together if the camera's extrinsics are arbitrary
            (:func:`align_to_gravity`), unless refinement has found them. Other extrinsics are kept, except
            that scaled motions, whose feet have left the floor, are placed on it again
            (:func:`place_on_floor`).
        feet: the people's keypoints, if refined motions shall keep the feet still that these show standing
            on the floor; else empty.
        on_progress: called while the motions are refined.

    Raises:
        InputError: the height is not between 0.5 and 2.5 metres.
    """
    camera = motions[0].camera
    if refined:
        finder = partial(_find_soles, feet) if any(map(sees_feet, feet)) else None
        motions = refine(motions, find_soles=finder, on_progress=on_progress)
    if constant_bones:
        motions = [fit_constant_bones(motion) for motion in motions]
    if height is not None:
        motions = [scale_to_height(motion, height) for motion in motions]
    if not align:
        return [replace(motion, camera=camera) for motion in motions]
    together = concatenate_people(motions)
    if together.camera.extrinsics == "arbitrary":
        together = align_to_gravity(together)
    elif height is not None:
        together = place_on_floor(together)
    return [replace(motion, camera=together.camera) for motion in motions]


def _find_soles(
    people: Sequence[Keypoints],
    number: int,
    motion: Motion,
    nodes: Float[np.ndarray, " nodes"],
    on_solved: NodeCallback,
) -> Soles | None:
    """:data:`spgnet.lifting.refinement.FindSoles` by the people's keypoints."""
    if not sees_feet(people[number]):
        return None

    def on_progress(done: int, total: int) -> None:
        on_solved(0)  # the nodes of feet are none of the refinement's, but it can be cancelled here

    return find_soles(motion, people[number], nodes, on_progress=on_progress)

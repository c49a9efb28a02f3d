"""From 2D keypoints to 3D motion in metres."""

from spgnet.lifting.bone_lengths import fit_constant_bones, scale_to_height
from spgnet.lifting.floor import align_to_gravity
from spgnet.lifting.lifter import Lifter
from spgnet.lifting.motion import Motion, load_motion, save_motion
from spgnet.lifting.refinement import refine
from spgnet.lifting.streaming import StreamingLifter

__all__ = [
    "Lifter",
    "Motion",
    "StreamingLifter",
    "align_to_gravity",
    "fit_constant_bones",
    "load_motion",
    "refine",
    "save_motion",
    "scale_to_height",
]

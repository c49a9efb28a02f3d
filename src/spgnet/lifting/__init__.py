"""From 2D keypoints to 3D motion in metres."""

from spgnet.lifting.lifter import Lifter
from spgnet.lifting.motion import Motion, load_motion, save_motion

__all__ = ["Lifter", "Motion", "load_motion", "save_motion"]

"""From 2D keypoints to 3D motion in metres."""

from spgnet.lifting.motion import Motion, load_motion, save_motion

__all__ = ["Motion", "load_motion", "save_motion"]

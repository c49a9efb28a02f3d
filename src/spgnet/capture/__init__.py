"""From a video or keypoints to 3D motion, in memory or in files: what ``spgnet lift`` does."""

from spgnet.capture.config import CaptureConfig
from spgnet.capture.people import Cancelled, DetectedPeople, ProgressCallback, find_people
from spgnet.capture.run import CaptureResult, run_capture

__all__ = [
    "Cancelled",
    "CaptureConfig",
    "CaptureResult",
    "DetectedPeople",
    "ProgressCallback",
    "find_people",
    "run_capture",
]

"""From a video or a keypoint file to files of 3D motion: what ``spgnet lift`` does."""

from spgnet.capture.config import CaptureConfig
from spgnet.capture.run import CaptureResult, run_capture

__all__ = ["CaptureConfig", "CaptureResult", "run_capture"]

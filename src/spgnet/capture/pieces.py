"""Long videos that are detected in pieces."""

from __future__ import annotations

from pathlib import Path

from spgnet.capture.config import CaptureConfig
from spgnet.capture.people import detect_tracks, ignore_progress, is_keypoints, open_video
from spgnet.detection import Detector
from spgnet.detection.clip_tracks import ClipTracks
from spgnet.detection.people import box_turns
from spgnet.detection.pieces import Piece, divide_clip
from spgnet.video import FrameSource


def divide_video(config: CaptureConfig, length: float) -> list[Piece]:
    """The pieces of the input (:func:`spgnet.detection.pieces.divide_clip`); none if it is no video, or one
    whose frames have no times before they are decoded.

    Args:
        config: the input, and at which frames to look.
        length: of a piece, in seconds.

    Raises:
        InputError: it cannot be read.
    """
    if is_keypoints(Path(config.input)):
        return []
    times = _video(config).frame_times()
    return [] if times is None else divide_clip(times, length, box_turns(times, config.detect_every))


def detect_piece(config: CaptureConfig, detector: Detector, piece: Piece) -> ClipTracks:
    """The tracks of the people in a piece of the video of a configuration.

    Raises:
        InputError: it cannot be read.
    """
    return detect_tracks(_video(config), detector, config.detect_every, ignore_progress, piece)


def _video(config: CaptureConfig) -> FrameSource:
    return open_video(
        config.input, config.fps, config.keypoint_set, config.image_size, config.format, config.rotate
    )

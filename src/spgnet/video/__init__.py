"""Frames in and out: video files, folders of images, webcams; and the writer of videos."""

from spgnet.video.frames import Frame, FrameSource
from spgnet.video.open import open_frames
from spgnet.video.writer import VideoWriter

__all__ = ["Frame", "FrameSource", "VideoWriter", "open_frames"]

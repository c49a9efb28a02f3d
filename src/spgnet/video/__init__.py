"""Reading frames of video files, image folders and webcams, and writing videos."""

from __future__ import annotations

import re
from pathlib import Path

from spgnet.errors import InputError
from spgnet.geometry.image_rotation import ImageRotation, check_image_rotation
from spgnet.video.files import VideoFile
from spgnet.video.frames import Frame, FrameSource, RotatedFrames
from spgnet.video.images import SUFFIXES, ImageFolder
from spgnet.video.webcam import Webcam
from spgnet.video.writer import VideoWriter

__all__ = ["Frame", "FrameSource", "VideoWriter", "open_frames"]


def open_frames(source: str | Path, *, image_fps: float = 30.0, rotate: ImageRotation = 0) -> FrameSource:
    """Open a clip or a webcam.

    Args:
        source: a video file, a PNG or JPEG image, a folder of such images (in natural order: 2 before 10), or
            the number of a webcam ("0" is the first).
        image_fps: frame rate of a folder of images, in frames per second.
        rotate: degrees clockwise by which every frame is turned, after the rotation that the file states.

    Raises:
        InputError: the source does not exist, or has no readable frame; the message names it.
    """
    check_image_rotation(rotate)
    frames = _open_as_recorded(source, image_fps)
    return RotatedFrames(frames, rotate) if rotate else frames


def _open_as_recorded(source: str | Path, image_fps: float) -> FrameSource:
    path = Path(source)
    if str(source).isdecimal() and not path.exists():
        return Webcam(int(str(source)))
    if path.is_dir():
        return ImageFolder(path, image_fps)
    if re.match(r"[a-z]+://", str(source)):
        raise InputError(f"{source}: an address; download the video and give the file")
    if not path.is_file():
        raise InputError(f"{path}: no such file, folder of images, or webcam number")
    if not path.stat().st_size:
        raise InputError(f"{path}: the file is empty")
    return ImageFolder(path, image_fps) if path.suffix.lower() in SUFFIXES else VideoFile(path)

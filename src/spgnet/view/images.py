"""Pictures of a video, at hand for every moment of its motions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from spgnet.errors import InputError
from spgnet.lifting.motion import Motion
from spgnet.video import FrameSource
from spgnet.view.drawing import opencv
from spgnet.view.page import compress_images
from spgnet.view.stage import common_clock

SIDE = 400
"""The longer side of the pictures in pixels: what the live view shows at most."""
COUNT = 1500
"""Pictures that are kept at most."""
MEGABYTES = 64.0
"""What they may take as text in base64; in memory it is three quarters of that."""
NEAR = 1.0
"""Seconds that a picture may be away from the moment for which it stands."""
SAME_SHAPE = 0.02
"""How far the proportions of the video and of the camera may differ: smaller copies are rounded."""


def still(video: FrameSource, motions: Sequence[Motion]) -> Callable[[int], np.ndarray | None]:
    """The video's picture at each moment of the motions' common clock.

    The video is read through once, here, which takes as long as decoding it does. At most 1500 small JPEG
    pictures are kept, evenly spread over the time of the motions.

    Args:
        video: what the people were filmed in; its times and theirs have the same zero.
        motions: the people of one clip.

    Returns:
        A function of a moment's index: the RGB picture [height, width, 3] of bytes that is nearest in time,
        its longer side 400 pixels or less, or None if there is none within a second.

    Raises:
        InputError: the motions cannot be shown, the video cannot be read or has other proportions than the
            images of the motions' camera, or OpenCV is missing.
    """
    times = common_clock(motions).times
    check_same_clip(video, motions)
    first, last = float(times[0]) - NEAR, float(times[-1]) + NEAR
    frames = ((frame.time, frame.image) for frame in video if first <= frame.time <= last)
    kept = compress_images(frames, SIDE, COUNT / (last - first), MEGABYTES)
    filmed = np.array([time for time, _ in kept])
    cv2 = opencv()

    def image(moment: int) -> np.ndarray | None:
        if not kept:
            return None
        nearest = int(np.abs(filmed - times[moment]).argmin())
        if abs(filmed[nearest] - times[moment]) > NEAR:
            return None
        data = np.frombuffer(kept[nearest][1], np.uint8)
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])

    return image


def check_same_clip(video: FrameSource, motions: Sequence[Motion]) -> None:
    """Make sure that motions can have been lifted from a video: by the proportions of its pictures.

    Raises:
        InputError: they differ from those of a motion's camera by more than 2 %.
    """
    width, height = video.image_size
    for motion in motions:
        across, down = (int(side) for side in motion.camera.image_size.tolist())
        if abs(width * down - height * across) > SAME_SHAPE * height * across:
            raise InputError(
                f"{video.name}: its pictures are {width} x {height} and those of the motion's camera "
                f"{across} x {down}, other proportions; expected the video that the motion was lifted from"
            )

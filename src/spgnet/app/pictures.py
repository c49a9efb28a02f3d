"""A picture of each person found, by which a user tells who is who."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.capture import DetectedPeople, ProgressCallback
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, to_human36m
from spgnet.keypoints.similarity import bounding_box, enlarge
from spgnet.video import FrameSource
from spgnet.view.page import ImageBudget, compress_images

_WIDTH, _HEIGHT = 240, 300
"""Size of a picture in pixels, at most."""
_MARGIN = 0.15
"""Room around the person, as a share of the longer side of the box around them."""
LOOKING = "making pictures of the people"


@dataclass(frozen=True)
class PersonPicture:
    """How a person looks in a frame in which they are seen well.

    Args:
        track: the person's number.
        time: seconds from the first frame in which they are seen to the last one.
        seen: share of the clip's frames in which they are seen.
        size: width and height of the picture in pixels of the image.
        bones: from x, y to x, y in the picture, with the joint where the bone ends.
        jpeg: the filmed picture; None if there is none.
    """

    track: int
    time: float
    seen: float
    size: tuple[int, int]
    bones: tuple[tuple[int, float, float, float, float], ...]
    jpeg: bytes | None = None


def picture_people(found: DetectedPeople, report: ProgressCallback) -> list[PersonPicture]:
    """A picture of each person, the largest person first.

    Args:
        found: the people, and the video that they are in, if there is one.
        report: called with the progress of reading the video.

    Raises:
        InputError: the video cannot be read.
    """
    joints = [to_human36m(person) for person in found.people]
    best = [_best_frame(pixels, confidence) for pixels, confidence in joints]
    boxes = [_crop(joints[i][0][best[i]], one.image_size) for i, one in enumerate(found.people)]
    images = _images(found.video, best, report)
    return [
        _picture(person, joints[i][0][best[i]], boxes[i], images.get(best[i]))
        for i, person in enumerate(found.people)
    ]


def _best_frame(pixels: Float[np.ndarray, "frames 17 2"], confidence: Float[np.ndarray, "frames 17"]) -> int:
    """The frame in which a person is seen best, and large."""
    with np.errstate(invalid="ignore"):
        heights = np.nan_to_num(np.where(confidence > 0, pixels[..., 1], np.nan))
    tall = np.where(confidence.any(axis=1), np.ptp(heights, axis=1), 0)
    return int(np.argmax(confidence.mean(axis=1) * np.sqrt(tall / max(tall.max(), 1e-6))))


def _crop(pixels: Float[np.ndarray, "17 2"], image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the picture of a person, inside the image."""
    seen = pixels[np.isfinite(pixels).all(axis=1)]
    width, height = image_size
    if not len(seen):
        return 0, 0, width, height
    left, top, right, bottom = enlarge(bounding_box(seen), _MARGIN)
    # A picture is portrait, so that those of several people stand beside each other.
    half = max(right - left, (bottom - top) * _WIDTH / _HEIGHT) / 2
    middle = (left + right) / 2
    edges = (middle - half, top, middle + half, bottom)
    low_x, low_y, high_x, high_y = (round(edge) for edge in edges)
    low_x, high_x = (min(max(edge, 0), width) for edge in (low_x, high_x))
    low_y, high_y = (min(max(edge, 0), height) for edge in (low_y, high_y))
    if high_x - low_x < 2 or high_y - low_y < 2:
        return 0, 0, width, height
    return low_x, low_y, high_x, high_y


def _images(
    video: FrameSource | None, frames: Sequence[int], report: ProgressCallback
) -> dict[int, UInt8[np.ndarray, "height width 3"]]:
    """The images of a video by frame; none without a video."""
    images: dict[int, np.ndarray] = {}
    if video is not None:
        last = max(frames)
        for index, frame in enumerate(video):
            if index in frames:
                images[index] = frame.image
            report(LOOKING, index, last)
            if index == last:
                break
    return images


def _picture(
    person: Keypoints,
    pixels: Float[np.ndarray, "17 2"],
    box: tuple[int, int, int, int],
    image: UInt8[np.ndarray, "height width 3"] | None,
) -> PersonPicture:
    left, top, right, bottom = box
    placed = pixels - (left, top)
    bones = tuple(
        (joint, *placed[parent].tolist(), *placed[joint].tolist())
        for joint, parent in enumerate(HUMAN36M.parents)
        if parent >= 0 and np.isfinite(placed[[parent, joint]]).all()
    )
    seen = np.flatnonzero(person.present.any(axis=1))
    times = person.timestamps[seen]
    looked = len(person) if person.skipped is None else int((~person.skipped).sum())
    jpeg = None
    if image is not None:
        budget = ImageBudget(size=_HEIGHT)
        jpeg = compress_images([(0.0, image[top:bottom, left:right])], budget)[0][1]
    return PersonPicture(
        person.track,
        float(np.ptp(times)) if len(times) else 0.0,
        len(seen) / looked,
        (right - left, bottom - top),
        bones,
        jpeg,
    )

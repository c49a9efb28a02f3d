"""Live lifting: a frame of 2D keypoints in, and a pose out after a stated number of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spgnet.camera import Camera
from spgnet.camera_files import find_camera
from spgnet.keypoints import (
    CausalFiller,
    Keypoints,
    KeypointSetName,
    OneEuroFilter,
    drop_unsure,
    points_to_human36m,
)
from spgnet.lifting.lifter import Lifter, network_input, only_inside
from spgnet.lifting.motion import Motion
from spgnet.models.streaming import SequenceStream


class LivePose(NamedTuple):
    """One frame of a live motion.

    Attributes:
        joints: in the camera frame, in metres.
        confidence: of the 2D detection; 0 where a joint was not seen.
        pixels: the 2D input, gaps filled.
        time: of the frame, in seconds.
    """

    joints: Float[np.ndarray, "17 3"]
    confidence: Float[np.ndarray, " 17"]
    pixels: Float[np.ndarray, "17 2"]
    time: float


class StreamingLifter:
    """Lifts frame by frame, each in the same time.

    A joint that is not seen is held where it was, and jitter is filtered by a 1 € filter, which does not
    look ahead. With the same weights the poses are those of :func:`lift_live` on the whole clip.

    Args:
        lifter: with weights that look few frames ahead: those called ``live`` look at past frames only.
        image_size: width and height in pixels.
        keypoint_set: which keypoints are pushed.
        fps: about how many frames a second will be pushed.
        camera: what films, in OpenCV's convention; by default one with the default field of view.
        smoothing: filter jitter.
        flip: average with the result for the mirrored input (twice the time).
    """

    def __init__(
        self,
        lifter: Lifter,
        image_size: tuple[int, int],
        keypoint_set: KeypointSetName,
        *,
        fps: float = 30.0,
        camera: Camera | None = None,
        smoothing: bool = True,
        flip: bool = True,
    ) -> None:
        self.camera, self.camera_source = (camera, "given camera") if camera else find_camera(image_size)
        self.image_size = image_size
        self.keypoint_set: KeypointSetName = keypoint_set
        self.stream = SequenceStream(lifter.model, flip=flip, stride=lifter.model.config.stride(fps))
        self.filler = CausalFiller()
        self.filter = OneEuroFilter(float(max(image_size))) if smoothing else None
        self.waiting: deque[tuple[np.ndarray, np.ndarray, float]] = deque()

    @property
    def lookahead(self) -> int:
        """How many frames a pose is late: the number of later frames that the network looks at."""
        return self.stream.lookahead

    def push(self, points: Float[np.ndarray, "joints 3"], time: float) -> LivePose | None:
        """Take in a frame.

        Args:
            points: x and y in pixels and score of every keypoint; score 0 for what is missing.
            time: of the frame, in seconds, later than the one before.

        Returns:
            The pose of the frame ``lookahead`` before this one; None until there is one, and as long as
            nobody was seen.

        Raises:
            ValueError: the frame does not fit the keypoint set, or time does not increase.
        """
        pixels, confidence = drop_unsure(*points_to_human36m(points, self.keypoint_set))
        pixels, confidence = only_inside(pixels, confidence, self.image_size)
        filled = self.filler.push(pixels, confidence)
        if filled is None:
            return None
        self.waiting.append((confidence, filled, time))
        steady = filled if self.filter is None else self.filter.push(filled, time)
        rays = network_input(steady[None], confidence[None] > 0, self.camera)[0]
        joints = self.stream.push(rays)
        return None if joints is None else LivePose(joints.cpu().numpy(), *self.waiting.popleft())

    def finish(self) -> list[LivePose]:
        """The poses of the last frames: up to ``lookahead`` of them."""
        late = self.stream.finish()[-len(self.waiting) :] if self.waiting else []
        return [LivePose(joints.cpu().numpy(), *self.waiting.popleft()) for joints in late]


def lift_live(
    lifter: Lifter,
    keypoints: Keypoints,
    *,
    camera: Camera | None = None,
    smoothing: bool = True,
    flip: bool = True,
) -> Iterator[LivePose]:
    """The poses of a clip as a live source would give them, from the first frame with a person on."""
    live = StreamingLifter(
        lifter,
        keypoints.image_size,
        keypoints.keypoint_set,
        fps=keypoints.fps,
        camera=camera,
        smoothing=smoothing,
        flip=flip,
    )
    for points, time in zip(keypoints.points, keypoints.timestamps, strict=True):
        pose = live.push(points, float(time))
        if pose is not None:
            yield pose
    yield from live.finish()


def motion_of(poses: list[LivePose], live: StreamingLifter, weights: str) -> Motion:
    """What was lifted live, as a motion.

    Raises:
        ValueError: there is no pose.
    """
    if not poses:
        raise ValueError("nobody was seen, so there is no motion")
    return Motion(
        joints=np.stack([pose.joints for pose in poses]),
        confidence=np.stack([pose.confidence for pose in poses]).astype(np.float32),
        pixels=np.stack([pose.pixels for pose in poses]).astype(np.float32),
        timestamps=np.array([pose.time for pose in poses]),
        camera=live.camera,
        camera_source=live.camera_source,
        weights=weights,
    )

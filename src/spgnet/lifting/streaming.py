"""Live lifting, frame by frame, with a fixed latency."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Real

from spgnet.camera_files import FoundCamera, find_camera
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.keypoints import CausalFiller, Keypoints, KeypointSetName, OneEuroFilter
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS
from spgnet.keypoints.outliers import CausalOutlierGate
from spgnet.lifting.inputs import (
    check_fps,
    check_keypoint_set,
    confident_joints,
    drop_outliers,
    drop_without_rays,
    fraction_without_rays,
    interpolation_steps,
    network_input,
)
from spgnet.lifting.lifter import Lifter
from spgnet.lifting.motion import Motion
from spgnet.models.streaming import SequenceStream

PAUSE = 1.0
"""Seconds without a frame after which lifting restarts."""


class LivePose(NamedTuple):
    """One frame of a live motion.

    Attributes:
        joints: in the camera frame, in metres.
        confidence: confidence of the 2D detection, in [0, 1]; 0 where a joint is not visible.
        pixels: the 2D input in pixels, gaps filled.
        time: time of the frame in seconds.
    """

    joints: Float[np.ndarray, "17 3"]
    confidence: Float[np.ndarray, " 17"]
    pixels: Float[np.ndarray, "17 2"]
    time: float


class _Input(NamedTuple):
    """A frame before the network: filtered pixels, visible joints, and its time in seconds."""

    pixels: Float[np.ndarray, "17 2"]
    visible: Bool[np.ndarray, " 17"]
    time: float


class StreamingLifter:
    """Lifts frame by frame, with constant memory.

    >>> (keypoints,) = load_keypoints("keypoints.npz")
    >>> stream = StreamingLifter(Lifter.from_pretrained("live"), keypoints.image_size, "halpe26", fps=60.0)
    >>> stream.lookahead  # frames that a pose is late
    0
    >>> (pose,) = stream.push(keypoints.points[0], time=0.0)
    >>> pose.joints.shape
    (17, 3)

    It differs from :meth:`Lifter.lift`, which has the whole clip: a joint that is not visible keeps its last
    position instead of being interpolated, and jitter is reduced by the causal 1 € filter instead of a
    symmetric one. Apart from that the poses are those of :func:`spgnet.models.network.lift_sequence`.

    The network needs a frame rate that it was trained for. If a frame comes more than a tenth slower than the
    lowest such rate, frames before it are interpolated linearly; each costs as much time as a pushed frame,
    and no pose is returned for it. After a pause of more than a second (:data:`PAUSE`), lifting restarts, as
    for a new clip. Frames without a person should be pushed too, with scores of 0, so that they are not a
    pause.

    Args:
        lifter: lifter whose weights have a small look-ahead; those called ``live`` have none.
        image_size: width and height in pixels.
        keypoint_set: set of the keypoints that are pushed.
        fps: approximate maximum frame rate of the source, in frames per second; it may deliver fewer.
        camera: the camera in OpenCV's convention, or a camera file; it is scaled to the image size. By
            default a camera with the default field of view.
        smoothing: whether to filter jitter.
        flip: average with the result for the mirrored input (twice the time).

    Raises:
        InputError: the keypoint set is not known, the frame rate is not positive, or the camera cannot be
            used.
    """

    def __init__(
        self,
        lifter: Lifter,
        image_size: tuple[int, int],
        keypoint_set: KeypointSetName,
        *,
        fps: float = 30.0,
        camera: FoundCamera | Camera | Path | str | None = None,
        smoothing: bool = True,
        flip: bool = True,
    ) -> None:
        check_keypoint_set(keypoint_set)
        check_fps(fps)
        self.camera, self.intrinsics_source, self.camera_source = find_camera(image_size, camera=camera)
        self.has_fold = _has_fold(self.camera)
        self.lifter, self.image_size, self.smoothing, self.flip = lifter, image_size, smoothing, flip
        self.keypoint_set: KeypointSetName = keypoint_set
        self.stride = lifter.model.stride(fps)
        self.min_fps = lifter.model.config.rates[0] * self.stride
        self.time = -math.inf
        self._reset()

    def _reset(self) -> None:
        self.stream = SequenceStream(self.lifter.model, flip=self.flip, stride=self.stride)
        self.gate = CausalOutlierGate()
        self.filler = CausalFiller()
        self.filter = OneEuroFilter(float(max(self.image_size))) if self.smoothing else None
        self.last: _Input | None = None
        self.waiting: deque[tuple[np.ndarray, np.ndarray, float] | None] = deque()

    @property
    def lookahead(self) -> int:
        """Largest latency of a pose in frames: the number of later frames that the network uses.

        It counts interpolated frames too, so that at low frame rates the latency in pushed frames is smaller.
        """
        return self.stream.lookahead

    def push(self, points: Real[np.ndarray, "joints 3"], time: float) -> list[LivePose]:
        """Add a frame.

        Args:
            points: x and y in pixels and score of every keypoint; score 0 for a missing one.
            time: of the frame in seconds, later than that of the previous frame.

        Returns:
            The poses that have become available, in order; there is one for every frame. With a look-ahead of
            0 it is the pose of this frame, otherwise usually that of ``lookahead`` frames before. The list is
            empty at first and until a person has been detected, and longer after a pause.

        Raises:
            InputError: the frame does not fit the keypoint set, or time does not increase.
        """
        self._check(points, time)
        ready = self.finish() if time - self.time > PAUSE else []
        self.time = time
        pixels, confidence = confident_joints(points, self.keypoint_set, self.image_size)
        if self.has_fold:
            pixels, confidence = drop_without_rays(pixels, confidence, self.camera)
        outliers = self.gate.push(pixels, confidence, time)
        pixels, confidence, _ = drop_outliers(outliers, pixels, confidence, self.keypoint_set)
        filled = self.filler.push(pixels, confidence)
        if filled is None:
            return ready
        steady = filled if self.filter is None else self.filter.push(filled, time)
        between, visible = self._interpolate_since_last(_Input(steady, confidence > 0, time))
        self.waiting.extend([None] * (len(between) - 1) + [(confidence, filled, time)])
        for rays in network_input(between, visible, self.camera):
            joints = self.stream.push(rays)
            ready += [] if joints is None else self._pose_of_oldest(joints.cpu().numpy())
        return ready

    def finish(self) -> list[LivePose]:
        """Return the outstanding poses, up to ``lookahead`` of them, and restart."""
        poses = [
            pose for joints in self.stream.finish() for pose in self._pose_of_oldest(joints.cpu().numpy())
        ]
        assert not self.waiting
        self._reset()
        return poses

    def _check(self, points: np.ndarray, time: float) -> None:
        expected = KEYPOINT_COUNTS[self.keypoint_set], 3
        if points.shape != expected:
            raise InputError(
                f"a frame of {self.keypoint_set} has shape {expected}: x, y and score of every keypoint; got "
                f"{points.shape}"
            )
        if not time > self.time:
            raise InputError(f"time does not increase: {time} s after {self.time} s")

    def _interpolate_since_last(
        self, new: _Input
    ) -> tuple[Float[np.ndarray, "steps 17 2"], Bool[np.ndarray, "steps 17"]]:
        """Pixels and visible joints of the frames interpolated since the last one, and of the new one."""
        last, self.last = self.last, new
        if last is None:
            return new.pixels[None], new.visible[None]
        steps = interpolation_steps(new.time - last.time, self.min_fps)
        share = (np.arange(1, steps + 1) / steps)[:, None]
        pixels = last.pixels * (1 - share[..., None]) + new.pixels * share[..., None]
        return pixels, np.where(share > 0.5, new.visible, last.visible)

    def _pose_of_oldest(self, joints: Float[np.ndarray, "17 3"]) -> list[LivePose]:
        """The pose of the frame that has waited longest, as a list; empty if it is an interpolated frame."""
        frame = self.waiting.popleft()
        return [] if frame is None else [LivePose(joints, *frame)]


def _has_fold(camera: Camera) -> bool:
    """Whether a part of the image has no rays.

    Raises:
        InputError: more than half of it has none.
    """
    share = fraction_without_rays(camera)
    if share > 0.5:
        raise InputError(
            f"undistortion does not converge in {100 * share:.0f} % of the image; check the camera's "
            "distortion coefficients"
        )
    return share > 0


def lift_live(
    lifter: Lifter,
    keypoints: Keypoints,
    *,
    camera: FoundCamera | Camera | Path | str | None = None,
    smoothing: bool = True,
    flip: bool = True,
) -> Iterator[LivePose]:
    """Iterate over the poses of a clip lifted by a :class:`StreamingLifter`, from the first detection on.

    Args:
        lifter: lifter whose weights have a small look-ahead.
        keypoints: one person's keypoints.
        camera: as for :meth:`Lifter.lift`.
        smoothing: whether to filter jitter.
        flip: average with the result for the mirrored input.

    Raises:
        InputError: the camera cannot be used.
    """
    live = StreamingLifter(
        lifter,
        keypoints.image_size,
        keypoints.keypoint_set,
        fps=keypoints.fps,
        camera=find_camera(keypoints.image_size, camera=camera, keypoints=keypoints),
        smoothing=smoothing,
        flip=flip,
    )
    for points, time in zip(keypoints.points, keypoints.timestamps, strict=True):
        yield from live.push(points, float(time))
    yield from live.finish()


def motion_from_poses(poses: list[LivePose], live: StreamingLifter) -> Motion:
    """The motion of a sequence of live poses.

    Raises:
        InputError: there is no pose.
    """
    if not poses:
        raise InputError("no person was detected, so there is no motion")
    return Motion(
        joints=np.stack([pose.joints for pose in poses]),
        confidence=np.stack([pose.confidence for pose in poses]).astype(np.float32),
        pixels=np.stack([pose.pixels for pose in poses]).astype(np.float32),
        timestamps=np.array([pose.time for pose in poses]),
        camera=live.camera,
        camera_source=live.camera_source,
        intrinsics_source=live.intrinsics_source,
        weights=live.lifter.name,
    )

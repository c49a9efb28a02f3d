"""The lifter: 2D keypoints of one person and a camera in, 3D motion in metres out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Real

from spgnet.camera_files import FoundCamera, find_camera
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.interpolate import interpolate_at, nearest_at
from spgnet.keypoints import Keypoints, KeypointSetName, fill_gaps, smooth
from spgnet.keypoints.keypoints import mean_fps
from spgnet.keypoints.smoothing import SMOOTHING
from spgnet.lifting.inputs import (
    as_keypoints,
    mark_short_gaps_visible,
    network_input,
    regular_timestamps,
    visible_joints,
)
from spgnet.lifting.motion import Motion
from spgnet.lifting.weights import load_weights
from spgnet.models import RayNet
from spgnet.models.network import lift_sequence


class Lifter:
    """Lifts 2D keypoints to 3D motion.

    >>> (keypoints,) = load_keypoints("keypoints.npz")
    >>> lifter = Lifter.from_pretrained()
    >>> motion = lifter.lift(keypoints, camera="calibration.toml")
    >>> motion.joints.shape  # in metres, in the camera frame: x right, y down, z forward
    (100, 17, 3)

    Args:
        model: a network on rays, in evaluation mode.
        name: of its weights.
    """

    def __init__(self, model: RayNet, name: str = "") -> None:
        self.model, self.name = model, name

    @classmethod
    def from_pretrained(cls, name: str | Path = "default", *, device: str = "cpu") -> Lifter:
        """A lifter with given weights.

        Args:
            name: of weights in the package (``default``, or ``live``, which looks at past frames only), a
                run folder, or a safetensors file.
            device: PyTorch's name of what computes.

        Raises:
            InputError: there are no such weights, they do not take rays, or there is no such device.
        """
        check_device(device)
        model, found = load_weights(name)
        return cls(model.to(device), found)

    def lift(
        self,
        keypoints: Keypoints | Real[np.ndarray, "frames joints 3"],
        *,
        camera: FoundCamera | Camera | Path | str | None = None,
        camera_source: str | None = None,
        fps: float | None = None,
        image_size: tuple[int, int] | None = None,
        keypoint_set: KeypointSetName | None = None,
        smoothing: float = SMOOTHING,
        flip: bool = True,
        chunk: int | None = None,
        on_progress: Callable[[int], None] = lambda frames: None,
    ) -> Motion:
        """The 3D motion of one person.

        Unsure joints and joints outside the image or beyond the lens's fold count as missing; gaps are
        filled, and the network is told which joints are visible, those missing for 0.2 s or less included
        (the motion's confidence is 0 there all the same). Frames at an unsteady or unusual rate are resampled
        in between.

        Args:
            keypoints: as read from a file or detected; or an array of x, y and score in pixels, which needs
                ``fps``, ``image_size`` and, but for the sets with a number of keypoints of their own,
                ``keypoint_set``.
            camera: what they were filmed with, in OpenCV's convention, or a camera file; it is fitted to the
                size of the keypoints' image. If None, the intrinsics that came with the keypoints, or a
                camera with the default field of view.
            camera_source: where the camera comes from, in words, to be kept in the motion instead of those
                of :func:`~spgnet.camera_files.find_camera`.
            fps: frames per second of an array; for :class:`Keypoints` it replaces their times, for slow
                motion.
            image_size: width and height in pixels of an array's image.
            keypoint_set: which keypoints an array holds.
            smoothing: standard deviation of the filter against jitter, in seconds; 0 turns it off.
            flip: average with the result for the mirrored input (twice the time, a little more accurate).
            chunk: frames to compute at once; the result does not depend on it. By default, the network's.
            on_progress: called with the number of frames lifted.

        Raises:
            InputError: the arguments do not fit each other, the camera cannot be used, or no joint was ever
                seen.
        """
        keypoints = as_keypoints(keypoints, fps, image_size, keypoint_set)
        camera, source, description = find_camera(keypoints.image_size, camera=camera, keypoints=keypoints)
        times = keypoints.timestamps
        grid = regular_timestamps(times, self.model.config.rates[0])
        pixels, confidence = visible_joints(keypoints, camera)
        filled = fill_gaps(pixels, confidence, causal=False, times=times)
        regular, visible = filled, mark_short_gaps_visible(confidence > 0, times)
        if grid is not None:
            regular, visible = interpolate_at(filled, times, grid), nearest_at(visible, times, grid)
        rate = mean_fps(times if grid is None else grid)
        lifted = lift_sequence(
            self.model,
            network_input(smooth(regular, rate, seconds=smoothing), visible, camera),
            flip=flip,
            stride=self.model.stride(rate),
            chunk=chunk,
            on_progress=on_progress,
        )
        joints = lifted.cpu().numpy()
        return Motion(
            joints=(joints if grid is None else interpolate_at(joints, grid, times)).astype(np.float32),
            confidence=confidence.astype(np.float32),
            pixels=filled.astype(np.float32),
            timestamps=times,
            camera=camera,
            camera_source=camera_source or description,
            intrinsics_source=source,
            track=keypoints.track,
            weights=self.name,
        )


def check_device(name: str) -> None:
    """Refuse a device that is not there.

    Raises:
        InputError: PyTorch does not know it, or this machine or this build of PyTorch has none.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"no device {name!r}; expected cpu, cuda, cuda:1 or mps") from None
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if device.type in counts and (device.index or 0) >= counts[device.type]:
        raise InputError(f"no device {name!r} here: PyTorch finds {counts[device.type]} of {device.type}")

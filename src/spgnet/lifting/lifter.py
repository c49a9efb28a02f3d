"""The lifter of whole clips: from one person's 2D keypoints and a camera to 3D motion in metres."""

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
    believable_joints,
    interpolate_skipped,
    mark_short_gaps_visible,
    network_input,
    regular_timestamps,
)
from spgnet.lifting.motion import Motion
from spgnet.lifting.weights import load_weights
from spgnet.models import RayNet
from spgnet.models.folded import fold_batch_norm
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
        name: name of its weights.
    """

    def __init__(self, model: RayNet, name: str = "") -> None:
        self.model, self.name = model, name
        self._folded = fold_batch_norm(model)

    @classmethod
    def from_pretrained(cls, name: str | Path = "default", *, device: str = "cpu") -> Lifter:
        """Create a lifter from trained weights.

        Args:
            name: weights of the package (``default``, or ``live``, which uses past frames only), a run
                folder, or a safetensors file.
            device: name of a PyTorch device.

        Raises:
            InputError: there are no such weights, they do not take rays, or the device does not exist.
        """
        check_device(device)
        model, found = load_weights(name)
        return cls(model.to(device), found)

    def lift(
        self,
        keypoints: Keypoints | Real[np.ndarray, "frames joints 3"],
        *,
        camera: FoundCamera | Camera | Path | str | None = None,
        fps: float | None = None,
        image_size: tuple[int, int] | None = None,
        keypoint_set: KeypointSetName | None = None,
        smoothing: float = SMOOTHING,
        flip: bool = True,
        chunk: int | None = None,
        on_progress: Callable[[int], None] = lambda frames: None,
    ) -> Motion:
        """Lift one person's keypoints to a 3D motion.

        Joints of low confidence, outside the image or beyond the lens's fold count as missing, and so do
        those that cannot be right (``rejected`` in the motion); left and right exchanged for a moment are
        put back (:mod:`spgnet.keypoints.outliers`); gaps are filled. Part of the network's input is which
        joints are visible; joints missing for 0.2 s or less count as visible there, but have a confidence of
        0 in the motion, unless the detector did not look (``Keypoints.skipped``). Clips at an irregular or
        low frame rate are resampled for the network, and the result is resampled to their timestamps.

        Args:
            keypoints: from a file or a detector; or an array of x and y in pixels and score, which needs
                ``fps``, ``image_size`` and, if several sets have that number of keypoints, ``keypoint_set``.
            camera: the camera of the clip in OpenCV's convention, or a camera file; it is scaled to the image
                size of the keypoints. By default a camera with the intrinsics of the keypoints, or with the
                default field of view.
            fps: frames per second of an array; for :class:`Keypoints` it replaces their timestamps, for
                example for slow motion.
            image_size: width and height in pixels of the image, for an array.
            keypoint_set: keypoint set of an array.
            smoothing: standard deviation of the Gaussian filter against jitter, in seconds; 0 turns it off.
            flip: average with the result for the mirrored input (twice the time, slightly more accurate).
            chunk: number of frames to compute at once; it does not change the result. By default that of the
                network.
            on_progress: called with the number of frames lifted so far.

        Raises:
            InputError: the arguments contradict each other, the camera cannot be used, or no joint is
                detected in any frame.
        """
        keypoints = as_keypoints(keypoints, fps, image_size, keypoint_set)
        camera, source, description = find_camera(keypoints.image_size, camera=camera, keypoints=keypoints)
        times = keypoints.timestamps
        grid = regular_timestamps(times, self.model.config.rates[0])
        pixels, confidence, rejected = believable_joints(keypoints, camera)
        filled = fill_gaps(pixels, confidence, causal=False, times=times)
        confidence = interpolate_skipped(confidence, keypoints.skipped)
        regular, visible = filled, mark_short_gaps_visible(confidence > 0, times)
        if grid is not None:
            regular, visible = interpolate_at(filled, times, grid), nearest_at(visible, times, grid)
        rate = mean_fps(times if grid is None else grid)
        lifted = lift_sequence(
            self._folded,
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
            camera_source=description,
            intrinsics_source=source,
            track=keypoints.track,
            weights=self.name,
            rejected=rejected,
        )


def check_device(name: str) -> None:
    """Validate the name of a PyTorch device.

    Raises:
        InputError: the name is unknown, or this machine or this build of PyTorch has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"no device {name!r}; expected cpu, cuda, cuda:1 or mps") from None
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if device.type not in ("cpu", *counts):
        raise InputError(f"no device {name!r}; expected cpu, cuda, cuda:1 or mps")
    if device.type in counts and (device.index or 0) >= counts[device.type]:
        raise InputError(f"no device {name!r} here: PyTorch finds {counts[device.type]} of {device.type}")

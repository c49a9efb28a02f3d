"""The lifter: 2D keypoints of one person and a camera in, 3D motion in metres out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.camera import Camera
from spgnet.camera_files import find_camera
from spgnet.keypoints import Keypoints, KeypointSetName, drop_unsure, fill_gaps, smooth, to_human36m
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, mean_fps
from spgnet.keypoints.smoothing import SMOOTHING
from spgnet.lifting.motion import Motion
from spgnet.lifting.timing import at_times, nearest_frames, steady_grid
from spgnet.lifting.weights import load_weights
from spgnet.models import RayNet
from spgnet.models.sequence import CHUNK, lift_sequence

BORDER = 0.02
"""How far outside the image, in its longer sides, a detection is believed."""


class Lifter:
    """Lifts 2D keypoints to 3D motion.

    >>> lifter = Lifter.from_pretrained()
    >>> motion = lifter.lift(keypoints, camera=camera)

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
            ValueError: there are no such weights, or they do not take rays.
        """
        model, found = load_weights(name)
        return cls(model.to(device), found)

    def lift(
        self,
        keypoints: Keypoints | Float[np.ndarray, "frames joints 3"],
        *,
        camera: Camera | None = None,
        camera_source: str | None = None,
        fps: float | None = None,
        image_size: tuple[int, int] | None = None,
        keypoint_set: KeypointSetName | None = None,
        smoothing: float = SMOOTHING,
        flip: bool = True,
        chunk: int = CHUNK,
        on_progress: Callable[[int], None] = lambda frames: None,
    ) -> Motion:
        """The 3D motion of one person.

        Unsure joints and joints outside the image count as missing; gaps are filled, and the network is told
        which joints were seen. Frames at an unsteady or unusual rate are resampled in between.

        Args:
            keypoints: as read from a file or detected; or an array of x, y and score in pixels, which needs
                ``fps``, ``image_size`` and, but for the joints of Human3.6M, ``keypoint_set``.
            camera: what they were filmed with, in OpenCV's convention; if None, the intrinsics that came with
                the keypoints, or a camera with the default field of view.
            camera_source: where the camera comes from, in words, to be kept in the motion.
            fps: frames per second of an array.
            image_size: width and height in pixels of an array's image.
            keypoint_set: which keypoints an array holds.
            smoothing: standard deviation of the filter against jitter, in seconds; 0 turns it off.
            flip: average with the result for the mirrored input (twice the time, a little more accurate).
            chunk: frames to compute at once; the result does not depend on it.
            on_progress: called with the number of frames lifted.

        Raises:
            ValueError: the arguments do not fit each other, or no joint was ever seen.
        """
        if isinstance(keypoints, np.ndarray):
            keypoints = keypoints_of(keypoints, fps, image_size, keypoint_set)
        if camera is None:
            camera, found = find_camera(
                keypoints.image_size,
                keypoints_matrix=keypoints.camera_matrix,
                keypoints_distortion=keypoints.distortion,
            )
            camera_source = camera_source or found
        pixels, confidence = seen_joints(keypoints)
        filled = fill_gaps(pixels, confidence, causal=False)
        times, grid = keypoints.timestamps, steady_grid(keypoints.timestamps, self.model.config.rates[0])
        steady, seen = filled, confidence > 0
        if grid is not None:
            steady, seen = at_times(filled, times, grid), nearest_frames(seen, times, grid)
        rate = mean_fps(times if grid is None else grid)
        lifted = lift_sequence(
            self.model,
            network_input(smooth(steady, rate, seconds=smoothing), seen, camera),
            flip=flip,
            stride=self.model.config.stride(rate),
            chunk=chunk,
            on_progress=on_progress,
        )
        joints = lifted.cpu().numpy()
        return Motion(
            joints=(joints if grid is None else at_times(joints, grid, times)).astype(np.float32),
            confidence=confidence.astype(np.float32),
            pixels=filled.astype(np.float32),
            timestamps=times,
            camera=camera,
            camera_source=camera_source or "given camera",
            track=keypoints.track,
            weights=self.name,
        )


def seen_joints(
    keypoints: Keypoints,
) -> tuple[Float[np.ndarray, "frames 17 2"], Float[np.ndarray, "frames 17"]]:
    """The joints that were seen surely and inside the image, in pixels; NaN and 0 for the others."""
    return only_inside(*drop_unsure(*to_human36m(keypoints)), keypoints.image_size)


def only_inside(
    pixels: Float[np.ndarray, "*frames 17 2"],
    confidence: Float[np.ndarray, "*frames 17"],
    image_size: tuple[int, int],
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Joints that were detected well outside the image, which are guesses, become missing."""
    margin = BORDER * max(image_size)
    inside = np.asarray(((pixels >= -margin) & (pixels <= np.array(image_size) + margin)).all(axis=-1))
    return np.where(inside[..., None], pixels, np.nan), np.where(inside, confidence, 0.0)


def network_input(
    pixels: Float[np.ndarray, "frames 17 2"], seen: Bool[np.ndarray, "frames 17"], camera: Camera
) -> Float[Tensor, "frames 17 3"]:
    """Rays through the pixels, and 1 where a joint was seen."""
    points = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float64))
    rays = camera.to(torch.float64).image_to_rays(points)
    return torch.cat((rays, torch.from_numpy(seen).to(rays).unsqueeze(-1)), dim=-1).float()


def keypoints_of(
    points: Float[np.ndarray, "frames joints 3"],
    fps: float | None,
    image_size: tuple[int, int] | None,
    keypoint_set: KeypointSetName | None,
) -> Keypoints:
    """Keypoints of an array.

    Raises:
        ValueError: what an array does not say is missing.
    """
    missing = [n for n, value in (("fps", fps), ("image_size", image_size)) if value is None]
    counts: list[KeypointSetName] = [
        name for name, count in KEYPOINT_COUNTS.items() if points.shape[1:2] == (count,)
    ]
    if keypoint_set is None and len(counts) != 1:
        missing.append("keypoint_set")
    if missing or image_size is None or fps is None:
        raise ValueError(f"an array of keypoints does not say its {', '.join(missing)}; give it")
    return Keypoints(
        points=points.astype(np.float32),
        keypoint_set=keypoint_set or counts[0],
        timestamps=np.arange(len(points)) / fps,
        image_size=image_size,
    )

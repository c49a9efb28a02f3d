"""The lifters' input: keypoints, their times and camera, and the network's input made of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.keypoints import Keypoints, KeypointSetName, drop_low_confidence, points_to_human36m
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, mean_fps

MAX_IRREGULARITY = 0.25
"""How far a frame may be from its place in a regular series, in frames, before the series is resampled."""
SHORT_GAP = 0.2
"""Longest gap, in seconds from one detection of a joint to the next, in which it counts as visible."""


def regular_timestamps(
    timestamps: Float[np.ndarray, " frames"], min_fps: float
) -> Float[np.ndarray, " regular"] | None:
    """Times at a constant rate over the same span, or None if the clip's own are regular and fast enough.

    Args:
        timestamps: increasing, in seconds.
        min_fps: lowest frame rate that the network is for; a clip that is more than a tenth slower is
            resampled to it.
    """
    if len(timestamps) < 2:
        return None
    first, last = float(timestamps[0]), float(timestamps[-1])
    fps = mean_fps(timestamps)
    even = np.linspace(first, last, len(timestamps))
    if fps >= 0.9 * min_fps and np.abs(timestamps - even).max() * fps <= MAX_IRREGULARITY:
        return None
    return np.linspace(first, last, max(2, round((last - first) * max(fps, min_fps)) + 1))


def mark_short_gaps_visible(
    visible: Bool[np.ndarray, "frames joints"], timestamps: Float[np.ndarray, " frames"]
) -> Bool[np.ndarray, "frames joints"]:
    """The visible joints, and those in gaps of :data:`SHORT_GAP` at most, where interpolation is reliable."""
    frames = np.arange(len(visible))[:, None]
    before = np.maximum.accumulate(np.where(visible, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(visible, frames, len(visible))[::-1], axis=0)[::-1]
    between = (before >= 0) & (after < len(visible))
    span = timestamps[after.clip(max=len(visible) - 1)] - timestamps[before.clip(0)]
    return between & (span <= SHORT_GAP + 1e-6)


def interpolation_steps(seconds: float, min_fps: float) -> int:
    """Into how many steps the time between two frames is cut for a network that wants them faster.

    Args:
        seconds: from one frame to the next.
        min_fps: lowest frame rate that the network is for; frames up to a tenth slower are left as they are.
    """
    return max(1, math.ceil(seconds * min_fps - 0.1))


BORDER = 0.02
"""How far outside the image, as a share of its longer side, detections are kept."""
FRAMES_AT_ONCE = 2048
"""Frames of a long clip that are worked on at once, where the work needs more memory than its result."""


def as_keypoints(
    keypoints: object,
    fps: float | None,
    image_size: tuple[int, int] | None,
    keypoint_set: KeypointSetName | None,
) -> Keypoints:
    """One person's keypoints, of :class:`Keypoints` or of an array; another frame rate gives new times.

    Raises:
        InputError: what an array does not say is missing, or what is said contradicts the keypoints.
    """
    if fps is not None:
        check_fps(fps)
    if isinstance(keypoints, np.ndarray):
        return keypoints_from_array(keypoints, fps, image_size, keypoint_set)
    if not isinstance(keypoints, Keypoints):
        raise InputError(
            f"lift takes the keypoints of one person, or an array, not a {type(keypoints).__name__}; of "
            "several people, lift one after the other"
        )
    errors = [
        f"{name} {value} is given, but the keypoints have {own}"
        for name, value, own in (
            ("image_size", image_size, keypoints.image_size),
            ("keypoint_set", keypoint_set, keypoints.keypoint_set),
        )
        if value is not None and value != own
    ]
    if errors:
        raise InputError("; ".join(errors))
    return keypoints if fps is None else replace(keypoints, timestamps=np.arange(len(keypoints)) / fps)


def check_fps(fps: float) -> None:
    """Refuse what is no frame rate.

    Raises:
        InputError: it is not a positive number.
    """
    if not (fps > 0 and math.isfinite(fps)):
        raise InputError(f"fps must be a positive number of frames per second, got {fps:g}")


def check_keypoint_set(name: str) -> None:
    """Refuse a keypoint set that is not known.

    Raises:
        InputError: it is not; the known ones are listed.
    """
    if name not in KEYPOINT_COUNTS:
        raise InputError(f"no keypoint set {name!r}; there are {', '.join(KEYPOINT_COUNTS)}")


def keypoints_from_array(
    points: Real[np.ndarray, "frames joints 3"],
    fps: float | None,
    image_size: tuple[int, int] | None,
    keypoint_set: KeypointSetName | None,
) -> Keypoints:
    """Keypoints of an array.

    Raises:
        InputError: what an array does not say is missing.
    """
    missing = [n for n, value in (("fps", fps), ("image_size", image_size)) if value is None]
    counts: list[KeypointSetName] = [
        name for name, count in KEYPOINT_COUNTS.items() if points.shape[1:2] == (count,)
    ]
    if keypoint_set is None and len(counts) != 1:
        missing.append("keypoint_set")
    if missing or image_size is None or fps is None:
        raise InputError(f"an array of keypoints does not say its {', '.join(missing)}; give it")
    return Keypoints(
        points=points.astype(np.float32),
        keypoint_set=keypoint_set or counts[0],
        timestamps=np.arange(len(points)) / fps,
        image_size=image_size,
    )


def fraction_without_rays(camera: Camera) -> float:
    """How much of the image (and the border that is believed) lies beyond the lens's fold; mostly 0."""
    size = camera.image_size.double()
    margin = BORDER * float(size.max())
    across, down = (torch.linspace(-margin, side + margin, 21) for side in size.tolist())
    grid = torch.cartesian_prod(across, down).double()
    return 1 - float(camera.to(torch.float64).try_image_to_rays(grid)[1].double().mean())


def visible_joints(
    keypoints: Keypoints, camera: Camera
) -> tuple[Float[np.ndarray, "frames 17 2"], Float[np.ndarray, "frames 17"]]:
    """Pixels and confidence of the joints that are confidently detected and have a ray; NaN and 0 for others.

    Raises:
        InputError: the lens has no ray for most of the joints that were detected.
    """
    pieces, found, lost = [], 0, 0
    folds = fraction_without_rays(camera) > 0
    for start in range(0, len(keypoints), FRAMES_AT_ONCE):
        points = keypoints.points[start : start + FRAMES_AT_ONCE]
        pixels, sure = confident_joints(points, keypoints.keypoint_set, keypoints.image_size)
        pixels, confidence = drop_without_rays(pixels, sure, camera) if folds else (pixels, sure)
        pieces.append((pixels, confidence))
        found += int((sure > 0).sum())
        lost += int((sure > confidence).sum())
    if 2 * lost > found:
        raise InputError(
            f"undistortion did not converge for {lost} of {found} detected joints; check the camera's "
            "distortion coefficients"
        )
    pixels, confidence = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return pixels, confidence


def confident_joints(
    points: Real[np.ndarray, "*frames joints 3"], keypoint_set: KeypointSetName, image_size: tuple[int, int]
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Pixels and confidence of the joints confidently detected inside the image; NaN and 0 for others."""
    return drop_outside_image(*drop_low_confidence(*points_to_human36m(points, keypoint_set)), image_size)


def drop_outside_image(
    pixels: Float[np.ndarray, "*frames 17 2"],
    confidence: Float[np.ndarray, "*frames 17"],
    image_size: tuple[int, int],
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Joints that were detected well outside the image, which are guesses, become missing."""
    margin = BORDER * max(image_size)
    inside = np.asarray(((pixels >= -margin) & (pixels <= np.array(image_size) + margin)).all(axis=-1))
    return _keep_only(inside, pixels, confidence)


def drop_without_rays(
    pixels: Float[np.ndarray, "*frames 17 2"], confidence: Float[np.ndarray, "*frames 17"], camera: Camera
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Joints that were detected beyond the lens's fold, where no light comes from, become missing."""
    has_ray = torch.from_numpy(confidence > 0)
    points = torch.from_numpy(pixels.astype(np.float64))
    points = torch.where(has_ray[..., None], points, camera.center.to(points))
    return _keep_only(camera.to(torch.float64).try_image_to_rays(points)[1].numpy(), pixels, confidence)


def _keep_only(kept: np.ndarray, pixels: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.where(kept[..., None], pixels, np.nan), np.where(kept, confidence, 0.0)


def network_input(
    pixels: Float[np.ndarray, "frames 17 2"], visible: Bool[np.ndarray, "frames 17"], camera: Camera
) -> Float[Tensor, "frames 17 3"]:
    """The network's input: rays through the pixels (x / z, y / z), and 1 where a joint is visible.

    Filtering can move a pixel a little beyond the lens's fold; it has the ray of the nearest pixel towards
    the principal point.
    """
    camera = camera.to(torch.float64)
    result = torch.empty(len(pixels), 17, 3)
    for start in range(0, len(pixels), FRAMES_AT_ONCE):
        part = slice(start, start + FRAMES_AT_ONCE)
        points = torch.from_numpy(pixels[part].astype(np.float64))
        rays, has_ray = camera.try_image_to_rays(points)
        if not bool(has_ray.all()):
            rays[~has_ray] = _rays_before_the_fold(camera, points[~has_ray])
        result[part, :, :2] = rays
        result[part, :, 2] = torch.from_numpy(visible[part])
    return result


def _rays_before_the_fold(camera: Camera, pixels: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2"]:
    """The last rays there are on the way from the principal point to the pixels, by bisection."""
    inside, outside = torch.zeros(len(pixels), 1).to(pixels), torch.ones(len(pixels), 1).to(pixels)
    for _ in range(20):
        middle = (inside + outside) / 2
        has_ray = camera.try_image_to_rays(camera.center + middle * (pixels - camera.center))[1].unsqueeze(-1)
        inside, outside = torch.where(has_ray, middle, inside), torch.where(has_ray, outside, middle)
    return camera.image_to_rays(camera.center + inside * (pixels - camera.center))

"""From the caller's keypoints to the network's input: validation, visible joints, frame times and rays."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, KeypointSetName, drop_low_confidence, points_to_human36m
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, mean_fps, midpoint_joints
from spgnet.keypoints.outliers import find_exchanged, find_outliers
from spgnet.keypoints.set_choice import set_of_people
from spgnet.limits import FASTEST, SLOWEST

MAX_IRREGULARITY = 0.25
"""The largest deviation of a frame from a constant rate, in frames, without resampling the clip."""
SHORT_GAP = 0.2
"""The longest gap between two detections of a joint, in seconds, in which it still counts as visible."""
BORDER = 0.02
"""Width of the border around the image in which detections are kept, as a fraction of its longer side."""
FRAMES_AT_ONCE = 2048
"""Number of frames processed at once, to bound the memory for long clips."""


def as_keypoints(
    keypoints: object,
    fps: float | None,
    image_size: tuple[int, int] | None,
    keypoint_set: KeypointSetName | None,
) -> Keypoints:
    """Validate the arguments of a lifter and convert them to one person's keypoints.

    Args:
        keypoints: :class:`Keypoints`, or an array [frames, joints, 3] as for :func:`keypoints_from_array`.
        fps: frames per second of an array; for :class:`Keypoints` it replaces their timestamps.
        image_size: width and height in pixels; required for an array.
        keypoint_set: required for an array whose number of keypoints is that of several sets.

    Raises:
        InputError: `keypoints` is of another type, an array lacks metadata, or the arguments contradict the
            keypoints.
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


def keypoints_from_array(
    points: Real[np.ndarray, "frames joints 3"],
    fps: float | None,
    image_size: tuple[int, int] | None,
    keypoint_set: KeypointSetName | None,
) -> Keypoints:
    """Keypoints from an array at a constant frame rate.

    Args:
        points: x and y in pixels, and score.
        fps: frames per second.
        image_size: width and height in pixels.
        keypoint_set: by default the set with that number of keypoints; required for 17.

    Raises:
        InputError: one of these is missing, or the array has another shape or holds no real numbers.
    """
    if points.ndim != 3:
        raise InputError(
            f"an array of keypoints has shape {points.shape}, expected [frames, joints, 3]: x, y and score"
        )
    missing = [n for n, value in (("fps", fps), ("image_size", image_size)) if value is None]
    sets: list[KeypointSetName] = [
        name for name, count in KEYPOINT_COUNTS.items() if points.shape[1:2] == (count,)
    ]
    if keypoint_set is None and (not sets or points.shape[1] == 17):
        missing.append("keypoint_set")
    if missing or image_size is None or fps is None:
        raise InputError(f"an array of keypoints does not say its {', '.join(missing)}; give it")
    found, remark = keypoint_set or sets[0], ""
    if keypoint_set is None and len(sets) > 1:
        found, remark = set_of_people(points)
    return Keypoints(
        points=_real_numbers(points),
        keypoint_set=found,
        timestamps=np.arange(len(points)) / fps,
        image_size=image_size,
        remarks=(remark,) if remark else (),
    )


def _real_numbers(points: np.ndarray) -> Float[np.ndarray, "*shape"]:
    """An array in single precision.

    Raises:
        InputError: it holds anything but real numbers.
    """
    try:
        if not np.iscomplexobj(points):
            return points.astype(np.float32)
    except (TypeError, ValueError):  # of texts and other objects
        pass
    raise InputError(f"an array of keypoints holds {points.dtype}, expected real numbers")


def check_fps(fps: float) -> None:
    """Validate a frame rate.

    Raises:
        InputError: it is not from 0.01 to 100 000. Lifting takes memory in proportion to
            the seconds of a clip, and smoothing to its frame rate.
    """
    if not SLOWEST <= fps <= FASTEST:
        raise InputError(f"fps must be from 0.01 to 100000 frames per second, got {fps:g}")


def check_keypoint_set(name: str) -> None:
    """Validate the name of a keypoint set.

    Raises:
        InputError: there is no such set; the message lists the existing ones.
    """
    if name not in KEYPOINT_COUNTS:
        raise InputError(f"no keypoint set {name!r}; there are {', '.join(KEYPOINT_COUNTS)}")


def visible_joints(
    keypoints: Keypoints, camera: Camera
) -> tuple[Float[np.ndarray, "frames 17 2"], Float[np.ndarray, "frames 17"]]:
    """Pixels and confidence of the joints that are detected with confidence and have a ray; else NaN and 0.

    Raises:
        InputError: the lens has no ray for more than half of the detected joints.
    """
    pieces, detected, lost = [], 0, 0
    has_fold = fraction_without_rays(camera) > 0
    for start in range(0, len(keypoints), FRAMES_AT_ONCE):
        points = keypoints.points[start : start + FRAMES_AT_ONCE]
        pixels, in_image = confident_joints(points, keypoints.keypoint_set, keypoints.image_size)
        pixels, confidence = drop_without_rays(pixels, in_image, camera) if has_fold else (pixels, in_image)
        pieces.append((pixels, confidence))
        detected += int((in_image > 0).sum())
        lost += int((in_image > confidence).sum())
    if 2 * lost > detected:
        raise InputError(
            f"undistortion did not converge for {lost} of {detected} detected joints; check the camera's "
            "distortion coefficients"
        )
    pixels, confidence = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return pixels, confidence


def believable_joints(
    keypoints: Keypoints, camera: Camera
) -> tuple[Float[np.ndarray, "frames 17 2"], Float[np.ndarray, "frames 17"], Bool[np.ndarray, "frames 17"]]:
    """:func:`visible_joints` with left and right put right, without outliers, and which joints these were.

    Raises:
        InputError: as :func:`visible_joints`.
    """
    pixels, confidence = visible_joints(keypoints, camera)
    times = keypoints.timestamps
    exchanged = find_exchanged(pixels, confidence, times)
    pixels = np.where(exchanged[..., None], pixels[:, HUMAN36M.mirror], pixels)
    confidence = np.where(exchanged, confidence[:, HUMAN36M.mirror], confidence)
    return drop_outliers(find_outliers(pixels, confidence, times), pixels, confidence, keypoints.keypoint_set)


def drop_outliers(
    outliers: Bool[np.ndarray, "*frames 17"],
    pixels: Float[np.ndarray, "*frames 17 2"],
    confidence: Float[np.ndarray, "*frames 17"],
    keypoint_set: KeypointSetName,
) -> tuple[
    Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"], Bool[np.ndarray, "*frames 17"]
]:
    """Pixels and confidence without outliers and joints in the middle of one; and which joints these are."""
    rejected = outliers.copy()
    for joint, sources in midpoint_joints(keypoint_set).items():
        rejected[..., joint] |= outliers[..., sources].any(axis=-1) & (confidence[..., joint] > 0)
    return *_keep_only(~rejected, pixels, confidence), rejected


def confident_joints(
    points: Real[np.ndarray, "*frames joints 3"], keypoint_set: KeypointSetName, image_size: tuple[int, int]
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Pixels and confidence of the joints detected with confidence inside the image; else NaN and 0."""
    return drop_outside_image(*drop_low_confidence(*points_to_human36m(points, keypoint_set)), image_size)


def drop_outside_image(
    pixels: Float[np.ndarray, "*frames 17 2"],
    confidence: Float[np.ndarray, "*frames 17"],
    image_size: tuple[int, int],
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Pixels and confidence; joints beyond the image's border, which the detector guessed, are NaN and 0."""
    margin = BORDER * max(image_size)
    inside = np.asarray(((pixels >= -margin) & (pixels <= np.array(image_size) + margin)).all(axis=-1))
    return _keep_only(inside, pixels, confidence)


def drop_without_rays(
    pixels: Float[np.ndarray, "*frames 17 2"], confidence: Float[np.ndarray, "*frames 17"], camera: Camera
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Pixels and confidence; joints beyond the lens's fold, where no ray ends, are NaN and 0."""
    has_ray = torch.from_numpy(confidence > 0)
    points = torch.from_numpy(pixels.astype(np.float64))
    points = torch.where(has_ray[..., None], points, camera.center.to(points))
    return _keep_only(camera.to(torch.float64).try_image_to_rays(points)[1].numpy(), pixels, confidence)


def fraction_without_rays(camera: Camera) -> float:
    """Fraction of the image and its border (:data:`BORDER`) beyond the lens's fold; 0 for most lenses."""
    size = camera.image_size.double()
    margin = BORDER * float(size.max())
    across, down = (torch.linspace(-margin, side + margin, 21) for side in size.tolist())
    grid = torch.cartesian_prod(across, down).double()
    return 1 - float(camera.to(torch.float64).try_image_to_rays(grid)[1].double().mean())


def _keep_only(kept: np.ndarray, pixels: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.where(kept[..., None], pixels, np.nan), np.where(kept, confidence, 0.0)


def interpolate_skipped(
    confidence: Float[np.ndarray, "frames 17"], skipped: Bool[np.ndarray, " frames"] | None
) -> Float[np.ndarray, "frames 17"]:
    """Confidence of detected joints, and in frames at which the detector did not look the lower one of two.

    These are the confidences in the frames around it at which the detector looked. A joint that is detected
    in both has an interpolated position as good as a detection (:mod:`spgnet.detection.frame_choice`).

    Args:
        confidence: 0 where a joint is not detected.
        skipped: the frames at which the detector did not look; None: no frame.
    """
    if skipped is None or skipped.all():
        return confidence
    looks = np.flatnonzero(~skipped)
    after = np.searchsorted(looks, np.arange(len(skipped)))
    inside = skipped & (after > 0) & (after < len(looks))
    filled = confidence.copy()
    filled[inside] = np.minimum(confidence[looks[after[inside] - 1]], confidence[looks[after[inside]]])
    return filled


def regular_timestamps(
    timestamps: Float[np.ndarray, " frames"], min_fps: float
) -> Float[np.ndarray, " regular"] | None:
    """Times in seconds at a constant rate over the same span, or None if the clip needs no resampling.

    Args:
        timestamps: increasing, in seconds.
        min_fps: lowest frame rate of the network; a clip more than a tenth slower is resampled to it.
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
    """The visible joints, and those in gaps of at most :data:`SHORT_GAP`, where interpolation is reliable."""
    frames = np.arange(len(visible))[:, None]
    before = np.maximum.accumulate(np.where(visible, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(visible, frames, len(visible))[::-1], axis=0)[::-1]
    between = (before >= 0) & (after < len(visible))
    span = timestamps[after.clip(max=len(visible) - 1)] - timestamps[before.clip(0)]
    return between & (span <= SHORT_GAP + 1e-6)


def interpolation_steps(seconds: float, min_fps: float) -> int:
    """Number of equal steps from one frame to the next that reach the network's lowest frame rate.

    Args:
        seconds: time from one frame to the next.
        min_fps: lowest frame rate of the network; up to about a tenth slower, the result is one step.
    """
    return max(1, math.ceil(seconds * min_fps - 0.1))


def network_input(
    pixels: Float[np.ndarray, "frames 17 2"], visible: Bool[np.ndarray, "frames 17"], camera: Camera
) -> Float[Tensor, "frames 17 3"]:
    """The network's input: the ray (x / z, y / z) of every pixel, and 1 if the joint is visible, else 0.

    Filtering can move a pixel slightly beyond the lens's fold, where it has no ray; it gets that of the
    nearest pixel towards the principal point that has one.
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
    """The outermost existing rays between the principal point and each pixel, by bisection."""
    inside, outside = torch.zeros(len(pixels), 1).to(pixels), torch.ones(len(pixels), 1).to(pixels)
    for _ in range(20):
        middle = (inside + outside) / 2
        has_ray = camera.try_image_to_rays(camera.center + middle * (pixels - camera.center))[1].unsqueeze(-1)
        inside, outside = torch.where(has_ray, middle, inside), torch.where(has_ray, outside, middle)
    return camera.image_to_rays(camera.center + inside * (pixels - camera.center))

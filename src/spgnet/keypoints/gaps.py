"""Filling gaps of 2D joints, for a whole clip or frame by frame, and dropping joints of low confidence."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.errors import InputError
from spgnet.geometry.interpolate import fill_missing
from spgnet.geometry.skeleton import BODY, HUMAN36M
from spgnet.keypoints.scale import pixels_per_metre

MIN_CONFIDENCE = 0.3
"""Confidence below which a joint counts as missing by default."""

TORSO = tuple(
    HUMAN36M.names.index(name)
    for name in ("pelvis", "right_hip", "left_hip", "spine", "thorax", "left_shoulder", "right_shoulder")
)

BELOW_THORAX = {"spine": 0.24, "pelvis": 0.48, "hip": 0.48, "knee": 0.63, "ankle": 0.90}
"""How far below the neck the hidden joints of an upper body are placed, in metres for a person 1.75 m tall:
where those of somebody appear who sits and faces the camera. Of the placings tried on simulated video of
upper bodies (as if standing, sitting, legs at the hips or at the trunk) the network answered best to it."""

_HIPS = tuple(map(HUMAN36M.names.index, ("pelvis", "left_hip", "right_hip")))
_SHOULDERS = tuple(map(HUMAN36M.names.index, ("left_shoulder", "right_shoulder")))
_THORAX = HUMAN36M.names.index("thorax")
_DOWN = np.array([[0.0, BELOW_THORAX.get(kind, np.nan)] for kind in HUMAN36M.joint_types])
_SIDES = np.array([[{"left": 1.0, "right": -1.0, "middle": 0.0}[HUMAN36M.side(j)]] for j in range(17)])


def drop_low_confidence(
    pixels: Float[np.ndarray, "*frames 17 2"],
    confidence: Float[np.ndarray, "*frames 17"],
    threshold: float = MIN_CONFIDENCE,
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Pixels and confidence with joints below the threshold set to missing: NaN pixels, 0 confidence."""
    low = ~(confidence >= threshold)  # NaN too
    return np.where(low[..., None], np.nan, pixels).astype(pixels.dtype), np.where(low, 0, confidence)


def fill_gaps(
    pixels: Float[np.ndarray, "frames 17 2"],
    confidence: Float[np.ndarray, "frames 17"],
    *,
    causal: bool,
    times: Float[np.ndarray, " frames"] | None = None,
) -> Float[np.ndarray, "frames 17 2"]:
    """Pixels with a position for every joint in every frame; detected joints are unchanged.

    - Not causal: a joint is interpolated linearly in time between two detections, and keeps its position
      before the first and after the last.
    - Causal: a joint keeps the position of its last detection. Frames before the first detection of any joint
      repeat the first frame with one; only there later frames are used (:class:`CausalFiller` returns None
      instead).
    - Joints without any detection (causal: without one so far): if neither the pelvis nor a hip has one, as
      in video of the upper body, these and the joints of the legs are placed below the neck, as far as in a
      body of the person's size (:data:`BELOW_THORAX`). All others are placed at the centre of the body in
      that frame: the mean of the torso joints that have a position, filled ones included, or of all joints
      if no torso joint has one.

    Args:
        pixels: the joints of Human3.6M in the image; NaN where missing.
        confidence: 0 where missing. It is not changed, so that filled joints remain recognisable by their 0.
        causal: whether a frame depends on earlier frames only.
        times: time of each frame, increasing, in any unit; if None, frames are equally spaced.

    Raises:
        InputError: no joint is detected in any frame.
    """
    detected = _detected(pixels, confidence)
    if not detected.any():
        raise InputError("no joint was detected in any frame")
    if not causal:
        known = torch.from_numpy(np.where(detected[..., None], pixels, np.nan).astype(np.float64))
        at = None if times is None else torch.from_numpy(times)
        return place_undetected(
            fill_missing(known, torch.from_numpy(~detected), at).numpy().astype(pixels.dtype)
        )
    held = _hold_last_position(pixels, detected)
    held[: np.flatnonzero(detected.any(axis=1))[0]] = held[np.flatnonzero(detected.any(axis=1))[0]]
    return place_undetected(held)


class CausalFiller:
    """:func:`fill_gaps` with ``causal=True``, one frame at a time."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def push(
        self, pixels: Float[np.ndarray, "17 2"], confidence: Float[np.ndarray, " 17"]
    ) -> Float[np.ndarray, "17 2"] | None:
        """The next frame's pixels without gaps, or None until a joint has been detected."""
        detected = _detected(pixels, confidence)
        last = np.full_like(pixels, np.nan) if self._last is None else self._last
        self._last = np.where(detected[:, None], pixels, last)
        return None if np.isnan(self._last).all() else place_undetected(self._last)


def _detected(pixels: np.ndarray, confidence: np.ndarray) -> Bool[np.ndarray, "*frames 17"]:
    return (confidence > 0) & np.isfinite(pixels).all(axis=-1)


def _hold_last_position(pixels: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """Pixels [frames, joints, 2] of the last detection of every joint, NaN before the first."""
    frames = np.arange(len(pixels))[:, None]
    last = np.maximum.accumulate(np.where(detected, frames, -1), axis=0)
    held = pixels[last, np.arange(pixels.shape[1])]
    return np.where((last >= 0)[..., None], held, np.nan).astype(pixels.dtype)


def place_undetected(pixels: Float[np.ndarray, "*frames 17 2"]) -> Float[np.ndarray, "*frames 17 2"]:
    """Pixels with NaN joints placed below the shoulders or at the centre of the body in their frame.

    Joints that were never detected are placed so in lifting, and in training on simulated detections.
    """
    return _fill_at_centre(_fill_below_shoulders(pixels))


def _fill_below_shoulders(pixels: Float[np.ndarray, "*frames 17 2"]) -> Float[np.ndarray, "*frames 17 2"]:
    """Pixels with NaN joints of pelvis and legs placed below the shoulders where no hip has a position.

    Down is the image's. The hips are as far apart in the image, relative to the shoulders, as in the body.
    """
    known = np.asarray(np.isfinite(pixels).all(axis=-1))
    hidden = np.asarray(~known[..., _HIPS].any(axis=-1) & known[..., _SHOULDERS].all(axis=-1))
    if not hidden.any():
        return pixels
    filled, some, known = pixels.copy(), pixels[hidden], known[hidden]
    left, right = some[:, _SHOULDERS[0]], some[:, _SHOULDERS[1]]
    middle = np.where(known[:, _THORAX, None], some[:, _THORAX], (left + right) / 2)
    scale = pixels_per_metre(some, known)[:, None, None]
    half_width = (left - right)[:, None] / 2 * BODY["hip"] / BODY["shoulder"]
    below = middle[:, None] + _SIDES * half_width + scale * _DOWN
    placed = ~known & np.isfinite(below).all(axis=-1)
    filled[hidden] = np.where(placed[..., None], below, some)
    return filled


def _fill_at_centre(pixels: np.ndarray) -> np.ndarray:
    """Pixels with NaN joints placed at the centre of the body in their frame."""
    known = np.asarray(np.isfinite(pixels).all(axis=-1))
    torso = np.zeros_like(known)
    torso[..., TORSO] = known[..., TORSO]
    averaged = np.where(torso.any(axis=-1, keepdims=True), torso, known)[..., None]
    total = np.where(averaged, pixels, 0).sum(axis=-2, keepdims=True)
    centre = total / averaged.sum(axis=-2, keepdims=True)
    return np.where(known[..., None], pixels, centre).astype(pixels.dtype)

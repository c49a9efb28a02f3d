"""Filling the gaps of 2D joints, for a whole clip or frame by frame; leaving out joints of low confidence."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.errors import InputError
from spgnet.geometry.interpolate import fill_missing
from spgnet.geometry.skeleton import HUMAN36M

MIN_CONFIDENCE = 0.3
"""Confidence below which a joint counts as missing, unless told otherwise."""

TORSO = tuple(
    HUMAN36M.names.index(name)
    for name in ("pelvis", "right_hip", "left_hip", "spine", "thorax", "left_shoulder", "right_shoulder")
)


def drop_low_confidence(
    pixels: Float[np.ndarray, "*frames 17 2"],
    confidence: Float[np.ndarray, "*frames 17"],
    threshold: float = MIN_CONFIDENCE,
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """Joints whose confidence is below the threshold become missing: NaN in pixels and 0 in confidence."""
    low = ~(confidence >= threshold)  # NaN too
    return np.where(low[..., None], np.nan, pixels).astype(pixels.dtype), np.where(low, 0, confidence)


def fill_gaps(
    pixels: Float[np.ndarray, "frames 17 2"],
    confidence: Float[np.ndarray, "frames 17"],
    *,
    causal: bool,
    times: Float[np.ndarray, " frames"] | None = None,
) -> Float[np.ndarray, "frames 17 2"]:
    """Joints with a position in every frame; those that were seen stay as they are.

    Not causal: between two sightings a joint moves linearly in time, before the first and after the last it
    rests.
    Causal: it rests where it was last seen. A joint that was never seen (causal: not yet) is at the centre of
    the body in that frame: the mean of the torso's joints that are there by now, filled ones included, or of
    all joints if none of the torso is. Causal frames before anything was seen repeat the first frame after
    them, the one look ahead (:class:`CausalFiller` gives nothing there).

    Args:
        pixels: the joints of Human3.6M in the image; NaN where missing.
        confidence: 0 where missing. It stays 0 where a gap is filled, which is how one knows.
        causal: whether a frame may depend on earlier frames only.
        times: of the frames, increasing, in any unit; if None, frames are equally far apart.

    Raises:
        InputError: no joint was ever seen.
    """
    seen = _seen(pixels, confidence)
    if not seen.any():
        raise InputError("no joint was seen in any frame")
    if not causal:
        known = torch.from_numpy(np.where(seen[..., None], pixels, np.nan).astype(np.float64))
        at = None if times is None else torch.from_numpy(times)
        return _at_centre(fill_missing(known, torch.from_numpy(~seen), at).numpy().astype(pixels.dtype))
    held = _held(pixels, seen)
    held[: np.flatnonzero(seen.any(axis=1))[0]] = held[np.flatnonzero(seen.any(axis=1))[0]]
    return _at_centre(held)


class CausalFiller:
    """:func:`fill_gaps` with ``causal=True``, one frame at a time."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def push(
        self, pixels: Float[np.ndarray, "17 2"], confidence: Float[np.ndarray, " 17"]
    ) -> Float[np.ndarray, "17 2"] | None:
        """The next frame without gaps, or None as long as nothing was ever seen."""
        seen = _seen(pixels, confidence)
        last = np.full_like(pixels, np.nan) if self._last is None else self._last
        self._last = np.where(seen[:, None], pixels, last)
        return None if np.isnan(self._last).all() else _at_centre(self._last)


def _seen(pixels: np.ndarray, confidence: np.ndarray) -> Bool[np.ndarray, "*frames 17"]:
    return (confidence > 0) & np.isfinite(pixels).all(axis=-1)


def _held(pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Every joint where it was last seen, NaN before."""
    frames = np.arange(len(pixels))[:, None]
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    held = pixels[last, np.arange(pixels.shape[1])]
    return np.where((last >= 0)[..., None], held, np.nan).astype(pixels.dtype)


def _at_centre(pixels: np.ndarray) -> np.ndarray:
    """NaN joints put at the centre of their frame's body."""
    there = np.asarray(np.isfinite(pixels).all(axis=-1))
    torso = np.zeros_like(there)
    torso[..., TORSO] = there[..., TORSO]
    counted = np.where(torso.any(axis=-1, keepdims=True), torso, there)[..., None]
    total = np.where(counted, pixels, 0).sum(axis=-2, keepdims=True)
    centre = total / counted.sum(axis=-2, keepdims=True)
    return np.where(there[..., None], pixels, centre).astype(pixels.dtype)

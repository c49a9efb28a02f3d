"""Filters against the jitter of detectors: one for whole clips, without delay, and one for live use."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError

SMOOTHING = 0.02
"""Standard deviation of the Gaussian in seconds: half power at 6.6 Hz, at 25 fps at 7.8 Hz."""


def half_power(seconds: float) -> float:
    """Frequency in Hz at which a Gaussian of that standard deviation passes half the power (-3 dB)."""
    return math.sqrt(math.log(2)) / (2 * math.pi * seconds)


def smooth(
    pixels: Float[np.ndarray, "frames *joints 2"], fps: float, *, seconds: float = SMOOTHING
) -> Float[np.ndarray, "frames *joints 2"]:
    """A zero-phase Gaussian low-pass along time.

    Human movement has its power below some 6 Hz, where biomechanics usually sets the cut-off; detector jitter
    is almost white. A Gaussian has no overshoot at a foot strike, unlike the Butterworth filter that is
    common there, nothing to start up, and a short reach. Constant positions and constant velocities pass
    unchanged, and so do the first and the last frame: beyond the ends the signal goes on mirrored in its end
    point.

    Args:
        pixels: finite, at a constant rate.
        fps: frames per second.
        seconds: standard deviation of the Gaussian; 0 turns the filter off.

    Raises:
        InputError: ``seconds`` is negative or ``fps`` not positive.
    """
    if seconds < 0 or fps <= 0:
        raise InputError(f"smoothing over {seconds} s at {fps} fps: expected seconds >= 0 and fps > 0")
    if len(pixels) < 2 or seconds == 0:
        return pixels.copy()
    kernel = _discrete_gaussian(seconds * fps)
    reach = len(kernel) // 2
    ends = [(reach, reach)] + [(0, 0)] * (pixels.ndim - 1)
    padded = np.pad(pixels.astype(np.float64), ends, mode="reflect", reflect_type="odd")
    total = sum(weight * padded[start : start + len(pixels)] for start, weight in enumerate(kernel))
    return np.asarray(total).astype(pixels.dtype)


def _discrete_gaussian(deviation: float) -> np.ndarray:
    """The discrete Gaussian of that standard deviation in frames (Lindeberg 1990), to four deviations.

    Its variance is right however short it is, so that motion is damped alike at 25 and at 240 fps; a sampled
    Gaussian is too narrow below one frame.
    """
    reach = math.ceil(4 * deviation) + 2
    frequencies = 2 * np.pi * np.fft.rfftfreq(4 * reach)
    kernel = np.fft.irfft(np.exp(deviation**2 * (np.cos(frequencies) - 1)), 4 * reach)
    kernel = kernel[np.abs(np.arange(-reach, reach + 1))]
    return kernel / kernel.sum()


class OneEuroFilter:
    """The 1 € filter (Casiez, Roussel and Vogel, CHI 2012): a causal low-pass that opens with speed.

    A resting joint is smoothed much, a fast one little, so that it does not lag. The cut-off is
    ``min_cutoff + beta * speed``; a joint's speed is that of both coordinates together, in image lengths per
    second, so that the settings do not depend on the resolution.

    Args:
        length: the image's longer side in pixels.
        min_cutoff: cut-off of a resting joint in Hz; lower means less jitter and more lag.
        beta: how much the cut-off grows with the speed, in Hz per image length a second.
        speed_cutoff: cut-off in Hz of the low-pass on the speed itself.

    Raises:
        InputError: a setting is out of its range.
    """

    def __init__(
        self, length: float, *, min_cutoff: float = 2.0, beta: float = 10.0, speed_cutoff: float = 1.0
    ) -> None:
        if min(length, min_cutoff, speed_cutoff) <= 0 or beta < 0:
            raise InputError(
                f"1 € filter: expected length, min_cutoff, speed_cutoff > 0 and beta >= 0, got {length}, "
                f"{min_cutoff}, {speed_cutoff} and {beta}"
            )
        self._length = length
        self._min_cutoff = min_cutoff
        self._beta = beta
        self._speed_cutoff = speed_cutoff
        self._time = -math.inf
        self._pixels = np.zeros(0)
        self._velocity = np.zeros(0)

    def push(self, pixels: Float[np.ndarray, "*joints 2"], time: float) -> Float[np.ndarray, "*joints 2"]:
        """The next frame, filtered; the first frame comes back as it is.

        Args:
            pixels: finite.
            time: of the frame, in seconds, later than the one before.

        Raises:
            InputError: time does not increase.
        """
        if not time > self._time:
            raise InputError(f"time does not increase: {time} s after {self._time} s")
        step, self._time = time - self._time, time
        if math.isinf(step):
            self._pixels, self._velocity = pixels.astype(np.float64), np.zeros(pixels.shape)
            return pixels.copy()
        velocity = (pixels - self._pixels) / (step * self._length)
        self._velocity = self._velocity + _share(self._speed_cutoff, step) * (velocity - self._velocity)
        speed = np.linalg.norm(self._velocity, axis=-1, keepdims=True)
        share = _share(self._min_cutoff + self._beta * speed, step)
        self._pixels = self._pixels + share * (pixels - self._pixels)
        return self._pixels.astype(pixels.dtype)


def _share(cutoff: float | np.ndarray, step: float) -> float | np.ndarray:
    """Weight of the newest sample in an exponential low-pass."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))

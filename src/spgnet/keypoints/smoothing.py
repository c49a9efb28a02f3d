"""Filters against detector jitter: a zero-phase one for whole clips and a causal one for live use."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError

SMOOTHING = 0.02
"""Standard deviation of the Gaussian in seconds: half power at 6.6 Hz, at 25 fps at 7.8 Hz."""


def half_power(seconds: float) -> float:
    """Frequency in Hz at which a Gaussian with this standard deviation in seconds passes half the power."""
    return math.sqrt(math.log(2)) / (2 * math.pi * seconds)


LONGEST_SMOOTHING = 60.0
"""The largest standard deviation of the filter, in seconds; a longer one leaves nothing of a motion, and the
filter's length is in proportion to it."""


def check_smoothing(seconds: float) -> None:
    """Validate the standard deviation of the filter.

    Raises:
        InputError: it is not from 0 to :data:`LONGEST_SMOOTHING` seconds.
    """
    if not 0 <= seconds <= LONGEST_SMOOTHING:
        raise InputError(f"smoothing must be from 0 to {LONGEST_SMOOTHING:g} s, got {seconds:g}")


def smooth(
    pixels: Float[np.ndarray, "frames *joints 2"], fps: float, *, seconds: float = SMOOTHING
) -> Float[np.ndarray, "frames *joints 2"]:
    """A zero-phase Gaussian low-pass along time.

    Human movement has its power below some 6 Hz, where biomechanics usually sets the cut-off; detector jitter
    is almost white. Unlike the usual Butterworth filter, a Gaussian does not overshoot at a foot strike, has
    no start-up transient, and has a short support. Constant positions and constant velocities are unchanged,
    and so are the first and the last frame, as the signal is extended by point reflection at its ends.

    Args:
        pixels: finite positions at a constant frame rate.
        fps: frames per second.
        seconds: standard deviation of the Gaussian; 0 turns the filter off.

    Raises:
        InputError: ``seconds`` is not from 0 to :data:`LONGEST_SMOOTHING`, or ``fps`` not positive.
    """
    check_smoothing(seconds)
    if not fps > 0:
        raise InputError(f"smoothing at {fps} fps: expected fps > 0")
    if len(pixels) < 2 or seconds == 0:
        return pixels.copy()
    kernel = _discrete_gaussian(seconds * fps)
    reach = len(kernel) // 2
    ends = [(reach, reach)] + [(0, 0)] * (pixels.ndim - 1)
    padded = np.pad(pixels.astype(np.float64), ends, mode="reflect", reflect_type="odd")
    total = sum(weight * padded[start : start + len(pixels)] for start, weight in enumerate(kernel))
    return np.asarray(total).astype(pixels.dtype)


def _discrete_gaussian(deviation: float) -> np.ndarray:
    """The discrete Gaussian (Lindeberg 1990) of a standard deviation in frames, cut off at four of them.

    Its variance is exact for any width, so that motion is smoothed equally at 25 and at 240 fps; a sampled
    Gaussian of less than one frame would be too narrow.
    """
    reach = math.ceil(4 * deviation) + 2
    frequencies = 2 * np.pi * np.fft.rfftfreq(4 * reach)
    kernel = np.fft.irfft(np.exp(deviation**2 * (np.cos(frequencies) - 1)), 4 * reach)
    kernel = kernel[np.abs(np.arange(-reach, reach + 1))]
    return kernel / kernel.sum()


class OneEuroFilter:
    """The 1 € filter (Casiez, Roussel and Vogel, CHI 2012): a causal low-pass that opens with speed.

    A slow joint is smoothed strongly, a fast one weakly so that it does not lag. The cut-off is
    ``min_cutoff + beta * speed``, where speed is the norm of the joint's 2D velocity in image lengths per
    second, so that the settings do not depend on the resolution.

    Args:
        length: the image's longer side in pixels.
        min_cutoff: cut-off of a joint at rest in Hz; lower means less jitter and more lag.
        beta: how much the cut-off grows with the speed, in Hz per image length a second.
        speed_cutoff: cut-off in Hz of the low-pass on the speed itself.

    Raises:
        InputError: a setting is out of range.
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
        """Filter the next frame; the first one is returned unchanged.

        Args:
            pixels: finite positions.
            time: of the frame in seconds, later than that of the previous frame.

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

"""A simulated 2D pose detector: exact projections with the errors of real detections.

The defaults were fitted to real detections by ``scripts/fit_noise.py``; ``docs/noise.md`` shows the fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.interpolate import fill_missing
from spgnet.geometry.skeleton import HUMAN36M, take_joints

_JOINT_TYPES = HUMAN36M.joint_types
_ARM, _LEG = ("wrist", "elbow", "shoulder"), ("ankle", "knee", "hip")
_LIMB_JOINTS = tuple(j for j, kind in enumerate(_JOINT_TYPES) if kind in _ARM + _LEG)
_MEASURED_AS = {
    "pelvis": "hip",
    "spine": "hip",
    "thorax": "shoulder",
    "nose": "shoulder",
    "head_top": "shoulder",
}


def per_joint(
    *, hip: float, knee: float, ankle: float, shoulder: float, elbow: float, wrist: float
) -> tuple[float, ...]:
    """One value for each of the 17 joints from those of the limbs.

    Pelvis and spine take the value of the hips; thorax, nose and head_top that of the shoulders.
    """
    limbs = {"hip": hip, "knee": knee, "ankle": ankle, "shoulder": shoulder, "elbow": elbow, "wrist": wrist}
    return tuple(limbs[_MEASURED_AS.get(kind, kind)] for kind in _JOINT_TYPES)


@dataclass(frozen=True)
class DetectorNoise:
    """The distribution of a 2D pose detector's errors.

    Sizes are in units of :func:`person_size` and, but for that of outliers, standard deviations per image
    axis; times are in seconds. Defaults are fitted to real detections, those of the swaps assumed.

    Args:
        jitter: fast error of each of the 17 joints.
        jitter_seconds: time in which the jitter's autocorrelation falls to 1 / e (0: white noise).
        drift: slow error of each of the 17 joints; smooth in time.
        drift_seconds: the drift's time constant s; its autocorrelation is (1 + t / s) exp(-t / s).
        bias: error of each joint that stays the same throughout a sequence.
        outlier_fraction: share of a joint's frames in which it is far off.
        outlier_seconds: mean length of such a burst, in which the displacement is constant.
        outlier_size: how far it is off then, in a random direction.
        swap_fraction: share of frames in which left and right legs are exchanged, and likewise the arms. A
            burst exchanges the ends alone, or the ends and middles, or the whole limbs, equally often.
        swap_seconds: mean length of such a burst.
        dropout_fraction: share of a joint's frames in which it is missing and interpolated in time.
        dropout_seconds: mean length of such a burst.

    Raises:
        InputError: a fraction outside [0, 1], another value negative or not finite, or not 17 joints.
    """

    jitter: tuple[float, ...] = per_joint(
        hip=0.0042, knee=0.0038, ankle=0.0047, shoulder=0.0044, elbow=0.0042, wrist=0.0060
    )
    jitter_seconds: float = 0.036
    drift: tuple[float, ...] = per_joint(
        hip=0.0128, knee=0.0114, ankle=0.0085, shoulder=0.0074, elbow=0.0125, wrist=0.0086
    )
    drift_seconds: float = 0.14
    bias: float = 0.0059
    outlier_fraction: float = 0.022
    outlier_seconds: float = 0.021
    outlier_size: float = 0.019
    swap_fraction: float = 0.002
    swap_seconds: float = 0.1
    dropout_fraction: float = 0.0028
    dropout_seconds: float = 0.030

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            values = value if isinstance(value, tuple) else (value,)
            if isinstance(value, tuple) and len(value) != len(HUMAN36M):
                raise InputError(f"{field.name} must hold 17 values, one per joint, got {len(value)}")
            highest = 1.0 if field.name.endswith("_fraction") else math.inf
            if not all(0 <= number <= highest and math.isfinite(number) for number in values):
                wanted = "in [0, 1]" if highest == 1 else "finite and not negative"
                raise InputError(f"{field.name} must be {wanted}, got {value}")


NOISE_FITS = {
    1: DetectorNoise(
        jitter=per_joint(hip=0.0041, knee=0.0035, ankle=0.0046, shoulder=0.0044, elbow=0.0043, wrist=0.0058),
        jitter_seconds=0.030,
        drift=per_joint(hip=0.015, knee=0.015, ankle=0.010, shoulder=0.0097, elbow=0.014, wrist=0.012),
        drift_seconds=0.15,
        bias=0.0068,
        outlier_fraction=0.021,
        outlier_seconds=0.020,
        outlier_size=0.018,
    ),
    2: DetectorNoise(),
}
"""The fits by their number. The first was made when the cameras of the two videos were less well placed; the
open benchmark's noisy input and the weights of the first generation are of it."""
OPEN_BENCHMARK_NOISE = NOISE_FITS[1]
"""The errors of the input "noisy"."""


def person_size(points: Float[Tensor, "*batch 17 2"]) -> Float[Tensor, "*batch"]:
    """How large a person is in the image, in pixels: the unit of a detector's error.

    The longer side of the upright box around the twelve limb joints (hips to ankles, shoulders to wrists).
    """
    return box_size(take_joints(points, _LIMB_JOINTS))


def box_size(points: Float[Tensor, "*batch joints 2"]) -> Float[Tensor, "*batch"]:
    """The longer side of the upright box around points, in their units."""
    return (points.amax(dim=-2) - points.amin(dim=-2)).amax(dim=-1)


def simulate_detections(
    points: Float[Tensor, "*batch frames 17 2"],
    noise: DetectorNoise,
    *,
    fps: float,
    generator: torch.Generator,
    scale: Float[Tensor, "*batch #frames #17"] | None = None,
) -> Float[Tensor, "*batch frames 17 2"]:
    """Simulate a detector's 2D joints from the exact image points of sequences.

    Args:
        points: pixels of the 17 Human3.6M joints. Leading dimensions hold independent sequences.
        noise: the distribution of the detector's errors.
        fps: frames per second.
        generator: source of all randomness, on the device of the points.
        scale: factor of the size of errors, but for exchanges of left and right.

    Raises:
        InputError: the frame rate is not positive.
    """
    if not fps > 0:
        raise InputError(f"fps must be positive, got {fps}")
    shape = points.shape[:-1]
    swapped = _swapped_joints(shape, noise, fps, generator)
    detected, changed = points.clone(), swapped.any(dim=-1)  # few frames
    exchanged = points[changed][..., HUMAN36M.mirror, :]
    detected[changed] = torch.where(swapped[changed].unsqueeze(-1), exchanged, points[changed])
    error = _jitter_drift_and_bias(shape, noise, fps, generator) + _outliers(shape, noise, fps, generator)
    size = person_size(points)[..., None] if scale is None else person_size(points)[..., None] * scale
    scaled = torch.view_as_complex(error.to(points.dtype)) * size  # as complex numbers: several times as fast
    detected = detected + torch.view_as_real(scaled)
    missing, _ = draw_bursts(shape, noise.dropout_fraction, noise.dropout_seconds * fps, generator)
    return fill_missing(detected, missing) if noise.dropout_fraction else detected


FOOT_JITTER, FOOT_DRIFT, FOOT_OFFSET = 1.3, 1.4, 0.012
"""Jitter and drift of a detector's heels and toes by those of its ankles (docs/noise.md); and the standard
deviation of where in a foot it puts them, in metres, which is assumed."""


def simulate_foot_detections(
    points: Float[Tensor, "frames 6 2"],
    size: Float[Tensor, " frames"],
    noise: DetectorNoise,
    *,
    fps: float,
    generator: torch.Generator,
    scale: float = 1.0,
) -> Float[Tensor, "frames 6 2"]:
    """Simulate a detector's heels and toes from their exact image points.

    Args:
        points: pixels of the right foot's three points and the left foot's.
        size: how large the person is in the image (:func:`person_size`), in pixels.
        noise: the distribution of errors of the 17 joints; feet have those of the ankles, larger.
        fps: frames per second.
        generator: source of all randomness.
        scale: factor of the size of errors.
    """
    ankle = HUMAN36M.names.index("right_ankle")
    feet = replace(
        noise,
        jitter=(FOOT_JITTER * noise.jitter[ankle],) * len(HUMAN36M),
        drift=(FOOT_DRIFT * noise.drift[ankle],) * len(HUMAN36M),
    )
    exchanged, _ = draw_bursts((len(points), 1), noise.swap_fraction, noise.swap_seconds * fps, generator)
    points = torch.where(exchanged[..., None], points.roll(3, dims=1), points)
    shape = (len(points), len(HUMAN36M))
    error = _jitter_drift_and_bias(shape, feet, fps, generator) + _outliers(shape, feet, fps, generator)
    return points + scale * size[:, None, None] * error[:, : points.shape[1]]


def _jitter_drift_and_bias(
    shape: Sequence[int], noise: DetectorNoise, fps: float, generator: torch.Generator
) -> Tensor:
    """Jitter, drift and bias, in units of the person's size; shape [*batch, frames, 17, 2]."""
    device = generator.device
    *batch, _, joints = shape
    jitter = _correlated((*shape, 2), noise.jitter_seconds * fps, 1, generator)
    drift = _correlated((*shape, 2), noise.drift_seconds * fps, 2, generator)
    bias = torch.randn((*batch, 1, joints, 2), generator=generator, device=device)
    sizes = [torch.tensor(each, device=device).repeat_interleave(2) for each in (noise.jitter, noise.drift)]
    moving = jitter.flatten(-2) * sizes[0] + drift.flatten(-2) * sizes[1]
    return (moving + bias.flatten(-2) * noise.bias).unflatten(-1, (joints, 2))


def _correlated(shape: Sequence[int], time: float, order: int, generator: torch.Generator) -> Tensor:
    """Stationary Gaussian noise of unit variance, correlated along frames (the third dimension from the end).

    White noise passes ``order`` times through a first-order low-pass filter with a time constant in frames:
    once makes an AR(1) process, twice a smoother one. The first frame is drawn from the equilibrium, in
    which the filter's input has a variance of 1 / gain and what it adds up correlates with that.
    """
    device = generator.device
    decay = math.exp(-1 / time) if time else 0.0
    gain = 1 - decay**2
    noise = torch.randn(tuple(shape), generator=generator, device=device)
    noise[..., 0, :, :] /= math.sqrt(gain)
    noise = _low_pass(noise, decay)
    if order == 1:
        return noise * math.sqrt(gain)
    start = torch.randn(noise[..., 0, :, :].shape, generator=generator, device=device)
    noise[..., 0, :, :] = noise[..., 0, :, :] / gain + start * decay / gain**1.5
    return _low_pass(noise, decay) * math.sqrt(gain**3 / (1 + decay**2))


def _low_pass(signal: Tensor, decay: float) -> Tensor:
    """y[t] = x[t] + decay * y[t - 1] along frames.

    For few frames by a matrix of the powers of ``decay``; for many by doubling the reach of the sum in every
    round.
    """
    frames = signal.shape[-3]
    if frames <= 128:
        time = torch.arange(frames, device=signal.device)
        powers = decay ** (time[:, None] - time).clamp_min(0).to(signal.dtype)
        return (powers.tril() @ signal.flatten(-2)).view(signal.shape)
    reach = 1
    while reach < signal.shape[-3] and decay**reach > 1e-8:
        later = signal[..., reach:, :, :] + decay**reach * signal[..., :-reach, :, :]
        signal = torch.cat((signal[..., :reach, :, :], later), dim=-3)
        reach *= 2
    return signal


def draw_bursts(
    shape: Sequence[int], fraction: float, mean_frames: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A two-state Markov chain along frames (the second dimension from the end), in its equilibrium.

    At random frames the state is drawn anew: on with probability ``fraction``, whatever it was.

    Returns:
        Where the state is on, and for each frame the one at which its state was drawn.
    """
    device = generator.device
    redraw_every = max(mean_frames * (1 - fraction), 1.0)
    redraw = torch.rand(shape, generator=generator, device=device) < 1 / redraw_every
    frame = torch.arange(shape[-2], device=device).unsqueeze(-1)
    drawn = torch.where(redraw, frame, 0).cummax(dim=-2).values
    state = torch.rand(shape, generator=generator, device=device) < fraction
    return state.gather(-2, drawn), drawn


def _outliers(shape: Sequence[int], noise: DetectorNoise, fps: float, generator: torch.Generator) -> Tensor:
    """Displacement by outliers, in units of the person's size; shape [*batch, frames, 17, 2]."""
    active, drawn = draw_bursts(shape, noise.outlier_fraction, noise.outlier_seconds * fps, generator)
    turn = torch.rand(shape, generator=generator, device=generator.device)
    return displacement(active, at_drawn(turn, active, drawn), noise.outlier_size)


def at_drawn(
    values: Shaped[Tensor, "*batch frames joints"],
    active: Bool[Tensor, "*batch frames joints"],
    drawn: Int[Tensor, "*batch frames joints"],
) -> Shaped[Tensor, " active"]:
    """The values of active points at the frames at which their bursts began (:func:`draw_bursts`)."""
    *batch, _, joints = active.nonzero(as_tuple=True)
    return values[(*batch, drawn[active], joints)]


def displacement(
    active: Bool[Tensor, "*points"], turn: Float[Tensor, " active"], size: Float[Tensor, " active"] | float
) -> Float[Tensor, "*points 2"]:
    """Displacements of the active points by sizes in directions, in whole turns; the others' are 0."""
    away = torch.zeros(*active.shape, 2, device=active.device)
    angle = 2 * math.pi * turn
    away[active] = torch.stack((angle.cos() * size, angle.sin() * size), dim=-1)
    return away


def _swapped_joints(
    shape: Sequence[int], noise: DetectorNoise, fps: float, generator: torch.Generator
) -> Tensor:
    """Which joints are exchanged with their twins on the other side."""
    device = generator.device
    limbs = (*shape[:-1], 2)
    active, drawn = draw_bursts(limbs, noise.swap_fraction, noise.swap_seconds * fps, generator)
    reach = torch.randint(3, limbs, generator=generator, device=device).gather(-2, drawn)
    limb = [int(kind in _ARM) for kind in _JOINT_TYPES]
    level = [(_ARM + _LEG).index(kind) % 3 if kind in _ARM + _LEG else 3 for kind in _JOINT_TYPES]
    return active[..., limb] & (reach[..., limb] >= torch.tensor(level, device=device))

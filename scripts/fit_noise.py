"""Fit ``DetectorNoise`` to real detections, and compare what it simulates with them.

Usage: ``python scripts/fit_noise.py REAL_DIR``, where REAL_DIR holds ``opencap_squat.npz``,
``opencap_walk.npz`` (RTMPose detections with marker truth) and ``pose2sim_demo.npz`` (OpenPose detections of
four cameras with the joints triangulated from them). Prints Markdown tables; ``docs/noise.md`` explains them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spgnet.geometry.camera import Camera
from spgnet.geometry.interpolate import interpolate_at
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.synthetic.detector_noise import DetectorNoise, box_size, per_joint, simulate_detections

Array = NDArray[np.float64]
JOINT_TYPES = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
JOINTS = tuple(f"{side}_{kind}" for side in ("right", "left") for kind in JOINT_TYPES)  # twins are 6 apart
COCO = {"left": (11, 13, 15, 5, 7, 9), "right": (12, 14, 16, 6, 8, 10)}  # also in Halpe-26 and BODY_25B
DETECTED = COCO["right"] + COCO["left"]
HIPS = [JOINT_TYPES.index("hip"), JOINT_TYPES.index("hip") + 6]  # right and left
FLEXIONS = ((0.0, 0.1), (0.1, 0.5), (0.5, 1.0), (1.0, 2.0))  # 1 - cos of the angle between thigh and trunk
SEEN = 0.3  # confidence below which a joint counts as missing
LONGEST_LAG = 1 / 3  # seconds
SEEDS = 20


@dataclass(frozen=True)
class Recording:
    """Detections of the twelve limb joints [frames, 12, 2] and their truth, in pixels; the person's size.

    ``flexion`` is 1 - cos of the angle between thigh and trunk, of the right and the left hip [frames, 2], if
    that is known.
    """

    name: str
    fps: float
    detected: Array
    confidence: Array
    truth: Array
    flexion: Array = field(default_factory=lambda: np.zeros((0, 2)))

    @property
    def size(self) -> Array:
        """The person's size in pixels [frames, 1, 1]."""
        return box_size(torch.from_numpy(self.truth)).numpy()[:, None, None]

    @property
    def residual(self) -> Array:
        """Detected minus true in units of the person's size; NaN where the joint is missing."""
        missing = self.confidence[..., None] < SEEN
        return np.where(missing, np.nan, (self.detected - self.truth) / self.size)


def load_opencap(path: Path) -> Recording:
    """A phone video with marker truth, which is interpolated to the times of the video's frames."""
    data = np.load(path)
    names = [name.replace("r_", "right_").replace("l_", "left_") for name in data["truth_joints"]]
    truth = data["truth"][:, [names.index(joint) for joint in JOINTS]].astype(float)
    rows = (data["timestamps"] + data["truth_lag"]) * data["truth_fps"]
    world = interpolate_at(truth, np.arange(len(truth)), rows)
    rotation, shift = data["world_to_camera_rotation"], data["world_to_camera_translation"]
    camera = _camera(data["camera_matrix"], data["distortion"], rotation, shift)
    truth = camera.world_to_image(torch.from_numpy(world)).numpy()
    points = data["keypoints"][:, DETECTED].astype(float)
    fps = 1 / np.median(np.diff(data["timestamps"]))
    return Recording(path.stem, fps, points[..., :2], points[..., 2], truth, flexion(world))


def flexion(joints: Array) -> Array:
    """1 - cos of the angle between thigh and trunk, of the right and the left hip [frames, 2]."""
    kinds = [JOINT_TYPES.index(kind) for kind in ("hip", "knee", "shoulder")]
    hips, knees, shoulders = (joints[:, [kind, kind + 6]] for kind in kinds)
    trunk = hips.mean(axis=1, keepdims=True) - shoulders.mean(axis=1, keepdims=True)
    straight = ((knees - hips) * trunk).sum(axis=-1)
    return 1 - straight / np.linalg.norm(knees - hips, axis=-1) / np.linalg.norm(trunk, axis=-1)


def load_pose2sim(path: Path) -> list[Recording]:
    """Four views; their truth is triangulated from these very detections, so residuals are too small."""
    data = np.load(path)
    recordings = []
    for view in range(len(data["K"])):
        camera = _camera(*(data[key][view] for key in ("K", "dist", "R", "t")))
        points = data["kp2d"][:, view, DETECTED].astype(float)
        truth = camera.world_to_image(torch.from_numpy(data["tri"][:, DETECTED].astype(float))).numpy()
        recordings.append(
            Recording(f"view {view + 1}", float(data["fps"]), points[..., :2], points[..., 2], truth)
        )
    return recordings


def _camera(matrix: Array, lens: Array, rotation: Array, shift: Array) -> Camera:
    radial = np.array([*lens[:2], *lens[4:], 0.0])[:3]  # OpenCV's order is k1, k2, p1, p2, k3
    center, position = matrix[:2, 2], -rotation.T @ shift
    values = (matrix[[0, 1], [0, 1]], center, radial, lens[2:4], rotation, position, 2 * center)
    return Camera(*map(torch.from_numpy, values), convention="opencv")


def spread(values: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Robust standard deviation of values around zero."""
    return 1.4826 * np.nanmedian(np.abs(values), axis=axis)


def by_kind(joints: Array) -> Array:
    """Mean over twins: the last axis shrinks from 12 joints to 6 kinds."""
    return (joints[..., :6] + joints[..., 6:]) / 2


def offset(recording: Recording) -> Array:
    """Constant part of the residual: the median of each joint [12, 2]."""
    return np.nanmedian(recording.residual, axis=0)


def variogram(recording: Recording) -> Array:
    """Half the robust variance of residuals that lie 1, 2, ... frames apart [lags, 6]."""
    residual = recording.residual
    lags = range(1, round(LONGEST_LAG * recording.fps) + 1)
    return by_kind(np.stack([spread(residual[k:] - residual[:-k], axis=(0, 2)) ** 2 / 2 for k in lags]))


def fit_variogram(recordings: list[Recording]) -> tuple[float, float, Array, Array]:
    """Jitter and drift that explain the mean variogram of recordings best in relative error.

    Returns:
        Time constants of jitter and drift in seconds, and the standard deviations [6] of both.
    """
    measured = np.mean([variogram(recording) for recording in recordings], axis=0)
    time = np.arange(1, len(measured) + 1) / recordings[0].fps
    best = (np.inf, 0.0, 0.0, np.zeros((2, 6)))
    for fast in np.geomspace(0.002, 0.3, 60):
        for slow in np.geomspace(max(fast, 0.05), 2, 60):
            shapes = np.stack((1 - np.exp(-time / fast), 1 - (1 + time / slow) * np.exp(-time / slow)))
            variances, cost = _nonnegative(shapes, measured)
            if cost < best[0]:
                best = (cost, fast, slow, variances)
    return best[1], best[2], *np.sqrt(best[3])


def _nonnegative(shapes: Array, measured: Array) -> tuple[Array, float]:
    """Weights >= 0 [2, 6] of two curves in a fit to six, and its squared relative error."""
    curves = shapes[:, :, None] / measured
    (aa, ab, bb), (a1, b1) = (curves[[0, 0, 1]] * curves[[0, 1, 1]]).sum(1), curves.sum(1)
    both = np.stack((bb * a1 - ab * b1, aa * b1 - ab * a1)) / (aa * bb - ab**2)
    alone = np.where(a1**2 / aa > b1**2 / bb, np.stack((a1 / aa, 0 * bb)), np.stack((0 * aa, b1 / bb)))
    weights = np.where((both >= 0).all(0), both, alone)
    return weights, float((((weights[:, None] * curves).sum(0) - 1) ** 2).sum())


def between_recordings(recordings: list[Recording], slow: float, drift: Array) -> float:
    """Spread of a joint's offset from recording to recording that the drift does not explain."""
    first, second = (offset(recording) for recording in recordings)
    explained = 0.0
    for recording in recordings:
        frames = len(recording.truth)
        time = np.arange(frames) / recording.fps
        weight = np.where(time == 0, 1, 2) * (1 - np.arange(frames) / frames) / frames  # of a mean's variance
        explained += (weight * (1 + time / slow) * np.exp(-time / slow)).sum() / 2 * np.mean(drift**2)
    return float(np.sqrt(max(spread((first - second) / np.sqrt(2)) ** 2 - explained, 0)))


def outliers(residual: Array, fps: float) -> tuple[NDArray[np.bool_], Array]:
    """Which residuals lie more than 5 robust sigmas from the running median of 1/4 s, and by how much."""
    half = round(fps / 8)
    padded = np.pad(residual, ((half, half), (0, 0), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    excess = residual - np.nanmedian(windows, axis=-1)
    return np.any(np.abs(excess) > 5 * spread(excess, axis=(0, 2))[:, None], axis=-1), excess


def swaps(recording: Recording) -> NDArray[np.bool_]:
    """Pairs of twins that fit the truth much better when exchanged [frames, 6]."""
    twins = np.roll(np.arange(12), 6)
    error = np.linalg.norm(recording.residual - offset(recording), axis=-1)
    exchanged = (recording.detected[:, twins] - recording.truth) / recording.size - offset(recording)
    return by_kind(np.linalg.norm(exchanged, axis=-1)) < 0.5 * by_kind(error)


@dataclass(frozen=True)
class Fit:
    """What was measured, and in which recordings: two with truth and four views without."""

    noise: DetectorNoise
    opencap: list[Recording]
    views: list[Recording]
    events: dict[str, tuple[int, int, int]]  # frames concerned, bursts, frames looked at


def fit(folder: Path) -> Fit:
    """Measure everything; swaps, of which there are none, keep the defaults."""
    opencap = [load_opencap(folder / f"opencap_{name}.npz") for name in ("squat", "walk")]
    views = load_pose2sim(folder / "pose2sim_demo.npz")
    fps = opencap[0].fps
    fast, slow, jitter, drift = fit_variogram(opencap)
    found = [outliers(r.residual, r.fps) for r in opencap]
    events = {
        "outliers": _count([far for far, _ in found]),
        "swaps": _count([swaps(r) for r in opencap + views]),
        "dropouts": _count([r.confidence < SEEN for r in opencap + views]),
    }
    displaced = np.concatenate([excess[far] for far, excess in found])
    noise = DetectorNoise(
        jitter=per_joint(**dict(zip(JOINT_TYPES, jitter.tolist(), strict=True))),
        jitter_seconds=fast,
        drift=per_joint(**dict(zip(JOINT_TYPES, drift.tolist(), strict=True))),
        drift_seconds=slow,
        bias=between_recordings(opencap, slow, drift),
        outlier_fraction=events["outliers"][0] / events["outliers"][2],
        outlier_seconds=events["outliers"][0] / events["outliers"][1] / fps,
        outlier_size=float(np.median(np.linalg.norm(displaced, axis=-1))),
        dropout_fraction=events["dropouts"][0] / events["dropouts"][2],
        dropout_seconds=events["dropouts"][0] / events["dropouts"][1] / fps,
    )
    return Fit(noise, opencap, views, events)


def _count(flags: list[NDArray[np.bool_]]) -> tuple[int, int, int]:
    starts = sum(int(f[0].sum() + (f[1:] & ~f[:-1]).sum()) for f in flags)
    return sum(int(f.sum()) for f in flags), starts, sum(f.size for f in flags)


def simulated(recording: Recording, noise: DetectorNoise) -> Iterator[Recording]:
    """The recording with simulated detections in place of the real ones, for several seeds."""
    limbs = [HUMAN36M.names.index(joint) for joint in JOINTS]
    points = torch.from_numpy(recording.truth).mean(dim=1, keepdim=True).repeat(1, len(HUMAN36M), 1)
    points[:, limbs] = torch.from_numpy(recording.truth)
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        seen = simulate_detections(points, noise, fps=recording.fps, generator=generator)[:, limbs].numpy()
        yield Recording(recording.name, recording.fps, seen, np.ones(seen.shape[:2]), recording.truth)


def measures(recordings: list[Recording]) -> list[float]:
    """Error in pixels: median; median, 90th and 99th percentile without offset; acceleration likewise."""
    raw, centred, acceleration = [], [], []
    for each in recordings:
        raw.append(np.linalg.norm(each.detected - each.truth, axis=-1))
        centred.append(np.linalg.norm((each.residual - offset(each)) * each.size, axis=-1))
        acceleration.append(np.linalg.norm(np.diff(each.detected, n=2, axis=0), axis=-1))
    quantiles = [np.quantile(values, [0.5, 0.9, 0.99]).tolist() for values in (centred, acceleration)]
    far = np.mean([outliers(each.residual, each.fps)[0].mean() for each in recordings])
    return [float(np.median(raw)), *quantiles[0], *quantiles[1], 100 * float(far)]


def table(header: list[str], rows: list[list[str]]) -> None:
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")
    print()


def report_joints(found: Fit) -> None:
    """Per kind of joint, in thousandths of the person's size: what is simulated, and what is not."""
    offsets = [1000 * offset(recording) for recording in found.opencap]
    total = [1000 * np.sqrt(by_kind(spread(r.residual - offset(r), axis=(0, 2)) ** 2)) for r in found.opencap]
    rows = []
    for k, kind in enumerate(JOINT_TYPES):
        joint = HUMAN36M.names.index(f"left_{kind}")
        fitted = [1000 * found.noise.jitter[joint], 1000 * found.noise.drift[joint]]
        sides = [", ".join(f"({x:+.0f} {y:+.0f})" for x, y in (o[k], o[k + 6])) for o in offsets]
        rows.append([kind, *(f"{value:.1f}" for value in (*fitted, total[0][k], total[1][k])), *sides])
    offset_header = ["offset (x y) of right, left: squat", "walk"]
    table(["joint", "jitter", "drift", "spread, squat", "spread, walk", *offset_header], rows)


def report_hips(found: Fit) -> None:
    """How far each hip is from the middle of both along the line of the true hips, by its flexion.

    Relative to the truth. What displaces both hips alike, in the median of the video, is taken away.
    """
    rows = []
    for recording in found.opencap:
        true, seen = (each[:, HIPS] for each in (recording.truth, recording.detected))
        common = np.median((seen - true).mean(axis=1, keepdims=True), axis=0)
        middle = true.mean(axis=1, keepdims=True)
        across, away = true - middle, seen - common - middle
        ratio = (across * away).sum(axis=-1) / (across**2).sum(axis=-1)
        for low, high in FLEXIONS:
            inside = (recording.flexion >= low) & (recording.flexion < high)
            if inside.any(axis=0).all():
                medians = [f"{np.median(ratio[inside[:, side], side]):.2f}" for side in (0, 1)]
                rows.append([recording.name, f"{low:g} to {high:g}", str(int(inside[:, 0].sum())), *medians])
    table(["hips, detected by true distance", "flexion", "frames", "right", "left"], rows)


def report_sources(found: Fit) -> None:
    """Jitter and drift, fitted to each source alone."""
    rows = []
    for name, each in (*((r.name, [r]) for r in found.opencap), ("pose2sim, OpenPose", found.views)):
        fast, slow, jitter, drift = fit_variogram(each)
        sizes = (f"{1000 * np.sqrt(np.mean(values**2)):.1f}" for values in (jitter, drift))
        rows.append([name, *sizes, f"{fast:.3f}", f"{slow:.2f}"])
    table(["fitted alone", "jitter", "drift", "jitter_seconds", "drift_seconds"], rows)


def report_scalars(found: Fit) -> None:
    """The other fitted parameters, and how many events stand behind them."""
    names = [f.name for f in fields(found.noise) if f.name not in ("jitter", "drift")]
    table(["parameter", "fit"], [[n, f"{getattr(found.noise, n):.2g}"] for n in names if "swap" not in n])
    rows = [[name, *map(str, counts)] for name, counts in found.events.items()]
    table(["event", "joint frames", "bursts", "of joint frames"], rows)


def report_comparison(found: Fit) -> None:
    rows = []
    for recording in found.opencap:
        for label, each in (
            ("real", [recording]),
            ("simulated", list(simulated(recording, DetectorNoise()))),
        ):
            rows.append([f"{recording.name}, {label}", *(f"{value:.1f}" for value in measures(each))])
    header = ["pixels", "error: median", "without offset: median", "90 %", "99 %"]
    table([*header, "acceleration: median", "90 %", "99 %", "outliers found, %"], rows)


def report_heads(folder: Path) -> None:
    """How far Halpe-26's neck and head are above the middle of the shoulders, in lengths of the trunk."""
    names, rows = KEYPOINT_NAMES["halpe26"], []
    for name in ("squat", "walk"):
        points = np.load(folder / f"opencap_{name}.npz")["keypoints"][..., :2].astype(float)
        at = dict(zip(names, np.moveaxis(points, 1, 0), strict=True))
        shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
        trunk = shoulders - (at["left_hip"] + at["right_hip"]) / 2
        squared = (trunk**2).sum(-1)
        heights = [((at[end] - shoulders) * trunk).sum(-1) / squared for end in ("neck", "head")]
        rows.append([f"opencap_{name}", *(f"{np.median(height):.2f}" for height in heights)])
    table(["above the shoulders, in trunks", "neck", "head"], rows)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    found = fit(Path(sys.argv[1]))
    report_joints(found)
    report_hips(found)
    report_sources(found)
    report_scalars(found)
    report_comparison(found)
    report_heads(Path(sys.argv[1]))


if __name__ == "__main__":
    main()

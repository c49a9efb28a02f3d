"""What refinement gains on simulated video of held-out motion, and whether its uncertainty is right.

Prints the error of the network's motion and of the refined one, how many errors are within one and two of the
stated standard deviations, how far the result depends on where and how the solution is looked for, and the
time that it takes:

    python benchmarks/refinement.py MOTION          # MOTION: the folder of the motion archives
    python benchmarks/refinement.py MOTION --fit    # the calibration of the uncertainty as well
    python benchmarks/refinement.py MOTION --real REAL    # the uncertainty on real_video.py's clips as well
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from real_video import OURS, SCORED, true_joints
from simulated_video import simulated_videos

from spgnet import metrics
from spgnet.evaluation import markdown_table
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import load_keypoints
from spgnet.lifting import Lifter, Motion, align_to_gravity, refine
from spgnet.lifting.body import Body
from spgnet.lifting.guidance import Deviations, Floor, State, solve
from spgnet.lifting.refinement import CALIBRATION, node_times, observations

KINDS = tuple(dict.fromkeys(HUMAN36M.joint_types))
STILL = 1e-9
"""Relative change of the cost at which a solution cannot get better."""


@dataclass(frozen=True)
class Options:
    """What to measure on."""

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    count: int = 60
    """Number of videos."""
    seed: int = 12
    """Seed of everything that is random; the terms were fitted with 1, 2 and 5, the calibration with 11."""
    real: Path | None = None
    """Folder of the clips of ``real_video.py``, to count errors within the uncertainty there, too."""
    fit: bool = False
    """Fit the calibration of the uncertainty to these videos, and print it."""


class Pair(NamedTuple):
    """A video's motion as the network gives it, refined, and as it is.

    Attributes:
        name: the archive.
        network: with arbitrary extrinsics.
        refined: likewise lifted.
        joints: the true joints in the camera frame, in metres.
        up: the true direction against gravity in the camera frame.
        seconds: processor time of lifting and of refining.
    """

    name: str
    network: Motion
    refined: Motion
    joints: np.ndarray
    up: np.ndarray
    seconds: tuple[float, float]


def main(options: Options) -> None:
    pairs = list(lifted(options))
    print(accuracy(pairs), coverage(pairs), convergence(pairs), cost(pairs), sep="\n\n")
    if options.real is not None:
        print("\n" + real_coverage(options.real, Lifter.from_pretrained(options.weights)))
    if options.fit:
        print("\n" + calibration(pairs))


def lifted(options: Options) -> Iterator[Pair]:
    """The videos, lifted and refined."""
    lifter = Lifter.from_pretrained(options.weights)
    for video in simulated_videos(options.motion, options.count, seed=options.seed):
        started = time.process_time()
        network = lifter.lift(video.keypoints, camera=replace(video.camera, extrinsics="arbitrary"))
        between = time.process_time()
        (refined,) = refine([network])
        seconds = between - started, time.process_time() - between
        up = video.camera.rotation[:, 2].double().numpy()
        yield Pair(video.name.split(".")[0], network, refined, video.joints, up, seconds)


def accuracy(pairs: Sequence[Pair]) -> str:
    """Error by archive, and how far up is off."""
    rows = []
    for name in [*dict.fromkeys(pair.name for pair in pairs), "all"]:
        chosen = [pair for pair in pairs if name in (pair.name, "all")]
        values = np.mean([errors(pair) for pair in chosen], axis=0)
        rows.append([name, str(len(chosen)), *(f"{value:.1f}" for value in values)])
    header = ["archive", "videos", "P-MPJPE, network [mm]", "refined", "MPJPE, network [mm]", "refined"]
    return markdown_table([*header, "up, network [degrees off]", "refined"], rows, text=(0,))


def errors(pair: Pair) -> list[float]:
    """P-MPJPE and MPJPE of the network's and of the refined motion, and the angles of up."""
    poses = [score(motion.joints, pair.joints) for motion in (pair.network, pair.refined)]
    ups = [angle(align_to_gravity(pair.network), pair.up), angle(pair.refined, pair.up)]
    return [pose[part] for part in (0, 1) for pose in poses] + ups


def score(joints: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """P-MPJPE and MPJPE in mm of the 12 joints of ``real_video.py``, relative to the middle of the hips."""
    mine, true = (torch.from_numpy(each[:, OURS].astype(np.float64)) for each in (joints, truth))
    hips = [OURS.index(HUMAN36M.names.index(f"{side}_hip")) for side in ("right", "left")]
    mine, true = (each - each[:, hips].mean(dim=1, keepdim=True) for each in (mine, true))
    distance = (mine - true).norm(dim=-1).mean().item()
    return metrics.p_mpjpe(mine, true).mean().item(), metrics.MILLIMETRES * distance


def angle(motion: Motion, up: np.ndarray) -> float:
    """Degrees between a motion's up and the true one."""
    own = motion.camera.rotation[:, 2].double().numpy()
    return math.degrees(math.acos(min(1.0, float(own @ up))))


def root_relative_errors(pair: Pair) -> np.ndarray:
    """Distance of each joint [frames, 17] from the true one, relative to the pelvis; of the pelvis itself."""
    off = pair.refined.joints - pair.joints
    off[:, 1:] -= off[:, :1]
    return np.linalg.norm(off, axis=-1)


def by_kind(pairs: Sequence[Pair], kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, uncertainties in metres, and whether the joint was seen, of all joints of a kind."""
    joints = [joint for joint, name in enumerate(HUMAN36M.joint_types) if name == kind]
    stacks = [
        np.concatenate([values(pair)[:, joints].ravel() for pair in pairs])
        for values in (
            root_relative_errors,
            lambda pair: pair.refined.uncertainty,
            lambda pair: pair.refined.confidence > 0,
        )
    ]
    return stacks[0], stacks[1], stacks[2]


def coverage(pairs: Sequence[Pair]) -> str:
    """Share of errors within one and two standard deviations, by kind of joint."""
    rows = []
    for kind in KINDS:
        error, deviation, seen = by_kind(pairs, kind)
        shares = [100 * (error < times * deviation).mean() for times in (1, 2)]
        hidden = 1000 * float(np.median(deviation[~seen])) if not seen.all() else None
        values = [
            1000 * float(np.median(each)) for each in (error, deviation[seen] if seen.any() else deviation)
        ]
        rows.append(
            [
                kind,
                *(f"{share:.0f}" for share in shares),
                *(f"{value:.0f}" for value in values),
                "–" if hidden is None else f"{hidden:.0f}",
            ]
        )
    header = ["joint", "within one [%]", "within two [%]", "median error [mm]"]
    return markdown_table([*header, "median uncertainty, seen [mm]", "not seen"], rows, text=(0,))


def real_coverage(folder: Path, lifter: Lifter) -> str:
    """Share of errors of the 12 scored joints, relative to the middle of the hips, within the uncertainty."""
    rows = []
    for path in sorted(folder.glob("opencap_*.npz")):
        (keypoints,) = load_keypoints(path)
        (motion,) = refine([lifter.lift(keypoints)])
        assert motion.uncertainty is not None
        with np.load(path, allow_pickle=False) as clip:
            truth = true_joints(clip)
        hips = [SCORED.index(f"{side}_hip") for side in ("right", "left")]
        mine = motion.joints[:, OURS].astype(np.float64)
        mine, truth = (each - each[:, hips].mean(axis=1, keepdims=True) for each in (mine, truth))
        ratio = np.linalg.norm(mine - truth, axis=-1) / motion.uncertainty[:, OURS]
        rows.append(
            [path.stem.removeprefix("opencap_"), *(f"{100 * (ratio < times).mean():.0f}" for times in (1, 2))]
        )
    return markdown_table(["real clip", "within one [%]", "within two [%]"], rows, text=(0,))


def convergence(pairs: Sequence[Pair]) -> str:
    """By how much P-MPJPE changes if the solution is looked for in another way."""
    ways = {
        "until the cost stands still": [solved(pair, tolerance=STILL) for pair in pairs],
        "from a start that is off by 10 degrees and 5 cm": [
            solved(pair, tolerance=STILL, perturbed=True) for pair in pairs
        ],
    }
    usual = np.array([solved(pair) for pair in pairs])
    changes = {name: np.array(values) - usual for name, values in ways.items()}
    refined = np.array([score(pair.refined.joints[::2], pair.joints[::2])[0] for pair in pairs])
    halved = [score(refine([every_other(pair.network)])[0].joints, pair.joints[::2])[0] for pair in pairs]
    changes["at half the frame rate"] = np.array(halved) - refined
    rows = [
        [name, f"{change.mean():+.2f}", f"{np.abs(change).max():.2f}"] for name, change in changes.items()
    ]
    return markdown_table(["solved", "change of P-MPJPE [mm], mean", "largest"], rows, text=(0,))


def solved(pair: Pair, *, tolerance: float = 1e-5, perturbed: bool = False) -> float:
    """P-MPJPE at the nodes, without a floor."""
    nodes = node_times(pair.network.timestamps)
    person = observations(pair.network, nodes, Deviations())
    start = perturb(person.network) if perturbed else person.network
    up = np.array([0.0, -1.0, 0.0])
    state = State((start,), np.zeros(1), Floor(up, -1.0))
    body = solve([person], state, Deviations(), tolerance=tolerance, iterations=60).state.bodies[0]
    frames = np.searchsorted(pair.network.timestamps, nodes - 1e-6).clip(0, len(pair.joints) - 1)
    return score(body.joints, pair.joints[frames])[0]


def perturb(body: Body) -> Body:
    """The same motion with each bone turned at random, and its root moved."""
    rng = np.random.default_rng(0)
    directions = body.directions + math.radians(10) / math.sqrt(2) * rng.normal(size=body.directions.shape)
    return Body(
        body.root + 0.05 * rng.normal(size=body.root.shape),
        directions / np.linalg.norm(directions, axis=-1, keepdims=True),
        body.log_lengths,
    )


def every_other(motion: Motion) -> Motion:
    """Every second frame."""
    names = ("joints", "confidence", "pixels", "timestamps", "rejected")
    values = {name: getattr(motion, name) for name in names}
    return replace(motion, **{name: value[::2] for name, value in values.items() if value is not None})


def cost(pairs: Sequence[Pair]) -> str:
    """Processor time for each second of video; at any frame rate there are 25 nodes a second."""
    seconds = sum(float(np.ptp(pair.network.timestamps)) for pair in pairs)
    lifting, refining = (1000 * sum(pair.seconds[part] for pair in pairs) / seconds for part in (0, 1))
    rows = [
        ["lifting", f"{lifting:.0f}", f"{lifting / 60:.2f}"],
        ["refining", f"{refining:.0f}", f"{refining / 60:.2f}"],
    ]
    return markdown_table(["step", "ms a second of video", "ms a frame of 60 fps"], rows, text=(0,))


def calibration(pairs: Sequence[Pair]) -> str:
    """For each kind c and p, so that c (s / 5 cm)^p metres hold 68 % of the errors once and 95 % twice.

    Here s is the standard deviation by the least-squares problem, from what is stated now.
    """
    rows = []
    for kind in KINDS:
        error, stated, _ = by_kind(pairs, kind)
        scale, power = CALIBRATION[kind]
        found = min(candidates(error, 0.05 * (stated / scale) ** (1 / power)))
        rows.append([kind, f"{found[1]:.3f}", f"{found[2]:.2f}", f"{found[0]:.2f}"])
    return markdown_table(["joint", "c [m]", "p", "worst miss, in tolerances"], rows, text=(0,))


def candidates(error: np.ndarray, deviation: np.ndarray) -> Iterator[tuple[float, float, float]]:
    """How far calibrations miss 68 % (5 either way) and 95 % (3 either way), and their c and p."""
    for power in np.arange(0.25, 1.55, 0.05):
        ratio = error / (deviation / 0.05) ** power
        for scale in np.percentile(ratio, np.arange(65, 73.5, 0.5)):
            shares = (ratio < scale).mean(), (ratio < 2 * scale).mean()
            yield max(abs(shares[0] - 0.68) / 0.05, abs(shares[1] - 0.95) / 0.03), float(scale), float(power)


if __name__ == "__main__":
    main(tyro.cli(Options))

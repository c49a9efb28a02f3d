"""Guidance by projection at lift time: a motion that projects onto its 2D input and keeps its bones.

The problem is that of :mod:`spgnet.lifting.guidance` without its floor: viewing rays of the 2D input,
constant and symmetric bones, a smooth motion, and the network's directions, root and lengths as the prior.
Every term is divided by its standard deviation, which is measured on the validation split for each network
and kind of input. Errors of a network last for many frames, which the problem takes for independent ones, so
the prior may count too much as it was measured; by which factor its deviations are larger or smaller is
chosen on validation, too.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spgnet import metrics
from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import load_dataset, load_validation
from spgnet.evaluation import evaluate_predictions, lift_dataset
from spgnet.files import read_json, write_json
from spgnet.lifting.body import CHILDREN, body_of_joints
from spgnet.lifting.guidance import Deviations, Floor, Observations, State
from spgnet.lifting.windows import solve_clip
from spgnet.synthetic.detector_noise import person_size
from spgnet.training.experiments import clip_errors
from spgnet.training.runs import git_commit, load_run

GUIDED = "evaluation-guided.json"
"""Evaluation of a run's network with guidance, in its folder."""
FACTORS = (0.5, 1.0, 2.0, 4.0)
"""Factors of the prior's deviations to choose from."""
LEAST_DETECTION = 0.002
"""Least standard deviation of 2D joints by the person's size in the image: a body of constant bones cannot
meet exact 2D exactly."""
_FITTED_SEQUENCES = 40


def evaluate_guided(run_dir: Path, data: DataConfig, device: torch.device) -> None:
    """Write the evaluation with guidance of a run's network into its folder, if it is not there.

    Args:
        run_dir: the run folder.
        data: what to fit the deviations on (the validation split or, where there is none, that of training)
            and to evaluate on (the test split).
        device: of the network.
    """
    if (run_dir / GUIDED).exists():
        return
    _, model = load_run(run_dir)
    model = model.to(device)
    validation = load_validation(data)
    if validation is None:
        validation = load_dataset(data, "train")
    every = max(1, len(validation) // _FITTED_SEQUENCES)
    validation = validation.select(range(0, len(validation), every)).to(device)
    sizes, tried = fit_deviations(lift_dataset(model, validation, flip=True), validation)
    test = load_dataset(data, "test").to(device)
    predicted = lift_dataset(model, test, flip=True)
    began = time.monotonic()
    guided = guide(predicted, test, sizes)
    seconds = time.monotonic() - began
    result: dict[str, Any] = {
        **{key: read_json(run_dir / "evaluation.json")[key] for key in ("command", "commit")},
        "evaluated_at": git_commit(),
        "seconds": round(seconds, 1),
        "validation": tried,
        "deviations": asdict(sizes),
        "evaluation": evaluate_predictions(guided, test, model).to_json(),
        "clips": clip_errors(guided, test),
    }
    write_json(run_dir / GUIDED, result)


def fit_deviations(
    predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset
) -> tuple[Deviations, dict[str, float]]:
    """The terms' standard deviations for a network and a kind of input, and what was tried to find them.

    Args:
        predicted: the network's joints for a dataset that it was not trained on.
        dataset: the true ones, and the 2D input.

    Returns:
        The deviations, and MPJPE in mm by the factor of the prior's deviations.
    """
    measured = measured_deviations(predicted, dataset)
    choices = {factor: _with_prior(measured, factor) for factor in FACTORS}
    errors = {
        factor: metrics.mpjpe(guide(predicted, dataset, sizes), dataset.joints).mean().item()
        for factor, sizes in choices.items()
    }
    best = min(errors, key=errors.__getitem__)
    return choices[best], {f"{factor:g}": round(error, 3) for factor, error in errors.items()}


def measured_deviations(predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset) -> Deviations:
    """The standard deviations of 2D joints and of the network's directions, root and lengths."""
    given, expected = (joints.double().cpu().numpy() for joints in (predicted, dataset.joints))
    rays = dataset.inputs("rays")[..., :2].double().cpu().numpy()
    true_rays = expected[..., :2] / expected[..., 2:]
    size = person_size(torch.from_numpy(true_rays)).numpy()[:, None, None]
    detection = np.maximum(_spread((rays - true_rays) / size, (0, 2)), LEAST_DETECTION)
    body, true = body_of_joints(given), body_of_joints(expected)
    off = body.directions - true.directions
    lines = expected / np.linalg.norm(expected, axis=-1, keepdims=True)
    root_off = (given[:, 0] - expected[:, 0]) / np.linalg.norm(expected[:, 0], axis=-1, keepdims=True)
    lengths = [
        body_of_joints(given[frames]).log_lengths - body_of_joints(expected[frames]).log_lengths
        for frames in map(dataset.frames_of, range(len(dataset)))
    ]
    return replace(
        Deviations(),
        detection=tuple(map(float, detection)),
        direction=_across_and_along(off, lines[:, CHILDREN]),
        root=_across_and_along(root_off, lines[:, 0]),
        length=float(np.std(lengths)),
    )


def _spread(errors: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    """Robust standard deviation about zero."""
    return 1.4826 * np.median(np.abs(errors), axis=axis)


def _across_and_along(errors: np.ndarray, lines: np.ndarray) -> tuple[float, float]:
    """Root mean square of each component of errors across viewing rays, and along them."""
    along = (errors * lines).sum(axis=-1)
    across = errors - along[..., None] * lines
    return float(np.sqrt((across**2).sum(axis=-1).mean() / 2)), float(np.sqrt((along**2).mean()))


def _with_prior(sizes: Deviations, factor: float) -> Deviations:
    direction, root = (tuple(factor * value for value in pair) for pair in (sizes.direction, sizes.root))
    return replace(sizes, direction=direction, root=root)


def guide(
    predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset, sizes: Deviations
) -> Float[Tensor, "frames 17 3"]:
    """A network's motion after guidance by the 2D input, sequence by sequence, in metres, camera frame."""
    rays = dataset.inputs("rays")[..., :2].double().cpu().numpy()
    pieces = []
    for sequence in range(len(dataset)):
        frames = dataset.frames_of(sequence)
        network = predicted[frames].double().cpu().numpy()
        pieces.append(torch.from_numpy(_solve(network, rays[frames], 1 / dataset.fps, sizes)))
    return torch.cat(pieces).to(predicted)


def _solve(
    network: Float[np.ndarray, "frames 17 3"],
    rays: Float[np.ndarray, "frames 17 2"],
    step: float,
    sizes: Deviations,
) -> Float[np.ndarray, "frames 17 3"]:
    body, count = body_of_joints(network), len(network)
    size = person_size(torch.from_numpy(rays)).numpy()
    person = Observations(
        rays=rays,
        variances=(np.array(sizes.detection) * size[:, None]) ** 2,
        offsets=np.zeros((count, 17, 3)),
        network=body,
        step=step,
        joined=np.ones(count),
        stance=np.zeros((count, 2)),
        grounded=np.zeros((count, 2)),
    )
    nowhere = Floor(np.array([0.0, -1.0, 0.0]), 0.0)
    solution = solve_clip([person], State((body,), np.zeros(1), nowhere), sizes, rough=True)
    return solution.state.bodies[0].joints

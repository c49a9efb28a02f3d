"""How the gradient of the re-projection term lies to those of the pose and the trajectory, during training.

Terms whose gradients point the same way teach the same; where they are square to each other each teaches
something of its own, and where they point against each other one undoes the other. A term whose gradient is
small beside the others' decides little, whatever its direction.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spgnet.data.training_data import TrainingData
from spgnet.files import read_json, write_json
from spgnet.models import LiftingNetwork
from spgnet.training.checkpoint import load_network, read_progress
from spgnet.training.draws import samplers_for
from spgnet.training.experiments import Experiment
from spgnet.training.losses import weighted_losses
from spgnet.training.recipes import TrainConfig

GRADIENTS = "gradients.json"
"""The comparisons of a run, one for each epoch, in its folder."""
SAMPLES = 512
"""Samples of which the gradients are."""


def log_gradients(experiment: Experiment, data: TrainingData) -> None:
    """Compare the gradients at a run's last checkpoint, and add that to the file in its folder."""
    recipe, last = experiment.recipe, experiment.run_dir / "last.safetensors"
    step, path = read_progress(last).step, experiment.run_dir / GRADIENTS
    known = [entry for entry in read_json(path) if entry["step"] < step] if path.exists() else []
    model = load_network(last, recipe.model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same samples after every epoch
        entry = {"step": step, **compare_gradients(model, recipe, data)}
    write_json(path, [*known, entry])


def compare_gradients(model: LiftingNetwork, recipe: TrainConfig, data: TrainingData) -> dict[str, Any]:
    """Cosine and ratio of norms of the weighted re-projection term's gradient against the other terms'.

    For the weights of the pose encoder and, if it has its own, of the trajectory encoder: the re-projection
    term with the pose term in the former, and with the trajectory term in the latter. The gradients are those
    of one large batch, with batch statistics and dropout as in training.

    Args:
        model: the network; it is left in training mode.
        recipe: with the weights of the losses.
        data: what it is trained on.
    """
    sampler, _ = samplers_for(recipe, data, model, torch.device("cpu"))
    batch = sampler.draw(torch.randint(len(sampler), (SAMPLES,)))
    terms = weighted_losses(model.train()(batch.keypoints_2d), batch, recipe.loss)
    encoders = {"pose": model.pose, "trajectory": getattr(model, "trajectory", model.pose)}
    result = {}
    for name, encoder in encoders.items():
        assert isinstance(encoder, nn.Module)
        weights = list(encoder.parameters())
        own, guided = (_gradient(terms[term], weights) for term in (name, "reprojection"))
        cosine = torch.cosine_similarity(own, guided, dim=0).item()
        result[name] = {"cosine": cosine, "ratio": (guided.norm() / own.norm()).item()}
    return result


def _gradient(loss: Tensor, weights: list[nn.Parameter]) -> Tensor:
    """The gradient as one vector."""
    parts = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(weight) if part is None else part).flatten()
            for weight, part in zip(weights, parts, strict=True)
        ]
    )

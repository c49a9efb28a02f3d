"""Gradients of the re-projection term beside those of the others."""

from dataclasses import replace

import pytest
import torch

from spgnet.data import sources
from spgnet.data.config import DataConfig
from spgnet.data.sources import load_training_data
from spgnet.files import read_json
from spgnet.models import SPGNetConfig, build_model
from spgnet.reproduction.gradients import GRADIENTS, compare_gradients, log_gradients
from spgnet.training.experiments import Experiment, run_experiments
from spgnet.training.losses import LossWeights
from spgnet.training.recipes import TrainConfig

RECIPE = TrainConfig(
    model=SPGNetConfig((3,), channels=8, trajectory_channels=4, dropout=0.0),
    loss=LossWeights(reprojection=0.2),
    epochs=2,
    steps_per_epoch=2,
    batch_size=16,
)


@pytest.fixture(autouse=True)
def little_motion(monkeypatch):
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 2, "validation": 1, "test": 2})


def compared(recipe: TrainConfig) -> dict:
    data = load_training_data(DataConfig())
    torch.manual_seed(0)
    model = build_model(recipe.model)
    model.init_root_bias(data.mean_root)
    torch.manual_seed(1)
    return compare_gradients(model, recipe, data)


def test_a_weight_changes_the_size_of_the_gradient_and_not_its_direction():
    once = compared(RECIPE)
    twice = compared(replace(RECIPE, loss=LossWeights(reprojection=0.4)))
    for part in ("pose", "trajectory"):
        assert twice[part]["ratio"] == pytest.approx(2 * once[part]["ratio"], rel=1e-4)
        assert twice[part]["cosine"] == pytest.approx(once[part]["cosine"], abs=1e-5)
        assert -1 <= once[part]["cosine"] <= 1


def test_with_one_encoder_both_are_compared_in_its_weights():
    shared = compared(replace(RECIPE, model=replace(RECIPE.model, shared=True)))
    assert shared["pose"] != shared["trajectory"]


def test_a_run_keeps_a_comparison_of_every_epoch(tmp_path):
    run_experiments([Experiment("", RECIPE, tmp_path / "run", log_gradients)])
    assert [entry["step"] for entry in read_json(tmp_path / "run" / GRADIENTS)] == [2, 4]

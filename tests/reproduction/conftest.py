"""Tiny networks in the place of those of the tables."""

from dataclasses import replace

import pytest

from spgnet.models import (
    AttentionConfig,
    MartinezConfig,
    SPGNetConfig,
    STGCNConfig,
    TransformerConfig,
)
from spgnet.reproduction import figure_data, guided, methods
from spgnet.training.recipes import TrainConfig

TINY = {
    SPGNetConfig: {
        "filter_widths": (3,),
        "channels": 8,
        "trajectory_channels": 4,
        "frame_channels": 8,
    },
    MartinezConfig: {"channels": 8, "trajectory_channels": 4},
    STGCNConfig: {"frames": 1, "channels": 4, "trajectory_channels": 4},
    AttentionConfig: {"layers": 2, "channels": 8, "trajectory_channels": 4, "squeeze": 4},
    TransformerConfig: {"frame_channels": 16, "joint_channels": 8, "trajectory_channels": 4},
}


def with_tiny_network(recipe: TrainConfig) -> TrainConfig:
    """The recipe with a network that takes no time."""
    return replace(recipe, model=replace(recipe.model, **TINY[type(recipe.model)]), batch_size=32)


@pytest.fixture
def spgnet(monkeypatch, tmp_path, command):
    """Run the command in an empty folder, with tiny networks at all sizes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figure_data, "MIN_FRAMES", 3)
    monkeypatch.setattr(guided, "guide", lambda predicted, dataset, sizes: predicted + 0.01)  # takes minutes
    for name, method in methods.METHODS.items():
        tiny = {size: with_tiny_network(method.recipe(size)) for size in ("small", "paper", "full")}
        monkeypatch.setitem(methods.METHODS, name, replace(method, **tiny))
    return command

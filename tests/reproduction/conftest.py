"""Tiny networks in the place of those of the tables."""

from dataclasses import replace

import pytest

from spgnet.models import AttentionConfig, MartinezConfig, SPGNetConfig, STGCNConfig
from spgnet.reproduction import figure_data, methods

TINY = {
    SPGNetConfig: SPGNetConfig((3,), channels=8, trajectory_channels=4),
    MartinezConfig: MartinezConfig(8, 4),
    STGCNConfig: STGCNConfig(frames=1, channels=4, trajectory_channels=4),
    AttentionConfig: AttentionConfig(layers=2, channels=8, trajectory_channels=4, squeeze=4),
}


@pytest.fixture
def spgnet(monkeypatch, tmp_path, command):
    """Run the command in an empty folder, with tiny networks at both sizes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figure_data, "MIN_FRAMES", 3)
    for name, method in methods.METHODS.items():
        small, paper = (
            replace(recipe, model=TINY[type(recipe.model)], batch_size=32)
            for recipe in (method.small, method.paper)
        )
        monkeypatch.setitem(methods.METHODS, name, replace(method, small=small, paper=paper))
    return command

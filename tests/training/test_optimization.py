"""The optimizer and its schedule are those of the configuration."""

from dataclasses import replace

import torch
from torch import nn

from spgnet.training.optimization import build_optimizer, set_rate
from spgnet.training.recipes import TrainConfig


def test_an_optimizer_has_the_settings_of_its_configuration():
    network, config = nn.Linear(2, 1), TrainConfig(learning_rate=0.02, weight_decay=0.3)
    adam, amsgrad, adamw = (
        build_optimizer(replace(config, optimizer=name), network) for name in ("adam", "amsgrad", "adamw")
    )
    assert isinstance(adamw, torch.optim.AdamW)
    assert not isinstance(adam, torch.optim.AdamW)
    settings = [
        (group["lr"], group["weight_decay"], group["amsgrad"])
        for each in (adam, amsgrad, adamw)
        for group in each.param_groups
    ]
    assert settings == [(0.02, 0.0, False), (0.02, 0.0, True), (0.02, 0.3, False)]
    set_rate(adamw, 0.01)
    assert [group["lr"] for group in adamw.param_groups] == [0.01]

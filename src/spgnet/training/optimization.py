"""What a training configuration says about the optimizer and its schedule, put into effect."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from spgnet.training.recipes import TrainConfig


def build_optimizer(config: TrainConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a configuration for the weights of a network."""
    weights, rate = network.parameters(), config.learning_rate
    if config.optimizer == "adamw":
        return torch.optim.AdamW(weights, lr=rate, weight_decay=config.weight_decay, fused=True)
    return torch.optim.Adam(weights, lr=rate, amsgrad=config.optimizer == "amsgrad", fused=True)


def set_rate(optimizer: Any, rate: float) -> None:
    """Set the learning rate of an optimizer, Fabric's or PyTorch's."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def set_momentum(network: nn.Module, momentum: float | None) -> None:
    """Set the momentum of all batch normalization in a network; None leaves it."""
    for module in network.modules() if momentum is not None else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum

"""Checkpoints: weights, optimizer state and progress in one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from spgnet.errors import InputError
from spgnet.files import whole_file
from spgnet.models import MODEL_CONFIGS, LiftingNetwork, ModelConfig, build_model, model_name


@dataclass
class Progress:
    """Where a training run stands.

    Attributes:
        step: steps done.
        best: lowest validation MPJPE so far, in mm.
        sums: sum of each loss over the steps done of the current epoch.
    """

    step: int = 0
    best: float = float("inf")
    sums: dict[str, float] = field(default_factory=dict)

    def count(self, losses: dict[str, torch.Tensor]) -> None:
        """Count a step and its losses.

        Raises:
            InputError: a loss is not finite.
        """
        self.step += 1
        for name, value in losses.items():
            if not math.isfinite(value.item()):
                raise InputError(f"the {name} loss is {value.item()} at step {self.step}: training diverged")
            self.sums[name] = self.sums.get(name, 0.0) + value.item()

    def finish_epoch(self, validation_mpjpe: float) -> None:
        """Start the sums anew, and remember the best epoch."""
        self.best = min(self.best, validation_mpjpe)
        self.sums = {}


def describe_model(config: ModelConfig) -> dict[str, Any]:
    """A model configuration as plain values, its kind among them."""
    return {"kind": model_name(type(config)), **asdict(config)}


def save_checkpoint(
    path: Path,
    config: ModelConfig,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write a checkpoint; without an optimizer, one to use and not to resume from."""
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    if optimizer is not None:
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state[parameter].items():
                tensors[f"optimizer.{name}.{key}"] = value.contiguous()
    metadata = {"model": json.dumps(describe_model(config)), "progress": json.dumps(asdict(progress))}
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_checkpoint(
    path: Path, config: ModelConfig, model: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> Progress:
    """Read weights, and with an optimizer its state, in place.

    Raises:
        InputError: the file is missing or damaged, or belongs to another configuration.
    """
    metadata, tensors = _read(path)
    found, expected = json.loads(metadata.get("model", "{}")), describe_model(config)
    expected = json.loads(json.dumps(expected))
    if found != expected:
        keys = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
        changes = ", ".join(f"{key} is {found.get(key)}, expected {expected.get(key)}" for key in keys)
        raise InputError(f"{path}: a checkpoint of another configuration: {changes}")
    _load_weights(path, tensors, model)
    if optimizer is not None:
        _load_optimizer(path, tensors, model, optimizer)
    return Progress(**json.loads(metadata["progress"]))


def load_model(path: Path) -> LiftingNetwork:
    """The network of a checkpoint, as the checkpoint itself describes it; weights in any precision.

    Raises:
        InputError: the file is missing or damaged, or describes no network.
    """
    metadata, tensors = _read(path)
    try:
        config = model_config(json.loads(metadata["model"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: does not say what network it holds ({error})") from None
    model = build_model(config)
    _load_weights(path, tensors, model)
    return model


def model_config(values: Any) -> ModelConfig:
    """The configuration that :func:`describe_model` described.

    Raises:
        KeyError: the kind is missing or unknown.
        TypeError: a field is unknown.
        InputError: a value is out of its range.
    """
    values = dict(values)
    kind = MODEL_CONFIGS[values.pop("kind")]
    listed = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return kind(**values | listed)


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from None


def _load_weights(path: Path, tensors: dict[str, torch.Tensor], model: nn.Module) -> None:
    weights = {
        name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")
    }
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"{path}: weights do not fit their configuration: {' '.join(str(error).split())}"
        ) from None


def _load_optimizer(
    path: Path, tensors: dict[str, torch.Tensor], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for index, (name, _) in enumerate(model.named_parameters()):
        prefix = f"optimizer.{name}."
        state[index] = {
            key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
        }
    state = {index: values for index, values in state.items() if values}  # an unused weight has none
    if not state:
        raise InputError(f"{path}: holds no optimizer state, so training cannot go on from it")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

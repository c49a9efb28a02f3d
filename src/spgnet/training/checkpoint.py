"""Checkpoints: weights, optimizer state and progress in one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from spgnet.errors import InputError
from spgnet.files import whole_file
from spgnet.models import MODEL_CONFIGS, LiftingNetwork, ModelConfig, build_model, model_name
from spgnet.text import parse_json_text

RENAMED_MODULES: tuple[tuple[str, str], ...] = (
    # TemporalEncoder and ResidualMLP
    (r"first(?=\.\d)", "input_blocks"),
    (r"first", "input_block"),
    (r"pairs", "blocks"),
    (r"wide", "dilated"),
    (r"narrow", "pointwise"),
    (r"(over_time|over_joints)\.last", r"\1.out"),
    (r"last", "head"),
    # PoseAttention
    (r"frames(?=\.\d)", "temporal_attention"),
    (r"kernels(?=\.\d)", "kernel_blocks"),
    (r"leaps", "skips"),
    (r"taps", "depthwise"),
    (r"tap_norm", "depthwise_norm"),
    (r"across", "pointwise"),
    (r"across_norm", "pointwise_norm"),
    (r"weigh", "logits"),
    # PoseGraph
    (r"pose\.norm", "pose.input_norm"),
    (r"joints(?=\.\d)", "joint_blocks"),
    (r"body(?=\.\d)", "layers"),
    (r"around", "shortcut"),
    (r"pose\.body", "pose.body_pooling"),
    (r"parts", "part_blocks"),
    (r"whole", "body_layer"),
    (r"back", "unpool"),
    # Transformer
    (r"around_norm", "embedding_norm"),
    (r"over_time", "temporal_attention"),
    (r"over_joints", "joint_attention"),
    (r"places", "position_embedding"),
    (r"leaning", "pair_bias"),
)
"""Modules and weights that had another name when older checkpoints were written, as (pattern, new name).

A pattern is matched against whole parts of a weight's dotted name, one pattern after the other. No pattern
matches a present name."""


_LARGEST_FIELD = 2**20
"""The largest number in the configuration of a network."""


@dataclass
class Progress:
    """Where a training run stands.

    Attributes:
        step: steps done.
        best: lowest validation MPJPE so far, in mm.
        sums: sum of each loss over the steps of the current epoch so far.
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
    """A model configuration as plain values, with the name of its kind (``kind``)."""
    return {"kind": model_name(type(config)), **asdict(config)}


def save_checkpoint(
    path: Path,
    config: ModelConfig,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    average: nn.Module | None = None,
) -> None:
    """Write a checkpoint; without an optimizer, training cannot be resumed from it.

    Args:
        path: the file.
        config: of the model.
        progress: where training stands.
        model: the network.
        optimizer: its state is kept, too.
        average: a network with the running average of the weights, which are kept, too.

    Raises:
        OSError: it cannot be written.
    """
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": value.contiguous() for name, value in average.state_dict().items()}
    if optimizer is not None:
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state[parameter].items():
                tensors[f"optimizer.{name}.{key}"] = value.contiguous()
    metadata = {"model": json.dumps(describe_model(config)), "progress": json.dumps(asdict(progress))}
    with whole_file(path) as temporary:
        temporary.write_bytes(save(tensors, metadata))  # save_file has errors of its own for a full disk


def load_checkpoint(
    path: Path,
    config: ModelConfig,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    average: nn.Module | None = None,
) -> Progress:
    """Read weights, and with an optimizer its state and with a network for it their average, in place.

    Raises:
        InputError: the file is missing or damaged, or belongs to another configuration.
    """
    metadata, tensors = _read(path)
    found, expected = _json_metadata(path, metadata, "model"), json.loads(json.dumps(describe_model(config)))
    if found != expected:
        keys = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
        changes = ", ".join(f"{key} is {found.get(key)}, expected {expected.get(key)}" for key in keys)
        raise InputError(f"{path}: a checkpoint of another configuration: {changes}")
    _load_weights(path, tensors, model)
    if average is not None:
        _load_weights(path, tensors, average, prefix="average.")
    if optimizer is not None:
        _load_optimizer(path, tensors, model, optimizer)
    return _progress(path, metadata)


def read_progress(path: Path) -> Progress:
    """How far training had got when a checkpoint was written.

    Raises:
        InputError: the file is missing or damaged, or does not say so.
    """
    metadata, _ = _read(path)
    return _progress(path, metadata)


def _progress(path: Path, metadata: dict[str, str]) -> Progress:
    try:
        return Progress(**_json_metadata(path, metadata, "progress"))
    except TypeError as error:
        raise InputError(f"{path}: does not say how far training got ({error})") from None


def load_model(path: Path) -> LiftingNetwork:
    """The network of a checkpoint, built from the configuration in it; weights in any precision.

    Raises:
        InputError: the file is missing or damaged, or describes no network.
    """
    metadata, tensors = _read(path)
    try:
        config = model_config(_json_metadata(path, metadata, "model"))
    except InputError as error:
        raise InputError(f"{path}: does not say what network it holds ({error})") from None
    model = build_model(config)
    _load_weights(path, tensors, model)
    return model


def load_initial_weights(path: Path, model: nn.Module) -> None:
    """Put the weights of a checkpoint into a network of the same size, whatever else they are configured for.

    Args:
        path: a safetensors file, or a run folder, whose best weights are taken.
        model: the network.

    Raises:
        InputError: the file is missing or damaged, or the weights do not fit.
    """
    file = path / "best.safetensors" if path.is_dir() else path
    _, tensors = _read(file)
    _load_weights(file, tensors, model)


def model_config(values: Any) -> ModelConfig:
    """The configuration that :func:`describe_model` described.

    Raises:
        InputError: the kind is missing or unknown, or a field is unknown or out of its range.
    """
    kind = values.get("kind") if isinstance(values, dict) else values
    if not isinstance(kind, str) or kind not in MODEL_CONFIGS:
        raise InputError(f"no network is called {kind!r}; there are {', '.join(MODEL_CONFIGS)}")
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "kind"
    }
    for known in dataclass_fields(MODEL_CONFIGS[kind]):
        value, usual = fields.get(known.name), type(known.default)
        if value is not None and usual in (bool, int, float, str):
            given = float if usual is float and type(value) is int else type(value)
            if given is not usual or (isinstance(value, int | float) and not abs(value) <= _LARGEST_FIELD):
                raise InputError(f"not a configuration of {kind}: {known.name} is {str(value)[:40]}")
    try:
        return MODEL_CONFIGS[kind](**fields)
    except TypeError as error:  # an unknown field, or a value of a wrong type
        raise InputError(f"not a configuration of {kind}: {error}") from None


def current_name(name: str) -> str:
    """The present name of a weight that an older checkpoint may call otherwise (:data:`RENAMED_MODULES`)."""
    for pattern, new in RENAMED_MODULES:
        name = re.sub(rf"(?<![^.])(?:{pattern})(?![^.])", new, name)
    return name


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {current_name(key): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, tensors
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from None


def _json_metadata(path: Path, metadata: dict[str, str], key: str) -> dict[str, Any]:
    try:
        text = metadata[key]
    except KeyError:
        raise InputError(f"{path}: its metadata lack {key}; not a checkpoint of spgnet") from None
    values = parse_json_text(text, f"{path}: {key} in its metadata: ")
    if not isinstance(values, dict):
        raise InputError(f"{path}: {key} in its metadata is not an object")
    return values


def _load_weights(
    path: Path, tensors: dict[str, torch.Tensor], model: nn.Module, prefix: str = "model."
) -> None:
    weights = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path}: weights do not fit the network: {' '.join(str(error).split())}") from None


def _load_optimizer(
    path: Path, tensors: dict[str, torch.Tensor], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for index, (name, _) in enumerate(model.named_parameters()):
        prefix = f"optimizer.{name}."
        state[index] = {
            key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
        }
    state = {index: values for index, values in state.items() if values}  # unused weights have none
    if not state:
        raise InputError(f"{path}: holds no optimizer state, so training cannot go on from it")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

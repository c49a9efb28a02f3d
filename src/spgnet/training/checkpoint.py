"""Checkpoints: weights, optimizer state and progress in one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import as_file
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from spgnet.errors import InputError, list_names, one_line, prefix_errors
from spgnet.field_types import field_values
from spgnet.files import whole_file
from spgnet.models import MODEL_CONFIGS, LiftingNetwork, ModelConfig, build_model, model_name
from spgnet.text import parse_json_text
from spgnet.training.weights import weights_file

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
_MOST = {"frames": 243, "layers": 64, "blocks": 64}
"""Largest values of fields on which memory and time depend in proportion or by the square."""
_LONGEST_FIELD = 2**17
"""Frames of the longest receptive field."""


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
    """A model configuration as plain values, with the name of its kind (``kind``) and module, if not ours."""
    return {"kind": model_name(type(config)), **asdict(config), **module_of(type(config))}


def module_of(kind: type) -> dict[str, str]:
    """The module that a class was defined in, as the value ``module``; nothing for those of this package."""
    name = kind.__module__
    if name == "__main__":
        name = Path(str(getattr(sys.modules["__main__"], "__file__", "__main__"))).stem
    return {} if name.partition(".")[0] == "spgnet" else {"module": name}


def unknown_kind(what: str, kind: Any, values: dict[str, Any], known: Iterable[str]) -> InputError:
    """The error about a network or loss term that is not known, and of which module it may be."""
    module = values.get("module")
    if isinstance(module, str):
        return InputError(
            f"the {what} {str(kind)[:40]!r} is defined in {module[:60]!r}, which is not imported; name that "
            "module or file with --import"
        )
    return InputError(f"no {what} is called {repr(kind)[:40]}; there are {', '.join(known)}")


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
    with prefix_errors(path):
        metadata, tensors = _read(path)
        _check_config(metadata, config)
        _load_weights(tensors, model)
        if average is not None:
            _load_weights(tensors, average, prefix="average.")
        if optimizer is not None:
            _load_optimizer(tensors, model, optimizer)
        return _progress(_json_metadata(metadata, "progress"))


def load_network(path: Path, config: ModelConfig) -> LiftingNetwork:
    """The network of a configuration with the weights of a checkpoint of it, in evaluation mode.

    Raises:
        InputError: the file is missing or damaged, or belongs to another configuration.
    """
    with prefix_errors(path):
        metadata, tensors = _read(path)
        _check_config(metadata, config)
        return _build(config, tensors)


def read_progress(path: Path) -> Progress:
    """How far training had got when a checkpoint was written.

    Raises:
        InputError: the file is missing or damaged, or does not say so.
    """
    with prefix_errors(path):
        metadata, _ = _read(path)
        return _progress(_json_metadata(metadata, "progress"))


def load_model(path: Path) -> LiftingNetwork:
    """The network of a checkpoint, built from the configuration in it, in evaluation mode.

    Weights may have any precision.

    Raises:
        InputError: the file is missing or damaged, or describes no network.
    """
    with prefix_errors(path):
        metadata, tensors = _read(path)
        try:
            config = model_config(_json_metadata(metadata, "model"))
        except InputError as error:
            raise InputError(f"does not say what network it holds ({error})") from None
        return _build(config, tensors)


def _build(config: ModelConfig, tensors: dict[str, torch.Tensor]) -> LiftingNetwork:
    """A network with given weights, in evaluation mode; none is made that they do not fit, however large."""
    with torch.device("meta"):  # shapes without memory
        shapes = {name: value.shape for name, value in build_model(config).state_dict().items()}
    _check_shapes(tensors, shapes)
    model = build_model(config)
    _load_weights(tensors, model)
    return model.eval()


def load_initial_weights(name: str | Path, config: ModelConfig, model: nn.Module) -> None:
    """Put the weights of a checkpoint into a network of the same size, whatever else they are configured for.

    Args:
        name: as for :func:`spgnet.training.weights.weights_file`.
        config: of the network.
        model: the network.

    Raises:
        InputError: the file is missing or damaged, or the weights do not fit; the message names the fields of
            the configuration that differ.
    """
    with as_file(weights_file(name)) as file, prefix_errors(file):
        metadata, tensors = _read(file)
        try:
            _load_weights(tensors, model)
        except InputError as error:
            changes = _changes(metadata, config) if "model" in metadata else ""
            raise InputError(f"{error} ({changes})" if changes else str(error)) from None


def model_config(values: Any) -> ModelConfig:
    """The configuration that :func:`describe_model` described.

    Raises:
        InputError: the kind is missing or unknown, or a field is unknown or out of its range.
    """
    kind = values.get("kind") if isinstance(values, dict) else values
    if not isinstance(kind, str) or kind not in MODEL_CONFIGS:
        raise unknown_kind("network", kind, values if isinstance(values, dict) else {}, MODEL_CONFIGS)
    try:
        plain = {key: part for key, part in values.items() if key not in ("kind", "module")}
        fields = field_values(MODEL_CONFIGS[kind], plain)
    except InputError as error:
        raise InputError(f"not a configuration of {kind}: {error}") from None
    numbers = [
        (name, part)
        for name, value in fields.items()
        for part in (value if isinstance(value, tuple) else (value,))
        if isinstance(part, int | float)
    ]
    for name, number in numbers:
        if abs(number) > _MOST.get(name, _LARGEST_FIELD):
            raise InputError(f"not a configuration of {kind}: {name} is {number}")
    config = MODEL_CONFIGS[kind](**fields)
    frames = getattr(config, "receptive_field", 1)
    if isinstance(frames, int) and frames > _LONGEST_FIELD:
        raise InputError(f"not a configuration of {kind}: it looks at {frames} frames")
    return config


def current_name(name: str) -> str:
    """The present name of a weight that an older checkpoint may call otherwise (:data:`RENAMED_MODULES`)."""
    for pattern, new in RENAMED_MODULES:
        name = re.sub(rf"(?<![^.])(?:{pattern})(?![^.])", new, name)
    return name


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and tensors of a file; safetensors claims no memory that the file does not have."""
    if not path.is_file():
        raise InputError("no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {current_name(key): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, tensors
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"not a readable safetensors file ({one_line(error)})") from None


def _json_metadata(metadata: dict[str, str], key: str) -> dict[str, Any]:
    try:
        text = metadata[key]
    except KeyError:
        raise InputError(f"its metadata lack {key}; not a checkpoint of spgnet") from None
    values = parse_json_text(text, f"{key} in its metadata: ")
    if not isinstance(values, dict):
        raise InputError(f"{key} in its metadata is not an object")
    return values


def _check_config(metadata: dict[str, str], config: ModelConfig) -> None:
    if changes := _changes(metadata, config):
        raise InputError(f"a checkpoint of another configuration: {changes}")


def _changes(metadata: dict[str, str], config: ModelConfig) -> str:
    """The fields in which the configuration in a file differs from another one."""
    found, expected = (
        json.loads(json.dumps(describe_model(each)))  # a file may lack fields that are newer than it
        for each in (model_config(_json_metadata(metadata, "model")), config)
    )
    keys = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
    keys = ["kind"] if "kind" in keys else keys
    return ", ".join(f"{key} is {found.get(key)}, expected {expected.get(key)}" for key in keys)


def _progress(values: dict[str, Any]) -> Progress:
    usual = Progress()
    sums = values.get("sums", {})
    if (
        set(values) != set(asdict(usual))
        or type(values["step"]) is not int
        or values["step"] < 0
        or not isinstance(values["best"], int | float)
        or not isinstance(sums, dict)
        or not all(isinstance(value, int | float) and math.isfinite(value) for value in sums.values())
    ):
        raise InputError(
            f"does not say how far training got: expected step, best and sums, found {str(values)[:60]}"
        )
    return Progress(**values)


def _check_shapes(
    tensors: dict[str, torch.Tensor], shapes: Mapping[str, torch.Size], prefix: str = "model."
) -> dict[str, torch.Tensor]:
    """The weights of a network among the tensors of a file, which must be finite and have these shapes."""
    weights = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    missing, unknown = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
    other = [name for name in shapes if name in weights and weights[name].shape != shapes[name]]
    found = {"it lacks": missing, "it also has": unknown, "of another shape are": other}
    if errors := [f"{what} {list_names(names, 3)}" for what, names in found.items() if names]:
        raise InputError(f"weights do not fit the network: {'; '.join(errors)}")
    if broken := [name for name, value in weights.items() if not bool(value.isfinite().all())]:
        raise InputError(f"weights are NaN or infinite: {list_names(broken, 3)}")
    return weights


def _load_weights(tensors: dict[str, torch.Tensor], model: nn.Module, prefix: str = "model.") -> None:
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    model.load_state_dict(_check_shapes(tensors, shapes, prefix))


def _load_optimizer(
    tensors: dict[str, torch.Tensor], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for index, (name, parameter) in enumerate(model.named_parameters()):
        prefix = f"optimizer.{name}."
        values = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if not all(value.shape in ((), parameter.shape) for value in values.values()):
            raise InputError(f"the optimizer's state does not fit {name}")
        if values:  # unused weights have none
            state[index] = values
    if not state:
        raise InputError("holds no optimizer state, so training cannot go on from it")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

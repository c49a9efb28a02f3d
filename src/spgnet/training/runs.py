"""Run folders: what a training run leaves behind, and how to open it again.

A run holds ``config.json``, ``environment.json``, ``log.jsonl`` (a line an epoch), ``last.safetensors`` (to
resume from) and ``best.safetensors`` (the weights with the lowest validation MPJPE; without validation data
those of the last epoch). Experiments add ``evaluation.json``.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spgnet.data.config import DataConfig
from spgnet.errors import InputError, prefix_errors
from spgnet.field_types import field_values
from spgnet.files import read_json, read_json_lines, write_json, write_text
from spgnet.models import LiftingNetwork
from spgnet.synthetic.domain_randomization import DomainRandomization
from spgnet.training.checkpoint import (
    describe_model,
    load_network,
    model_config,
    module_of,
    unknown_kind,
)
from spgnet.training.losses import LOSS_TERMS, LossTerm, LossWeights, UnlabelledWeights
from spgnet.training.recipes import TrainConfig


def config_to_json(config: TrainConfig) -> dict[str, Any]:
    """A training configuration as plain JSON values."""
    terms = {name: asdict(term) | module_of(type(term)) for name, term in config.terms.items()}
    values = asdict(config) | {"model": describe_model(config.model), "terms": terms}
    return json.loads(json.dumps(values, default=str))  # paths


def config_from_json(values: Any) -> TrainConfig:
    """The training configuration that :func:`config_to_json` wrote.

    Raises:
        InputError: fields are missing, unknown or out of range.
    """
    try:
        values = _with_new_names(values)
        model = model_config(values.get("model"))
        data = values["data"]
        drawn = data.get("randomization", {"fps": getattr(model, "rates", DomainRandomization().fps)})
        data["randomization"] = DomainRandomization(**field_values(DomainRandomization, drawn))
        parts = {
            "model": model,
            "loss": LossWeights(**field_values(LossWeights, values.get("loss"))),
            "terms": _loss_terms(values.get("terms", {})),
            "unlabelled": UnlabelledWeights(**field_values(UnlabelledWeights, values.get("unlabelled", {}))),
            "data": DataConfig(**field_values(DataConfig, data)),
        }
        return TrainConfig(**field_values(TrainConfig, values | parts))
    except InputError as error:
        raise InputError(f"not a training configuration: {error}") from None


def _loss_terms(values: Any) -> dict[str, LossTerm]:
    if not isinstance(values, dict) or not all(isinstance(each, dict) for each in values.values()):
        raise InputError(f"terms is {str(values)[:40]}, expected an object with one for each loss term")
    for name, each in values.items():
        if name not in LOSS_TERMS:
            raise unknown_kind("loss term", name, each, LOSS_TERMS)
    plain = {name: {k: v for k, v in each.items() if k != "module"} for name, each in values.items()}
    return {name: LOSS_TERMS[name](**field_values(LOSS_TERMS[name], each)) for name, each in plain.items()}


FORMER_FIELDS = {"run_length": "frames_per_sample", "clip": "max_grad_norm"}
FORMER_DATA_FIELDS = {"wildness": "randomization"}
FORMER_RANDOMIZATION_FIELDS = {
    "mixed": "swapped_upper_bodies",
    "derived": "midpoint_joints",
    "headless": "missing_head_top",
    "faceless": "missing_nose",
    "sparse": "skipped_frames",
}
"""Present names of a configuration's fields by those that they had before."""


def _with_new_names(values: Any) -> dict[str, Any]:
    """A configuration of 0.1.0's development under today's names."""
    if not isinstance(values, dict) or not isinstance(values.get("data"), dict):
        raise InputError("expected an object with 'data', 'model', 'loss' and more")
    data = _renamed(values["data"], FORMER_DATA_FIELDS)
    if data.get("input") == "wild":
        data["input"] = "randomized"
    if isinstance(data.get("randomization"), dict):
        data["randomization"] = _renamed(data["randomization"], FORMER_RANDOMIZATION_FIELDS)
    return _renamed(values, FORMER_FIELDS) | {"data": data}


def _renamed(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}


def check_free(run_dir: Path) -> None:
    """Make sure that a folder holds no run.

    Raises:
        InputError: it does.
    """
    if (run_dir / "config.json").exists():
        raise InputError(
            f"{run_dir}: already holds a run; resume it with --resume, or name another folder with --out"
        )


def create_run(run_dir: Path, config: TrainConfig, machine: dict[str, Any] | None = None) -> None:
    """Start a run folder: what is trained, and where.

    Args:
        run_dir: the folder.
        config: what is trained.
        machine: what else the result depends on: the accelerator, threads, and data.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    write_json(run_dir / "environment.json", _environment() | (machine or {}))
    write_json(run_dir / "config.json", config_to_json(config))


def record_resumption(run_dir: Path, config: TrainConfig, step: int) -> None:
    """Note in a run's ``environment.json`` after which step it is resumed, when, and by which commit.

    Its length and cooldown become those of the configuration that it is resumed with.
    """
    path = run_dir / "environment.json"
    environment = read_json(path) if path.exists() else {}
    now = {key: value for key, value in _environment().items() if key in ("started", "commit")}
    resumed = [*environment.get("resumed", []), {"step": step, **now}]
    write_json(path, environment | {"resumed": resumed})
    values = read_json(run_dir / "config.json")
    schedule = {"epochs": config.epochs, "cooldown": config.cooldown}
    if values != values | schedule:
        write_json(run_dir / "config.json", values | schedule)


def check_same_config(run_dir: Path, config: TrainConfig) -> None:
    """Make sure that a run folder belongs to a configuration; only the paths of its data may differ.

    Raises:
        InputError: it holds no run, or one of another configuration.
    """
    found, expected = (config_to_json(each) for each in (read_config(run_dir), config))
    for values in (found, expected):
        values["data"]["motion"] = "captured" if values["data"]["motion"] else "procedural"
        values["data"]["takes"] = "recorded" if values["data"]["takes"] else None
        values["initial_weights"] = "given" if values["initial_weights"] else None
    changes = [
        f"{key} is {found[key]}, now {expected[key]}" for key in expected if found[key] != expected[key]
    ]
    if changes:
        raise InputError(f"{run_dir}: a run of another configuration: {'; '.join(changes)}")


def check_resumable(run_dir: Path, config: TrainConfig) -> None:
    """Make sure that a run can be gone on with by a configuration.

    It may be longer or shorter than the run's own, or cool down elsewhere, as long as every epoch that has
    begun has the same rate and momentum: then the result is that of a run which was so from the start.

    Raises:
        InputError: the folder holds no run, or one of another configuration.
    """
    own = read_config(run_dir)
    begun = min(len(read_log(run_dir)) + 1, own.epochs)
    settings = [
        [(each.rate_in_epoch(epoch), each.momentum_in_epoch(epoch)) for epoch in range(begun)]
        for each in (own, config)
    ]
    if begun <= config.epochs and settings[0] == settings[1]:
        config = replace(config, epochs=own.epochs, cooldown=own.cooldown)
    check_same_config(run_dir, config)


def read_config(run_dir: Path) -> TrainConfig:
    """The configuration of a run.

    Raises:
        InputError: there is no run, or its configuration cannot be read.
    """
    path = run_dir / "config.json"
    if not path.is_file():
        raise InputError(f"{run_dir}: not a run folder (it has no config.json)")
    return read_config_file(path)


def read_config_file(path: Path) -> TrainConfig:
    """The training configuration in a file.

    Raises:
        OSError: there is no such file.
        InputError: it holds no training configuration.
    """
    values = read_json(path)
    with prefix_errors(path):
        return config_from_json(values)


def load_run(run_dir: Path) -> tuple[TrainConfig, LiftingNetwork]:
    """A run's configuration and its best weights, ready for use.

    Raises:
        InputError: there is no run, or its checkpoint is missing, damaged or of another configuration.
    """
    config = read_config(run_dir)
    return config, load_network(run_dir / "best.safetensors", config.model)


def read_log(run_dir: Path) -> list[dict[str, Any]]:
    """The entries of a run's log, one an epoch.

    Raises:
        InputError: a line is not JSON, or no object with a step.
    """
    path = run_dir / "log.jsonl"
    entries = read_json_lines(path) if path.exists() else []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or type(entry.get("step")) is not int:
            raise InputError(
                f"{path}: line {number} is no entry of a training log, expected an object with a step"
            )
    return entries


def write_log(run_dir: Path, entries: list[dict[str, Any]]) -> None:
    """Write a run's log anew."""
    write_text(run_dir / "log.jsonl", "".join(json.dumps(entry) + "\n" for entry in entries))


def _environment() -> dict[str, Any]:
    packages = ("spgnet", "torch", "lightning-fabric", "numpy")
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": run_command(),
        "commit": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in packages},
    }


def run_command() -> list[str]:
    """The command line of this process."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


@cache
def git_commit() -> str | None:
    """The commit of the source tree that this package was started from, if it is one; ``+`` marks changes."""
    here = Path(__file__)
    try:
        _git(here.parent, "ls-files", "--error-unmatch", here.name)  # and not in somebody else's tree
        changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
        return _git(here.parent, "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

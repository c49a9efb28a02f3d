"""Loading weights, of the package or trained by the user."""

from __future__ import annotations

import math
from importlib.resources import as_file
from pathlib import Path
from typing import Any

from spgnet.errors import InputError
from spgnet.files import file_sha256
from spgnet.models import RayNet
from spgnet.training.checkpoint import load_model
from spgnet.training.weights import read_manifest, weights_file


def available_weights() -> dict[str, str]:
    """The weights in the package: a one-line description by name.

    >>> sorted(available_weights())
    ['default', 'live']
    """
    return {name: _summary(entry) for name, entry in read_manifest().items()}


def _summary(entry: dict[str, Any]) -> str:
    model = entry["recipe"]["model"]
    frames = math.prod(model["filter_widths"])
    span = f"the last {frames} frames, for live use" if model["causal"] else f"the {frames} frames around it"
    slow, fast = model["rates"]
    return f"any camera; a pose from {span}; {slow:g} to {fast:g} frames per second, faster clips thinned"


def load_weights(name: str | Path) -> tuple[RayNet, str]:
    """Load a network in evaluation mode.

    Args:
        name: name of weights in the package (``default``, ``live``), a run folder, or a safetensors file.

    Returns:
        The network, and its name: that in the package, or the file with the beginning of its SHA-256.

    Raises:
        InputError: there are no such weights, the file is damaged, or its network does not take rays.
    """
    if Path(name).suffix == ".bin":
        raise InputError(
            f"{name}: a checkpoint of VideoPose3D takes no rays, so it cannot lift for any camera; it can be "
            f"evaluated: spgnet evaluate {name}"
        )
    file = weights_file(name)
    with as_file(file) as path:
        shipped = str(name) in read_manifest()
        return _network(path), str(name) if shipped else f"{file} (SHA-256 {file_sha256(path)[:12]})"


def _network(path: Path) -> RayNet:
    model = load_model(path)
    if not isinstance(model, RayNet):
        raise InputError(
            f"{path}: a {type(model).__name__} does not take rays; train one with: spgnet train randomized"
        )
    return model

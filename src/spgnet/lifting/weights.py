"""The weights that come with the package, and weights that a user has trained."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from spgnet.checkpoint import load_model
from spgnet.models import RayNet

FOLDER = files("spgnet").joinpath("weights")


def manifest() -> dict[str, Any]:
    """What each of the package's weights is: data and licence, recipe, metrics, SHA-256."""
    return json.loads(FOLDER.joinpath("manifest.json").read_text())


def load_weights(name: str | Path) -> tuple[RayNet, str]:
    """A network ready for use, and its name.

    Args:
        name: of weights in the package (``default``, ``live``), a run folder, or a safetensors file.

    Raises:
        ValueError: there is nothing of that name, the file is damaged, or its network does not take rays.
    """
    shipped = manifest()
    if str(name) in shipped:
        with as_file(FOLDER.joinpath(f"{name}.safetensors")) as path:
            return _network(path), str(name)
    path = Path(name)
    if not path.exists():
        raise ValueError(
            f"no weights {str(name)!r}: neither a file, a run folder, nor one of {', '.join(shipped)}"
        )
    path = path / "best.safetensors" if path.is_dir() else path
    return _network(path), f"{path} (SHA-256 {sha256(path)[:12]})"


def sha256(path: Path | Traversable) -> str:
    """The hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _network(path: Path) -> RayNet:
    model = load_model(path)
    if not isinstance(model, RayNet):
        raise ValueError(
            f"{path}: a {type(model).__name__} does not take rays; train one with: spgnet train wild"
        )
    return model.eval()

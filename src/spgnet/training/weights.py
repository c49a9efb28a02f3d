"""Files of weights by name: those in the package, of a run folder, or any safetensors file."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from spgnet.errors import InputError

FOLDER = files("spgnet").joinpath("weights")


def read_manifest() -> dict[str, Any]:
    """The manifest of the package's weights: by name, their data and licence, recipe, metrics and SHA-256."""
    return json.loads(FOLDER.joinpath("manifest.json").read_text())


def weights_file(name: str | Path) -> Path | Traversable:
    """Path of the safetensors file of weights.

    Args:
        name: name of weights in the package (``default``, ``live``), a run folder, whose best weights are
            taken, or a safetensors file.

    Raises:
        InputError: there are no such weights.
    """
    shipped = read_manifest()
    if str(name) in shipped:
        return FOLDER.joinpath(f"{name}.safetensors")
    path = Path(name)
    if not path.exists():
        raise InputError(
            f"no weights {str(name)!r}: neither a file, a run folder, nor one of {', '.join(shipped)}"
        )
    return path / "best.safetensors" if path.is_dir() else path

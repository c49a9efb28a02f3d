"""What the app can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_documents_path


def results_folder() -> Path:
    """The folder of results by default: ``spgnet`` among the user's documents."""
    return user_documents_path() / "spgnet"


@dataclass(frozen=True)
class AppConfig:
    """Where the app is, and where its results are."""

    out: Path = field(default_factory=results_folder)
    """Folder of the results."""
    host: str = "127.0.0.1"
    """Address of the app; only this machine can open the default one. With any other, strangers may use it:
    nobody sees the results of others, and they are removed when their page is closed."""
    port: int = 7860
    """Port of the app; 0 takes any free one."""
    browser: bool = True
    """Open the app in the browser."""
    detector_dir: Path | None = None
    """Folder of the detector's two ONNX files, instead of fetching them once."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""

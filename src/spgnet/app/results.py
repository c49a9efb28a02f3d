"""The folder of results: one folder for each clip, there whole or not at all."""

from __future__ import annotations

import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spgnet.batch.manifest import MANIFEST
from spgnet.files import natural_order, scratch_folder
from spgnet.lifting import Motion, load_motion

_LONGEST_TITLE = 60
_VIDEO_SUFFIXES = (".mp4",)
_STORED = (".mp4", ".npz", ".glb")
"""Files that are compressed already."""


@dataclass(frozen=True)
class ResultsFolder:
    """A folder with a folder for each result.

    Args:
        path: the folder; it is made when there is a first result.
        secret: give results names that cannot be guessed, so that whoever uses the app finds only their own.
    """

    path: Path
    secret: bool = False

    def add(self, title: str, write: Callable[[Path], object]) -> str:
        """Add a result.

        Args:
            title: what it is of, such as the name of a video.
            write: writes the files into the folder that it is given. If it fails, nothing is left.

        Returns:
            The name of the result.

        Raises:
            OSError: it cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        title = re.sub(r"[^\w .()+-]+", "_", title).strip(" .")[:_LONGEST_TITLE] or "clip"
        with scratch_folder(self.path, "result") as scratch:
            write(scratch)
            name = self._free_name(title)
            scratch.rename(self.path / name)
        return name

    def _free_name(self, title: str) -> str:
        name = f"{time.strftime('%Y-%m-%d %H.%M.%S')} {title}"
        if self.secret:
            return f"{name} {secrets.token_hex(16)}"
        number = 2
        free = name
        while (self.path / free).exists():
            free, number = f"{name} ({number})", number + 1
        return free

    def names(self) -> list[str]:
        """The results that are there, the newest first."""
        if not self.path.is_dir():
            return []
        found = []
        for path in self.path.iterdir():
            with suppress(OSError):  # one that somebody else's closed page takes along right now
                if not path.name.startswith(".") and any(path.glob("motion*.npz")):
                    found.append((path.stat().st_mtime, path.name))
        return [name for _, name in sorted(found, reverse=True)]

    def label(self, name: str) -> str:
        """What a result is called on the page: its name without what makes it secret."""
        return name.rpartition(" ")[0] if self.secret else name

    def find(self, name: str, file: str = "") -> Path | None:
        """A result's folder, or a file in it; None if there is no such one.

        Names with which one would leave the folder name nothing.
        """
        for part in (name, file):
            if re.search(r"[/\\\0]", part) or part.startswith("."):
                return None
        path = self.path / name / file if name else None
        return path if path is not None and path.exists() else None

    def remove(self, name: str) -> None:
        """Remove a result."""
        path = self.find(name)
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)


def result_motions(folder: Path) -> list[Motion]:
    """The motions of a result, by person.

    Raises:
        InputError: a file is damaged.
        OSError: a file cannot be read.
    """
    return [load_motion(path) for path in sorted(folder.glob("motion*.npz"), key=_in_order)]


def result_files(folder: Path) -> list[Path]:
    """The files of a result, by name; not what a batch keeps of how they were made."""
    kept = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name != MANIFEST)
    return sorted(kept, key=_in_order)


def _in_order(path: Path) -> tuple[tuple[int, int, str], ...]:
    return natural_order(path.name)


def zip_result(folder: Path, target: Path) -> None:
    """Write all files of a result into one zip file.

    Raises:
        OSError: it cannot be written.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for path in result_files(folder):
            method = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
            archive.write(path, f"{folder.name}/{path.name}", method)

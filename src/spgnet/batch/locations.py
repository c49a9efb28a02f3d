"""Where inputs are and results go: local paths, and the addresses of other file systems, by fsspec."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from spgnet.errors import InputError, one_line
from spgnet.extras import import_extra
from spgnet.files import expand_home, scratch_folder, whole_file, write_text

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def is_address(text: str) -> bool:
    """Whether a text is an address such as ``s3://bucket/walk.mp4``, and no local path."""
    return re.match(r"[a-z][a-z0-9+.-]+://", text) is not None


def _has_query(text: str) -> bool:
    """Whether a question mark begins the query of a web address, such as a signature, and is no pattern."""
    return text.startswith(("http://", "https://"))


@dataclass(frozen=True)
class Location:
    """A file or folder, on this machine or elsewhere.

    Attributes:
        text: the absolute path, or the address without a slash at its end.
    """

    text: str

    @classmethod
    def of(cls, given: str | Path) -> Location:
        """The location of a path or an address; ``file://`` addresses are paths."""
        text = str(given)
        if text.startswith("file://"):
            text = text.removeprefix("file://")
        if is_address(text):
            return cls(text.rstrip("/"))
        return cls(str(expand_home(text).absolute()))

    @property
    def path(self) -> Path | None:
        """The local path; None if it is elsewhere."""
        return None if is_address(self.text) else Path(self.text)

    def is_same_as(self, other: Location) -> bool:
        """Whether both are one place, perhaps by links."""
        if self.path is None or other.path is None:
            return self == other
        return os.path.realpath(self.path) == os.path.realpath(other.path)

    @property
    def parts(self) -> PurePosixPath:
        """The path, or the address without its query, as parts, of which the last one is the name."""
        address = self.text.partition("?")[0] if _has_query(self.text) else self.text
        return PurePosixPath(address if self.path is None else self.path.as_posix())

    def joined(self, name: str) -> Location:
        """A file or folder inside this one."""
        return Location(f"{self.text}/{name}" if self.path is None else str(self.path / name))

    def beside(self, name: str) -> Location:
        """A file or folder in the same folder as this one."""
        return Location(self.text.removesuffix(self.parts.name) + name)

    def matches(self) -> list[Location]:
        """The locations that an address with ``*``, ``?`` or ``[`` stands for, or else only this one.

        In web addresses ``?`` begins the query.

        Raises:
            InputError: nothing is there.
            OSError: the file system cannot be read.
        """
        pattern = str(self.parts) if _has_query(self.text) else self.text
        if self.path is not None or not re.search(r"[*?\[]", pattern):
            return [self]
        with _foreign(self) as (files, path):
            found = [str(files.unstrip_protocol(str(each))) for each in sorted(files.glob(path))]
        if not found:
            raise InputError(f"{self.text}: matches nothing")
        return [Location(each) for each in found]

    def entries(self) -> dict[str, bool] | None:
        """The names in a folder, and whether each is a folder itself; None if this is none.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be read.
        """
        if self.path is not None:
            return {each.name: each.is_dir() for each in self.path.iterdir()} if self.path.is_dir() else None
        with _foreign(self) as (files, path):
            if not files.isdir(path):
                return None
            listed = files.ls(path, detail=True)
        names = {PurePosixPath(each["name"]).name: each["type"] == "directory" for each in listed}
        return {name: folder for name, folder in names.items() if name != self.parts.name or folder}

    def fingerprint(self) -> str | None:
        """A text that changes when the file or the files of the folder do; None if nothing is there.

        It is made of sizes and times of change, and elsewhere of what the file system tells, such as the
        ETag; contents are not read.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be read.
        """
        if self.path is not None:
            if not self.path.exists():
                return None
            states = [(each, each.stat()) for each in sorted(_files_of_clip(self.path)) or [self.path]]
            facts: Any = [
                (each.relative_to(self.path).as_posix(), state.st_size, state.st_mtime_ns)
                for each, state in states
            ]
        else:
            with _foreign(self) as (files, path):
                if not files.exists(path):
                    return None
                facts = [(each, files.ukey(each)) for each in sorted(files.find(path)) or [path]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def size(self) -> int:
        """Bytes of the file or of the files of the folder; 0 if nothing is there, or the size is not known.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be read.
        """
        if self.path is not None:
            return sum(each.stat().st_size for each in _files_of_clip(self.path))
        with _foreign(self) as (files, path):
            found = files.find(path) if files.exists(path) else []
            return sum(files.size(each) or 0 for each in found)

    @contextmanager
    def fetched(self) -> Iterator[Path]:
        """A local path with what is here, under its own name; what was copied is removed after the block.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be read.
        """
        if self.path is not None:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="spgnet-") as folder:
            copy = Path(folder) / self.parts.name
            with _foreign(self) as (files, path):
                files.get(path, str(copy), recursive=files.isdir(path))
            yield copy

    @contextmanager
    def working_folder(self) -> Iterator[Path]:
        """An empty local folder, to make what will be put here; it is removed after the block.

        Raises:
            OSError: it cannot be made.
        """
        if self.path is None:
            with tempfile.TemporaryDirectory(prefix="spgnet-") as folder:
                yield Path(folder)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(self.path.parent, self.path.name) as folder:
            yield folder

    def put(self, file: Path) -> None:
        """Move a local file here, whole or not at all (elsewhere as far as the file system can).

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be written.
        """
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path) as temporary:
                file.replace(temporary)
            return
        with _foreign(self) as (files, path):
            files.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            files.put_file(str(file), path)

    def write(self, text: str) -> None:
        """Write a text file in UTF-8.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be written.
        """
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, text)
            return
        with _foreign(self) as (files, path):
            files.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            files.pipe_file(path, text.encode())

    def read(self) -> bytes:
        """The contents of a file.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be read, or is not there.
        """
        if self.path is not None:
            return self.path.read_bytes()
        with _foreign(self) as (files, path):
            content = files.cat_file(path)
        assert isinstance(content, bytes)
        return content

    def remove_folder(self) -> None:
        """Remove a folder and what is in it, if it is there.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be removed.
        """
        if self.path is not None:
            if self.path.is_dir():
                shutil.rmtree(self.path)
            return
        with _foreign(self) as (files, path):
            if files.exists(path):
                files.rm(path, recursive=True)

    def remove(self) -> None:
        """Remove a file, if it is there.

        Raises:
            InputError: the file system is not known, or refuses.
            OSError: it cannot be removed.
        """
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            return
        with _foreign(self) as (files, path):
            if files.exists(path):
                files.rm_file(path)


def _files_of_clip(path: Path) -> list[Path]:
    """A file itself, or the files of a folder of frames.

    They are at most as deep in it as those of Pose2Sim's project (``pose/cam01_json/*.json``). Deeper ones
    are left out, since any folder can be named, such as the root of a disk.
    """
    found = chain.from_iterable(path.glob("/".join("*" * depth)) for depth in (1, 2, 3))
    return [each for each in (found if path.is_dir() else [path]) if each.is_file()]


@contextmanager
def _foreign(location: Location) -> Iterator[tuple[AbstractFileSystem, str]]:
    """The file system of an address and the path in it, for a block that only asks this file system.

    Raises:
        InputError: it is not known, its library is missing, or it refuses in a way of its own.
        OSError: it cannot be reached, or has no such file.
    """
    fsspec = import_extra("fsspec.core", "cluster")
    try:
        files, path = fsspec.url_to_fs(location.text)
        files.invalidate_cache()
        yield files, path
    except InputError:
        raise
    except FileNotFoundError:
        raise FileNotFoundError(f"{location.text}: no such file") from None
    except OSError as error:
        raise OSError(f"{location.text}: {one_line(error)}") from error
    except Exception as error:  # every file system has exceptions of its own: missing keys, wrong names
        raise InputError(f"{location.text}: {one_line(error)}") from error

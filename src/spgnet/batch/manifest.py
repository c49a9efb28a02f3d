"""The manifest of a result: what it was made of and how, so that it is made once.

Every input has a manifest of its own, ``manifest.json`` in the folder of its results, which is written last.
So nothing is lost if the program is killed, and several may work for one folder.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from spgnet.batch.locations import Location
from spgnet.errors import InputError
from spgnet.field_types import field_values
from spgnet.text import parse_json_text

MANIFEST = "manifest.json"
"""Name of the file."""
REPORT = "report.json"
"""Name of the report on a batch, in the folder of all results."""
READERS = 16
"""Questions that are asked at once of a file system: across a network each takes long."""


@dataclass(frozen=True)
class Key:
    """All that a result depends on.

    Attributes:
        input: path or address.
        fingerprint: of the input (:meth:`Location.fingerprint`).
        options: of lifting and of the files to write.
        files: SHA-256 of the files that the options name, and of the weights, by option.
        version: of this package.
    """

    input: str
    fingerprint: str | None
    options: dict
    files: dict
    version: str


@dataclass(frozen=True)
class Manifest:
    """What there is of an input's results.

    Attributes:
        key: what they depend on.
        complete: whether all of them are there; otherwise they are being written, or were when the program
            ended.
        files: their names.
        people: how many were lifted.
        frames: of the clip.
        seconds: of processing.
        remarks: what the user should know.
    """

    key: Key
    complete: bool
    files: tuple[str, ...] = ()
    people: int = 0
    frames: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest in a file's text.

        Raises:
            InputError: it is none.
        """
        values = parse_json_text(text)
        if not isinstance(values, dict):
            raise InputError("not a manifest: expected an object")
        key = Key(**_all_values(Key, values.get("key")))
        return cls(**_all_values(Manifest, values | {"key": key}))


def _all_values(kind: type, values: Any) -> dict[str, Any]:
    try:
        found = field_values(kind, values)
        kind(**found)
    except TypeError as error:
        raise InputError(f"not a manifest: {error}") from None
    return found


@dataclass(frozen=True)
class StoredResult:
    """A folder of results as it was found.

    Attributes:
        manifest: its manifest; None if it has none that can be read.
        names: of the files in it.
    """

    manifest: Manifest | None
    names: frozenset[str]

    def is_result_of(self, key: Key) -> bool:
        """Whether all results that follow from a key are there."""
        found = self.manifest
        return found is not None and found.complete and found.key == key and set(found.files) <= self.names


def read_manifest(folder: Location) -> Manifest | None:
    """The manifest in a folder; None if there is none, or a damaged one, whose results are made again.

    Raises:
        OSError: it cannot be read.
    """
    try:
        content = folder.joined(MANIFEST).read()
    except FileNotFoundError:
        return None
    with suppress(InputError, UnicodeDecodeError):
        return Manifest.from_json(content.decode())
    return None


def stored_results(out: Location) -> dict[str, StoredResult]:
    """The folders in a batch's folder of results, by name.

    Raises:
        InputError: the file system is not known, or refuses; or the folder is a file.
        OSError: it cannot be read.
    """
    folders = [name for name, folder in (_entries(out) or {}).items() if folder and not name.startswith(".")]
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(folders, pool.map(_stored_result, map(out.joined, folders)), strict=True))


def _stored_result(folder: Location) -> StoredResult:
    names = frozenset(_entries(folder) or {})
    return StoredResult(read_manifest(folder) if MANIFEST in names else None, names)


def _entries(folder: Location) -> dict[str, bool] | None:
    """The names in a folder; None if there is no such folder."""
    if folder.path is not None and folder.path.is_file():
        raise InputError(f"{folder.text}: a file is in the way; --out names a folder")
    return folder.entries()

"""The kinds of damage on which a reader failed once, put into every file that can have them."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

VALUES = (
    b"9" * 400,  # more digits than Python converts
    b"1e39",  # beyond single precision
    b"1e308",  # whose square is beyond double precision
    b"NaN",
    b"-1",
    b"true",  # which Python counts as 1
    b'"\\u001b\\n' + b"a" * 400 + b'"',  # no line, cannot be printed, and is too long for one
    b"[" * 3000,  # beyond the depth of Python's stack
)
"""In the place of a number in text."""
HEADERS = {
    b"'shape': (1000000000, 1000)": rb"'shape': \([^)]*\)",
    b"'shape': (0, 1000000000000)": rb"'shape': \([^)]*\)",
    b"'shape': (-4, 17, 3)": rb"'shape': \([^)]*\)",
    b"'descr': '|O'": rb"'descr': '[^']*'",
    b"'descr': '<U1000000000'": rb"'descr': '[^']*'",
}
"""In the place of what the header of an array says."""
NUMBERS = (np.nan, np.inf, 1e39, 1e308, -1.0)
"""In an array in the place of its first number."""


def damaged_copies(content: bytes, suffix: str) -> Iterator[bytes]:
    """A file with each kind of damage: cut off, and what :data:`_BY_SUFFIX` does.

    Args:
        content: of a valid file.
        suffix: of its name.
    """
    yield b""
    yield content[: len(content) // 2]
    yield from _BY_SUFFIX.get(suffix, lambda content: iter(()))(content)


def _text(content: bytes) -> Iterator[bytes]:
    """With another value instead of the first number or one in the middle; with long runs."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    for at in sorted({0, len(numbers) // 2}) if numbers else ():
        number = numbers[at]
        for value in VALUES:
            yield content[: number.start()] + value + content[number.end() :]
    for run in (b"#" * 50_000, b" " * 50_000, b"\n" * 50_000, b"<a>" * 3000, b'{"a":' * 3000):
        yield run + content


def _npz(content: bytes) -> Iterator[bytes]:
    """With another array in the place of each."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, member in members.items():
        for changed in _npy(member):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                for other, kept in members.items():
                    archive.writestr(other, changed if other == name else kept)
            yield file.getvalue()


def _npy(content: bytes) -> Iterator[bytes]:
    """With another header, other numbers, text that is none, or in half precision."""
    for said, former in HEADERS.items():
        yield re.sub(former, lambda _, said=said: said, content, count=1)
    if b"|O" in content[:128]:
        return
    array = np.lib.format.read_array(io.BytesIO(content))
    with np.errstate(all="ignore"):
        if array.dtype.kind == "U" and array.nbytes:
            yield content[:-4] + b"\xff\xff\xff\xff"
        elif array.dtype.kind == "f":
            for number in NUMBERS:
                yield _saved(np.concatenate(([number], array.ravel()[1:])).reshape(array.shape))
            yield _saved(np.full(array.shape, 6e4).astype(np.float16))
    yield _saved(array[None])


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _safetensors(content: bytes) -> Iterator[bytes]:
    """With another description of the network."""
    (length,) = struct.unpack_from("<Q", content)
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    for key, described in header["__metadata__"].items():
        for changed in (b"true", b"[]", b"null", *_text(described.encode())):
            metadata = header["__metadata__"] | {key: changed.decode()}
            raw = json.dumps(header | {"__metadata__": metadata}).encode()
            yield struct.pack("<Q", len(raw)) + raw + content[8 + length :]


_BY_SUFFIX: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    **dict.fromkeys(
        (".json", ".jsonl", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".xml", ".toml", ".bvh", ".asf", ".amc"),
        _text,
    ),
    ".npz": _npz,
    ".npy": _npy,
    ".safetensors": _safetensors,
}

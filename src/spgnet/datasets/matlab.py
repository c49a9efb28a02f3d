"""Arrays of numbers, and cells of them, in MATLAB 5 files.

SciPy's reader, which is made for all that MATLAB knows, can crash on a damaged file. This one reads what data
sets of motion hold, in memory in proportion to the file, and refuses the rest. The format is that of
MathWorks' *MAT-File Format*, chapter 1.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spgnet.errors import InputError
from spgnet.limits import check_unpacked_size, unpacked_limit

Contents = np.ndarray | list[np.ndarray]
"""An array, or the arrays of a cell, column by column."""

_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's type of stored numbers, by MATLAB's number of it."""
_CELL = 1
_CLASSES = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), start=6))
"""NumPy's type of an array, by its class; its numbers may be stored in fewer bytes."""
_COMPLEX = 0x800
_BEGINNING = 2**12
"""Bytes of a variable within which its name ends."""


def read_matlab(file: Path, names: Collection[str]) -> dict[str, Contents]:
    """The variables of these names that a file has.

    Raises:
        InputError: it is no MATLAB 5 file (of a little-endian machine), is damaged, unpacks to more than its
            size allows (:mod:`spgnet.limits`), or a variable of these names is neither an array of real
            numbers nor a cell of such arrays. The message does not name the file.
        OSError: it cannot be read.
    """
    stored, unpacked = file.stat().st_size, 0
    found: dict[str, Contents] = {}
    for compressed, content in _variables(file):
        beginning = memoryview(_unpack(content, _BEGINNING))[8:] if compressed else content[:_BEGINNING]
        name = _read_header(_Elements(beginning)).name
        if name not in names:
            continue
        if compressed:
            content = memoryview(_unpack(content, unpacked_limit(stored) + 1))
            check_unpacked_size(unpacked + len(content), stored)
            content = _Elements(content).next(_MATRIX)
        found[name] = values = _read_contents(content)
        arrays = values if isinstance(values, list) else [values]
        unpacked += len(content) + sum(array.nbytes for array in arrays)
        check_unpacked_size(unpacked, stored)
    return found


def _variables(file: Path) -> Iterator[tuple[bool, memoryview]]:
    """Whether each variable of a file is compressed, and its content."""
    left = file.stat().st_size - 128
    with file.open("rb") as stream:
        header = stream.read(128)
        if left < 0 or header[124:] != b"\x00\x01IM":
            raise _unreadable("its header is another")
        while left > 0:
            tag = stream.read(8)
            if len(tag) < 8:
                raise _unreadable("it ends too early")
            kind, size = struct.unpack("<II", tag)
            left -= 8 + size
            if left < 0:
                raise _unreadable("it ends too early")
            content = memoryview(stream.read(size))
            if kind in (_MATRIX, _COMPRESSED):  # others are MATLAB's own
                yield kind == _COMPRESSED, content


def _unpack(content: memoryview, most: int) -> bytes:
    """The beginning of what is compressed, of at most so many bytes."""
    try:
        return zlib.decompressobj().decompress(content, most)
    except zlib.error as error:
        raise _unreadable(str(error)) from None


class _Elements:
    """The elements of a variable, one after another."""

    def __init__(self, content: memoryview) -> None:
        self.rest = content

    def next(self, kind: int) -> memoryview:
        """The content of the next element, which is of this type."""
        return self.next_of((kind,))[1]

    def next_of(self, kinds: Collection[int]) -> tuple[int, memoryview]:
        """The type of the next element, which is one of these, and its content."""
        if len(self.rest) < 8:
            raise _unreadable("a variable ends too early")
        kind, size = struct.unpack("<II", self.rest[:8])
        begin = 8
        if (
            kind >> 16
        ):  # a small element has its size in the upper half of its type, and its content in the tag
            kind, size, begin = kind & 0xFFFF, kind >> 16, 4
            if size > 4:
                raise _unreadable("a small element is large")
        if kind not in kinds:
            raise _unreadable(f"an element is of type {kind}")
        content = self.rest[begin : begin + size]
        if len(content) < size:
            raise _unreadable("a variable ends too early")
        self.rest = self.rest[-(-(begin + size) // 8) * 8 :]
        return kind, content


class _Header(NamedTuple):
    """How a variable begins."""

    matlab_class: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str


def _read_header(elements: _Elements) -> _Header:
    flags = elements.next(_UINT32)
    if len(flags) != 8:
        raise _unreadable("a variable has no class")
    word = int.from_bytes(flags[:4], "little")
    shape = elements.next(_INT32)
    if len(shape) % 4 or not 8 <= len(shape) <= 32:
        raise _unreadable(f"a variable has {len(shape) // 4} dimensions")
    sizes = tuple(np.frombuffer(shape, "<i4").tolist())
    if min(sizes) < 0:
        raise _unreadable("a variable has a negative size")
    name = bytes(elements.next(_INT8)).decode("ascii", "replace")
    return _Header(word & 0xFF, bool(word & _COMPLEX), sizes, name)


def _read_contents(content: memoryview) -> Contents:
    """A variable's array, or the arrays of its cell."""
    elements = _Elements(content)
    header = _read_header(elements)
    if header.matlab_class != _CELL:
        return _read_array(header, elements)
    if 8 * math.prod(header.shape) > len(elements.rest):
        raise _unreadable(f"{header.name} ends too early")
    return [_read_part(elements.next(_MATRIX), header.name) for _ in range(math.prod(header.shape))]


def _read_part(content: memoryview, name: str) -> np.ndarray:
    """An array of the cell of this name."""
    if not content:
        return np.empty((0, 0))
    elements = _Elements(content)
    return _read_array(_read_header(elements)._replace(name=name), elements)


def _read_array(header: _Header, elements: _Elements) -> np.ndarray:
    if header.matlab_class not in _CLASSES or header.is_complex:
        raise InputError(f"{header.name} does not hold real numbers")
    kind, content = elements.next_of(_STORED)
    stored = np.dtype(f"<{_STORED[kind]}")
    if len(content) != math.prod(header.shape) * stored.itemsize:
        raise _unreadable(f"{header.name} has another size than it says")
    values = np.frombuffer(content, stored).astype(_CLASSES[header.matlab_class], copy=False)
    return values.reshape(header.shape, order="F")


def _unreadable(reason: str) -> InputError:
    return InputError(f"not a readable MATLAB 5 file ({reason})")

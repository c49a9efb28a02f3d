"""Object arrays: ``.npz`` files whose members are pickled, read without running anything that they hold.

The prepared archives of the field (VideoPose3D's ``data_3d_h36m.npz`` and its kin) are dictionaries of arrays
that NumPy can only read with ``allow_pickle=True``, which lets a file run any code. Here a pickle may name
only what such dictionaries need. Even those names lead to inert stand-ins: no function of NumPy sees what the
pickle says, and arrays are made afterwards, of bytes that are there, once their shapes and types are checked.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError, one_line, prefix_errors
from spgnet.files import DAMAGED_ARCHIVE
from spgnet.limits import MOST_OBJECTS, check_unpacked_size, limit_factor

_DEEPEST = 16
"""How deep dictionaries and lists may be nested; the archives have four levels."""


def read_object_arrays(path: Path | str) -> dict[str, Any]:
    """The arrays of an ``.npz`` file that may hold pickled dictionaries and lists of plain arrays.

    Files of Python 2 and of old NumPy are read too; their text is taken for Latin-1.

    Returns:
        For each key what it holds: an array; an array of objects where it has dimensions; and the object
        itself (say a dictionary) where it has none. Arrays that were in a pickle are read-only.

    Raises:
        InputError: the file is missing or damaged, unpacks to more than
            :func:`spgnet.limits.unpacked_limit`, or a pickle names anything
            but arrays of booleans, integers and floating point numbers, dictionaries, lists, tuples, text
            and numbers. Nothing that it names has been run. The message is one line that names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with prefix_errors(path):
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
                check_unpacked_size(sum(member.file_size for member in members), path.stat().st_size)
                return {_key(member): _read_member(archive, member) for member in members}
        except InputError:
            raise
        except DAMAGED_ARCHIVE as error:
            raise InputError(f"not a readable .npz file ({one_line(error)})") from None


def _key(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    with prefix_errors(_key(member)):
        with archive.open(member) as file:
            shape, fortran, dtype = _read_header(file)
            rest = file.read()
        if dtype == np.dtype(object):
            array = unpickle_plain(rest)
            return array.item() if isinstance(array, np.ndarray) and array.shape == () else array
        return _array_of(rest, dtype, shape, fortran).copy()


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        if version in readers:
            return readers[version](file)
    except ValueError as error:
        raise InputError(one_line(error)) from None
    raise InputError(f"its layout has version {version}, expected 1.0 or 2.0")


def _array_of(raw: bytes, dtype: np.dtype, shape: tuple[int, ...], fortran: bool) -> np.ndarray:
    """The array that these bytes are; there must be as many as the shape says."""
    expected = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or expected != len(raw):
        raise InputError(f"an array of {dtype} and shape {shape} holds {len(raw)} bytes, expected {expected}")
    return np.ndarray(shape, dtype, buffer=raw, order="F" if fortran else "C")


def unpickle_plain(data: bytes) -> Any:
    """The plain objects in a pickle: numbers, text, lists, dictionaries and arrays of numbers.

    Raises:
        InputError: it is damaged, or names anything else; nothing that it names has been run.
    """
    try:
        _check_opcodes(data)
        return _Plain()(_Unpickler(io.BytesIO(data), encoding="latin1").load())
    except InputError:
        raise
    except Exception as error:  # the documentation of pickle promises none in particular
        raise InputError(f"a damaged pickle ({one_line(error)})") from None


_OPCODES = re.compile(
    "PROTO|FRAME|STOP|MARK|NONE|NEWTRUE|NEWFALSE|INT|BININT[12]?|LONG[14]?|FLOAT|BINFLOAT"
    "|STRING|(SHORT_)?BINSTRING|UNICODE|(SHORT_)?BINUNICODE|BINUNICODE8|(SHORT_)?BINBYTES|BINBYTES8"
    "|(EMPTY_)?(LIST|DICT|TUPLE)|TUPLE[123]|APPENDS?|SETITEMS?|(LONG_)?BIN(PUT|GET)|PUT|GET|MEMOIZE"
    "|(STACK_)?GLOBAL|REDUCE|BUILD|INST|OBJ|NEWOBJ(_EX)?"
)
"""What a pickle may consist of. INST, OBJ and NEWOBJ make instances of classes, none of which a pickle can
name here; they are let through so that the message names the class."""


def _check_opcodes(data: bytes) -> None:
    """Refuse opcodes that dictionaries of arrays do not need, and those that claim memory out of nothing."""
    most = MOST_OBJECTS * limit_factor()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
        if count > most:
            raise InputError(f"its pickle has more than {most:.0f} objects")
        if not _OPCODES.fullmatch(opcode.name):
            raise InputError(f"its pickle has the opcode {opcode.name}, which plain arrays do not need")
        if opcode.name.endswith("PUT") and isinstance(argument, int) and not 0 <= argument <= count:
            raise InputError(f"a damaged pickle (entry {argument} of its memo comes after {count} opcodes)")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = _GLOBALS.get((module_name, global_name))
        if found is None:
            name = f"{module_name}.{global_name}"[:100]
            raise InputError(
                f"its pickle names {name!r}, expected only arrays of numbers, dictionaries, lists and text; "
                "nothing was run"
            )
        return found


class _Global:
    """A name that a pickle may use. It is no class, so nothing is made of it but by the given function."""

    __slots__ = ("_called",)

    def __init__(self, called: Callable[..., Any]) -> None:
        self._called = called

    def __call__(self, *arguments: Any) -> Any:
        return self._called(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise InputError("its pickle changes the state of a function")


class _Described:
    """What a pickle says of an array, a type or a scalar; nothing is made of it yet."""

    __slots__ = ("arguments", "kind", "state")

    def __init__(self, kind: str, arguments: tuple[Any, ...]) -> None:
        self.kind = kind
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _describe(kind: str) -> _Global:
    return _Global(lambda *arguments: _Described(kind, arguments))


def _latin1(text: Any, encoding: Any) -> bytes:
    """How Python 3 writes bytes for Python 2 to read."""
    if not isinstance(text, str) or encoding != "latin1":
        raise InputError(f"its pickle encodes text as {str(encoding)[:40]!r}, expected 'latin1'")
    return text.encode("latin1")


_GLOBALS = {
    ("numpy", "ndarray"): _describe("class"),
    ("numpy", "dtype"): _describe("dtype"),
    ("numpy.core.multiarray", "_reconstruct"): _describe("array"),
    ("numpy.core.multiarray", "scalar"): _describe("scalar"),
    ("numpy._core.multiarray", "_reconstruct"): _describe("array"),
    ("numpy._core.multiarray", "scalar"): _describe("scalar"),
    ("_codecs", "encode"): _Global(_latin1),
    ("builtins", "bytes"): _Global(lambda: b""),
    ("__builtin__", "bytes"): _Global(lambda: b""),
    ("collections", "OrderedDict"): _Global(lambda: {}),
}
"""Every global that a pickle may name, and what it does; bytes and OrderedDict are only called empty."""


class _Plain:
    """From what was unpickled to plain objects and arrays; what occurs more than once is made once."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()

    def __call__(self, value: Any) -> Any:
        if value is None or isinstance(value, (str, bytes, bool, int, float)):
            return value
        if id(value) in self._open or len(self._open) >= _DEEPEST:
            raise InputError(f"its pickle holds itself, or is nested more than {_DEEPEST} levels deep")
        if id(value) not in self._made:
            self._open.add(id(value))
            self._made[id(value)] = self._make(value)
            self._open.remove(id(value))
        return self._made[id(value)]

    def _make(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {_checked_key(key): self(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self(item) for item in value)
        if isinstance(value, _Described) and value.kind == "array":
            return self._array(value.state)
        if isinstance(value, _Described) and value.kind == "scalar" and len(value.arguments) == 2:
            dtype, raw = value.arguments
            return _array_of(_bytes(raw), _numbers(dtype), (), False)[()]
        raise InputError("its pickle holds a function or a type, expected values")

    def _array(self, state: Any) -> np.ndarray:
        if not isinstance(state, tuple) or len(state) != 5 or not _is_shape(state[1]):
            raise InputError("its pickle holds an array without a shape and a type")
        _, shape, dtype, fortran, content = state
        if not isinstance(content, list):
            return _array_of(_bytes(content), _numbers(dtype), shape, bool(fortran))
        if math.prod(shape) != len(content):
            raise InputError(f"an array of shape {shape} holds {len(content)} objects")
        objects = np.empty(len(content), dtype=object)
        for index, item in enumerate(content):
            objects[index] = self(item)
        return objects.reshape(shape)  # the list is in C order, whatever the array was


def _checked_key(key: Any) -> Any:
    if not isinstance(key, (str, int)):
        raise InputError(f"its pickle has a {type(key).__name__} for a key, expected text or a number")
    return key


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)


def _bytes(raw: Any) -> bytes:
    """An array's bytes. Those that Python 2 wrote were taken for text."""
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(raw, bytes):
        raise InputError(f"its pickle has a {type(raw).__name__} where an array's bytes are expected")
    return raw


def _numbers(dtype: Any) -> np.dtype:
    """The type of numbers that a stand-in describes, from its code and byte order alone."""
    if not isinstance(dtype, _Described) or dtype.kind != "dtype" or not isinstance(dtype.state, tuple):
        raise InputError("its pickle holds an array of an unknown type")
    code, (_, order, *structure) = dtype.arguments[0], dtype.state[:5]
    if order not in ("<", ">", "|", "=") or not isinstance(code, str) or code not in _CODES:
        raise InputError(f"its pickle holds values of type {str(code)[:40]!r}, expected plain numbers")
    if any(part is not None for part in structure):
        raise InputError("its pickle holds an array of structures, expected plain numbers")
    return np.dtype(order + code)


_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


def read_dictionaries(path: Path | str, *keys: str) -> list[dict[str, Any]]:
    """The dictionaries that an ``.npz`` file holds under some keys.

    Raises:
        InputError: as in :func:`read_object_arrays`, or there is no dictionary under a key.
    """
    arrays = read_object_arrays(path)
    for key in keys:
        if not isinstance(arrays.get(key), dict):
            raise InputError(f"{path}: has no dictionary {key!r}")
    return [arrays[key] for key in keys]

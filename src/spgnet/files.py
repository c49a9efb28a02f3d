"""Files: written whole or not at all, and read with an error of one line, whatever is in them."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import sys
import time
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError, one_line, prefix_errors
from spgnet.limits import check_unpacked_size
from spgnet.text import parse_json, parse_json_text, read_text

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextmanager
def whole_file(path: Path, ending: str = "") -> Iterator[Path]:
    """A temporary path beside a file, which becomes the file when the ``with`` block ends.

    If the block fails or is interrupted, nothing is left behind and an old file stays as it was. The contents
    are on the disk before the file has its name. Several writers of one file do not meet: each has a
    temporary path of its own, and the last one's file stays. What a killed process left is removed by the
    next writer.

    Args:
        path: the file; one that is there is replaced.
        ending: what the temporary name shall end in, for writers that insist on a suffix.

    Raises:
        OSError: it cannot be written; the error names the file and not the temporary one.
    """
    with _temporary_path(path, ending) as temporary:
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            with suppress(OSError):  # not every file system can
                _sync(path.parent)
        except OSError as error:
            if error.filename is not None and temporary.name not in str(error.filename):
                raise  # of another file (FFmpeg puts "file:" before the name)
            if error.errno is None:
                raise OSError(f"{path}: {error}") from error
            raise OSError(error.errno, error.strerror, str(path)) from error
        finally:
            with suppress(OSError):  # what went wrong before is told, not this
                temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A temporary folder, which is removed with what is in it when the ``with`` block ends.

    What a killed process left of the same name is removed by the next one.

    Args:
        parent: the folder that it is made in.
        name: what it is for.

    Raises:
        OSError: it cannot be made.
    """
    with _temporary_path(parent / name) as folder:
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


_in_use: set[str] = set()
"""Names of the temporary files and folders of this process: in a container, a killed process may have had the
same number."""


@contextmanager
def _temporary_path(path: Path, ending: str = "") -> Iterator[Path]:
    """A name beside a path that nobody else uses, after what killed processes left beside it was removed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial{ending}")
    _in_use.add(temporary.name)
    try:
        sweep_leftovers(path)
        yield temporary
    finally:
        _in_use.discard(temporary.name)


_LEFTOVER = re.compile(r"\.(\d{1,9})-[0-9a-f]{8}\.partial[^/]*")
_ABANDONED = 86_400
"""Seconds after which a temporary file is a leftover, whoever wrote it."""


def sweep_leftovers(path: Path) -> None:
    """Remove the temporary files and folders beside a path that killed processes left.

    :func:`whole_file` and :func:`scratch_folder` do so themselves.
    """
    start = f".{path.name}"
    with suppress(OSError):  # a folder that is not there or cannot be read has none to remove
        for other in path.parent.iterdir():
            name = other.name
            match = _LEFTOVER.fullmatch(name.removeprefix(start)) if name.startswith(start) else None
            if match is None:
                continue
            with suppress(OSError):
                old = time.time() - other.stat().st_mtime > _ABANDONED
                process = int(match[1])
                running = name in _in_use if process == os.getpid() else _is_running(process)
                if old or not running:
                    if other.is_dir():
                        shutil.rmtree(other, ignore_errors=True)
                    else:
                        other.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether a process may be running; always true where that cannot be told."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)  # no signal: only asks
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """A folder that exists, and that nobody else can hold until the ``with`` block ends.

    The system lets go of it when this process ends, however it ends. On a file system without locks, such as
    some of networks, nobody is kept out. A folder that was created is removed again if it stays empty.

    Raises:
        InputError: somebody else holds it.
        OSError: it cannot be created.
    """
    new = not folder.exists()
    handle = _lock_folder(folder)
    _held.add(handle)
    try:
        yield
    finally:
        if new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
        _held.discard(handle)
        os.close(handle)


_IN_USE = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def _lock_folder(folder: Path) -> int:
    """A handle that holds a folder until it is closed; the folder is created if it is not there."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":  # which opens no folders
            handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
        else:
            handle = os.open(folder, os.O_RDONLY)
        try:
            if sys.platform == "win32":
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # of other kinds where locks are not known
            if error.errno in _IN_USE:
                os.close(handle)
                raise InputError(
                    f"{folder}: in use by another process; wait until that ends, or name another folder"
                ) from None
        with suppress(FileNotFoundError):
            if sys.platform == "win32" or os.path.samestat(os.fstat(handle), folder.stat()):
                return handle
        os.close(handle)  # of a folder that was removed meanwhile by who held it


_held: set[int] = set()
"""Handles of the folders that this process holds."""


def _let_go() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)  # a child may outlive this process for some seconds


def _sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk."""
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def expand_home(path: Path | str) -> Path:
    """A path whose ``~`` or ``~user`` at the start is that user's folder, if there is such a user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key for the names of files that orders numbers inside names by value (2 before 10)."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return tuple((0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's contents, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        InputError: the file is not JSON, or beyond :mod:`spgnet.limits`; the message names it.
        OSError: it cannot be read.
    """
    with prefix_errors(path):
        return parse_json(path)


def json_lines(text: str) -> list[str]:
    """The lines of JSON Lines, which newlines alone end: a string may hold U+2028, for example."""
    return text.removesuffix("\n").split("\n") if text else []


def read_json_lines(path: Path) -> list[Any]:
    """The values in a file of one JSON value a line.

    Raises:
        InputError: a line is not JSON; the message names the file.
        OSError: it cannot be read.
    """
    with prefix_errors(path):
        return [parse_json_text(line) for line in json_lines(read_text(path))]


DAMAGED_ARCHIVE = (
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise on archives with wrong bytes in them: also those that call a member encrypted,
its compression unknown or its array immense."""


def write_npz(path: Path, **arrays: Any) -> None:
    """Write arrays as a compressed ``.npz`` file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("wb") as file:  # a path would get a suffix from NumPy
        np.savez_compressed(file, **arrays)


def npz_names(path: Path | str) -> list[str]:
    """The names of the arrays of an ``.npz`` file; nothing is read.

    Raises:
        InputError: there is no such file, or it is no ``.npz`` file. The message does not name the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file")
    if not zipfile.is_zipfile(path):
        raise InputError("not an .npz file, or a truncated one: expected a zip archive of arrays")
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except DAMAGED_ARCHIVE as error:
        raise InputError(f"a damaged .npz file ({one_line(error)})") from None


@contextmanager
def _written_by_python_2() -> Iterator[None]:
    """Without NumPy's warning that reading the headers of such files takes it longer."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Reading `.npy` or `.npz` file required", UserWarning)
        yield


@_written_by_python_2()
def read_npy(path: Path) -> np.ndarray:
    """The plain array of an ``.npy`` file.

    Raises:
        InputError: it is no ``.npy`` file, is damaged, or holds Python objects. The message does not name
            the file: see :func:`spgnet.errors.prefix_errors`.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            size = _array_bytes(file)
            if size > path.stat().st_size:
                raise InputError("a truncated .npy file, or none")
            file.seek(0)
            array = np.lib.format.read_array(file, allow_pickle=False)
            _check_text("it", array)
            return array
        except InputError:
            raise
        except DAMAGED_ARCHIVE as error:
            if "allow_pickle" in str(error):
                raise InputError("it holds pickled Python objects, which are never opened") from None
            raise InputError(f"a damaged .npy file ({one_line(error)})") from None


def _check_text(name: str, array: Any) -> None:
    """Refuse text that Python cannot make strings of."""
    if isinstance(array, np.ndarray) and array.dtype.kind == "U" and array.nbytes:
        codes = np.ascontiguousarray(array).reshape(-1).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if codes.max(initial=0) > sys.maxunicode:
            raise InputError(f"{name} holds damaged text")


_MAGIC = np.lib.format.MAGIC_PREFIX
_LONGEST_EMPTY = 1_000_000
"""Largest dimension of an array without elements, whose file does not bound it."""


def _array_bytes(file: Any) -> int:
    """How many bytes the array takes whose header a file begins with; 0 for Python objects."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise InputError(f"its layout has version {version}, expected 1.0 or 2.0")
    shape, _, dtype = readers[version](file)
    immense = math.prod(shape) == 0 and max(shape) > _LONGEST_EMPTY
    if min(shape, default=0) < 0 or immense:
        raise InputError(f"an array of shape {shape}")
    return 0 if dtype.hasobject else math.prod(shape) * max(1, dtype.itemsize)


@_written_by_python_2()
def read_npz(path: Path | str, keys: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The plain arrays of an ``.npz`` file. Python objects in it are never opened.

    Args:
        path: the file.
        keys: which of its arrays to read; if None, all. One that the file lacks is left out, and what the
            file holds beside them may be anything.

    Raises:
        InputError: there is no such file, it is no ``.npz`` file or is damaged, an array to be read holds
            Python objects, or they unpack to more than
            :func:`spgnet.limits.unpacked_limit`. The message does not name the
            file: see :func:`spgnet.errors.prefix_errors`.
    """
    path = Path(path)
    names = [name for name in npz_names(path) if keys is None or name in keys]
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            assert archive.zip is not None
            _check_size(archive.zip, names, path.stat().st_size)
            arrays = {name: archive[name] for name in archive.files if keys is None or name in keys}
    except InputError:
        raise
    except DAMAGED_ARCHIVE as error:
        if "allow_pickle" in str(error):
            raise InputError("it holds pickled Python objects, which are never opened") from None
        raise InputError(f"a damaged .npz file ({one_line(error)})") from None
    for name, array in arrays.items():
        _check_text(name, array)
    return arrays


def check_unpacked(path: Path) -> None:
    """Refuse an ``.npz`` file that unpacks to more than :func:`spgnet.limits.unpacked_limit`.

    Raises:
        InputError: it does, or is no such file. The message does not name the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(member.file_size for member in archive.infolist())
    except DAMAGED_ARCHIVE as error:
        raise InputError(f"a damaged .npz file ({one_line(error)})") from None
    check_unpacked_size(total, path.stat().st_size)


def _check_size(archive: zipfile.ZipFile, names: list[str], stored: int) -> None:
    """Refuse what is no array, and arrays that are larger than allowed, or cut off."""
    total = 0
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in names:
            with archive.open(info) as member:
                if member.read(len(_MAGIC)) != _MAGIC:
                    raise InputError(f"not an .npz file: {name} in it is no array")
                member.seek(0)
                size = _array_bytes(member)
            if size > info.file_size:
                raise InputError(f"a damaged .npz file ({name} is cut off)")
            total += max(size, info.file_size)
    check_unpacked_size(total, stored)

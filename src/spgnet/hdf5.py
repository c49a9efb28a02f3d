"""HDF5 files from elsewhere, within limits on time and memory.

The HDF5 library follows the addresses and counts of a file wherever they lead: one with wrong bytes can crash
it, or make it claim any memory. So a process of its own reads a file first, which the system ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spgnet.errors import InputError, one_line
from spgnet.extras import import_extra
from spgnet.hdf5_process import OUT_OF_MEMORY
from spgnet.limits import PROCESS_PATIENCE, process_limits, unpacked_limit

if TYPE_CHECKING:
    from h5py import File

_FAULTS = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError),
    MemoryError,
)
"""What h5py and SciPy raise for damaged files."""


@contextmanager
def open_hdf5(path: Path, extra: str) -> Iterator[File]:
    """Open a file to read it; what is wrong with it in the block is an :class:`InputError`, too.

    Args:
        path: the file.
        extra: of this package, which installs h5py.

    Raises:
        InputError: the file is damaged, reading it takes longer or more memory than its size allows
            (:mod:`spgnet.limits`), or h5py is missing. The message does not name the file.
    """
    h5py = import_extra("h5py", extra)
    _read_in_process(path)
    with hdf5_errors(), h5py.File(path, "r") as file:
        yield file


@contextmanager
def hdf5_errors() -> Iterator[None]:
    """Turn what h5py and SciPy raise for damaged files into an :class:`InputError` of one line."""
    try:
        yield
    except InputError:
        raise
    except _FAULTS as error:
        raise InputError(f"a damaged HDF5 file ({one_line(error, 100)})") from None


def check_size(dataset: Any, what: str) -> None:
    """Refuse datasets whose shape holds far more than is stored.

    Raises:
        InputError: it does. The message does not name the file.
    """
    limit = unpacked_limit(dataset.id.get_storage_size())
    if dataset.size * dataset.dtype.itemsize > limit:
        raise InputError(f"{what} has shape {list(dataset.shape)}, which is more than {limit // 2**20} MiB")


def _read_in_process(path: Path) -> None:
    """Read all of a file in a process within limits. Faults that h5py names are left to the caller's reading.

    Raises:
        InputError: it did not come to its end.
    """
    seconds, memory = process_limits(path.stat().st_size)
    script = Path(__file__).with_name("hdf5_process.py")
    # -P: the folder of the script is no place to import from
    command = [sys.executable, "-P", str(script), str(path), str(seconds), str(memory)]
    patience = PROCESS_PATIENCE * seconds
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience
        )
    except subprocess.TimeoutExpired:
        ended = None
    if ended is None or ended.returncode < 0 or ended.returncode == OUT_OF_MEMORY:
        raise InputError("a damaged HDF5 file (reading it takes longer or more memory than its size allows)")
    assert ended.returncode == 0, ended.stderr

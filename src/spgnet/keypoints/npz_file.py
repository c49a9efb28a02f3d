"""Reading ``.npz`` files of plain arrays, whatever is wrong with them."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from spgnet.errors import InputError

_DAMAGED = (
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise on archives with wrong bytes in them: also those that call a member encrypted,
its compression unknown or its array immense."""


def read_npz(path: Path | str, keys: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file.

    Args:
        path: the file, which is there.
        keys: which of them to read, where they are; if None, all. Others may hold anything.

    Raises:
        InputError: it is no ``.npz`` file, is damaged, or holds Python objects, which are never opened. The
            message does not name the file.
    """
    if not zipfile.is_zipfile(path):
        raise InputError("not an .npz file, or a truncated one: expected a zip archive of arrays")
    try:
        with Path(path).open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            wanted = [name for name in archive.files if keys is None or name in keys]
            arrays = {name: archive[name] for name in wanted}
    except _DAMAGED as error:
        if "allow_pickle" in str(error):
            raise InputError("it holds pickled Python objects, which are never opened") from None
        raise InputError(f"a damaged .npz file ({error})") from None
    foreign = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if foreign:
        raise InputError(f"not an .npz file: {', '.join(foreign)} in it is no array")
    return arrays

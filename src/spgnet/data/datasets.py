"""The data sets that can be read, and which of them a path holds."""

from __future__ import annotations

from pathlib import Path

from spgnet.data.take_files import TAKE_FILES_FORMAT
from spgnet.data.takes import DatasetFormat

FORMATS: tuple[DatasetFormat, ...] = (TAKE_FILES_FORMAT,)


def find_format(path: Path) -> DatasetFormat:
    """The data set that a file or folder holds.

    Raises:
        ValueError: there is nothing, or nothing that is known.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    for known in FORMATS:
        if known.recognises(path):
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise ValueError(
        f"{path}: holds no data set that is known ({names}); docs/datasets.md says what is expected"
    )

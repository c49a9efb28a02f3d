"""The data sets that can be read, and which of them a path holds."""

from __future__ import annotations

from pathlib import Path

from spgnet.datasets.human36m import HUMAN36M_FORMAT
from spgnet.datasets.humaneva import HUMANEVA_FORMAT
from spgnet.datasets.mpi_inf_3dhp import MPI_INF_3DHP_FORMAT
from spgnet.datasets.take_files import TAKE_FILES_FORMAT
from spgnet.datasets.takes import DatasetFormat
from spgnet.errors import InputError

FORMATS: tuple[DatasetFormat, ...] = (
    HUMAN36M_FORMAT,
    HUMANEVA_FORMAT,
    MPI_INF_3DHP_FORMAT,
    TAKE_FILES_FORMAT,
)
"""In the order in which a path is tried."""


def find_format(path: Path) -> DatasetFormat:
    """The data set that a file or folder holds.

    Raises:
        InputError: there is nothing, or nothing that is known.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    for known in FORMATS:
        if known.recognises(path):
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise InputError(
        f"{path}: holds no data set that is known ({names}); docs/datasets.md says what is expected"
    )

"""The data sets that can be read, and which of them a path holds."""

from __future__ import annotations

from pathlib import Path

from spgnet.data.human36m import HUMAN36M_FORMAT
from spgnet.data.humaneva import HUMANEVA_FORMAT
from spgnet.data.mpi_inf_3dhp import MPI_INF_3DHP_FORMAT
from spgnet.data.take_files import TAKE_FILES_FORMAT
from spgnet.data.takes import DatasetFormat

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

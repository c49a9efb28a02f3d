"""HDF5 files are read within limits, by a process that may die in our place."""

import subprocess

import h5py
import numpy as np
import pytest

import spgnet.hdf5
import spgnet.limits
from spgnet.errors import InputError
from spgnet.hdf5 import open_hdf5
from spgnet.hdf5_process import OUT_OF_MEMORY
from spgnet.limits import ALWAYS_UNPACKED


@pytest.fixture
def file(tmp_path):
    """A file of some kilobytes that unpacks to as much as such a file may."""
    path = tmp_path / "zeros.h5"
    with h5py.File(path, "w") as held:
        held.create_dataset(
            "zeros", (ALWAYS_UNPACKED // 8,), "f8", np.zeros(ALWAYS_UNPACKED // 8), compression=9
        )
    return path


def test_a_file_that_takes_more_memory_than_its_size_allows_is_refused(file, monkeypatch):
    with open_hdf5(file, "hdf5") as held:
        assert held["zeros"][:].nbytes == ALWAYS_UNPACKED
    monkeypatch.setattr(spgnet.limits, "PROCESS_MEMORY", -3 * ALWAYS_UNPACKED)
    with pytest.raises(InputError, match="longer or more memory"), open_hdf5(file, "hdf5"):
        pass


def test_a_file_that_takes_longer_than_its_size_allows_is_refused(file, monkeypatch):
    monkeypatch.setattr(spgnet.hdf5, "PROCESS_PATIENCE", 1e-6)
    with pytest.raises(InputError, match="longer or more memory"), open_hdf5(file, "hdf5"):
        pass


@pytest.mark.parametrize("code", [-11, -24, OUT_OF_MEMORY])
def test_a_file_with_which_the_process_does_not_come_to_its_end_is_not_opened(file, monkeypatch, code):
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, code))
    with pytest.raises(InputError, match="longer or more memory"), open_hdf5(file, "hdf5"):
        pass


def test_what_h5py_finds_wrong_is_said_in_its_words(tmp_path):
    path = tmp_path / "words.h5"
    path.write_text("words")
    with pytest.raises(InputError, match=r"a damaged HDF5 file \(.*signature"), open_hdf5(path, "hdf5"):
        pass

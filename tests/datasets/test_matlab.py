"""MATLAB 5 files: what SciPy writes is read as SciPy reads it, and what is damaged is refused."""

import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import loadmat, savemat

from spgnet.datasets.matlab import read_matlab
from spgnet.errors import InputError
from spgnet.limits import ALWAYS_UNPACKED

TYPES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
numbers = st.sampled_from(TYPES).flatmap(lambda kind: arrays(kind, array_shapes(max_dims=4, min_side=0)))


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("matlab") / "some.mat"


def cell(*parts: np.ndarray) -> np.ndarray:
    held = np.empty((len(parts), 1), dtype=object)
    held[:, 0] = parts
    return held


@given(numbers, numbers, st.booleans())
def test_arrays_and_cells_are_read_as_scipy_reads_them(file, first, second, compressed):
    written = {"one": first, "a_cell": cell(first, second), "left": np.ones(3), "text": "words"}
    savemat(file, written, do_compression=compressed)
    found, expected = read_matlab(file, ("one", "a_cell", "missing")), loadmat(file)
    assert found.keys() == {"one", "a_cell"}
    pairs = zip([found["one"], *found["a_cell"]], [expected["one"], *expected["a_cell"].ravel()], strict=True)
    for array, own in pairs:
        assert array.dtype == own.dtype
        np.testing.assert_array_equal(array, own)


def test_numbers_that_are_stored_in_fewer_bytes_have_the_type_of_their_class(file):
    savemat(file, {"one": np.array([[1.0, 2.0]])})
    content = bytearray(file.read_bytes())
    at = content.index(np.array([9, 16], "<u4").tobytes())
    content[at : at + 24] = np.array([2 << 16 | 2, 1 | 7 << 8], "<u4").tobytes()  # a small element of u1
    content[128 + 4 : 128 + 8] = (len(content) - 136).to_bytes(4, "little")
    file.write_bytes(content)
    found = read_matlab(file, ("one",))["one"]
    assert found.dtype == float
    np.testing.assert_array_equal(found, [[1, 7]])
    content[at : at + 4] = np.array([8 << 16 | 2], "<u4").tobytes()
    file.write_bytes(content)
    with pytest.raises(InputError, match="a small element is large"):
        read_matlab(file, ("one",))


def test_what_is_stored_in_fewer_bytes_counts_as_large_as_it_becomes(file):
    savemat(file, {"one": np.zeros(ALWAYS_UNPACKED // 8 + 1, np.uint8)}, do_compression=True)
    stored = file.read_bytes()
    assert read_matlab(file, ("one",))["one"].nbytes < ALWAYS_UNPACKED
    variable = bytearray(zlib.decompress(stored[136:]))
    assert variable[16] == 9  # the class of bytes
    variable[16] = 6  # that of doubles
    packed = zlib.compress(variable)
    file.write_bytes(stored[:132] + len(packed).to_bytes(4, "little") + packed)
    with pytest.raises(InputError, match="expected at most 64 of such a file"):
        read_matlab(file, ("one",))


@pytest.mark.parametrize(
    "value", ["words", np.array([1j]), {"a": 1}, cell(np.ones(2), cell(np.ones(2))), cell(np.array(["a"]))]
)
def test_what_holds_no_real_numbers_is_refused_by_its_name_if_it_is_wanted(file, value):
    savemat(file, {"other": value, "one": np.ones(2)})
    assert read_matlab(file, ("one",)).keys() == {"one"}
    with pytest.raises(InputError, match="other does not hold real numbers"):
        read_matlab(file, ("other",))


def test_a_variable_that_is_not_wanted_is_not_unpacked_and_one_that_unpacks_to_much_is_refused(file):
    savemat(file, {"zeros": np.zeros(2**23 + 1), "one": np.ones(2)}, do_compression=True)
    assert read_matlab(file, ("one",)).keys() == {"one"}
    with pytest.raises(InputError, match="expected at most 64 of such a file"):
        read_matlab(file, ("zeros",))


def test_a_file_that_is_cut_off_anywhere_is_refused_or_has_fewer_variables(file):
    savemat(file, {"one": np.ones((3, 4)), "two": cell(np.ones(2), np.ones(3))})
    whole = file.read_bytes()
    assert len(read_matlab(file, ("one", "two"))) == 2
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with suppress(InputError):
            assert len(read_matlab(file, ("one", "two"))) < 2


@pytest.mark.parametrize("compressed", [False, True])
def test_any_changed_byte_gives_numbers_or_an_input_error(file, compressed):
    savemat(file, {"one": np.ones((3, 4)), "two": cell(np.ones(2), np.ones(3))}, do_compression=compressed)
    whole = file.read_bytes()
    for at in range(124, len(whole)):
        for value in (0, 0xFF, whole[at] ^ 4):
            file.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            with suppress(InputError):
                read_matlab(file, ("one", "two"))

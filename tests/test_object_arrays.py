"""Object arrays are read as NumPy reads them, and a hostile file runs nothing."""

import codecs
import collections
import functools
import io
import os
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spgnet.datasets.array_errors import pixel_errors
from spgnet.object_arrays import read_object_arrays

RANDOM = np.random.default_rng(0)
MOTION = {
    "S1": {"Walking 1": RANDOM.normal(size=(7, 32, 3)).astype(np.float32), "Photo": np.zeros((1, 32, 3))},
    "S11": {},
}
PIXELS = {"S1": {"Walking 1": [RANDOM.normal(size=(9, 17, 2)).astype(np.float32) for _ in range(4)]}}
METADATA = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5], (1, 2)], "note": None}


def same(read: Any, written: Any) -> None:
    assert type(read) is type(written)
    if isinstance(written, dict):
        assert isinstance(read, dict)
        assert list(read) == list(written)
        for key, value in written.items():
            same(read[key], value)
    elif isinstance(written, list | tuple):
        assert len(read) == len(written)
        for one, other in zip(read, written, strict=True):
            same(one, other)
    elif isinstance(written, np.ndarray) and written.dtype == object:
        assert read.shape == written.shape
        same(read.ravel().tolist(), written.ravel().tolist())
    elif isinstance(written, np.ndarray):
        assert (read.dtype, read.shape) == (written.dtype, written.shape)
        np.testing.assert_array_equal(read, written)
    else:
        assert read == written


def save(path: Path, **arrays: Any) -> None:
    np.savez_compressed(path, allow_pickle=True, **arrays)


def npz(path: Path, *payloads: bytes, shape: str = "()") -> Path:
    """An archive whose members are these pickles, as NumPy would have written them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, payload in enumerate(payloads):
            header = f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
            archive.writestr(f"x{number}.npy", b"\x93NUMPY\x01\x00v\x00" + header.encode() + payload)
    return path


def test_what_numpy_writes_today_round_trips(tmp_path):
    written = {"positions_3d": MOTION, "positions_2d": PIXELS, "metadata": METADATA}
    save(tmp_path / "x.npz", **written, plain=np.eye(3), text=np.array("a"))
    read = read_object_arrays(tmp_path / "x.npz")
    same(read, {**written, "plain": np.eye(3), "text": np.array("a")})


@pytest.mark.parametrize("protocol", range(5))
def test_every_protocol_of_pickle_that_numpy_has_used_reads_equally(tmp_path, protocol):
    content = [MOTION, PIXELS, METADATA, np.float32(2.5), np.int64(-3), np.True_, b"", b"\xff", 2**70, -1.5]
    array = np.empty((), dtype=object)
    array[()] = content
    same(read_object_arrays(npz(tmp_path / "x.npz", pickle.dumps(array, protocol)))["x0"], content)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "<i4", ">i4", "<u8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0, 3), (4,), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_all_numbers_shapes_and_orders_round_trip(tmp_path, dtype, shape, order):
    array = np.asarray(RANDOM.integers(0, 100, shape), dtype=dtype, order=order)
    save(tmp_path / "x.npz", held={"a": [array, array]}, plain=array)
    read = read_object_arrays(tmp_path / "x.npz")
    same(read, {"held": {"a": [array, array]}, "plain": array})
    assert not read["held"]["a"][0].flags.writeable
    assert read["plain"].flags.writeable


def test_arrays_of_objects_keep_their_shape(tmp_path):
    objects = np.empty((2, 3), dtype=object)
    for index in np.ndindex(2, 3):
        objects[index] = np.full(index, 7.0)
    for array in (objects, np.asfortranarray(objects)):
        save(tmp_path / "x.npz", x=array, y={"held": array})
        same(read_object_arrays(tmp_path / "x.npz"), {"x": array, "y": {"held": array}})


def test_an_ordered_dictionary_is_read_as_a_dictionary(tmp_path):
    array = np.array(collections.OrderedDict(b=1, a=[2]), dtype=object)
    same(read_object_arrays(npz(tmp_path / "x.npz", pickle.dumps(array)))["x0"], {"b": 1, "a": [2]})


def test_a_file_of_python_2_reads(tmp_path):
    """What NumPy 1 writes under Python 2 for ``{'S1': array([[1, -2]], 'f4')}``: text without an encoding."""
    raw = np.array([[1, -2]], "<f4").tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    numbers = b"(K\x01K\x01K\x02\x86cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ"
    numbers += b"\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tb"
    objects = (
        b"(K\x01)cnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    )
    content = b"\x89](}U\x02S1" + array + numbers + b"setb"
    payload = b"\x80\x02" + array + objects + content + b"."
    legacy = pickle.loads(payload, encoding="latin1").item()
    same(read_object_arrays(npz(tmp_path / "x.npz", payload))["x0"], legacy)
    np.testing.assert_array_equal(legacy["S1"], [[1, -2]])


class Call:
    """Pickles as a call, which unpickling would make."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile(trace: Path) -> dict[str, Any]:
    """Objects whose unpickling creates a file, or needs a name that plain arrays do not."""
    command, code = f"touch '{trace}'", f"open({str(trace)!r}, 'w').close()"
    return {
        "posix.system": Call(os.system, command),
        "builtins.eval": Call(eval, code),
        "builtins.exec": Call(exec, code),
        "functools.partial": functools.partial(os.system, command),
        "builtins.getattr": Call(getattr, "text", "encode"),
        "numpy.load": Call(np.load, str(trace)),
        "numpy.fromfile": Call(np.fromfile, str(trace)),
        "numpy.memmap": Call(np.memmap, str(trace), "u1", "w+", 0, (4,)),
        "numpy.save": Call(np.save, str(trace), 1),
        "builtins.open": Call(open, str(trace), "w"),
        "builtins.list": Call(list, (1,)),
        "random.Random": random.Random(0),
        "pathlib": trace,
        "collections.defaultdict": collections.defaultdict(list),
        "codecs.open": Call(codecs.open, str(trace), "w"),
    }


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("name", hostile(Path("x")))
def test_a_hostile_pickle_is_refused_by_name_and_leaves_no_trace(tmp_path, name, protocol):
    trace = tmp_path / "trace"
    held = hostile(trace)[name]
    for content in (held, {"S1": [held]}):
        path = npz(tmp_path / "x.npz", pickle.dumps(np.array({"a": content}), protocol))
        with pytest.raises(ValueError, match=r"x\.npz: x0: its pickle names ") as error:
            read_object_arrays(path)
        named = str(error.value)
        assert name.rpartition(".")[2] in named or "copy_reg._reconstructor" in named, named
        assert "\n" not in str(error.value)
    assert not trace.exists()


def test_the_hostile_pickles_of_these_tests_do_harm_if_they_are_let(tmp_path):
    for name in ("posix.system", "builtins.eval", "numpy.memmap"):
        trace = tmp_path / name
        pickle.loads(pickle.dumps(hostile(trace)[name]))
        assert trace.exists()


@pytest.mark.parametrize(
    ("payload", "message"),
    {
        "a dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile.\x93.", "damaged|names"),
        "an attribute of an allowed name": (
            b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
            "numpy.ndarray",
        ),
        "a dotted name of old": (b"cnumpy\nndarray.tofile\n.", "names 'numpy.ndarray.tofile'"),
        "a module of an allowed name": (b"cnumpy\nlib.format.os.system\n.", "names 'numpy.lib.format.os"),
        "an instance of old": (b"(S'touch trace'\nios\nsystem\n.", "names 'os.system'"),
        "an object of old": (b"(cos\nsystem\nS'touch trace'\no.", "names 'os.system'"),
        "an extension": (b"\x80\x02\x82\x01.", "opcode EXT1"),
        "a persistent id": (b"Pos.system\n.", "opcode PERSID"),
        "a buffer from elsewhere": (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
        "room for a bytearray": (
            b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",
            "expected|BYTEARRAY8",
        ),
        "room for bytes": (b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b".", "bytes8"),
        "room for a memo": (b"\x80\x02Nr\xff\xff\xff\x3f.", "memo"),
        "a negative place in the memo": (b"Np-1\n.", "memo"),
        "an array of its own shape": (b"cnumpy\nndarray\n(L1000000000000L\ntR.", "function or a type"),
        "an instance of the array class": (b"\x80\x02cnumpy\nndarray\n(L1000000000000L\nt\x81.", "damaged"),
        "a changed function": (b"\x80\x02cnumpy\ndtype\nN}S'__call__'\nNs\x86b.", "state of a function"),
        "a type alone": (b"cnumpy\ndtype\n.", "function or a type"),
        "an encoding that runs code": (b"c_codecs\nencode\n(VZg==\nVbase64\ntR.", "encodes text as 'base64'"),
        "an encoding of bytes": (
            b"\x80\x03c_codecs\nencode\n(C\x01aX\x06\x00\x00\x00latin1tR.",
            "damaged|encodes",
        ),
        "a list that holds itself": (b"]p0\ng0\na.", "holds itself"),
        "deep nesting": (b"]" * 3000 + b"a" * 2999 + b".", "nested"),
        "nothing": (b"", "pickle"),
        "a pickle without an end": (b"\x80\x02N", "pickle"),
        "a key that is a list": (b"}]Ns.", "damaged"),
        "a key that is a tuple": (b"})Ns.", "tuple for a key"),
    }.values(),
)
def test_crafted_pickles_are_refused(tmp_path, monkeypatch, payload, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"x\.npz: x0: .*({message})"):
        read_object_arrays(npz(tmp_path / "x.npz", payload))
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def an_array(
    shape: bytes, code: bytes, content: bytes, *, order: bytes = b"<", extra: bytes = b"NNN"
) -> bytes:
    """The pickle of an array that says these things of itself."""
    dtype = (
        b"cnumpy\ndtype\n(V" + code + b"\nI00\nI01\ntR(I3\nV" + order + b"\n" + extra + b"I-1\nI-1\nI0\ntb"
    )
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
    return start + b"(I1\n" + shape + dtype + b"I00\n" + content + b"tb."


def test_an_array_says_the_truth_of_itself(tmp_path):
    same(
        read_object_arrays(npz(tmp_path / "x.npz", an_array(b"(I2\nt", b"u1", b"Vab\n")))["x0"],
        np.frombuffer(b"ab", "u1"),
    )


@pytest.mark.parametrize(
    ("payload", "message"),
    {
        "too few bytes": (an_array(b"(I3\nt", b"u1", b"Vab\n"), "holds 2 bytes, expected 3"),
        "a huge shape": (an_array(b"(I1000000\nI1000000\nI1000000\nt", b"f8", b"V\n"), "holds 0 bytes"),
        "a huge shape of nothing": (an_array(b"(I0\nL999999999999999999999L\nt", b"f8", b"V\n"), "."),
        "a negative shape": (an_array(b"(I-1\nI-2\nt", b"u1", b"Vab\n"), "without a shape"),
        "pointers in place of numbers": (an_array(b"(I1\nt", b"O8", b"V12345678\n"), "type 'O8'"),
        "structures": (an_array(b"(I1\nt", b"V8", b"V12345678\n"), "type 'V8'"),
        "fields": (an_array(b"(I1\nt", b"u1", b"Va\n", extra=b"N(Va\nt}"), "structures"),
        "an unknown order": (an_array(b"(I1\nt", b"u1", b"Va\n", order=b"!"), "values of type"),
        "too many objects": (an_array(b"(I1\nt", b"O8", b"(lI1\naI2\na"), "holds 2 objects"),
        "no content": (an_array(b"(I1\nt", b"u1", b"N"), "NoneType"),
    }.values(),
)
def test_an_array_that_lies_about_itself_is_refused(tmp_path, payload, message):
    with pytest.raises(ValueError, match=rf"x\.npz: x0: .*{message}"):
        read_object_arrays(npz(tmp_path / "x.npz", payload))


def test_shared_parts_are_read_once_however_often_they_are_shared(tmp_path):
    """Twelve levels of ten references each to one list: 10^12 entries if each was read anew."""
    shared: list = [1.5]
    for _ in range(12):
        shared = [shared] * 10
    read = read_object_arrays(npz(tmp_path / "x.npz", pickle.dumps(shared)))["x0"]
    assert read[0] is read[9]


def test_numpys_own_switch_stays_shut(tmp_path):
    """The header's way to objects: a type that contains some, outside of a pickle."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": [("a", "|O")], "fortran_order": False, "shape": (1,)}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", buffer.getvalue() + b"12345678")
    with pytest.raises(ValueError, match=r"x\.npz: x: an array of"):
        read_object_arrays(tmp_path / "x.npz")


def test_files_that_are_no_archives_get_one_line(tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(ValueError, match=r"x\.npz: no such file"):
        read_object_arrays(path)
    for content in (b"", b"PK\x03\x04 and so on", pickle.dumps({"a": 1}), b"<html>"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.npz: not a readable \.npz file \(.+\)$"):
            read_object_arrays(path)


def test_an_archive_that_unpacks_to_more_than_fits_is_not_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(9_000_000))
    with pytest.raises(ValueError, match=r"x\.npz: its arrays have 68.66 MiB, .*SPGNET_LIMIT_FACTOR"):
        read_object_arrays(tmp_path / "x.npz")
    monkeypatch.setenv("SPGNET_LIMIT_FACTOR", "2")
    assert read_object_arrays(tmp_path / "x.npz")["x"].shape == (9_000_000,)


def test_truncated_and_damaged_archives_read_equally_or_get_one_line(tmp_path):
    save(tmp_path / "whole.npz", x=MOTION, y=np.eye(2))
    whole = (tmp_path / "whole.npz").read_bytes()
    rng = random.Random(1)
    for length in rng.sample(range(len(whole)), 40):
        (tmp_path / "x.npz").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"^[^\n]*x\.npz: [^\n]+$"):
            read_object_arrays(tmp_path / "x.npz")


def test_a_damaged_member_never_ends_in_anything_but_a_result_or_one_line(tmp_path):
    """Bytes are changed below the archive's checksum."""
    buffer, rng, refused = io.BytesIO(), random.Random(2), []
    np.save(buffer, np.array({"S1": {"a": np.eye(2), "b": [1, "x", np.float32(2)]}}), allow_pickle=True)
    whole = buffer.getvalue()
    for _ in range(1500):
        broken = bytearray(whole)
        for place in rng.sample(range(len(whole)), rng.choice((1, 1, 2, 8))):
            broken[place] = rng.randrange(256)
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("x.npy", bytes(broken))
        try:
            read_object_arrays(tmp_path / "x.npz")
        except ValueError as error:
            refused.append(str(error))
    assert all("x.npz: " in message and "\n" not in message for message in refused)
    assert 300 < len(refused) < 1500


def test_nothing_of_the_pickle_stays_behind(tmp_path):
    """One file cannot change how the next one is read."""
    good = npz(tmp_path / "good.npz", pickle.dumps(np.array(MOTION)))
    for name in (b"numpy\nndarray", b"numpy\ndtype", b"_codecs\nencode", b"collections\nOrderedDict"):
        for state in (b"}S'__call__'\nNs", b"N}S'__call__'\nNs\x86", b"N}S'_called'\nNs\x86"):
            with pytest.raises(ValueError, match="state of a function"):
                read_object_arrays(npz(tmp_path / "x.npz", b"\x80\x02c" + name + b"\n" + state + b"b."))
    same(read_object_arrays(good)["x0"], MOTION)


def test_frames_after_the_motion_may_hold_anything_and_frames_of_the_motion_may_not():
    late, early = np.zeros((5, 17, 2)), np.zeros((5, 17, 2))
    late[4], early[2] = np.nan, np.nan
    assert pixel_errors([late, early], ["left", "right"], joints=17, frames=4) == [
        "camera right holds NaN or infinity in 1 frames, the first is frame 2"
    ]

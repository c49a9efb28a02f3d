"""Files that mean harm, or are damaged so: one short line, in time and memory that follow from their size."""

import json
import os
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from written_files import FPS, SIZE, a_body, write_json

from spgnet.errors import InputError
from spgnet.keypoints import load_keypoints
from spgnet.keypoints.files import LONGEST_MESSAGE
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.limits import ALWAYS_UNPACKED, LARGEST_ARRAYS, unpacked_limit
from spgnet.text import read_text

POSE = [1, 2, 1] * 17


def _npy_header(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00v\x00" + text.encode()


def _zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write


def _bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _json(content: object) -> Callable[[Path], Path]:
    return lambda folder: write_json(folder / "x.json", content)


def _h5(name: str, **shapes: tuple[int, ...]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with h5py.File(folder / name, "w") as file:
            file["node_names"] = np.array(["nose"] * 17, dtype="S4")
            for key, shape in shapes.items():
                file.create_dataset(key, shape=shape, dtype="f8", chunks=True)
        return folder / name

    return write


LIMBS = ",".join(f"{name}_{part}" for name in KEYPOINT_NAMES["coco17"] for part in "xy")
HUGE = _npy_header("(10000000, 17, 3)")
HARMFUL: dict[str, tuple[Callable[[Path], Path], str]] = {
    "integers of 400 digits": (_json({"keypoints": [[[10**400, 1, 1]]]}), "a number of 401 digits"),
    "deep lists": (_text("x.json", "[" * 200_000 + "]" * 200_000), "nested more than 32 levels"),
    "deep objects": (_text("x.json", '{"a":' * 100_000), "nested more than 32 levels"),
    "deep in a string": (_text("x.json", '["' + '\\"[' * 100_000 + '"]'), "no known format .text."),
    "a deep array": (_text("x.json", "[" * 20 + "1" + "]" * 20), "numbers nested 8 deep"),
    "a crowd": (_json([{"image_id": "0.jpg", "keypoints": POSE}] * 300), "frame 0 has 300 people"),
    "a long comment": (_text("x.csv", "#" + "a" * 10**6 + "\nframe,nose_x\n1,2\n"), "columns are missing"),
    "a comment of blanks": (_text("x.csv", "# a" + " " * 10**6 + "\nframe,x\n1,2\n"), "columns are missing"),
    "a long name": (_text("x.csv", "_" * 10**5 + ",nose_x\n1,2\n"), "columns are missing"),
    "many columns": (_text("x.csv", ",".join(f"a{i}_x" for i in range(10**5)) + "\n1,2\n"), "are missing"),
    "rows of nothing": (_text("x.csv", LIMBS + "\n1" * 10**5), "most are missing"),
    "rows of nothing of DeepLabCut": (
        _text("x.csv", "scorer" + ",a" * 999 + "\nbodyparts,b\ncoords" + ",x" * 999 + "\n1" * 10**4),
        "most are missing|no body part",
    ),
    "individuals of their own": (
        _text(
            "x.csv",
            "scorer"
            + ",a" * 1800
            + "\nindividuals"
            + "".join(f",i{i // 3}" for i in range(1800))
            + "\nbodyparts"
            + "".join(f",p{i // 3}" for i in range(1800))
            + "\ncoords"
            + ",x,y,likelihood" * 600
            + "\n0"
            + ",1" * 1800
            + "\n",
        ),
        "the 600 individuals have different body parts",
    ),
    "a bomb": (
        lambda folder: _zip(folder / "x.npz", keypoints=_npy_header("(300000, 17, 3)") + bytes(122_400_000)),
        "its arrays have 116.7 MiB, expected at most 64 ",
    ),
    "an array cut off": (
        lambda folder: _zip(folder / "x.npz", keypoints=HUGE + bytes(99)),
        "keypoints is cut off",
    ),
    "a bomb of objects": (
        lambda folder: _zip(folder / "x.npz", positions_2d=bytes(10**8), metadata=b""),
        "its arrays have 95.37 MiB",
    ),
    "an array that is not there": (_bytes("x.npy", HUGE), r"a truncated \.npy file"),
    "objects": (
        _bytes("x.npy", _npy_header("(1,)", "|O") + b"\x80\x04N."),
        "pickled Python objects, which are never opened",
    ),
    "an empty dataset": (_h5("x.h5", tracks=(1, 2, 17, 50_000_000)), "which is more than 64 MiB"),
    "an empty netCDF": (_h5("x.nc", position=(5_000_000, 2, 17, 1)), "which is more than 64 MiB"),
    "no HDF5": (_text("x.h5", "hello"), "a damaged HDF5 file"),
    "no netCDF": (_text("x.nc", "CDF\1hello"), "a damaged HDF5 file"),
}


@pytest.mark.parametrize(("write", "fault"), HARMFUL.values(), ids=HARMFUL.keys())
def test_it_is_refused_in_a_line_and_at_once(tmp_path, write, fault):
    path = write(tmp_path)
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(InputError, match=fault) as raised:
            load_keypoints(path, fps=FPS, image_size=SIZE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(raised.value).removeprefix(f"{path}: ")
    assert "\n" not in message
    assert len(message) <= LONGEST_MESSAGE
    assert str(path) not in message
    assert peak < 30e6 + 60 * path.stat().st_size
    assert time.process_time() - begin < 20


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and devices")
@pytest.mark.parametrize("suffix", [".json", ".csv", ".npy", ".npz", ".h5", ".nc"])
def test_neither_a_pipe_without_a_writer_nor_a_device_without_an_end_is_read(tmp_path, suffix):
    pipe, device = tmp_path / f"pipe{suffix}", tmp_path / f"device{suffix}"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(InputError, match="a pipe or a device, expected a file or a folder"):
            load_keypoints(path, fps=FPS, image_size=SIZE)
        with pytest.raises(InputError, match="a pipe or a device, expected a file"):
            read_text(path)


def test_memory_and_time_of_many_numbers_follow_from_the_file(tmp_path):
    entries = [{"image_id": f"{100 * i}.jpg", "keypoints": POSE, "idx": i} for i in range(300)]
    entries += [
        {"image_id": f"{frame}.jpg", "keypoints": POSE, "idx": 20 * frame + number}
        for frame in range(20)
        for number in range(20)
    ]
    path = write_json(tmp_path / "x.json", entries)
    tracemalloc.start()
    try:
        people = load_keypoints(path, fps=FPS, image_size=SIZE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6
    assert "are left out" in people[0].remarks[-1]


def test_the_most_that_is_unpacked_grows_with_the_file():
    assert unpacked_limit(0) == unpacked_limit(1000) == ALWAYS_UNPACKED
    assert unpacked_limit(ALWAYS_UNPACKED) == 64 * ALWAYS_UNPACKED
    assert unpacked_limit(2**40) == LARGEST_ARRAYS


def test_numbers_beyond_any_image_are_missing(tmp_path):
    points = a_body("halpe26")
    content = {"keypoint_set": "halpe26", "fps": FPS, "image_size": SIZE}
    points[0, 0, 0], points[0, 1, 1], points[0, 2, 2] = 1e300, -1e9, 1e300
    (person,) = load_keypoints(write_json(tmp_path / "x.json", content | {"keypoints": points.tolist()}))
    np.testing.assert_array_equal(person.present[0, :4], [False, False, True, True])
    assert person.points[0, 2, 2] == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("fps", value) for value in (0, -1, 1e300, 1e-9, None, "many", float("inf"))),
        *(("image_size", value) for value in ([0, 5], [1e308, 5], [5], [1.5, 2], [10**7, 5])),
        *(("camera_matrix", value) for value in (np.zeros((3, 3)).tolist(), (-np.eye(3)).tolist(), [[1]])),
        *(("distortion", value) for value in ([1, 2], [float("nan")] * 5)),
        *(("timestamps", value) for value in ([1, 2], [0, 1, 1, 2, 3, 4], [0, 1, 2, 3, 4, float("inf")])),
        *(("track", value) for value in (1e300, 0.5, "me")),
        *(("keypoint_set", value) for value in (5, "x" * 10**5, ["coco17"])),
    ],
)
def test_numbers_are_checked_where_they_enter(tmp_path, key, value):
    content = {
        "keypoints": a_body("coco17").tolist(),
        "keypoint_set": "coco17",
        "fps": FPS,
        "image_size": SIZE,
    }
    text = json.dumps(content | {key: value})
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as raised:
        load_keypoints(tmp_path / "x.json")
    assert len(str(raised.value)) < 300 + len(str(tmp_path))


def test_readers_of_text_need_no_library_of_hdf5():
    code = "import sys, spgnet.keypoints.files; assert 'h5py' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

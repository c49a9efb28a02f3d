"""Files are written whole or not at all, and read with one line about what is wrong with them."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from spgnet import files
from spgnet.errors import InputError, prefix_errors
from spgnet.files import (
    hold_folder,
    read_json,
    read_json_lines,
    read_npy,
    read_npz,
    scratch_folder,
    sweep_leftovers,
    whole_file,
    write_json,
    write_text,
)


def write_half(path: Path, error: BaseException) -> None:
    """The first half of a file, and then a failure."""
    with whole_file(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with whole_file(path, ".c3d") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".c3d"
        assert temporary.parent == tmp_path
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt(), ValueError()])
def test_a_failure_half_way_leaves_nothing_and_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(type(error)):
        write_half(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(OSError, match="No space left") as full:
        write_half(path, OSError(errno.ENOSPC, "No space left"))
    assert full.value.filename == str(path)
    with pytest.raises(OSError, match=r"file\.txt: cut short"):
        write_half(path, OSError("cut short"))
    with pytest.raises(FileNotFoundError) as missing, whole_file(tmp_path / "no" / "file.txt") as temporary:
        temporary.write_text("text")
    assert missing.value.filename == str(tmp_path / "no" / "file.txt")
    path.write_text("a file, no folder")
    with pytest.raises(NotADirectoryError) as inside, whole_file(path / "file.txt") as temporary:
        temporary.write_text("text")
    assert inside.value.filename == str(path / "file.txt")


def test_a_folder_in_the_way_is_named_and_kept(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as error, whole_file(tmp_path / "folder") as temporary:
        temporary.write_text("text")
    assert error.value.filename == str(tmp_path / "folder")
    assert error.value.filename2 is None
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_the_error_of_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError) as error, whole_file(tmp_path / "file.txt") as temporary:
        temporary.write_text((tmp_path / "source.txt").read_text())
    assert error.value.filename == str(tmp_path / "source.txt")


def test_two_writers_of_one_file_do_not_meet_and_the_last_one_stays(tmp_path):
    path = tmp_path / "file.txt"
    with whole_file(path) as first, whole_file(path) as second:
        assert first != second
        first.write_text("first, hal")
        second.write_text("second")
        assert not path.exists()
    assert path.read_text() == "first, hal"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed_by_the_next_and_what_others_write_is_not(tmp_path):
    path = tmp_path / "file.txt"
    script = (
        "import os, pathlib, sys; from spgnet.files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1]), '.c3d') as part:\n"
        "    part.write_text('half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "half"
    other, user = tmp_path / ".other.txt.1-00000000.partial", tmp_path / ".file.txt.partial-notes"
    for kept in (other, user):
        kept.write_text("kept")
    with whole_file(path) as running:
        running.write_text("running")
        assert not left.exists()
        write_text(path, "another")
        assert running.exists()
    assert sorted(tmp_path.iterdir()) == sorted([path, other, user])


def test_a_leftover_under_this_process_s_own_number_is_removed_as_in_a_container(tmp_path):
    left = tmp_path / f".file.txt.{os.getpid()}-0123abcd.partial"
    left.write_text("of a process that had the number before")
    write_text(tmp_path / "file.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def use_scratch(folder: Path) -> None:
    with scratch_folder(folder, "work") as scratch:
        assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("sweep", [use_scratch, lambda folder: sweep_leftovers(folder / "work")])
def test_a_scratch_folder_of_a_killed_process_is_removed_by_the_next(tmp_path, sweep):
    script = (
        "import os, pathlib, sys; from spgnet.files import scratch_folder\n"
        "with scratch_folder(pathlib.Path(sys.argv[1]), 'work') as folder:\n"
        "    (folder / 'file').write_text('half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert [path.name for path in tmp_path.glob("*/*")] == ["file"]
    with scratch_folder(tmp_path, "work") as one:
        (one / "file").touch()
        sweep(tmp_path)
        assert [path.parent for path in tmp_path.glob("*/*")] == [one]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError), scratch_folder(tmp_path / "no", "work"):
        pass


@pytest.mark.parametrize("new", [True, False])
def test_a_folder_is_held_by_one_at_a_time(tmp_path, new):
    folder = tmp_path / "a/run"
    if not new:
        folder.mkdir(parents=True)
    with hold_folder(folder):
        assert folder.is_dir()
        with pytest.raises(InputError, match="in use by another process"), hold_folder(folder):
            pass
        assert list(folder.iterdir()) == []
    assert folder.exists() is not new
    with hold_folder(folder):
        (folder / "file").touch()
    assert [path.name for path in folder.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="needs forks")
def test_a_killed_process_holds_nothing_though_a_child_of_it_lives_on(tmp_path):
    script = (
        "import os, pathlib, sys, time; from spgnet.files import hold_folder\n"
        "with hold_folder(pathlib.Path(sys.argv[1])):\n"
        "    if os.fork() == 0: print(os.getpid(), flush=True)  # it has let go of the folder by now\n"
        "    time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        with pytest.raises(InputError, match="in use"), hold_folder(tmp_path):
            pass
        process.kill()
        process.wait()
        os.kill(child, 0)  # it runs
        with hold_folder(tmp_path):
            pass
        os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="of POSIX's locks")
def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def unsupported(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.fcntl, "flock", unsupported)
    with hold_folder(tmp_path), hold_folder(tmp_path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="of POSIX's locks")
def test_a_folder_that_its_holder_removes_at_that_moment_is_created_again(tmp_path, monkeypatch):
    folder, lock = tmp_path / "run", files.fcntl.flock

    def lock_late(handle: int, operation: int) -> None:
        monkeypatch.undo()
        folder.rmdir()
        lock(handle, operation)

    monkeypatch.setattr(files.fcntl, "flock", lock_late)
    with hold_folder(folder), pytest.raises(InputError, match="in use"), hold_folder(folder):
        pass


def test_contents_are_on_the_disk_before_they_have_their_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "file.txt", []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append((os.fstat(handle).st_size, path.exists())))
    write_text(path, "contents")
    assert synced[0] == (8, False)
    assert synced[1][1]


def test_text_and_json_come_back_whatever_the_letters(tmp_path):
    write_text(tmp_path / "a.txt", "Zoë 走")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "Zoë 走"
    value = {"name": "Zoë 走", "numbers": [1, 2.5, None], "nested": {"true": True}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text().endswith("}\n")


def test_what_is_not_json_is_refused_by_name(tmp_path):
    for content in (b"", b"{", b"\xff\xfe\xff", b'"\xe4"'):
        (tmp_path / "a.json").write_bytes(content)
        fault = r"\A[^\n]*a\.json: not (JSON, or truncated \([^\n]+\)|a text file: .*)\Z"
        with pytest.raises(InputError, match=fault):
            read_json(tmp_path / "a.json")


def test_json_lines_are_values_and_a_cut_line_is_refused_by_the_name_of_the_file(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    assert read_json_lines(tmp_path / "log.jsonl") == [{"step": 1}, {"step": 2}]
    (tmp_path / "log.jsonl").write_text(
        '{"name": "a\u2028b\x85"}\r\n{"step": 2}', encoding="utf-8", newline=""
    )
    assert read_json_lines(tmp_path / "log.jsonl") == [{"name": "a\u2028b\x85"}, {"step": 2}]
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"st')
    with pytest.raises(InputError, match=r"log\.jsonl: not JSON"):
        read_json_lines(tmp_path / "log.jsonl")


def test_the_arrays_of_an_archive_come_back_and_only_those_asked_for(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.array([True, False])}
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    for keys in (None, ("a", "c", "absent")):
        read = read_npz(str(tmp_path / "x.npz"), keys)
        assert list(read) == [name for name in arrays if keys is None or name in keys]
        for name, array in read.items():
            assert array.dtype == arrays[name].dtype
            np.testing.assert_array_equal(array, arrays[name])


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("an object was unpickled",))


def test_objects_in_an_archive_are_never_opened_and_only_matter_where_they_are_asked_for(tmp_path):
    np.savez(tmp_path / "x.npz", bomb=np.array([Bomb()], dtype=object), plain=np.eye(2))
    with pytest.raises(InputError, match="pickled Python objects, which are never opened"):
        read_npz(tmp_path / "x.npz")
    assert list(read_npz(tmp_path / "x.npz", ["plain"])) == ["plain"]


def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_npz(tmp_path / "x.npz")
    for content in (b"", b"text", b"PK\x03\x04 cut short"):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"not an \.npz file, or a truncated one"):
            read_npz(tmp_path / "x.npz")


def test_what_is_no_array_in_an_archive_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("keypoints", "scores.npy"):
            archive.writestr(name, bytes(2**25))
    tracemalloc.start()
    try:
        for name in ("keypoints", "scores"):
            with pytest.raises(InputError, match=f"not an .npz file: {name} in it is no array"):
                read_npz(tmp_path / "x.npz", [name])
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert read_npz(tmp_path / "x.npz", ["absent"]) == {}


def test_a_damaged_archive_is_read_or_refused_in_one_line(tmp_path):
    path, rng, refused = tmp_path / "x.npz", random.Random(0), []
    np.savez_compressed(path, a=np.arange(60.0).reshape(4, 15), b=np.array(["one", "two"]))
    whole = path.read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.sample(range(len(whole)), rng.choice((1, 2, 8))):
            content[place] = rng.randrange(256)
        path.write_bytes(content)
        try:
            read_npz(path)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert not any("\n" in message for message in refused)


def test_a_prefix_comes_before_errors_of_input_alone():
    with pytest.raises(InputError, match=r"^a\.npz: broken$") as error, prefix_errors("a.npz"):
        raise InputError("broken")
    assert error.value.__suppress_context__
    with pytest.raises(ValueError, match=r"^ours$"), prefix_errors("a.npz"):
        raise ValueError("ours")


def npy(header: str, content: bytes = b"") -> bytes:
    """An .npy file of version 1.0 with a header as it is."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


@pytest.mark.parametrize("shape", [(10**9, 0), (0, 10**12), (3, 0, 10**7)])
def test_an_empty_array_of_an_immense_shape_is_refused(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}"
    (tmp_path / "points.npy").write_bytes(npy(header))
    with pytest.raises(InputError, match="an array of shape"):
        read_npy(tmp_path / "points.npy")
    with zipfile.ZipFile(tmp_path / "points.npz", "w") as archive:
        archive.writestr("points.npy", npy(header))
    with pytest.raises(InputError, match="an array of shape"):
        read_npz(tmp_path / "points.npz")


def test_files_of_python_2_are_read_without_a_warning(tmp_path):
    content = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}", np.ones(2, "<f4").tobytes())
    (tmp_path / "old.npy").write_bytes(content)
    assert read_npy(tmp_path / "old.npy").tolist() == [1, 1]
    with zipfile.ZipFile(tmp_path / "old.npz", "w") as archive:
        archive.writestr("points.npy", content)
    assert read_npz(tmp_path / "old.npz")["points"].tolist() == [1, 1]


def test_text_of_no_characters_is_an_array(tmp_path):
    (tmp_path / "empty.npy").write_bytes(npy("{'descr': '<U0', 'fortran_order': False, 'shape': (3,)}"))
    assert read_npy(tmp_path / "empty.npy").shape == (3,)

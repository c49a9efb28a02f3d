"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from spgnet.files import whole_file


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

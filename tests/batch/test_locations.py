"""Files and folders on this machine and on fsspec's file systems: one behaviour for all."""

import sys
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from spgnet.batch.locations import Location
from spgnet.errors import InputError


@pytest.fixture(params=["path", "file", "local", "memory"])
def folder(request, tmp_path) -> Location:
    """An empty folder that is not there yet."""
    if request.param == "memory":
        files = MemoryFileSystem()
        if files.exists("/locations"):
            files.rm("/locations", recursive=True)
        return Location.of("memory://locations")
    start = "" if request.param == "path" else f"{request.param}://"
    return Location.of(f"{start}{tmp_path}/locations")


def test_a_path_that_begins_with_a_tilde_may_name_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Location.of("~walk.mp4").path == tmp_path / "~walk.mp4"
    assert Location.of("~/walk.mp4").path == Path.home() / "walk.mp4"


def test_the_query_of_a_web_address_is_neither_a_pattern_nor_in_the_name():
    clip = Location.of("https://example.org/clips/walk.mp4?signature=a*b[1]&expires=2")
    assert clip.matches() == [clip]
    assert clip.parts.name == "walk.mp4"
    assert clip.text.endswith("&expires=2")


def test_what_is_written_is_there_until_it_is_removed(folder, tmp_path):
    file = folder.joined("a.txt")
    assert (file.fingerprint(), file.size(), folder.entries()) == (None, 0, None)
    file.write("one")
    (tmp_path / "two").write_text("two")
    folder.joined("inner").joined("b.txt").put(tmp_path / "two")
    assert file.read() == b"one"
    assert folder.entries() == {"a.txt": False, "inner": True}
    assert file.entries() is None
    assert (file.size(), folder.size()) == (3, 6)
    with folder.joined("inner").fetched() as copy:
        assert {path.name: path.read_text() for path in copy.iterdir()} == {"b.txt": "two"}
    before = file.fingerprint(), folder.fingerprint()
    assert before == (file.fingerprint(), folder.fingerprint())
    file.write("three")
    assert file.fingerprint() != before[0]
    assert folder.fingerprint() != before[1]
    for _ in range(2):
        file.remove()
        folder.joined("inner").remove_folder()
    assert not folder.entries()


def test_what_is_not_there_is_told_by_its_name(folder):
    file = folder.joined("none.txt")
    with pytest.raises(FileNotFoundError, match=r"locations/none\.txt"):
        file.read()


def test_a_working_folder_is_removed_with_what_is_in_it(folder, tmp_path):
    with folder.working_folder() as working:
        (working / "a.txt").write_text("one")
        folder.joined("a.txt").put(working / "a.txt")
    assert not Path(working).exists()
    assert folder.joined("a.txt").read() == b"one"


def test_names_beside_and_inside():
    for start in ("/films", "s3://bucket/films", "memory://films"):
        walk = Location.of(f"{start}/walk")
        assert walk.joined("a").text == f"{start}/walk/a"
        assert walk.beside(".walk.pieces").text == f"{start}/.walk.pieces"


@pytest.mark.parametrize(("scheme", "library"), [("s3", "s3fs"), ("gs", "gcsfs"), ("az", "adlfs")])
def test_a_storage_whose_library_is_missing_is_refused_with_the_librarys_name(scheme, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"^{scheme}://bucket/walk\.mp4: .*[Ii]nstall {library}"):
        Location.of(f"{scheme}://bucket/walk.mp4").fingerprint()

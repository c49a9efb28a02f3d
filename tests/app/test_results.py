"""The folder of results: each is there whole or not at all, and nothing else can be reached."""

import shutil
import zipfile
from pathlib import Path

import pytest

from spgnet.app.results import ResultsFolder, zip_result


def motion_file(folder):
    (folder / "motion.npz").write_bytes(b"1")
    (folder / "motion.bvh").write_text("HIERARCHY")


def test_a_result_appears_under_a_name_that_tells_when_and_what(tmp_path):
    results = ResultsFolder(tmp_path / "new" / "results")
    assert results.names() == []
    names = [results.add("My walk: take 2/../x", motion_file) for _ in range(2)]
    assert len(set(names)) == 2
    assert all("My walk_ take 2_.._x" in name for name in names)
    assert results.names() == sorted(names, reverse=True)
    assert results.find(names[0], "motion.bvh").read_text() == "HIERARCHY"


def test_a_result_that_is_removed_while_they_are_listed_is_left_out(tmp_path, monkeypatch):
    results = ResultsFolder(tmp_path / "results")
    kept, removed = (results.add(title, motion_file) for title in ("kept", "removed"))
    look = Path.glob

    def look_and_remove(folder, pattern):
        found = list(look(folder, pattern))
        if folder.name == removed:
            shutil.rmtree(folder)
        return found

    monkeypatch.setattr(Path, "glob", look_and_remove)
    assert results.names() == [kept]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_fails_or_is_interrupted_leaves_nothing(tmp_path, error):
    def fail(folder):
        motion_file(folder)
        raise error

    with pytest.raises(error):
        ResultsFolder(tmp_path / "results").add("walk", fail)
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "", "../secret", "a/b", "a\\b", "a\0b", ".hidden", "none"])
def test_no_name_reaches_what_is_not_a_result(tmp_path, name):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("x")
    results = ResultsFolder(tmp_path / "results")
    walk = results.add("walk", motion_file)
    (tmp_path / "results" / ".hidden").mkdir()
    assert results.find(name) is None
    assert results.find(name, "file") is None
    if name:
        assert results.find(walk, name) is None


def test_secret_results_have_names_that_cannot_be_guessed(tmp_path):
    results = ResultsFolder(tmp_path, secret=True)
    one, other = (results.add("walk", motion_file) for _ in range(2))
    assert results.label(one).endswith(" walk")
    assert len(one.split()[-1]) == len(other.split()[-1]) == 32
    assert one.split()[-1] != other.split()[-1]


def test_a_zip_file_holds_every_file_and_a_removed_result_is_gone(tmp_path):
    results = ResultsFolder(tmp_path / "results")
    name = results.add("walk", motion_file)
    zip_result(results.find(name), tmp_path / "walk.zip")
    with zipfile.ZipFile(tmp_path / "walk.zip") as archive:
        assert archive.namelist() == [f"{name}/motion.bvh", f"{name}/motion.npz"]
        assert archive.read(f"{name}/motion.bvh") == b"HIERARCHY"
    results.remove(name)
    assert results.names() == []

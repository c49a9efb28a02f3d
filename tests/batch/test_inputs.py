"""The inputs of a batch and the names of their results."""

from pathlib import Path

import pytest

from spgnet.batch.inputs import clips_in, find_clips, name_results
from spgnet.batch.locations import Location
from spgnet.errors import InputError


def names(*paths: str, known: dict[str, str] | None = None, taken: tuple[str, ...] = ()) -> list[str]:
    return list(name_results([Location.of(path) for path in paths], known or {}, taken).values())


def test_results_are_named_after_their_input_as_shortly_as_tells_them_apart():
    assert names("/x/walk.mp4", "/x/run.mp4") == ["walk", "run"]
    assert names("/x/walk.mp4", "/x/walk.mov") == ["walk.mp4", "walk.mov"]
    assert names("/a/walk.mp4", "/b/walk.mp4", "/b/run.mp4") == ["a-walk", "b-walk", "run"]
    assert names("/a/walk.mp4", "/a/walk.mov", "/b/walk.mp4") == ["a-walk.mp4", "walk.mov", "b-walk"]
    assert names("s3://bucket/a/walk.mp4", "/a/run.mp4") == ["walk", "run"]
    alike = names("/1/a/walk.mp4", "/2/a/walk.mp4")
    assert len(set(alike)) == 2
    assert all(name.startswith("walk-") for name in alike)


def test_names_that_differ_in_case_alone_collide():
    assert names("/a/Walk.mp4", "/b/walk.mp4") == ["a-Walk", "b-walk"]
    assert names("/a/walk.mp4", taken=("WALK",)) == ["walk.mp4"]


def test_a_name_that_is_taken_is_left_and_one_that_an_input_has_is_kept():
    assert names("/b/walk.mp4", known={"/a/walk.mp4": "walk"}) == ["walk.mp4"]
    assert names("/b/walk.mp4", "/a/walk.mp4", known={"/a/walk.mp4": "walk"}) == ["b-walk", "walk"]
    assert names("/a/report.json.mp4", taken=("report.json",)) == ["report.json.mp4"]


@pytest.mark.parametrize("files", [["1.png", "x.mp4"], ["1_keypoints.json"], ["1.txt"], ["json/1.json"], []])
def test_a_folder_that_is_one_clip_is_one_input(tmp_path, files):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert clips_in(Location.of(tmp_path)) is None
    assert find_clips([str(tmp_path)], Location.of("out")) == [Location.of(tmp_path)]


def test_a_folder_of_clips_is_as_many_inputs_each_once_and_in_natural_order(tmp_path):
    for file in ("10.mp4", "2.MOV", "3.npz", "notes.md", ".hidden.mp4", "inner/4.mp4"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    found = find_clips([str(tmp_path / "3.npz"), str(tmp_path)], Location.of("out"))
    assert [each.parts.name for each in found] == ["3.npz", "2.MOV", "10.mp4"]


def test_results_do_not_go_among_the_inputs(tmp_path):
    (tmp_path / "walk.mp4").touch()
    with pytest.raises(InputError, match="the results need another folder"):
        find_clips([str(tmp_path)], Location.of(tmp_path))
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(InputError, match="the results need another folder"):
        find_clips([str(tmp_path)], Location.of(link))


def test_a_fingerprint_changes_with_the_file_and_with_any_file_of_a_folder(tmp_path):
    folder, file = Location.of(tmp_path / "images"), tmp_path / "images" / "1.png"
    assert folder.fingerprint() is None
    file.parent.mkdir()
    file.write_bytes(b"12")
    seen = [folder.fingerprint(), Location.of(file).fingerprint()]
    assert seen == [folder.fingerprint(), Location.of(file).fingerprint()]
    file.write_bytes(b"123")
    assert seen[0] != folder.fingerprint()
    assert seen[1] != Location.of(file).fingerprint()
    assert folder.size() == 3
    seen = [folder.fingerprint()]
    (Path(file.parent) / "2.png").touch()
    assert seen[0] != folder.fingerprint()


def test_what_lies_deep_in_a_folder_is_not_looked_at(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "1.json").write_bytes(b"1")
    seen = Location.of(tmp_path).fingerprint()
    (deep / "c").mkdir()
    (deep / "c" / "1.json").write_bytes(b"123")
    assert (Location.of(tmp_path).fingerprint(), Location.of(tmp_path).size()) == (seen, 1)
    (deep / "2.json").write_bytes(b"23")
    assert Location.of(tmp_path).fingerprint() != seen

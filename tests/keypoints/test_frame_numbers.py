"""Names tell frame numbers only where all of them agree."""

import json

import numpy as np
import pytest
from written_files import FPS, SIZE, a_track, alphapose, openpose, write_json

from spgnet.keypoints import load_keypoints
from spgnet.keypoints.frame_numbers import counted_or_ordered, frame_numbers, several_videos


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["0.jpg", "2.jpg", "10.jpg"], [0, 2, 10]),
        ([f"frame_{index}_of_75.png" for index in (3, 4, 5)], [3, 4, 5]),
        (["frame_0001_1080p.png", "frame_0002_1080p.png"], [1, 2]),
        (["cam01_000007.json", "cam01_000009.json"], [7, 9]),
        (["7.png"], [0]),
        ([], []),
    ],
)
def test_the_one_number_that_varies_is_the_frames(names, numbers):
    assert frame_numbers(names, "names") == (numbers, "")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a.jpg", "b.jpg", "c.jpg"], "differ in more than a number"),
        (["x1.jpg", "y2.jpg"], "differ in more than a number"),
        (["2024-01-01_10.png", "2024-01-02_11.png"], "2 numbers vary"),
        (["01.png", "1.png", "2.png"], "do not count frames"),
        (["1656930000123456.png", "1656930000156789.png"], "do not count frames"),
        (["3.png", "1" + "0" * 30 + ".png"], "do not count frames"),
        (["5.png", "900000000.png"], "do not count frames"),
    ],
)
def test_otherwise_their_order_counts_and_a_remark_says_why(names, why):
    numbers, remark = frame_numbers(names, "file names")
    assert numbers == list(range(len(names)))
    assert "in the order of their file names" in remark
    assert why in remark


def test_numbers_that_do_not_count_frames_are_ranked():
    assert counted_or_ordered([3, 1, 2], "image_id") == ([3, 1, 2], "")
    ranks, remark = counted_or_ordered([139, 785, 560_000_000], "image_id")
    assert ranks == [0, 1, 2]
    assert "139 to 560000000 for 3 frames" in remark


def test_the_same_numbers_after_other_texts_are_two_videos(tmp_path):
    names = [f"{video}_{frame:03}.json" for video in ("left", "right") for frame in range(3)]
    assert several_videos(names) == ["left_", "right_"]
    assert not several_videos(names[:3])
    assert not several_videos(["a1.json", "b2.json", "c3.json"])
    openpose(tmp_path, a_track("halpe26"))
    for file in list(tmp_path.glob("*.json")):
        (tmp_path / f"other_{file.name}").write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match="files of several videos: clip_, other_clip_"):
        load_keypoints(tmp_path, fps=FPS, image_size=SIZE)


@pytest.mark.parametrize("name", ["frame_{}_of_75.png", "frame_{:04}_1080p.png", "shot 2 take 3 {}.jpg"])
def test_a_second_number_in_the_names_makes_no_crowd(tmp_path, name):
    points = a_track("coco17")
    path = alphapose(tmp_path, points)
    entries = json.loads(path.read_text())
    for entry in entries:
        entry["image_id"] = name.format(int(entry["image_id"].removesuffix(".jpg")))
    (person,) = load_keypoints(write_json(path, entries), fps=FPS, image_size=SIZE)
    np.testing.assert_allclose(person.points, points, atol=1e-3)
    assert not person.remarks


def test_names_without_numbers_count_in_the_order_of_the_file(tmp_path):
    points = a_track("coco17")
    path = alphapose(tmp_path, points[[0, 1, 3, 4, 5]])
    entries = json.loads(path.read_text())
    for entry, letter in zip(entries, "zyxwv", strict=True):
        entry["image_id"] = f"{letter}.jpg"
    (person,) = load_keypoints(write_json(path, entries), fps=FPS, image_size=SIZE)
    np.testing.assert_allclose(person.points, points[[0, 1, 3, 4, 5]], atol=1e-3)
    assert "in the order of their image_id" in person.remarks[0]

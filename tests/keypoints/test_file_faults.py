"""Faults of keypoint files are named in one line."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written_files import (
    FPS,
    SIZE,
    WRITERS,
    a_track,
    alphapose,
    check,
    mediapipe,
    mmpose_video,
    openpose,
    rtmlib_json,
    some_keypoints,
    table,
    write_json,
)

from spgnet.keypoints import load_keypoints, save_keypoints


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write


def _npz(**arrays: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "x.npz", allow_pickle=True, **arrays)
        return folder / "x.npz"

    return write


def _truncated(folder: Path) -> Path:
    save_keypoints(folder / "x.npz", some_keypoints())
    data = (folder / "x.npz").read_bytes()
    (folder / "x.npz").write_bytes(data[: len(data) // 2])
    return folder / "x.npz"


def _damaged(folder: Path) -> Path:
    save_keypoints(folder / "x.npz", some_keypoints())
    data = bytearray((folder / "x.npz").read_bytes())
    data[200:400] = bytes(200)
    (folder / "x.npz").write_bytes(data)
    return folder / "x.npz"


def _half_a_json(folder: Path) -> Path:
    path = mmpose_video(folder, a_track("coco17"))
    path.write_text(path.read_text()[:500])
    return path


def _half_a_table(folder: Path) -> Path:
    path = table(folder, a_track("coco17"))
    rows = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(row[: len(row) // 2]) for row in rows))
    return path


def _edited(write: Callable, points: np.ndarray, old: str, new: str) -> Callable[[Path], Path]:
    def edit(folder: Path) -> Path:
        path = write(folder, points)
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            file.write_text(file.read_text().replace(old, new, 1))
        return path

    return edit


def _bytes(folder: Path) -> Path:
    (folder / "x.json").write_bytes(bytes(range(128, 256)))
    return folder / "x.json"


NOWHERE = np.full((6, 17, 3), np.nan)
OBJECTS = np.array([[None]], dtype=object)
FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing there": (lambda folder: folder / "x.json", "no such file or folder"),
    "empty folder": (lambda folder: folder, r"no keypoints in this folder: expected a folder of"),
    "text for JSON": (_text("x.json", "hello"), "not JSON, or truncated .*line 1 column 1"),
    "truncated JSON": (_half_a_json, "not JSON, or truncated"),
    "bytes for JSON": (_bytes, "not a text file: expected UTF-8"),
    "other JSON": (
        _text("x.json", '{"a": 1}'),
        r"no known format \(an object with 'a'\); the nearest of .* is spgnet, an \.npz or",
    ),
    "immense numbers": (
        _text("x.json", '[{"image_id": "1.jpg", "keypoints": [1' + "0" * 400 + "]}]"),
        "a number of 401 digits",
    ),
    "endless digits": (_text("x.json", "[1" + "0" * 5000 + "]"), "a number of 5001 digits"),
    "endless nesting": (_text("x.json", "[" * 100000), "nested more than 32 levels deep"),
    "a number": (_text("x.json", "3"), "no known format"),
    "numbers": (_text("x.json", "[[[1, 2]]]"), "people have 1 keypoints, expected 17"),
    "empty list": (_text("x.json", "[[], []]"), "holds no person"),
    "nobody": (_text("x.json", '[{"frame_id": 0, "instances": []}]'), "holds no person"),
    "text for npz": (_text("x.npz", "hello"), r"not an \.npz file, or a truncated one"),
    "truncated npz": (_truncated, r"not an \.npz file, or a truncated one"),
    "damaged npz": (_damaged, r"a damaged \.npz file"),
    "pickle": (_text("x.pkl", "hello"), r"pickles are never opened; save .*; expected \.npz, \.json, \.csv"),
    "video": (
        _text("x.mp4", "hello"),
        r"expected \.npz, \.json, \.csv, .* or a folder of \.json, not \.mp4",
    ),
    "pickled keypoints": (_npz(keypoints=OBJECTS), "holds pickled Python objects, which are never opened"),
    "no keypoints": (
        _npz(kp2d=NOWHERE, other=NOWHERE, fps=3.0),
        r"no key 'keypoints' among fps, kp2d, other; expected",
    ),
    "no set": (_npz(keypoints=NOWHERE), "no key 'keypoint_set', .* give --keypoint-set"),
    "unknown set": (_npz(keypoints=NOWHERE, keypoint_set="mpii16"), "no keypoint set 'mpii16'; there are"),
    "wrong count": (_npz(keypoints=NOWHERE, keypoint_set="halpe26"), "17 keypoints, expected 26 for halpe26"),
    "one number": (_npz(keypoints=NOWHERE[..., :1]), r"shape \[6, 17, 1\], expected .*frames, keypoints, 3"),
    "ragged": (_text("x.json", '{"keypoints": [[[1, 2, 3]], [[1]]], "fps": 3}'), "an irregular list"),
    "NaN everywhere": (_npz(keypoints=NOWHERE, keypoint_set="coco17"), "it holds no person: no keypoint"),
    "no frames": (_npz(keypoints=NOWHERE[:0], keypoint_set="coco17"), "keypoints has no frames"),
    "facts": (
        _npz(keypoints=NOWHERE, fps=-1, image_size=[3], camera_matrix=[1, 2], distortion=[1.0]),
        r"fps is -1, .*; image_size has shape .*; camera_matrix has .*; distortion has 1 numbers",
    ),
    "half a table": (_half_a_table, r"columns are missing: .* and \d+ more; expected frame and nose_x"),
    "empty table": (_text("x.csv", "# fps=30\nframe,nose_x\n"), "an empty table"),
    "open quotation": (_text("x.csv", 'frame,nose_x\n1,"2\n3,4\n'), "a quotation mark is not closed"),
    "words in a table": (
        _edited(table, np.full((2, 17, 3), 7.5), "7.5", "seven"),
        "line 2, column nose_x: 'seven' is no number",
    ),
    "twice a frame": (
        _edited(table, np.ones((2, 17, 3)), "\n1,1,", "\n0,1,"),
        "frame 0 occurs twice for track 1",
    ),
    "half a frame": (
        _edited(table, np.ones((2, 17, 3)), "\n1,1,", "\n0.5,1,"),
        r"a frame is 0\.5, expected a whole",
    ),
    "dates for frames": (
        _edited(table, np.ones((2, 17, 3)), "\n1,1,", "\n20240101,1,"),
        "2 frames have numbers from 0 to 20240101",
    ),
    "OpenPose's MPI": (
        lambda folder: openpose(folder, np.ones((2, 15, 3))),
        "people have 15 keypoints, expected 17 ",
    ),
    "OpenPose cut": (
        _edited(openpose, np.ones((2, 25, 3)), '"people": ', ""),
        "clip_000000000000_keypoints.json: not JSON",
    ),
    "AlphaPose's key": (
        _edited(alphapose, np.ones((2, 17, 3)), '"keypoints"', '"points"'),
        "entry 0: expected an object with the key 'keypoints'",
    ),
    "an unknown count": (
        lambda folder: alphapose(folder, np.ones((2, 21, 3))),
        "21 keypoints, expected 17 ",
    ),
    "two counts": (
        lambda folder: rtmlib_json(folder, np.ones((2, 17, 3)), np.ones((2, 26, 3))),
        "frame 0: keypoints is an irregular list",
    ),
    "MMPose's key": (
        _edited(mmpose_video, np.ones((2, 17, 3)), '"keypoint_scores"', '"other"'),
        "frame 0: expected an object with the key 'keypoint_scores'",
    ),
    "MMPose in 3D": (
        lambda folder: _mmpose_3d(folder),
        r"keypoints has shape \[17, 3\], expected numbers \[keypoints, 2\]",
    ),
    "few landmarks": (
        lambda folder: mediapipe(folder, np.ones((2, 21, 3))),
        "has 21 landmarks, those of a hand, expected the 33 of a pose",
    ),
}


def _mmpose_3d(folder: Path) -> Path:
    instance = {"keypoints": np.ones((17, 3)).tolist(), "keypoint_scores": [1.0] * 17}
    return write_json(folder / "x.json", [[instance]])


@pytest.mark.parametrize(("write", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_in_one_line_that_begins_with_the_file(tmp_path, write, fault):
    path = write(tmp_path)
    with pytest.raises(ValueError, match=fault) as raised:
        load_keypoints(path, fps=FPS, image_size=SIZE)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("times", "fault"), [([0.0, 1.0], "2 timestamps for 6 frames"), ([0.0, 1, 2, 2, 3, 4], "do not increase")]
)
def test_times_that_do_not_fit_are_refused_unless_a_rate_replaces_them(tmp_path, times, fault):
    points = np.ones((6, 17, 3))
    path = _npz(keypoints=points, keypoint_set="coco17", timestamps=times)(tmp_path)
    with pytest.raises(ValueError, match=fault):
        load_keypoints(path, image_size=SIZE)
    check(load_keypoints(path, fps=FPS, image_size=SIZE)[0], points, "coco17")


def _damage(content: Any, rng: random.Random) -> Any:
    """The same JSON with something in it lost, replaced or wrapped."""
    inside = [*content] if isinstance(content, dict) else [*range(len(content))]
    key = rng.choice(inside)
    if isinstance(content[key], dict | list) and content[key] and rng.random() < 0.8:
        content[key] = _damage(content[key], rng)
    elif rng.random() < 0.2:
        del content[key]
    else:
        content[key] = rng.choice([None, "text", -1, 1e9, float("nan"), [], {}, [[1]], {"x": 1}, True])
    return content


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_npz_gives_people_or_one_line(tmp_path, seed):
    path, rng = tmp_path / "x.npz", random.Random(seed)
    save_keypoints(path, some_keypoints())
    content = bytearray(path.read_bytes())
    for _ in range(3):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)
    complaint = _complaint(path)
    assert not complaint or complaint.startswith(f"{path}: ")
    assert "\n" not in complaint


def _own_json(folder: Path, *tracks: np.ndarray) -> Path:
    del tracks
    save_keypoints(folder / "own.json", some_keypoints())
    return folder / "own.json"


def _complaint(path: Path) -> str:
    """What is wrong with a file, or nothing."""
    try:
        assert load_keypoints(path, fps=FPS, image_size=SIZE)
    except ValueError as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize("seed", range(12))
def test_damaged_json_gives_people_or_one_line(tmp_path, seed):
    rng = random.Random(seed)
    for _, write, keypoint_set in [*WRITERS, ("spgnet", _own_json, "halpe26")]:
        path = write(tmp_path, a_track(keypoint_set, frames=4), a_track(keypoint_set, 1, frames=4))
        if path.suffix == ".json" or path.is_dir():
            damaged = sorted(path.glob("*_00*1*.json"))[0] if path.is_dir() else path
            write_json(damaged, _damage(json.loads(damaged.read_text()), rng))
            complaint = _complaint(path)
            assert not complaint or complaint.startswith(f"{path}: ")
            assert "\n" not in complaint

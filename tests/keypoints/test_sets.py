"""Keypoint sets become the 17 joints of Human3.6M."""

import doctest
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.skeleton import HUMAN36M, mirror_indices
from spgnet.keypoints import Keypoints, keypoints, points_to_human36m, to_human36m
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KEYPOINT_NAMES, SOURCES, KeypointSetName

SETS = list(KEYPOINT_COUNTS)
ROOT = Path(__file__).parents[2]

_COCO_ARMS = ((5,), (7,), (9,), (6,), (8,), (10,))
INDICES: dict[KeypointSetName, list[tuple[int, ...]]] = {
    "human36m17": [(joint,) for joint in range(17)],
    "coco17": [
        *((11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (5, 6, 11, 12), (5, 6), (0,), ()),
        *_COCO_ARMS,
    ],
    "halpe26": [
        *((11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (5, 6, 11, 12), (5, 6), (0,), ()),
        *_COCO_ARMS,
    ],
    "body25": [
        *((8,), (9,), (10,), (11,), (12,), (13,), (14,), (1, 8), (1,), (0,), ()),
        *((5,), (6,), (7,), (2,), (3,), (4,)),
    ],
    "coco18": [
        *((8, 11), (8,), (9,), (10,), (11,), (12,), (13,), (2, 5, 8, 11), (2, 5), (0,), ()),
        *((5,), (6,), (7,), (2,), (3,), (4,)),
    ],
    "panoptic19": [
        *((2,), (12,), (13,), (14,), (6,), (7,), (8,), (0, 2), (0,), (1,), ()),
        *((3,), (4,), (5,), (9,), (10,), (11,)),
    ],
    "body25b": [
        *((11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (5, 6, 11, 12), (5, 6), (0,), (18,)),
        *_COCO_ARMS,
    ],
    "wholebody133": [
        *((11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (5, 6, 11, 12), (5, 6), (0,), ()),
        *_COCO_ARMS,
    ],
    "mediapipe33": [
        *((23, 24), (24,), (26,), (28,), (23,), (25,), (27,), (11, 12, 23, 24), (11, 12), (0,), ()),
        *((11,), (13,), (15,), (12,), (14,), (16,)),
    ],
}
"""Sources of every joint by number, from the detectors' documentation."""

BODY = {
    "nose": (0.0, 1.62, 0.12),
    "head_top": (0.0, 1.80, 0.0),
    "thorax": (0.0, 1.48, 0.0),
    "spine": (0.01, 1.22, -0.02),
    "pelvis": (0.0, 0.95, 0.0),
    "left_shoulder": (0.2, 1.45, 0.0),
    "left_elbow": (0.35, 1.2, 0.05),
    "left_wrist": (0.5, 1.0, 0.1),
    "right_shoulder": (-0.2, 1.44, 0.0),
    "right_elbow": (-0.3, 1.18, -0.05),
    "right_wrist": (-0.33, 0.95, 0.15),
    "left_hip": (0.12, 0.95, 0.0),
    "left_knee": (0.14, 0.5, 0.1),
    "left_ankle": (0.13, 0.1, 0.0),
    "right_hip": (-0.12, 0.95, 0.0),
    "right_knee": (-0.15, 0.52, 0.2),
    "right_ankle": (-0.16, 0.12, -0.1),
}
"""A body, x to its left and y up, in metres."""
ALSO = {"hip": "pelvis", "mid_hip": "pelvis", "neck": "thorax", "upper_neck": "thorax", "head": "head_top"}


def _swapped(name: str) -> str:
    return name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")


def _anatomy(name: str) -> np.ndarray:
    """Where a keypoint of any set is on the body; those off the 17 joints lie beside the nose or the feet."""
    known = ALSO.get(name, name)
    if known in BODY:
        return np.array(BODY[known])
    side = 1 if "left" in name else -1
    upper = any(part in name for part in ("eye", "ear", "mouth"))
    hand = any(part in name for part in ("pinky", "index", "thumb")) and "foot" not in name
    near = "nose" if upper else ("left" if side > 0 else "right") + ("_wrist" if hand else "_ankle")
    return np.add(BODY[near], [side * 0.03, -0.02, 0.05])


def _one_frame_person(points: np.ndarray, keypoint_set: KeypointSetName) -> Keypoints:
    """The body from the front in one frame: its left is on the right of the image."""
    pixels = 1000 * points[:, :2] * [1, -1]
    scored = np.column_stack((pixels, np.full(len(points), 0.9)))[None]
    return Keypoints(scored, keypoint_set, np.zeros(1), (1000, 2000))


@pytest.mark.parametrize("keypoint_set", SETS)
def test_the_names_are_as_many_as_the_keypoints_and_all_different(keypoint_set):
    names = KEYPOINT_NAMES[keypoint_set]
    assert len(set(names)) == len(names) == KEYPOINT_COUNTS[keypoint_set]
    assert {_swapped(name) for name in names} == set(names)


@pytest.mark.parametrize("keypoint_set", SETS)
def test_mirroring_exchanges_left_and_right(keypoint_set):
    names = KEYPOINT_NAMES[keypoint_set]
    assert [names[twin] for twin in mirror_indices(names)] == [_swapped(name) for name in names]


@pytest.mark.parametrize("keypoint_set", SETS)
def test_left_joints_have_left_sources_and_middle_joints_have_as_many_of_both(keypoint_set):
    assert tuple(SOURCES[keypoint_set]) == HUMAN36M.names
    for joint, (name, sources) in enumerate(SOURCES[keypoint_set].items()):
        side = HUMAN36M.side(joint)
        if side == "middle":
            assert {_swapped(source) for source in sources} == set(sources), name
        else:
            assert sources
            assert all(source.startswith(f"{side}_") for source in sources), name


@pytest.mark.parametrize("keypoint_set", SETS)
def test_the_sources_are_the_keypoints_of_the_detectors_documentation(keypoint_set):
    names = KEYPOINT_NAMES[keypoint_set]
    ours = [{names.index(source) for source in sources} for sources in SOURCES[keypoint_set].values()]
    assert ours == [set(sources) for sources in INDICES[keypoint_set]]


@pytest.mark.parametrize("keypoint_set", SETS)
def test_a_body_seen_in_any_set_has_its_joints_where_they_are(keypoint_set):
    points = np.stack([_anatomy(name) for name in KEYPOINT_NAMES[keypoint_set]])
    pixels, confidence = to_human36m(_one_frame_person(points, keypoint_set))
    body = {name: np.array(place) for name, place in BODY.items()}
    if keypoint_set in ("coco17", "halpe26", "coco18", "body25b", "mediapipe33", "wholebody133"):
        body["thorax"] = (body["left_shoulder"] + body["right_shoulder"]) / 2
    if keypoint_set != "human36m17":
        body["spine"] = (body["pelvis"] + body["thorax"]) / 2
    expected = np.stack([body[name] for name in HUMAN36M.names])[:, :2] * [1000, -1000]
    absent = np.array([not sources for sources in SOURCES[keypoint_set].values()])
    assert [HUMAN36M.names[joint] for joint in np.flatnonzero(absent)] == (
        [] if keypoint_set in ("human36m17", "body25b") else ["head_top"]
    )
    np.testing.assert_allclose(pixels[0, ~absent], expected[~absent], atol=1e-9)
    np.testing.assert_array_equal(confidence[0], np.where(absent, 0, 0.9))
    assert np.isnan(pixels[0, absent]).all()


@pytest.mark.parametrize("keypoint_set", SETS)
@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_mirrored_body_with_swapped_sides_gives_mirrored_joints(keypoint_set, seed):
    names = KEYPOINT_NAMES[keypoint_set]
    points = np.random.default_rng(seed).normal(size=(3, len(names), 3))
    twins = [names.index(_swapped(name)) for name in names]
    mirrored = points[:, twins] * [-1, 1, 1]
    pixels, confidence = points_to_human36m(points, keypoint_set)
    other_pixels, other_confidence = points_to_human36m(mirrored, keypoint_set)
    flipped = HUMAN36M.flip(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(other_pixels, flipped, atol=1e-12)
    np.testing.assert_array_equal(other_confidence, confidence[:, HUMAN36M.mirror])


@pytest.mark.parametrize("keypoint_set", SETS)
@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_joints_are_the_means_of_their_sources_and_as_sure_as_the_least_sure(keypoint_set, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(4, KEYPOINT_COUNTS[keypoint_set], 3))
    points[..., 2] = rng.random(points.shape[:2]).round(1) * 1.2
    points[rng.random(points.shape[:2]) < 0.2, 0] = np.nan
    pixels, confidence = points_to_human36m(points, keypoint_set)
    for frame in range(4):
        for joint, sources in enumerate(INDICES[keypoint_set]):
            used = points[frame, list(sources)]
            whole = len(used) > 0 and np.isfinite(used).all() and (used[:, 2] > 0).all()
            expected = used[:, :2].mean(axis=0) if whole else np.full(2, np.nan)
            np.testing.assert_allclose(pixels[frame, joint], expected, atol=1e-12)
            assert confidence[frame, joint] == (min(used[:, 2].min(), 1) if whole else 0)


def test_single_precision_stays_and_one_frame_alone_is_that_frame_of_many():
    points = np.random.default_rng(0).random((5, 26, 3)).astype(np.float32)
    pixels, confidence = points_to_human36m(points, "halpe26")
    assert pixels.dtype == confidence.dtype == np.float32
    one = points_to_human36m(points[2], "halpe26")
    np.testing.assert_array_equal(one[0], pixels[2])
    np.testing.assert_array_equal(one[1], confidence[2])


def test_whole_numbers_become_floating_point():
    points = np.random.default_rng(0).integers(1, 1000, (5, 17, 3))
    points[..., 2] = 1
    pixels, confidence = points_to_human36m(points, "coco17")
    expected = points_to_human36m(points.astype(np.float64), "coco17")
    np.testing.assert_array_equal(pixels, expected[0])
    np.testing.assert_array_equal(confidence, expected[1])
    matrix = np.array([[900, 0, 640], [0, 900, 360], [0, 0, 1]])
    keypoints = Keypoints(points, "coco17", np.arange(5), (1000, 1000), matrix, np.zeros(5, int))
    for name in ("points", "timestamps", "camera_matrix", "distortion"):
        assert getattr(keypoints, name).dtype == np.float64
    np.testing.assert_array_equal(to_human36m(keypoints)[0], expected[0])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"timestamps": np.array([0.0, np.nan])}, "timestamps hold NaN or infinity"),
        ({"timestamps": np.array([0.0, 0.0])}, "timestamps do not increase from frame 0 to frame 1"),
        ({"timestamps": np.array([0.0, 3600.0])}, "0.000278 frames per second on average, expected 0.01 to"),
        ({"timestamps": np.array([0.0, 1e-9])}, r"1e\+09 frames per second on average"),
        ({"timestamps": np.array([-1e308, 1e308])}, "timestamps in seconds have 0 frames per second"),
        ({"image_size": (0, 720)}, r"image size must be positive, got \(0, 720\)"),
        ({"keypoint_set": "halpe26"}, r"shape \(2, 17, 3\), expected \[frames, 26, 3\] for halpe26"),
    ],
)
def test_keypoints_that_cannot_be_are_refused(changes, fault):
    keypoints = Keypoints(np.ones((2, 17, 3)), "coco17", np.arange(2.0), (1280, 720))
    with pytest.raises(ValueError, match=fault):
        replace(keypoints, **changes)


def test_the_example_of_the_documentation_runs():
    result = doctest.testmod(keypoints)
    assert result.attempted == 5
    assert result.failed == 0


def test_a_negative_score_means_missing():
    points = np.ones((1, 17, 3))
    points[0, 5, 2] = -0.5
    keypoints = Keypoints(points, "human36m17", np.zeros(1), (1280, 720))
    assert not keypoints.present[0, 5]
    pixels, confidence = to_human36m(keypoints)
    assert np.isnan(pixels[0, 5]).all()
    assert confidence[0, 5] == 0


def test_the_documented_table_is_the_table():
    lines = [line for line in (ROOT / "docs/keypoints.md").read_text().splitlines() if line[:1] == "|"]
    rows = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]
    header = next(row for row in rows if row[0] == "Joint")
    start = rows.index(header) + 2
    table = {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows[start : start + 4]}
    named = {keypoint_set: column for column in header[1:-1] for keypoint_set in column.split(", ")}
    for keypoint_set in SETS:
        column = named.get(keypoint_set, header[-1])
        for joint in HUMAN36M.names:
            expected = ", ".join(SOURCES[keypoint_set][joint]) or "–"
            assert table.get(joint, {column: joint})[column] == expected


def test_the_documented_sets_are_the_sets():
    text = (ROOT / "docs/keypoints.md").read_text()
    for keypoint_set in SETS:
        (row,) = re.findall(rf"^\|.*`{keypoint_set}`[^|]*\| (\d+) \|", text, flags=re.MULTILINE)
        assert int(row) == len(KEYPOINT_NAMES[keypoint_set])


def test_the_documented_order_is_the_order():
    text = " ".join((ROOT / "docs/keypoints.md").read_text().split())

    def order(keypoint_set, start, end):
        names = list(enumerate(KEYPOINT_NAMES[keypoint_set]))[start:end]
        return ", ".join(f"{index} {name}" for index, name in names)

    assert f"| `coco17` | {order('coco17', 0, 17)} |" in text
    for keypoint_set, end in (("halpe26", 26), ("wholebody133", 23)):
        assert KEYPOINT_NAMES[keypoint_set][:17] == KEYPOINT_NAMES["coco17"]
        assert f"| `{keypoint_set}` | as `coco17`, then {order(keypoint_set, 17, end)}" in text
    names = KEYPOINT_NAMES["wholebody133"]
    rest = ((23, 90), (91, 111), (112, 132))
    assert ", ".join(f"{one} to {end} {names[one]} to {names[end]}" for one, end in rest) in text

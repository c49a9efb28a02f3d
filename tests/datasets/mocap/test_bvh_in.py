"""BVH files that others write, and our own, are read with every joint in its place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocap_files import Node, bvh_text

from spgnet.datasets.mocap.bvh import read_bvh

ORDERS = ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx", "z", "yx", "")


def about(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def naive_places(root: Node, row: list[float]) -> dict[str, np.ndarray]:
    """Joints and end sites of one frame, by 4 by 4 matrices, one channel after the other."""
    values, places = iter(row), {}

    def visit(node: Node, above: np.ndarray) -> None:
        offset, turn = np.array(node.offset, dtype=float), np.eye(3)
        for channel in node.order:
            value = next(values)
            if channel.isupper():
                offset["XYZ".index(channel)] = value
            else:
                turn = turn @ about(channel, value)
        here = above @ np.block([[turn, offset[:, None]], [np.zeros(3), 1]])
        places[node.name] = here[:3, 3]
        if node.end is not None:
            places[f"{node.name}_end"] = (here @ [*node.end, 1])[:3]
        for child in node.children:
            visit(child, here)

    visit(root, np.eye(4))
    return places


def tree(orders: list[str]) -> Node:
    tip = Node("tip", (0, 4, 1), [], (0, 2, 0), orders[0])
    side = Node("side", (-3, 1, 0), [], (-1, 0, 0.5), orders[1])
    middle = Node("middle", (1, 10, 0), [tip, side], None, orders[2])
    return Node("root", (5, 6, 7), [middle], None, "XYZ" + orders[3])


@settings(max_examples=40)
@given(st.lists(st.sampled_from(ORDERS), min_size=4, max_size=4), st.integers(0, 2**32 - 1))
def test_all_frames_at_once_are_one_after_the_other(tmp_path_factory, orders, seed):
    root = tree(orders)
    count = sum(len(node.order) for node in root.all())
    values = np.random.default_rng(seed).uniform(-400, 400, (3, count)).round(4)
    path = tmp_path_factory.mktemp("bvh") / "any.bvh"
    path.write_text(bvh_text(root, values))
    tracks = read_bvh(path)
    for frame, row in enumerate(values):
        for name, place in naive_places(root, row.tolist()).items():
            np.testing.assert_allclose(tracks.position(name)[frame], place, atol=1e-8)


def test_the_arm_of_a_t_pose_goes_up_when_it_turns_about_the_front(tmp_path):
    arm = Node("arm", (10, 140, 0), [Node("fore", (30, 0, 0), [], (25, 0, 0))], None, "zxy")
    path = tmp_path / "arm.bvh"
    path.write_text(bvh_text(Node("root", (0, 0, 0), [arm], None, "XYZzxy"), np.eye(12)[[6, 9]] * 90))
    tracks = read_bvh(path)
    np.testing.assert_allclose(tracks.position("fore_end")[0], [10, 195, 0], atol=1e-9)
    np.testing.assert_allclose(tracks.position("fore_end")[1], [40, 165, 0], atol=1e-9)
    np.testing.assert_allclose(tracks.rest[tracks.names.index("fore_end")], [65, 140, 0], atol=1e-9)
    np.testing.assert_allclose(tracks.rotation("fore")[1], about("z", 90), atol=1e-9)


def test_positions_of_a_joint_replace_its_offset_unless_they_stay_at_zero(tmp_path):
    child = Node("child", (0, 10, 0), [], (0, 1, 0), "XYZzxy")
    root = Node("root", (0, 90, 0), [child], None, "XYZzxy")
    rows = np.zeros((2, 12))
    rows[:, :3], rows[:, 6:9] = [3, 95, 1], [[0, 11, 0.5], [0, 9, 0]]
    (tmp_path / "full.bvh").write_text(bvh_text(root, rows))
    np.testing.assert_allclose(
        read_bvh(tmp_path / "full.bvh").position("child"), [[3, 106, 1.5], [3, 104, 1]]
    )
    rows[:, 6:9] = [[0, 0.01, 0], [0, 0, 0]]
    (tmp_path / "moved.bvh").write_text(bvh_text(root, rows))
    np.testing.assert_allclose(
        read_bvh(tmp_path / "moved.bvh").position("child"), [[3, 105.01, 1], [3, 105, 1]]
    )


def good() -> str:
    return bvh_text(tree(["zxy"] * 4), np.arange(30.0).reshape(2, 15) / 7)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: (
            text.replace(" ", "\t").replace("End\tSite", "End Site").replace("Frame\tTime", "Frame Time")
        ),
        lambda text: text.lower(),
        lambda text: text.replace("\n{", " {"),
        lambda text: "\ufeff" + text.replace("\n", "\n\n"),
        lambda text: text.rstrip("\n").replace("}\n", "  }  \n"),
    ],
)
def test_the_layout_of_the_text_does_not_matter(tmp_path, change):
    (tmp_path / "plain.bvh").write_text(good())
    (tmp_path / "changed.bvh").write_bytes(change(good()).encode())
    plain, changed = (read_bvh(tmp_path / f"{name}.bvh") for name in ("plain", "changed"))
    assert changed.names == plain.names
    np.testing.assert_array_equal(changed.positions, plain.positions)


def test_numbers_may_be_scientific_and_names_may_have_spaces(tmp_path):
    root = Node("Bip01 Pelvis", (0, 0, 0), [Node("Bip01 L Thigh", (1, 0, 0), [], (0, -1, 0))], None, "XYZzxy")
    text = bvh_text(root, np.zeros((1, 9))).replace(
        "0 0 0 0 0 0 0 0 0", "1.5e1 -2E-1 0 -0 0 0 7.62852e-016 0 0"
    )
    (tmp_path / "max.bvh").write_text(text)
    tracks = read_bvh(tmp_path / "max.bvh")
    assert tracks.names == ("Bip01 Pelvis", "Bip01 L Thigh", "Bip01 L Thigh_end")
    np.testing.assert_allclose(tracks.position("Bip01 L Thigh")[0], [16, -0.2, 0])


@pytest.mark.parametrize(
    ("written", "fps"),
    [("0.0083333", 120), (".0333333", 30), ("0.00833", 120), ("0.03336670", 1 / 0.0333667)],
)
def test_a_rounded_frame_time_is_a_whole_rate(tmp_path, written, fps):
    (tmp_path / "a.bvh").write_text(good().replace("0.016666667", written))
    assert read_bvh(tmp_path / "a.bvh").fps == pytest.approx(fps, rel=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("MOTION", "NOTION", "no line MOTION"),
        ("Frames: 2", "Frames: 3", "says 3, and there are 2"),
        ("Frames: 2", "Frames: two", "below MOTION"),
        ("Frame Time: 0.016666667", "Frame Time: 0", "frame time is 0"),
        ("\n2.14285714 ", "\n", "line 34 has 14 values, the channels are 15"),
        ("2.14285714 ", "nan ", "1 frames hold NaN, infinity or immense numbers, the first is line 34"),
        ("2.14285714 ", "2,14 ", "no number.*2,14"),
        ("CHANNELS 3 Zrotation", "CHANNELS 4 Zrotation", "line 9: CHANNELS"),
        ("Xrotation", "Wrotation", "CHANNELS"),
        ("OFFSET 1.000000", "OFFSET one", "line 8: OFFSET"),
        ("OFFSET 1.000000 10.000000 0.000000\n", "", "without OFFSET: middle"),
        ("}\nMOTION", "MOTION", "brace is not closed"),
        ("JOINT middle", "JOIN middle", "does not belong"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, old, new, fault):
    assert old in good()
    (tmp_path / "broken.bvh").write_text(good().replace(old, new))
    with pytest.raises(ValueError, match=f"broken.bvh.*{fault}"):
        read_bvh(tmp_path / "broken.bvh")


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path):
    (tmp_path / "binary.bvh").write_bytes(b"MOTION\0\1")
    for name in ("binary.bvh", "absent.bvh"):
        with pytest.raises(ValueError, match=name):
            read_bvh(tmp_path / name)

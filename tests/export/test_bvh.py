"""BVH files, read by a strict parser that was written from the format's description."""

import math
import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from axes import y_up_to_z_up

from spgnet.export import export
from spgnet.export.armature import symmetric_bone_lengths
from spgnet.export.sampling import z_up_to_y_up
from spgnet.geometry.skeleton import HUMAN36M

NUMBER = r"-?\d+\.\d+"


@dataclass
class Joint:
    name: str
    offset: np.ndarray
    channels: list[str]
    children: list["Joint"] = field(default_factory=list)
    end: np.ndarray | None = None


@dataclass
class Bvh:
    root: Joint
    frame_time: float
    motion: np.ndarray


def read_bvh(text: str) -> Bvh:
    """Read a file of which every line is as the format wants it."""
    lines = text.split("\n")
    assert lines[-1] == "", "the file ends with a newline"
    lines = lines[:-1]
    assert lines.pop(0) == "HIERARCHY"
    root = _read_joint(lines, "ROOT")
    assert lines.pop(0) == "MOTION"
    frames = int(_match(r"Frames: (\d+)", lines)[0])
    frame_time = float(_match(rf"Frame Time: ({NUMBER})", lines)[0])
    assert len(lines) == frames
    motion = np.array([[float(number) for number in line.split(" ")] for line in lines])
    return Bvh(root, frame_time, motion)


def _read_joint(lines: list[str], kind: str) -> Joint:
    name = _match(rf"\s*{kind} (\S+)", lines)[0]
    assert lines.pop(0).strip() == "{"
    offset = _offset(lines)
    count, *channels = _match(r"\s*CHANNELS (.+)", lines)[0].split(" ")
    assert int(count) == len(channels)
    joint = Joint(name, offset, channels)
    while lines[0].strip() != "}":
        if lines[0].strip() == "End Site":
            assert lines.pop(0)
            assert lines.pop(0).strip() == "{"
            joint.end = _offset(lines)
            assert lines.pop(0).strip() == "}"
        else:
            joint.children.append(_read_joint(lines, "JOINT"))
    lines.pop(0)
    assert bool(joint.children) != (joint.end is not None)
    return joint


def _offset(lines: list[str]) -> np.ndarray:
    numbers = _match(rf"\s*OFFSET ({NUMBER}) ({NUMBER}) ({NUMBER})", lines)
    return np.array([float(number) for number in numbers])


def _match(pattern: str, lines: list[str]) -> tuple[str, ...]:
    """The groups of a pattern that the whole next line must match."""
    found = re.fullmatch(pattern, lines.pop(0))
    assert found
    return found.groups()


def joints_of(joint: Joint) -> list[Joint]:
    return [joint, *(below for child in joint.children for below in joints_of(child))]


def positions(bvh: Bvh) -> dict[str, np.ndarray]:
    """Positions [frames, 3] of the joints: forward kinematics, one channel after the other."""
    columns = iter(bvh.motion.T)
    places: dict[str, np.ndarray] = {}

    def visit(joint: Joint, place: np.ndarray, turn: np.ndarray) -> None:
        place = place + turn @ joint.offset
        for channel in joint.channels:
            axis, kind = "XYZ".index(channel[0]), channel[1:]
            values = next(columns)
            if kind == "position":
                place = place + values[:, None] * np.eye(3)[axis]
            else:
                assert kind == "rotation"
                turn = turn @ about(axis, np.radians(values))
        places[joint.name] = place
        for child in joint.children:
            visit(child, place, turn)

    frames = len(bvh.motion)
    visit(bvh.root, np.zeros((frames, 3)), np.tile(np.eye(3), (frames, 1, 1)))
    assert next(columns, None) is None, "there are more columns than channels"
    return places


def about(axis: int, angles: np.ndarray) -> np.ndarray:
    turns = np.tile(np.eye(3), (len(angles), 1, 1))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turns[:, one, one] = turns[:, other, other] = np.cos(angles)
    turns[:, other, one] = np.sin(angles)
    turns[:, one, other] = -np.sin(angles)
    return turns


def read_world(path) -> np.ndarray:
    """World positions in metres of the 17 joints [frames, 17, 3]."""
    places = positions(read_bvh(path.read_text()))
    return y_up_to_z_up(np.stack([places[name] for name in HUMAN36M.names], axis=1)) / 100


def test_a_bvh_file_gives_rigid_motion_back_to_a_hundredth_of_a_millimetre(tmp_path, any_motion):
    export(any_motion, tmp_path / "motion.bvh")
    np.testing.assert_allclose(read_world(tmp_path / "motion.bvh"), any_motion.world, rtol=0, atol=1e-5)


def test_motion_that_is_not_rigid_keeps_its_directions_and_its_root(tmp_path, motion):
    rng = np.random.default_rng(0)
    wobbly = replace(motion, joints=motion.joints + rng.normal(0, 0.01, motion.joints.shape))
    export(wobbly, tmp_path / "motion.bvh")
    joints = torch.from_numpy(z_up_to_y_up(wobbly.world)).double()
    expected = HUMAN36M.with_bone_lengths(joints, symmetric_bone_lengths(joints)).numpy()
    found = read_world(tmp_path / "motion.bvh")
    np.testing.assert_allclose(found, y_up_to_z_up(expected), rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[:, 0], wobbly.world[:, 0], rtol=0, atol=1e-5)


def test_the_rest_pose_is_a_symmetric_t_pose_of_the_person_s_size(tmp_path, motion):
    export(motion, tmp_path / "motion.bvh")
    bvh = read_bvh((tmp_path / "motion.bvh").read_text())
    at_rest = positions(replace(bvh, motion=np.zeros_like(bvh.motion[:1])))
    for name, place in at_rest.items():
        if name.startswith("left_"):
            mirrored = at_rest[name.replace("left_", "right_")] * [-1, 1, 1]
            np.testing.assert_allclose(place, mirrored, atol=2e-4)
    assert at_rest["left_wrist"][0, 1] == pytest.approx(at_rest["thorax"][0, 1])
    rest = torch.tensor(np.stack([at_rest[name] for name in HUMAN36M.names], axis=1) / 100)
    torch.testing.assert_close(
        HUMAN36M.bone_lengths(rest)[0].float(),
        HUMAN36M.bone_lengths(torch.from_numpy(motion.world))[0],
        rtol=0,
        atol=2e-6,
    )


def test_no_bone_has_length_zero_where_importers_look_for_its_end(tmp_path, motion):
    """Blender ends a bone at its only child, at the mean of its children, or at the end site."""
    export(motion, tmp_path / "motion.bvh")
    for joint in joints_of(read_bvh((tmp_path / "motion.bvh").read_text()).root):
        tail = joint.end if joint.end is not None else np.mean([c.offset for c in joint.children], axis=0)
        assert np.linalg.norm(tail) > 1, joint.name


def test_every_joint_has_the_same_order_of_channels_and_the_root_has_its_place(tmp_path, motion):
    export(motion, tmp_path / "motion.bvh")
    root, *others = joints_of(read_bvh((tmp_path / "motion.bvh").read_text()).root)
    turns = ["Zrotation", "Xrotation", "Yrotation"]
    assert root.channels == ["Xposition", "Yposition", "Zposition", *turns]
    assert all(joint.channels == turns for joint in others)
    assert {joint.name for joint in (root, *others)} > set(HUMAN36M.names)


def test_the_frame_time_is_that_of_the_motion(tmp_path, motion):
    export(replace(motion, timestamps=np.arange(len(motion)) / 29.97), tmp_path / "motion.bvh")
    bvh = read_bvh((tmp_path / "motion.bvh").read_text())
    assert len(bvh.motion) == len(motion)
    assert bvh.frame_time == pytest.approx(1 / 29.97, abs=1e-8)


def test_a_single_frame_is_a_bvh_file_too(tmp_path, motion, cut):
    single = cut(motion, 3, 4)
    export(single, tmp_path / "motion.bvh")
    np.testing.assert_allclose(read_world(tmp_path / "motion.bvh"), single.world, rtol=0, atol=1e-5)
    assert math.isclose(read_bvh((tmp_path / "motion.bvh").read_text()).frame_time, 1 / 30, abs_tol=1e-8)

"""Units, axes and the floor are found, or asked for."""

from itertools import pairwise

import numpy as np
import pytest
from mocap_files import MIXAMO, Node, bvh_text, expected_joints, named, person, standing

from spgnet.datasets.mocap.body import UNITS
from spgnet.datasets.mocap.folder import read_clip
from spgnet.datasets.mocap.joint_maps import JointsFile
from spgnet.geometry.skeleton import HUMAN36M


def read(path, **choices):
    return read_clip(path, JointsFile(**choices), name="a", subject="b", action="c")


def changed(node: Node, scale: float = 1.0, z_up: bool = False) -> Node:
    def vector(v):
        x, y, z = np.array(v) * scale
        return (x, -z, y) if z_up else (x, y, z)

    end = None if node.end is None else vector(node.end)
    children = [changed(child, scale, z_up) for child in node.children]
    return Node(node.name, vector(node.offset), children, end, node.order)


def write(path, scale=1.0, z_up=False, lift=0.0, frames=4):
    root = changed(person(MIXAMO), scale, z_up)
    values = standing(root, frames) * scale
    if z_up:
        values[:, :3] = values[:, [0, 2, 1]]
    values[:, 2 if z_up else 1] += lift * scale
    path.write_text(bvh_text(root, values))


def check(joints, **tolerance):
    for name, place in expected_joints().items():
        np.testing.assert_allclose(named(joints)[name], place, err_msg=name, **tolerance)


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_is_that_of_a_person(tmp_path, unit):
    write(tmp_path / "a.bvh", scale=0.01 / UNITS[unit])
    check(read(tmp_path / "a.bvh").joints.numpy()[0], atol=2e-4)


def test_a_size_that_is_no_person_s_in_any_unit_is_asked_for(tmp_path):
    write(tmp_path / "a.bvh", scale=5.0)
    with pytest.raises(ValueError, match=r'a.bvh: the unit of length is not clear.*"unit" in joints.json'):
        read(tmp_path / "a.bvh")
    check(read(tmp_path / "a.bvh", unit=0.002).joints.numpy()[0], atol=1e-5)


def test_no_size_is_a_person_s_in_two_units():
    sizes = sorted(UNITS.values())
    assert all(b / a > 2.2 / 1.2 for a, b in pairwise(sizes))


def test_files_with_z_up_and_with_y_up_are_the_same(tmp_path):
    write(tmp_path / "y.bvh")
    write(tmp_path / "z.bvh", z_up=True)
    y, z = (read(tmp_path / f"{axis}.bvh").joints.numpy() for axis in "yz")
    np.testing.assert_allclose(y, z, atol=1e-6)
    check(y[0], atol=1e-5)


def test_a_rest_pose_that_the_motion_contradicts_is_asked_about(tmp_path):
    root = person(MIXAMO)
    values = standing(root)
    values[:, 4] = 90  # about x: lying on the front, along z
    (tmp_path / "a.bvh").write_text(bvh_text(root, values))
    with pytest.raises(ValueError, match=r'a.bvh: .*do not agree; give "up"'):
        read(tmp_path / "a.bvh")
    lying = named(read(tmp_path / "a.bvh", up="y").joints.numpy()[0])
    assert abs(lying["thorax"][2] - lying["pelvis"][2]) < 0.1


@pytest.mark.parametrize(("lift", "expected"), [(0, 0.09), (25, 0.34), (-25, -0.16), (60, 0.08), (-95, 0.08)])
def test_only_a_floor_that_is_far_off_is_put_right(tmp_path, lift, expected):
    write(tmp_path / "a.bvh", lift=lift)
    ankle = read(tmp_path / "a.bvh").joints[:, HUMAN36M.names.index("left_ankle"), 2]
    np.testing.assert_allclose(ankle.numpy(), expected, atol=1e-5)


def test_a_pose_that_stands_before_the_motion_is_left_out(tmp_path):
    root = person(MIXAMO)
    names = [node.name for node in root.all()]
    values = standing(root, 6)
    for arm, angle in (("Left", -70), ("Right", 70)):
        values[1:, 3 + 3 * names.index(f"mixamorig:{arm}Arm")] = angle + np.arange(5)
    (tmp_path / "a.bvh").write_text(bvh_text(root, values))
    assert len(read(tmp_path / "a.bvh")) == 5
    values[0] = values[1]
    (tmp_path / "a.bvh").write_text(bvh_text(root, values))
    assert len(read(tmp_path / "a.bvh")) == 6

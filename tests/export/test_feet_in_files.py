"""Feet in exported files."""

import csv
import json

import ezc3d
import numpy as np
import pygltflib
import pytest
import torch

from spgnet.datasets.mocap.bvh import read_bvh
from spgnet.errors import InputError
from spgnet.export import export
from spgnet.export.markers import MARKER_NAMES, marker_names, marker_set_text
from spgnet.export.posing import pose_rig
from spgnet.export.rigs import RIG_NAMES, RIGS
from spgnet.export.sampling import z_up_to_y_up
from spgnet.geometry.foot import foot_axes
from spgnet.geometry.kinematics import compose_rotations, forward_kinematics
from spgnet.geometry.skeleton import FEET23
from spgnet.lifting.motion import Motion, load_motion, save_motion


def y_up(motion: Motion) -> torch.Tensor:
    return torch.from_numpy(z_up_to_y_up(motion.world.astype(np.float64)))


@pytest.mark.parametrize("rig", RIG_NAMES)
def test_the_feet_of_every_rig_turn_as_the_motion_s_do(walker, rig):
    joints = y_up(walker)
    posed = pose_rig(RIGS[rig], joints, "world")
    turned = compose_rotations(posed.rotations, posed.rig.parents)
    for side in ("left", "right"):
        points = [
            joints[:, FEET23.names.index(f"{side}_{p}")] for p in ("ankle", "heel", "big_toe", "small_toe")
        ]
        axes = foot_axes(*points)
        node = posed.rig.node_of(f"{side}_ankle")
        # At rest feet point ahead, +z, and their soles are level.
        torch.testing.assert_close(turned[:, node, :, 2], axes[:, 0])
        torch.testing.assert_close(turned[:, node, :, 1], axes[:, 1])


@pytest.mark.parametrize(
    ("rig", "foot", "toes"),
    [
        ("mixamo", "mixamorig:RightFoot", "mixamorig:RightToeBase"),
        ("vrm", "rightFoot", "rightToes"),
        ("unreal", "foot_r", "ball_r"),
    ],
)
def test_the_toe_bones_of_rigs_are_where_the_toes_point(walker, rig, foot, toes):
    joints = y_up(walker)
    posed = pose_rig(RIGS[rig], joints)
    offsets = posed.offsets.repeat(len(joints), 1, 1)
    offsets[:, posed.rig.mover] = posed.positions
    places = forward_kinematics(posed.rotations, offsets, posed.rig.parents)[0]
    names = [node.name for node in posed.rig.nodes]
    ankle, ball = (places[:, names.index(name)] for name in (foot, toes))
    points = [joints[:, FEET23.names.index(f"right_{p}")] for p in ("ankle", "heel", "big_toe", "small_toe")]
    axes = foot_axes(*points)
    middle = (points[2] + points[3]) / 2
    forward, up, right = (axes @ (ball - ankle)[..., None])[..., 0].unbind(-1)
    reach = (axes @ (middle - points[0])[..., None])[..., 0, 0]
    # The ball of the foot is between heel and toes, near the sole.
    assert (0.6 * reach < forward).all()
    assert (forward < reach).all()
    assert (up < -0.03).all()
    torch.testing.assert_close(right, torch.zeros_like(right), atol=1e-6, rtol=0)


def test_feet_of_motion_without_them_keep_at_their_shanks(motion):
    posed = pose_rig(RIGS["mixamo"], y_up(motion), "world")
    ankle = posed.rig.node_of("left_ankle")
    torch.testing.assert_close(
        posed.rotations[:, ankle], torch.eye(3, dtype=torch.float64).expand(len(motion), 3, 3)
    )


@pytest.mark.parametrize("rig", RIG_NAMES)
def test_gltf_files_move_feet_only_if_the_motion_has_them(tmp_path, walker, motion, rig):
    moving = []
    for name, each in (("with", walker), ("without", motion)):
        export(each, tmp_path / f"{name}.glb", rig=rig)
        document = pygltflib.GLTF2().load(str(tmp_path / f"{name}.glb"))
        nodes = {channel.target.node for channel in document.animations[0].channels}
        moving.append({document.nodes[node].name for node in nodes})
    feet = {RIGS[rig].nodes[RIGS[rig].node_of(f"{side}_ankle")].name for side in ("left", "right")}
    assert feet <= moving[0]
    assert not feet & moving[1]
    assert moving[0] - moving[1] == feet


def test_bvh_files_turn_feet_by_their_ankles(tmp_path, walker):
    export(walker, tmp_path / "walk.bvh")
    tracks = read_bvh(tmp_path / "walk.bvh")
    bend = np.swapaxes(tracks.rotation("right_knee"), -1, -2) @ tracks.rotation("right_ankle")
    angles = walker.joint_angles()["right_ankle_flexion"]
    assert angles == pytest.approx(np.degrees(np.arcsin(bend[:, 1, 2])), abs=0.01)


def test_csv_has_columns_of_feet_contacts_and_ankle_angles(tmp_path, walker):
    export(walker, tmp_path / "walk.csv", columns="all")
    with (tmp_path / "walk.csv").open() as file:
        rows = list(csv.DictReader(file))
    world = walker.world
    assert float(rows[7]["left_heel_z"]) == pytest.approx(world[7, 20, 2], abs=1e-5)
    assert [float(row["right_foot_contact"]) for row in rows] == walker.foot_contact[:, 0].tolist()
    flexion = walker.joint_angles()["right_ankle_flexion"]
    assert [float(row["right_ankle_flexion"]) for row in rows] == pytest.approx(flexion, abs=1e-3)


def test_opensim_s_motion_has_the_ankle_s_coordinate(tmp_path, walker, motion):
    export(walker, tmp_path / "walk.mot")
    export(motion, tmp_path / "plain.mot")
    lines = (tmp_path / "walk.mot").read_text().splitlines()
    header = next(line for line in lines if line.startswith("time\t")).split("\t")
    assert header[-2:] == ["ankle_angle_r", "ankle_angle_l"]
    row = lines[-1].split("\t")
    assert float(row[-2]) == pytest.approx(walker.joint_angles()["right_ankle_flexion"][-1], abs=1e-3)
    assert "ankle_angle" not in (tmp_path / "plain.mot").read_text()


def test_markers_of_feet_have_the_names_of_other_programs(walker):
    assert marker_names([walker], "pose2sim")[-6:] == [
        "RHeel",
        "RBigToe",
        "RSmallToe",
        "LHeel",
        "LBigToe",
        "LSmallToe",
    ]
    assert {"RCAL", "RTOE", "RMT5", "LCAL", "LTOE", "LMT5"} <= {*marker_names([walker], "opensim")}
    for names in MARKER_NAMES:
        text = marker_set_text(names, walker.skeleton)
        assert all(f'name="{marker}"' in text for marker in marker_names([walker], names))


def test_c3d_lists_the_gait_events(tmp_path, walker):
    export(walker, tmp_path / "walk.c3d")
    events = ezc3d.c3d(str(tmp_path / "walk.c3d"))["parameters"]["EVENT"]
    assert events["LABELS"]["value"] == ["Foot Strike", "Foot Off"]
    assert events["CONTEXTS"]["value"] == ["Right", "Right"]
    np.testing.assert_allclose(events["TIMES"]["value"][1], [0.4, 1.0], atol=1e-6)


def test_people_of_whom_one_has_no_feet_are_exported_without(tmp_path, walker, late):
    export([walker, late], tmp_path / "both.json")
    content = json.loads((tmp_path / "both.json").read_text())
    assert len(content["joint_names"]) == 17
    assert {len(person["joints"][0]) for person in content["people"]} == {17}
    export(walker, tmp_path / "one.json")
    content = json.loads((tmp_path / "one.json").read_text())
    assert content["joint_names"] == list(FEET23.names)
    assert content["people"][0]["foot_contact"][20] == [True, False]


def test_a_motion_file_keeps_feet_and_contacts(tmp_path, walker):
    save_motion(tmp_path / "walk.npz", walker)
    loaded = load_motion(tmp_path / "walk.npz")
    np.testing.assert_allclose(loaded.joints, walker.joints, atol=1e-6)
    np.testing.assert_array_equal(loaded.foot_contact, walker.foot_contact)
    assert loaded.gait_events() == walker.gait_events()
    assert np.load(tmp_path / "walk.npz")["joint_names"].tolist() == list(FEET23.names)
    assert loaded.without_feet().joints.shape == (len(walker), 17, 3)
    assert loaded.without_feet().foot_contact is None


def test_a_motion_file_whose_arrays_differ_in_their_joints_is_refused(tmp_path, walker):
    save_motion(tmp_path / "walk.npz", walker)
    values = dict(np.load(tmp_path / "walk.npz"))
    np.savez(tmp_path / "walk.npz", **values | {"confidence": values["confidence"][:, :17]})
    with pytest.raises(InputError, match=r"confidence has shape \(100, 17\), expected \(100, 23\)$"):
        load_motion(tmp_path / "walk.npz")

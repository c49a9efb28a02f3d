"""glTF files, read from their bytes and played by a plain player."""

import base64
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from axes import y_up_to_z_up

from spgnet.export import export
from spgnet.export.rigs import RIG_NAMES, RIGS
from spgnet.geometry.skeleton import HUMAN36M

COMPONENTS = {5121: "u1", 5123: "<u2", 5126: "<f4"}
SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Scene:
    """A document, its arrays and its nodes at a key of the animation."""

    def __init__(self, document, binary):
        self.document, self.binary = document, binary

    def array(self, index):
        accessor = self.document["accessors"][index]
        view = self.document["bufferViews"][accessor["bufferView"]]
        kind, size = np.dtype(COMPONENTS[accessor["componentType"]]), SIZES[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        count = accessor["count"] * size
        assert view["byteLength"] == count * kind.itemsize
        return np.frombuffer(self.binary, kind, count, start).reshape(-1, size)

    def key(self, key):
        """Global transforms [4, 4] of all nodes, by index, at one key of each channel or at rest (None)."""
        animation = self.document["animations"][0]
        local = [dict(node) for node in self.document["nodes"]]
        for channel in animation["channels"]:
            if key is None:  # the rest pose
                break
            values = self.array(animation["samplers"][channel["sampler"]]["output"])
            local[channel["target"]["node"]][channel["target"]["path"]] = values[key]
        found = {}

        def visit(index, above):
            matrix = np.eye(4)
            quaternion = torch.tensor(np.array(local[index].get("rotation", [0, 0, 0, 1]), float))
            matrix[:3, :3] = roma.unitquat_to_rotmat(quaternion).numpy()
            matrix[:3, 3] = local[index].get("translation", [0, 0, 0])
            found[index] = above @ matrix
            for child in local[index].get("children", []):
                visit(child, found[index])

        for root in self.document["scenes"][self.document["scene"]]["nodes"]:
            visit(root, np.eye(4))
        return found

    def node(self, name):
        return next(i for i, node in enumerate(self.document["nodes"]) if node["name"] == name)


def read_glb(path) -> Scene:
    content = path.read_bytes()
    assert struct.unpack("<4sII", content[:12]) == (b"glTF", 2, len(content))
    length, kind = struct.unpack("<I4s", content[12:20])
    assert kind == b"JSON"
    assert length % 4 == 0
    document = json.loads(content[20 : 20 + length])
    size, kind = struct.unpack("<I4s", content[20 + length : 28 + length])
    assert kind == b"BIN\0"
    assert size == document["buffers"][0]["byteLength"] == len(content) - 28 - length
    return Scene(document, content[28 + length :])


def read_gltf(path) -> Scene:
    document = json.loads(path.read_text())
    header, data = document["buffers"][0]["uri"].split(",")
    assert header == "data:application/octet-stream;base64"
    return Scene(document, base64.b64decode(data))


@pytest.mark.parametrize(("suffix", "read"), [(".glb", read_glb), (".gltf", read_gltf)])
def test_the_nodes_stand_at_the_joints(tmp_path, motion, suffix, read):
    export(motion, tmp_path / f"motion{suffix}")
    scene = read(tmp_path / f"motion{suffix}")
    for key in (0, 40, len(motion) - 1):
        nodes = scene.key(key)
        found = np.stack([nodes[scene.node(name)][:3, 3] for name in HUMAN36M.names])
        np.testing.assert_allclose(y_up_to_z_up(found), motion.world[key], rtol=0, atol=1e-5)


def skin_matrices(scene, key):
    """Matrix [bones, 4, 4] that carries vertices along with each bone, at a key or at rest (None)."""
    skin, nodes = scene.document["skins"][0], scene.key(key)
    inverse = scene.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    return np.stack([nodes[joint] @ bind for joint, bind in zip(skin["joints"], inverse, strict=True)])


def vertices_at(scene, key):
    """The figure's vertices [vertices, 3], carried by linear blend skinning."""
    names = ("POSITION", "JOINTS_0", "WEIGHTS_0")
    attributes = scene.document["meshes"][0]["primitives"][0]["attributes"]
    points, bones, weights = (scene.array(attributes[name]) for name in names)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    points = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    moved = skin_matrices(scene, key)[bones] @ points[:, None, :, None]
    return (weights[..., None] * moved[..., 0]).sum(axis=1)[:, :3]


@pytest.mark.parametrize("rig", RIG_NAMES)
def test_the_figure_is_at_rest_as_it_is_stored_and_then_follows_the_bones(tmp_path, motion, rig):
    export(motion, tmp_path / "motion.glb", rig=rig)
    scene = read_glb(tmp_path / "motion.glb")
    np.testing.assert_allclose(
        skin_matrices(scene, None), np.tile(np.eye(4), (len(RIGS[rig].nodes), 1, 1)), atol=1e-6
    )
    world = motion.world[30]
    reach = np.linalg.norm(y_up_to_z_up(vertices_at(scene, 30))[:, None] - world, axis=-1).min(axis=0)
    # Every joint lies within the figure: hips are the deepest, and the head of a rig is its own.
    assert (reach < 0.15).all()
    hand = np.linalg.norm(
        y_up_to_z_up(vertices_at(scene, 30)) - world[HUMAN36M.names.index("left_wrist")], axis=1
    )
    assert hand.min() < 0.03


@pytest.mark.parametrize("rig", RIG_NAMES)
def test_at_rest_the_person_stands_on_the_floor_facing_z(tmp_path, motion, rig):
    export(motion, tmp_path / "motion.glb", rig=rig)
    points = vertices_at(read_glb(tmp_path / "motion.glb"), None)
    low, high = points.min(axis=0), points.max(axis=0)
    assert low[1] == pytest.approx(0, abs=0.01)
    assert 1.4 < high[1] < 2.1
    np.testing.assert_allclose(low[0], -high[0], atol=1e-3)
    feet = points[points[:, 1] < 0.05]
    assert feet[:, 2].max() > 0.12 > -feet[:, 2].min()


def test_each_surface_of_the_figure_is_closed_and_its_normals_point_outward(tmp_path, motion):
    export(motion, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    for primitive in scene.document["meshes"][0]["primitives"]:
        triangles = scene.array(primitive["indices"]).reshape(-1, 3).astype(int)
        edges = [tuple(pair) for pair in triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).tolist()]
        assert len(set(edges)) == len(edges)
        assert {(b, a) for a, b in edges} == set(edges), "every edge has a triangle on both sides"
        points, normals = (scene.array(primitive["attributes"][name]) for name in ("POSITION", "NORMAL"))
        a, b, c = (points[triangles[:, corner]] for corner in range(3))
        assert (a * np.cross(b, c)).sum() > 0, "it faces outward"
        faces = np.cross(b - a, c - a)
        for corner in range(3):
            inward = (faces * normals[triangles[:, corner]]).sum(axis=1) < 0
            assert inward.mean() < 0.02
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("rig", RIG_NAMES)
def test_the_y_axis_of_each_bone_points_at_its_child(tmp_path, motion, rig):
    export(motion, tmp_path / "motion.glb", rig=rig)
    scene = read_glb(tmp_path / "motion.glb")
    for key in (None, 40):
        nodes = scene.key(key)
        for index in scene.document["skins"][0]["joints"]:
            children = scene.document["nodes"][index].get("children", [])
            bones = [nodes[child][:3, 3] - nodes[index][:3, 3] for child in children]
            bone = next((bone for bone in bones if np.linalg.norm(bone) > 1e-6), None)
            if bone is not None and scene.document["nodes"][index]["name"] != "root":
                cosine = nodes[index][:3, 1] @ bone / np.linalg.norm(bone)
                assert cosine > 1 - 1e-6, scene.document["nodes"][index]["name"]


def test_each_person_has_a_node_of_their_own_above_the_skeleton(tmp_path, motion, late):
    export([motion, late], tmp_path / "people.glb", rig="mixamo")
    document = read_glb(tmp_path / "people.glb").document
    roots = [document["nodes"][index] for index in document["scenes"][0]["nodes"]]
    people = [root for root in roots if root["name"] in ("person1", "person4")]
    assert [document["nodes"][person["children"][0]]["name"] for person in people] == ["mixamorig:Hips"] * 2
    assert [skin["skeleton"] for skin in document["skins"]] == [person["children"][0] for person in people]


def test_the_camera_sees_the_joints_at_the_pixels(tmp_path, motion):
    """With the principal point in the middle and no distortion, as glTF has it."""
    camera = replace(
        motion.camera,
        center=motion.camera.image_size.to(motion.camera.center) / 2,
        radial=torch.zeros_like(motion.camera.radial),
        tangential=torch.zeros_like(motion.camera.tangential),
    )
    plain = replace(motion, camera=camera)
    export(plain, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    node = scene.document["nodes"][scene.node("camera")]
    lens = scene.document["cameras"][node["camera"]]["perspective"]
    matrix = scene.key(0)[scene.node("camera")]
    joints = np.stack([scene.key(0)[scene.node(name)][:3, 3] for name in HUMAN36M.names])
    x, y, z = ((joints - matrix[:3, 3]) @ matrix[:3, :3]).T
    high = np.tan(lens["yfov"] / 2)
    width, height = camera.image_size.tolist()
    pixels = np.stack(
        [width * (1 - x / z / high / lens["aspectRatio"]) / 2, height * (1 + y / z / high) / 2], axis=1
    )
    true = camera.to(torch.float64).camera_to_image(torch.from_numpy(plain.joints[0]).double()).numpy()
    np.testing.assert_allclose(pixels, true, atol=0.01)


def test_a_vrm_animation_names_its_humanoid_bones(tmp_path, motion, late):
    export(motion, tmp_path / "motion.glb", rig="vrm")
    document = read_glb(tmp_path / "motion.glb").document
    bones = document["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    assert document["extensionsUsed"] == ["VRMC_vrm_animation"]
    assert {name: document["nodes"][bone["node"]]["name"] for name, bone in bones.items()} == {
        name: name for name in bones
    }
    required = "hips spine head leftUpperLeg leftLowerLeg leftFoot leftUpperArm leftLowerArm leftHand"
    assert set(required.split()) <= set(bones)
    export([motion, late], tmp_path / "people.glb", rig="vrm")
    assert not read_glb(tmp_path / "people.glb").document.get("extensions")


def test_the_structure_is_what_the_specification_asks_for(tmp_path, motion):
    export(motion, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    document = scene.document
    assert document["asset"]["version"] == "2.0"
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= len(scene.binary)
    animation = document["animations"][0]
    for sampler in animation["samplers"]:
        assert sampler["interpolation"] == "LINEAR"
        clock, output = (document["accessors"][sampler[name]] for name in ("input", "output"))
        assert clock["count"] == output["count"] == len(motion)
        times = scene.array(sampler["input"])[:, 0]
        assert clock["min"] == [times.min()] == [0]
        assert clock["max"] == [times.max()]
        assert (np.diff(times) > 0).all()
    targets = [(channel["target"]["node"], channel["target"]["path"]) for channel in animation["channels"]]
    assert len(set(targets)) == len(targets)
    position = document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    vertices, accessor = scene.array(position), document["accessors"][position]
    np.testing.assert_array_equal(accessor["min"], vertices.min(axis=0))
    np.testing.assert_array_equal(accessor["max"], vertices.max(axis=0))


def test_times_are_those_of_the_motion_and_quaternions_take_the_short_way(tmp_path, motion):
    export(motion, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    animation = scene.document["animations"][0]
    np.testing.assert_allclose(
        scene.array(animation["samplers"][0]["input"])[:, 0], motion.timestamps, atol=1e-6
    )
    for channel in animation["channels"]:
        if channel["target"]["path"] == "rotation":
            values = scene.array(animation["samplers"][channel["sampler"]]["output"])
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, rtol=1e-6)
            assert ((values[1:] * values[:-1]).sum(axis=1) > 0.9).all()


def test_several_people_share_one_clock(tmp_path, motion, late):
    export([motion, late], tmp_path / "people.glb")
    scene = read_glb(tmp_path / "people.glb")
    assert len(scene.document["skins"]) == 2
    assert len(scene.document["animations"]) == 1
    clocks = {sampler["input"] for sampler in scene.document["animations"][0]["samplers"]}
    starts = sorted(scene.array(clock)[0, 0] for clock in clocks)
    np.testing.assert_allclose(starts, [0, 0.5], atol=1e-6)
    place = scene.key(10)[scene.node("person4_left_wrist")][:3, 3]
    np.testing.assert_allclose(y_up_to_z_up(place), late.world[10, 13], rtol=0, atol=1e-5)


def test_a_single_frame_is_a_gltf_file_too(tmp_path, motion, cut):
    single = cut(motion, 3, 4)
    export(single, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    place = scene.key(0)[scene.node("head_top")][:3, 3]
    np.testing.assert_allclose(y_up_to_z_up(place), single.world[0, 10], rtol=0, atol=1e-5)

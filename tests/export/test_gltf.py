"""glTF files, read from their bytes and played by a plain player."""

import base64
import json
import struct

import numpy as np
import pytest
import roma
import torch
from axes import y_up_to_z_up

from spgnet.export import export
from spgnet.export.armature import NODES
from spgnet.geometry.skeleton import HUMAN36M

COMPONENTS = {5121: "u1", 5126: "<f4"}
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
        """Global transforms [4, 4] of all nodes, by name, at one key of each channel."""
        animation = self.document["animations"][0]
        local = [dict(node) for node in self.document["nodes"]]
        for channel in animation["channels"]:
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


def test_the_skin_follows_the_bones(tmp_path, motion):
    export(motion, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    skin, nodes = scene.document["skins"][0], scene.key(30)
    attributes = scene.document["meshes"][0]["primitives"][0]["attributes"]
    vertices, joints = (scene.array(attributes[name]) for name in ("POSITION", "JOINTS_0"))
    np.testing.assert_array_equal(scene.array(attributes["WEIGHTS_0"])[:, 0], 1)
    inverse = scene.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    carried = np.stack([nodes[skin["joints"][joint]] @ inverse[joint] for joint in joints[:, 0]])
    moved = (carried @ np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)[..., None])[:, :3, 0]
    spindles = moved.reshape(16, 8, 3, 3)
    ends = [HUMAN36M.names.index(node.end) for node in NODES if node.end]
    starts = [HUMAN36M.names.index(node.joint) for node in NODES if node.end]
    world = motion.world[30]
    np.testing.assert_allclose(y_up_to_z_up(spindles[:, 0, 2]), world[ends], rtol=0, atol=1e-5)
    np.testing.assert_allclose(y_up_to_z_up(spindles[:, 4, 2]), world[starts], rtol=0, atol=1e-5)


def test_the_mesh_is_closed_and_its_normals_point_outward(tmp_path, motion):
    export(motion, tmp_path / "motion.glb")
    scene = read_glb(tmp_path / "motion.glb")
    attributes = scene.document["meshes"][0]["primitives"][0]["attributes"]
    spindles = scene.array(attributes["POSITION"]).reshape(16, 8, 3, 3)
    normals = scene.array(attributes["NORMAL"]).reshape(16, 8, 3, 3)
    outward = spindles.mean(axis=2) - spindles.mean(axis=(1, 2))[:, None]
    assert ((outward * normals[:, :, 0]).sum(axis=-1) > 0).all()
    winding = np.cross(spindles[:, :, 1] - spindles[:, :, 0], spindles[:, :, 2] - spindles[:, :, 0])
    assert ((winding * normals[:, :, 0]).sum(axis=-1) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, rtol=1e-5)


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

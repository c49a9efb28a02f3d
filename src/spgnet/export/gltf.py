"""glTF 2.0: animated skeletons with a simple body (metres, y up), as .glb or as one .gltf file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

import spgnet
from spgnet.export.armature import (
    NODES,
    PARENTS,
    joint_quaternions,
    joint_rotations,
    node_offsets,
    symmetric_bone_lengths,
)
from spgnet.export.sampling import z_up_to_y_up
from spgnet.extras import import_extra
from spgnet.lifting.motion import Motion

_WAIST = 0.2
"""Where a bone's octahedron is widest, as a share of its length."""
_WIDTH = 0.09
"""Half its width there, as a share of its length."""


class BoneMesh(NamedTuple):
    """An octahedron for each bone, in the rest pose.

    Args:
        rest: positions of the nodes, in metres.
        vertices: corners of triangles, three after three, counter-clockwise seen from outside.
        normals: of the triangles, at each of their corners.
        nodes: index of the node that each vertex moves with.
    """

    rest: Float[np.ndarray, "nodes 3"]
    vertices: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    nodes: Int[np.ndarray, " vertices"]


def bone_mesh(offsets: Float[np.ndarray, "nodes 3"]) -> BoneMesh:
    """The mesh of a skeleton with these positions of its nodes relative to their parents, in metres."""
    rest = offsets.copy()
    for node, parent in list(enumerate(PARENTS))[1:]:
        rest[node] += rest[parent]
    joints = {node.joint: rest[index] for index, node in enumerate(NODES)}
    nodes = [index for index, node in enumerate(NODES) if node.end]
    triangles = np.stack([_octahedron(rest[index], joints[NODES[index].end]) for index in nodes])
    edges = triangles[:, :, 1:] - triangles[:, :, :1]
    normals = np.cross(edges[:, :, 0], edges[:, :, 1])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return BoneMesh(
        rest=rest,
        vertices=triangles.reshape(-1, 3),
        normals=normals.repeat(3, axis=1).reshape(-1, 3),
        nodes=np.repeat(nodes, 24),
    )


def _octahedron(start: Float[np.ndarray, " 3"], end: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "8 3 3"]:
    """Triangles from a waist of four corners to both ends of a bone."""
    along = end - start
    one = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    one *= np.linalg.norm(along) / np.linalg.norm(one)
    other = np.cross(along, one) / np.linalg.norm(along)
    ring = [start + _WAIST * along + _WIDTH * side for side in (one, other, -one, -other)]
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    return np.array([(a, b, end) for a, b in pairs] + [(b, a, start) for a, b in pairs])


_FLOAT, _BYTE, _VERTICES = 5126, 5121, 34962
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_COLOR = [0.85, 0.55, 0.25, 1.0]


def glb_bytes(motions: Sequence[Motion]) -> bytes:
    """A whole .glb file.

    Raises:
        InputError: pygltflib is missing.
    """
    document, binary = _document(motions)
    document.set_binary_blob(binary)
    return b"".join(document.save_to_bytes())


def gltf_text(motions: Sequence[Motion]) -> str:
    """A whole .gltf file, whose binary part is a data URI.

    Raises:
        InputError: pygltflib is missing.
    """
    document, binary = _document(motions)
    uri = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    document.buffers[0].uri = uri
    return document.gltf_to_json()


def _document(motions: Sequence[Motion]) -> tuple[Any, bytes]:
    """The description (a ``pygltflib.GLTF2``) and its one buffer."""
    gltf = import_extra("pygltflib", "export")
    document = gltf.GLTF2(
        asset=gltf.Asset(generator=f"spgnet {spgnet.__version__}"),
        scene=0,
        scenes=[gltf.Scene(nodes=[])],
        materials=[
            gltf.Material(
                name="bone",
                pbrMetallicRoughness=gltf.PbrMetallicRoughness(
                    baseColorFactor=_COLOR, metallicFactor=0.0, roughnessFactor=0.8
                ),
            )
        ],
        animations=[gltf.Animation(name="motion")],
    )
    builder = _DocumentBuilder(gltf, document)
    start = min(float(motion.timestamps[0]) for motion in motions)
    for motion in motions:
        builder.add_person(motion, start, f"person{motion.track}_" if len(motions) > 1 else "")
    document.buffers = [gltf.Buffer(byteLength=len(builder.binary))]
    return document, bytes(builder.binary)


class _DocumentBuilder:
    """Adds people to a document, and their arrays to its buffer.

    Args:
        gltf: the module pygltflib, which is imported late.
        document: a ``pygltflib.GLTF2``.
    """

    def __init__(self, gltf: Any, document: Any) -> None:
        self.gltf, self.document, self.binary = gltf, document, bytearray()

    def add_person(self, motion: Motion, start: float, prefix: str) -> None:
        """Add a skeleton that moves, and a mesh that follows it. Time is counted from ``start`` (seconds)."""
        joints = torch.from_numpy(z_up_to_y_up(motion.world).astype(np.float64))
        offsets = node_offsets(symmetric_bone_lengths(joints)).numpy()
        first = self._add_nodes(offsets, prefix)
        quaternions = joint_quaternions(joint_rotations(joints)).numpy()
        self._animate(first, motion.timestamps - start, joints[:, 0].numpy(), quaternions)
        self._add_mesh(first, offsets, prefix)

    def _add_nodes(self, offsets: Float[np.ndarray, "nodes 3"], prefix: str) -> int:
        """Add the nodes in their rest pose; gives the index of the root."""
        first = len(self.document.nodes)
        for index, (node, offset) in enumerate(zip(NODES, offsets, strict=True)):
            children = [first + child for child, parent in enumerate(PARENTS) if parent == index]
            self.document.nodes.append(
                self.gltf.Node(name=prefix + node.name, translation=offset.tolist(), children=children)
            )
        self.document.scenes[0].nodes.append(first)
        return first

    def _animate(
        self,
        first: int,
        times: Float[np.ndarray, " frames"],
        root: Float[np.ndarray, "frames 3"],
        quaternions: Float[np.ndarray, "frames nodes 4"],
    ) -> None:
        """Let the nodes from ``first`` on move: times in seconds, the root's positions in metres."""
        keys = self._accessor(times[:, None], bounds=True)
        self._add_channel(keys, first, "translation", root)
        for index, node in enumerate(NODES):
            if node.end:
                self._add_channel(keys, first + index, "rotation", quaternions[:, index])

    def _add_channel(self, keys: int, node: int, path: str, values: Float[np.ndarray, "frames n"]) -> None:
        """Let a property of a node take values at the times of an accessor."""
        animation = self.document.animations[0]
        output = self._accessor(values)
        target = self.gltf.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(self.gltf.AnimationChannel(sampler=len(animation.samplers), target=target))
        animation.samplers.append(self.gltf.AnimationSampler(input=keys, output=output))

    def _add_mesh(self, first: int, offsets: Float[np.ndarray, "nodes 3"], prefix: str) -> None:
        """Add the bones' mesh, bound to the nodes from ``first`` on."""
        rest, vertices, normals, nodes = bone_mesh(offsets)
        binding = np.tile(np.eye(4), (len(NODES), 1, 1))
        binding[:, 3, :3] = -rest  # matrices are stored by columns: this is their last one
        joints = np.zeros((len(vertices), 4), np.uint8)
        joints[:, 0] = nodes
        weights = np.zeros((len(vertices), 4))
        weights[:, 0] = 1
        attributes = self.gltf.Attributes(
            POSITION=self._accessor(vertices, bounds=True, target=_VERTICES),
            NORMAL=self._accessor(normals, target=_VERTICES),
            JOINTS_0=self._accessor(joints, target=_VERTICES),
            WEIGHTS_0=self._accessor(weights, target=_VERTICES),
        )
        document, gltf = self.document, self.gltf
        document.meshes.append(
            gltf.Mesh(name=f"{prefix}bones", primitives=[gltf.Primitive(attributes=attributes, material=0)])
        )
        document.skins.append(
            gltf.Skin(
                name=f"{prefix}skeleton",
                inverseBindMatrices=self._accessor(binding.reshape(-1, 16)),
                skeleton=first,
                joints=list(range(first, first + len(NODES))),
            )
        )
        document.scenes[0].nodes.append(len(document.nodes))
        skinned = gltf.Node(name=f"{prefix}body", mesh=len(document.meshes) - 1, skin=len(document.skins) - 1)
        document.nodes.append(skinned)

    def _accessor(self, values: np.ndarray, *, bounds: bool = False, target: int | None = None) -> int:
        """Append an array [count, size] to the buffer; gives the index of its accessor."""
        if values.dtype != np.uint8:
            values = values.astype("<f4")
        view = self.gltf.BufferView(
            buffer=0, byteOffset=len(self.binary), byteLength=values.nbytes, target=target
        )
        self.binary += values.tobytes()
        assert len(self.binary) % 4 == 0, "every array keeps the next one aligned"
        accessor = self.gltf.Accessor(
            bufferView=len(self.document.bufferViews),
            componentType=_BYTE if values.dtype == np.uint8 else _FLOAT,
            count=len(values),
            type=_TYPES[values.shape[1]],
            min=values.min(axis=0).tolist() if bounds else None,
            max=values.max(axis=0).tolist() if bounds else None,
        )
        self.document.bufferViews.append(view)
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1

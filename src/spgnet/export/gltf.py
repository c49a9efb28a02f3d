"""glTF 2.0: animated skeletons with a figure and a camera (metres, y up), as .glb or as one .gltf file."""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

import spgnet
from spgnet.export.armature import NODES, joint_quaternions
from spgnet.export.figure import MATERIALS, figure_mesh
from spgnet.export.posing import PosedRig, pose_rig
from spgnet.export.rigs import RIGS, Rig, RigName
from spgnet.export.sampling import z_up_to_y_up
from spgnet.extras import import_extra
from spgnet.geometry.camera import Camera
from spgnet.geometry.foot import SIDES
from spgnet.lifting.motion import Motion

_COMPONENTS = {"f": 5126, "B": 5121, "H": 5123}
_VERTICES, _TRIANGLES = 34962, 34963
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_COLORS = {"skin": (0.72, 0.50, 0.38), "trousers": (0.10, 0.13, 0.20), "shoes": (0.05, 0.05, 0.06)}
_SHIRTS = ((0.80, 0.36, 0.12), (0.10, 0.35, 0.65), (0.15, 0.50, 0.25), (0.55, 0.20, 0.50), (0.70, 0.60, 0.15))
"""Colours of the shirts of one person after the other (linear RGB, as all of these)."""
_NEAR = 0.05
"""Distance in metres from which on the camera sees."""
_FIXED = {"", *(node.name for node in NODES if not node.end)}
"""Segments that do not turn on the one before them, as nothing in the motion tells of it; but for feet if the
motion has them."""


def glb_bytes(motions: Sequence[Motion], rig: RigName = "spgnet") -> bytes:
    """A whole .glb file.

    Raises:
        InputError: pygltflib is missing.
    """
    document, binary = _document(motions, RIGS[rig])
    document.set_binary_blob(binary)
    return b"".join(document.save_to_bytes())


def gltf_text(motions: Sequence[Motion], rig: RigName = "spgnet") -> str:
    """A whole .gltf file, whose binary part is a data URI.

    Raises:
        InputError: pygltflib is missing.
    """
    document, binary = _document(motions, RIGS[rig])
    uri = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    document.buffers[0].uri = uri
    return document.gltf_to_json()


def _document(motions: Sequence[Motion], rig: Rig) -> tuple[Any, bytes]:
    """The description (a ``pygltflib.GLTF2``) and its one buffer."""
    gltf = import_extra("pygltflib", "export")
    document = gltf.GLTF2(
        asset=gltf.Asset(generator=f"spgnet {spgnet.__version__}"),
        scene=0,
        scenes=[gltf.Scene(nodes=[])],
        animations=[gltf.Animation(name="motion")],
    )
    builder = _DocumentBuilder(gltf, document, rig)
    start = min(float(motion.timestamps[0]) for motion in motions)
    for motion in motions:
        builder.add_person(motion, start, several=len(motions) > 1)
    builder.add_camera(motions[0].camera)
    document.buffers = [gltf.Buffer(byteLength=len(builder.binary))]
    return document, bytes(builder.binary)


class _DocumentBuilder:
    """Adds people and their camera to a document, and their arrays to its buffer.

    Args:
        gltf: the module pygltflib, which is imported late.
        document: a ``pygltflib.GLTF2``.
        rig: everybody's skeleton.
    """

    def __init__(self, gltf: Any, document: Any, rig: Rig) -> None:
        self.gltf, self.document, self.rig, self.binary = gltf, document, rig, bytearray()

    def add_person(self, motion: Motion, start: float, *, several: bool) -> None:
        """Add a skeleton that moves, and a figure that follows it.

        Args:
            motion: the person.
            start: time in seconds from which the file counts.
            several: whether there are other people, so that this package's own rig names its nodes by person.
        """
        joints = torch.from_numpy(z_up_to_y_up(motion.world).astype(np.float64))
        posed = pose_rig(self.rig, joints)
        person = f"person{motion.track}"
        first = self._add_nodes(posed, person, f"{person}_" if several and self.rig.name == "spgnet" else "")
        fixed = _FIXED - {f"{side}_ankle" for side in SIDES} if motion.has_feet else _FIXED
        self._animate(posed, first, motion.timestamps - start, fixed)
        self._add_figure(posed, first, person)
        if self.rig.humanoid and not several:
            self._add_humanoid(first)

    def add_camera(self, camera: Camera) -> None:
        """Add the video's camera; its principal point and distortion have no place in the format."""
        width, height = (float(side) for side in camera.image_size)
        focal_x, focal_y = (float(focal) for focal in camera.focal)
        perspective = self.gltf.Perspective(
            aspectRatio=(width / focal_x) / (height / focal_y),
            yfov=2 * math.atan(height / (2 * focal_y)),
            znear=_NEAR,
        )
        self.document.cameras.append(
            self.gltf.Camera(type="perspective", perspective=perspective, name="video")
        )
        # In glTF a camera looks along its -z and has y up; OpenCV's looks along z and has y down.
        axes = camera.rotation.double().T @ torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
        axes = torch.from_numpy(z_up_to_y_up(axes.T.numpy())).T
        self._add_node(
            name="camera",
            camera=0,
            translation=z_up_to_y_up(camera.position.double().numpy()).tolist(),
            rotation=joint_quaternions(axes[None, None])[0, 0].tolist(),
        )
        self.document.scenes[0].nodes.append(len(self.document.nodes) - 1)

    def _add_node(self, **properties: Any) -> int:
        """Append a node; gives its index."""
        self.document.nodes.append(self.gltf.Node(**properties))
        return len(self.document.nodes) - 1

    def _add_nodes(self, posed: PosedRig, person: str, prefix: str) -> int:
        """Add a node for the person and below it the skeleton at rest; gives the index of the root.

        The person's own node makes each skeleton an armature of its own in Blender.
        """
        first = len(self.document.nodes) + 1
        self.document.scenes[0].nodes.append(self._add_node(name=person, children=[first]))
        quaternions = joint_quaternions(posed.rest[None])[0]
        for index, node in enumerate(self.rig.nodes):
            self._add_node(
                name=prefix + node.name,
                translation=posed.offsets[index].tolist(),
                rotation=quaternions[index].tolist(),
                children=[first + child for child, p in enumerate(self.rig.parents) if p == index],
            )
        return first

    def _animate(
        self, posed: PosedRig, first: int, times: Float[np.ndarray, " frames"], fixed: Collection[str]
    ) -> None:
        """Let the nodes from ``first`` on move at times in seconds, but for those of fixed segments."""
        keys = self._accessor(times[:, None].astype("<f4"), bounds=True)
        self._add_channel(keys, first + self.rig.mover, "translation", posed.positions.numpy())
        quaternions = joint_quaternions(posed.rotations).numpy()
        for index, (node, parent) in enumerate(zip(self.rig.nodes, self.rig.parents, strict=True)):
            above = self.rig.nodes[parent].segment if parent >= 0 else ""
            if node.segment != above and node.segment not in fixed:
                self._add_channel(keys, first + index, "rotation", quaternions[:, index])

    def _add_channel(self, keys: int, node: int, path: str, values: Float[np.ndarray, "frames n"]) -> None:
        """Let a property of a node take values at the times of an accessor."""
        animation = self.document.animations[0]
        output = self._accessor(values.astype("<f4"))
        target = self.gltf.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(self.gltf.AnimationChannel(sampler=len(animation.samplers), target=target))
        animation.samplers.append(self.gltf.AnimationSampler(input=keys, output=output))

    def _add_figure(self, posed: PosedRig, first: int, person: str) -> None:
        """Add a person's figure, bound to the nodes from ``first`` on."""
        document, gltf, figure = self.document, self.gltf, figure_mesh(posed)
        attributes = gltf.Attributes(
            POSITION=self._accessor(figure.vertices.astype("<f4"), bounds=True, target=_VERTICES),
            NORMAL=self._accessor(figure.normals.astype("<f4"), target=_VERTICES),
            JOINTS_0=self._accessor(figure.nodes.astype(np.uint8), target=_VERTICES),
            WEIGHTS_0=self._accessor(figure.weights.astype("<f4"), target=_VERTICES),
        )
        materials = self._add_materials(person)
        primitives = [
            gltf.Primitive(
                attributes=attributes,
                indices=self._accessor(triangles.reshape(-1, 1).astype("<u2"), target=_TRIANGLES),
                material=materials[material],
            )
            for material, triangles in figure.triangles.items()
        ]
        document.meshes.append(gltf.Mesh(name=f"{person}_figure", primitives=primitives))
        orientations, positions = posed.rest_orientations.numpy(), posed.rest_positions.numpy()
        # Matrices are stored by columns: row and column are exchanged here.
        binding = np.tile(np.eye(4), (len(orientations), 1, 1))
        binding[:, :3, :3] = orientations
        binding[:, 3, :3] = -np.einsum("nj,nji->ni", positions, orientations)
        document.skins.append(
            gltf.Skin(
                name=person,
                inverseBindMatrices=self._accessor(binding.reshape(-1, 16).astype("<f4")),
                skeleton=first,
                joints=list(range(first, first + len(orientations))),
            )
        )
        mesh, skin = len(document.meshes) - 1, len(document.skins) - 1
        document.scenes[0].nodes.append(self._add_node(name=f"{person}_body", mesh=mesh, skin=skin))

    def _add_materials(self, person: str) -> dict[str, int]:
        """Append a person's materials; gives their indices by name."""
        shirt = _SHIRTS[len(self.document.meshes) % len(_SHIRTS)]
        first = len(self.document.materials)
        for name in MATERIALS:
            metal = self.gltf.PbrMetallicRoughness(
                baseColorFactor=[*_COLORS.get(name, shirt), 1.0], metallicFactor=0.0, roughnessFactor=0.8
            )
            self.document.materials.append(
                self.gltf.Material(name=f"{person}_{name}", pbrMetallicRoughness=metal)
            )
        return {name: first + index for index, name in enumerate(MATERIALS)}

    def _add_humanoid(self, first: int) -> None:
        """Say which nodes are VRM's humanoid bones, as VRM animations (.vrma) do (VRMC_vrm_animation-1.0)."""
        names = [node.name for node in self.rig.nodes]
        bones = {bone: {"node": first + names.index(node)} for node, bone in self.rig.humanoid.items()}
        self.document.extensionsUsed.append("VRMC_vrm_animation")
        self.document.extensions["VRMC_vrm_animation"] = {
            "specVersion": "1.0",
            "humanoid": {"humanBones": bones},
        }

    def _accessor(self, values: np.ndarray, *, bounds: bool = False, target: int | None = None) -> int:
        """Append an array [count, size] of floats, bytes or shorts; gives the index of its accessor."""
        self.binary += bytes(-len(self.binary) % 4)
        view = self.gltf.BufferView(
            buffer=0, byteOffset=len(self.binary), byteLength=values.nbytes, target=target
        )
        self.binary += values.tobytes()
        accessor = self.gltf.Accessor(
            bufferView=len(self.document.bufferViews),
            componentType=_COMPONENTS[values.dtype.char],
            count=len(values),
            type=_TYPES[values.shape[1]],
            min=values.min(axis=0).tolist() if bounds else None,
            max=values.max(axis=0).tolist() if bounds else None,
        )
        self.document.bufferViews.append(view)
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1

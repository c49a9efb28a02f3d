"""Convert a motion to FBX with Blender: blender --background --python gltf_to_fbx.py -- motion.glb motion.fbx

There is no well-kept writer of FBX outside Blender and Autodesk's own kit. The frame rate of the motion is
read from the times in the .glb file, so that every frame lands on a frame of the scene.
"""

import json
import struct
import sys
from pathlib import Path

import bpy


def main() -> None:
    source, target = sys.argv[sys.argv.index("--") + 1 :][:2]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    fps = frames_per_second(source)
    bpy.context.scene.render.fps = max(1, round(fps))
    bpy.context.scene.render.fps_base = max(1, round(fps)) / fps
    bpy.ops.import_scene.gltf(filepath=source)
    shapes = {bone.custom_shape for thing in bpy.data.objects if thing.pose for bone in thing.pose.bones}
    for shape in shapes - {None}:  # a ball that the importer adds to show bones
        bpy.data.objects.remove(shape)
    keys = [key for action in bpy.data.actions for key in action.frame_range]
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = round(min(keys)), round(max(keys))
    bpy.ops.export_scene.fbx(
        filepath=target,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_simplify_factor=0.0,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
    )


def frames_per_second(path: str) -> float:
    """The rate of a .glb file's keys: the longest clock, from its first to its last key."""
    content = Path(path).read_bytes()
    (length,) = struct.unpack("<I", content[12:16])
    document = json.loads(content[20 : 20 + length])
    clocks = {sampler["input"] for sampler in document["animations"][0]["samplers"]}
    accessor = max((document["accessors"][clock] for clock in clocks), key=lambda one: one["count"])
    span = accessor["max"][0] - accessor["min"][0]
    return (accessor["count"] - 1) / span if span > 0 else 30.0


main()

"""Let a character walk as a motion does: its bones turn as the bones of the same names in a .glb file.

    blender --background --python copy_motion.py -- motion.glb character.fbx walk.blend

The character (.fbx, .glb or .blend, in a T-pose at rest, as Mixamo's are) needs the names of the motion's
rig, which ``spgnet export motion.npz motion.glb --rig mixamo`` chooses; prefixes such as ``mixamorig:`` may
differ.
Bones turn from rest by as much as the motion's, so that their rolls do not matter, and the hips travel in
proportion to the length of the legs, so that the feet stand where they stood.
"""

import json
import struct
import sys
from pathlib import Path

import bpy
from mathutils import Matrix, Vector


def main() -> None:
    motion, character, target = sys.argv[sys.argv.index("--") + 1 :][:3]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    fps = frames_per_second(motion)
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    source, other = armature_of(motion), armature_of(character)
    copy(source, other)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(target).resolve()))


def armature_of(path: str) -> bpy.types.Object:
    """Open a file; gives the armature that it brings."""
    before = set(bpy.data.objects)
    if path.endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=path)
    elif path.endswith(".blend"):
        with bpy.data.libraries.load(path) as (inside, loaded):
            loaded.objects = inside.objects
        for thing in loaded.objects:
            bpy.context.scene.collection.objects.link(thing)
    else:
        bpy.ops.import_scene.gltf(filepath=path)
    armature = next(thing for thing in bpy.data.objects if thing not in before and thing.type == "ARMATURE")
    for bone in armature.pose.bones:
        if bone.custom_shape:  # a ball that the importer of .glb adds, and that pictures would show
            bone.custom_shape.hide_render = True
    return armature


def copy(source: bpy.types.Object, other: bpy.types.Object) -> None:
    """Give another armature the motion of a first one, as keys in every frame."""
    if other.animation_data:
        other.animation_data_clear()
    twins = {plain(bone.name): bone for bone in source.data.bones}
    pairs = [(bone, twins.get(plain(bone.name))) for bone in other.data.bones]
    size = height(other) / height(source)
    first, last = (round(frame) for frame in source.animation_data.action.frame_range)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = first, last
    into, out = source.matrix_world.to_3x3().normalized(), other.matrix_world.to_3x3().normalized()
    for bone in other.pose.bones:
        bone.rotation_mode = "QUATERNION"
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        posed: dict[str, Matrix] = {}
        for bone, twin in pairs:  # parents come before their children
            rest = bone.matrix_local.to_3x3()
            above = bone.parent.matrix_local.to_3x3() if bone.parent else Matrix.Identity(3)
            carried = posed[bone.parent.name] if bone.parent else Matrix.Identity(3)
            relaxed = carried @ above.inverted() @ rest
            posed[bone.name] = relaxed
            if twin is None:
                continue
            turned = source.pose.bones[twin.name].matrix.to_3x3() @ twin.matrix_local.to_3x3().inverted()
            posed[bone.name] = out.inverted() @ into @ turned @ into.inverted() @ out @ rest
            pose = other.pose.bones[bone.name]
            pose.rotation_quaternion = (relaxed.inverted() @ posed[bone.name]).to_quaternion()
            pose.keyframe_insert("rotation_quaternion", frame=frame)
            if not twin.parent or plain(bone.name) in ("Hips", "hips", "pelvis"):
                place = size * (source.matrix_world @ source.pose.bones[twin.name].head)
                moved = other.matrix_world.inverted() @ place - bone.head_local
                pose.location = relaxed.inverted() @ moved
                pose.keyframe_insert("location", frame=frame)


def plain(name: str) -> str:
    """A bone's name without a prefix."""
    return name.split(":")[-1]


def height(armature: bpy.types.Object) -> float:
    """Height of the hips above the ankles at rest, in metres."""
    heads = {plain(bone.name): armature.matrix_world @ bone.head_local for bone in armature.data.bones}
    hips = next(heads[name] for name in ("LeftUpLeg", "leftUpperLeg", "thigh_l", "left_hip") if name in heads)
    ankle = next(heads[name] for name in ("LeftFoot", "leftFoot", "foot_l", "left_ankle") if name in heads)
    return (hips - ankle).dot(Vector((0, 0, 1)))


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

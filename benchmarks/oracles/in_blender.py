"""Runs inside Blender (or Python with bpy): opens motion files and says where the bones are.

``in_blender.py REQUEST ANSWER``: both JSON. A request lists files with the positions that their bones should
have (metres, z up) in each frame; the answer has a figure for each of ``measure``'s keys. With
``blender --background --python`` the two paths follow ``--``.
"""

import json
import math
import runpy
import sys
from pathlib import Path

import bpy
from mathutils import Vector


def main():
    request, answer = (sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])[:2]
    wanted = json.loads(Path(request).read_text())
    results = [measure(item) for item in wanted["files"]]
    for script, *arguments in wanted.get("run", []):
        run_example(script, arguments)
    copied = compare_copy(**wanted["copied"]) if "copied" in wanted else None
    found = {"version": bpy.app.version_string, "files": results, "copied": copied}
    Path(answer).write_text(json.dumps(found))


def run_example(script, arguments):
    """Run a documented script as a user would."""
    before = sys.argv
    sys.argv = [script, "--", *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.argv = before


def compare_copy(path, size):
    """Open a scene in which a character ``size`` times as large copies a motion.

    Returns:
        ``degrees`` (largest angle between its limbs and the motion's) and ``ankles_mm`` (largest distance of
        its ankles from the motion's, enlarged), in every tenth frame.
    """
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    source, other = (thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    degrees = distance = 0.0
    for frame in range(scene.frame_start, scene.frame_end + 1, 10):
        scene.frame_set(frame)
        for bone in source.pose.bones:
            twin = other.pose.bones[bone.name]
            way = main_way(bone)
            if way is None:
                continue
            mine = other.matrix_world.to_3x3() @ main_way(twin)
            degrees = max(degrees, angle(mine, source.matrix_world.to_3x3() @ way))
            if bone.name.endswith("Foot"):
                wanted = size * (source.matrix_world @ bone.head)
                distance = max(distance, (other.matrix_world @ twin.head - wanted).length)
    return {"degrees": degrees, "ankles_mm": 1000 * distance}


def open_file(path, fps):
    """Import into an empty scene whose frame rate is set first, as docs/export.md says."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = round(fps)
    bpy.context.scene.render.fps_base = round(fps) / fps
    if path.endswith(".bvh"):
        bpy.ops.import_anim.bvh(
            filepath=path, global_scale=0.01, rotate_mode="QUATERNION", update_scene_fps=True
        )
    elif path.endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=path)
    else:
        bpy.ops.import_scene.gltf(filepath=path)
    return [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]


def measure(item):
    """Open one file and compare it with what it should be.

    Returns:
        ``armatures``, ``met`` (bones that were compared), ``fps``, ``frames`` (first and last key),
        ``positions_mm`` (largest distance of a bone's head from where it should be), ``axes_deg`` (largest
        angle between a bone and the way to its child), ``copied_deg`` (largest angle between a limb of the
        motion and that of another rig that copies rotations; these two in every tenth frame), ``floor_m``
        (lowest bone at rest) and ``cameras``.
    """
    scene = bpy.context.scene
    armatures = open_file(item["path"], item["fps"])
    scene = bpy.context.scene
    keys = [
        point
        for action in bpy.data.actions
        for curve in curves(action)
        for point in (curve.keyframe_points[0].co[0], curve.keyframe_points[-1].co[0])
    ]
    first, last = min(keys), max(keys)
    expected = item["positions"]
    frames = range(len(next(iter(expected.values()))))
    distance = axes = copied = 0.0
    met = set()
    for frame in frames:
        scene.frame_set(int(first) + frame)
        for armature in armatures:
            for bone in armature.pose.bones:
                places = expected.get(bone.name)
                if places and places[frame] is not None:
                    head = armature.matrix_world @ bone.head
                    distance = max(distance, (head - Vector(places[frame])).length)
                    met.add(bone.name)
    copies = [(armature, copying_rig(armature)) for armature in armatures]
    for frame in frames[::10]:
        scene.frame_set(int(first) + frame)
        for armature, copy in copies:
            turn = armature.matrix_world.to_3x3()
            for bone in armature.pose.bones:
                way = main_way(bone)
                if way is None or not bone.parent:
                    continue
                axes = max(axes, angle(turn @ bone.y_axis, turn @ way))
                other = copy.matrix_world.to_3x3() @ copy.pose.bones[bone.name].y_axis
                copied = max(copied, angle(other, turn @ way))
    cameras = [thing for thing in bpy.data.objects if thing.type == "CAMERA"]
    rest = [
        (armature.matrix_world @ bone.head_local).z for armature in armatures for bone in armature.data.bones
    ]
    return {
        "armatures": len(armatures),
        "met": sorted(met),
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": [first, last],
        "positions_mm": 1000 * distance,
        "axes_deg": axes,
        "copied_deg": copied,
        "floor_m": min(rest),
        "cameras": len(cameras),
    }


def curves(action):
    """The curves of an action: of its one slot in Blender 4.4 and newer."""
    if getattr(action, "layers", None):
        return [
            curve
            for layer in action.layers
            for strip in layer.strips
            for bag in strip.channelbags
            for curve in bag.fcurves
        ]
    return list(action.fcurves)


def main_way(bone):
    """Vector to the first child that stands elsewhere."""
    ways = [child.head - bone.head for child in bone.children]
    return next((way for way in ways if way.length > 1e-4), None)


def angle(one, other):
    return math.degrees(one.angle(other))


def copying_rig(source):
    """Another rig, whose bones lie along its limbs with rolls of their own, that copies world rotations."""
    data = bpy.data.armatures.new("copy")
    copy = bpy.data.objects.new("copy", data)
    bpy.context.scene.collection.objects.link(copy)
    bpy.context.view_layer.objects.active = copy
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in source.data.bones:
        twin = data.edit_bones.new(bone.name)
        twin.head = source.matrix_world @ bone.head_local
        ways = [child.head_local - bone.head_local for child in bone.children]
        way = next((way for way in ways if way.length > 1e-4), bone.tail_local - bone.head_local)
        twin.tail = twin.head + 1.3 * (source.matrix_world.to_3x3() @ way)
        if bone.parent:
            twin.parent = data.edit_bones[bone.parent.name]
    bpy.ops.object.mode_set(mode="POSE")
    for bone in copy.pose.bones:
        constraint = bone.constraints.new("COPY_ROTATION")
        constraint.target, constraint.subtarget = source, bone.name
    bpy.ops.object.mode_set(mode="OBJECT")
    return copy


main()

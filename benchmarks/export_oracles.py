"""Open exported files in other programs and compare: Blender, OpenSim, Pose2Sim, three.js and more.

    python benchmarks/export_oracles.py --json docs/export_oracles.json

Each program is asked only if it is there, in the folder that the environment variable ``SPGNET_ORACLES``
names (by default ``.oracles`` in the repository, which ``make oracles`` fills): ``blender/bin/python`` with
``bpy``, ``opensim/bin/python`` with ``opensim``, ``pose2sim`` and ``c3d``, and ``node_modules`` with
``gltf-validator`` and ``three``. A ``blender`` on the path serves as well. ``tests/export/test_oracles.py``
holds the same figures to their limits, and ``scripts/export_table.py`` makes the table of docs/export.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spgnet import Motion, export, lift
from spgnet.export.markers import marker_names, marker_set_text
from spgnet.export.posing import pose_rig
from spgnet.export.rigs import RIG_NAMES, RIGS, RigName
from spgnet.export.sampling import z_up_to_y_up
from spgnet.geometry.kinematics import forward_kinematics

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks" / "oracles"
TOES = {"mixamo": "mixamorig:LeftToeBase", "vrm": "leftToes", "unreal": "ball_l"}
"""The bone of the left toes of each rig."""


@dataclass(frozen=True)
class Check:
    """What a program made of a file.

    Args:
        program: its name and version.
        file: what it opened.
        quantity: what was measured.
        value: the figure.
        unit: of the figure; empty for counts.
        least: the least that it may be.
        most: the most that it may be.
    """

    program: str
    file: str
    quantity: str
    value: float
    unit: str
    least: float
    most: float


def folder() -> Path:
    """Where the programs are."""
    return Path(os.environ.get("SPGNET_ORACLES", ROOT / ".oracles"))


def python_with(environment: str, package: str) -> list[str] | None:
    """The Python of one of the environments, if it has a package."""
    inside = folder() / environment
    return (
        [str(inside / "bin" / "python")] if any(inside.glob(f"lib/python*/site-packages/{package}")) else None
    )


def blender_command() -> list[str] | None:
    """How to run a script in Blender, or None without it."""
    blender = shutil.which("blender")
    return python_with("blender", "bpy") or (
        [blender, "--background", "--python-exit-code", "1", "--python"] if blender else None
    )


def opensim_command() -> list[str] | None:
    """How to run a script with OpenSim and the models of Pose2Sim, or None without them."""
    return python_with("opensim", "opensim") and python_with("opensim", "Pose2Sim")


def node_command() -> list[str] | None:
    """How to run a script with the validator and three.js, or None without them."""
    node = shutil.which("node")
    return [node] if node and (folder() / "node_modules" / "three").exists() else None


def ask(command: Sequence[str], script: str, request: dict[str, Any], work: Path) -> dict[str, Any]:
    """Run one of the scripts on a request; gives its answer.

    Raises:
        RuntimeError: the script failed.
    """
    asked, answered = work / "request.json", work / "answer.json"
    asked.write_text(json.dumps(request))
    answered.unlink(missing_ok=True)
    between = ["--"] if "--background" in command else []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [*command, str(SCRIPTS / script), *between, str(asked), str(answered)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=work,  # OpenSim leaves its log where it runs
    )
    if run.returncode or not answered.exists():
        raise RuntimeError(f"{script} failed:\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    return json.loads(answered.read_text())


def node_positions(motion: Motion, rig: RigName) -> dict[str, list[list[float]]]:
    """Where each node of a rig is in each frame (metres, world, z up), by our own forward kinematics."""
    joints = torch.from_numpy(z_up_to_y_up(motion.world)).double()
    posed = pose_rig(RIGS[rig], joints)
    offsets = posed.offsets.repeat(len(joints), 1, 1)
    offsets[:, posed.rig.mover] = posed.positions
    places = forward_kinematics(posed.rotations, offsets, posed.rig.parents)[0].numpy()
    z_up = np.stack([places[..., 0], -places[..., 2], places[..., 1]], axis=-1)
    return {node.name: z_up[:, index].tolist() for index, node in enumerate(posed.rig.nodes)}


def joint_positions(motion: Motion) -> dict[str, list[list[float]]]:
    """The motion's joints (metres, world, z up), by name."""
    return {name: motion.world[:, index].tolist() for index, name in enumerate(motion.skeleton.names)}


def bone_positions(motion: Motion, rig: RigName) -> dict[str, list[list[float]]]:
    """Where each bone of a file should be; of our own rig, at the joints, but for the ends of its feet."""
    nodes = node_positions(motion, rig)
    return nodes if rig != "spgnet" else nodes | joint_positions(motion.without_feet())


def blender_checks(motions: Sequence[Motion], work: Path) -> list[Check]:
    """Every rig as .glb and .bvh, several people, and the conversion to FBX."""
    command = blender_command()
    assert command
    motion = motions[0]
    requests = []
    for rig in RIG_NAMES:
        expected = bone_positions(motion, rig)
        for suffix in ("glb", "bvh"):
            path = work / f"{rig}.{suffix}"
            export(motion, path, rig=rig)
            requests.append({"path": str(path), "fps": motion.fps, "positions": expected})
    people, everybody = work / "people.glb", {}
    if len(motions) > 1:
        export(motions, people)
        for person in motions:
            everybody |= {
                f"person{person.track}_{name}": places for name, places in _in_time(person, motions).items()
            }
        requests.append({"path": str(people), "fps": motion.fps, "positions": everybody})
    size = 1.15
    larger = replace(motion.camera, position=size * motion.camera.position)
    export(replace(motion, joints=size * motion.joints, camera=larger), work / "large.glb", rig="mixamo")
    mixamo, fbx, character, scene = (
        str(work / name) for name in ("mixamo.glb", "mixamo.fbx", "large.fbx", "walk.blend")
    )
    examples = ROOT / "examples" / "blender"
    convert, copy = str(examples / "gltf_to_fbx.py"), str(examples / "copy_motion.py")
    runs = [
        [convert, mixamo, fbx],
        [convert, str(work / "large.glb"), character],
        [copy, mixamo, character, scene],
    ]
    copied = {"path": scene, "size": size}
    answer = ask(command, "in_blender.py", {"files": requests, "run": runs, "copied": copied}, work)
    again = {**requests[2], "path": fbx}
    answer["files"] += ask(command, "in_blender.py", {"files": [again]}, work)["files"]
    program = f"Blender {answer['version']}"
    checks = []
    for request, found in zip([*requests, again], answer["files"], strict=True):
        file = _described(Path(request["path"]))
        limit = 0.5 if file.startswith(".fbx") else 0.01  # FBX has single-precision angles

        def add(
            quantity: str, value: float, unit: str, most: float, least: float = 0.0, file: str = file
        ) -> None:
            checks.append(Check(program, file, quantity, value, unit, least, most))

        assert len(found["met"]) >= 15, f"{file}: bones are missing"
        toes = {bone for rig, bone in TOES.items() if rig in file}
        assert toes <= set(found["met"]), f"{file}: toes are missing"
        add("positions of bones in every frame, largest difference", found["positions_mm"], "mm", limit)
        people_there = len(motions) if request["path"] == str(people) else 1
        add("armatures", found["armatures"], "", people_there, people_there)
        add("frames", found["frames"][1] - found["frames"][0] + 1, "", len(motion), len(motion))
        if request["path"].endswith(".glb"):
            add("angle between bones and limbs, largest", found["axes_deg"], "°", 0.1)
            add("Copy Rotation to another rig, largest error", found["copied_deg"], "°", 0.1)
            add("lowest bone of the rest pose above the floor", found["floor_m"], "m", 0.06, -1e-6)
            add("cameras", found["cameras"], "", 1, 1)
        if request["path"].endswith(".bvh"):
            add("frames per second", found["fps"], "", motion.fps + 1e-6, motion.fps - 1e-6)
    file = "a character that copied `--rig mixamo`"
    degrees, ankles = answer["copied"]["degrees"], answer["copied"]["ankles_mm"]
    checks.append(
        Check(program, file, "angle between its limbs and the motion's, largest", degrees, "°", 0, 0.1)
    )
    checks.append(
        Check(program, file, "ankles against the motion's at its size, largest", ankles, "mm", 0, 1)
    )
    return checks


def _in_time(person: Motion, motions: Sequence[Motion]) -> dict[str, list[Any]]:
    """A person's joints in the frames of a file with several, which starts with the first; None elsewhere."""
    start = min(motion.timestamps[0] for motion in motions)
    first = round((person.timestamps[0] - start) * person.fps)
    count = max(len(motion) for motion in motions)
    return {
        name: [places[frame - first] if 0 <= frame - first < len(person) else None for frame in range(count)]
        for name, places in joint_positions(person).items()
    }


def _described(path: Path) -> str:
    what = {"people": "several people", "spgnet": "`--rig spgnet`"}.get(path.stem, f"`--rig {path.stem}`")
    return f"{path.suffix}, {what}"


def node_checks(motions: Sequence[Motion], work: Path) -> list[Check]:
    """The Khronos validator's messages, and where the loaders of three.js put the joints."""
    command = node_command()
    assert command
    motion = motions[0]
    paths = []
    for rig in RIG_NAMES:
        for suffix in ("glb", "gltf", "bvh"):
            if (rig, suffix) == ("mixamo", "bvh"):
                continue  # three.js takes the colon of Mixamo's names for syntax of its own
            paths.append(work / f"{rig}.{suffix}")
            export(motion, paths[-1], rig=rig)
    if len(motions) > 1:
        paths.append(work / "people.glb")
        export(motions, paths[-1])
    frames = [0, len(motion) // 3, len(motion) - 1]
    times = [float(motion.timestamps[frame] - motion.timestamps[0]) for frame in frames]
    request = {"files": [str(path) for path in paths], "times": times, "modules": str(folder())}
    answer = ask(command, "in_node.mjs", request, work)
    checks = []
    for path, found in zip(paths, answer["files"], strict=True):
        file = _described(path)
        if "issues" in found:
            # The validator says of every extension beyond Khronos's own that it does not know it.
            issues = [code for code in found["issues"] if code != "UNSUPPORTED_EXTENSION"]
            checks.append(
                Check(
                    f"Khronos glTF validator {answer['validator']}", file, "messages", len(issues), "", 0, 0
                )
            )
        if path.stem == "people":
            continue
        rig: Any = path.stem
        expected = bone_positions(motion, rig)
        unit = 0.01 if path.suffix == ".bvh" else 1.0
        distances = [
            np.linalg.norm(unit * np.array(places[name]) - z_up_to_y_up(np.array(expected[name][frame])))
            for frame, places in zip(frames, found["frames"], strict=True)
            for name in expected
            if name in places
        ]
        assert len(distances) >= 15 * len(frames), f"{path}: joints are missing"
        quantity = "positions of joints in three frames, largest difference"
        checks.append(
            Check(f"three.js r{answer['three']}", file, quantity, 1000 * float(max(distances)), "mm", 0, 0.05)
        )
    return checks


def opensim_checks(motions: Sequence[Motion], work: Path) -> list[Check]:
    """TRC and angles as OpenSim reads them, with joints missing too, and a model that follows our markers."""
    command = opensim_command()
    assert command
    motion = motions[0]
    seen = np.tile(np.array(motion.skeleton.names) != "right_wrist", (len(motion), 1))
    export(motion, work / "motion.trc")
    export(motion, work / "angles.mot")
    export(replace(motion, confidence=seen.astype(np.float32)), work / "unseen.trc", unseen="missing")
    (work / "markers.xml").write_text(marker_set_text("spgnet", motion.skeleton))
    request = {
        "read": [str(work / "motion.trc"), str(work / "unseen.trc")],
        "coordinates": str(work / "angles.mot"),
        "follow": {
            "trc": str(work / "motion.trc"),
            "markers": str(work / "markers.xml"),
            "model": str(pose2sim_folder() / "OpenSim_Setup" / "Model_Pose2Sim_simple.osim"),
            "folder": str(work),
        },
    }
    answer = ask(command, "in_opensim.py", request, work)
    program = f"OpenSim {answer['opensim'].split('-')[0]}"
    whole, missing = answer["tables"]
    off = np.abs(np.array(whole["rows"]) - z_up_to_y_up(motion.world)).max()
    absent = np.isnan(np.array(missing["rows"])).all(axis=(0, 2))
    wrongly = absent != np.array([name == "right_wrist" for name in missing["labels"]])
    header = (work / "motion.trc").read_text().split("\n")[3:6]
    unlike = sum(a != b for a, b in zip(header, whole["header"][3:6], strict=True))
    followed = ".trc and `--marker-set`, scaled model, inverse kinematics"
    checks = [
        Check(program, ".trc", "positions of markers, largest difference", 1000 * float(off), "mm", 0, 0.01),
        Check(program, ".trc", "header lines unlike its own (names, axes, blank)", unlike, "", 0, 0),
        Check(
            program,
            ".trc, `--unseen missing`",
            "markers missing that should not be, or the reverse",
            int(wrongly.sum()),
            "",
            0,
            0,
        ),
        Check(program, followed, "RMS distance of markers", answer["follow_rms_mm"], "mm", 0, 40),
    ]
    angles = motion.joint_angles()
    kinds = [("knee_angle", "knee_flexion", 5.0)]
    kinds += [("ankle_angle", "ankle_flexion", 8.0)] if motion.has_feet else []
    for coordinate, angle, most in kinds:
        sides = (("r", "right"), ("l", "left"))
        own = np.array([angles[f"{side}_{angle}"] for _, side in sides])
        read, model = (
            np.array([answer[table][f"{coordinate}_{letter}"] for letter, _ in sides])
            for table in ("coordinates", "followed")
        )
        name = angle.replace("_", " ")
        largest = float(np.abs(read - own).max())
        checks.append(Check(program, ".mot", f"{name}, largest difference", largest, "°", 0, 0.01))
        apart = model - own
        about = float(np.sqrt((apart - apart.mean(axis=1, keepdims=True)).var(axis=1).mean()))
        quantity = f"{name} against the motion's, RMS about the mean difference"
        checks.append(Check(program, followed, quantity, about, "°", 0, most))
    return checks


def pose2sim_folder() -> Path:
    """Pose2Sim's package, which has OpenSim models."""
    (found,) = (folder() / "opensim").glob("lib/python*/site-packages/Pose2Sim")
    return found


def pose2sim_checks(motions: Sequence[Motion], work: Path) -> list[Check]:
    """Pose2Sim's reader, scaling and inverse kinematics on our TRC file with its names."""
    command = opensim_command()
    assert command
    motion = motions[0]
    export(motion, work / "pose2sim.trc", markers="pose2sim")
    request = {"pose2sim": {"trc": str(work / "pose2sim.trc"), "folder": str(work)}}
    answer = ask(command, "in_opensim.py", request, work)
    program, file = f"Pose2Sim {answer['pose2sim']}", ".trc, `--markers pose2sim`"
    frames, markers = len(motion), len(marker_names([motion], "pose2sim"))
    return [
        Check(program, file, "markers read", len(answer["markers"]), "", markers, markers),
        Check(program, file, "frames read", answer["shape"][0], "", frames, frames),
        Check(
            program,
            f"{file}, its scaling and inverse kinematics",
            "RMS distance of markers",
            answer["pose2sim_rms_mm"],
            "mm",
            0,
            40,
        ),
    ]


def c3d_checks(motions: Sequence[Motion], work: Path) -> list[Check]:
    """C3D as ezc3d and, where it is there, the package c3d read it."""
    import ezc3d

    motion = motions[0]
    path = work / "motion.c3d"
    export(motion, path)
    file = ezc3d.c3d(str(path))
    found = file["data"]["points"][:3].transpose(2, 1, 0)
    labels = {"contact": "Foot Strike", "off": "Foot Off"}
    gait = [(event.side.title(), labels[event.kind.split()[1]]) for event in motion.gait_events()]
    times = [event.time - motion.timestamps[0] for event in motion.gait_events()]
    group = file["parameters"].get("EVENT", {})
    events = {
        "contexts": group["CONTEXTS"]["value"] if gait else [],
        "labels": group["LABELS"]["value"] if gait else [],
        "times": group["TIMES"]["value"][1].tolist() if gait else [],
    }
    readers = {f"ezc3d {importlib.metadata.version('ezc3d')}": (found, events)}
    if command := python_with("opensim", "c3d"):
        answer = ask(command, "in_opensim.py", {"c3d": [str(path)]}, work)
        (read,) = answer["files"]
        readers[f"c3d {answer['c3d']} (Python)"] = (np.array(read["points"]), read["events"])
    checks = []
    for program, (points, events) in readers.items():
        largest = float(np.abs(points - 1000 * motion.world).max())
        quantity = "positions of points, largest difference"
        checks.append(Check(program, ".c3d", quantity, largest, "mm", 0, 0.01))
        same = list(zip(events["contexts"], events["labels"], strict=True)) == gait
        late = float(np.abs(np.subtract(events["times"], times)).max(initial=0)) if same else float("inf")
        checks.append(Check(program, ".c3d", f"{len(gait)} gait events, latest", late, "s", 0, 1e-4))
    return checks


ORACLES: dict[str, tuple[Callable[[], object], Callable[[Sequence[Motion], Path], list[Check]]]] = {
    "Blender": (blender_command, blender_checks),
    "the glTF validator and three.js": (node_command, node_checks),
    "OpenSim": (opensim_command, opensim_checks),
    "Pose2Sim": (opensim_command, pose2sim_checks),
    "C3D readers": (lambda: True, c3d_checks),
}
"""By name: whether it is there, and what it finds."""


def sample_motions() -> list[Motion]:
    """The sample clip of the package, lifted, and a second person who comes later."""
    with as_file(files("spgnet").joinpath("samples", "pose2sim_cam01.npz")) as clip:
        (motion,) = lift(str(clip))
    arrays = ("joints", "confidence", "pixels", "timestamps", "uncertainty", "rejected", "foot_contact")
    later = {name: getattr(motion, name)[20:80] for name in arrays if getattr(motion, name) is not None}
    return [motion, replace(motion, track=2, **later)]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    motions = sample_motions()
    checks = []
    for name, (command, run) in ORACLES.items():
        if not command():
            print(f"{name}: not there", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as work:
            checks += run(motions, Path(work))
    for check in checks:
        wrong = "" if check.least <= check.value <= check.most else f"  <-- expected up to {check.most:g}"
        print(f"{check.program}: {check.file}: {check.quantity}: {check.value:.6g} {check.unit}{wrong}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(check) for check in checks], indent=1) + "\n")


if __name__ == "__main__":
    main()

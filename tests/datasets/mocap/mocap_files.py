"""Files of motion capture, as the tests write them: a person in a T-pose, y up, facing +z, in centimetres."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.geometry.skeleton import HUMAN36M


@dataclass
class Node:
    """A joint of a BVH file; ``order`` are its channels, letters in capitals for positions."""

    name: str
    offset: tuple[float, float, float]
    children: list["Node"] = field(default_factory=list)
    end: tuple[float, float, float] | None = None
    order: str = "zxy"

    def all(self) -> list["Node"]:
        return [self, *(below for child in self.children for below in child.all())]


def bvh_text(root: Node, values: np.ndarray, frame_time: float = 1 / 60) -> str:
    rows = "\n".join(" ".join(f"{value:.9g}" for value in row) for row in values)
    motion = f"MOTION\nFrames: {len(values)}\nFrame Time: {frame_time:.9f}\n{rows}\n"
    return f"HIERARCHY\n{_block(root, 'ROOT')}{motion}"


def _block(node: Node, kind: str = "JOINT") -> str:
    channels = [f"{c}{'position' if c.isupper() else 'rotation'}" for c in node.order]
    channels = [channel[0].upper() + channel[1:] for channel in channels]
    inner = f"OFFSET {_three(node.offset)}\nCHANNELS {len(channels)} {' '.join(channels)}\n"
    inner += "".join(_block(child) for child in node.children)
    if node.end is not None:
        inner += f"End Site\n{{\nOFFSET {_three(node.end)}\n}}\n"
    return f"{kind} {node.name}\n{{\n{inner}}}\n"


def _three(vector: tuple[float, float, float]) -> str:
    return " ".join(f"{value:.6f}" for value in vector)


@dataclass(frozen=True)
class Names:
    """What a skeleton calls its joints; ``{}`` stands for the side."""

    hip: str
    knee: str
    ankle: str
    shoulder: str
    elbow: str
    wrist: str
    collar: str
    spine: tuple[str, ...]
    neck: tuple[str, ...] = ("Neck",)
    head: str = "Head"
    root: str = "Hips"
    sides: tuple[str, str] = ("Left", "Right")


def names_of(limbs: str, spine: str, neck: str = "Neck", head: str = "Head", **more: Any) -> Names:
    """Names of hip, knee, ankle, shoulder, elbow, wrist and collar; of the spine, the neck and the head."""
    hip, knee, ankle, shoulder, elbow, wrist, collar = limbs.split()
    return Names(
        hip,
        knee,
        ankle,
        shoulder,
        elbow,
        wrist,
        collar,
        tuple(spine.split()),
        tuple(neck.split()),
        head,
        **more,
    )


PLACES = {
    "pelvis": (0, 95, 0),
    "hip": (9, 91, 0),
    "knee": (9, 50, 1),
    "ankle": (9, 9, 0),
    "toe": (9, 2, 15),
    "neck": (0, 145, -1),
    "head": (0, 155, 0),
    "collar": (3, 140, 0),
    "shoulder": (18, 142, -1),
    "elbow": (46, 142, -1),
    "wrist": (72, 142, 0),
    "hand": (90, 142, 0),
    "vertex": (0, 172, 0),
}
"""Where the joints of the person are; those with a side are the left ones."""


def person(names: Names, root_order: str = "XYZzxy") -> Node:
    """The skeleton of the person under the names of some maker."""
    trunk = [np.array([0, 95 + 50 * (i + 1) / (len(names.spine) + 1), 0.0]) for i in range(len(names.spine))]
    tips = {"ankle": "toe", "wrist": "hand"}

    def at(joint: str, sign: float) -> np.ndarray:
        return np.array(PLACES[joint]) * [sign, 1, 1]

    def limb(side: str, sign: float, joints: list[str], before: np.ndarray) -> Node:
        joint, *after = joints
        place = at(joint, sign)
        children = [limb(side, sign, after, place)] if after else []
        end = None if after else tuple(at(tips[joint], sign) - place)
        return Node(getattr(names, joint).format(side), tuple(place - before), children, end)

    def chain(joints: list[tuple[str, np.ndarray]], before: np.ndarray, last: list[Node]) -> Node:
        (name, place), *after = joints
        children = [chain(after, place, last)] if after else last
        return Node(name, tuple(place - before), children)

    pelvis, neck, head = (np.array(PLACES[joint], dtype=float) for joint in ("pelvis", "neck", "head"))
    sides = list(zip(names.sides, (1.0, -1.0), strict=True))
    top = trunk[-1]
    necks = [(n, neck + (head - neck) * i / len(names.neck)) for i, n in enumerate(names.neck)]
    skull = Node(names.head, tuple(head - necks[-1][1]), [], tuple(np.array(PLACES["vertex"]) - head))
    arms = [limb(side, sign, ["collar", "shoulder", "elbow", "wrist"], top) for side, sign in sides]
    spine = chain(list(zip(names.spine, trunk, strict=True)), pelvis, [chain(necks, top, [skull]), *arms])
    legs = [limb(side, sign, ["hip", "knee", "ankle"], pelvis) for side, sign in sides]
    return Node(names.root, (0, 0, 0), [*legs, spine], None, root_order)


_MIXAMO = "{}UpLeg {}Leg {}Foot {}Arm {}ForeArm {}Hand {}Shoulder"
MIXAMO = names_of(
    _MIXAMO.replace("{}", "mixamorig:{}"),
    "mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2",
    "mixamorig:Neck",
    "mixamorig:Head",
    root="mixamorig:Hips",
)


def standing(root: Node, frames: int = 4) -> np.ndarray:
    """Values of a person who stands still at the pelvis' height."""
    values = np.zeros((frames, sum(len(node.order) for node in root.all())))
    values[:, :3] = PLACES["pelvis"]
    return values


def write_person(path: Path, names: Names = MIXAMO, frames: int = 4, fps: float = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    root = person(names)
    path.write_text(bvh_text(root, standing(root, frames), 1 / fps))
    return path


def write_choices(folder: Path, **choices: object) -> None:
    (folder / "joints.json").write_text(json.dumps(choices))


def expected_joints() -> dict[str, np.ndarray]:
    """Where the limbs and the thorax of the person are in the world: metres, z up."""
    joints = {"thorax": PLACES["neck"]}
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        x, y, z = PLACES[joint]
        joints |= {f"left_{joint}": (x, y, z), f"right_{joint}": (-x, y, z)}
    return {name: np.array([x, -z, y]) / 100 for name, (x, y, z) in joints.items()}


def named(joints: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(HUMAN36M.names, np.moveaxis(joints, -2, 0), strict=True))


ASF = """# a comment
:version 1.10
:name test
:units
  mass 1.0
  length {length}
  angle {angle}
:documentation
   any text
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
{bones}:hierarchy
  begin
{hierarchy}  end
"""


@dataclass
class AsfBone:
    name: str
    parent: str
    offset: tuple[float, float, float]
    axis: tuple[float, float, float] = (0, 0, 0)
    dof: str = ""
    order: str = "XYZ"


def asf_text(bones: list[AsfBone], length: float = 0.45, angle: str = "deg") -> str:
    blocks, lines = "", ""
    for number, bone in enumerate(bones, start=1):
        size = float(np.linalg.norm(bone.offset))
        direction = np.array(bone.offset) / size
        dof = f"    dof {bone.dof}\n    limits (-160.0 20.0)\n" + "           (-70 70)\n" if bone.dof else ""
        blocks += f"  begin\n     id {number}\n     name {bone.name}\n     direction {_exact(direction)}\n"
        blocks += f"     length {size!r}\n     axis {_exact(bone.axis)}  {bone.order}\n{dof}  end\n"
    for parent in dict.fromkeys(bone.parent for bone in bones):
        lines += f"    {parent} {' '.join(bone.name for bone in bones if bone.parent == parent)}\n"
    return ASF.format(length=length, angle=angle, bones=blocks, hierarchy=lines)


def _exact(vector) -> str:
    return " ".join(repr(float(value)) for value in vector)


def amc_text(frames: Sequence[Mapping[str, Any]], angle: str = "DEGREES") -> str:
    text = f"#!OML:ASF a file\n:FULLY-SPECIFIED\n:{angle}\n"
    for number, frame in enumerate(frames, start=1):
        text += f"{number}\n" + "".join(f"{name} {_exact(values)}\n" for name, values in frame.items())
    return text

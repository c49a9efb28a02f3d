"""A miniature Human3.6M, written in every layout that it comes in, for tests.

The motion is generated, the cameras are Human3.6M's own. As in the real one, the two sequences of an action
are numbered differently: ``Directions`` and ``Directions 1``, or ``Directions 1`` and ``Directions 2``.
"""

import functools
import io
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cdflib.cdfwrite import CDF
from torch import Tensor

from spgnet.geometry.camera import Camera
from spgnet.geometry.rigs import human36m_rig
from spgnet.synthetic.procedural import procedural_clips

Motion = dict[str, dict[str, Tensor]]
"""By subject and sequence: joints [T, 17, 3] in metres, world frame."""

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether"),
)
DETECTORS = ("gt", "cpn_ft_h36m_dbb")
METADATA: dict[str, Any] = {
    "layout_name": "h36m",
    "num_joints": 17,
    "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
}

_PARENTS = (
    *(-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 13, 14),
    *(12, 16, 17, 18, 19, 20, 19, 22, 12, 24, 25, 26, 27, 28, 27, 30),
)
"""Of the 32 joints."""
_REMOVED = (4, 5, 9, 10, 11, 16, 20, 21, 22, 23, 24, 28, 29, 30, 31)
"""Those that VideoPose3D takes away, after which 17 are left."""


def make_motion(
    subjects: tuple[str, ...] = SUBJECTS, frames: tuple[int, int] = (8, 40), *, seed: int = 0
) -> Motion:
    """Every action twice for every subject, in sequences of various lengths; S11 lacks its corrupt one."""
    names = [(subject, name) for subject in subjects for name in _sequence_names(subject)]
    clips = procedural_clips(len(names), seed=seed, seconds=frames[1] / 50, fps=50.0)
    motion: Motion = {subject: {} for subject in subjects}
    for number, ((subject, name), clip) in enumerate(zip(names, clips, strict=True)):
        length = frames[0] + 7 * number % (frames[1] - frames[0] + 1)
        motion[subject][name] = clip.joints[:length].clone()
    return motion


def _sequence_names(subject: str) -> list[str]:
    numbers = (" 1", " 2") if subject in ("S5", "S8") else ("", " 1")
    names = [f"{action}{number}" for action in ACTIONS for number in numbers]
    return [name for name in names if (subject, name) != ("S11", "Directions")]


def to_32_joints(joints: Tensor) -> np.ndarray:
    """[T, 17, 3] to [T, 32, 3]: the joints that nobody uses lie somewhat off those that they hang on."""
    kept = [joint for joint in range(32) if joint not in _REMOVED]
    full = np.zeros((len(joints), 32, 3), dtype=np.float32)
    full[:, kept] = joints.numpy()
    for joint in _REMOVED:
        full[:, joint] = full[:, _PARENTS[joint]] + np.float32(0.07)
    return full


@functools.cache
def _rig(subject: str) -> Camera:
    return human36m_rig(subject)[:, None]


def project(subject: str, joints: Tensor, *, more: int = 4, noise: float = 0.0, seed: int = 0) -> list:
    """What the four cameras see, arrays [T + more, 17, 2] in pixels; the last frame is seen until the end."""
    seen = _rig(subject).world_to_image(joints)
    seen = torch.cat((seen, seen[:, -1:].expand(-1, more, -1, -1)), dim=1)
    random = torch.Generator().manual_seed(seed)
    seen = seen + noise * torch.randn(seen.shape, generator=random)
    return [camera.numpy() for camera in seen]


def write_prepared(folder: Path, motion: Motion, detectors: tuple[str, ...] = DETECTORS) -> Path:
    """VideoPose3D's archives: ``data_3d_h36m.npz`` and one ``data_2d_h36m_NAME.npz`` for each detector."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        subject: {name: to_32_joints(joints) for name, joints in sequences.items()}
        for subject, sequences in motion.items()
    }
    write_objects(folder / "data_3d_h36m.npz", positions_3d=table)
    for detector in detectors:
        write_detections(folder, motion, detector)
    return folder


def write_detections(folder: Path, motion: Motion, detector: str, *, noise: float | None = None) -> Path:
    """An archive of 2D joints: exact ones for ``gt``, and otherwise 5 pixels off in x and y."""
    exact = detector == "gt"
    noise = noise if noise is not None else 0.0 if exact else 5.0
    table = {
        subject: {
            name: project(subject, joints, more=0 if exact else 4, noise=noise, seed=number)
            for number, (name, joints) in enumerate(sequences.items())
        }
        for subject, sequences in motion.items()
    }
    # VideoPose3D's script names the layout of everything but gt.
    metadata = {key: value for key, value in METADATA.items() if key != "layout_name" or not exact}
    path = folder / f"data_2d_h36m_{detector}.npz"
    write_objects(path, positions_2d=table, metadata=metadata)
    return path


def write_objects(path: Path, **objects: Any) -> None:
    """Pickled objects in an ``.npz`` file, as NumPy writes them."""
    np.savez_compressed(path, allow_pickle=True, **objects)


def write_original(
    folder: Path, motion: Motion, detectors: tuple[str, ...] = (), *, packed: bool = True
) -> Path:
    """The download: ``Poses_D3_Positions_S1.tgz`` and so on, or what they unpack to if not packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for subject, sequences in motion.items():
        names = {
            f"{subject}/MyPoseFeatures/D3_Positions/{_original_name(subject, n)}.cdf": n for n in sequences
        }
        files = {path: cdf_file(to_32_joints(sequences[name]) * 1000) for path, name in names.items()}
        if packed:
            write_archive(folder / f"Poses_D3_Positions_{subject}.tgz", files)
            continue
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    for detector in detectors:
        write_detections(folder, motion, detector)
    return folder


def _original_name(subject: str, name: str) -> str:
    """S1's files have the longer names of two actions."""
    return name.replace("Photo", "TakingPhoto").replace("WalkDog", "WalkingDog") if subject == "S1" else name


def cdf_file(joints: np.ndarray, variable: str = "Pose", *, one_record: bool = True) -> bytes:
    """A CDF file that holds joints [T, n, 3] as one record [T, 3 n], or as T records."""
    flat = joints.reshape(1, len(joints), -1).astype(np.float32)
    flat = flat if one_record else flat[0]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "pose.cdf"
        with CDF(path, cdf_spec={"Majority": "row_major"}) as file:
            file.write_var(
                {
                    "Variable": variable,
                    "Data_Type": CDF.CDF_REAL4,
                    "Num_Elements": 1,
                    "Rec_Vary": True,
                    "Dim_Sizes": list(flat.shape[1:]),
                },
                var_data=flat,
            )
        return path.read_bytes()


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """A ``.tgz`` archive with these members."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

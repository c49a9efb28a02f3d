"""A miniature MPI-INF-3DHP, both sets, written as MATLAB does, for tests."""

import math
from pathlib import Path

import h5py
import numpy as np
import torch
from scipy.io import savemat

from spgnet.datasets.mpi_inf_3dhp import SEQUENCES
from spgnet.geometry.camera import Camera, concatenate_cameras, opencv_camera
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.procedural import procedural_clips

THEIRS = [
    "head_top",
    "thorax",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "spine",
    "nose",
]
"""Our names in the order of ``mpii_get_joints('relevant')``: head_top, neck, right_shoulder, ..., head."""
VALID = [0, 1, 2, 5, 6, 7, 8, 9, 15, 20, 21, 22, 23]
"""The frames that are scored. The activity changes before frame 7."""
FRAMES = 24
SCALE = 0.93
"""How large the universal skeleton is to the real one."""


def the_camera(name: str) -> Camera:
    """The official calibrations: of TS1 to TS4 without distortion, of TS5 and TS6 with."""
    if name in ("TS5", "TS6"):
        matrix = [[1684.0, 0, 939.9], [0, 1672.6, 559.9], [0, 0, 1]]
        return opencv_camera(matrix, [-0.27686, 0.131125, -0.00036, -0.00115, 0], (1920, 1080))
    return opencv_camera([[1500.2, 0, 1017.4], [0, 1500.8, 1043.0], [0, 0, 1]], None, (2048, 2048))


def a_sequence(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file as MATLAB has them: coordinates, joints, 1, frames."""
    (clip,) = procedural_clips(1, seed=int(name[2]), seconds=1.0)
    order = [HUMAN36M.names.index(joint) for joint in THEIRS]
    world = clip.joints[:FRAMES, order].double().numpy() - clip.joints[0, 0].double().numpy()
    # From one end of the room to the other: y down, z forward, 4 to 6 m away.
    path = np.stack([np.linspace(-0.8, 0.8, FRAMES), np.zeros(FRAMES), np.linspace(4, 6, FRAMES)], axis=1)
    joints = world @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]] + path[:, None]
    pixels = the_camera(name).to(torch.float64).camera_to_image(torch.from_numpy(joints)).numpy()
    valid = np.zeros((1, FRAMES))
    valid[:, VALID] = 1
    activity = np.ones((1, FRAMES))
    activity[:, 7:] = 6
    return {
        "annot2": pixels.transpose(2, 1, 0)[:, :, None],
        "annot3": 1000 * joints.transpose(2, 1, 0)[:, :, None],
        "univ_annot3": 1000 * SCALE * joints.transpose(2, 1, 0)[:, :, None],
        "valid_frame": valid,
        "activity_annotation": activity,
        "bb_crop": np.zeros((34, FRAMES)),
    }


def write(folder: Path, **sequences: dict[str, np.ndarray]) -> Path:
    """A file for each sequence, in a folder of its name."""
    for name, arrays in sequences.items():
        (folder / name).mkdir(parents=True)
        with h5py.File(folder / name / "annot_data.mat", "w") as file:
            for key, array in arrays.items():
                file[key] = np.asarray(array).T  # MATLAB writes its columns first
    return folder


def all_sequences() -> dict[str, dict[str, np.ndarray]]:
    """The arrays of TS1 to TS6."""
    return {name: a_sequence(name) for name in SEQUENCES}


ALL_JOINTS = [
    *("spine3", "spine4", "spine2", "spine", "pelvis", "thorax", "nose", "head_top"),
    *("left_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    *("right_hip", "right_knee", "right_ankle", "right_foot", "right_toe"),
]
"""The 28 of the training set, as ``mpii_get_joint_set.m`` has them (neck and head: thorax and nose)."""
TRAINING_SCALE = 1.1


def training_rig() -> Camera:
    """14 cameras around the middle of the room, 4 m away, at heights from 0.5 m to 2.5 m."""
    matrix = [[1497.7, 0, 1024.7], [0, 1497.1, 1051.4], [0, 0, 1]]
    cameras = []
    for number, angle in enumerate(torch.linspace(0, 5.8, 14).tolist()):
        place = torch.tensor([4 * math.cos(angle), 4 * math.sin(angle), 0.5 + number % 5 / 2])
        rotation = look_at(place, torch.tensor([0.0, 0.0, 1.0]))
        cameras.append(opencv_camera(matrix, None, (2048, 2048), rotation=rotation, position=place)[None])
    return concatenate_cameras(cameras)


def training_joints(name: str, frames: int = FRAMES) -> torch.Tensor:
    """The true motion of a sequence: all 28 joints [T, 28, 3] in metres, world frame (z up)."""
    (clip,) = procedural_clips(1, seed=int(name[1]) + 10 * int(name[-1]), seconds=1.0)
    joints = clip.joints[:frames] - clip.joints[0, 0] * torch.tensor([1.0, 1.0, 0.0])
    known = [HUMAN36M.names.index(joint) if joint in HUMAN36M.names else 0 for joint in ALL_JOINTS]
    offset = torch.tensor([[0.0 if joint in HUMAN36M.names else 0.07] for joint in ALL_JOINTS])
    return joints[:, known] + offset


def training_arrays(name: str, frames: int = FRAMES) -> dict[str, np.ndarray]:
    """The contents of ``annot.mat``: the joints in each camera, those of the universal skeleton larger."""
    rig, world = training_rig(), training_joints(name, frames)
    real = 1000 * rig[:, None].world_to_camera(world).double()
    pelvis = real[:, :, 4:5]
    universal = TRAINING_SCALE * (real - pelvis) + pelvis
    pixels = rig[:, None].world_to_image(world).double()
    cells = {"annot2": pixels, "annot3": real, "univ_annot3": universal}
    arrays: dict[str, np.ndarray] = {key: np.empty((14, 1), dtype=object) for key in cells}
    for key, values in cells.items():
        for camera, each in enumerate(values):
            arrays[key][camera, 0] = each.flatten(1).numpy()
    count = np.arange(len(world), dtype=np.int32)[:, None]
    return arrays | {"cameras": np.arange(14, dtype=np.uint8)[None], "frames": count}


def calibration_text() -> str:
    """``camera.calibration``: the world's y axis is up, lengths are in millimetres."""
    rig, lines = training_rig(), ["Skeletool Camera Calibration File V1.0"]
    to_theirs = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    for number in range(14):
        camera = rig[number]
        pose, matrix = torch.eye(4), torch.eye(4)
        pose[:3, :3] = camera.rotation @ to_theirs.T
        pose[:3, 3] = -1000 * camera.rotation @ camera.position
        matrix[:3, :3] = camera.intrinsics_matrix()
        lines += [
            f"name          {number}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            f"  intrinsic   {' '.join(f'{value:.7g}' for value in matrix.flatten().tolist())} ",
            f"  extrinsic   {' '.join(f'{value:.7g}' for value in pose.flatten().tolist())} ",
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def write_training(folder: Path, **sequences: dict[str, np.ndarray]) -> Path:
    """Sequences by names such as ``S1_Seq1``, with these arrays."""
    for key, arrays in sequences.items():
        name = key.replace("_", "/")
        (folder / name).mkdir(parents=True)
        savemat(folder / name / "annot.mat", arrays, do_compression=True)
        (folder / name / "camera.calibration").write_text(calibration_text())
    return folder

"""A miniature test set of MPI-INF-3DHP, written as MATLAB does, for tests."""

from pathlib import Path

import h5py
import numpy as np
import torch

from spgnet.datasets.mpi_inf_3dhp import SEQUENCES
from spgnet.geometry.camera import Camera, opencv_camera
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

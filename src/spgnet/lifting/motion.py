"""The result of lifting: the 3D motion of one person, and the file that holds it (docs/motion.md)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from spgnet.camera import Camera, opencv_camera
from spgnet.keypoints.keypoints import mean_fps
from spgnet.skeleton import HUMAN36M

VERSION = 1


@dataclass(frozen=True)
class Motion:
    """One person's 3D motion.

    Args:
        joints: the 17 joints of Human3.6M in the camera frame (x right, y down, z forward), in metres.
        confidence: how sure the 2D detection was, in [0, 1]; 0 where a joint was not seen, so that its
            position is the network's guess.
        pixels: the 2D input: the joints in the image, with gaps filled.
        timestamps: time of each frame in seconds.
        camera: one camera in OpenCV's convention. Its rotation and position say where the world is (z up,
            floor near z = 0): as calibrated, or found by levelling, or simply upright at the origin.
        camera_source: where the intrinsics come from, in words.
        track: the person's number in the clip, from 1.
        weights: name of the weights that lifted it.

    Raises:
        ValueError: shapes do not fit each other.
    """

    joints: Float[np.ndarray, "frames 17 3"]
    confidence: Float[np.ndarray, "frames 17"]
    pixels: Float[np.ndarray, "frames 17 2"]
    timestamps: Float[np.ndarray, " frames"]
    camera: Camera
    camera_source: str
    track: int = 1
    weights: str = ""

    def __post_init__(self) -> None:
        frames = len(self.joints)
        shapes = {
            "joints": (frames, 17, 3),
            "confidence": (frames, 17),
            "pixels": (frames, 17, 2),
            "timestamps": (frames,),
        }
        faults = [
            f"{name} has shape {getattr(self, name).shape}, expected {shape}"
            for name, shape in shapes.items()
            if getattr(self, name).shape != shape
        ]
        if self.camera.focal.ndim != 1 or self.camera.convention != "opencv":
            faults.append("the camera must be a single one in OpenCV's convention")
        if not frames or faults:
            raise ValueError("; ".join(faults) or "a motion needs a frame or more")

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def fps(self) -> float:
        """Mean frames per second; 30 for a single frame."""
        return mean_fps(self.timestamps)

    @property
    def world(self) -> Float[np.ndarray, "frames 17 3"]:
        """The joints in the world (z up), in metres."""
        camera = self.camera.to(torch.float64)
        world = camera.camera_to_world(torch.from_numpy(self.joints.astype(np.float64)))
        return world.numpy().astype(np.float32)


def save_motion(path: Path, motion: Motion) -> None:
    """Write a motion as an ``.npz`` file of plain arrays, whole or not at all."""
    camera = motion.camera.to(torch.float64)
    matrix = np.eye(3)
    matrix[[0, 1], [0, 1]], matrix[:2, 2] = camera.focal.numpy(), camera.center.numpy()
    k1, k2, k3 = camera.radial.tolist()
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            version=VERSION,
            joints=motion.joints.astype(np.float32),
            confidence=motion.confidence.astype(np.float32),
            pixels=motion.pixels.astype(np.float32),
            timestamps=motion.timestamps.astype(np.float64),
            fps=motion.fps,
            joint_names=np.array(HUMAN36M.names),
            camera_matrix=matrix,
            distortion=np.array([k1, k2, *camera.tangential.tolist(), k3]),
            camera_rotation=camera.rotation.numpy(),
            camera_position=camera.position.numpy(),
            image_size=camera.image_size.numpy().astype(np.int64),
            camera_source=motion.camera_source,
            track=motion.track,
            weights=motion.weights,
        )
    temporary.replace(path)


def load_motion(path: Path) -> Motion:
    """Read a motion file.

    Raises:
        ValueError: the file is missing, is no motion file, or its contents do not fit each other.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a readable .npz file ({error})") from None
    wanted = ("joints", "confidence", "pixels", "timestamps", "camera_matrix", "distortion")
    wanted += ("camera_rotation", "camera_position", "image_size", "camera_source", "track", "weights")
    missing = [name for name in wanted if name not in values]
    if missing:
        raise ValueError(f"{path}: not a motion file: it lacks {', '.join(missing)}")
    try:
        return Motion(
            joints=values["joints"].astype(np.float32),
            confidence=values["confidence"].astype(np.float32),
            pixels=values["pixels"].astype(np.float32),
            timestamps=values["timestamps"].astype(np.float64),
            camera=_camera(values),
            camera_source=str(values["camera_source"]),
            track=int(values["track"]),
            weights=str(values["weights"]),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _camera(values: dict[str, np.ndarray]) -> Camera:
    shapes = {"camera_matrix": (3, 3), "distortion": (5,), "camera_rotation": (3, 3), "camera_position": (3,)}
    for name, shape in (shapes | {"image_size": (2,)}).items():
        if values[name].shape != shape:
            raise ValueError(f"{name} has shape {values[name].shape}, expected {shape}")
    return opencv_camera(
        values["camera_matrix"],
        values["distortion"],
        (int(values["image_size"][0]), int(values["image_size"][1])),
        rotation=values["camera_rotation"],
        position=values["camera_position"],
    )

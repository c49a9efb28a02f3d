"""Cameras from calibration files, or from other sources if there is none (docs/cameras.md)."""

from spgnet.camera_files.files import find_camera, load_camera, save_camera
from spgnet.camera_files.sources import FoundCamera, IntrinsicsSource, default_camera
from spgnet.geometry.camera import fit_to_image

__all__ = [
    "FoundCamera",
    "IntrinsicsSource",
    "default_camera",
    "find_camera",
    "fit_to_image",
    "load_camera",
    "save_camera",
]

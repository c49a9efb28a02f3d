"""The poses in the TOML of aniposelib and FreeMoCap, whose worlds are seldom in metres with z up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_POSE = ("rotation", "translation")
_OTHER_POSE = ("world_orientation", "world_position")
"""What FreeMoCap states the pose as once more."""
_FREEMOCAP = ("board", "charuco_square_size", "path_to_recorded_videos_for_calibration", "recording_info")
"""Entries of FreeMoCap's metadata, with any of which lengths are in millimetres."""
_FARTHEST = 100.0
"""Distance of a camera from the world's origin beyond which lengths are in no metres."""
_OWN_WORLD = 0.1
"""Radians by which a camera may be turned from the world's axes if the world is that of a camera, with z
forward: one that looks straight up, in a world with z up, is not among those that film people."""


def is_anipose(entries: Mapping[str, Any]) -> bool:
    """Whether the entries of a TOML file are aniposelib's: Pose2Sim and Caliscope write the same ones, and
    ``fisheye = false``."""
    cameras = [value for key, value in entries.items() if isinstance(value, dict) and key != "metadata"]
    return (
        isinstance(entries.get("metadata"), dict)
        and bool(cameras)
        and all({"matrix", "distortions", *_POSE} <= camera.keys() for camera in cameras)
        and all(camera.get("fisheye", True) for camera in cameras)
    )


def usable_poses(entries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The cameras with their poses in metres; without poses and with ``pose_left_out`` set, if the world is
    in unknown units or its z does not point up.

    aniposelib takes the world of a camera, and its board's unit of length. FreeMoCap uses millimetres; if the
    board lay on the floor, ``groundplane_applied`` is true and z points up.
    """
    metadata = entries["metadata"]
    cameras = {key: value for key, value in entries.items() if key != "metadata" and isinstance(value, dict)}
    poses = [pose for pose in map(_pose, cameras.values()) if pose is not None]
    freemocap = any(key in metadata for key in _FREEMOCAP) or any(
        key in camera for camera in cameras.values() for key in _OTHER_POSE
    )
    if metadata.get("groundplane_applied") is True:
        return {
            key: camera | {"translation": _metres(camera["translation"])} for key, camera in cameras.items()
        }
    own_world = any(
        np.linalg.norm(turn) < _OWN_WORLD and (turn.any() or shift.any()) for turn, shift in poses
    )
    far = any(np.linalg.norm(shift) > _FARTHEST for _, shift in poses)
    if not (freemocap or own_world or far):
        return cameras
    return {
        key: {name: value for name, value in camera.items() if name not in _POSE} | {"pose_left_out": True}
        for key, camera in cameras.items()
    }


def _pose(camera: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """Rotation vector and translation; None if they are no numbers, which the reader of poses refuses."""
    try:
        turn, shift = (np.asarray(camera[name], dtype=np.float64).ravel() for name in _POSE)
    except (ValueError, TypeError, OverflowError):
        return None
    return (turn, shift) if len(turn) == len(shift) == 3 else None


def _metres(translation: Any) -> Any:
    """A translation in metres from one in millimetres; unchanged if it is no numbers."""
    try:
        return (np.asarray(translation, dtype=np.float64) / 1000).tolist()
    except (ValueError, TypeError, OverflowError):
        return translation

"""JSON: everything about motions as text, for programs in any language."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from spgnet.geometry.camera import Camera
from spgnet.lifting.motion import Motion

VERSION = 1


def json_text(motions: Sequence[Motion]) -> str:
    """The whole file: what the numbers mean, and one entry of ``people`` for each motion.

    The motions have the same joints.
    """
    skeleton = motions[0].skeleton
    content = {
        "format": "spgnet motion",
        "version": VERSION,
        "units": {"joints": "metre", "timestamps": "second", "pixels": "pixel", "uncertainty": "metre"},
        "axes": "world: z up, right-handed, floor near z = 0",
        "joint_names": skeleton.names,
        "parents": skeleton.parents,
        "people": [_person(motion) for motion in motions],
    }
    return json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n"


def _person(motion: Motion) -> dict[str, Any]:
    person = {
        "track": motion.track,
        "weights": motion.weights,
        "fps": round(motion.fps, 6),
        "camera": _camera(motion.camera)
        | {"source": motion.camera_source, "intrinsics_source": motion.intrinsics_source},
        "timestamps": _rounded(motion.timestamps, 6),
        "joints": _rounded(motion.world, 6),
        "confidence": _rounded(motion.confidence, 4),
        "pixels": _rounded(motion.pixels, 3),
    }
    if motion.uncertainty is not None:
        person["uncertainty"] = _rounded(motion.uncertainty, 4)
    if motion.rejected is not None:
        person["rejected"] = motion.rejected.tolist()
    if motion.foot_contact is not None:
        person["foot_contact"] = motion.foot_contact.tolist()
    return person


def _camera(camera: Camera) -> dict[str, Any]:
    return {
        "matrix": camera.intrinsics_matrix().tolist(),
        "distortion": camera.distortion_coefficients().tolist(),
        "distortion_model": camera.distortion_model,
        "rotation": camera.rotation.tolist(),
        "position": camera.position.tolist(),
        "extrinsics": camera.extrinsics,
        "extrinsics_known": camera.extrinsics_known,
        "image_size": [int(side) for side in camera.image_size.tolist()],
    }


def _rounded(values: np.ndarray, digits: int) -> list[Any]:
    return values.astype(np.float64).round(digits).tolist()

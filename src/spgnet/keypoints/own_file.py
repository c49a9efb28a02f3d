"""Our own keypoint files: one person's keypoints as an .npz of plain arrays or as JSON of the same keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.files import whole_file
from spgnet.keypoints.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.recording import Recording, facts_of, number_array, whole_number

KEYS = (
    "keypoints",
    "keypoint_set",
    "timestamps",
    "fps",
    "image_size",
    "camera_matrix",
    "distortion",
    "track",
    "scores",
)
"""The keys that are read, of our own layout and of rtmlib's; all others are ignored."""


def save_keypoints(path: Path | str, keypoints: Keypoints) -> None:
    """Write one person's keypoints in single precision as ``.npz`` or ``.json``, whole or not at all.

    Raises:
        ValueError: the path ends in something else.
        OSError: it cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".json"):
        raise ValueError(f"{path}: keypoints are saved as .npz or .json, not as {path.suffix or 'no suffix'}")
    values: dict[str, Any] = {
        "keypoints": keypoints.points.astype(np.float32),
        "keypoint_set": keypoints.keypoint_set,
        "timestamps": keypoints.timestamps.astype(np.float64),
        "fps": keypoints.fps,
        "image_size": np.array(keypoints.image_size),
        "track": keypoints.track,
    }
    for name in ("camera_matrix", "distortion"):
        if getattr(keypoints, name) is not None:
            values[name] = getattr(keypoints, name).astype(np.float64)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        if path.suffix == ".npz":
            np.savez_compressed(file, **values)
        else:
            plain = {name: _plain(value) for name, value in values.items()}
            file.write(json.dumps(plain, allow_nan=False).encode())


def own_recording(content: Mapping[str, Any], keypoint_set: KeypointSetName | None) -> Recording:
    """The recording in our own keys, from .npz or JSON; the set is for one that does not name its own."""
    if "keypoints" not in content:
        found = ", ".join(sorted(content)) or "none"
        raise ValueError(f"no key 'keypoints' ({found} of the known keys), expected [frames, keypoints, 3]")
    points = number_array(content["keypoints"], "keypoints", ("frames", "keypoints", 3))
    track = content.get("track")
    number = 1 if track is None else whole_number(track, "track")
    facts = {"keypoint_set": keypoint_set, **facts_of(content)}
    if facts["keypoint_set"] is None:
        raise ValueError("no key 'keypoint_set', expected the name of one: add it or give --keypoint-set")
    return Recording({number: points}, **facts)


def _plain(value: Any) -> Any:
    """A value as JSON has it: NaN, which JSON has not, as null."""
    if not isinstance(value, np.ndarray):
        return value
    plain: np.ndarray = value.astype(object)
    plain[~np.isfinite(value)] = np.array(None, dtype=object)
    return plain.tolist()

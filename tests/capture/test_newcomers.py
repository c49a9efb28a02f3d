"""People who have the files of one program only get motion with one command."""

import json
from pathlib import Path

import numpy as np
import pytest

from lifting.people import detected_as, filmed
from spgnet.keypoints import Keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.lifting import load_motion

CALIBRATION = """[cam01]
name = "cam01"
size = [ 720.0, 1280.0]
matrix = [ [ 913.0, 0.0, 366.0], [ 0.0, 914.0, 638.0], [ 0.0, 0.0, 1.0]]
distortions = [ 0.0, 0.0, 0.0, 0.0]
rotation = [ 1.2, -1.2, 1.2]
translation = [ 0.0, 1.0, 4.0]
fisheye = false

[cam02]
name = "cam02"
size = [ 720.0, 1280.0]
matrix = [ [ 800.0, 0.0, 360.0], [ 0.0, 800.0, 640.0], [ 0.0, 0.0, 1.0]]
distortions = [ 0.0, 0.0, 0.0, 0.0]
rotation = [ 1.2, 1.2, -1.2]
translation = [ 0.0, 1.0, 4.0]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""


@pytest.fixture
def walk() -> Keypoints:
    return detected_as(filmed(20)[0].points, "halpe26")


def test_pose2sim_s_output_and_calibration(spgnet, walk):
    for camera in ("cam01", "cam02"):
        Path(f"pose/{camera}_json").mkdir(parents=True)
        for frame, pose in enumerate(np.nan_to_num(walk.points).tolist()):
            people = [
                {"person_id": [-1], "pose_keypoints_2d": [number for point in pose for number in point]}
            ]
            Path(f"pose/{camera}_json/{camera}_{frame:06d}.json").write_text(json.dumps({"people": people}))
    Path("Calib.toml").write_text(CALIBRATION)
    options = ("--fps", "60", "--camera", "Calib.toml", "--camera-name", "cam01")
    code, said = spgnet("lift", "pose/cam01_json", *options)
    assert code is None
    assert "the image size is that of the camera: 720x1280" in said
    motion = load_motion("out/motion.npz")
    assert (len(motion), motion.camera.extrinsics) == (20, "calibrated")
    assert motion.fps == pytest.approx(60)
    code, _ = spgnet("lift", "pose", *options)
    assert "a folder with 2 folders of keypoints, expected one of these: cam01_json, cam02_json" in str(code)
    code, _ = spgnet("lift", "pose/cam01_json", *options[:4])
    assert "which camera (--camera-name)? the file holds cam01, cam02" in str(code)


def test_deeplabcut_s_table(spgnet, walk):
    names = KEYPOINT_NAMES["halpe26"]
    header = [
        ["scorer", *["DLC_resnet50"] * 78],
        ["bodyparts", *(name for name in names for _ in range(3))],
        ["coords", *["x", "y", "likelihood"] * 26],
    ]
    rows = [[frame, *pose.ravel().tolist()] for frame, pose in enumerate(walk.points)]
    Path("walkDLC_resnet50.csv").write_text("\n".join(",".join(map(str, row)) for row in [*header, *rows]))
    code, _ = spgnet("lift", "walkDLC_resnet50.csv", "--fps", "60", "--image-size", "720", "1280")
    assert code is None
    assert len(load_motion("out/motion.npz")) == 20

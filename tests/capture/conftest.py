"""What the tests of the whole way share: a command, untrained weights, and videos of a simulated person."""

from pathlib import Path

import numpy as np
import pytest

from lifting.people import camera, filmed, lifter
from spgnet.capture import people
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, save_keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.models import RayNetConfig
from spgnet.training.checkpoint import Progress, save_checkpoint
from spgnet.video import VideoWriter


class SimulatedDetector:
    """Sees the same walk in every video, whatever the pictures show; nobody if ``empty``."""

    keypoint_set = "halpe26"
    empty = False

    def __init__(self, detector_dir: Path | None = None) -> None:
        self.looks = 0
        joints = filmed(60)[0].points
        names = KEYPOINT_NAMES["halpe26"]
        self.points = np.zeros((60, len(names), 3))
        for index, name in enumerate(names):
            source = {"head": "head_top", "neck": "thorax", "hip": "pelvis"}.get(name, name)
            if source in HUMAN36M.names:
                self.points[:, index] = joints[:, HUMAN36M.names.index(source)]

    def boxes(self, image: np.ndarray) -> np.ndarray:
        here = self.points[self.looks % 60, :17]
        here = here[here[:, 2] > 0]
        box = np.concatenate((here[:, :2].min(axis=0), here[:, :2].max(axis=0)))
        return np.zeros((0, 4)) if self.empty else box[None]

    def pose(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        found = np.repeat(self.points[self.looks % 60][None], len(boxes), axis=0)
        self.looks += 1
        return found


@pytest.fixture
def spgnet(monkeypatch, tmp_path, command):
    """Run the command in an empty folder with untrained weights and a simulated detector: how it ended, and
    what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(people, "RtmDetector", SimulatedDetector)
    config = RayNetConfig(filter_widths=(3, 3), channels=16, trajectory_channels=16)
    save_checkpoint(tmp_path / "w.safetensors", config, Progress(), lifter().model)

    def run(*arguments: str):
        weights = ["--weights", "w.safetensors"] if arguments[0] == "lift" else []
        return command(*arguments, *weights)

    return run


@pytest.fixture
def clip(tmp_path) -> Path:
    """A keypoint file of a walk, with its camera."""
    keypoints, _ = filmed(40)
    lens = camera()
    matrix = np.array([[913.0, 0, 366], [0, 914.0, 638], [0, 0, 1]])
    distortion = np.array([*lens.radial[:2].tolist(), *lens.tangential.tolist(), lens.radial[2].item()])
    known = Keypoints(
        keypoints.points, "human36m17", keypoints.timestamps, keypoints.image_size, matrix, distortion
    )
    save_keypoints(tmp_path / "walk.npz", known)
    return tmp_path / "walk.npz"


@pytest.fixture
def video(tmp_path) -> Path:
    """A grey video of 30 frames in portrait."""
    with VideoWriter(tmp_path / "walk.mp4", 30.0) as writer:
        for shade in range(30):
            writer.write(np.full((1280, 720, 3), 60 + 2 * shade, np.uint8))
    return tmp_path / "walk.mp4"

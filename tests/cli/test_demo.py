"""The demo does the whole way, with and without a network."""

import numpy as np
import pytest

from lifting.people import camera, filmed
from spgnet.capture import CaptureResult
from spgnet.cli import demo
from spgnet.cli.demo import DemoConfig, run_demo
from spgnet.errors import InputError
from spgnet.keypoints import load_keypoints
from spgnet.lifting import Motion, load_motion


def refuse(*arguments: object, **options: object) -> None:
    """What fetching does without a network."""
    raise InputError("no network")


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_network_the_shipped_clip_is_lifted_and_said_to_be(tmp_path, monkeypatch, offline):
    monkeypatch.setattr(demo, "sample_video", refuse)
    said: list[str] = []
    captured = run_demo(DemoConfig(tmp_path / "demo", offline=offline), lambda *_: None, said.append)
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        "keypoints.npz", "motion.npz", "motion.bvh", "page.html", "overlay.mp4",
    }  # fmt: skip
    assert set(captured.files) == {"keypoints", "motion", "bvh", "page", "overlay"}
    assert len(load_keypoints(captured.files["keypoints"])[0]) == 100
    assert ("no network" in " ".join(said)) == (not offline)
    assert "keypoint clip that comes with the package" in said[-1]
    motion = load_motion(tmp_path / "demo" / "motion.npz")
    assert len(motion) == 100
    assert motion.camera_source == "intrinsics of the keypoint file"


@pytest.fixture
def network(tmp_path, monkeypatch):
    """What is fetched is there."""
    monkeypatch.setattr(demo, "sample_video", lambda name, say: tmp_path / f"{name}.mp4")
    monkeypatch.setattr(demo, "sample_calibration", lambda say: tmp_path / "calibration.toml")
    monkeypatch.setattr(demo, "detector_weights", lambda report: None)


def test_with_a_network_the_sample_video_is_lifted(tmp_path, monkeypatch, network):
    jobs = []
    done = CaptureResult([], {"keypoints": tmp_path / "demo/keypoints.npz"})
    monkeypatch.setattr(demo, "run_capture", lambda config, report: jobs.append(config) or done)
    assert run_demo(DemoConfig(tmp_path / "demo"), lambda *_: None, lambda line: None) is done
    assert jobs[0].input == str(tmp_path / "pose2sim_cam01.mp4")
    assert jobs[0].camera_name == "cam01"
    assert jobs[0].export == ("bvh",)


def test_the_keypoints_of_the_person_lifted_have_their_name_though_others_are_seen(
    tmp_path, monkeypatch, network
):
    files = {f"keypoints-{track}": tmp_path / f"keypoints-{track}.npz" for track in (1, 2)}
    for name, path in files.items():
        path.write_text(name)
    keypoints, joints = filmed(2)
    motion = Motion(
        joints, np.ones((2, 17)), keypoints.points[..., :2], keypoints.timestamps, camera(), "a test", track=2
    )
    captured = CaptureResult([motion], files)
    monkeypatch.setattr(demo, "run_capture", lambda config, report: captured)
    left = run_demo(DemoConfig(tmp_path), lambda *_: None, lambda line: None).files
    assert left == {"keypoints-1": files["keypoints-1"], "keypoints": tmp_path / "keypoints.npz"}
    assert left["keypoints"].read_text() == "keypoints-2"

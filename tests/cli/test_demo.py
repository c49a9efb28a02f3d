"""The demo does the whole way, with and without a network."""

import pytest

from spgnet.capture import CaptureResult
from spgnet.cli import demo
from spgnet.cli.demo import DemoConfig, run_demo
from spgnet.errors import InputError
from spgnet.keypoints import load_keypoints
from spgnet.lifting import load_motion


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


def test_with_a_network_the_sample_video_is_lifted(tmp_path, monkeypatch):
    jobs = []
    done = CaptureResult([], {})
    monkeypatch.setattr(demo, "sample_video", lambda name, say: tmp_path / f"{name}.mp4")
    monkeypatch.setattr(demo, "sample_calibration", lambda say: tmp_path / "calibration.toml")
    monkeypatch.setattr(demo, "detector_weights", lambda report: None)
    monkeypatch.setattr(demo, "run_capture", lambda config, report: jobs.append(config) or done)
    assert run_demo(DemoConfig(tmp_path / "demo"), lambda *_: None, lambda line: None) is done
    assert jobs[0].input == str(tmp_path / "pose2sim_cam01.mp4")
    assert jobs[0].camera_name == "cam01"
    assert jobs[0].export == ("bvh",)

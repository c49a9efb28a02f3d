"""The examples do what they say, on data as small as it can be."""

import json
import runpy
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

import spgnet
from capture.conftest import SimulatedDetector
from lifting.people import detected_as, filmed
from spgnet.app import AppConfig
from spgnet.capture import people
from spgnet.cli.commands import parse
from spgnet.data import sources
from spgnet.geometry.camera import opencv_camera
from spgnet.keypoints import Keypoints
from spgnet.lifting import Lifter, load_motion
from spgnet.video import VideoWriter
from spgnet.view import page

FOLDER = Path(__file__).parents[2] / "examples"
CLIP = files("spgnet").joinpath("samples", "pose2sim_cam01.npz")
CALIBRATION = (
    '[cam01]\nname = "cam01"\nsize = [1088.0, 1920.0]\n'
    "matrix = [[1681.0, 0.0, 544.0], [0.0, 1681.0, 960.0], [0.0, 0.0, 1.0]]\n"
    "distortions = [0.0, 0.0, 0.0, 0.0]\nrotation = [1.2, 0.0, 0.0]\ntranslation = [0.0, 1.0, 4.0]\n"
    "fisheye = false\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run an example in an empty folder, with little generated motion: what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 3, "validation": 1, "test": 1})

    def example(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        return capsys.readouterr().out

    return example


@pytest.fixture
def clip(tmp_path) -> str:
    (tmp_path / "keypoints.npz").write_bytes(CLIP.read_bytes())
    return "keypoints.npz"


def test_every_example_is_run_here_and_fits_a_screen():
    tests = Path(__file__).read_text()
    for example in FOLDER.glob("*.py"):
        lines = example.read_text().splitlines()
        assert f'run("{example.name}"' in tests
        assert len(lines) < 60
        assert f"python examples/{example.name}" in "\n".join(lines)


def test_lift_a_video(run, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(people, "RtmDetector", SimulatedDetector)
    opened: list[str] = []
    monkeypatch.setattr(page.webbrowser, "open", opened.append)
    with VideoWriter(Path("walk.mp4"), 30.0) as writer:
        for _ in range(12):
            writer.write(np.zeros((1280, 720, 3), np.uint8))
    printed = run("01_lift_video.py", "walk.mp4", "out")
    assert "person 1: 12 frames" in printed
    assert {path.name for path in Path("out").iterdir()} == {"motion-1.npz", "motion-1.bvh"}
    assert len(load_motion("out/motion-1.npz")) == 12
    assert len(opened) == 1


def test_lift_the_keypoints_of_one_s_own_detector(run):
    points = detected_as(filmed(9)[0].points[..., :2], "coco17").points
    points[:, 9, 2] = 0
    np.save("keypoints.npy", points)
    assert "9 frames" in run("02_your_own_detector.py", "keypoints.npy", "walk.bvh")
    assert Path("walk.bvh").read_text().startswith("HIERARCHY")


def test_lift_into_the_world_of_a_calibrated_camera(run, clip):
    Path("calibration.toml").write_text(CALIBRATION)
    printed = run("03_calibrated_camera.py", clip, "calibration.toml", "cam01", "walk.trc")
    assert "focal length 1681 pixels" in printed
    assert "the motion is in the calibration's world" in printed
    assert Path("walk.trc").stat().st_size > 1000


def test_lift_frame_by_frame(run, clip):
    printed = run("04_live.py", clip)
    assert "a pose comes 0 frames late" in printed
    assert "100 poses" in printed


def test_train_on_one_s_own_motion_capture(run, clip):
    Path("motion").mkdir()
    (motion,) = spgnet.lift(clip)
    for number in range(3):
        motion.export(f"motion/walk_{number}.bvh")
    printed = run("05_train_on_your_motion_capture.py", "motion", "runs/mine", clip)
    assert "validation MPJPE" in printed
    assert "100 frames lifted with runs/mine" in printed


def test_evaluate_a_checkpoint_of_videopose3d(run):
    layer = {"weight": torch.ones(8), "bias": torch.zeros(8), "running_mean": torch.zeros(8)}
    norm = {f"expand_bn.{name}": value for name, value in (layer | {"running_var": torch.ones(8)}).items()}
    shrink = {"shrink.weight": torch.randn(51, 8, 1) / 8, "shrink.bias": torch.zeros(51)}
    weights = {"expand_conv.weight": torch.randn(8, 34, 3) / 10, **norm, **shrink}
    torch.save({"epoch": 80, "model_pos": weights}, "pretrained.bin")
    printed = run("06_evaluate_videopose3d_checkpoint.py", "pretrained.bin")
    assert "| action |" in printed
    assert "mean over actions" in printed


@pytest.mark.usefixtures("registries")
def test_add_a_loss_term(run):
    printed = run("07_add_a_loss_term.py", "3")
    assert "'loss/symmetry'" in printed
    assert json.loads(Path("runs/symmetry/config.json").read_text())["terms"]["symmetry"]["weight"] == 0.5


@pytest.mark.usefixtures("registries")
def test_add_a_network(run):
    assert "'validation_mpjpe'" in run("08_add_a_network.py", "3")
    values = json.loads(Path("runs/recurrent/config.json").read_text())["model"]
    assert values == {"kind": "recurrent", "frames": 9, "channels": 64, "module": "08_add_a_network"}


def test_lift_with_onnxruntime_and_numpy_alone(run):
    pytest.importorskip("onnxscript")
    points = detected_as(filmed(9)[0].points[..., :2], "coco17").points
    np.save("keypoints.npy", points)
    parse(["export-model", "default", "lifter.onnx"])()
    printed = run("09_onnx_without_pytorch.py", "lifter.onnx", "keypoints.npy", "joints.npy")
    assert "9 frames; use it for 20 to 40 frames per second" in printed
    camera = opencv_camera([[1500, 0, 960], [0, 1500, 540], [0, 0, 1]], [], (1920, 1080))
    keypoints = Keypoints(points, "coco17", timestamps=np.arange(9) / 30, image_size=(1920, 1080))
    motion = Lifter.from_pretrained().lift(keypoints, camera=camera, smoothing=0.0)
    np.testing.assert_allclose(np.load("joints.npy"), motion.joints, atol=1e-4)


def test_the_app_on_a_hub_is_for_everybody_and_opens_no_browser(run, monkeypatch):
    started: list[AppConfig] = []
    monkeypatch.setattr("spgnet.app.run_app", started.append)
    run("10_app_on_a_hub.py")
    assert started == [AppConfig(out=Path("results"), host="0.0.0.0", browser=False)]

"""``spgnet evaluate``: what can be evaluated, and what is written about it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spgnet.cli.evaluate import frames_text, free_stem
from spgnet.data import sources
from spgnet.datasets.take_files import save_take
from spgnet.datasets.takes import Take
from spgnet.errors import InputError
from spgnet.evaluation import Evaluation
from spgnet.geometry.rigs import random_rig
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import SPGNetConfig
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training.checkpoint import load_model
from spgnet.training.recipes import TrainConfig

SMALL = ["--channels", "8", "--trajectory-channels", "4", "--epochs", "1", "--steps-per-epoch", "2"]


@pytest.fixture
def spgnet(monkeypatch, tmp_path, command):
    """Run the command in an empty folder with little motion: how it ended, and its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 1, "validation": 1, "test": 2})
    return command


def videopose3d_checkpoint(path: Path) -> None:
    """Weights in the layout of VideoPose3D's files, for single frames."""
    torch.manual_seed(0)
    norm = {"weight": torch.ones(8), "bias": torch.zeros(8), "running_mean": torch.zeros(8)}
    norm = {f"expand_bn.{name}": value for name, value in (norm | {"running_var": torch.ones(8)}).items()}
    shrink = {"shrink.weight": torch.randn(51, 8, 1) / 8, "shrink.bias": torch.randn(51) / 10}
    torch.save({"model_pos": {"expand_conv.weight": torch.randn(8, 34, 1) / 10, **norm, **shrink}}, path)


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def test_results_say_of_which_weights_and_data_they_are_and_predictions_are_saved(spgnet):
    spgnet("train", "demo", *SMALL, "--out", "r")
    code, output = spgnet("evaluate", "r", "--by-subject", "--by-joint", "--predictions", "p.npz")
    assert code is None
    assert all(word in output for word in ("subject", "left_wrist", "p.npz"))
    held, text = read("r/evaluation-test-projected.json"), Path("r/evaluation-test-projected.md").read_text()
    about = held["data"]
    assert (about["motion"], about["path"], about["split"]) == ("procedural", None, "test")
    assert (about["input"], about["rig"], len(about["sha256"])) == ("projected", "human36m", 64)
    assert held["weights"]["name"] == "r"
    assert held["command"][1:3] == ["evaluate", "r"]
    assert all(each in text for each in (about["sha256"][:12], held["weights"]["sha256"][:12], "split test"))
    with np.load("p.npz") as saved:
        assert saved["predicted"].shape == (held["frames"], 17, 3) == saved["true"].shape
        assert saved["lengths"].sum() == held["frames"] == saved["evaluated"].sum()
        errors = saved["predicted"] - saved["true"]
        errors = np.linalg.norm(errors - errors[:, :1], axis=-1).mean(axis=0) * 1000
    assert held["joints"] == pytest.approx(dict(zip(HUMAN36M.names, errors.tolist(), strict=True)), rel=1e-4)
    for file in Path("r").glob("evaluation*"):
        file.unlink()
    assert "expected a name that ends in .npz" in str(spgnet("evaluate", "r", "--predictions", "p.csv")[0])
    assert not list(Path("r").glob("evaluation*"))


def test_results_on_other_data_have_files_of_their_own(spgnet, monkeypatch):
    videopose3d_checkpoint(Path("x.bin"))
    written = []
    for clips in (2, 3, 2):
        monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"test": clips})
        assert spgnet("evaluate", "x.bin")[0] is None
        written.append({path.name for path in Path().glob("x-evaluation*.json")})
    other = read("x-evaluation-test-projected.json")["data"]["sha256"]
    assert [len(names) for names in written] == [1, 2, 2]
    (added,) = written[1] - written[0]
    assert added == f"x-evaluation-test-projected-{read(added)['data']['sha256'][:8]}.json"
    assert read(added)["data"]["sha256"] != other


@pytest.mark.parametrize("held", ["{", "[]", '{"data": 1}', '{"data": {"sha256": "other"}}'])
def test_a_file_that_holds_no_results_on_these_data_is_left_alone(tmp_path, held):
    (tmp_path / "evaluation.json").write_text(held)
    assert free_stem(tmp_path / "evaluation", "0123456789").name == "evaluation-01234567"


def test_weights_of_the_package_and_files_of_weights_are_evaluated(spgnet):
    assert spgnet("evaluate", "live", "--out", "results")[0] is None
    assert read("results/live-evaluation-test-projected.json")["weights"]["name"] == "live"
    spgnet("train", "demo", *SMALL, "--out", "r")
    assert spgnet("evaluate", "r/best.safetensors", "--out", "results")[0] is None
    assert spgnet("evaluate", "r", "--out", "results")[0] is None
    alone, run = (read(f"results/{name}evaluation-test-projected.json") for name in ("best-", ""))
    assert alone["actions"] == run["actions"]
    assert alone["weights"]["sha256"] == run["weights"]["sha256"]


def test_a_root_can_count_as_predicted_for_videopose3d_s_checkpoints_alone(spgnet):
    videopose3d_checkpoint(Path("x.bin"))
    for options in ([], ["--root-as-predicted"]):
        assert spgnet("evaluate", "x.bin", *options)[0] is None
    usual = read("x-evaluation-test-projected.json")
    kept = read("x-evaluation-test-projected-root-as-predicted.json")
    assert usual["joints"]["pelvis"] == 0 < kept["joints"]["pelvis"]
    assert kept["mean_over_actions"]["mpjpe"] != pytest.approx(usual["mean_over_actions"]["mpjpe"], rel=1e-3)
    assert kept["mean_over_actions"]["p_mpjpe"] == pytest.approx(usual["mean_over_actions"]["p_mpjpe"])
    code, _ = spgnet("evaluate", "live", "--root-as-predicted")
    assert "is for checkpoints of VideoPose3D" in str(code)


def test_a_part_of_a_split_is_called_so_and_the_unit_of_reprojection_on_randomized_data():
    some, about = Evaluation({}, {}, {}, 26_232), {"input": "detected", "split": "test"}
    about["whole_split"] = {"name": "Human3.6M", "frames": 543_344}
    assert frames_text(some, about) == "26232 of the 543344 frames of Human3.6M's test split"
    assert frames_text(replace(some, frames=543_344), about) == "543344 frames"
    randomized = {"input": "randomized", "split": "test", "whole_split": None}
    assert frames_text(some, randomized).endswith("pixels at a focal length of 1000 px")


def test_a_checkpoint_of_videopose3d_cannot_lift_and_says_so(spgnet):
    videopose3d_checkpoint(Path("x.bin"))
    np.save("keypoints.npy", np.ones((3, 17, 3)))
    code, _ = spgnet(
        "lift", "keypoints.npy", "--weights", "x.bin", "--fps", "30", "--image-size", "640", "480"
    )
    assert "x.bin: a checkpoint of VideoPose3D takes no rays" in str(code)


def test_a_network_that_takes_confidence_is_trained_and_evaluated_on_detections_that_have_it(spgnet):
    cameras = replace(random_rig(2, seed=1, distance=(4.0, 5.0)), convention="opencv")
    (clip,) = procedural_clips(1, seed=0, seconds=1.0, fps=50.0)
    pixels = cameras[:, None].world_to_image(clip.joints)
    scored = torch.cat((pixels, torch.rand(*pixels.shape[:3], 1)), dim=-1)
    seen = {"scored": scored, "plain": pixels}
    for split in ("train", "test"):
        Path("mine", split).mkdir(parents=True)
        save_take(Path("mine", split, "a.npz"), Take("a", "Ada", "walk", 50.0, cameras, clip.joints, seen))
    data = ("--data.takes", "mine", "--data.input", "detected", "--data.detector")
    options = ("train", "demo", *SMALL, "--confidence", "--out", "r")
    with pytest.raises(InputError, match='confidence is that of a detector: it needs the input "detected"'):
        TrainConfig(SPGNetConfig(confidence=True))
    assert "which this 2D input lacks" in str(spgnet(*options, *data, "plain")[0])
    assert spgnet(*options, *data, "scored")[0] is None
    assert read("r/config.json")["model"]["confidence"] is True
    assert load_model(Path("r/best.safetensors")).input_channels == 3
    code, output = spgnet("evaluate", "r")
    assert code is None
    assert "100 frames" in output
    assert "which this 2D input lacks" in str(spgnet("evaluate", "r", "--detector", "plain")[0])
    assert "which this 2D input lacks" in str(spgnet("evaluate", "r", "--input", "projected")[0])

"""The weights in the package: whole, described, and good for something."""

import json
from importlib.resources import files

import numpy as np
import pytest

from lifting.people import camera, filmed
from spgnet.files import file_sha256
from spgnet.lifting import Lifter
from spgnet.lifting.weights import load_weights
from spgnet.training.weights import FOLDER, read_manifest

NAMES = tuple(read_manifest())


def test_there_are_weights_for_files_and_for_live_use():
    assert set(NAMES) == {"default", "live"}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_the_one_that_the_manifest_describes(name):
    entry = read_manifest()[name]
    path = files("spgnet").joinpath("weights", f"{name}.safetensors")
    assert file_sha256(path) == entry["sha256"]
    assert {"data", "licence", "credit", "recipe", "command", "commit", "real_video"} <= set(entry)
    assert "NSF EIA-0196217" in entry["credit"]
    assert "Bandai" not in json.dumps(entry)


def test_every_file_in_the_folder_is_in_the_manifest():
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.safetensors" for name in NAMES} | {
        "manifest.json"
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_walk_is_lifted_to_about_where_it_was(name):
    keypoints, joints = filmed(60, seed=3)
    motion = Lifter.from_pretrained(name).lift(keypoints, camera=camera())
    pose, true = (each - each[:, :1] for each in (motion.joints, joints))
    assert np.linalg.norm(pose - true, axis=-1).mean() < 0.09
    away = np.linalg.norm(motion.joints[:, 0] - joints[:, 0], axis=-1) / np.linalg.norm(joints[:, 0], axis=-1)
    assert away.mean() < 0.12
    assert motion.weights == name


def test_the_live_weights_look_at_the_past_only():
    model, _ = load_weights("live")
    assert model.context[1] == 0

"""Run folders: configurations come back as they were, and folders that are no runs are refused."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spgnet.data.config import DataConfig
from spgnet.errors import InputError
from spgnet.files import read_json
from spgnet.models import MODEL_CONFIGS, LiftingNetwork, ModelConfig, RayNetConfig, register_network
from spgnet.synthetic.domain_randomization import DomainRandomization
from spgnet.training.losses import LOSS_TERMS, LossTerm, LossWeights, register_loss_term
from spgnet.training.recipes import (
    BASELINE_LOSS,
    RECIPE_DESCRIPTIONS,
    RECIPES,
    SPGNET_LOSS_WITH_DROPOUT,
    TrainConfig,
    register_recipe,
)
from spgnet.training.runs import (
    check_free,
    check_resumable,
    check_same_config,
    config_from_json,
    config_to_json,
    create_run,
    load_run,
    read_config,
    read_log,
    record_resumption,
    write_log,
)


@pytest.mark.parametrize("name", RECIPES)
def test_a_configuration_survives_json(name):
    data = DataConfig(motion=Path("some/where"), input="noisy")
    config = replace(RECIPES[name], data=data, initial_weights=Path("other/run"), seed=3)
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


def test_every_recipe_is_described():
    assert set(RECIPES) == set(RECIPE_DESCRIPTIONS)


def test_the_default_with_mirrored_copies_is_the_paper_s_spgnet_and_the_baseline_has_another_loss():
    paper = replace(TrainConfig(), mirrored_copies=True)
    assert paper == RECIPES["paper-243"]
    assert paper.loss == SPGNET_LOSS_WITH_DROPOUT
    assert replace(paper, loss=BASELINE_LOSS, frames_per_sample=1) == RECIPES["videopose3d-243"]


RECIPE_DIGESTS = {
    "paper-243": "473bc21798914e03",
    "paper-81": "e4219996353be644",
    "paper-27": "f4ea93d5625a0514",
    "small-27": "6fb94e29e27d2af9",
    "rays-27": "218caed94eeab1cb",
    "transformer": "e71c9f6a4946173e",
    "demo": "9907b664c2361c56",
    "randomized": "d9c39b62aa0292f5",
    "randomized-again": "d39aa55035092745",
    "randomized-live": "4df9340a08ea7ca6",
    "randomized-gpu": "94500c5398460cbc",
    "martinez": "1725caa09157002e",
    "videopose3d-243": "432880954d8330c0",
}
"""Of what a run of each recipe writes into its config.json, so that stored runs can be resumed."""


ADDITIONS = {
    "weight_average": None,
    "steps_per_draw": 1,
    "cooldown": 0,
    "initial_weights": None,
    "dense": False,
    "mirrored_copies": False,
    "terms": {},
    "optimizer": "adam",
    "weight_decay": 0.01,
    "schedule": "exponential",
    "warm_up_steps": 0,
    "final_momentum": None,
}
ADDITIONS_TO_DATA = {
    "by_movement": False,
    "benchmark": 1,
    "target": "input",
    "cameras": None,
    "subjects": [],
    "actions": [],
    "validation_subjects": [],
}
ADDITIONS_TO_LOSS = {"warm_up": 0}
ADDITIONS_TO_MODEL = {
    "output": "joints",
    "centred": False,
    "shared": False,
    "frame_blocks": 0,
    "frame_channels": 512,
    "confidence": False,
}
ADDITIONS_TO_RANDOMIZATION = {
    "proportions": 0.0,
    "children": 0.0,
    "heavy": 0.0,
    "tilted": 0.0,
    "rolled": 0.0,
    "tipped": 0.0,
    "hip_offset": 0.0,
    "head_offset": 0.0,
    "hip_widening": [0.0, 0.0],
    "noise_fit": 1,
    "far_noise": 0.0,
    "swaps": 0.002,
    "strays": 0.0,
    "coco": 0.0,
}
"""Fields that were added later, with the values that stored runs without them were trained with."""


def without_additions(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration without those of the later fields that have these values."""
    values = {name: value for name, value in values.items() if (name, value) not in ADDITIONS.items()}
    data, loss, model = (
        {name: value for name, value in values[part].items() if (name, value) not in additions.items()}
        for part, additions in (
            ("data", ADDITIONS_TO_DATA),
            ("loss", ADDITIONS_TO_LOSS),
            ("model", ADDITIONS_TO_MODEL),
        )
    )
    data["randomization"] = {
        name: value
        for name, value in data["randomization"].items()
        if name not in ADDITIONS_TO_RANDOMIZATION or value != ADDITIONS_TO_RANDOMIZATION[name]
    }
    return values | {"data": data, "loss": loss, "model": model}


def test_a_run_stored_before_fields_were_added_is_the_run_that_it_was():
    config = replace(RECIPES["demo"], data=DataConfig(input="randomized"))
    values = config_to_json(config)
    assert config_from_json(without_additions(values)) == config
    assert values["data"]["randomization"] | ADDITIONS_TO_RANDOMIZATION == values["data"]["randomization"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_what_it_was(name):
    """But for mirrored copies, which the paper's have now; ``--no-mirrored-copies`` resumes older runs."""
    recipe = replace(RECIPES[name], mirrored_copies=False)
    text = json.dumps(without_additions(config_to_json(recipe)), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == RECIPE_DIGESTS[name]


def test_the_paper_s_recipe_is_the_paper_s():
    recipe = RECIPES["paper-243"]
    assert recipe.model.receptive_field == 243
    assert (recipe.model.channels, recipe.epochs, recipe.batch_size) == (1024, 100, 1024)
    assert (recipe.learning_rate, recipe.flip) == (0.001, True)
    assert min(recipe.loss.kinematic, recipe.loss.reprojection) > 0


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 3}, "a batch of 3 output frames does not hold two samples of 2"),
        (
            {"loss": LossWeights(kinematic=1.0), "frames_per_sample": 1},
            "needs frames_per_sample of at least 2",
        ),
        (
            {"loss": LossWeights(pose=0.0, trajectory=0.0, reprojection=1.0, warm_up=1)},
            "only the re-projection term has a weight, which loss.warm_up leaves out",
        ),
        ({"optimizer": "adamw", "weight_decay": math.nan}, "weight_decay must be finite .*, got 0 and nan"),
        ({"decay": 1.5}, r"decay 1.5 in \(0, 1\]"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be at least 1"),
        ({"seed": 2**32}, "seed must be between 0"),
        ({"epochs": 0, "frames_per_sample": 0}, "epochs .*; frames_per_sample "),
    ],
)
def test_a_training_that_cannot_be_is_refused(changes, fault):
    with pytest.raises(ValueError, match=fault):
        replace(TrainConfig(), **changes)


def test_what_users_register_cannot_take_the_name_of_the_package_s_own():
    with pytest.raises(InputError, match="the package has a recipe called 'demo'"):
        register_recipe("demo", RECIPES["small-27"], "mine")
    with pytest.raises(InputError, match="the package has a network called 'raynet'"):
        register_network(type("RayNetConfig", (ModelConfig,), {}), LiftingNetwork)
    with pytest.raises(InputError, match="the package has a loss term called 'kinematic'"):
        register_loss_term(type("Kinematic", (LossTerm,), {}))
    assert RECIPES["demo"] != RECIPES["small-27"]
    assert (MODEL_CONFIGS["raynet"], LOSS_TERMS.get("kinematic")) == (RayNetConfig, None)


def test_wild_training_draws_the_frame_rates_that_the_network_is_for():
    randomized = RECIPES["randomized"]
    slower = replace(randomized.data, randomization=replace(randomized.data.randomization, fps=(10.0, 30.0)))
    with pytest.raises(ValueError, match=r"the model is for \(20.0, 40.0\) .* draws \(10.0, 30.0\)"):
        replace(randomized, data=slower)
    assert replace(randomized, data=slower, model=replace(randomized.model, rates=(10.0, 30.0)))


def test_older_wild_runs_drew_the_rates_of_their_network():
    randomized = RECIPES["randomized"]
    values = config_to_json(
        replace(randomized, model=replace(randomized.model, rates=(24.0, 60.0)), data=DataConfig())
    )
    del values["data"]["randomization"], values["data"]["generated"]
    values["data"]["input"] = "randomized"
    config = config_from_json(values)
    assert config.data.randomization.fps == (24.0, 60.0)
    values["data"]["randomization"] = None
    with pytest.raises(ValueError, match="not a training configuration"):
        config_from_json(values)


def test_older_names_of_the_randomization_are_read():
    names = {
        "mixed": "swapped_upper_bodies",
        "derived": "midpoint_joints",
        "headless": "missing_head_top",
        "faceless": "missing_nose",
        "sparse": "skipped_frames",
    }
    shares: dict[str, Any] = {new: 0.01 * number for number, new in enumerate(names.values())}
    recipe = RECIPES["randomized"]
    changed = replace(recipe, data=replace(recipe.data, randomization=DomainRandomization(**shares)))
    values = config_to_json(changed)
    drawn = values["data"].pop("randomization")
    older = {name: drawn.pop(new) for name, new in names.items()} | drawn
    for place in ("randomization", "wildness"):
        assert config_from_json(values | {"data": values["data"] | {place: older}}) == changed


def test_a_run_folder_is_not_overwritten_and_resumes_its_own_configuration_only(tmp_path):
    config = RECIPES["demo"]
    create_run(tmp_path, config)
    assert read_config(tmp_path) == config
    check_resumable(tmp_path, config)
    with pytest.raises(ValueError, match="already holds a run; resume it with --resume"):
        check_free(tmp_path)
    check_resumable(tmp_path, replace(config, seed=0))
    with pytest.raises(ValueError, match="a run of another configuration: seed is 0, now 1"):
        check_resumable(tmp_path, replace(config, seed=1))


def test_a_run_may_become_longer_or_cool_down_but_not_change_the_rate_of_an_epoch_that_has_begun(tmp_path):
    config = replace(RECIPES["demo"], epochs=10)
    create_run(tmp_path, config)
    write_log(tmp_path, [{"step": step} for step in (400, 800, 1200)])  # the fourth epoch has begun
    cooled = replace(config, epochs=6, cooldown=2)
    for other in (replace(config, epochs=20), replace(config, epochs=4), cooled):
        check_resumable(tmp_path, other)
        with pytest.raises(InputError, match="a run of another configuration: epochs is 10, now"):
            check_same_config(tmp_path, other)
    for other in (replace(config, epochs=3), replace(config, epochs=5, cooldown=2)):
        with pytest.raises(InputError, match="a run of another configuration: epochs is 10, now"):
            check_resumable(tmp_path, other)
    with pytest.raises(InputError, match="seed is 0, now 1"):
        check_resumable(tmp_path, replace(cooled, seed=1))
    record_resumption(tmp_path, cooled, 1200)
    assert read_config(tmp_path) == cooled


def test_a_run_may_find_its_motion_elsewhere_but_not_other_motion(tmp_path):
    config = RECIPES["demo"]
    here, there = (replace(config, data=DataConfig(motion=Path(place))) for place in ("here", "there"))
    create_run(tmp_path, here)
    check_resumable(tmp_path, there)
    with pytest.raises(ValueError, match="another configuration: data is"):
        check_resumable(tmp_path, config)


def test_a_damaged_log_is_refused_by_name(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"st')
    with pytest.raises(ValueError, match=r"log.jsonl: not JSON"):
        read_log(tmp_path)


def test_the_environment_is_written_down(tmp_path):
    create_run(tmp_path, RECIPES["demo"])
    assert {"torch", "python", "commit", "command"} <= json.loads(
        (tmp_path / "environment.json").read_text()
    ).keys()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": {"kind": "other"}}'])
def test_a_damaged_configuration_is_refused_by_name(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=str(tmp_path / "config.json")):
        load_run(tmp_path)


def test_an_unknown_field_is_refused():
    values = config_to_json(RECIPES["demo"]) | {"momentum": 0.9}
    with pytest.raises(ValueError, match="momentum"):
        config_from_json(values)


def test_a_folder_without_a_run_and_a_run_without_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"not a run folder \(it has no config.json\)"):
        load_run(tmp_path)
    create_run(tmp_path, RECIPES["demo"])
    with pytest.raises(ValueError, match=r"best.safetensors: no such checkpoint"):
        load_run(tmp_path)


def test_a_run_says_when_and_by_which_commit_it_was_resumed(tmp_path):
    create_run(tmp_path, RECIPES["demo"])
    started = read_json(tmp_path / "environment.json")
    for step in (100, 250):
        record_resumption(tmp_path, RECIPES["demo"], step)
    environment = read_json(tmp_path / "environment.json")
    assert [entry["step"] for entry in environment.pop("resumed")] == [100, 250]
    assert environment == started

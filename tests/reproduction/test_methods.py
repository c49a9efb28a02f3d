"""The recipes of the methods: what differs between the rows of the paper's tables, and what does not."""

from dataclasses import replace
from pathlib import Path

import pytest

from spgnet.data.config import DataConfig
from spgnet.models import AttentionConfig, MartinezConfig, SPGNetConfig, STGCNConfig
from spgnet.reproduction import ReproduceConfig
from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.methods import METHODS, SEARCHED, TRIALS, trial_key
from spgnet.training.losses import LossWeights, UnlabelledWeights
from spgnet.training.recipes import RECIPES

BASELINE = LossWeights(pose=1.0, trajectory=1.0, kinematic=0.0, reprojection=0.0)
WITH_KINEMATIC = LossWeights(pose=1.0, trajectory=1.0, kinematic=0.1, reprojection=0.0)
SPGNET = LossWeights(pose=1.0, trajectory=1.0, kinematic=0.1, reprojection=0.2)
NETWORKS = {
    "martinez": (MartinezConfig(), MartinezConfig(512, 256, dropout=0.25)),
    "cai": (STGCNConfig(), STGCNConfig(frames=3, channels=16, trajectory_channels=128)),
    "liu": (AttentionConfig(), AttentionConfig(3, 192, 128, squeeze=64)),
    **{
        f"spgnet-{3**widths}": (SPGNetConfig((3,) * widths), SPGNetConfig((3,) * widths, 128, 64))
        for widths in (3, 4, 5)
    },
}
"""The networks at the published and at the small size, where they are not SPGNet's default ones."""


OF_THE_PAPER = tuple(METHODS)[: tuple(METHODS).index("semi-10") + 1]


@pytest.mark.parametrize(("size", "shared"), [("paper", "paper-243"), ("small", "small-27")])
@pytest.mark.parametrize("key", OF_THE_PAPER)
def test_methods_differ_in_network_loss_and_labels_alone(key, size, shared):
    loss = (
        BASELINE
        if key in ("martinez", "pavllo", "cai", "liu")
        else WITH_KINEMATIC
        if key == "kinematic"
        else SPGNET
    )
    share = {"labels-10": 0.1, "semi-10": 0.1}.get(key, 1.0)
    unlabelled = (
        UnlabelledWeights(reprojection=0.0, bone_lengths=0.0) if key == "labels-10" else UnlabelledWeights()
    )
    models = NETWORKS.get(key, (SPGNetConfig((3,) * 5), SPGNetConfig((3, 3, 3), 256, 128)))
    expected = replace(
        RECIPES[shared],
        model=models[size == "small"],
        loss=loss,
        data=DataConfig(labels=share),
        unlabelled=unlabelled,
    )
    assert METHODS[key].recipe(size) == expected
    assert (expected.batch_size, expected.epochs) == ((1024, 100) if size == "paper" else (128, 8))


def test_the_recipe_along_rays_is_that_of_the_full_size():
    assert RECIPES["rays-27"] == METHODS["rays"].full


def test_every_searched_method_has_the_same_trials_in_a_third_of_the_epochs():
    for method in SEARCHED:
        trials = [METHODS[trial_key(method, trial)].full for trial in TRIALS]
        assert {(trial.epochs, trial.steps_per_epoch) for trial in trials} == {(10, 1000)}
        assert len({(trial.learning_rate, str(trial.model)) for trial in trials}) == len(TRIALS)
        whole = METHODS[method].full
        assert trials[0].rate_in_epoch(10) == pytest.approx(whole.rate_in_epoch(30))


WHOLE = [key for key in METHODS if METHODS[key].full.epochs == 30]


@pytest.mark.parametrize("key", WHOLE)
def test_all_methods_have_one_budget_at_full_size_and_differ_in_one_thing_from_spgnet(key):
    recipe, spgnet = METHODS[key].full, METHODS["spgnet"].full
    assert recipe.epochs * recipe.steps_per_epoch * recipe.batch_size > 7e6
    same = {"model": spgnet.model, "loss": spgnet.loss, "data": spgnet.data, "unlabelled": spgnet.unlabelled}
    assert replace(recipe, **same) == spgnet
    if recipe.model != spgnet.model and isinstance(recipe.model, SPGNetConfig):
        assert (recipe.model.channels, recipe.model.dropout) == (256, 0.25)


def test_arms_of_the_full_size_are_what_they_are_called():
    def changes(key: str) -> dict[str, object]:
        recipe, spgnet = METHODS[key].full, METHODS["spgnet"].full
        parts = [(getattr(recipe, part), getattr(spgnet, part)) for part in ("model", "loss", "data")]
        return {
            name: getattr(one, name)
            for one, other in parts
            for name in vars(one)
            if getattr(one, name) != getattr(other, name)
        }

    baseline = {"kinematic": 0.0, "reprojection": 0.0}
    assert changes("pavllo") == baseline
    assert changes("kinematic") == {"reprojection": 0.0}
    assert changes("rays") == {"output": "rays", **baseline}
    assert changes("rays-spgnet") == {"output": "rays"}
    assert changes("weight-5") == {"reprojection": 5.0}
    assert changes("pixels") == {"reprojection": 500.0}
    assert changes("late") == {"warm_up": 10}
    assert changes("clean-target") == {"target": "exact"}
    assert changes("shared") == {"shared": True}
    assert changes("pavllo-labels-1") == {"labels": 0.01, **baseline}
    assert changes("camera-1") == {"cameras": 1}
    assert changes("spgnet-243") == {"filter_widths": (3,) * 5}
    assert changes("spgnet-27") == {}
    assert changes("centred") == {"centred": True}


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_every_run_has_a_recipe_on_human36m_and_on_open_data(artefact):
    for places in ({"human36m": Path("H36M")}, {"data": "open"}):
        config = ReproduceConfig(artefact, seeds=1, **places)
        recipes = [config.recipe(*run) for run in config.runs()]
        assert len(recipes) == len(set(config.runs())) > 0
        assert {recipe.data.takes for recipe in recipes} == {places.get("human36m")}

"""Training: it learns, it resumes to the bit, and it survives being stopped and killed."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.samples import RandomizedSampler, WindowSampler, randomized_dataset
from spgnet.data.training_data import TrainingData
from spgnet.errors import InputError
from spgnet.files import read_json
from spgnet.models import RayNetConfig, SPGNetConfig, VideoPose3DConfig
from spgnet.models.temporal import ConvBlock
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training import loop as training
from spgnet.training.checkpoint import read_progress
from spgnet.training.draws import epoch_order, step_seed
from spgnet.training.loop import train
from spgnet.training.losses import LossWeights, UnlabelledWeights
from spgnet.training.optimization import set_momentum
from spgnet.training.processes import Machine
from spgnet.training.recipes import BASELINE_LOSS, RECIPES, SPGNET_LOSS, TrainConfig
from spgnet.training.runs import load_run, read_config, read_log

CONFIG = TrainConfig(
    model=SPGNetConfig(filter_widths=(3, 3), channels=16, trajectory_channels=8, dropout=0.2),
    loss=SPGNET_LOSS,
    epochs=2,
    steps_per_epoch=6,
    batch_size=32,
    checkpoint_every=4,
)


def same_weights(one: Path, two: Path) -> bool:
    """Whether two runs have the same last checkpoints, optimizer state and all, and the same best weights."""
    for name in ("last.safetensors", "best.safetensors"):
        a, b = load_file(one / name), load_file(two / name)
        if a.keys() != b.keys() or not all(torch.equal(a[key], b[key]) for key in a):
            return False
    return True


def history(run: Path) -> list[dict]:
    """The log without its clock."""
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(run)]


@pytest.fixture(scope="module")
def straight(dataset, tmp_path_factory) -> Path:
    """A run that was never interrupted."""
    run = tmp_path_factory.mktemp("straight")
    assert train(CONFIG, run, TrainingData(dataset), dataset)
    return run


def test_a_run_says_what_its_result_depends_on_to_the_bit(dataset, straight):
    environment = read_json(straight / "environment.json")
    assert environment["data_sha256"] == TrainingData(dataset).sha256()
    assert (environment["accelerator"], environment["devices"]) == ("cpu", 1)
    assert environment["threads"] == torch.get_num_threads()


def test_a_run_leaves_configuration_environment_log_and_weights(straight):
    names = {path.name for path in straight.iterdir()}
    assert names == {"config.json", "environment.json", "log.jsonl", "last.safetensors", "best.safetensors"}
    assert [entry["step"] for entry in read_log(straight)] == [6, 12]
    assert {"loss/pose", "loss/trajectory", "loss/kinematic", "loss/reprojection"} <= read_log(straight)[
        0
    ].keys()


def test_training_lowers_the_error(dataset, tmp_path):
    train(replace(CONFIG, epochs=6, steps_per_epoch=20), tmp_path / "run", TrainingData(dataset), dataset)
    log = read_log(tmp_path / "run")
    assert log[-1]["loss"] < 0.5 * log[0]["loss"]
    assert log[-1]["validation_mpjpe"] < 0.8 * log[0]["validation_mpjpe"]


def test_dense_training_shares_the_work_between_the_frames_of_a_sample(dataset, tmp_path, monkeypatch):
    rows = []
    block = ConvBlock.forward
    monkeypatch.setattr(ConvBlock, "forward", lambda self, x: rows.append(x.shape[1]) or block(self, x))
    config = replace(CONFIG, epochs=1, frames_per_sample=8, dense=True)
    train(config, tmp_path / "dense", TrainingData(dataset), None)
    assert max(rows) == 8 + 9 - 3  # of J + 7 = 16 input frames, the first convolution of 3 has 14 results
    rows.clear()
    train(replace(config, dense=False), tmp_path / "windows", TrainingData(dataset), None)
    assert max(rows) == 3  # windows of J = 9 frames by themselves
    losses = [read_log(tmp_path / name)[-1]["loss"] for name in ("dense", "windows")]
    assert losses[0] != losses[1]  # the statistics of batch normalization are over other frames
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(dataset, straight, tmp_path):
    train(CONFIG, tmp_path / "again", TrainingData(dataset), dataset)
    assert same_weights(straight, tmp_path / "again")
    train(replace(CONFIG, seed=1), tmp_path / "other", TrainingData(dataset), dataset)
    assert not same_weights(straight, tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "losses"),
    [
        ("windows", [2.512163, 2.291878]),
        ("unlabelled", [2.553568, 3.339343, 2.934247]),
        ("randomized", [0.428275, 0.357217]),
    ],
)
def test_a_seed_has_trained_the_same_ever_since(dataset, halves, tmp_path, name, losses):
    """The same batches in the same order, whatever draws them."""
    clips = procedural_clips(7, seed=1, seconds=2.0)
    first_generation = replace(RECIPES["randomized"], data=DataConfig(input="randomized"), batch_size=128)
    randomized = replace(first_generation, decay=0.83, cooldown=0, weight_average=None, steps_per_draw=1)
    randomized = replace(randomized, epochs=2, steps_per_epoch=8)
    randomized = replace(randomized, model=replace(randomized.model, channels=16, trajectory_channels=8))
    config, data = {
        "windows": (CONFIG, TrainingData(dataset)),
        "unlabelled": (SEMI, TrainingData(*halves)),
        "randomized": (randomized, TrainingData(clips=clips)),
    }[name]
    assert train(config, tmp_path / "run", data, None)
    tolerance = 3e-2 if name == "randomized" else 1e-3  # bfloat16 rounds as the processor does
    assert [entry["loss"] for entry in read_log(tmp_path / "run")] == pytest.approx(losses, rel=tolerance)


def test_a_network_on_rays_trains_on_a_dataset_too(dataset, tmp_path):
    model = RayNetConfig(filter_widths=(3, 3), channels=16, trajectory_channels=8, dropout=0.0)
    assert train(replace(CONFIG, model=model, epochs=3), tmp_path / "run", TrainingData(dataset), dataset)
    log = read_log(tmp_path / "run")
    assert log[-1]["loss"] < log[0]["loss"]
    assert 0 < log[-1]["loss/reprojection"] < 0.1


def test_a_network_on_image_coordinates_is_not_trained(dataset, tmp_path):
    config = replace(CONFIG, model=VideoPose3DConfig())
    with pytest.raises(InputError, match="image coordinates cannot be trained"):
        train(config, tmp_path / "run", TrainingData(dataset), None)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("resume", [False, True])
def test_two_do_not_train_in_one_folder_at_once(dataset, straight, tmp_path, resume):
    run, data = tmp_path / "run", TrainingData(dataset)
    refusals = []

    def train_too(entry) -> None:
        if entry["step"] in (1, 5):
            with pytest.raises(InputError, match="in use by another process") as refusal:
                train(CONFIG, run, data, dataset, resume=resume)
            refusals.append(str(refusal.value))

    assert train(CONFIG, run, data, dataset, on_step=train_too)
    assert len(refusals) == 2
    assert same_weights(straight, run)


@pytest.mark.parametrize("stop_at", [3, 6, 9])
def test_a_run_stopped_by_a_signal_and_resumed_equals_one_that_ran_through(
    dataset, straight, tmp_path, stop_at
):
    def interrupt(entry) -> None:
        if entry["step"] == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    assert not train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, on_step=interrupt)
    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, resume=True)
    assert same_weights(straight, tmp_path / "run")
    assert history(straight) == history(tmp_path / "run")


def test_the_first_epoch_has_the_given_rate_and_each_later_one_decay_times_that_before(dataset, tmp_path):
    logs = {}
    for decay in (1.0, 0.5):
        config = replace(CONFIG, epochs=3, learning_rate=4e-3, decay=decay)
        train(config, tmp_path / str(decay), TrainingData(dataset), None)
        logs[decay] = history(tmp_path / str(decay))
        assert [entry["rate"] for entry in logs[decay]] == [4e-3, 4e-3 * decay, 4e-3 * decay**2]
    assert logs[0.5][0] == logs[1.0][0]
    assert logs[0.5][1]["loss"] != logs[1.0][1]["loss"]  # the optimizer's rate, not the log's alone


@pytest.mark.parametrize("steps_per_draw", [1, 3])
def test_samples_drawn_ahead_in_another_process_train_the_same_and_resume_to_the_bit(
    dataset, tmp_path, steps_per_draw
):
    """Dropout, too, which comes from the same generator as the samples."""
    config, machine = replace(CONFIG, steps_per_draw=steps_per_draw), Machine(workers=1)
    data = TrainingData(dataset)

    def interrupt(entry) -> None:
        if entry["step"] == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    train(config, tmp_path / "here", data, dataset)
    assert not train(config, tmp_path / "ahead", data, dataset, machine=machine, on_step=interrupt)
    assert train(config, tmp_path / "ahead", data, dataset, machine=machine, resume=True)
    assert same_weights(tmp_path / "here", tmp_path / "ahead")
    assert history(tmp_path / "here") == history(tmp_path / "ahead")
    with pytest.raises(InputError, match="workers must not be negative"):
        Machine(workers=-1)


def test_a_run_starts_with_the_weights_that_it_is_given(dataset, straight, tmp_path):
    still = replace(CONFIG, epochs=2, steps_per_epoch=1, learning_rate=1e-9, initial_weights=straight)
    train(still, tmp_path / "run", TrainingData(dataset), None)
    _, start = load_run(straight)
    _, end = load_run(tmp_path / "run")
    for name, weight in end.named_parameters():
        torch.testing.assert_close(weight, start.get_parameter(name), atol=1e-7, rtol=0)


def test_a_run_goes_on_without_the_weights_that_it_started_with(dataset, straight, tmp_path):
    (tmp_path / "start").mkdir()
    (tmp_path / "start/best.safetensors").write_bytes((straight / "best.safetensors").read_bytes())
    config, data = replace(CONFIG, initial_weights=tmp_path / "start"), TrainingData(dataset)
    train(config, tmp_path / "through", data, dataset)

    def interrupt(entry) -> None:
        if entry["step"] == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    assert not train(config, tmp_path / "stopped", data, dataset, on_step=interrupt)
    (tmp_path / "start/best.safetensors").unlink()
    assert train(config, tmp_path / "stopped", data, dataset, resume=True)
    assert same_weights(tmp_path / "through", tmp_path / "stopped")


def test_a_network_of_another_size_cannot_be_started_with(dataset, straight, tmp_path):
    larger = replace(CONFIG, model=replace(CONFIG.model, channels=48), initial_weights=straight)
    with pytest.raises(InputError, match=r"best.safetensors: weights do not fit the network"):
        train(larger, tmp_path / "run", TrainingData(dataset), None)


def test_in_the_cooldown_the_rate_besides_falls_in_equal_steps_towards_zero():
    config = replace(CONFIG, epochs=5, cooldown=3, learning_rate=1.0, decay=1.0)
    assert [config.rate_in_epoch(epoch) for epoch in range(5)] == [1, 1, 3 / 4, 2 / 4, 1 / 4]
    steady = replace(config, decay=0.5, cooldown=0)
    assert [steady.rate_in_epoch(epoch) for epoch in range(5)] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]


def test_a_cosine_falls_to_zero_after_the_last_epoch_and_a_warm_up_rises_from_zero():
    config = replace(CONFIG, epochs=4, learning_rate=1.0, schedule="cosine", warm_up_steps=3)
    rates = [config.rate_in_epoch(epoch) for epoch in range(5)]
    assert rates == pytest.approx([1, (2 + 2**0.5) / 4, 1 / 2, (2 - 2**0.5) / 4, 0])
    assert [config.rate_of_step(0, step) for step in range(5)] == [1 / 4, 2 / 4, 3 / 4, 1, 1]


def test_the_momentum_of_batch_normalization_falls_as_videopose3d_s():
    """Its code: ``initial_momentum * exp(-epoch / epochs * log(initial_momentum / final_momentum))``."""
    config = replace(CONFIG, epochs=80, final_momentum=0.001)
    for epoch in (0, 1, 40, 79):
        expected = 0.1 * math.exp(-epoch / 80 * math.log(0.1 / 0.001))
        assert config.momentum_in_epoch(epoch) == pytest.approx(expected)
    assert CONFIG.momentum_in_epoch(3) is None


def test_every_epoch_s_batch_normalization_has_its_momentum(dataset, tmp_path, monkeypatch):
    found = []

    def set_and_look(network: nn.Module, momentum: float | None) -> None:
        set_momentum(network, momentum)
        found.append({each.momentum for each in network.modules() if isinstance(each, nn.BatchNorm1d)})

    monkeypatch.setattr(training, "set_momentum", set_and_look)
    config = replace(CONFIG, final_momentum=0.01)
    assert train(config, tmp_path / "run", TrainingData(dataset), dataset)
    assert found == [{config.momentum_in_epoch(0)}, {config.momentum_in_epoch(1)}]


@pytest.mark.parametrize("optimizer", ["adamw", "amsgrad"])
def test_another_optimizer_trains_otherwise_and_resumes_to_the_bit(dataset, straight, tmp_path, optimizer):
    config, data = (
        replace(CONFIG, optimizer=optimizer, final_momentum=0.01, warm_up_steps=4),
        TrainingData(dataset),
    )

    def interrupt(entry) -> None:
        if entry["step"] == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    assert train(config, tmp_path / "through", data, dataset)
    assert not train(config, tmp_path / "stopped", data, dataset, on_step=interrupt)
    assert train(config, tmp_path / "stopped", data, dataset, resume=True)
    assert same_weights(tmp_path / "through", tmp_path / "stopped")
    state = load_file(tmp_path / "through/last.safetensors")
    assert any(name.endswith(".max_exp_avg_sq") for name in state) == (optimizer == "amsgrad")
    assert history(tmp_path / "through") != history(straight)


def test_a_run_made_longer_on_resumption_equals_one_that_was_so_from_the_start(dataset, tmp_path):
    data = TrainingData(dataset)
    longer = replace(CONFIG, epochs=CONFIG.epochs + 2, cooldown=1, decay=0.5)
    train(longer, tmp_path / "longer", data, dataset)
    train(replace(CONFIG, decay=0.5), tmp_path / "run", data, dataset)
    assert train(longer, tmp_path / "run", data, dataset, resume=True)
    assert same_weights(tmp_path / "longer", tmp_path / "run")
    assert history(tmp_path / "longer") == history(tmp_path / "run")
    assert read_config(tmp_path / "run") == longer


def test_a_random_half_of_the_samples_is_mirrored_by_default(dataset, halves, tmp_path, monkeypatch):
    """With labels and without, in every step others."""
    drawn: dict[int, list[torch.Tensor]] = {}
    gather = WindowSampler.gather

    def record(sampler, runs, flip):
        drawn.setdefault(len(sampler), []).append(flip)
        return gather(sampler, runs, flip)

    monkeypatch.setattr(WindowSampler, "gather", record)
    labelled, unlabelled = halves[0].select([0]), halves[1]  # told apart by the number of their samples
    config = replace(CONFIG, unlabelled=UnlabelledWeights(warm_up=0))
    train(config, tmp_path / "mirrored", TrainingData(labelled, unlabelled), None)
    assert len(drawn) == 2
    for flips in drawn.values():
        assert len(flips) == 12
        assert 0.35 < torch.cat(flips).float().mean() < 0.65
        assert len({tuple(flip.tolist()) for flip in flips}) == 12
    drawn.clear()
    train(replace(config, flip=False), tmp_path / "straight", TrainingData(labelled, unlabelled), None)
    assert len(drawn) == 2
    for flips in drawn.values():
        assert not torch.cat(flips).any()


def test_checkpoints_are_left_every_so_many_steps_and_after_every_epoch(dataset, tmp_path):
    found = []
    path = tmp_path / "run/last.safetensors"
    config = replace(CONFIG, checkpoint_every=4)
    watch = lambda entry: found.append(path.read_bytes() if path.exists() else None)  # noqa: E731
    train(config, tmp_path / "run", TrainingData(dataset), None, on_step=watch)
    changed = [step for step in range(2, 13) if found[step - 1] != found[step - 2]]
    assert found[0] is None
    assert changed == [5, 7, 9]  # as seen by the step after


def test_the_log_tells_the_seconds_of_every_epoch(dataset, tmp_path):
    began = time.monotonic()
    train(CONFIG, tmp_path / "run", TrainingData(dataset), None)
    seconds = [entry["seconds"] for entry in read_log(tmp_path / "run")]
    assert min(seconds) >= 0
    assert sum(seconds) <= time.monotonic() - began + 0.2  # each is rounded to a tenth


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_resumed_run_keeps_the_record_of_where_it_began(dataset, tmp_path, checkpoint):
    def interrupt(entry) -> None:
        if entry["step"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    run = tmp_path / "run"
    assert not train(CONFIG, run, TrainingData(dataset), None, on_step=interrupt)
    if not checkpoint:  # as if it had been killed before the first
        (run / "last.safetensors").unlink()
    (run / "environment.json").write_text('{"host": "another"}')
    assert train(CONFIG, run, TrainingData(dataset), None, resume=True)
    environment = read_json(run / "environment.json")
    assert [entry["step"] for entry in environment.pop("resumed")] == [3 if checkpoint else 0]
    assert environment == {"host": "another"}


def test_an_epoch_goes_through_all_samples_in_random_order_before_it_repeats_one(
    dataset, tmp_path, monkeypatch
):
    drawn = []
    gather = WindowSampler.gather

    def record(sampler, runs, flip):
        drawn.append(runs.tolist())
        return gather(sampler, runs, flip)

    monkeypatch.setattr(WindowSampler, "gather", record)
    one = dataset.select([0])
    count = len(one.joints) - CONFIG.frames_per_sample + 1
    train(replace(CONFIG, steps_per_epoch=count // 16 + 1), tmp_path / "run", TrainingData(one), None)
    assert [len(batch) for batch in drawn] == [CONFIG.batch_size // CONFIG.frames_per_sample] * len(drawn)
    half = len(drawn) // 2
    epochs = [list(chain.from_iterable(batches)) for batches in (drawn[:half], drawn[half:])]
    for order in epochs:
        assert sorted(order[:count]) == list(range(count))
        assert order[count:] == order[: len(order) - count]
    assert epochs[0] != epochs[1]


def test_by_default_an_epoch_has_an_output_frame_for_every_frame_of_the_data(dataset, tmp_path):
    assert train(
        replace(CONFIG, steps_per_epoch=None, epochs=1), tmp_path / "run", TrainingData(dataset), None
    )
    assert [entry["step"] for entry in read_log(tmp_path / "run")] == [
        len(dataset.joints) // CONFIG.batch_size
    ]


def test_an_epoch_of_the_paper_on_human36m_has_as_many_steps_as_videopose3d_s():
    assert RECIPES["paper-243"].steps_in_epoch(1_559_752) == 3047
    assert replace(RECIPES["paper-243"], flip=False).steps_in_epoch(1_559_752) == 1523
    assert all(recipe.mirrored_copies == (recipe.steps_per_epoch is None) for recipe in RECIPES.values())


def test_an_epoch_with_mirrored_copies_goes_through_both_kinds_of_all_samples(dataset, tmp_path, monkeypatch):
    drawn: list[int] = []
    draw = WindowSampler.draw
    monkeypatch.setattr(
        WindowSampler,
        "draw",
        lambda sampler, indices: drawn.extend(indices.tolist()) or draw(sampler, indices),
    )
    config = replace(
        CONFIG, loss=BASELINE_LOSS, frames_per_sample=1, steps_per_epoch=None, epochs=1, mirrored_copies=True
    )
    assert train(config, tmp_path / "run", TrainingData(dataset), None)
    count = 2 * len(dataset.joints)
    assert sorted(drawn[:count]) == list(range(count))
    assert len(drawn) - count < config.batch_size


def test_the_loss_that_is_reported_is_the_mean_over_the_steps_of_the_epoch_so_far(
    dataset, tmp_path, monkeypatch
):
    sums, reports = [], []
    total = training.losses.total

    def record(terms):
        value = total(terms)
        sums.append(value.item())
        return value

    monkeypatch.setattr(training.losses, "total", record)
    train(CONFIG, tmp_path / "run", TrainingData(dataset), None, on_step=reports.append)
    assert [report["step"] for report in reports] == list(range(1, 13))
    for number, report in enumerate(reports):
        epoch = sums[number // 6 * 6 : number + 1]
        assert report["loss"] == pytest.approx(sum(epoch) / len(epoch))
    log = read_log(tmp_path / "run")
    assert [entry["epoch"] for entry in log] == [1, 2]
    for entry, report in zip(log, (reports[5], reports[11]), strict=True):
        assert entry["loss"] == pytest.approx(report["loss"])
        terms = [value for name, value in entry.items() if name.startswith("loss/")]
        assert sum(terms) == pytest.approx(entry["loss"])


def test_a_signal_after_the_last_step_finds_a_finished_run(dataset, straight, tmp_path):
    def interrupt(entry) -> None:
        if entry["step"] == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, on_step=interrupt)
    assert same_weights(straight, tmp_path / "run")


def test_randomized_samples_are_mirrored_unless_told_otherwise(tmp_path, monkeypatch):
    mirrors = []
    draw = RandomizedSampler.draw

    def record(sampler, places):
        mirrors.append((sampler.flip, len(places)))
        return draw(sampler, places)

    monkeypatch.setattr(RandomizedSampler, "draw", record)
    clips = procedural_clips(2, seed=1, seconds=2.0)
    config = replace(RECIPES["randomized"], epochs=1, steps_per_epoch=1, batch_size=32)
    config = replace(config, model=replace(config.model, channels=16, trajectory_channels=8))
    for flip in (True, False):
        train(replace(config, flip=flip), tmp_path / str(flip), TrainingData(clips=clips), None)
    assert mirrors == [(True, 32 // config.frames_per_sample), (False, 32 // config.frames_per_sample)]


def test_samples_that_are_drawn_for_several_steps_at_once_are_used_once_each(dataset, tmp_path, monkeypatch):
    drawn, used = [], []
    draw, weigh = WindowSampler.draw, training.losses.weighted_losses

    def record(sampler, indices):
        drawn.append(indices)
        return draw(sampler, indices)

    def record_use(lifted, batch, *options):
        used.append(batch.joints)
        return weigh(lifted, batch, *options)

    monkeypatch.setattr(WindowSampler, "draw", record)
    monkeypatch.setattr(training.losses, "weighted_losses", record_use)
    config = replace(CONFIG, epochs=1, steps_per_epoch=5, steps_per_draw=3, flip=False)
    train(config, tmp_path / "run", TrainingData(dataset), None)
    samples = config.batch_size // config.frames_per_sample
    assert [len(indices) for indices in drawn] == [3 * samples, 2 * samples]
    frames = WindowSampler(
        dataset, frames_per_sample=config.frames_per_sample, context=(0, 0), flip=False
    ).gather(torch.cat(drawn), torch.zeros(5 * samples, dtype=torch.bool))
    assert sorted(torch.cat(used).flatten(1).sum(dim=1).tolist()) == sorted(
        frames.joints.flatten(1).sum(dim=1).tolist()
    )


def gradient_norms(config: TrainConfig, run: Path, dataset: PoseDataset) -> list[float]:
    """The length of the gradient at each step of the optimizer."""
    norms = []

    def measure(optimizer, arguments, keywords) -> None:
        gradients = [
            p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())

    hook = register_optimizer_step_pre_hook(measure)
    try:
        train(config, run, TrainingData(dataset), None)
    finally:
        hook.remove()
    return norms


def test_the_gradient_of_a_step_is_that_of_its_own_batch(dataset, tmp_path):
    """The same at every step, if each has all the samples and the weights stay."""
    one = dataset.select([0])
    count = len(one.joints) - CONFIG.frames_per_sample + 1
    config = replace(CONFIG, batch_size=count * CONFIG.frames_per_sample, learning_rate=1e-12, flip=False)
    config = replace(config, model=replace(config.model, dropout=0.0))
    norms = gradient_norms(config, tmp_path / "run", one)
    assert norms == pytest.approx([norms[0]] * 12, rel=1e-3)
    assert read_log(tmp_path / "run")[0]["loss/trajectory"] < 0.5  # people begin where they are on average


def test_a_longer_gradient_is_scaled_down_to_the_largest_norm_and_a_shorter_one_stays(dataset, tmp_path):
    free = gradient_norms(CONFIG, tmp_path / "free", dataset)
    assert len(free) == 12
    half = free[0] / 2
    clipped = gradient_norms(replace(CONFIG, max_grad_norm=half), tmp_path / "clipped", dataset)
    assert clipped[0] == pytest.approx(half, rel=1e-4)
    assert max(clipped) < half * 1.0001
    loose = gradient_norms(replace(CONFIG, max_grad_norm=2 * max(free)), tmp_path / "loose", dataset)
    assert loose == free


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
sys.path.insert(0, {tests!r})
from training.test_loop import CONFIG
from spgnet.data.training_data import TrainingData
from spgnet.training.loop import train

torch.set_num_threads(1)
dataset = torch.load({dataset!r}, weights_only=False)

def die(entry):
    if entry["step"] == {step}:
        os.kill(os.getpid(), signal.SIGKILL)

train(CONFIG, Path({run!r}), TrainingData(dataset), dataset, on_step=die, resume={resume})
"""


def in_a_process(dataset: PoseDataset, folder: Path, *, step: int, resume: bool) -> int:
    """Train in a process of its own that kills itself with SIGKILL after a step (0: never)."""
    torch.save(dataset, folder / "dataset.pt")
    text = KILLED.format(
        tests=str(Path(__file__).parents[1]),
        dataset=str(folder / "dataset.pt"),
        run=str(folder / "run"),
        step=step,
        resume=resume,
    )
    return subprocess.run([sys.executable, "-c", textwrap.dedent(text)], timeout=600).returncode


TOGETHER = """
import gc, sys
from pathlib import Path
import torch
from torch.nn.parallel import DistributedDataParallel
sys.path.insert(0, {tests!r})
from training.test_loop import CONFIG
from spgnet.data.training_data import TrainingData
from spgnet.training.loop import train
from spgnet.training.processes import Machine

torch.set_num_threads(1)
dataset = torch.load({dataset!r}, weights_only=False)
destroy = torch.distributed.destroy_process_group

def count_models_and_destroy():
    models = sum(isinstance(each, DistributedDataParallel) for each in gc.get_objects())
    sys.stderr.write(f"models: {{models}}\\n")
    destroy()

torch.distributed.destroy_process_group = count_models_and_destroy

def fail(entry):
    if entry["step"] == {fail_at}:
        raise RuntimeError("a failure in the first process")

machine = Machine(accelerator="cpu", devices=2)
train(CONFIG, Path({run!r}), TrainingData(dataset), dataset, machine=machine, on_step=fail)
"""


def in_two_processes(dataset: PoseDataset, folder: Path, *, fail_at: int) -> tuple[int, str]:
    """Train in two processes, of which the first may fail after a step: exit status, and what both wrote."""
    torch.save(dataset, folder / "dataset.pt")
    paths = {"dataset": str(folder / "dataset.pt"), "run": str(folder / "run")}
    script = TOGETHER.format(tests=str(Path(__file__).parents[1]), fail_at=fail_at, **paths)
    (folder / "together.py").write_text(script)
    command = [sys.executable, str(folder / "together.py")]
    done = subprocess.run(command, timeout=600, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


def test_two_processes_train_one_run(dataset, tmp_path):
    status, errors = in_two_processes(dataset, tmp_path, fail_at=0)
    assert status == 0
    assert errors.count("models: 0\n") == 2  # else the processes may hang when they disconnect
    assert [entry["step"] for entry in read_log(tmp_path / "run")] == [6, 12]
    assert read_log(tmp_path / "run")[1]["loss"] < read_log(tmp_path / "run")[0]["loss"]


def test_a_failure_in_one_of_two_processes_ends_both(dataset, tmp_path):
    status, errors = in_two_processes(dataset, tmp_path, fail_at=3)
    assert status == 1
    assert "RuntimeError: a failure in the first process" in errors
    assert errors.count("models: 0\n") == 2


def test_a_killed_run_resumed_equals_one_that_ran_through(dataset, tmp_path):
    for name in ("straight", "killed"):
        (tmp_path / name).mkdir()
    assert in_a_process(dataset, tmp_path / "straight", step=0, resume=False) == 0
    assert in_a_process(dataset, tmp_path / "killed", step=6, resume=False) == -signal.SIGKILL
    assert in_a_process(dataset, tmp_path / "killed", step=11, resume=True) == -signal.SIGKILL
    assert in_a_process(dataset, tmp_path / "killed", step=0, resume=True) == 0
    assert same_weights(tmp_path / "straight/run", tmp_path / "killed/run")
    assert history(tmp_path / "straight/run") == history(tmp_path / "killed/run")


def test_killed_before_its_first_checkpoint_a_run_can_be_resumed_too(dataset, straight, tmp_path):
    assert in_a_process(dataset, tmp_path, step=2, resume=False) == -signal.SIGKILL
    assert not (tmp_path / "run/last.safetensors").exists()
    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, resume=True)
    assert same_weights(straight, tmp_path / "run")


def test_a_run_that_dies_in_validation_and_is_resumed_equals_one_that_ran_through(
    dataset, tmp_path, monkeypatch
):
    config = replace(CONFIG, checkpoint_every=6)  # a checkpoint would fall on the end of the epoch
    train(config, tmp_path / "straight", TrainingData(dataset), dataset)
    with monkeypatch.context() as patch:
        patch.setattr(training, "validation_errors", lambda model, dataset: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config, tmp_path / "run", TrainingData(dataset), dataset)
    train(config, tmp_path / "run", TrainingData(dataset), dataset, resume=True)
    assert same_weights(tmp_path / "straight", tmp_path / "run")
    assert history(tmp_path / "straight") == history(tmp_path / "run")


def test_seeds_differ_in_order_flips_and_dropout():
    for seed in (1, 2, 20240101, 2**32 - 1):
        assert not torch.equal(epoch_order(100, 0, 3), epoch_order(100, seed, 3))
        draws = [
            torch.rand(100, generator=torch.Generator().manual_seed(step_seed(s, 3, 0))) for s in (0, seed)
        ]
        assert not torch.equal(*draws)
    seeds = {step_seed(seed, step, rank) for seed in range(3) for step in range(50) for rank in range(4)}
    assert len(seeds) == 3 * 50 * 4
    assert not torch.equal(epoch_order(100, 0, 3), epoch_order(100, 0, 4))


def test_a_network_with_an_untrained_part_can_be_resumed(dataset, tmp_path):
    config = replace(CONFIG, loss=LossWeights(trajectory=0.0))
    train(config, tmp_path / "straight", TrainingData(dataset), dataset)
    stop_at_3 = lambda entry: os.kill(os.getpid(), signal.SIGTERM) if entry["step"] == 3 else None  # noqa: E731
    assert not train(config, tmp_path / "run", TrainingData(dataset), dataset, on_step=stop_at_3)
    assert train(config, tmp_path / "run", TrainingData(dataset), dataset, resume=True)
    assert same_weights(tmp_path / "straight", tmp_path / "run")


def test_training_that_diverges_stops_and_says_so(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"loss is .* at step \d+: training diverged"):
        train(replace(CONFIG, learning_rate=1e30), tmp_path / "run", TrainingData(dataset), dataset)


def test_mixed_precision_trains(dataset, tmp_path):
    assert train(replace(CONFIG, precision="bf16-mixed"), tmp_path / "run", TrainingData(dataset), dataset)
    assert read_log(tmp_path / "run")[-1]["validation_mpjpe"] < 1000


def test_the_average_of_the_weights_is_kept_and_resumes_to_the_bit(dataset, straight, tmp_path, monkeypatch):
    averaging = replace(CONFIG, weight_average=0.6)
    assert train(averaging, tmp_path / "straight", TrainingData(dataset), None)
    last = load_file(tmp_path / "straight" / "last.safetensors")
    best = load_file(tmp_path / "straight" / "best.safetensors")
    name = "pose.head.weight"
    assert torch.equal(best[f"model.{name}"], last[f"average.{name}"])
    assert not torch.equal(last[f"model.{name}"], last[f"average.{name}"])
    plain = load_file(straight / "last.safetensors")
    assert torch.equal(last[f"model.{name}"], plain[f"model.{name}"])  # training itself is the same
    stops = iter([False] * 7 + [True] + [False] * 99)
    with monkeypatch.context() as patch:
        patch.setattr(training.StopSignal, "requested_anywhere", lambda signal, fabric: next(stops))
        assert not train(averaging, tmp_path / "stopped", TrainingData(dataset), None)
    assert train(averaging, tmp_path / "stopped", TrainingData(dataset), None, resume=True)
    assert same_weights(tmp_path / "straight", tmp_path / "stopped")


def test_the_average_follows_the_weights_with_its_decay(dataset, tmp_path):
    config = replace(CONFIG, epochs=1, weight_average=0.75)
    kept = []
    for steps in (1, 2):
        train(replace(config, steps_per_epoch=steps), tmp_path / f"{steps}", TrainingData(dataset), None)
        kept.append(load_file(tmp_path / f"{steps}" / "last.safetensors"))
    name = "pose.head.weight"
    expected = 0.75 * kept[0][f"average.{name}"] + 0.25 * kept[1][f"model.{name}"]
    torch.testing.assert_close(kept[1][f"average.{name}"], expected)
    assert torch.equal(kept[0][f"average.{name}"], kept[0][f"model.{name}"])  # its beginning


@pytest.mark.parametrize("average", [None, 0.6])
def test_what_is_validated_is_on_the_device_that_trains(dataset, tmp_path, average):
    config, device = replace(CONFIG, weight_average=average), torch.device("meta")
    state = training._State.initial(config, tmp_path / "run", TrainingData(dataset), device)
    tensors = (*state.kept.parameters(), *state.kept.buffers(), *state.network.parameters())
    assert {each.device for each in tensors} == {device}
    of_optimizer = [each for group in state.optimizer.param_groups for each in group["params"]]
    assert {*map(id, of_optimizer)} == {*map(id, state.network.parameters())}


def test_a_wild_run_learns_resumes_to_the_bit_and_needs_a_network_on_rays(tmp_path, monkeypatch):
    clips = procedural_clips(7, seed=1, seconds=2.0)
    seen = randomized_dataset(clips, seed=0, count=20, frames=12)
    randomized = replace(RECIPES["randomized"], epochs=2, steps_per_epoch=8, checkpoint_every=3)
    randomized = replace(randomized, model=replace(randomized.model, channels=16, trajectory_channels=8))
    assert train(randomized, tmp_path / "straight", TrainingData(clips=clips), seen)
    first, second = (entry["loss/pose"] for entry in read_log(tmp_path / "straight"))
    assert second < first
    stops = iter([False] * 10 + [True] + [False] * 99)
    with monkeypatch.context() as patch:
        patch.setattr(training.StopSignal, "requested_anywhere", lambda signal, fabric: next(stops))
        assert not train(randomized, tmp_path / "stopped", TrainingData(clips=clips), seen)
    assert len(read_log(tmp_path / "stopped")) == 1
    assert train(randomized, tmp_path / "stopped", TrainingData(clips=clips), seen, resume=True)
    assert same_weights(tmp_path / "straight", tmp_path / "stopped")
    with pytest.raises(ValueError, match="train a RayNet on them"):
        train(replace(CONFIG, data=randomized.data), tmp_path / "other", TrainingData(clips=clips), seen)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_compiled_network_is_trained_and_kept_like_any_other(dataset, straight, tmp_path, monkeypatch):
    compiled = []

    class Compiled(torch.nn.Module):  # wraps the network, as what torch.compile returns does
        def __init__(self, network):
            super().__init__()
            self._orig_mod = network

        def forward(self, inputs, dense):
            compiled.append(len(inputs))
            return self._orig_mod(inputs, dense=dense)

    monkeypatch.setattr(torch, "compile", Compiled)
    machine = Machine(compiled=True)
    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, machine=machine)
    assert len(compiled) == 12
    assert same_weights(straight, tmp_path / "run")
    assert train(
        CONFIG, tmp_path / "run", TrainingData(dataset), dataset, resume=True, machine=Machine(compiled=False)
    )


def test_an_accelerator_that_is_not_there_is_named(dataset, tmp_path):
    with pytest.raises(ValueError, match="cannot run on accelerator 'cuda'"):
        train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, machine=Machine(accelerator="cuda"))
    for devices in (0, -1):
        with pytest.raises(InputError, match="cannot run on accelerator 'cpu'"):
            train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, machine=Machine("cpu", devices))
    assert not (tmp_path / "run").exists()


def test_an_epoch_is_told_when_nothing_of_it_can_be_lost_any_more(dataset, tmp_path):
    told = []

    def on_epoch(entry) -> None:
        assert read_progress(tmp_path / "run/last.safetensors").step == entry["step"]
        assert read_log(tmp_path / "run")[-1] == entry
        told.append(entry["step"])

    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, on_epoch=on_epoch)
    assert told == [6, 12]


def test_a_second_signal_stops_at_once(dataset, tmp_path):
    def interrupt_twice(entry) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, on_step=interrupt_twice)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_works_outside_the_main_thread(dataset, tmp_path):
    thread = threading.Thread(target=train, args=(CONFIG, tmp_path / "run", TrainingData(dataset), dataset))
    thread.start()
    thread.join()
    assert len(read_log(tmp_path / "run")) == 2


def test_the_best_weights_are_those_of_the_epoch_with_the_lowest_error(dataset, tmp_path):
    config = replace(CONFIG, epochs=4, learning_rate=0.05, decay=1.0)
    train(config, tmp_path / "run", TrainingData(dataset), dataset)
    errors = [entry["validation_mpjpe"] for entry in read_log(tmp_path / "run")]
    best_epoch = errors.index(min(errors)) + 1
    train(replace(config, epochs=best_epoch), tmp_path / "best", TrainingData(dataset), dataset)
    best = load_file(tmp_path / "run/best.safetensors")
    last = load_file(tmp_path / "best/last.safetensors")
    assert all(torch.equal(best[key], last[key]) for key in best)


def test_a_run_of_another_configuration_is_not_resumed(dataset, straight):
    before = (straight / "last.safetensors").read_bytes()
    with pytest.raises(ValueError, match="a run of another configuration"):
        train(replace(CONFIG, loss=BASELINE_LOSS), straight, TrainingData(dataset), dataset, resume=True)
    with pytest.raises(ValueError, match="already holds a run"):
        train(CONFIG, straight, TrainingData(dataset), dataset)
    assert (straight / "last.safetensors").read_bytes() == before


def test_nothing_is_written_when_the_data_are_too_short(dataset, tmp_path):
    with pytest.raises(ValueError, match="too few frames"):
        train(
            replace(CONFIG, frames_per_sample=10_000, batch_size=20_000),
            tmp_path / "run",
            TrainingData(dataset),
            dataset,
        )
    assert not (tmp_path / "run").exists()


def same_model(one: Path, two: Path) -> bool:
    """Whether two files of weights hold the same network; one may hold an optimizer's state, too."""
    a, b = (
        {name: value for name, value in load_file(path).items() if name.startswith("model.")}
        for path in (one, two)
    )
    assert a
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


SEMI = replace(CONFIG, unlabelled=UnlabelledWeights(warm_up=1), epochs=3)
UNLABELLED_TERMS = {"loss/unlabelled_reprojection", "loss/unlabelled_bone_lengths"}


@pytest.fixture(scope="module")
def halves(dataset) -> tuple[PoseDataset, PoseDataset]:
    """Sequences with labels, and others whose joints are NaN."""
    labelled, unlabelled = dataset.with_labels(0.5)
    assert unlabelled is not None
    return labelled, unlabelled


@pytest.fixture(scope="module")
def semi(dataset, halves, tmp_path_factory) -> Path:
    """A run that learnt from both and was never interrupted."""
    run = tmp_path_factory.mktemp("semi")
    labelled, unlabelled = halves
    assert train(SEMI, run, TrainingData(labelled, unlabelled), dataset)
    return run


def test_views_without_labels_join_training_after_the_warm_up(semi):
    log = read_log(semi)
    assert not UNLABELLED_TERMS & log[0].keys()
    for entry in log[1:]:
        assert entry.keys() >= UNLABELLED_TERMS
        parts = [value for name, value in entry.items() if name.startswith("loss/")]
        assert entry["loss"] == pytest.approx(sum(parts))
        assert all(entry[name] > 0 for name in UNLABELLED_TERMS)


def test_the_joints_of_unlabelled_views_are_not_used(dataset, halves, semi, tmp_path):
    """NaN, zero and wrong joints give the same weights to the bit."""
    labelled, unlabelled = halves
    for name, joint in (("zero", 0.0), ("far", 1e6)):
        other = replace(unlabelled, joints=torch.full_like(unlabelled.joints, joint))
        train(SEMI, tmp_path / name, TrainingData(labelled, other), dataset)
        assert same_weights(semi, tmp_path / name)


def test_the_2d_input_of_unlabelled_views_does_matter(dataset, halves, semi, tmp_path):
    labelled, unlabelled = halves
    other = replace(unlabelled, keypoints_2d=0.9 * unlabelled.keypoints_2d)
    train(SEMI, tmp_path / "run", TrainingData(labelled, other), dataset)
    assert not same_weights(semi, tmp_path / "run")


def test_until_the_warm_up_ends_training_is_as_without_unlabelled_views(dataset, halves, tmp_path):
    labelled, unlabelled = halves
    config = replace(SEMI, epochs=2, unlabelled=UnlabelledWeights(warm_up=2))
    train(config, tmp_path / "with", TrainingData(labelled, unlabelled), dataset)
    train(config, tmp_path / "without", TrainingData(labelled), dataset)
    assert same_weights(tmp_path / "with", tmp_path / "without")
    assert history(tmp_path / "with") == history(tmp_path / "without")


def test_weights_of_zero_leave_unlabelled_views_out(dataset, halves, tmp_path):
    labelled, unlabelled = halves
    config = replace(
        SEMI, epochs=2, unlabelled=UnlabelledWeights(reprojection=0.0, bone_lengths=0.0, warm_up=0)
    )
    train(config, tmp_path / "with", TrainingData(labelled, unlabelled), dataset)
    train(config, tmp_path / "without", TrainingData(labelled), dataset)
    assert same_weights(tmp_path / "with", tmp_path / "without")
    assert history(tmp_path / "with") == history(tmp_path / "without")


@pytest.mark.parametrize("stop_at", [6, 9, 13])
def test_a_run_with_unlabelled_views_resumes_to_the_bit(dataset, halves, semi, tmp_path, stop_at):
    labelled, unlabelled = halves

    def interrupt(entry) -> None:
        if entry["step"] == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    run = tmp_path / "run"
    assert not train(SEMI, run, TrainingData(labelled, unlabelled), dataset, on_step=interrupt)
    assert train(SEMI, run, TrainingData(labelled, unlabelled), dataset, resume=True)
    assert same_weights(semi, run)
    assert history(semi) == history(run)


def test_unlabelled_views_that_are_too_short_are_refused_before_anything_is_written(halves, tmp_path):
    labelled, unlabelled = halves
    short = unlabelled.select([0])
    short = replace(
        short,
        joints=short.joints[:1],
        keypoints_2d=short.keypoints_2d[:1],
        lengths=torch.ones_like(short.lengths),
    )
    with pytest.raises(ValueError, match="too few frames"):
        train(SEMI, tmp_path / "run", TrainingData(labelled, short), None)
    assert not (tmp_path / "run").exists()


def test_without_views_to_validate_on_the_best_weights_are_the_last(dataset, tmp_path):
    lowest = replace(CONFIG, epochs=3, learning_rate=0.05, decay=1.0)
    best = []
    train(
        lowest,
        tmp_path / "run",
        TrainingData(dataset),
        None,
        on_epoch=lambda entry: best.append((tmp_path / "run/best.safetensors").read_bytes()),
    )
    assert all("validation_mpjpe" not in entry for entry in read_log(tmp_path / "run"))
    assert same_model(tmp_path / "run/best.safetensors", tmp_path / "run/last.safetensors")
    assert len(set(best)) == 3


def test_a_run_without_views_to_validate_on_resumes_to_the_bit(dataset, tmp_path):
    train(CONFIG, tmp_path / "straight", TrainingData(dataset), None)
    stop_at_6 = lambda entry: os.kill(os.getpid(), signal.SIGTERM) if entry["step"] == 6 else None  # noqa: E731
    assert not train(CONFIG, tmp_path / "run", TrainingData(dataset), None, on_step=stop_at_6)
    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), None, resume=True)
    assert same_weights(tmp_path / "straight", tmp_path / "run")
    assert history(tmp_path / "straight") == history(tmp_path / "run")


def test_validation_does_not_change_what_is_learnt(dataset, straight, tmp_path):
    train(CONFIG, tmp_path / "run", TrainingData(dataset), None)
    assert same_model(straight / "last.safetensors", tmp_path / "run/last.safetensors")

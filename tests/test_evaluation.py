"""Evaluation: averages are what they say, and a perfect prediction is perfect."""

import json
import math
from dataclasses import replace

import pytest
import torch

from spgnet import metrics
from spgnet.data.dataset import PoseDataset
from spgnet.evaluation import (
    METRICS,
    Evaluation,
    evaluate,
    frame_values,
    lift_dataset,
    measured_bones,
    measured_joints,
    shown,
    validation_errors,
)
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftingNetwork, RayNetConfig, SPGNetConfig, build_model


@pytest.fixture(scope="module")
def dataset(dataset) -> PoseDataset:
    """Sequences of which the first has a third of the others' frames, so that actions count differently."""
    short = int(dataset.lengths[0]) // 3
    kept = torch.cat((torch.arange(short), torch.arange(int(dataset.lengths[0]), len(dataset.joints))))
    lengths = torch.cat((torch.tensor([short]), dataset.lengths[1:]))
    return replace(
        dataset, joints=dataset.joints[kept], keypoints_2d=dataset.keypoints_2d[kept], lengths=lengths
    )


@pytest.fixture(scope="module")
def model() -> LiftingNetwork:
    torch.manual_seed(0)
    model = build_model(SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=8)).eval()
    model.init_root_bias(torch.tensor([0.0, 0.0, 5.0]))
    return model


@pytest.fixture(scope="module")
def result(model, dataset) -> Evaluation:
    return evaluate(model, dataset)


def validation_mpjpe(model, dataset):
    return validation_errors(model, dataset)["validation_mpjpe"]


def one_sequence(dataset: PoseDataset, number: int) -> PoseDataset:
    frames = dataset.frames_of(number)
    return replace(
        dataset,
        joints=dataset.joints[frames],
        keypoints_2d=dataset.keypoints_2d[frames],
        cameras=dataset.cameras[number : number + 1],
        lengths=dataset.lengths[number : number + 1],
        names=dataset.names[number : number + 1],
        subjects=dataset.subjects[number : number + 1],
        actions=dataset.actions[number : number + 1],
    )


def test_the_truth_has_no_error(dataset):
    values = frame_values(dataset.joints, dataset)
    for name in ("mpjpe", "p_mpjpe", "n_mpjpe", "velocity", "acceleration", "trajectory", "bone_deviation"):
        assert values[name].nan_to_num().max() < 0.01
    assert values["reprojection"].max() < 0.01
    assert values["pck"].min() == 100


def test_velocity_is_never_taken_across_views(dataset):
    values = frame_values(dataset.joints, dataset)
    starts = dataset.starts.tolist()
    assert values["velocity"].isnan().nonzero().flatten().tolist() == starts
    assert values["acceleration"].isnan().sum() == 2 * len(dataset)


def test_whole_evaluation_equals_views_one_by_one(model, dataset, result):
    alone = [evaluate(model, one_sequence(dataset, number)) for number in range(len(dataset))]
    for name in ("mpjpe", "p_mpjpe", "trajectory", "reprojection", "bone_deviation"):
        weighted = sum(one.mean_over_frames[name] * one.frames for one in alone)
        assert weighted / len(dataset.joints) == pytest.approx(result.mean_over_frames[name], rel=1e-4)


def test_the_mean_over_actions_counts_actions_alike_and_that_over_frames_frames(dataset, result):
    assert set(result.actions) == set(dataset.actions)
    for name in METRICS:
        rows = [row[name] for row in result.actions.values()]
        assert result.mean_over_actions[name] == pytest.approx(sum(rows) / len(rows))
        if name not in ("pck", "auc"):  # near their bounds here
            assert result.mean_over_actions[name] != pytest.approx(result.mean_over_frames[name], rel=1e-5)
    frames = dict.fromkeys(result.actions, 0)
    for action, length in zip(dataset.actions, dataset.lengths.tolist(), strict=True):
        frames[action] += length
    mean = sum(result.actions[a]["mpjpe"] * n for a, n in frames.items()) / sum(frames.values())
    assert result.mean_over_frames["mpjpe"] == pytest.approx(mean, rel=1e-5)
    assert result.frames == len(dataset.joints)


def test_flips_are_averaged_by_default(model, dataset, result):
    straight = evaluate(model, dataset, flip=False)
    assert straight.mean_over_frames["mpjpe"] != pytest.approx(result.mean_over_frames["mpjpe"], rel=1e-6)
    expected = metrics.mpjpe(lift_dataset(model, dataset, flip=True), dataset.joints).mean().item()
    assert result.mean_over_frames["mpjpe"] == pytest.approx(expected, rel=1e-5)
    assert straight.mean_over_frames["mpjpe"] == pytest.approx(validation_mpjpe(model, dataset), rel=1e-5)


def test_a_view_of_a_single_frame_has_no_velocity_and_every_other_metric(model, dataset):
    frame = one_sequence(dataset, 0)
    single = replace(
        frame, joints=frame.joints[:1], keypoints_2d=frame.keypoints_2d[:1], lengths=torch.tensor([1])
    )
    scores = evaluate(model, single).mean_over_frames
    undefined = {name for name, value in scores.items() if value != value}
    assert undefined == {"velocity", "acceleration"}


def test_two_frames_have_a_velocity_and_no_acceleration(model, dataset):
    pair = one_sequence(dataset, 0)
    pair = replace(
        pair, joints=pair.joints[:2], keypoints_2d=pair.keypoints_2d[:2], lengths=torch.tensor([2])
    )
    values = frame_values(lift_dataset(model, pair, flip=False), pair)
    assert values["velocity"].isfinite().tolist() == [False, True]
    assert values["acceleration"].isfinite().tolist() == [False, False]


def test_a_network_without_trajectory_has_no_error_of_the_trajectory_nor_of_the_reprojection(
    model, dataset, result, monkeypatch
):
    monkeypatch.setattr(model, "has_trajectory", False)
    without = evaluate(model, dataset)
    for scores in (without.mean_over_actions, without.mean_over_frames, *without.actions.values()):
        assert {name for name, value in scores.items() if math.isnan(value)} == {"trajectory", "reprojection"}
    assert without.mean_over_frames["mpjpe"] == result.mean_over_frames["mpjpe"]


def test_validation_evaluates_without_dropout_a_network_that_is_in_training(model, dataset):
    config = SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=8, dropout=0.5)
    dropping = build_model(config)
    dropping.load_state_dict(model.state_dict())
    assert validation_mpjpe(dropping.train(), dataset) == validation_mpjpe(model, dataset)


def test_faster_sequences_are_lifted_at_the_rate_that_the_network_is_for(dataset):
    """Every second frame of 100 per second, for a network that takes at most 50."""
    torch.manual_seed(0)
    config = RayNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=8, rates=(20.0, 50.0))
    model = build_model(config).eval()
    fast = replace(one_sequence(dataset, 1), fps=100.0)
    frames = torch.arange(0, len(fast.joints), 2)
    half = replace(
        fast,
        fps=50.0,
        joints=fast.joints[frames],
        keypoints_2d=fast.keypoints_2d[frames],
        lengths=torch.tensor([len(frames)]),
    )
    every, slow = (lift_dataset(model, each, flip=False) for each in (fast, half))
    inner = slice(5, -5)  # beyond its ends a sequence is continued by its own last frame
    torch.testing.assert_close(every[frames][inner], slow[inner])


def test_tables_have_a_row_an_action_and_two_averages(result):
    lines = result.to_markdown(("mpjpe", "pck")).splitlines()
    assert lines[0] == "| action | MPJPE (P1) [mm] | PCK@150 [%] |"
    assert len(lines) == 2 + len(result.actions) + 2
    assert lines[-1].startswith("| mean over frames | ")
    assert set(result.to_json()) == {
        "actions",
        "mean_over_actions",
        "mean_over_frames",
        "frames",
        "subjects",
        "joints",
    }


def test_errors_of_joints_have_the_mpjpe_as_their_mean(model, dataset, result, lacking):
    assert list(result.joints) == list(HUMAN36M.names)
    assert sum(result.joints.values()) / 17 == pytest.approx(result.mean_over_frames["mpjpe"], rel=1e-5)
    some = evaluate(model, lacking)
    assert set(some.joints) == set(HUMAN36M.names) - set(GUESSED)
    assert sum(some.joints.values()) / 14 == pytest.approx(some.mean_over_frames["mpjpe"], rel=1e-5)


def test_results_by_subject_are_those_of_the_subject_alone(model, dataset):
    subjects = tuple("AB"[number % 2] for number in range(len(dataset)))
    both = replace(dataset, subjects=subjects)
    result, alone = evaluate(model, both), evaluate(model, both.select(range(1, len(dataset), 2)))
    assert result.subjects["B"] == pytest.approx(alone.mean_over_frames, rel=1e-4)
    assert [label for label, _ in result.rows("subject")] == ["A", "B", "mean over frames"]
    assert result.to_markdown(("mpjpe",), by="subject").startswith("| subject | MPJPE (P1) [mm] |")


def test_the_error_of_a_root_as_predicted_counts_as_in_videopose3d(dataset, lacking):
    """Its evaluation compares the predicted pose, as it is, with the pose relative to the true root."""
    pose = dataset.joints - dataset.joints[:, :1]
    torch.manual_seed(0)
    predicted = pose + 0.05 * torch.randn_like(pose)
    for data in (dataset, lacking):
        joints = measured_joints(data)
        apart, scale = (predicted - pose)[:, joints], (predicted * pose)[:, joints].sum((1, 2))
        scale = scale / predicted[:, joints].square().sum((1, 2))
        scaled = scale[:, None, None] * predicted[:, joints] - pose[:, joints]
        values = frame_values(predicted, data, root_as_predicted=True)
        torch.testing.assert_close(values["mpjpe"], 1000 * apart.norm(dim=-1).mean(-1))
        torch.testing.assert_close(values["n_mpjpe"], 1000 * scaled.norm(dim=-1).mean(-1))
        velocity = 1000 * apart[: int(data.lengths[0])].diff(dim=0).norm(dim=-1).mean(-1)
        torch.testing.assert_close(values["velocity"][1 : int(data.lengths[0])], velocity)
        for name in ("p_mpjpe", "pck", "auc"):
            assert torch.equal(values[name], frame_values(predicted, data)[name])
    relative = frame_values(predicted, dataset)["mpjpe"].mean()
    assert abs(frame_values(predicted, dataset, root_as_predicted=True)["mpjpe"].mean() - relative) > 1


def test_two_datasets_have_the_same_sha256_if_they_are_the_same_to_the_bit(dataset):
    assert replace(dataset).sha256() == dataset.sha256()
    moved = dataset.keypoints_2d.clone()
    moved[-1, -1, -1] += 0.01
    others = [
        replace(dataset, keypoints_2d=moved),
        replace(dataset, actions=("other", *dataset.actions[1:])),
        replace(dataset, eval_mask=torch.arange(len(dataset.joints)) > 0),
    ]
    assert len({each.sha256() for each in (dataset, *others)}) == 4


def test_a_table_is_markdown_with_actions_in_their_order_and_numbers_to_the_right():
    row = dict.fromkeys(METRICS, 1.0)
    result = Evaluation({"walk": row | {"mpjpe": 45.67}, "bend": row}, row | {"mpjpe": 23.4}, row, 7)
    assert result.to_markdown(("mpjpe", "pck")) == (
        "| action | MPJPE (P1) [mm] | PCK@150 [%] |\n"
        "| --- | ---: | ---: |\n"
        "| bend | 1.0 | 1.0 |\n"
        "| walk | 45.7 | 1.0 |\n"
        "| mean over actions | 23.4 | 1.0 |\n"
        "| mean over frames | 1.0 | 1.0 |\n"
    )


@pytest.fixture(scope="module")
def sparse(dataset) -> PoseDataset:
    """The same sequences, of which about every third frame is evaluated, now and then three in a row."""
    random = torch.Generator().manual_seed(1)
    scored = torch.rand(len(dataset.joints), generator=random) < 0.35
    scored[dataset.starts] = True
    return replace(dataset, eval_mask=scored)


def test_frames_that_are_not_scored_count_in_no_metric(model, sparse):
    """Whatever their truth is."""
    whatever = torch.where(sparse.eval_mask[:, None, None], sparse.joints, 9e3)
    spoilt = replace(sparse, joints=whatever)
    assert evaluate(model, spoilt) == evaluate(model, sparse)
    assert validation_mpjpe(model, spoilt) == validation_mpjpe(model, sparse)


def test_values_of_scored_frames_are_those_where_every_frame_is_scored(model, dataset, sparse):
    """Velocity and acceleration where the frames they need are scored too; bones have a mean of their own."""
    predicted = lift_dataset(model, dataset, flip=False)
    values, every = frame_values(predicted, sparse), frame_values(predicted, dataset)
    assert set(values) == set(METRICS)
    scored = sparse.eval_mask.tolist()
    for name in METRICS:
        needs = {"velocity": 2, "acceleration": 3}.get(name, 1)
        have = [
            frame
            for sequence in range(len(dataset))
            for frame in range(
                dataset.frames_of(sequence).start + needs - 1, dataset.frames_of(sequence).stop
            )
            if all(scored[frame - back] for back in range(needs))
        ]
        assert 0 < len(have) < len(scored)
        assert values[name].isfinite().nonzero().flatten().tolist() == have
        if name != "bone_deviation":
            assert torch.equal(values[name][have], every[name][have])


def test_bone_deviation_is_that_of_the_scored_frames(model, sparse):
    predicted = lift_dataset(model, sparse, flip=False)
    value = frame_values(predicted, sparse)["bone_deviation"]
    for sequence in range(len(sparse)):
        frames = [f for f in range(len(predicted))[sparse.frames_of(sequence)] if sparse.eval_mask[f]]
        expected = metrics.bone_length_deviation(predicted[frames], HUMAN36M).mean()
        torch.testing.assert_close(value[frames], expected.expand(len(frames)))


def test_means_are_over_scored_frames_and_their_number_is_told(model, dataset, sparse):
    result = evaluate(model, sparse)
    assert result.frames == int(sparse.eval_mask.sum()) < len(dataset.joints)
    errors = metrics.mpjpe(lift_dataset(model, dataset, flip=True), dataset.joints)[sparse.eval_mask]
    assert result.mean_over_frames["mpjpe"] == pytest.approx(errors.mean().item(), rel=1e-5)
    errors = metrics.mpjpe(lift_dataset(model, dataset, flip=False), dataset.joints)[sparse.eval_mask]
    assert validation_mpjpe(model, sparse) == pytest.approx(errors.mean().item(), rel=1e-5)


def test_frames_that_are_not_scored_are_input(model, sparse):
    """The network sees them beside the scored ones."""
    still = replace(
        sparse, keypoints_2d=torch.where(sparse.eval_mask[:, None, None], sparse.keypoints_2d, 500.0)
    )
    scores = [evaluate(model, dataset).mean_over_frames["mpjpe"] for dataset in (sparse, still)]
    assert abs(scores[0] - scores[1]) > 0.1


def test_pck_and_auc_count_the_fields_joints_and_of_those_the_captured_ones(dataset):
    predicted = dataset.joints.clone()
    predicted[:, [HUMAN36M.names.index(name) for name in ("spine", "nose")], 1] += 1.0
    assert frame_values(predicted, dataset)["pck"].min() == 100
    predicted[:, HUMAN36M.names.index("left_wrist"), 1] += 1.0
    for lacking, share in (((), 13 / 14), (("left_wrist", "nose"), 1.0), (("head_top",), 12 / 13)):
        values = frame_values(predicted, replace(dataset, unmeasured_joints=lacking))
        torch.testing.assert_close(values["pck"], torch.full_like(values["pck"], 100 * share))
        torch.testing.assert_close(values["auc"], torch.full_like(values["auc"], 100 * share * 30 / 31))


GUESSED = ("spine", "nose", "left_wrist")


@pytest.fixture(scope="module")
def lacking(dataset) -> PoseDataset:
    """The same sequences, whose truth is a guess for three joints."""
    return replace(dataset, unmeasured_joints=GUESSED)


def test_moving_joints_that_were_not_captured_changes_no_metric(model, lacking):
    """Neither their guesses, nor what is predicted for them, nor where they are seen."""
    guessed = torch.tensor([name in GUESSED for name in HUMAN36M.names])[:, None]
    predicted = lift_dataset(model, lacking, flip=False)
    values = frame_values(predicted, lacking)
    moved = replace(
        lacking,
        joints=torch.where(guessed, lacking.joints + 0.7, lacking.joints),
        keypoints_2d=torch.where(guessed, lacking.keypoints_2d - 150, lacking.keypoints_2d),
    )
    wild = torch.where(guessed, predicted + torch.randn_like(predicted), predicted)
    for name, value in frame_values(wild, moved).items():
        torch.testing.assert_close(value, values[name], rtol=0, atol=0, equal_nan=True)


def test_moving_captured_joints_changes_every_metric(model, lacking):
    predicted = lift_dataset(model, lacking, flip=False)
    values = frame_values(predicted, lacking)
    noise = 0.3 * torch.randn(predicted.shape, generator=torch.Generator().manual_seed(0))
    for name, value in frame_values(predicted + noise, lacking).items():
        assert not torch.allclose(value, values[name], equal_nan=True), name


def test_metrics_of_captured_joints_are_those_of_their_naive_twins(model, lacking):
    predicted = lift_dataset(model, lacking, flip=False)
    values = frame_values(predicted, lacking)
    known = [joint for joint, name in enumerate(HUMAN36M.names) if name not in GUESSED]
    assert measured_joints(lacking) == known
    frame = 5
    errors = (predicted - predicted[:, :1] - lacking.joints + lacking.joints[:, :1])[frame].norm(dim=-1)
    expected = 1000 * sum(errors[joint].item() for joint in known) / 14
    assert values["mpjpe"][frame].item() == pytest.approx(expected, rel=1e-5)
    camera, frames = lacking.cameras[0], lacking.frames_of(0)
    apart = (camera.camera_to_image(predicted[frames]) - lacking.keypoints_2d[frames])[frame].norm(dim=-1)
    expected = sum(apart[joint].item() for joint in known) / 14
    assert values["reprojection"][frame].item() == pytest.approx(expected, rel=1e-4)


def test_bones_count_where_both_ends_were_captured(model, lacking):
    names = {HUMAN36M.bone_names[bone] for bone in measured_bones(lacking)}
    assert set(HUMAN36M.bone_names) - names == {"spine", "thorax", "nose", "head_top", "left_wrist"}
    predicted = lift_dataset(model, lacking, flip=False)
    frames = lacking.frames_of(0)
    every = metrics.bone_length_deviation(predicted[frames], HUMAN36M)
    expected = sum(every[HUMAN36M.bone_names.index(name)].item() for name in names) / 11
    value = frame_values(predicted, lacking)["bone_deviation"][0]
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_where_all_was_captured_all_counts(dataset):
    assert measured_joints(dataset) == list(range(17))
    assert measured_bones(dataset) == list(range(16))


def test_a_metric_without_a_value_is_none_in_json_and_a_dash_in_tables(model, dataset):
    frame = one_sequence(dataset, 0)
    single = replace(
        frame, joints=frame.joints[:1], keypoints_2d=frame.keypoints_2d[:1], lengths=torch.tensor([1])
    )
    result = evaluate(model, single)
    (action,) = result.actions
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    for row in (plain["actions"][action], plain["mean_over_actions"], plain["mean_over_frames"]):
        assert {name for name, value in row.items() if value is None} == {"velocity", "acceleration"}
        assert set(row) == set(METRICS)
    assert plain["frames"] == 1
    lines = result.to_markdown(("mpjpe", "velocity")).splitlines()[2:]
    assert [line.split(" | ")[2] for line in lines] == ["– |"] * 3
    assert all("–" not in line.split(" | ")[1] for line in lines)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (math.nan, "–"), (0.0, "0.0"), (12.34, "12.3"), (99.96, "100.0")]
)
def test_a_figure_is_shown_with_one_digit_and_none_as_a_dash(value, text):
    assert shown(value) == text


def test_validation_names_the_error_of_every_action_whose_mean_over_frames_is_the_whole(model, dataset):
    values = validation_errors(model, dataset)
    frames = {
        action: sum(int(n) for n, a in zip(dataset.lengths, dataset.actions, strict=True) if a == action)
        for action in dataset.actions
    }
    whole = values.pop("validation_mpjpe")
    assert set(values) == {f"validation_mpjpe/{action}" for action in frames}
    mean = sum(values[f"validation_mpjpe/{action}"] * count for action, count in frames.items())
    assert mean / sum(frames.values()) == pytest.approx(whole, rel=1e-5)
    assert len(set(values.values())) == len(values)
    only = dataset.select([0])
    assert set(validation_errors(model, only)) == {"validation_mpjpe"}

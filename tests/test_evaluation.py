"""Evaluation: averages are what they say, and a perfect prediction is perfect."""

from dataclasses import replace

import pytest
import torch

from spgnet import metrics
from spgnet.data.views import Views
from spgnet.evaluation import METRICS, Evaluation, evaluate, frame_values, lift_views, validation_mpjpe
from spgnet.models import LiftingNetwork, SPGNetConfig, build_model


@pytest.fixture(scope="module")
def model() -> LiftingNetwork:
    torch.manual_seed(0)
    model = build_model(SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=8)).eval()
    model.start_trajectory_at(torch.tensor([0.0, 0.0, 5.0]))
    return model


@pytest.fixture(scope="module")
def result(model, views) -> Evaluation:
    return evaluate(model, views)


def one_view(views: Views, number: int) -> Views:
    frames = views.frames_of(number)
    return replace(
        views,
        joints=views.joints[frames],
        screen=views.screen[frames],
        cameras=views.cameras[number : number + 1],
        lengths=views.lengths[number : number + 1],
        names=views.names[number : number + 1],
        subjects=views.subjects[number : number + 1],
        actions=views.actions[number : number + 1],
    )


def test_the_truth_has_no_error(views):
    values = frame_values(views.joints, views)
    for name in ("mpjpe", "p_mpjpe", "n_mpjpe", "velocity", "acceleration", "trajectory", "bone_deviation"):
        assert values[name].nan_to_num().max() < 0.01
    assert values["reprojection"].max() < 0.01
    assert values["pck"].min() == 100


def test_velocity_is_never_taken_across_views(views):
    values = frame_values(views.joints, views)
    starts = views.starts.tolist()
    assert values["velocity"].isnan().nonzero().flatten().tolist() == starts
    assert values["acceleration"].isnan().sum() == 2 * len(views)


def test_whole_evaluation_equals_views_one_by_one(model, views, result):
    alone = [evaluate(model, one_view(views, number)) for number in range(len(views))]
    for name in ("mpjpe", "p_mpjpe", "trajectory", "reprojection", "bone_deviation"):
        weighted = sum(one.mean_over_frames[name] * one.frames for one in alone)
        assert weighted / len(views.joints) == pytest.approx(result.mean_over_frames[name], rel=1e-4)


def test_the_mean_over_actions_counts_actions_alike_and_that_over_frames_frames(views, result):
    assert set(result.actions) == set(views.actions)
    for name in METRICS:
        rows = [row[name] for row in result.actions.values()]
        assert result.mean_over_actions[name] == pytest.approx(sum(rows) / len(rows))
    frames = dict.fromkeys(result.actions, 0)
    for action, length in zip(views.actions, views.lengths.tolist(), strict=True):
        frames[action] += length
    mean = sum(result.actions[a]["mpjpe"] * n for a, n in frames.items()) / sum(frames.values())
    assert result.mean_over_frames["mpjpe"] == pytest.approx(mean, rel=1e-5)
    assert result.frames == len(views.joints)


def test_flips_are_averaged_by_default(model, views, result):
    straight = evaluate(model, views, flip=False)
    assert straight.mean_over_frames["mpjpe"] != pytest.approx(result.mean_over_frames["mpjpe"], rel=1e-6)
    expected = metrics.mpjpe(lift_views(model, views, flip=True), views.joints).mean().item()
    assert result.mean_over_frames["mpjpe"] == pytest.approx(expected, rel=1e-5)
    assert straight.mean_over_frames["mpjpe"] == pytest.approx(validation_mpjpe(model, views), rel=1e-5)


def test_a_view_of_a_single_frame_has_no_velocity_and_every_other_metric(model, views):
    frame = one_view(views, 0)
    single = replace(frame, joints=frame.joints[:1], screen=frame.screen[:1], lengths=torch.tensor([1]))
    scores = evaluate(model, single).mean_over_frames
    undefined = {name for name, value in scores.items() if value != value}
    assert undefined == {"velocity", "acceleration"}


def test_tables_have_a_row_an_action_and_two_averages(result):
    lines = result.to_markdown(("mpjpe", "pck")).splitlines()
    assert lines[0] == "| action | MPJPE (P1) [mm] | PCK@150 [%] |"
    assert len(lines) == 2 + len(result.actions) + 2
    assert lines[-1].startswith("| mean over frames | ")
    assert set(result.to_json()) == {"actions", "mean_over_actions", "mean_over_frames", "frames"}

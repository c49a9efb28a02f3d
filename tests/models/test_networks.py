"""The lifting networks: sizes as published, shapes, and configurations that cannot be."""

from dataclasses import replace

import pytest
import torch

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftingNetwork, MartinezConfig, SPGNetConfig, build_model
from spgnet.models.folded import fold_batch_norm
from spgnet.models.network import lift_sequence

SMALL = SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=4)
CAUSAL = SPGNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=4, causal=True)
MLP = MartinezConfig(channels=8, trajectory_channels=4)
ALONG_RAYS = replace(SMALL, output="rays")
OTHERS = [
    ALONG_RAYS,
    replace(SMALL, output="rays", shared=True, centred=True),
    replace(SMALL, shared=True),
    replace(SMALL, centred=True, frame_blocks=1, frame_channels=8),
]
"""SPGNet with options that are not the paper's."""


def weights(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_paper_s_pose_encoder_has_16_95_million_weights():
    model = build_model(SPGNetConfig())
    assert weights(model.pose) == 16_952_371
    assert model.receptive_field == 243
    assert model.context == (121, 121)


@pytest.mark.parametrize(("n", "receptive_field"), [(1, 3), (2, 9), (3, 27), (4, 81), (5, 243)])
def test_widths_of_three_make_the_paper_s_receptive_fields(n, receptive_field):
    assert SPGNetConfig(filter_widths=(3,) * n).receptive_field == receptive_field


def test_martinez_s_network_has_4_29_million_weights():
    assert weights(build_model(MartinezConfig()).pose) == 4_291_635


@pytest.mark.parametrize("config", [SMALL, CAUSAL, MLP, *OTHERS])
def test_pose_is_root_relative_and_joints_are_pose_plus_trajectory(config):
    model = build_model(config).eval()
    lifted = model(torch.randn(2, model.receptive_field + 3, 17, 2))
    assert lifted.pose.shape == (2, 4, 17, 3)
    assert lifted.root.shape == (2, 4, 1, 3)
    assert lifted.pose[:, :, 0].abs().max() == 0
    assert torch.equal(lifted.joints[:, :, :1], lifted.root)


@pytest.mark.parametrize("config", [SMALL, *OTHERS])
def test_with_zero_weights_on_it_confidence_changes_nothing(config):
    plain, knowing = build_model(config).eval(), build_model(replace(config, confidence=True)).eval()
    weights, own = plain.state_dict(), knowing.state_dict()
    for name, weight in weights.items():
        own[name].zero_()
        if name in ("pose.input_block.linear.weight", "trajectory.input_block.linear.weight"):
            wide, narrow = (each.unflatten(1, (config.filter_widths[0], -1)) for each in (own[name], weight))
            wide[..., : narrow.shape[-1]] = narrow  # the confidence of a frame follows its x and y
        else:
            own[name][tuple(map(slice, weight.shape))] = weight
    assert knowing.input_channels == 3
    keypoints = torch.randn(2, 11, 17, 2)
    seen = torch.cat((keypoints, torch.ones(2, 11, 17, 1)), dim=-1)
    for dense in (False, True):
        for ours, theirs in zip(knowing(seen, dense=dense), plain(keypoints, dense=dense), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    lifted = lift_sequence(fold_batch_norm(knowing), seen[0])
    torch.testing.assert_close(lifted, lift_sequence(plain, keypoints[0]), atol=1e-4, rtol=1e-4)


def test_confidence_counts_and_flip_averaging_takes_it_to_the_other_side():
    model = build_model(replace(SMALL, confidence=True)).eval()
    seen = torch.cat((torch.randn(12, 17, 2), torch.rand(12, 17, 1)), dim=-1)
    without = torch.cat((seen[..., :2], torch.ones(12, 17, 1)), dim=-1)
    assert (lift_sequence(model, seen) - lift_sequence(model, without)).abs().max() > 1e-3
    mirrored = torch.cat((HUMAN36M.flip(seen[..., :2]), seen[:, HUMAN36M.mirror, 2:]), dim=-1)
    torch.testing.assert_close(HUMAN36M.flip(lift_sequence(model, mirrored)), lift_sequence(model, seen))


@pytest.mark.parametrize("config", [SMALL, CAUSAL, MLP])
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_a_lifted_sequence_has_as_many_frames_as_its_input(config, frames):
    model = build_model(config).eval()
    assert lift_sequence(model, torch.randn(frames, 17, 2)).shape == (frames, 17, 3)


@pytest.mark.parametrize("config", [SMALL, CAUSAL, *OTHERS])
def test_inside_a_sequence_lifting_equals_the_window_around_each_frame(config):
    model = build_model(config).eval()
    keypoints = torch.randn(20, 17, 2)
    before, after = model.context
    lifted = lift_sequence(model, keypoints, flip=False)
    for frame in range(before, 20 - after):
        window = keypoints[frame - before : frame + after + 1].unsqueeze(0)
        assert torch.allclose(model(window).joints[0, 0], lifted[frame], atol=1e-5)


def test_a_causal_network_does_not_see_the_future():
    model = build_model(CAUSAL).eval()
    keypoints = torch.randn(20, 17, 2)
    changed = keypoints.clone()
    changed[12:] += 1
    before, after = lift_sequence(model, keypoints), lift_sequence(model, changed)
    assert torch.allclose(before[:12], after[:12], atol=1e-6)
    assert not torch.allclose(before[12], after[12], atol=1e-6)


@pytest.mark.parametrize("config", [SMALL, MLP])
def test_with_flips_a_mirrored_sequence_lifts_to_the_mirrored_motion(config):
    model = build_model(config).eval()
    keypoints = torch.randn(15, 17, 2)
    mirrored = lift_sequence(model, HUMAN36M.flip(keypoints))
    assert torch.allclose(mirrored, HUMAN36M.flip(lift_sequence(model, keypoints)), atol=1e-6)


@pytest.mark.parametrize(
    ("keypoints", "fault"),
    [
        (torch.zeros(0, 17, 2), r"shape \(0, 17, 2\), expected \[frames, 17, 2\]"),
        (torch.zeros(5, 16, 2), r"shape \(5, 16, 2\), expected \[frames, 17, 2\]"),
        (torch.full((5, 17, 2), torch.nan), "NaN or infinity in 5 of 5 frames"),
    ],
)
def test_input_that_cannot_be_lifted_is_refused(keypoints, fault):
    with pytest.raises(ValueError, match=fault):
        lift_sequence(build_model(SMALL).eval(), keypoints)


@pytest.mark.parametrize("config", [SMALL, MLP])
@pytest.mark.parametrize("prepare", [lambda model: model, fold_batch_norm], ids=["as it is", "folded"])
def test_a_network_in_training_mode_lifts_nothing(config, prepare):
    with pytest.raises(InputError, match="in training mode"):
        lift_sequence(prepare(build_model(config)), torch.randn(5, 17, 2))


def test_double_precision_input_is_lifted_too():
    model, keypoints = build_model(SMALL).eval(), torch.randn(5, 17, 2)
    assert torch.equal(lift_sequence(model, keypoints.double()), lift_sequence(model, keypoints))


def test_a_fresh_network_starts_its_trajectory_where_it_is_told():
    model: LiftingNetwork = build_model(SMALL).eval()
    model.init_root_bias(torch.tensor([0.1, 0.2, 50.0]))
    root = model(torch.randn(3, 9, 17, 2)).root
    assert (root - torch.tensor([0.1, 0.2, 50.0])).abs().max() < 5


@pytest.mark.parametrize(
    ("build", "fault"),
    [
        (lambda: SPGNetConfig(filter_widths=()), "odd and positive"),
        (lambda: SPGNetConfig(filter_widths=(3, 2)), "odd and positive"),
        (lambda: SPGNetConfig(channels=0), "channels must be positive"),
        (lambda: SPGNetConfig(dropout=1.0), r"dropout must be in \[0, 1\)"),
        (lambda: MartinezConfig(blocks=0), "must be positive"),
        (lambda: MartinezConfig(dropout=-0.1), r"dropout must be in \[0, 1\)"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(build, fault):
    with pytest.raises(ValueError, match=fault):
        build()


@pytest.mark.parametrize("config", OTHERS)
def test_a_folded_network_gives_the_same(config):
    model = build_model(config).eval()
    keypoints = 0.3 * torch.randn(1, 20, 17, 2)
    assert torch.allclose(
        fold_batch_norm(model)(keypoints, dense=True).joints, model(keypoints).joints, atol=1e-4
    )


def test_answers_along_rays_project_onto_the_input_but_for_the_corrections():
    """A fresh network has hardly any corrections, and both encoders start with the same distance."""
    model = build_model(ALONG_RAYS).eval()
    model.init_root_bias(torch.zeros(3))
    person = 0.2 * torch.randn(17, 2) + torch.tensor([0.3, -0.1])
    joints = model(person.expand(1, 9, 17, 2)).joints[0, 0]
    projected = model.focal_length * joints[:, :2] / joints[:, 2:]
    assert (projected - person).norm(dim=-1).max() < 0.1
    assert 2 < joints[0, 2] < 8
    other = model(2 * person.expand(1, 9, 17, 2)).joints[0, 0]
    assert other[0, 2] < 0.7 * joints[0, 2]  # twice as large in the image is about half as far


def test_what_is_relative_to_the_pelvis_does_not_depend_on_where_the_person_is():
    config = replace(SMALL, centred=True)
    model = build_model(config).eval()
    with torch.no_grad():
        weight = model.pose.input_block.linear.weight.view(config.channels, 3, 34)
        weight[..., -2:] = 0  # the pelvis itself
    keypoints = torch.randn(1, 9, 17, 2)
    assert torch.allclose(model(keypoints).pose, model(keypoints + 0.5).pose, atol=1e-5)


def test_dropout_is_drawn_for_the_trajectory_first_as_in_stored_runs():
    model = build_model(replace(SMALL, dropout=0.5)).train()
    keypoints = torch.randn(4, 9, 17, 2)
    torch.manual_seed(0)
    root = model(keypoints).root.squeeze(-2)
    torch.manual_seed(0)
    assert torch.equal(model.trajectory(keypoints.flatten(2)), root)

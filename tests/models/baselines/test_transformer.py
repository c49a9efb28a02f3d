"""The transformer: what its outputs depend on, in windows, sequences, chunks, and what attention computes."""

import math

import pytest
import torch

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.baselines import transformer
from spgnet.models.baselines.transformer import (
    JointAttention,
    JointwiseLinear,
    TemporalAttention,
    Transformer,
    TransformerConfig,
    attention,
)
from spgnet.models.network import lift_sequence

SMALL = {"frame_channels": 16, "joint_channels": 8, "trajectory_channels": 8, "frame_heads": 4}


def network(widths: tuple[int, ...] = (3, 3), **options) -> Transformer:
    """A small network, every weight of it at work, in double precision so that equal means equal."""
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(filter_widths=widths, **{**SMALL, **options})).double()
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "pair_bias", "norm.weight")):
            torch.nn.init.normal_(parameter, mean=float(name.endswith("norm.weight")), std=0.3)
    return model.eval()


def keypoints(frames: int, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randn(batch, frames, 17, 2, generator=generator, dtype=torch.float64)


def frames_it_depends_on(model: Transformer, frame: int) -> list[int]:
    """Input frames on which an output frame of the pose or of the root depends."""
    frames = torch.zeros(1, 40, 17, 2, dtype=torch.float64) + keypoints(40)
    frames.requires_grad_()
    lifted = model(frames)
    total = (lifted.pose[0, frame] * torch.arange(51).view(17, 3)).sum() + lifted.root[0, frame].sum()
    (gradient,) = torch.autograd.grad(total, frames)
    return gradient[0].abs().sum(dim=(1, 2)).nonzero().flatten().tolist()


@pytest.mark.parametrize("widths", [(1,), (3,), (3, 3), (5, 3)])
@pytest.mark.parametrize("blocks", [1, 3])
def test_an_output_frame_depends_on_exactly_its_receptive_field_whatever_the_number_of_blocks(widths, blocks):
    model = network(widths, blocks=blocks)
    assert model.receptive_field == math.prod(widths)
    assert sum(model.context) + 1 == model.receptive_field
    assert frames_it_depends_on(model, 7) == list(range(7, 7 + model.receptive_field))


@pytest.mark.parametrize("part", ["pose", "root"])
def test_the_pose_and_the_root_each_depend_on_all_of_the_receptive_field(part):
    model, frames = network((3, 3)), keypoints(9).requires_grad_()
    weights = torch.arange(51).view(17, 3) if part == "pose" else torch.ones(1, 3)
    (gradient,) = torch.autograd.grad((getattr(model(frames), part) * weights).sum(), frames)
    assert (gradient[0].abs().sum(dim=(1, 2)) > 0).all()


@pytest.mark.parametrize("causal", [False, True])
def test_window_by_window_and_dense_evaluation_agree(causal):
    model, frames = network(causal=causal), keypoints(20, batch=2)
    windows, dense = model(frames), model(frames, dense=True)
    torch.testing.assert_close(windows.pose, dense.pose)
    torch.testing.assert_close(windows.root, dense.root)


@pytest.mark.parametrize("causal", [False, True])
def test_inside_a_sequence_lifting_equals_the_window_around_each_frame(causal):
    model, frames = network(causal=causal), keypoints(20)
    (before, after), lifted = model.context, lift_sequence(model, frames[0], flip=False)
    for frame in range(before, 20 - after):
        window = frames[:, frame - before : frame + after + 1]
        torch.testing.assert_close(model(window).joints[0, 0], lifted[frame])


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_lifting_in_chunks_equals_lifting_the_whole(chunk):
    model, frames = network(), keypoints(50)[0]
    whole = lift_sequence(model, frames)
    torch.testing.assert_close(lift_sequence(model, frames, chunk=chunk), whole)


@pytest.mark.parametrize("attended_frames", [1, 9, 5 * 9, 12 * 9])
def test_how_many_frames_are_computed_at_once_makes_no_difference(monkeypatch, attended_frames):
    model, frames = network(), keypoints(30, batch=2)
    whole = model(frames)
    monkeypatch.setattr(transformer, "MAX_ATTENDED_FRAMES", attended_frames)
    torch.testing.assert_close(model(frames).pose, whole.pose)


def test_a_causal_network_does_not_see_the_future():
    model, frames = network(causal=True), keypoints(20)[0]
    changed = frames.clone()
    changed[12:] += 1
    before, after = lift_sequence(model, frames), lift_sequence(model, changed)
    torch.testing.assert_close(before[:12], after[:12])
    assert (before[12] - after[12]).abs().max() > 1e-3


def test_the_order_of_the_frames_around_matters():
    model, frames = network(), keypoints(9)
    swapped = frames[:, [1, 0, *range(2, 9)]]
    assert (model(frames).pose - model(swapped).pose).abs().max() > 1e-6


def test_the_pose_is_relative_to_its_root():
    pose = network()(keypoints(12, batch=2)).pose
    assert pose.shape == (2, 4, 17, 3)
    assert pose[:, :, 0].abs().max() == 0
    assert pose[:, :, 1:].abs().min() > 0


def test_with_flips_a_mirrored_sequence_lifts_to_the_mirrored_motion():
    model, frames = network(), keypoints(15)[0]
    mirrored = lift_sequence(model, HUMAN36M.flip(frames))
    torch.testing.assert_close(mirrored, HUMAN36M.flip(lift_sequence(model, frames)))


def test_gradients_reach_every_weight():
    """That of the pelvis's own 2D, which is zero relative to itself, is the one exception."""
    model = network((3, 3)).train()
    lifted = model(keypoints(12, batch=4))
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(lifted.joints.shape, generator=generator, dtype=torch.float64)
    (lifted.joints - target).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        silent = parameter.grad.abs() < 1e-14
        if name == "embed_joints.weight":
            assert silent[0, :2].all()
            silent = silent[1:]
        assert not silent.any(), name


def test_a_fresh_network_starts_its_trajectory_where_it_is_told():
    model = network()
    model.init_root_bias(torch.tensor([0.1, 0.2, 50.0]))
    assert (model(keypoints(9)).root - torch.tensor([0.1, 0.2, 50.0])).abs().max() < 5


def test_attention_over_time_is_what_its_loops_say():
    torch.manual_seed(0)
    layer = TemporalAttention(channels=8, heads=2, frames=3).double()
    token, embedded = torch.randn(2, 4, 8).double(), torch.randn(2, 6, 8).double()
    found = layer(token, embedded)
    projected = layer.key_value(embedded)
    for sample in range(2):
        for frame in range(4):
            query = layer.query(layer.norm(token[sample, frame]))
            values = []
            for head in (slice(0, 4), slice(4, 8)):
                near = [projected[sample, frame + i] + layer.position_embedding[i] for i in range(3)]
                scores = [(query[head] @ each[:8][head] / 2).exp() for each in near]
                weighted = [score * each[8:][head] for score, each in zip(scores, near, strict=True)]
                values.append(sum(weighted) / sum(scores))
            torch.testing.assert_close(found[sample, frame], layer.out(torch.cat(values)))


def test_attention_over_joints_is_pytorch_s_on_each_frame():
    torch.manual_seed(0)
    layer, tokens = JointAttention(channels=8, heads=2), torch.randn(3, 5, 17, 8)
    torch.nn.init.normal_(layer.pair_bias)
    found = layer(tokens)
    query, key, value = layer.query_key_value(layer.norm(tokens)).flatten(0, 1).chunk(3, dim=-1)
    heads = [each.unflatten(-1, (2, 4)).transpose(1, 2) for each in (query, key, value)]
    expected = torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=layer.pair_bias)
    expected = layer.out(expected.transpose(1, 2).flatten(2)).unflatten(0, (3, 5))
    torch.testing.assert_close(found, expected)


def test_equal_keys_share_the_attention():
    query, value = torch.randn(2, 1, 4), torch.randn(2, 5, 4)
    found = attention(query, torch.ones(2, 5, 4), value)
    torch.testing.assert_close(found, value.mean(dim=1, keepdim=True))


def test_every_joint_has_a_linear_map_of_its_own():
    layer, x = JointwiseLinear(4, 3, std=1.0), torch.randn(2, 5, 17, 4)
    for joint in range(17):
        expected = x[:, :, joint] @ layer.weight[joint] + layer.bias[joint]
        torch.testing.assert_close(layer(x)[:, :, joint], expected)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"filter_widths": ()}, "odd and positive"),
        ({"filter_widths": (3, 2)}, r"odd and positive, got \(3, 2\)"),
        ({"blocks": 0}, "blocks must be positive, got 0"),
        ({"trajectory_channels": -1}, "trajectory_channels must be positive"),
        ({"frame_channels": 20, "frame_heads": 8}, "multiple of frame_heads, got 20, 8"),
        ({"joint_channels": 6}, "multiple of joint_heads, got 6, 4"),
        ({"trajectory_dropout": 1.0}, r"must be in \[0, 1\), got 1.0"),
        ({"blocks": 0, "joint_heads": 0}, "blocks must be positive, got 0; joint_heads must be positive"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        TransformerConfig(**options)

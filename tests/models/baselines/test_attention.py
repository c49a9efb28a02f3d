"""The attention network of Liu et al.: its size, its layers against plain convolutions, its dependencies."""

from typing import TypeVar

import pytest
import torch
from torch import nn
from torch.nn import functional

from spgnet.models.baselines.attention import (
    DILATIONS,
    Attention,
    AttentionConfig,
    KernelAttention,
    PoseAttention,
    SeparableConv,
    center_frames,
    similarity_to_center,
)

Module = TypeVar("Module", bound=nn.Module)
SMALL = AttentionConfig(layers=2, channels=8, trajectory_channels=8, groups=2, squeeze=4)


def network(config: AttentionConfig = SMALL) -> Attention:
    """A small network as uneven as after training."""
    torch.manual_seed(0)
    return uneven(Attention(config)).eval()


def uneven(module: Module) -> Module:
    """The module with batch norms as after training."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, std=0.3)
            norm.running_mean.normal_(std=0.3)
            norm.running_var.uniform_(0.5, 2)
    return module


def weights_of_the_pose(config: AttentionConfig) -> int:
    return sum(weight.numel() for weight in PoseAttention(config).parameters())


def naive_norm(norm: nn.BatchNorm1d, x: torch.Tensor, part: slice = slice(None)) -> torch.Tensor:
    """Batch norm of some of the features, on channels first."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance, weight, bias = norm.running_mean, norm.running_var, norm.weight, norm.bias
    return functional.batch_norm(x, mean[part], variance[part], weight[part], bias[part])


def naive_kernel_attention(layer: KernelAttention, x: torch.Tensor) -> torch.Tensor:
    """Each dilation as a dilated convolution and a grouped one, then their softmax-weighted sum."""
    _, groups, size, _ = layer.pointwise.shape
    channels, kernels = groups * size, []
    for i in range(DILATIONS):
        part = slice(i * channels, (i + 1) * channels)
        ends = functional.pad(x.transpose(1, 2), (i, i), "replicate")
        taps = layer.depthwise[i].T.unsqueeze(1)
        alone = functional.conv1d(ends, taps, dilation=i + 1, stride=3, groups=channels)
        across = layer.pointwise[i].transpose(1, 2).flatten(0, 1).unsqueeze(-1)
        mixed = functional.conv1d(naive_norm(layer.depthwise_norm, alone, part), across, groups=groups)
        kernels.append(functional.mish(naive_norm(layer.pointwise_norm, mixed, part)))
    summary = torch.stack(kernels).sum(dim=0).mean(dim=-1)
    scores = [score.exp() for score in layer.logits(layer.squeeze(summary)).chunk(DILATIONS, dim=-1)]
    total = torch.stack(scores).sum(dim=0)
    weighted = [each * (score / total).unsqueeze(-1) for each, score in zip(kernels, scores, strict=True)]
    return torch.stack(weighted).sum(dim=0).transpose(1, 2)


def test_the_pose_network_has_as_many_weights_as_the_official_code_s():
    """Its class TemporalModelOptimized1f, for 17 joints, widths 3,3,3,3,3 and 1024 channels, has as many."""
    config = AttentionConfig()
    assert weights_of_the_pose(config) == 14_520_363
    assert config.receptive_field == 243


def test_weights_can_be_counted_by_hand():
    channels, groups, squeeze, levels, skips = 1024, 8, 128, 4, 3
    first = 34 * 3 + 2 * 34 + 34 * channels + 2 * channels
    pointwise = channels**2 + 2 * channels
    kernels = 3 * (3 * channels + 2 * channels + channels**2 // groups + 2 * channels)
    kernels += channels * squeeze + squeeze + 3 * (squeeze * channels + channels)
    frames = sum(243 * n + n + 2 * n for n in (81, 27, 9, 3))
    skip = 3 * channels + 2 * channels + 2 * pointwise
    last = channels * 51 + 51
    by_hand = levels * (first + kernels + pointwise) + frames + skips * skip + last
    assert weights_of_the_pose(AttentionConfig()) == by_hand


@pytest.mark.parametrize(("frames", "batch"), [(3, 1), (9, 2), (27, 3)])
def test_a_kernel_attention_is_dilated_convolutions_weighted(frames, batch):
    torch.manual_seed(0)
    layer, x = uneven(KernelAttention(8, 2, 4)).eval(), torch.randn(batch, frames, 8)
    torch.testing.assert_close(layer(x), naive_kernel_attention(layer, x))


def test_a_separable_convolution_is_two_convolutions():
    torch.manual_seed(0)
    layer, x = uneven(SeparableConv(6, 8, 0.2)).eval(), torch.randn(2, 9, 6)
    alone = functional.conv1d(x.transpose(1, 2), layer.depthwise.T.unsqueeze(1), stride=3, groups=6)
    linear, norm = layer.pointwise
    assert isinstance(norm, nn.BatchNorm1d)
    mixed = functional.conv1d(naive_norm(layer.norm, alone), linear.get_parameter("weight").unsqueeze(-1))
    torch.testing.assert_close(layer(x), functional.mish(naive_norm(norm, mixed)).transpose(1, 2))


def test_the_similarity_of_the_center_frame_to_itself_is_1_and_to_its_opposite_minus_1():
    windows = torch.randn(4, 9, 17, 2)
    windows[:, 0] = 3 - 2 * windows[:, 4]
    windows[:, 1] = 3 + 2 * windows[:, 4]
    similarity = similarity_to_center(windows)
    torch.testing.assert_close(similarity[:, [0, 1, 4]], torch.tensor([-1.0, 1, 1]).expand(4, 3))
    assert (similarity.abs() <= 1 + 1e-6).all()


def test_the_center_frames_of_segments_are_their_middle_frames():
    frames = torch.arange(27.0).reshape(1, 27, 1)
    assert center_frames(frames, 9).flatten().tolist() == [4, 13, 22]
    assert center_frames(frames, 1).equal(frames)


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_dense_equals_window_by_window(layers):
    model = network(AttentionConfig(layers=layers, channels=8, trajectory_channels=4, groups=2, squeeze=4))
    reach = 3**layers
    assert model.receptive_field == reach == sum(model.context) + 1
    keypoints = torch.randn(2, reach + 3, 17, 2)
    lifted, dense = model(keypoints), model(keypoints, dense=True)
    assert lifted.pose.shape == (2, 4, 17, 3)
    torch.testing.assert_close(lifted.joints, dense.joints, atol=1e-5, rtol=0)
    for frame in range(4):
        window = model(keypoints[:, frame : frame + reach])
        torch.testing.assert_close(window.joints[:, 0], lifted.joints[:, frame], atol=1e-5, rtol=0)


@pytest.mark.parametrize("changed", range(12))
def test_an_output_frame_depends_on_its_receptive_field_and_nothing_else(changed):
    model, keypoints = network(), torch.randn(1, 12, 17, 2)
    other = keypoints.clone()
    other[:, changed] += torch.randn(17, 2)
    before, after = model(keypoints).pose, model(other).pose
    differs = [not torch.allclose(before[:, i], after[:, i], atol=1e-7) for i in range(4)]
    assert differs == [i <= changed < i + 9 for i in range(4)]


def test_gradients_reach_every_weight():
    """With as many layers as the official network has, at all of its scales."""
    model = Attention(AttentionConfig(layers=5, channels=8, trajectory_channels=4, groups=2, squeeze=4))
    model(torch.randn(4, 244, 17, 2)).joints.square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        if weight.ndim > 1:  # a bias before a norm makes no difference
            assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("build", "fault"),
    [
        (lambda: AttentionConfig(layers=1), "layers must be at least 2"),
        (lambda: AttentionConfig(channels=12), "multiple of groups, got 12 and 8"),
        (lambda: AttentionConfig(squeeze=0), "must be positive"),
        (lambda: AttentionConfig(dropout=1.0), r"dropout must be in \[0, 1\)"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(build, fault):
    with pytest.raises(ValueError, match=fault):
        build()

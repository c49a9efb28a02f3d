"""The temporal encoder's two evaluations, against each other and against plain convolutions."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from spgnet.models.temporal import (
    BatchNorm,
    ConvBlock,
    Dropout,
    Linear,
    TemporalEncoder,
    dilated_taps,
    strided_taps,
)


def encoder(widths: tuple[int, ...], *, causal: bool = False) -> TemporalEncoder:
    """A small encoder whose batch norms are as uneven as after training."""
    torch.manual_seed(0)
    net = TemporalEncoder(6, 5, filter_widths=widths, channels=16, dropout=0.3, causal=causal)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def naive_conv_block(block: ConvBlock, x: torch.Tensor, width: int, dilation: int) -> torch.Tensor:
    """The block as a Conv1d, on channels first."""
    kernel = block.linear.weight.unflatten(1, (width, -1)).transpose(1, 2)
    norm, filtered = block.norm, functional.conv1d(x, kernel, dilation=dilation)
    return functional.batch_norm(filtered, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()


def naive_encoder(net: TemporalEncoder, x: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """The encoder as stacked dilated Conv1d layers, as VideoPose3D describes it."""
    x = naive_conv_block(net.input_block, x.transpose(1, 2), net.filter_widths[0], 1)
    dilation = net.filter_widths[0]
    for block, width in zip(net.blocks, net.filter_widths[1:], strict=True):
        reach = (width - 1) * dilation
        kept = x[:, :, reach:] if causal else x[:, :, reach // 2 : x.shape[2] - reach // 2]
        x = kept + naive_conv_block(
            block.pointwise, naive_conv_block(block.dilated, x, width, dilation), 1, 1
        )
        dilation *= width
    return net.head(x.transpose(1, 2))


@pytest.mark.parametrize("probability", [0.05, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dropout_drops_its_share_at_random_and_scales_the_others(probability, dtype):
    torch.manual_seed(0)
    dropout, x = Dropout(probability), torch.full((301, 1003), 2.0, dtype=dtype, requires_grad=True)
    dropped = dropout(x)
    assert dropped.dtype == dtype
    assert torch.unique(dropped).tolist() == pytest.approx([0.0, 2 / (1 - probability)], rel=1e-2)
    kept = (dropped != 0).double()
    assert kept.mean().item() == pytest.approx(1 - probability, abs=4e-3)
    spread = (
        probability * (1 - probability)
    ) ** 0.5  # rows and columns that depended on one another spread more
    assert kept.mean(dim=1).std().item() == pytest.approx(spread / 1003**0.5, rel=0.2)
    assert kept.mean(dim=0).std().item() == pytest.approx(spread / 301**0.5, rel=0.2)
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    torch.testing.assert_close(2 * gradient, dropped.detach())


def test_dropout_follows_the_seed_and_is_off_in_evaluation():
    dropout, x = Dropout(0.25), torch.randn(7, 11)
    torch.manual_seed(3)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(3)
    assert torch.equal(dropout(x), first)
    assert not torch.equal(first, second)
    assert torch.equal(dropout.eval()(x), x)
    assert dropout.train()(torch.empty(0, 3)).shape == (0, 3)
    for probability, expected in ((0.0, x), (1e-9, x), (1.0, torch.zeros_like(x))):
        assert torch.equal(Dropout(probability)(x), expected)


def test_dropout_draws_on_the_device_of_its_input():
    x = torch.ones(40, 50)
    with torch.device("meta"):  # the default for what is created without a device
        assert Dropout(0.25)(x).device == x.device


def test_a_compiler_traces_pytorch_s_dropout(monkeypatch):
    """Dynamo cannot trace ``random_``, and would compile the parts of the network around it."""
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    x = torch.ones(40, 50)
    torch.manual_seed(0)
    expected = functional.dropout(x, 0.25)
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.25)(x), expected)


@pytest.mark.parametrize("shape", [(3,), (63,), (64,), (5, 40), (2, 3, 50)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_map_and_its_gradients_are_those_of_pytorch(shape, bias):
    ours, theirs = Linear(6, 5, bias=bias), nn.Linear(6, 5, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(*shape, 6)
    results = []
    for layer in (ours, theirs):
        given = x.clone().requires_grad_()
        mapped = layer(given)
        mapped.square().sum().backward()
        results.append([mapped, given.grad, *(parameter.grad for parameter in layer.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)


def test_in_mixed_precision_a_linear_map_is_pytorch_s():
    layer, x = Linear(6, 5), torch.randn(100, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), functional.linear(x, layer.weight, layer.bias))
        assert layer(x).dtype == torch.bfloat16


@pytest.mark.parametrize("widths", [(1,), (3,), (3, 3), (3, 3, 3), (5, 3), (3, 3, 3, 3), (3, 3, 3, 3, 3)])
@pytest.mark.parametrize("causal", [False, True])
def test_windows_equal_dense(widths, causal):
    net = encoder(widths, causal=causal)
    receptive_field = int(torch.tensor(widths).prod())
    x = torch.randn(2, receptive_field + 4, 6)
    windows, dense = net(x), net(x, dense=True)
    assert windows.shape == (2, 5, 5)
    assert torch.allclose(windows, dense, atol=1e-5)


@pytest.mark.parametrize("widths", [(3, 3, 3), (3, 5), (5, 1, 3)])
@pytest.mark.parametrize("causal", [False, True])
def test_dense_equals_stacked_dilated_convolutions(widths, causal):
    net = encoder(widths, causal=causal)
    x = torch.randn(2, 40, 6)
    assert torch.allclose(net(x, dense=True), naive_encoder(net, x, causal=causal), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "options", "frames"),
    [(9, {}, [3, 1]), (9, {"dense": False}, [3, 1]), (27, {"dense": True}, [25, 19])],
)
def test_a_window_computes_no_frame_in_vain_and_a_sequence_none_twice(given, options, frames):
    net, computed = encoder((3, 3)), []
    for block in (net.input_block, net.blocks[0]):
        block.register_forward_hook(lambda block, inputs, output: computed.append(output.shape[1]))
    net(torch.randn(1, given, 6), **options)
    assert computed == frames


@pytest.mark.parametrize("causal", [False, True])
def test_an_output_frame_depends_on_its_receptive_field_and_nothing_else(causal):
    net = encoder((3, 3), causal=causal)
    x = torch.randn(1, 30, 6, requires_grad=True)
    net(x, dense=True)[0, 10].sum().backward()
    assert x.grad is not None
    touched = x.grad[0].abs().sum(dim=1).nonzero().flatten()
    assert touched.min() == 10
    assert touched.max() == 18


def test_the_residual_is_the_center_tap_or_if_causal_the_last():
    for causal, frame in ((False, 4), (True, 8)):
        net = encoder((3, 3), causal=causal)
        nn.init.zeros_(net.blocks[0].pointwise.norm.weight)
        nn.init.zeros_(net.blocks[0].pointwise.norm.bias)
        x = torch.randn(1, 9, 6)
        taps = x[:, frame - 1 : frame + 2] if not causal else x[:, frame - 2 : frame + 1]
        assert torch.allclose(net(x), net.head(net.input_block(taps.flatten(1).unsqueeze(1))), atol=1e-6)


def test_gradients_of_the_two_evaluations_agree():
    net = encoder((3, 3))
    x = torch.randn(2, 12, 6)
    gradients = []
    for dense in (False, True):
        net.zero_grad()
        net(x, dense=dense).square().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for windows, dense in zip(*gradients, strict=True):
        assert torch.allclose(windows, dense, rtol=1e-4, atol=1e-4)


def test_taps_are_the_frames_that_a_filter_is_applied_to():
    frames = torch.arange(9.0).reshape(1, 9, 1)
    assert strided_taps(frames, 3)[0, 1, :, 0].tolist() == [3, 4, 5]
    assert dilated_taps(frames, 3, 2)[0, 1, :, 0].tolist() == [1, 3, 5]
    assert dilated_taps(frames, 3, 2).shape == (1, 5, 3, 1)


def test_batch_norm_of_nodes_is_batch_norm_over_all_of_them():
    norm, x = BatchNorm(4), torch.randn(3, 5, 4) * 3 + 1
    flat = norm(x).flatten(0, 1)
    torch.testing.assert_close(flat.mean(dim=0), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(flat.std(dim=0, correction=0), torch.ones(4), atol=1e-4, rtol=0)

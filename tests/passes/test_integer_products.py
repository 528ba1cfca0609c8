"""Products on integers: the same sums, and a reason where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.ir import array_of, int_attr, ints_attr
from flowc.passes.integer_products import IntegerProducts
from flowc.passes.remedies import RUN_TIME, WHOLE_ZERO
from flowc.passes.sink_dequantizers import SinkDequantizers
from tests.netbuild import Net
from tests.passes.graphs import only, operators, same_before_and_after
from tests.regressions.exact import assert_exact, grid

F = np.float32


def check(net: Net, y: str) -> Any:
    step = IntegerProducts()
    model = same_before_and_after(net.model(net.quant(y, 0.41371, bits=8)), step)
    assert step.changed, step.notes
    return model


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.tuples(*[st.integers(0, 2)] * 4), st.integers(1, 2), st.booleans(),
    st.sampled_from([0.0, 3.0, -2.0]), st.booleans(),
)  # fmt: skip
def test_convolutions(
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, ...],
    group: int,
    bias: bool,
    zero: float,
    per_channel: bool,
) -> None:
    """Padding adds the zero point's integer, which stands for 0.0."""
    net = Net([1, 4, 7, 6])
    x = net.quant(net.x, 0.3, zero)
    attributes = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": pads}
    check(net, net.conv(x, 4, 6, kernel, group=group, bias=bias, per_channel=per_channel, **attributes))


def test_depthwise_with_a_scale_per_channel() -> None:
    net = Net([1, 4, 5, 5])
    scale = net.rng.uniform(0.2, 0.5, (1, 4, 1, 1)).astype(F)
    model = check(net, net.conv(net.quant(net.x, scale), 4, 8, group=4, pads=[1] * 4))
    scales = array_of(only(model, "IntConv").outputs[0].uses()[0].node.inputs[1])
    assert scales is not None
    assert scales.shape == (1, 8, 1, 1)
    assert scales.dtype == np.float64


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("stride", "pads", "extra"), [(1, 0, 0), (2, 1, 1), (3, 0, 0), (2, 0, 1)])
@pytest.mark.parametrize("zero", [0.0, 2.0])
def test_transposed_convolutions(dims: int, stride: int, pads: int, extra: int, zero: float) -> None:
    net = Net([1, 3, *[5] * dims])
    x = net.quant(net.x, 0.3, zero)
    w = net.weight([3, 4, *[3] * dims], 4)
    attributes = {"strides": [stride] * dims, "pads": [pads] * (2 * dims), "output_padding": [extra] * dims}
    model = check(net, net.op("ConvTranspose", x, w, kernel_shape=[3] * dims, **attributes))
    assert ("PixelPad" in operators(model)) == (stride > 1)
    assert ints_attr(only(model, "IntConv"), "strides") == (1,) * dims


@pytest.mark.parametrize("group", [2, 4])
@pytest.mark.parametrize("per_channel", [False, True])
def test_grouped_transposed_convolutions(group: int, per_channel: bool) -> None:
    net = Net([1, 4, 5, 5])
    w = net.weight([4, 8 // group, 3, 3], 4, per_channel=per_channel, axis=1)
    model = check(
        net, net.op("ConvTranspose", net.quant(net.x, 0.3, 1.0), w, strides=[2, 2], pads=[1] * 4, group=group)
    )
    assert int_attr(only(model, "IntConv"), "group", 1) == group


def test_transposed_convolution_with_dilation_and_scales_per_output() -> None:
    net = Net([1, 3, 5, 5])
    w = net.weight([3, 4, 2, 2], 4, per_channel=True, axis=1)
    check(net, net.op("ConvTranspose", net.quant(net.x, 0.3), w, dilations=[2, 2], strides=[2, 2]))


@pytest.mark.parametrize("form", ["Gemm", "MatMul", "plain"])
@pytest.mark.parametrize("bias", [False, True])
def test_linear_layers(form: str, bias: bool) -> None:
    net = Net([1, 12])
    check(net, net.linear(net.quant(net.x, 0.3, 1.0), 12, 5, form=form, bias=bias, per_channel=True))


def test_products_over_the_last_axis_of_a_sequence() -> None:
    net = Net([1, 6, 8])
    check(net, net.linear(net.quant(net.x, 0.3), 8, 5, form="plain"))


def test_bipolar_and_wide_weights() -> None:
    net = Net([1, 12])
    x = net.bipolar(net.x, 0.7)
    check(net, net.linear(x, 12, 5, bits=1))
    net = Net([1, 12])
    check(net, net.linear(net.quant(net.x, 0.01, bits=8), 12, 5, bits=8))


def test_weights_with_a_zero_point() -> None:
    net = Net([1, 12])
    w = net.quant(net.const(net.rng.normal(0, 1, (12, 5))), 0.3, 3.0, signed=False)
    check(net, net.op("MatMul", net.quant(net.x, 0.3, 2.0), w))


def test_scales_of_inputs_that_are_multiples_of_one_unit() -> None:
    """Channels at 0.25 and 0.5: the factor goes into the weights, the sum stays exact."""
    net = Net([1, 4, 5, 5])
    scale = np.array([0.25, 0.5, 0.25, 0.75], F).reshape(1, 4, 1, 1)
    model = check(net, net.conv(net.quant(net.x, scale), 4, 3))
    weights = array_of(only(model, "IntConv").inputs[1])
    assert weights is not None
    assert not (weights[:, 1] % 2).any()
    assert not (weights[:, 3] % 3).any()


def test_two_level_ternary_weights_become_two_products() -> None:
    net = Net([1, 12])
    w = net.rng.choice([-0.37, 0.0, 0.81], (12, 5)).astype(F)
    model = check(net, net.op("MatMul", net.quant(net.x, 0.3), net.const(w)))
    assert operators(model).count("IntMatMul") == 2


@pytest.mark.parametrize("shape", [[1, 12], [1, 3, 12]], ids=str)
@pytest.mark.parametrize("levels", [(-0.37, 0.81), (-0.15, 0.1), (-0.2, 0.1), (-0.3, 0.3)], ids=str)
def test_two_level_ternary_weights_are_exact(levels: tuple[float, float], shape: list[int]) -> None:
    """Whatever the ratio of the levels, per tensor or per output (one without the positive level)."""
    net = Net(shape)
    w = net.rng.choice([levels[0], 0.0, levels[1]], (12, 5)).astype(F)
    y = net.quant(net.relu(net.op("MatMul", net.quant(net.x, 0.3, bits=6), net.const(w))), 0.4, bits=5)
    v = net.rng.choice([levels[0], 0.0, levels[1]], (5, 4)).astype(F) * net.rng.uniform(0.5, 2, 4).astype(F)
    v[:, 0] = np.minimum(v[:, 0], 0)
    y = net.quant(net.op("MatMul", y, net.const(v)), 0.4, bits=6)
    assert_exact(net.model(net.op("MatMul", y, net.weight([4, 3]))), grid((8, *shape[1:]), 0.3, lo=-32, hi=31))


def test_float_weights_on_a_grid_are_recovered() -> None:
    net = Net([1, 12])
    w = (net.rng.integers(-7, 8, (12, 5)) * F(0.123)).astype(F)
    model = check(net, net.op("MatMul", net.quant(net.x, 0.3), net.const(w)))
    weights = array_of(only(model, "IntMatMul").inputs[1])
    assert weights is not None
    np.testing.assert_array_equal(weights, np.rint(w / F(0.123)))


def test_what_goes_on_in_front_is_part_of_scale_and_zero_point() -> None:
    net = Net([1, 12])
    x = net.op("Sub", net.op("Mul", net.quant(net.x, 0.5, bits=8), net.const(F(2))), net.const(F(1)))
    check(net, net.linear(x, 12, 5, form="plain"))


def refused(net: Net, y: str) -> list[str]:
    step = IntegerProducts()
    same_before_and_after(net.model(net.quant(y, 0.4)), step)
    return [n.text for n in step.notes]


def test_declines_with_a_reason() -> None:
    net = Net([1, 9, 5, 5])
    scale = np.array([0.213, 0.37, 0.51, 0.777, 0.811, 0.413, 0.177, 0.919, 0.383], F).reshape(1, 9, 1, 1)
    (text,) = refused(net, net.conv(net.quant(net.x, scale), 9, 3))
    assert "a dense product adds channels of unrelated scales" in text
    assert "; up to 8 scales become a product each, and here are more, in 9 channels" in text
    net = Net([1, 4])
    assert refused(net, net.op("MatMul", net.relu(net.x), net.weight([4, 3]))) == ["its input is not quantized"]
    net = Net([1, 4])
    w = net.const(net.rng.normal(0, 1, (4, 3)))
    (text,) = refused(net, net.op("MatMul", net.quant(net.x), w))
    assert text.startswith("the weights are float: they have no quantizer")
    net = Net([1, 4, 4])
    x = net.quant(net.x)
    assert refused(net, net.op("MatMul", x, net.relu(x))) == [RUN_TIME]
    net = Net([1, 4, 5, 5])
    (text,) = refused(net, net.conv(net.quant(net.x, 0.3, 0.5), 4, 3, pads=[1] * 4))
    assert text == f"its padding is no integer of the padded tensor (zero point not one integer); {WHOLE_ZERO}"


def test_reads_weights_behind_movement() -> None:
    net = Net([1, 6])
    w = net.op("Reshape", net.weight([2, 15], 4), net.const(np.array([6, 5])))
    step = IntegerProducts()
    same_before_and_after(net.model(net.op("MatMul", net.quant(net.x), w)), SinkDequantizers(), step)
    assert step.changed

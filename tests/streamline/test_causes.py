"""Refusals and advice name the cause, not the layer where it shows, and say what to do in the exporter's words."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.errors import FlowcError, UnsupportedError
from flowc.streamline.compile import compile_model
from tests.netbuild import Net


def quantized(shape: list[int]) -> tuple[Net, str]:
    net = Net(shape)
    return net, net.quant(net.x, 0.1, bits=8)


def advice(net: Net, y: str) -> str:
    return "\n".join(compile_model(net.model(y)).advice)


def test_a_relu_without_a_quantizer() -> None:
    net, x = quantized([1, 3, 6, 6])
    relu = net.relu(net.conv(x, 3, 4))
    text = advice(net, net.quant(net.conv(relu, 4, 3), 0.3))
    assert f"'n_{relu}' (Relu): its result goes into a layer without a quantizer" in text
    assert f"Brevitas: a QuantReLU in place of the ReLU 'n_{relu}'" in text
    assert "a QuantizeLinear and DequantizeLinear pair" in text
    assert "float weights" not in text


def test_a_residual_sum_without_a_quantizer() -> None:
    net, x = quantized([1, 3, 6, 6])
    branches = [net.quant(net.conv(x, 3, 4), scale) for scale in (0.2, 0.3317)]
    total = net.add(*branches)
    text = advice(net, net.quant(net.conv(total, 4, 3), 0.3))
    assert f"a QuantIdentity behind 'n_{total}', or one shared by both of its branches" in text


def test_an_average_pool_without_a_quantizer() -> None:
    net, x = quantized([1, 3, 6, 6])
    pool = net.avgpool(net.op("Tanh", net.conv(x, 3, 4)), 2)
    text = advice(net, net.quant(net.conv(pool, 4, 3, 1), 0.3))
    assert f"Brevitas: TruncAvgPool2d, or a QuantIdentity behind 'n_{pool}'" in text


def test_an_operator_between_quantized_layers() -> None:
    net, x = quantized([1, 8])
    softmax = net.op("Softmax", net.linear(x, 8, 6), axis=-1)
    y = net.linear(net.quant(softmax, 0.01, bits=8, signed=False), 6, 4)
    with pytest.raises(FlowcError) as caught:
        compile_model(net.model(y))
    assert str(caught.value).startswith(f"1 unsupported node: 'n_{softmax}' (Softmax): Softmax has no hardware unit")
    assert "behind the last quantized layer, where the host runs it" in str(caught.value)


@pytest.mark.parametrize(("scale", "how", "said"), [
    (1.5, "half_pixel", "linear resizing is possible by whole factors"), (2.0, "align_corners", "align_corners=False"),
])  # fmt: skip
def test_a_resize_that_has_no_integer_form(scale: float, how: str, said: str) -> None:
    net, x = quantized([1, 3, 4, 4])
    scales = net.const(np.array([1, 1, scale, scale], np.float32))
    resized = net.op("Resize", x, "", scales, mode="linear", coordinate_transformation_mode=how)
    with pytest.raises(FlowcError, match=said) as caught:
        compile_model(net.model(net.conv(resized, 3, 2)))
    assert f"'n_{resized}' (Resize)" in str(caught.value)


def test_names_are_the_models() -> None:
    net, x = quantized([1, 3, 6, 6, 6])
    with pytest.raises(FlowcError, match=r"\(Conv\): 3-dimensional"):
        compile_model(net.model(net.quant(net.conv(x, 3, 4, (3, 3, 3)), 0.3)))


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_a_join_too_wide_is_the_cause_where_there_is_no_layer(op: str) -> None:
    """Two inputs of 16 bits, each with its own scale: what is refused is the quantizer behind them, in no time."""
    net = Net([1, 4, 3, 3])
    net.input("b", [1, 4, 3, 3])
    y = net.op(op, net.quant(net.x, 0.0001237, bits=16), net.quant("b", 0.000217, bits=16))
    with pytest.raises(UnsupportedError) as caught:
        compile_model(net.model(net.quant(y, 0.0003, bits=16)))
    text = str(caught.value)
    assert (
        "'n_Quant_13' (Quantize): its result passes through 65,536 levels while its inputs 'Quant_8' (-32,768 to 32,767) and"
        in text
    )
    assert text.endswith("or share one quantizer on both branches.")

"""Nodes whose inputs are too many, of the wrong length, or lead to no number: each is named."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.errors import ModelError, UnsupportedError
from flowc.streamline.compile import compile_model
from tests.netbuild import Net

F = np.float32


def refusal(net: Net, y: str) -> str:
    with pytest.raises((ModelError, UnsupportedError)) as caught:
        compile_model(net.model(y))
    return str(caught.value)


def image() -> tuple[Net, str]:
    net = Net([1, 4, 5, 5])
    return net, net.conv(net.quant(net.x, 0.3), 4, 6)


@pytest.mark.parametrize(
    ("op", "count", "wanted"), [("Relu", 2, "1"), ("HardSigmoid", 2, "1"), ("Clip", 4, "1 to 3"), ("Add", 3, "2")]
)
def test_too_many_inputs(op: str, count: int, wanted: str) -> None:
    net, y = image()
    y = net.op(op, y, *(net.const(F(0.1)) for _ in range(count - 1)))
    text = refusal(net, net.conv(net.quant(y, 0.3), 6, 2, 1))
    assert f"it has {count} inputs, and the operator takes {wanted}" in text


def test_too_few_inputs() -> None:
    net, y = image()
    assert "(BatchNormalization): it has 4 inputs" in refusal(
        net, net.quant(net.op("BatchNormalization", y, *(net.const(np.ones(6)) for _ in range(3))), 0.3)
    )


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_bias_of_the_wrong_length(op: str) -> None:
    net = Net([1, 4, 5, 5])
    y = net.op(op, net.quant(net.x, 0.3), net.weight([4, 4, 3, 3]), net.const(np.ones(7)), kernel_shape=[3, 3])
    assert "has shape [7]; one value for each of 4 channels is needed" in refusal(net, net.quant(y, 0.3))


@pytest.mark.parametrize(
    ("op", "shape", "group"), [("Conv", (6, 1, 3, 3), 4), ("Conv", (8, 2, 3, 3), 4), ("ConvTranspose", (4, 2, 3, 3), 3)]
)
def test_groups_that_do_not_fit(op: str, shape: tuple[int, ...], group: int) -> None:
    net = Net([1, 4, 5, 5])
    y = net.op(op, net.quant(net.x, 0.3), net.weight(shape), kernel_shape=[3, 3], group=group)
    text = refusal(net, net.quant(y, 0.3))
    assert f"in {group} groups do not fit its input of 4 channels" in text or "contradict each other" in text


def test_kernel_of_another_rank() -> None:
    net = Net([1, 4, 5, 5])
    y = net.op("Conv", net.quant(net.x, 0.3), net.weight([36]))
    assert "contradict each other" in refusal(net, net.quant(y, 0.3))


def test_parameters_of_another_type() -> None:
    net, y = image()
    ones = [net.const(np.ones(6), "p", np.float32) for _ in range(3)]
    text = refusal(net, net.quant(net.op("BatchNormalization", y, net.const(np.ones(6), "g", np.bool_), *ones), 0.3))
    assert "is of type bool" in text


def test_reshape_to_another_number_of_elements() -> None:
    net = Net([1, 4, 5, 5])
    y = net.reshape(net.quant(net.x, 0.3), [1, 4, 5, 4])
    assert "it reshapes [1, 4, 5, 5] to [1, 4, 5, 4]" in refusal(net, net.quant(net.conv(y, 4, 2, 1), 0.3))


def test_reshape_that_takes_tokens_for_a_batch() -> None:
    """What flowc would ask for, with one sample in the first axis, has fewer elements: said before onnxruntime runs it."""
    net = Net([1, 4, 3])
    y = net.op("Squeeze", net.quant(net.x, 0.3), net.const(np.array([0]), "axes", np.int64))
    y = net.quant(net.op("MatMul", y, net.weight([3, 2])), 0.3)
    y = net.op("Unsqueeze", y, net.const(np.array([2]), "axes", np.int64))
    assert "it reshapes [4, 2] to [1, 2, 1]" in refusal(net, net.quant(net.op("Relu", y), 0.3))


@pytest.mark.parametrize(("op", "stated"), [("Conv", [1, 1]), ("Conv", [5, 5]), ("ConvTranspose", [2, 2])])
def test_kernel_that_is_not_that_of_the_weights(op: str, stated: list[int]) -> None:
    """Shapes are inferred from what is stated, and computed with what is there."""
    net = Net([1, 4, 6, 6])
    y = net.op(op, net.quant(net.x, 0.3), net.weight([4, 4, 3, 3]), kernel_shape=stated)
    assert f"its kernel_shape {stated} is not that of its weights" in refusal(net, net.quant(y, 0.3))


@pytest.mark.parametrize("bias", [[2, 3], [4], [1, 1, 3]])
def test_bias_of_a_gemm_that_is_not_broadcast_to_its_product(bias: list[int]) -> None:
    net = Net([1, 4])
    y = net.op("Gemm", net.quant(net.x, 0.3), net.weight([3, 4]), net.const(np.ones(bias)), transB=1)
    text = refusal(net, net.quant(y, 0.3))
    assert f"[1, 4] and [4, 3] and a bias of shape {bias} do not fit each other" in text


@pytest.mark.parametrize("bias", [[], [3], [1], [1, 3], [1, 1]])
def test_bias_of_a_gemm_that_is(bias: list[int]) -> None:
    net = Net([1, 4])
    y = net.op("Gemm", net.quant(net.x, 0.3), net.weight([3, 4]), net.const(np.ones(bias)), transB=1)
    compile_model(net.model(net.quant(y, 0.3)))


def test_batch_norm_of_the_wrong_length() -> None:
    net, y = image()
    y = net.op("BatchNormalization", y, *(net.const(np.ones(n, F)) for n in (6, 6, 5, 6)))
    text = refusal(net, net.quant(y, 0.3))
    assert "contradict each other" in text
    assert "BatchNormalization" in text


def test_results_that_are_no_numbers() -> None:
    """The square root of what may be negative."""
    net, y = image()
    text = refusal(net, net.conv(net.quant(net.op("Sqrt", y), 0.3), 6, 2, 1))
    assert "it is not a number (NaN) for integers that can occur" in text


def test_no_number_between_a_quantizer_and_a_layer() -> None:
    net = Net([1, 4, 5, 5])
    y = net.conv(net.op("Sqrt", net.quant(net.x, 0.3)), 4, 3)
    text = refusal(net, net.quant(y, 0.3))
    assert "'n_Sqrt_5' (Sqrt): it is not a number (NaN) for integers that can occur; keep what goes into it" in text
    assert "without a quantizer" not in text


def test_no_quantizer_between_numbers_and_a_layer() -> None:
    """The same where the quantizer is unsigned: every value is a number, and what is missing is a quantizer."""
    net = Net([1, 4, 5, 5])
    y = net.conv(net.op("Sqrt", net.quant(net.x, 0.3, signed=False)), 4, 3)
    text = refusal(net, net.quant(y, 0.3))
    assert "'n_Sqrt_5' (Sqrt): its result goes into a layer without a quantizer; put a quantizer behind it" in text


def test_no_number_in_front_of_an_argmax() -> None:
    """It stays on the host, where the runtime decides."""
    net = Net([1, 6])
    y = net.op("ArgMax", net.op("Log", net.linear(net.quant(net.x, 0.3), 6, 4)), axis=1)
    compiled = compile_model(net.model(y))
    assert any("NaN" in n.text for n in compiled.notes)


def test_a_scale_per_channel_where_one_is_needed() -> None:
    net = Net([1, 4])
    scale, zero = net.const(F(0.1)), net.const(np.array(0, np.uint8), "zero", np.uint8)
    q = net.op("QuantizeLinear", net.x, scale, zero)
    w = net.const(np.ones((4, 3)), "w", np.uint8)
    y = net.op("QGemm", q, scale, zero, w, scale, zero, "", net.const(np.full(2, 0.1, F)), zero, domain="com.microsoft")
    text = refusal(net, net.op("DequantizeLinear", y, scale, zero))
    assert "the scale at input 7 has 2 values instead of one" in text

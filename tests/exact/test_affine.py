"""The scaled-integer form: close to what the float operations give, by what it says of their roundings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flowc.exact.affine import Affine, trace_affine
from flowc.importer import load_model
from flowc.model.ir import array_of
from tests.netbuild import Net
from tests.oracle import Array, run_onnxruntime

F = np.float32
CHANNELS = 3


def constant(net: Net, low: float, high: float) -> str:
    return net.const(net.rng.uniform(low, high, (1, CHANNELS, 1, 1)))


CHAINS: dict[str, Callable[[Net, str], str]] = {
    "alone": lambda net, x: x,
    "scaled": lambda net, x: net.op("Div", net.op("Mul", x, constant(net, 0.5, 2)), constant(net, -2, -0.5)),
    "shifted": lambda net, x: net.op("Sub", net.add(x, constant(net, -3, 3)), constant(net, -3, 3)),
    "turned": lambda net, x: net.op("Sub", constant(net, -3, 3), net.op("Neg", net.op("Sub", constant(net, 1, 2), x))),
    "normalized": lambda net, x: net.bn(x, CHANNELS),
    "cancelling": lambda net, x: net.op("Sub", net.add(x, net.const(F(1000.3))), net.const(F(1000.1))),
    "preprocessing": lambda net, x: net.op("Div", net.op("Sub", net.op("Div", x, net.const(F(255))), constant(net, 0.4, 0.5)),
                                           constant(net, 0.2, 0.3)),
}  # fmt: skip


def traced(net: Net, y: str) -> Affine | None:
    model = load_model(net.model(y))
    return trace_affine(model.graph.outputs[0])


def floats(chain: Callable[[Net, str], str], q: Array, scale: float, zero: float) -> Array:
    x = ((q.astype(F) - F(zero)) * F(scale)).astype(F)
    net = Net([1, CHANNELS, 1, len(q)])
    model = net.model(net.op("Identity", chain(net, net.x)))
    return run_onnxruntime(model, {"x": np.broadcast_to(x, (1, CHANNELS, 1, len(q))).copy()})[
        model.graph.output[0].name
    ][0, :, 0]


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize(("scale", "zero"), [(0.3, 0.0), (0.5, 3.0)])
def test_form_and_roundings(name: str, scale: float, zero: float) -> None:
    net = Net([1, CHANNELS, 1, 2])
    form = traced(net, CHAINS[name](net, net.quant(net.x, scale, zero, 8)))
    assert form is not None
    q = np.arange(-128, 128)
    found = floats(CHAINS[name], q, scale, zero).astype(np.float64)
    s, z = (np.broadcast_to(a, (1, CHANNELS, 1, 1)).reshape(-1, 1) for a in (form.scale, form.zero))
    error = np.abs(found - s * (q - z))
    bound = form.roundings * 2.0**-24 * (np.abs(q - z) + form.offset) * np.abs(s)
    assert (error <= bound * (1 + 1e-6)).all()
    if name == "alone":
        assert form.roundings == (1 if scale == 0.3 else 0)
        assert form.zero_int == zero
        assert form.uniform
    if name == "cancelling":
        assert form.offset > 1000


def test_nothing_to_trace() -> None:
    for build in (
        lambda net: net.relu(net.quant(net.x)),
        lambda net: net.add(net.x, net.const(F(1))),
        lambda net: net.op("Mul", net.quant(net.x), net.const(F(0))),
        lambda net: net.op("Div", net.const(F(1)), net.quant(net.x)),
        lambda net: net.add(net.quant(net.x), net.relu(net.quant(net.x))),
    ):
        net = Net([1, CHANNELS, 1, 2])
        graph = load_model(net.model(net.op("MatMul", build(net), net.weight([2, 2])))).graph
        product = next(n for n in graph if n.op_type == "MatMul")
        assert trace_affine(product.inputs[0]) is None
    assert trace_affine(None) is None


def test_constants_are_traced_too() -> None:
    net = Net([1, 4])
    graph = load_model(net.model(net.op("MatMul", net.quant(net.x), net.weight([4, 3])))).graph
    form = trace_affine(next(n for n in graph if n.op_type == "MatMul").inputs[1])
    assert form is not None
    assert array_of(form.q) is not None
    assert form.zero_int == 0

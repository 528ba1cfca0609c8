"""The certificate of joins against other conforming runtimes: whatever they decide otherwise lies in a window.

The other runtime is the model written differently: the same float32 operations on the same terms, added in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from flowc.design.verify import Verification, compare
from flowc.streamline.compile import compile_model
from tests.compare import design_of
from tests.netbuild import Net

F = np.float32
Rewrite = Callable[[onnx.ModelProto, np.random.Generator], onnx.ModelProto]


def reordered_pools(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto:
    """Average pools as sums of ones times the taps, divided behind: another order of additions."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    nodes = []
    for node in other.graph.node:
        if node.op_type != "AveragePool":
            nodes.append(node)
            continue
        kernel = helper.get_node_attr_value(node, "kernel_shape")
        channels = 3
        other.graph.initializer.append(numpy_helper.from_array(np.ones((channels, 1, *kernel), F), f"{node.name}/ones"))
        other.graph.initializer.append(numpy_helper.from_array(F(np.prod(kernel)), f"{node.name}/taps"))
        kept = {
            a.name: helper.get_attribute_value(a)
            for a in node.attribute
            if a.name in ("kernel_shape", "strides", "pads")
        }
        total = f"{node.name}/total"
        nodes.append(helper.make_node("Conv", [node.input[0], f"{node.name}/ones"], [total], group=channels, **kept))
        nodes.append(helper.make_node("Div", [total, f"{node.name}/taps"], [node.output[0]]))
    del other.graph.node[:]
    other.graph.node.extend(nodes)
    return other


def shuffled_products(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto:
    """Products with a constant matrix, with their terms in another order."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    constants = {i.name: i for i in other.graph.initializer}
    nodes = []
    for node in other.graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants:
            w = numpy_helper.to_array(constants[node.input[1]])
            order = rng.permutation(len(w))
            name = f"{node.output[0]}/shuffled"
            other.graph.initializer.append(numpy_helper.from_array(w[order], f"{name}/w"))
            other.graph.initializer.append(numpy_helper.from_array(order.astype(np.int64), f"{name}/order"))
            nodes.append(helper.make_node("Gather", [node.input[0], f"{name}/order"], [name], axis=-1))
            node.input[0], node.input[1] = name, f"{name}/w"
        nodes.append(node)
    del other.graph.node[:]
    other.graph.node.extend(nodes)
    return other


def checked(net: Net, y: str, rewrite: Rewrite, x: np.ndarray) -> Verification:  # type: ignore[type-arg]
    """The design of a model verified by its rewritten form."""
    model = net.model(y)
    design = design_of(compile_model(model))
    other = design_of(compile_model(rewrite(model, np.random.default_rng(0))))
    found = compare(replace(design, reference=other.reference), {model.graph.input[0].name: x.astype(F)})
    assert found.mismatches == found.explained
    return found


@pytest.mark.parametrize(("scale", "out", "bits"), [(0.1, 0.05, 6), (0.2, 0.2 / 9, 8)])
def test_sums_of_an_average_that_no_quantizer_follows(scale: float, out: float, bits: int) -> None:
    """avg(x) + conv(x) at scales where many sums lie half-way between two levels."""
    differ = 0
    for seed in range(4):
        net = Net([1, 3, 6, 6], seed=seed)
        x = net.quant(net.x, 0.1, bits=3)
        y = net.quant(net.conv(x, 3, 3, 3, pads=[1] * 4), scale, bits=3)
        y = net.quant(net.relu(net.add(net.avgpool(x, 3, 1, pads=[1] * 4, count_include_pad=1), y)), out, bits=bits)
        samples = np.random.default_rng(seed).integers(-4, 4, (4, 3, 6, 6)) * 0.1
        differ += checked(net, net.conv(y, 3, 2, 1), reordered_pools, samples).mismatches
    assert differ > 0


@pytest.mark.parametrize("levels", [(0.1, -0.15), (0.37, -0.81)], ids=str)
def test_two_level_ternary_weights(levels: tuple[float, float]) -> None:
    differ = 0
    for seed in range(6):
        net = Net([1, 24], seed=seed)
        w = net.rng.choice([levels[0], 0.0, levels[1]], (24, 6)).astype(F)
        y = net.quant(
            net.relu(net.op("MatMul", net.quant(net.x, 0.25, bits=6), net.const(w))), 0.025, bits=8, signed=False
        )
        samples = np.random.default_rng(seed).integers(-32, 32, (40, 24)) * 0.25
        differ += checked(net, net.linear(y, 6, 2), shuffled_products, samples).mismatches
    assert differ > 0


def test_products_that_are_not_monotone_are_walked_through() -> None:
    """avg(x) * y: every pair is looked at."""
    differ = 0
    for seed in range(4):
        net = Net([1, 3, 6, 6], seed=seed)
        x = net.quant(net.x, 0.1, bits=3)
        y = net.quant(net.conv(x, 3, 3, 1), 0.1, bits=3)
        y = net.quant(net.op("Mul", net.avgpool(x, 3, 1, pads=[1] * 4, count_include_pad=1), y), 0.02 / 9, bits=8)
        samples = np.random.default_rng(seed).integers(-4, 4, (4, 3, 6, 6)) * 0.1
        differ += checked(net, net.conv(y, 3, 2, 1), reordered_pools, samples).mismatches
    assert differ > 0


def test_power_of_two_averages_leave_nothing_open() -> None:
    """Sums on a grid of powers of two are exact in any order: a mismatch there would be no matter of rounding."""
    net = Net([1, 3, 4, 4])
    x = net.quant(net.x, 0.25, bits=3)
    y = net.add(net.avgpool(x, 2, 1), net.quant(net.conv(x, 3, 3, 2), 0.25, bits=3))
    y = net.quant(y, 0.25, bits=5)
    compiled = compile_model(net.model(net.conv(y, 3, 2, 1)))
    (join,) = [t for t in compiled.certificate.tensors if t.tensor == f"{y}/q"]
    assert join.ambiguous == 0
    assert join.windows is None
    assert (join.exact, join.proven, join.proven_unfused, join.inside) == (0, join.thresholds, 0, 0)


def test_exact_operands_leave_nothing_open() -> None:
    net = Net([1, 4, 5, 5])
    x = net.quant(net.x, 0.3)
    y = net.quant(net.add(net.quant(net.conv(x, 4, 4, 1), 0.17), x), 0.21)
    compiled = compile_model(net.model(net.conv(y, 4, 2, 1)))
    (join,) = [t for t in compiled.certificate.tensors if t.tensor == f"{y}/q"]
    assert join.ambiguous == 0
    assert join.proven == join.thresholds > 0
    assert (join.exact, join.proven_unfused, join.inside, join.windows) == (0, 0, 0, None)
    assert join.values > join.thresholds


def test_counts_of_a_join_add_up() -> None:
    """Every threshold is proven or ambiguous; what lies in a window is part of all sums that the join computes."""
    net = Net([1, 3, 6, 6], seed=0)
    x = net.quant(net.x, 0.1, bits=3)
    y = net.quant(net.conv(x, 3, 3, 3, pads=[1] * 4), 0.2, bits=3)
    y = net.quant(net.add(net.avgpool(x, 3, 1, pads=[1] * 4, count_include_pad=1), y), 0.2 / 9, bits=8)
    compiled = compile_model(net.model(net.conv(y, 3, 2, 1)))
    (join,) = [t for t in compiled.certificate.tensors if t.tensor == f"{y}/q"]
    assert join.windows is not None
    assert 0 < join.ambiguous <= join.thresholds
    assert join.proven == join.thresholds - join.ambiguous
    assert (join.exact, join.proven_unfused) == (0, 0)
    low, high = join.windows
    assert join.inside == sum(
        len({q for a, b in zip(*row, strict=True) for q in range(a, b)})
        for row in zip(low.tolist(), high.tolist(), strict=True)
    )
    assert 0 < join.inside < join.values


def test_windows_are_seen_through_a_pool() -> None:
    """The quantizer goes in front of the maximum: what differs behind it is explained by the accumulators before it."""
    differ = 0
    for seed in range(6):
        net = Net([1, 3, 6, 6], seed=seed)
        x = net.quant(net.x, 0.1, bits=6)
        y = net.maxpool(net.relu(net.avgpool(x, 3, 1, pads=[1] * 4, count_include_pad=1)))
        y = net.quant(y, 0.2 / 9, bits=8)
        samples = np.random.default_rng(seed).integers(-32, 32, (4, 3, 6, 6)) * 0.1
        differ += checked(net, net.conv(y, 3, 2, 1), reordered_pools, samples).mismatches
    assert differ > 0

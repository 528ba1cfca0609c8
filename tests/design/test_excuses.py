"""What verification excuses, and what it does not: a fault just inside and just outside of every excuse; faults in every stored array."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import flowc
from flowc.design.comparison import Comparison
from flowc.design.design import Design
from flowc.design.verify import compare
from flowc.errors import FlowcError, MismatchError, ModelError
from flowc.exact.sums import FloatSum
from flowc.streamline.compile import compile_model
from flowc.units import Mvtu, Requant, Thresholds
from tests.compare import design_of
from tests.netbuild import Net

Array = np.ndarray[Any, Any]


def designed(model: onnx.ModelProto) -> Design:
    return design_of(compile_model(model))


def normal(design: Design, samples: int, seed: int = 0, spread: float = 1.2) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {n: rng.normal(0, spread, (samples, *s.shape)).astype(np.float32) for n, s in design.inputs.items()}


def last_layer(inputs: int, bits: int, tail: str = "", **attributes: Any) -> onnx.ModelProto:
    net = Net([1, inputs], seed=2)
    y = net.linear(net.quant(net.x, 0.0123, bits=bits, signed=False), inputs, 6, bits=bits)
    return net.model(net.op(tail, y, **attributes) if tail else y)


# float sums


def entry(error: float, scale: float = 0.5, zero: float = 2.0) -> FloatSum:
    return FloatSum("q", "y", np.array([scale]), np.array([zero]), np.array([error]))


@pytest.mark.parametrize(
    ("error", "off", "fine"),
    [(0.0, 0.49, True), (0.0, 0.51, False), (0.49, 0.51, False), (0.5, 0.5, True), (3.0, 3.0, True), (3.0, 3.25, False), (3.0, -3.25, False)],
)  # fmt: skip
def test_sums_are_integers_where_the_bound_allows_and_within_it_elsewhere(error: float, off: float, fine: bool) -> None:
    found = Comparison("y")
    integers = np.array([[10, -7, 0]])
    floats = ((integers - 2.0) * 0.5).astype(np.float32)
    found.sums(integers, floats, entry(error))
    assert found.mismatches == 0
    floats[0, 1] += np.float32(off * 0.5)
    found.sums(integers, floats, entry(error))
    assert found.mismatches == (not fine)
    assert found.explained == 0
    assert (found.exactly, found.within) == ((6, 0) if error < 0.5 else (0, 6))
    assert found.values == 6


def test_infinities_and_nan_count_in_both_directions() -> None:
    big = entry(0.0, scale=1e38, zero=0.0)
    overflow = Comparison("y")
    overflow.sums(np.array([[40, -40, 1]]), np.array([[np.inf, -np.inf, 1e38]], np.float32), big)
    assert (overflow.mismatches, overflow.not_finite) == (0, 2)
    for integers, value in ((40, -np.inf), (40, 3e38), (1, np.inf), (1, np.nan), (40, np.nan)):
        found = Comparison("y")
        found.sums(np.array([[integers]]), np.array([[value]], np.float32), big)
        assert found.mismatches == 1, (integers, value)
    nan, one = np.array([np.nan, 1.0], np.float32), np.array([1.0, 1.0], np.float32)
    for check in ("same", "close"):
        for given, right, wrong in ((nan, nan, 0), (nan, one, 1), (one, nan, 1), (one, one, 0)):
            found = Comparison("y")
            getattr(found, check)(given, right)
            assert found.mismatches == wrong
            assert found.not_finite == int(np.isnan(right).sum())
            assert found.values == 2


@pytest.mark.parametrize(("off", "wrong"), [(0.9e-4, 0), (1.1e-4, 1)])
def test_floats_of_one_computation_may_differ_by_rounding(off: float, wrong: int) -> None:
    found = Comparison("y")
    right = np.array([10.0, 0.5, np.inf], np.float32)
    given = right + np.array([0, off, 0], np.float32)
    found.close(given, right)
    assert found.mismatches == wrong
    assert (found.exactly, found.within) == (2, 1)


@pytest.mark.parametrize(("length", "bits"), [(4608, 8), (256, 4)])
def test_long_dot_products_are_compared(length: int, bits: int) -> None:
    """Sums beyond what float32 holds as integers: within the bound, and zero weights are found."""
    built = designed(last_layer(length, bits))
    x = {"x": np.random.default_rng(1).uniform(0, 3, (2, length)).astype(np.float32)}
    found = compare(built, x)
    assert found.mismatches == 0
    (last,) = [c for c in found.tensors.values() if c.tensor == built.accumulators[0].reference]
    assert (last.exactly, last.within) == ((0, 12) if bits == 8 else (12, 0))
    unit = next(u for u in built.graph if isinstance(u, Mvtu))
    assert isinstance(unit, Mvtu)
    broken = replace(
        built, plan=replace(built.plan, graph=built.graph.with_units({unit.name: unit.with_(weights=0 * unit.weights)}))
    )
    assert compare(broken, x).failing[0].tensor == last.tensor
    with pytest.raises(MismatchError, match=f"first in tensor '{last.tensor}' of layer .* This is a bug in flowc"):
        broken.verify(x)


def two_level(kind: str) -> onnx.ModelProto:
    """A last layer whose sums are made of several: of two-level ternary weights, or of two groups of channels with a scale each."""
    if kind == "groups":
        net = Net([1, 8, 4, 4], seed=3)
        scale = np.repeat([0.213, 0.0371], 4).reshape(1, 8, 1, 1).astype(np.float32)
        return net.model(net.conv(net.quant(net.x, scale), 8, 3))
    rng = np.random.default_rng(5)
    levels = np.array([-0.8131, 0.0, 0.3702], np.float32)
    if kind == "conv":
        net = Net([1, 4, 5, 5])
        w, b = net.const(rng.choice(levels, (3, 4, 3, 3))), net.const(rng.normal(0, 2, 3))
        return net.model(net.op("Conv", net.quant(net.x, 0.3), w, b, kernel_shape=[3, 3]))
    net = Net([1, 20])
    y = net.op("MatMul", net.quant(net.x, 0.3), net.const(rng.choice(levels, (20, 6))))
    return net.model(net.op("Add", y, net.const(rng.normal(0, 2, 6))) if kind == "bias" else y)


@pytest.mark.parametrize("kind", ["linear", "bias", "conv", "groups"])
def test_a_last_layer_of_several_sums_is_compared(kind: str) -> None:
    """Within the bound of the whole sum: a fault in a weight of either part is found."""
    built = designed(two_level(kind))
    assert len(built.graph.outputs) == 2
    (reference,) = {s.reference for s in built.accumulators}
    x = normal(built, 12)
    found = compare(built, x)
    assert found.as_dict("onnxruntime")["not_compared"] == 0
    assert (found.mismatches, found.tensors[reference].exactly) == (0, 0)
    assert found.tensors[reference].within == found.samples * np.prod(built.ports[built.graph.outputs[0].name].shape)
    whole = sum(np.abs(s.error * s.scale) for s in built.accumulators)
    assert np.max(whole) < 2e-2 * min(np.abs(s.scale).min() for s in built.accumulators)
    for unit in [u for u in built.graph if isinstance(u, Mvtu)]:
        weights = unit.weights.copy()
        weights[-1, np.flatnonzero(unit.weights[-1])[0]] = 0
        broken = replace(built.plan, graph=built.graph.with_units({unit.name: unit.with_(weights=weights)}))
        wrong = compare(replace(built, plan=broken), x)
        assert wrong.failing[0].tensor == reference
        assert wrong.explained == 0


def test_a_stored_last_layer_of_several_sums_is_compared(tmp_path: Path) -> None:
    flowc.build(two_level("bias"), target="u250").save(tmp_path / "design")
    found = flowc.load(tmp_path / "design").verify(samples=3)
    assert (found["mismatches"], found["not_compared"]) == (0, 0)
    assert found["compared_within_bound"] == 18


def test_parts_of_a_sum_are_compared_within_the_bound_of_the_whole() -> None:
    """Just inside of it, and just outside, on either side."""
    one = FloatSum("a", "y", np.array([0.5]), np.array([2.0]), np.array([0.25]))
    two = FloatSum("b", "y", np.array([-0.25]), np.array([0.0]), np.zeros(1))
    a, b = np.array([[10, -7, 0]]), np.array([[1, 2, 3]])
    right = ((a - 2.0) * 0.5 - b * 0.25).astype(np.float32)
    for off, wrong in ((0.0, 0), (0.125, 0), (-0.125, 0), (0.1251, 1), (-0.1251, 1), (np.inf, 1), (np.nan, 1)):
        found = Comparison("y")
        found.joint([a, b], right + np.array([[0, off, 0]], np.float32), [one, two])
        assert (found.mismatches, found.explained, found.within, found.exactly) == (wrong, 0, 3, 0)
        assert found.not_finite == int(not np.isfinite(off))
    for off, wrong in ((0.12, 0), (0.14, 1)):
        found.dequantized(right + np.float32(off), right, [one, two])
        assert found.mismatches == 1 + 3 * wrong


def test_a_model_that_overflows_is_told_so() -> None:
    net = Net([1, 16], seed=1)
    first = net.quant(net.const(net.rng.normal(0, 4e30, (16, 8))), 1e30, bits=4, narrow=True)
    second = net.quant(net.const(net.rng.normal(0, 4e10, (8, 4))), 1e10, bits=4, narrow=True)
    y = net.quant(net.op("MatMul", net.quant(net.x, 0.1, bits=4, signed=False), first), 1e31, bits=4)
    built = designed(net.model(net.op("MatMul", y, second)))
    with pytest.raises(
        MismatchError, match=r"values of the model itself are infinite or not a number.*correct the scales"
    ):
        built.verify(normal(built, 6, spread=3))
    assert built.report["verification"]["not_finite"] > 0


def test_onnxruntime_failing_is_an_error_of_flowc() -> None:
    """LRN of rank 2 is refused by onnxruntime only when it runs."""
    built = designed(last_layer(8, 4, "LRN", size=3))
    with pytest.raises(ModelError, match="onnxruntime can't compute the model"):
        built.verify(samples=1)


# the host's tail

DECISIONS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "ArgMax": (["ArgMax"], {"axis": 1}), "ArgMin": (["ArgMin"], {"axis": 1}), "softmax": (["Softmax", "ArgMax"], {"axis": 1}),
    "TopK": (["TopK"], {"axis": 1}), "Greater": (["Greater"], {}), "Equal": (["Equal"], {}), "Round": (["Round", "Cast"], {}),
    "Sign": (["Sign", "Cast"], {}), "Less": (["Less"], {}), "NonZero": (["GreaterOrEqual"], {}),
}  # fmt: skip


def deciding(kind: str) -> onnx.ModelProto:
    """A decision behind a layer of ties: on inputs that read alike backwards, columns are the same products in another order."""
    net = Net([1, 24], seed=4)
    x = net.quant(net.x, 0.3, bits=3)
    one = net.rng.normal(0, 1, 24)
    w = np.stack([one, one[::-1], one, one[::-1], -one, -one[::-1]], axis=1)
    y = net.op("MatMul", x, net.quant(net.const(w), 0.37, bits=3, narrow=True))
    y = net.op("Add", y, net.const(np.zeros(6, np.float32))) if kind == "ArgMax" else y
    names, attributes = DECISIONS[kind]
    kinds = {"Greater": 9, "Equal": 9, "Less": 9, "GreaterOrEqual": 9}
    for op in names:
        if op == "TopK":
            y = net.op("Add", y, net.const(np.linspace(0, 2e-7, 6)))
            values = net.op("TopK", y, net.const(np.array([3])), axis=1, outputs=2)
            return net.model(f"{values}.1", elem_type=TensorProto.INT64)
        if op in kinds:
            y = net.op(
                op,
                y,
                net.op(
                    "Mul", net.op("ReduceSum", y, net.const(np.array([1])), keepdims=1), net.const(np.float32(1 / 6))
                ),
            )
        elif op == "Cast":
            y = net.op("Cast", y, to=TensorProto.INT32)
        else:
            y = net.op(op, y, **(attributes if op != "Round" else {}))
    elem = TensorProto.BOOL if names[-1] in kinds else TensorProto.INT32 if names[-1] == "Cast" else TensorProto.INT64
    return net.model(y, elem_type=elem)


@pytest.mark.parametrize("kind", list(DECISIONS))
def test_decisions_of_the_tail_are_ties_or_faults(kind: str) -> None:
    built = designed(deciding(kind))
    (output,) = built.outputs
    half = normal(built, 40)["x"][:, :12]
    inputs = {"x": np.concatenate([half, half[:, ::-1]], axis=1)}
    found = compare(built, inputs)
    assert found.mismatches == found.explained
    assert all(set(c.causes) <= {"tie", "window"} for c in found.tensors.values())
    if built.tail is None:
        return
    entry = found.as_dict("onnxruntime")
    assert entry["not_compared"] == 0
    for told in entry["explanations"]:
        assert told["mismatches"] > 0
        assert f"of '{told['tensor']}' (layer '" in told["text"]
    # A tail that decides otherwise is a fault, however close the values: another operator in its place.
    changed = onnx.ModelProto()
    changed.CopyFrom(built.tail.model)
    others = {
        "ArgMax": "ArgMin",
        "ArgMin": "ArgMax",
        "Greater": "Less",
        "Less": "Greater",
        "GreaterOrEqual": "Less",
        "Round": "Neg",
        "Sign": "Neg",
    }
    node = next((n for n in changed.graph.node if n.op_type in others), None)
    if node is None:
        node = next((n for n in changed.graph.node if n.op_type in ("TopK", "Equal")), None)
        if node is None:
            return
        if node.op_type == "TopK":
            node.attribute.append(helper.make_attribute("largest", 0))
        else:
            node.op_type = "Greater"
    else:
        node.op_type = others[node.op_type]
    broken = compare(replace(built, tail=type(built.tail)(changed)), inputs)
    assert [c.tensor for c in broken.failing] == [output]


def test_a_tie_does_not_excuse_wrong_sums() -> None:
    """If a sum that leaves the accelerator is wrong, what is decided from it is wrong as well."""
    built = designed(deciding("Greater"))
    assert built.tail is not None
    unit = next(u for u in built.graph if isinstance(u, Mvtu))
    assert isinstance(unit, Mvtu)
    weights = unit.weights.copy()
    weights[0] += 1
    broken = replace(
        built, plan=replace(built.plan, graph=built.graph.with_units({unit.name: unit.with_(weights=weights)}))
    )
    found = compare(broken, normal(built, 20))
    (output,) = built.outputs
    assert output in [c.tensor for c in found.failing]
    assert not found.tensors[output].causes


def test_thresholds_that_no_sample_reaches_are_compared() -> None:
    """One sample of zeros shows one accumulator of each channel; a step far from it is wrong all the same."""
    net = Net([1, 2, 4, 4], seed=3)
    y = net.quant(net.conv(net.quant(net.x, 0.3), 2, 3, 3, per_channel=True), 0.7, bits=2)
    built = designed(net.model(net.conv(y, 3, 2, 1)))
    zeros = {"x": np.zeros((1, 2, 4, 4), np.float32)}
    assert compare(built, zeros).mismatches == 0
    unit = next(u for u in built.graph if isinstance(u, Mvtu) and isinstance(u.activation, Thresholds))
    assert isinstance(unit, Mvtu)
    assert isinstance(unit.activation, Thresholds)
    values = unit.activation.values.copy()
    values[1, -1] += 2
    faulty = unit.with_(activation=replace(unit.activation, values=values))
    broken = replace(built, plan=replace(built.plan, graph=built.graph.with_units({unit.name: faulty})))
    found = compare(broken, zeros)
    assert [c.mismatches > 0 for c in found.failing] == [True]
    assert found.end_to_end == 0


# windows


@pytest.mark.parametrize("kind", ["uncounted", "ceil", "bias"])
def test_parameters_that_vary_over_positions(kind: str) -> None:
    """Average pools at edges, and a bias per position: mismatches are explained where they lie, and nowhere else."""
    net = Net([1, 3, 5, 6], seed=0)
    x = net.quant(net.x, 0.02, bits=8)
    if kind == "bias":
        y = net.op(
            "Add",
            net.op("AveragePool", x, kernel_shape=[2, 2], strides=[1, 1]),
            net.const(net.rng.integers(-9, 9, (1, 1, 4, 5)) * np.float32(0.01)),
        )
    else:
        ceil = {"ceil_mode": 1, "strides": [2, 2]} if kind == "ceil" else {"pads": [1, 1, 1, 1]}
        y = net.op("AveragePool", x, kernel_shape=[3, 3], count_include_pad=0, **ceil)
    y = net.quant(y, 0.02, bits=8)
    built = designed(net.model(net.conv(y, 3, 2, 1)))
    inputs = normal(built, 12)
    found = compare(built, inputs)
    assert found.mismatches == found.explained
    positional = {n: w for n, w in built.windows.items() if len(w[0]) == np.prod(built.tensors[n].shape) > 3}
    assert found.mismatches == 0 or positional
    for name, (low, high) in positional.items():
        # Windows elsewhere explain nothing.
        moved = {name: (low + 5, low + 5 + (high > low))}
        assert compare(replace(built, windows=moved), inputs).tensors[name].explained < found.mismatches


def test_windows_behind_units_that_move_hold_only_what_was_marked() -> None:
    """A quantizer in front of a max pool: an excuse follows the marked integers, and not every integer."""
    net = Net([1, 3, 6, 6], seed=5)
    y = net.conv(net.quant(net.x, 0.3), 3, 4, 3)
    y = net.quant(net.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), 0.4127)
    built = designed(net.model(net.conv(y, 4, 2, 1)))
    unit = next(u for u in built.graph if isinstance(u, Mvtu) and u.activation is not None)
    assert isinstance(unit, Mvtu)
    (stream,) = built.graph.out_of(unit.name)
    assert stream.tensor not in built.tensors or stream.tensor not in {o.name for o in built.reference.graph.output}
    activation = unit.activation
    assert isinstance(activation, Requant)
    faulty = unit.with_(activation=replace(activation, add=activation.add + (1 << activation.shift >> 1), domain=None))
    broken = replace(built, plan=replace(built.plan, graph=built.graph.with_units({unit.name: faulty})))
    inputs = normal(built, 6)
    before = compare(broken, inputs)
    (wrong,) = [c.tensor for c in before.failing]
    name = stream.tensor or ""
    everything = np.full((1, 1), -(1 << 40)), np.full((1, 1), 1 << 40)
    nothing = np.full((1, 1), 1 << 40), np.full((1, 1), (1 << 40) + 1)
    excused = compare(replace(broken, windows={name: everything}), inputs)
    assert excused.tensors[wrong].explained == excused.tensors[wrong].mismatches > 0
    assert compare(replace(broken, windows={name: nothing}), inputs).tensors[wrong].explained == 0


# stored arrays


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design on disk with every kind of array: products, depthwise, thresholds, tables, requantizers, orders, a join."""
    net = Net([1, 2, 6, 6], seed=7)
    x = net.quant(net.x, 0.3, bits=3)
    a = net.quant(net.relu(net.conv(x, 2, 3, 3, per_channel=True, bias=True)), 0.31, bits=3, signed=False)
    b = net.quant(net.conv(a, 3, 3, 3, group=3, pads=[1, 1, 1, 1]), 0.2173, bits=8)
    c = net.quant(net.add(a, b), 0.4, bits=4)
    c = net.quant(net.op("Sigmoid", c), 0.01, bits=7, signed=False)
    y = net.linear(net.flatten(c), 48, 4, bias=True)
    folder = tmp_path_factory.mktemp("stored") / "design"
    flowc.build(net.model(y), target="zcu104", output=folder)
    return folder


def test_a_fault_in_any_stored_array_is_found_or_changes_nothing(stored: Path, tmp_path: Path) -> None:
    sound = flowc.load(stored)
    inputs = normal(sound, 12)
    others = normal(sound, 40, seed=1)
    wanted = {n: sound.run({"x": x["x"]}) for n, x in (("own", inputs), ("others", others))}
    with np.load(stored / "weights.npz") as file:
        arrays = {n: file[n] for n in file.files}
    rng = np.random.default_rng(0)
    copy = tmp_path / "faulty"
    copy.mkdir()
    for path in stored.iterdir():
        if path.is_file() and path.name != "weights.npz":
            (copy / path.name).write_bytes(path.read_bytes())
    missed, found = [], 0
    for name, array in arrays.items():
        for delta in rng.choice([-1, 1], 1):
            changed = array.copy()
            index = tuple(rng.integers(0, n) for n in array.shape)
            changed[index] = changed[index] + delta * (0.1 * abs(changed[index]) if array.dtype.kind == "f" else 1)
            np.savez(copy / "weights.npz", **(arrays | {name: changed}))
            try:
                faulty = flowc.load(copy)
                faulty.verify(inputs)
            except FlowcError:
                found += 1
                continue
            if any(
                not np.array_equal(faulty.run({"x": x["x"]}), wanted[n])
                for n, x in (("own", inputs), ("others", others))
            ):
                missed.append((name, index, delta))
    assert not missed
    assert found > len(arrays) // 2

"""Verification finds what is planted, names it, and explains only what a window holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from flowc.api import build
from flowc.design.design import Design
from flowc.design.loopback_plan import LoopbackPlan
from flowc.design.reference import ReferenceRunner
from flowc.design.verify import compare
from flowc.errors import MismatchError, UsageError
from flowc.streamline.compile import compile_model
from flowc.units import Activate, Mvtu, Pad, Requant, Table, Thresholds, Unit
from tests.compare import design_of, inputs_for
from tests.netbuild import Net, cnn, mlp


def design(seed: int = 0) -> Design:
    return design_of(compile_model(cnn(residual=True, seed=seed)))


def first(built: Design, kind: type[Unit], where: Callable[[Any], bool] = lambda unit: True) -> Any:
    return next(u for u in built.graph if isinstance(u, kind) and where(u))


def planted(built: Design, unit: Unit, changed: Unit) -> Design:
    return replace(built, plan=replace(built.plan, graph=built.graph.with_units({unit.name: changed})))


def test_a_sound_design_agrees() -> None:
    built = design()
    found = compare(built, built_inputs(built))
    assert found.samples == 6
    assert found.mismatches == found.explained == found.end_to_end == 0
    assert found.worst_output < 1e-6
    assert sum(c.values for c in found.tensors.values()) > 1000
    # The input, four activations (one seen behind its pool), the last accumulator.
    assert len(found.tensors) >= 5


def built_inputs(built: Design, samples: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {n: rng.normal(0, 1.2, (samples, *s.shape)).astype(np.float32) for n, s in built.inputs.items()}


def test_one_wrong_weight_is_found_in_its_layer_alone() -> None:
    """Every layer is fed the reference's own integers: the error does not cascade into others."""
    built = design()
    unit = first(built, Mvtu, lambda u: u.taps > 1)
    weights = unit.weights.copy()
    weights[1, 5] += 3 if weights[1, 5] < 0 else -3
    broken = planted(built, unit, unit.with_(weights=weights))
    found = compare(broken, built_inputs(built))
    wrong = [name for name, c in found.tensors.items() if c.mismatches]
    # The sums, and what they are rounded to.
    (stream,) = built.graph.out_of(unit.name)
    following = {s.tensor for s in built.graph.streams}
    assert len(wrong) == 2
    assert wrong[0] in {s.reference for s in built.sums}
    assert wrong[1] in following
    assert found.end_to_end > 0
    assert stream.dst in built.graph.units
    with pytest.raises(MismatchError, match=f"integers differ from onnxruntime, first in tensor '{wrong[0]}'"):
        broken.verify(built_inputs(built))
    assert broken.report["verification"]["failing"] == wrong
    assert broken.report["verification"]["mismatches"] > 0


def shifted(activation: Any) -> Any:
    """One threshold, offset or entry of channel 0 moved by a little."""
    if isinstance(activation, Thresholds):
        values = activation.values.copy()
        values[0] += 1
        return replace(activation, values=values)
    if isinstance(activation, Requant):
        add = np.broadcast_to(activation.add, (activation.channels,)).copy()
        add[0] += 1 << activation.shift >> 1
        return replace(activation, add=add)
    assert isinstance(activation, Table)
    values = activation.values.copy()
    values[0] += 1
    return replace(activation, values=values)


def test_one_wrong_threshold_is_found() -> None:
    built = design()
    units = [u for u in built.graph if getattr(u, "activation", None) is not None]
    assert len(units) >= 3
    for unit in units:
        broken = planted(built, unit, unit.with_(activation=shifted(unit.activation)))  # type: ignore[attr-defined]
        found = compare(broken, built_inputs(built))
        assert sum(c.mismatches > 0 for c in found.tensors.values()) == 1, unit.name


def test_a_wrong_last_layer_is_found_in_its_accumulators() -> None:
    built = design()
    unit = first(built, Mvtu, lambda u: u.activation is None)
    weights = unit.weights.copy()
    weights[0, 0] += 1 if weights[0, 0] <= 0 else -1
    broken = planted(built, unit, unit.with_(weights=weights))
    found = compare(broken, built_inputs(built))
    wrong = [name for name, c in found.tensors.items() if c.mismatches]
    assert wrong == [built.accumulators[0].reference]
    with pytest.raises(MismatchError):
        broken.verify(built_inputs(built))


def test_wrong_routing_is_found() -> None:
    built = design()
    unit = first(built, Pad)
    found = compare(planted(built, unit, unit.with_(value=unit.value + 1)), built_inputs(built))
    assert found.mismatches > 0


def test_windows_explain_only_what_lies_in_them() -> None:
    """A threshold moved: explained where a (planted) window covers the accumulators concerned, and not elsewhere."""
    built = design()
    unit = first(built, Mvtu, lambda u: u.activation is not None)
    (stream,) = built.graph.out_of(unit.name)
    name = stream.tensor or ""
    broken = planted(built, unit, unit.with_(activation=shifted(unit.activation)))
    inputs = built_inputs(built)
    before = compare(broken, inputs).tensors[name]
    assert before.mismatches > before.explained == 0
    everything = np.full((unit.mh, 1), unit.acc.lo), np.full((unit.mh, 1), unit.acc.hi + 1)
    excused = replace(broken, windows={name: everything})
    told = excused.verify(inputs)
    assert 0 < told["explained_by_ambiguous"] == told["mismatches"] <= before.mismatches
    nothing = np.full((unit.mh, 1), unit.acc.hi + 1), np.full((unit.mh, 1), unit.acc.hi + 2)
    assert compare(replace(broken, windows={name: nothing}), inputs).tensors[name].explained == 0
    others = [np.concatenate([n[:1], e[1:]]) for n, e in zip(nothing, everything, strict=True)]
    assert compare(replace(broken, windows={name: (others[0], others[1])}), inputs).tensors[name].explained == 0


@pytest.mark.parametrize("kind", ["activate", "pool", "join", "mvtu"])
def test_windows_work_behind_every_unit_with_an_activation(kind: str) -> None:
    net = Net([1, 4, 6, 6])
    x = net.quant(net.x, 0.3)
    if kind == "activate":
        y = net.quant(net.relu(x), 0.1373, signed=False)
    elif kind == "pool":
        y = net.quant(net.avgpool(x, 3), 0.1373)
    elif kind == "join":
        y = net.quant(net.add(x, net.quant(net.op("Neg", net.x), 0.21)), 0.3173)
    else:
        y = net.quant(net.conv(x, 4, 4, 3), 0.4127)
    built = design_of(compile_model(net.model(net.conv(y, 4, 2, 1))))
    unit = first(built, Unit, lambda u: getattr(u, "activation", None) is not None)  # type: ignore[type-abstract]
    assert unit.kind == kind
    (stream,) = built.graph.out_of(unit.name)
    inputs = built_inputs(built)
    broken = planted(built, unit, unit.with_(activation=shifted(unit.activation)))
    before = compare(broken, inputs).tensors[stream.tensor or ""]
    assert before.mismatches > before.explained == 0
    full = (np.full((1, 1), -(1 << 40)), np.full((1, 1), 1 << 40))
    after = compare(replace(broken, windows={stream.tensor or "": full}), inputs).tensors[stream.tensor or ""]
    assert 0 < after.explained == after.mismatches <= before.mismatches
    assert isinstance(unit, Activate) == (kind == "activate")


def test_ties_of_an_argmax_are_explained_by_its_slack() -> None:
    net = Net([1, 8])
    y = net.linear(net.quant(net.x, 0.3), 8, 5, bias=True)
    built = design_of(compile_model(net.model(net.op("ArgMax", y, axis=1), elem_type=TensorProto.INT64)))
    unit = first(built, Unit, lambda u: getattr(u, "activation", None) is not None)  # type: ignore[type-abstract]
    inputs = {"x": np.random.default_rng(0).normal(0, 1.2, (40, 8)).astype(np.float32)}
    assert compare(built, inputs).mismatches == 0
    add = unit.activation.add.copy()
    add[2] += int(np.abs(add).max())
    broken = planted(built, unit, unit.with_(activation=replace(unit.activation, add=add)))
    found = compare(broken, inputs)
    assert found.mismatches > found.explained
    (name,) = built.argmax_slack
    wide = replace(broken, argmax_slack={name: np.full(5, 1 << 40)})
    excused = compare(wide, inputs)
    assert excused.tensors[name].explained == excused.tensors[name].mismatches > 0


def test_the_reference_runs_one_sample_at_a_time() -> None:
    built = design()
    runner = ReferenceRunner(built.reference)
    inputs = inputs_for(compile_model(cnn(residual=True)), 3)
    single = runner.run({"x": inputs["x"][2:3]}, 0)
    third = runner.run(inputs, 2)
    assert set(single) == set(runner.outputs)
    for name, values in single.items():
        np.testing.assert_array_equal(third[name], values)


def by_sample(built: Design, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the comparison finds without watching batches."""
    with monkeypatch.context() as patch:
        patch.setattr("flowc.design.verify._Run._watched", lambda *arguments: None)
        return compare(built, inputs).as_dict("onnxruntime")


def test_batches_are_compared_as_samples_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watched in batches, by kernels and in numpy, or taken sample by sample: the same values are compared, in the same way."""
    built = design()
    inputs = built_inputs(built)
    wanted = by_sample(built, inputs, monkeypatch)
    assert wanted["values"] > 1000

    def refuse(*arguments: Any) -> None:
        raise AssertionError("a sound batch was taken apart")

    monkeypatch.setattr("flowc.design.verify._recording", refuse)
    for emulator in ("native", "numpy", None):
        assert compare(built, inputs, emulator=emulator).as_dict("onnxruntime") == wanted


def test_batches_of_a_loopback_program_are_compared_as_samples_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """More samples than a batch of the engine; and a fault in what the engine executes is found, whatever the sums say."""
    built = build(cnn(residual=True), "ultra96", execution="loopback", verify=False)
    assert isinstance(built.plan, LoopbackPlan)
    inputs = built_inputs(built, 2 * built.plan.batch + 1)
    wanted = by_sample(built, inputs, monkeypatch)
    assert wanted["values"] > 1000
    with monkeypatch.context() as patch:
        patch.setattr("flowc.design.verify._recording", None)  # batches are sound: nothing is recorded sample by sample
        assert compare(built, inputs).as_dict("onnxruntime") == wanted
    weights = built.plan.program.weights
    weights[weights.nonzero()[0][:200]] ^= 1
    found = compare(built, inputs).as_dict("onnxruntime")
    assert found["mismatches"] > 0
    assert found == by_sample(built, inputs, monkeypatch)


@pytest.mark.parametrize("emulator", ["native", "numpy"])
def test_what_differs_in_a_batch_is_counted_as_by_sample(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong weight: batches where it shows are taken apart, and nothing is counted twice."""
    monkeypatch.setattr("flowc.design.reference._MOST_SAMPLES", 2)
    built = design()
    unit = first(built, Mvtu, lambda u: u.taps > 1)
    weights = unit.weights.copy()
    weights[0, 0] += 1 if weights[0, 0] < 0 else -1
    broken = planted(built, unit, unit.with_(weights=weights))
    inputs = built_inputs(built)
    found = compare(broken, inputs, emulator=emulator).as_dict("onnxruntime")
    assert found["mismatches"] > 0
    assert found == by_sample(broken, inputs, monkeypatch)


def test_what_goes_past_the_accelerator_is_compared() -> None:
    """The host's quantized input is an output as well: the head gives it to the tail."""
    net = Net([1, 6])
    x = net.quant(net.x, 0.3)
    built = design_of(compile_model(net.model(net.linear(x, 6, 4), net.op("Neg", x))))
    assert built.head is not None
    found = compare(built, built_inputs(built))
    assert found.mismatches == 0
    assert set(built.outputs) <= set(found.tensors)


@pytest.mark.parametrize("style", ["dataflow", "loopback"])
def test_nothing_compared_is_no_verification(style: str) -> None:
    """No sample, or an emulator that does not exist, is an error and not a comparison that finds nothing."""
    design = build(mlp(), "ultra96", execution=style, verify=False)
    with pytest.raises(UsageError, match="there is no sample to compare"):
        design.verify(iter([]))
    for emulator in ("Numpy", "fast", ""):
        for ask in (design.verify, design.run):
            with pytest.raises(UsageError, match=f"there is no emulator '{emulator}'. Take 'native' or 'numpy'"):
                ask(np.zeros((1, 12), np.float32), emulator=emulator)

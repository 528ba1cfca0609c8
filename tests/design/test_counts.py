"""What a comparison counts, sample by sample: what is compared, what can't be, how far it is; nothing is skipped without a word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from flowc.design.design import Design
from flowc.design.reference import ReferenceRunner
from flowc.design.verify import compare
from flowc.streamline.compile import compile_model
from flowc.units import Mvtu
from tests.compare import design_of
from tests.netbuild import Net

Array = np.ndarray[Any, Any]


def last(tail: str = "", **attributes: Any) -> Design:
    """Six sums of eight inputs, and what the host makes of them."""
    net = Net([1, 8], seed=2)
    y = net.linear(net.quant(net.x, 0.3), 8, 6)
    if not tail:
        return design_of(compile_model(net.model(y)))
    kind = {"ArgMin": TensorProto.INT64, "Cast": TensorProto.INT32}.get(tail, TensorProto.FLOAT)
    return design_of(compile_model(net.model(net.op(tail, y, **attributes), elem_type=kind)))


def inputs(samples: int) -> dict[str, Array]:
    return {"x": np.random.default_rng(1).normal(0, 1.2, (samples, 8)).astype(np.float32)}


def faulty(built: Design) -> Design:
    unit = next(u for u in built.graph if isinstance(u, Mvtu))
    weights = unit.weights.copy()
    weights[0] += 1
    return replace(
        built, plan=replace(built.plan, graph=built.graph.with_units({unit.name: unit.with_(weights=weights)}))
    )


def counts(found: Any) -> dict[str, tuple[int, int, int]]:
    return {n: (c.exactly, c.within, c.skipped) for n, c in found.tensors.items()}


def test_every_value_of_every_sample_is_counted_once() -> None:
    built = last()
    (entry,) = built.accumulators
    (port,) = built.graph.inputs
    for samples in (1, 5):
        found = compare(built, inputs(samples))
        # What enters is compared twice: as the host makes it, and as it lies on the stream.
        assert counts(found) == {port.tensor: (2 * 8 * samples, 0, 0), entry.reference: (6 * samples, 0, 0)}
        assert (found.samples, found.mismatches, found.end_to_end) == (samples, 0, 0)


def test_samples_done_are_told_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.design.reference._MOST_SAMPLES", 2)
    told: list[tuple[int, int]] = []
    chunks = [inputs(3), inputs(2), inputs(1)]
    assert compare(last(), iter(chunks), progress=lambda done, count: told.append((done, count))).samples == 6
    assert told == [(2, 3), (3, 3), (5, 5), (6, 6)]


def test_floats_behind_sums_that_are_not_known_are_said_not_to_be_compared() -> None:
    """Without the sums of the last layer neither its integers nor the floats made of them have a counterpart."""
    built = last("Neg")
    whole = compare(built, inputs(4))
    (output,) = built.outputs
    (entry,) = built.accumulators
    assert counts(whole)[output] == (24, 0, 0)
    found = compare(replace(built, accumulators=[]), inputs(4))
    assert counts(found)[entry.tensor] == (0, 0, 24)
    assert counts(found)[output] == (0, 0, 24)
    assert found.as_dict("r")["not_compared"] == 48
    assert found.mismatches == 0
    assert compare(faulty(replace(built, accumulators=[])), inputs(4)).mismatches == 0  # as it says


@pytest.mark.parametrize(
    ("tail", "attributes", "values"), [("ArgMin", {"axis": 1}, 1), ("Cast", {"to": TensorProto.INT32}, 6)]
)
def test_decisions_on_sums_that_are_not_known_count_where_they_agree(
    tail: str, attributes: dict[str, Any], values: int
) -> None:
    built = last(tail, **attributes)
    assert built.tail is not None
    (output,) = built.outputs
    runner, x = ReferenceRunner(built.reference), inputs(20)
    right = np.concatenate([runner.run(x, i)[output].reshape(1, -1) for i in range(20)])
    differ = [int((design.run(x["x"]).reshape(20, -1) != right).sum()) for design in (built, faulty(built))]
    unknown = replace(built, accumulators=[])
    found = compare(unknown, x)
    assert counts(found)[output] == (20 * values - differ[0], 0, differ[0])
    assert found.as_dict("r")["not_compared"] == 120 + differ[0]
    wrong = compare(faulty(unknown), x)
    exactly, within, skipped = counts(wrong)[output]
    assert (within, skipped) == (0, differ[1])
    assert 0 < skipped < exactly + skipped == 20 * values
    assert wrong.mismatches == 0
    # Where the sums are known, they are wrong, and so is what is decided.
    known = compare(faulty(built), x)
    assert known.tensors[output].mismatches == skipped
    assert known.explained == 0


def test_how_far_outputs_are_end_to_end() -> None:
    """Of six outputs the first moves with its weights: integers that differ are counted, the worst float is told."""
    built = last("Neg")
    x = inputs(7)
    assert compare(built, x).worst_output < 1e-6
    broken = faulty(built)
    found = compare(broken, x)
    given, right = broken.run(x["x"]), built.run(x["x"])
    assert found.worst_output == pytest.approx(
        max(np.abs(g - r).max() / max(1.0, np.abs(r).max()) for g, r in zip(given, right, strict=True)), rel=1e-5
    )
    assert found.end_to_end == 0  # fed with the reference's own integers it gives the same: nothing lies in front of it
    assert found.failing[0].tensor == built.accumulators[0].reference


def test_errors_that_cascade_are_counted_at_the_end() -> None:
    """Behind a wrong layer the next one is right on the reference's integers, and wrong on its own."""
    net = Net([1, 8], seed=2)
    y = net.quant(net.relu(net.linear(net.quant(net.x, 0.3), 8, 6)), 0.2, signed=False)
    built = design_of(compile_model(net.model(net.linear(y, 6, 4))))
    found = compare(faulty(built), inputs(9))
    assert found.end_to_end > 0
    assert built.accumulators[0].reference not in [c.tensor for c in found.failing]
    assert found.mismatches > 0

"""Where thresholds lie, as an option: it makes fit what does not fit with each memory in what is cheaper for itself."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from flowc.backends.hls.parameters import activation_code
from flowc.backends.rtl.activation import activation_part
from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import Limits, allocate, chosen_folding
from flowc.dataflow.emulator import emulate
from flowc.dataflow.serialize import dataflow_from_json, dataflow_to_json
from flowc.errors import DamagedError, InfeasibleError, UsageError
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units import Activate, Frame, InputPort, OutputPort, Thresholds
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow, Stream

PYNQ = load_target("pynq-z2")


def staircase(channels: int, levels: int, **fields: Any) -> Thresholds:
    rng = np.random.default_rng(1)
    values = np.sort(rng.integers(-30_000, 30_000, (channels, levels)), axis=1)
    return Thresholds(
        dtype=UInt(levels.bit_length()),
        values=values,
        base=np.zeros(channels, np.int64),
        step=np.ones((1, 1), np.int64),
        **fields,
    )


def chain(channels: int, levels: int) -> Dataflow:
    frame = Frame(1, 1, channels, SInt(16))
    unit = Activate(name="a", frame=frame, activation=staircase(channels, levels))
    ends = [
        kind(name=name, frame=f, tensor=name, tensor_shape=f.shape)
        for kind, name, f in ((InputPort, "x", frame), (OutputPort, "y", unit.outputs[0]))
    ]
    return Dataflow("chain", [ends[0], unit, ends[1]], [Stream("x", "a"), Stream("a", "y")])


def taken(graph: Dataflow) -> Resources:
    return graph["a"].resources


@pytest.mark.parametrize("levels", [15, 255])
def test_short_of_one_kind_the_other_is_taken(levels: int) -> None:
    """Without block RAMs, and with too few look-up tables for more lanes, whose thresholds would be wired in."""
    graph = chain(512 if levels == 15 else 16, levels)
    plain = allocate(graph, PYNQ, fps=1_000)
    assert plain.graph["a"].threshold_memory == "auto"
    use = {m: graph["a"].with_(threshold_memory=m).resources for m in ("auto", "lutram", "bram")}
    assert use["lutram"].bram18 == 0
    assert (use["bram"].lut or 0) <= (use["auto"].lut or 0) <= (use["lutram"].lut or 0)
    assert (use["bram"].bram18 or 0) >= (use["auto"].bram18 or 0) > 0
    by_hand = allocate(graph, PYNQ, fps=1_000, folding={"a": {"pe": 1, "threshold_memory": "lutram"}})
    without = Limits(bram18=1e-9, lut=((by_hand.resources.lut or 0) + 1) / PYNQ.lut)
    found = allocate(graph, PYNQ, fps=1_000, utilization=without)
    assert found.fits
    assert found.graph["a"].threshold_memory == "lutram"
    assert found.resources.bram18 == 0
    again = allocate(graph, PYNQ, fps=1_000, utilization=without, folding=chosen_folding(found.graph))
    assert again.resources == found.resources
    # A graph that was allocated before is chosen anew.
    assert allocate(found.graph, PYNQ, fps=1_000).resources == plain.resources


def test_blocks_are_taken_where_tables_are_short() -> None:
    graph = chain(16, 255)
    plain = allocate(graph, PYNQ, fps=1_000)
    less = (plain.resources.lut or 0) - 1
    found = allocate(graph, PYNQ, fps=1_000, utilization=Limits(lut=less / PYNQ.lut))
    assert found.graph["a"].threshold_memory == "bram"
    assert (found.resources.lut or 0) <= less
    assert (found.resources.bram18 or 0) > (plain.resources.bram18 or 0)


def test_what_fits_nowhere_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="lut needed"):
        allocate(chain(512, 15), PYNQ, fps=1_000, utilization=Limits(lut=1e-3, bram18=1e-9))


def test_fixed_by_hand() -> None:
    graph = chain(512, 15)
    for memory in ("lutram", "bram"):
        for folding in ({"a": {"threshold_memory": memory}}, {"defaults": {"threshold_memory": memory}}):
            found = allocate(graph, PYNQ, fps=1_000, folding=folding)
            assert found.graph["a"].threshold_memory == memory
            assert chosen_folding(found.graph)["a"]["threshold_memory"] == memory
    with pytest.raises(UsageError, match="'threshold_memory' can't be \"uram\""):
        allocate(graph, PYNQ, fps=1_000, folding={"a": {"threshold_memory": "uram"}})


def test_the_function_is_the_same_and_a_file_keeps_it() -> None:
    graph = chain(16, 255)
    moved = graph.with_units({"a": graph["a"].with_(threshold_memory="bram")})
    document, arrays = dataflow_to_json(moved)
    read = dataflow_from_json(json.loads(json.dumps(document)), arrays)
    assert read["a"].threshold_memory == "bram"
    assert read["a"].resources == taken(moved) != taken(graph)
    x = {"x": np.random.default_rng(0).integers(-(1 << 15), 1 << 15, (3, 1, 1, 16))}
    np.testing.assert_array_equal(emulate(graph, x)["y"], emulate(read, x)["y"])
    document["units"][1]["activation"]["memory"] = "core"
    with pytest.raises(DamagedError, match="there is no memory of thresholds 'core'"):
        dataflow_from_json(document, arrays)
    document["units"][1]["activation"] |= {"memory": "bram", "read_cycles": 3}
    with pytest.raises(DamagedError, match="no block RAM is read in 3 cycles"):
        dataflow_from_json(document, arrays)
    document["units"][1]["activation"] |= {"read_cycles": 1, "style": "guess"}
    with pytest.raises(DamagedError, match="there is no style of thresholds 'guess'"):
        dataflow_from_json(document, arrays)


@pytest.mark.parametrize(("target", "pipes", "cycles"), [("pynq-z2", True, 1), ("u250", True, 1), ("ulx3s-85f", True, 2), ("pynq-z2", False, 2)])  # fmt: skip
def test_the_device_says_how_soon_a_word_is_compared(target: str, pipes: bool, cycles: int) -> None:
    """Of pipelines; what HLS makes of a memory is its own affair."""
    graph = chain(64, 255)
    graph = RtlBackend().prepare(graph) if pipes else graph
    found = allocate(graph, load_target(target), clock_mhz=25, fps=1_000).graph["a"]
    assert found.activation.read_cycles == cycles
    slow = found.activation.stages(found.pe, 64, found.frame.dtype)
    other = found.with_(read_cycles=3 - cycles)
    blocks = found.activation.first_block(found.pe, 64, found.frame.dtype)
    assert blocks < 8
    assert abs(other.stages - found.stages) == 8 - blocks
    assert slow == 16 + (8 - blocks if cycles == 2 else 0)


@pytest.mark.parametrize("memory", ["auto", "lutram", "bram"])
@pytest.mark.parametrize("style", ["compare", "search"])
def test_generated_code_keeps_them_where_the_model_does(memory: str, style: str) -> None:
    """Block RAMs that the model counts are the memories that the C++ binds to block RAMs, by their words."""
    channels, lanes = 256, 2
    act = staircase(channels, 15, style=style, memory=memory)
    assert act.searched(lanes, channels, SInt(16)) == (style == "search")
    code = activation_code("a", act, SInt(16), channels // lanes, lanes)
    bound = re.findall(r"variable = (\S+) type = rom_1p impl = (\w+)", "\n".join(code.pragmas))
    assert len(bound) == (4 if style == "search" else 1)
    blocks = act.resources(lanes, channels, SInt(16)).bram18
    assert ("bram" in {impl for _, impl in bound}) == (blocks != 0)
    if memory == "lutram":
        assert blocks == 0
    part = activation_part("a", act, SInt(16), channels // lanes, lanes)
    if style == "compare":
        assert (part.parameters["PARAMETER_STYLE"] == "block") == (bound[0][1] == "bram")
    else:
        first = part.parameters["ENTRIES"]
        assert [impl for _, impl in bound] == ["bram" if k >= int(first) else "lutram" for k in range(4)]  # type: ignore[call-overload]

"""Dataflow graphs as JSON and arrays, and back."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from flowc.dataflow import serialize
from flowc.dataflow.allocate import allocate
from flowc.dataflow.serialize import dataflow_from_json, dataflow_to_json, narrow
from flowc.errors import UsageError
from flowc.model.dtypes import BIPOLAR, SInt, UInt, compact
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units import (
    UNITS,
    Activate,
    Activation,
    ArgMax,
    Concat,
    Fork,
    Frame,
    Gather,
    GlobalSum,
    InputPort,
    Join,
    Lookup,
    Mvtu,
    OutputPort,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Requant,
    Split,
    Table,
    Thresholds,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
    Window,
)  # fmt: skip
from flowc.units.graph import Dataflow
from tests.netbuild import cnn

F = Frame(2, 3, 4, SInt(4))
ONES = np.ones(1, np.int64)
TABLE = Table(dtype=UInt(3), lo=-8, values=np.arange(16).reshape(1, 16) % 8)
REQUANT = Requant(
    dtype=SInt(4),
    mult=np.array([3, -70000, 1, 2]),
    add=np.array([1, 1 << 40, 0, -5]),
    shift=5,
    lo=-8,
    hi=7,
    late=np.ones((4, 15), np.int64),
)
LEVELS = Thresholds(dtype=BIPOLAR, values=np.array([[0], [3]]), base=np.array([-1, -1]), step=np.array([[2]]))
EVERY: list[Unit] = [
    Activate(name="activate", frame=F, activation=TABLE, pe=2, origin=("node 'a'", 'b"\n')),
    ArgMax(name="argmax", frame=F),
    Concat(name="concat", frames=(F, F), out=Frame(2, 3, 8, SInt(4))),
    Fork(name="fork", frame=F, ways=3),
    Gather(name="gather", frame=F, out=Frame(4, 3, 4, SInt(4)), order=np.arange(48) // 2),
    GlobalSum(name="global_sum", frame=F, acc=SInt(8), activation=REQUANT),
    InputPort(name="in", tensor="x", tensor_shape=(1, 4, 2, 3), frame=F, order=np.random.default_rng(0).permutation(24)),
    Join(name="join", left=F, right=F, op="mul", acc=SInt(9), left_scale=ONES, right_scale=ONES, left_offset=-3, right_offset=2),
    Lookup(name="lookup", frame=Frame(2, 3, 1, UInt(2)), table=np.arange(8).reshape(4, 2) - 4, dtype=SInt(3), first=1, out=Frame(2, 3, 2, SInt(3)), pe=2),
    Mvtu(name="mvtu", frame=F, weights=np.array([[1, -1, 1, 1], [200, 0, -128, 3]]), weight_type=SInt(9), acc=SInt(14), block=4, activation=LEVELS, memory="bram"),
    OutputPort(name="out", tensor="y", tensor_shape=(1, 24), frame=F),
    Pad(name="pad", frame=F, out=Frame(4, 5, 4, SInt(4)), top=1, left=1, bottom=1, right=1, value=-2),
    Permute(name="permute", frame=F, out=F, order=np.arange(24)[::-1].copy()),
    PixelPad(name="pixel_pad", frame=F, out=Frame(3, 5, 4, SInt(4)), stride_h=2, stride_w=2, value=1),
    Pool(name="pool", frame=Frame(2, 3, 16, SInt(4)), channels=4, op="max", acc=SInt(4)),
    Split(name="split", frame=F, starts=(0, 3), sizes=(2, 1)),
    Upsample(name="upsample", frame=F, factor_h=2, factor_w=1),
    Vvtu(name="vvtu", frame=Frame(2, 3, 16, SInt(4)), channels=4, weights=np.arange(16).reshape(4, 4) - 8, weight_type=SInt(4), acc=SInt(10), parallel=True, pe=2),
    WidthConverter(name="width", frame=F, wide_in=2, wide_out=3),
    Window(name="window", frame=F, kernel=(2, 1), stride=(1, 2), dilation=(1, 1), block=2, memory="lutram"),
]  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Activation):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return bool(type(a) is type(b) and a == b)


def round_trip(graph: Dataflow) -> Dataflow:
    document, arrays = dataflow_to_json(graph)
    return dataflow_from_json(json.loads(json.dumps(document)), arrays)


def test_every_unit_comes_back_as_it_was() -> None:
    assert {u.kind for u in EVERY} == set(UNITS)
    document, arrays = dataflow_to_json(Dataflow("every", EVERY, []))
    stored = {entry["name"]: entry for entry in json.loads(json.dumps(document))["units"]}
    for unit in EVERY:
        found = serialize._unit(stored[unit.name], arrays)
        assert not found.unsound()
        assert not found.frame_faults()
        assert type(found) is type(unit)
        for f in fields(unit):
            value = getattr(unit, f.name)
            built = compact(value) if f.name == "weights" else value
            assert same(built, getattr(found, f.name)), f"{unit.name}.{f.name}"


def test_a_folded_graph_comes_back_as_it_was() -> None:
    graph = allocate(compile_model(cnn(residual=True)).graph, load_target("ultra96")).graph
    again = round_trip(graph)
    assert again.streams == graph.streams
    assert list(again.units) == list(graph.units)
    assert again.name == graph.name
    for name, unit in graph.units.items():
        assert all(same(getattr(unit, f.name), getattr(again[name], f.name)) for f in fields(unit))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([0, 255], "uint8"), ([-1, 127], "int8"), ([-1, 128], "int16"), ([0, 65535], "uint16"), ([-(2**31)], "int32"), ([2**40], "int64"), ([0.5], "float64")],
)  # fmt: skip
def test_arrays_are_stored_narrow(values: list[float], dtype: str) -> None:
    found = narrow(np.array(values))
    assert found.dtype == np.dtype(dtype)
    assert found.tolist() == values
    assert narrow(np.zeros(0, np.int64)).dtype == np.int64


@pytest.mark.parametrize(
    "damage",
    [
        lambda d, a: d.pop("units"),
        lambda d, a: d["units"][0].update(kind="teapot"),
        lambda d, a: d["units"][0].pop("frame"),
        lambda d, a: d["units"][0]["frame"].update(dtype="float8"),
        lambda d, a: d["units"][0].pop("name"),
        lambda d, a: d["streams"].append({"src": "nobody"}),
        lambda d, a: d["streams"].append({"src": "in", "dst": "out", "colour": 3}),
        lambda d, a: a.clear(),
    ],
)
def test_damaged_documents_are_said_to_be_damaged(damage: Any) -> None:
    document, arrays = dataflow_to_json(Dataflow("every", EVERY, []))
    damage(document, arrays)
    with pytest.raises(UsageError, match="its files are damaged"):
        dataflow_from_json(document, arrays)


CHAIN = allocate(compile_model(cnn(residual=True)).graph, load_target("ultra96"), fps=1_000).graph


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d["units"].append(d["units"][0]), "two units have one name"),
        (lambda d: d["streams"].pop(), "there is not one stream"),
        (lambda d: d["streams"].append(d["streams"][0]), "there is not one stream"),
        (lambda d: d["streams"][1].update(src_port=7), "there is not one stream"),
        (lambda d: d["streams"][1].update(depth=0), "no FIFO has a depth of 0"),
        (lambda d: d["streams"][1].update(depth=True), "'depth' of a stream is True"),
        (lambda d: d["streams"][1].update(memory="tape"), "in tape"),
        (lambda d: d["units"][1].update(simd=2.0), "is 2.0"),
        (lambda d: d["units"][1].update(pe=2), "has an unknown field 'pe'"),
        (lambda d: d["units"][1].update(frame={"h": 10**9, "w": 10**9, "c": 1, "dtype": "uint2"}), "damaged"),
        (lambda d: d["units"][0].update(name="a b"), "a unit is called 'a b'"),
        (lambda d: d.update(units=[], streams=[]), "there is no input"),
        (lambda d: d.update(name=3), "its name is no text"),
    ],
)
def test_wiring_and_types_are_checked(damage: Any, message: str) -> None:
    document, arrays = dataflow_to_json(CHAIN)
    document = json.loads(json.dumps(document))
    damage(document)
    with pytest.raises(UsageError, match=message):
        dataflow_from_json(document, arrays)


@pytest.mark.parametrize("unit", EVERY, ids=lambda unit: unit.kind)
def test_every_number_of_a_unit_is_checked(unit: Unit) -> None:
    """A field of a unit that becomes negative, or endless, is refused or harmless: nothing of the unit fails on it."""
    for field in fields(unit):
        value = getattr(unit, field.name)
        options = (
            [-1, 0, 1 << 40] if type(value) is int else [(-1, 0), (0, 1)] if field.name in ("kernel", "stride") else []
        )
        for wrong in options:
            changed = unit.with_(**{field.name: wrong})
            if not changed.unsound() and not changed.frame_faults() and not changed.faults():
                assert changed.cycles > 0
                assert changed.resources is not None

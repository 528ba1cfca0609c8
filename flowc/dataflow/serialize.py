"""Dataflow graphs as JSON, with the arrays beside it (docs/design-json.md describes the schema)."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from flowc.dataflow.allocate.check import faults
from flowc.errors import DamagedError, shown
from flowc.model.dtypes import IntType, compact
from flowc.units import ACTIVATIONS, UNITS, Activation, Frame, Unit
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream
from flowc.units.sound import MOST_ELEMENTS

__all__ = ["dataflow_from_json", "dataflow_to_json", "narrow", "wiring_faults"]

_FIFO_MEMORIES = (None, "srl", "lutram", "bram", "uram")
_GREATEST = 1 << 62
_LISTED = 5


def narrow(array: Array) -> Array:
    """An integer array in the smallest dtype that holds it."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    lo, hi = int(array.min()), int(array.max())
    for name in ("int8", "uint8", "int16", "uint16", "int32"):
        info = np.iinfo(name)
        if info.min <= lo and hi <= info.max:
            return array.astype(name)
    return array


def dataflow_to_json(graph: Dataflow) -> tuple[dict[str, Any], dict[str, Array]]:
    """The graph as JSON values, and its arrays by key."""
    arrays: dict[str, Array] = {}

    def encode(value: Any, key: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[key] = narrow(value)
            return {"array": key}
        if isinstance(value, IntType):
            return str(value)
        if isinstance(value, Frame):
            return {"h": value.h, "w": value.w, "c": value.c, "dtype": str(value.dtype)}
        if isinstance(value, Activation):
            return {"kind": value.kind} | {
                f.name: encode(getattr(value, f.name), f"{key}.{f.name}") for f in fields(value)
            }
        if isinstance(value, tuple):
            return [encode(v, f"{key}.{i}") for i, v in enumerate(value)]
        return value

    units = [
        {"kind": u.kind} | {f.name: encode(getattr(u, f.name), f"{u.name}.{f.name}") for f in fields(u)}
        for u in graph.units.values()
    ]
    streams = [{f.name: getattr(s, f.name) for f in fields(Stream)} for s in graph.streams]
    return {"name": graph.name, "units": units, "streams": streams}, arrays


def dataflow_from_json(document: Mapping[str, Any], arrays: Mapping[str, Array], *, folded: bool = True) -> Dataflow:
    """The inverse of `dataflow_to_json`, checked whole: every field, every unit, every stream.

    Args:
        folded: whether the graph was folded for hardware, so that neighbours must have one width.

    Raises:
        DamagedError: the document is not of the schema, or what it describes contradicts itself.
    """
    try:
        units = [_unit(entry, arrays) for entry in _list_of(document, "units")]
        streams = [_build(Stream, entry, arrays, "a stream") for entry in _list_of(document, "streams")]
        name = document["name"]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DamagedError(f"{type(error).__name__} {error}") from error
    if not isinstance(name, str):
        raise DamagedError("its name is no text")
    found = [f"{u.name} ({u.kind}): {text}" for u in units for text in u.unsound() or u.frame_faults()]
    if not found:
        found = wiring_faults(units, streams)
    if found:
        raise DamagedError("; ".join(found[:_LISTED]))
    graph = Dataflow(name, units, streams)
    found = faults(graph, folded=folded)
    if found:
        raise DamagedError("; ".join(found[:_LISTED]))
    return graph


def wiring_faults(units: Sequence[Unit], streams: Sequence[Stream]) -> list[str]:
    """What is wrong with how units are joined: every port of a unit has one stream, and no stream runs back."""
    by_name = {u.name: u for u in units}
    if len(by_name) < len(units):
        return ["two units have one name"]
    if not any(u.kind == "input" for u in units) or not any(u.kind == "output" for u in units):
        return ["there is no input, or no output"]
    ends: dict[str, list[tuple[str, int]]] = {"into": [], "out of": []}
    for s in streams:
        if s.src not in by_name or s.dst not in by_name:
            return [f"stream {s.src} -> {s.dst}: there is no such unit"]
        if (s.depth is not None and not 1 <= s.depth <= MOST_ELEMENTS) or s.memory not in _FIFO_MEMORIES:
            return [f"stream {s.src} -> {s.dst}: no FIFO has a depth of {s.depth} in {s.memory}"]
        ends["out of"].append((s.src, s.src_port))
        ends["into"].append((s.dst, s.dst_port))
    wanted = {
        "into": [(u.name, k) for u in units if u.kind != "input" for k in range(len(u.inputs))],
        "out of": [(u.name, k) for u in units if u.kind != "output" for k in range(len(u.outputs))],
    }
    for side, found in ends.items():
        wrong = sorted(set(found) ^ set(wanted[side])) or sorted({end for end in found if found.count(end) > 1})
        if wrong:
            return [f"there is not one stream {side} port {wrong[0][1]} of {wrong[0][0]}"]
    order = TopologicalSorter[str]()
    for s in streams:
        order.add(s.dst, s.src)
    try:
        order.prepare()
    except CycleError:
        return ["streams run in a circle"]
    return []


def _list_of(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = document[key]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TypeError(f"'{key}' is no list of objects")
    return entries


def _unit(document: Mapping[str, Any], arrays: Mapping[str, Array]) -> Unit:
    unit: Unit = _build(UNITS[document["kind"]], document, arrays, "a unit")
    if not re.fullmatch(r"\w{1,1000}", unit.name, re.ASCII):
        raise ValueError(f"a unit is called {shown(unit.name)!r}")
    return unit


_HINTS: dict[type, dict[str, Any]] = {}


def _build(cls: type[Any], document: Mapping[str, Any], arrays: Mapping[str, Array], what: str) -> Any:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    hints = _HINTS[cls]
    name = document.get("name", what)
    unknown = set(document) - {f.name for f in fields(cls)} - {"kind"}
    if unknown:
        raise ValueError(f"{name} has an unknown field '{shown(min(unknown))}'")
    values = {}
    for f in fields(cls):
        if f.name in document:
            value = _decode(hints[f.name], document[f.name], arrays, f"'{f.name}' of {name}")
            values[f.name] = compact(value) if f.name == "weights" and value is not None else value
        elif f.default is MISSING:
            raise ValueError(f"{name} lacks '{f.name}'")
    return cls(**values)


def _decode(hint: Any, value: Any, arrays: Mapping[str, Array], what: str) -> Any:
    """The value of a field. Raises ValueError where it has another type than the field is declared with."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    options = typing.get_args(hint) if union else (hint,)
    if value is None and type(None) in options:
        return None
    for option in options:
        if option in (int, str, bool) and type(value) is option:
            if option is int and abs(value) > _GREATEST:
                break
            return value
        if option is IntType and isinstance(value, str):
            return IntType.parse(value)
        if option is Frame and isinstance(value, Mapping):
            h, w, c = (_decode(int, value[key], arrays, what) for key in ("h", "w", "c"))
            return Frame(h, w, c, IntType.parse(value["dtype"]))
        if option is Activation and isinstance(value, Mapping):
            return _build(ACTIVATIONS[value["kind"]], value, arrays, what)
        if option == Array and isinstance(value, Mapping):
            array = np.asarray(arrays[value["array"]])
            if array.dtype.kind not in "iu" or array.dtype == np.uint64:
                raise ValueError(f"{what} is an array of {array.dtype}")
            return array.astype(np.int64)
        if typing.get_origin(option) is tuple and isinstance(value, list):
            inner = typing.get_args(option)
            endless = len(inner) == 2 and inner[1] is Ellipsis
            if not endless and len(inner) != len(value):
                break
            return tuple(_decode(inner[0 if endless else i], v, arrays, what) for i, v in enumerate(value))
    raise ValueError(f"{what} is {shown(repr(value))}")

"""Dataflow graphs as JSON, with the arrays beside it (docs/design-json.md describes the schema)."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from flowc.errors import UsageError
from flowc.model.dtypes import IntType
from flowc.units import ACTIVATIONS, UNITS, Activation, Frame
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["dataflow_from_json", "dataflow_to_json", "narrow"]


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


def dataflow_from_json(document: Mapping[str, Any], arrays: Mapping[str, Array]) -> Dataflow:
    """The inverse of `dataflow_to_json`.

    Raises:
        UsageError: the document is not of the schema.
    """
    try:
        units = [_build(UNITS[u["kind"]], u, arrays) for u in document["units"]]
        streams = [Stream(**s) for s in document["streams"]]
        return Dataflow(document["name"], units, streams)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(
            f"the design file is damaged: {type(error).__name__} {error}", remedy="Build the design again"
        ) from error


_HINTS: dict[type, dict[str, Any]] = {}


def _build(cls: type[Any], document: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    hints = _HINTS[cls]
    values = {}
    for f in fields(cls):
        if f.name in document:
            values[f.name] = _decode(hints[f.name], document[f.name], arrays)
        elif f.default is MISSING:
            raise ValueError(f"{document.get('name', cls.__name__)} lacks '{f.name}'")
    return cls(**values)


def _decode(hint: Any, value: Any, arrays: Mapping[str, Array]) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping) and "array" in value:
        array = np.asarray(arrays[value["array"]])
        return array.astype(np.int64) if array.dtype.kind in "iu" else array
    options = (
        typing.get_args(hint)
        if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        else (hint,)
    )
    for option in options:
        if option is IntType:
            return IntType.parse(value)
        if option is Frame:
            return Frame(value["h"], value["w"], value["c"], IntType.parse(value["dtype"]))
        if option is Activation:
            return _build(ACTIVATIONS[value["kind"]], value, arrays)
        if typing.get_origin(option) is tuple:
            inner = typing.get_args(option)
            return tuple(
                _decode(inner[0] if len(inner) == 2 and inner[1] is Ellipsis else inner[i], v, arrays)
                for i, v in enumerate(value)
            )
    return value

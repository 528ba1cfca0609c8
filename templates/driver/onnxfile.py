"""Reads what the host's float graphs need of an ONNX file, without the onnx package (some boards have no wheel for it).

ONNX files are protocol buffers: fields of (number, wire type, value). The field numbers are those of ``onnx.proto``
(github.com/onnx/onnx); only the few that small inference graphs use are read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Tuple, Union

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["DTYPES", "Graph", "Node", "read_graph"]

DTYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
}  # fmt: skip
"""TensorProto.DataType to numpy."""

_Field = Tuple[int, Union[int, bytes]]


@dataclass
class Node:
    """One operator: names of its inputs ('' where one is left out) and outputs, attributes as Python values."""

    op: str
    domain: str
    inputs: List[str]
    outputs: List[str]
    attributes: Dict[str, Any]


@dataclass
class Graph:
    """A graph in execution order. ``inputs`` gives (dtype, shape) by name, without initializers."""

    nodes: List[Node] = field(default_factory=list)
    constants: Dict[str, Array] = field(default_factory=dict)
    inputs: Dict[str, Tuple[Any, Tuple[int, ...]]] = field(default_factory=dict)
    outputs: List[str] = field(default_factory=list)


def read_graph(data: bytes) -> Graph:
    """The main graph of an ONNX file."""
    graph = Graph()
    model = next(value for number, value in _fields(data) if number == 7)
    for number, value in _fields(model):
        if number == 1:
            graph.nodes.append(_node(value))
        elif number == 5:
            name, array = _tensor(value)
            graph.constants[name] = array
        elif number == 11:
            name, described = _value(value)
            graph.inputs[name] = described
        elif number == 12:
            graph.outputs.append(_value(value)[0])
    graph.inputs = {name: v for name, v in graph.inputs.items() if name not in graph.constants}
    return graph


def _fields(data: Any) -> Iterator[Tuple[int, Any]]:
    """(field number, int or bytes) of a message; fixed-width fields come as their bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, position = _varint(data, position)
        yield key >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _integers(value: Any) -> List[int]:
    """One integer, or a packed sequence of them."""
    if isinstance(value, int):
        return [_signed(value)]
    numbers, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        numbers.append(_signed(number))
    return numbers


def _node(data: bytes) -> Node:
    node = Node("", "", [], [], {})
    for number, value in _fields(data):
        if number == 1:
            node.inputs.append(value.decode())
        elif number == 2:
            node.outputs.append(value.decode())
        elif number == 4:
            node.op = value.decode()
        elif number == 5:
            name, content = _attribute(value)
            node.attributes[name] = content
        elif number == 7:
            node.domain = value.decode()
    return node


def _attribute(data: bytes) -> Tuple[str, Any]:
    name, kind = "", 0
    single: Dict[int, Any] = {}
    floats: List[float] = []
    integers: List[int] = []
    for number, value in _fields(data):
        if number == 1:
            name = value.decode()
        elif number == 7:
            floats.extend(np.frombuffer(value, "<f4").tolist())
        elif number == 8:
            integers.extend(_integers(value))
        elif number == 20:
            kind = value
        else:
            single[number] = value
    if kind == 1:
        return name, struct.unpack("<f", single.get(2, b"\0\0\0\0"))[0]
    if kind == 2:
        return name, _signed(single.get(3, 0))
    if kind == 3:
        return name, single.get(4, b"").decode()
    if kind == 4:
        return name, _tensor(single[5])[1]
    return name, floats if kind == 6 else integers


def _tensor(data: bytes) -> Tuple[str, Array]:
    name, raw = "", b""
    dims: List[int] = []
    dtype: np.dtype[Any] = np.dtype(np.float32)
    typed: List[Array] = []
    for number, value in _fields(data):
        if number == 1:
            dims.extend(_integers(value))
        elif number == 2:
            dtype = np.dtype(DTYPES[value])
        elif number == 8:
            name = value.decode()
        elif number == 9:
            raw = bytes(value)
        elif number in (4, 10):
            typed.append(np.frombuffer(value, "<f4" if number == 4 else "<f8"))
        elif number in (5, 7, 11):
            typed.append(np.array(_integers(value), np.int64))
    if raw:
        array: Array = np.frombuffer(raw, dtype.newbyteorder("<"))
    else:
        array = np.concatenate(typed) if typed else np.zeros(0)
    return name, array.astype(dtype).reshape(dims)


def _value(data: bytes) -> Tuple[str, Tuple[Any, Tuple[int, ...]]]:
    """Name, dtype and shape of a ValueInfoProto; dimensions without a value are 0."""
    name = ""
    dtype: np.dtype[Any] = np.dtype(np.float32)
    shape: List[int] = []
    for number, value in _fields(data):
        if number == 1:
            name = value.decode()
        elif number == 2:
            for inner, content in _fields(next(v for n, v in _fields(value) if n == 1)):
                if inner == 1:
                    dtype = np.dtype(DTYPES[content])
                else:
                    dims = [d for n, d in _fields(content) if n == 1]
                    shape = [next((int(v) for n, v in _fields(d) if n == 1), 0) for d in dims]
    return name, (dtype, tuple(shape))

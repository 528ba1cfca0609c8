"""Random damage to files: bytes of any file, fields of an ONNX model that stays a well-formed protobuf, parts of a saved design."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["damaged_bytes", "damaged_design", "damaged_model"]

INTEGERS = (
    -1,
    0,
    1,
    2,
    3,
    7,
    8,
    64,
    255,
    256,
    65535,
    1 << 20,
    1 << 31,
    (1 << 31) - 1,
    -(1 << 31),
    (1 << 63) - 1,
    -(1 << 63),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-20, 1e20, 3e38, -3e38, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", " ", "x", "ROUND", "\x00", "\x1b[31m", "<script>", "../../etc/passwd", "ü" * 40, "n" * 5000, "CON", "y")
OPERATORS = (
    "Relu", "Conv", "MatMul", "Gemm", "Add", "Mul", "Div", "Sub", "Quant", "BipolarQuant", "Trunc", "MaxPool", "AveragePool",
    "Transpose", "Reshape", "Flatten", "Concat", "Softmax", "ArgMax", "Clip", "Sigmoid", "Identity", "Cast", "LRN", "Loop",
    "QuantizeLinear", "DequantizeLinear", "Resize", "Pad", "Slice", "Gather", "Nonsense", "",
)  # fmt: skip


def damaged_bytes(data: bytes, random: Random) -> bytes:
    """A few edits of raw bytes: flips, cuts, repeats, insertions."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(len(found) + 1) if found else 0
        length = random.choice((1, 1, 2, 8, 64, 4096))
        match random.randrange(6):
            case 0 if at < len(found):
                found[at] ^= 1 << random.randrange(8)
            case 1 if at < len(found):
                found[at] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
            case 2:
                del found[at : at + length]
            case 3:
                found[at:at] = found[at : at + length]
            case 4:
                found[at:at] = random.randbytes(min(length, 64))
            case _:
                if random.random() < 0.3:
                    del found[at:]
    return bytes(found)


def damaged_model(model: onnx.ModelProto, random: Random) -> onnx.ModelProto:
    """A copy with one to three fields changed; a well-formed protobuf still."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(_MODEL_EDITS)(found, random)
    return found


def _node(model: onnx.ModelProto, random: Random) -> onnx.NodeProto | None:
    return random.choice(model.graph.node) if model.graph.node else None


def _rewire(model: onnx.ModelProto, random: Random) -> None:
    node = _node(model, random)
    names = [n for other in model.graph.node for n in (*other.input, *other.output)] + [
        t.name for t in model.graph.initializer
    ]
    if node is None or not names:
        return
    ends = random.choice((node.input, node.input, node.output))
    if not len(ends) or random.random() < 0.2:
        ends.append(random.choice((*names, "")))
    elif random.random() < 0.2:
        del ends[random.randrange(len(ends))]
    else:
        ends[random.randrange(len(ends))] = random.choice((*names, "", *TEXTS[:3]))


def _operator(model: onnx.ModelProto, random: Random) -> None:
    node = _node(model, random)
    if node is not None:
        if random.random() < 0.7:
            node.op_type = random.choice(OPERATORS)
        else:
            node.domain = random.choice(("", "com.microsoft", "qonnx.custom_op.general", "nobody", TEXTS[4]))


def _attribute(model: onnx.ModelProto, random: Random) -> None:
    node = _node(model, random)
    if node is None:
        return
    if not node.attribute or random.random() < 0.2:
        name = random.choice(
            ("axis", "pads", "strides", "dilations", "group", "kernel_shape", "perm", "signed", "alpha", "to")
        )
        value: Any = random.choice(
            (random.choice(INTEGERS[:12]), [random.choice(INTEGERS[:10]) for _ in range(random.randrange(1, 5))])
        )
        node.attribute.append(helper.make_attribute(name, value))
        return
    attribute = random.choice(node.attribute)
    if random.random() < 0.15:
        node.attribute.remove(attribute)
    elif attribute.ints:
        values = list(attribute.ints)
        if random.random() < 0.7:
            values[random.randrange(len(values))] = random.choice(INTEGERS)
        else:
            values = [*values, random.choice(INTEGERS)] if random.random() < 0.5 else values[1:]
        del attribute.ints[:]
        attribute.ints.extend(values)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = random.choice(FLOATS)
    elif attribute.type == onnx.AttributeProto.STRING:
        attribute.s = random.choice(TEXTS).encode()
    else:
        attribute.i = random.choice(INTEGERS)


def _structure(model: onnx.ModelProto, random: Random) -> None:
    nodes = list(model.graph.node)
    if not nodes:
        return
    at = random.randrange(len(nodes))
    match random.randrange(4):
        case 0:
            del nodes[at]
        case 1:
            nodes.insert(random.randrange(len(nodes) + 1), nodes[at])
        case 2:
            random.shuffle(nodes)
        case _:
            nodes[at].name = random.choice(TEXTS)
    copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _constant(model: onnx.ModelProto, random: Random) -> None:
    if not model.graph.initializer:
        return
    tensor = random.choice(model.graph.initializer)
    match random.randrange(7):
        case 0 if tensor.dims:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice(INTEGERS)
        case 1:
            tensor.dims.append(random.choice((0, 1, 2, -1)))
        case 2:
            tensor.data_type = random.choice(sorted(TensorProto.DataType.values()))
        case 3:
            tensor.name = random.choice(TEXTS)
        case 4:
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=random.choice(("model.onnx", "/etc/passwd", "..", "")))
        case _:
            _values(tensor, random)


def _values(tensor: onnx.TensorProto, random: Random) -> None:
    if tensor.data_location == TensorProto.EXTERNAL:
        return
    try:
        array = numpy_helper.to_array(tensor).copy()
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    if not array.size or array.dtype.kind not in "fiub":
        return
    flat = array.reshape(-1)
    where = random.randrange(flat.size) if random.random() < 0.6 else slice(None)
    with np.errstate(all="ignore"):
        if array.dtype.kind == "f":
            flat[where] = np.float64(random.choice(FLOATS)).astype(array.dtype)
        else:
            flat[where] = np.array(random.choice(INTEGERS), np.int64).astype(array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _interface(model: onnx.ModelProto, random: Random) -> None:
    values = [*model.graph.input, *model.graph.output]
    if not values:
        return
    value = random.choice(values)
    dims = value.type.tensor_type.shape.dim
    match random.randrange(6):
        case 0 if len(dims):
            dims[random.randrange(len(dims))].dim_value = random.choice(INTEGERS)
        case 1 if len(dims):
            dims[random.randrange(len(dims))].dim_param = random.choice(("N", "", "batch"))
        case 2:
            value.type.tensor_type.elem_type = random.choice(sorted(TensorProto.DataType.values()))
        case 3:
            value.name = random.choice(TEXTS)
        case 4:
            ends = random.choice((model.graph.input, model.graph.output))
            if len(ends):
                ends.append(ends[0])
        case _:
            ends = random.choice((model.graph.input, model.graph.output))
            if len(ends):
                del ends[random.randrange(len(ends))]


def _header(model: onnx.ModelProto, random: Random) -> None:
    if model.opset_import and random.random() < 0.7:
        entry = random.choice(model.opset_import)
        if random.random() < 0.5:
            entry.version = random.choice((*INTEGERS, 9, 13, 18, 20, 21))
        else:
            entry.domain = random.choice(("", "nobody", "ai.onnx.ml", TEXTS[3]))
    elif random.random() < 0.5:
        model.ir_version = random.choice((0, 3, 8, 10, 13, 14, 1 << 40))
    else:
        model.graph.name = random.choice(TEXTS)


_MODEL_EDITS: tuple[Callable[[onnx.ModelProto, Random], None], ...] = (
    _rewire, _rewire, _operator, _attribute, _attribute, _structure, _constant, _constant, _constant, _interface, _header,
)  # fmt: skip


def damaged_design(folder: Path, random: Random) -> str:
    """Damages one file of a saved design in place; says which one, and how."""
    kind = random.choice(("json", "json", "json", "arrays", "arrays", "model", "bytes"))
    if kind == "json":
        path = folder / random.choice(("design.json", "design.json", "design.json", "report.json"))
        document = json.loads(path.read_text())
        for _ in range(random.choice((1, 1, 2))):
            _edit_json(document, random)
        path.write_text(json.dumps(document))
    elif kind == "arrays":
        path = folder / "weights.npz"
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        _edit_arrays(arrays, random)
        with io.BytesIO() as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            path.write_bytes(file.getvalue())
    else:
        names = [p.name for p in sorted(folder.iterdir()) if kind == "bytes" or p.suffix == ".onnx"]
        path = folder / random.choice(names)
        if kind == "model":
            damaged = damaged_model(onnx.load(path), random).SerializeToString()
        else:
            damaged = damaged_bytes(path.read_bytes(), random)
        path.write_bytes(damaged)
    return f"{kind} of {path.name}"


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) of a document."""
    if isinstance(document, dict | list):
        for key in document if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from _places(document[key])


def _edit_json(document: Any, random: Random) -> None:
    places = list(_places(document))
    if not places:
        return
    container, key = random.choice(places)
    value = container[key]
    odd = random.choice(
        (None, True, -1, 0, 2, 1 << 40, 10**400, 0.5, "", "x", [], {}, [1], {"array": "nothing"}, "uint4", "int64")
    )
    match random.randrange(5):
        case 0:
            del container[key]
        case 1 if type(value) is int:
            container[key] = random.choice((value + 1, value - 1, -value, value * 2, value // 2))
        case 2 if isinstance(container, list):
            container.insert(random.randrange(len(container) + 1), container[key])
        case 3:
            other, place = random.choice(places)
            container[key] = json.loads(json.dumps(other.get(place) if isinstance(other, dict) else None))
        case _:
            container[key] = odd


def _edit_arrays(arrays: dict[str, Any], random: Random) -> None:
    if not arrays:
        return
    name = random.choice(sorted(arrays))
    array = arrays[name]
    with np.errstate(all="ignore"):
        match random.randrange(6):
            case 0:
                del arrays[name]
            case 1:
                arrays[name] = array.reshape(-1)[: max(0, array.size - 1)]
            case 2:
                arrays[name] = array[None]
            case 3:
                arrays[name] = array.astype(
                    random.choice((np.float32, np.int8, np.uint64, np.complex64, np.bool_, "U4"))
                )
            case 4:
                arrays[name] = arrays[random.choice(sorted(arrays))]
            case _:
                changed = array.copy()
                if changed.size:
                    flat = changed.reshape(-1)
                    flat[random.randrange(flat.size)] = np.array(random.choice(INTEGERS[:12])).astype(changed.dtype)
                arrays[name] = changed

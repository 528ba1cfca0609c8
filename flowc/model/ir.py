"""Small helpers on onnx-ir, the library that holds flowc's model graph.

Importers and passes meet ONNX graphs only through onnx-ir and these few functions, so that names stay unique, every
node keeps the ONNX names it came from, and constants stay plain numpy arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from flowc.errors import ModelError

__all__ = [
    "BATCH",
    "DOMAIN",
    "ORIGIN",
    "Editor",
    "array_of",
    "declared_batch",
    "float_attr",
    "initializer",
    "int_attr",
    "ints_attr",
    "is_op",
    "label",
    "origins",
    "remove_dead",
    "required",
    "shape_of",
    "str_attr",
]

DOMAIN = "flowc"
"""Domain of flowc's own operators."""
ORIGIN = "flowc.origin"
"""Node metadata key: the ONNX nodes it came from, separated by ';'."""
BATCH = "flowc.batch"
"""Model metadata key: the batch size the file declared, "" when it is dynamic."""

_MOST_INSERTED = 2**27

AttrValue = int | float | str | Sequence[int] | Sequence[float]


def label(node: ir.Node) -> str:
    """What a person would call the node: its name, or its first output's when it has none."""
    return node.name or next((o.name for o in node.outputs if o.name), None) or node.op_type


def is_op(node: ir.Node | None, op_type: str, domain: str = "") -> bool:
    """True for a node of that operator and domain (default: standard ONNX)."""
    return node is not None and node.op_type == op_type and node.domain == domain


def origins(node: ir.Node) -> tuple[str, ...]:
    """Names of the ONNX nodes `node` came from, in order, without repeats."""
    stored = node.metadata_props.get(ORIGIN)
    return tuple(stored.split(";")) if stored else ()


def origin_text(names: Iterable[str]) -> str:
    """`names` as one origin entry: no repeats, no newline, no separator inside a name."""
    clean = (" ".join(n.replace(";", ",").split()) for n in names)
    return ";".join(dict.fromkeys(n for n in clean if n))


def array_of(value: ir.Value | None) -> npt.NDArray[Any] | None:
    """The array of a constant (an initializer), or None for anything computed at run time."""
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    return value.const_value.numpy()


_STATIC = frozenset({int})


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a value.

    Raises:
        ModelError: the shape is unknown or has a symbolic dimension.
    """
    dims = (None,) if value.shape is None else value.shape.dims
    if _STATIC.issuperset(map(type, dims)):
        return cast("tuple[int, ...]", dims)
    known = tuple(d for d in dims if isinstance(d, int))
    if len(known) < len(dims):
        raise ModelError(
            f"the shape of tensor '{value.name}' is not known", remedy="export the model with static shapes"
        )
    return known


def required(node: ir.Node, index: int) -> ir.Value:
    """Input `index` of a node.

    Raises:
        ModelError: the node does not have it.
    """
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise ModelError(f"{node.op_type} lacks its input {index}", node=label(node), remedy="export it again")
    return value


def optional(node: ir.Node, index: int) -> ir.Value | None:
    """Input `index` of a node, None when it is absent."""
    return node.inputs[index] if index < len(node.inputs) else None


def int_attr(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute, or `default`."""
    return int(_attr(node, name, ir.AttributeType.INT, default))


def float_attr(node: ir.Node, name: str, default: float) -> float:
    """A float attribute, or `default`."""
    return float(_attr(node, name, ir.AttributeType.FLOAT, default))


def str_attr(node: ir.Node, name: str, default: str) -> str:
    """A string attribute, or `default`."""
    return str(_attr(node, name, ir.AttributeType.STRING, default))


def ints_attr(node: ir.Node, name: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
    """A list-of-integers attribute, or `default`."""
    found = _attr(node, name, ir.AttributeType.INTS, default)
    return None if found is None else tuple(int(i) for i in found)


def _attr(node: ir.Node, name: str, kind: ir.AttributeType, default: Any) -> Any:
    attr = node.attributes.get(name)
    if attr is None:
        return default
    if attr.type != kind or attr.value is None:
        raise ModelError(
            f"attribute '{name}' of {node.op_type} is not of type {kind.name}",
            node=label(node),
            remedy="export the model again",
        )
    return attr.value


def declared_batch(model: ir.Model) -> int | None:
    """The batch size the imported file declared; None when it was dynamic."""
    text = model.metadata_props.get(BATCH, "")
    return int(text) if text else None


def remove_dead(graph: ir.Graph) -> None:
    """Drop nodes no output depends on, and initializers nobody reads."""
    dead: set[ir.Node] = set()
    for node in reversed(graph):
        if not any(o.is_graph_output() or any(use.node not in dead for use in o.uses()) for o in node.outputs):
            dead.add(node)
    graph.remove(dead, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]


def initializer(name: str, array: npt.NDArray[Any]) -> ir.Value:
    """A constant that is in no graph yet."""
    tensor = ir.Tensor(array, name=name)
    return ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)


def _attribute(name: str, value: AttrValue) -> ir.Attr:
    """An attribute of the type that its value has; a sequence that is empty is one of integers."""
    match value:
        case int():
            return ir.AttrInt64(name, value)
        case float():
            return ir.AttrFloat32(name, value)
        case str():
            return ir.AttrString(name, value)
    if all(isinstance(v, int) for v in value):
        return ir.AttrInt64s(name, [int(v) for v in value])
    return ir.AttrFloat32s(name, value)


class Editor:
    """Adds and replaces nodes in one graph, keeping names unique and origins carried along.

    The names of the graph are read when the first new one is asked for, in O(graph).
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._suffix: dict[str, int] = {}

    @cached_property
    def _names(self) -> set[str | None]:
        taken = {v.name for v in self.graph.inputs} | set(self.graph.initializers)
        for node in self.graph:
            taken.add(node.name)
            taken.update([o.name for o in node.outputs])
        return taken

    def fresh(self, hint: str) -> str:
        """A name like `hint` that nothing in the graph has yet; it counts as taken from now on."""
        name, count = hint, self._suffix.get(hint, 0)
        while not name or name in self._names:
            count += 1
            name = f"{hint}_{count}"
        self._suffix[hint] = count
        self._names.add(name)
        return name

    def constant(self, array: npt.ArrayLike, hint: str) -> ir.Value:
        """A new initializer holding `array` (its dtype is kept)."""
        data = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        name = self.fresh(hint)
        value = initializer(name, data)
        self.graph.register_initializer(value)
        return value

    def constant_named_after(self, value: ir.Value, array: npt.ArrayLike) -> ir.Value:
        """A new initializer that takes over the name of `value`, which is about to disappear."""
        name = value.name or "constant"
        value.name = self.fresh(f"{name}/was")
        self._names.discard(name)
        return self.constant(array, name)

    def insert(
        self,
        before: ir.Node,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, AttrValue] | None = None,
        *,
        domain: str = "",
        hint: str | None = None,
        origin: Iterable[str] | None = None,
        shape: Sequence[int] | None = None,
        dtype: ir.DataType | None = ir.DataType.FLOAT,
    ) -> ir.Value:
        """Put a one-output node in front of `before` and return its output.

        `hint` names the output (default: after the op and `before`); `origin` defaults to the origin of `before`.

        Raises:
            ModelError: its output would be absurdly large (padding may ask for that).
        """
        if shape is not None and prod(shape) > _MOST_INSERTED:
            sizes = " x ".join(map(str, shape))
            raise ModelError(
                f"it takes a tensor of {sizes} elements in between, and flowc handles up to {_MOST_INSERTED}",
                node=label(before),
                remedy="check its padding, strides and dilations",
            )
        name = self.fresh(hint if hint is not None else f"{label(before)}/{op_type}")
        output = ir.Value(name=name, type=ir.TensorType(dtype) if dtype is not None else None)
        if shape is not None:
            output.shape = ir.Shape(shape)
        attrs = [_attribute(n, v) for n, v in attributes.items()] if attributes else ()
        node = ir.Node(domain, op_type, inputs, attrs, outputs=[output], name=name)
        inherited = before.metadata_props.get(ORIGIN) if origin is None else None
        node.metadata_props[ORIGIN] = inherited or origin_text([label(before)] if origin is None else origin)
        self.graph.insert_before(before, node)
        return output

    def replace(self, node: ir.Node, value: ir.Value) -> None:
        """Let `value` stand for the only used output of `node`, under that output's name where it can; drop `node`."""
        old = node.outputs[0]
        self.substitute(old, value, before=node)
        self.graph.remove(node, safe=True)

    def substitute(self, old: ir.Value, new: ir.Value, *, before: ir.Node) -> None:
        """Send every use of `old` to `new`; a graph output keeps its name, if need be by an Identity."""
        name, shape, dtype = old.name, old.shape, old.dtype
        if old.is_graph_output():
            if new.producer() is None or new.is_graph_output():
                new = self.insert(before, "Identity", [new], dtype=new.dtype)
            old.name = self.fresh(f"{name}/was")
            self._names.discard(new.name)
            new.name = name
        if new.shape is None and shape is not None:
            new.shape = shape
        if new.dtype is None and dtype is not None:
            new.dtype = dtype
        old.replace_all_uses_with(new, replace_graph_outputs=True)

    def drop(self, node: ir.Node) -> None:
        """Remove a node whose outputs nobody uses any more."""
        self.graph.remove(node, safe=True)

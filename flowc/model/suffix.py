"""The end of a model that only onnxruntime can run: kept beside the model graph, and put behind it again where that is written out."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
import onnx_ir as ir

__all__ = ["Suffix", "result_types", "set_suffix", "suffix_of"]

_KEY = "flowc.suffix"


@dataclass(frozen=True, eq=False)
class Suffix:
    """Attributes.

    model: standard operators, in the operator set of the model graph; its inputs are outputs of that graph.
    results: the outputs of the whole model, in order; some of them may be the model graph's own.
    """

    model: onnx.ModelProto
    results: tuple[str, ...]


def set_suffix(model: ir.Model, suffix: Suffix) -> None:
    """Keep the suffix of a model with it."""
    model.meta[_KEY] = suffix


def suffix_of(model: ir.Model) -> Suffix | None:
    """The suffix of a model, None where the model graph is all there is."""
    found = model.meta.get(_KEY)
    return found if isinstance(found, Suffix) else None


def result_types(model: ir.Model) -> dict[str, ir.DataType]:
    """The outputs of the whole model, in order, with their element types."""
    own = {v.name or "": v.dtype or ir.DataType.FLOAT for v in model.graph.outputs}
    suffix = suffix_of(model)
    if suffix is None:
        return own
    types = own | {o.name: ir.DataType(o.type.tensor_type.elem_type) for o in suffix.model.graph.output}
    return {name: types[name] for name in suffix.results}

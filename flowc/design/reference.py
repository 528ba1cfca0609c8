"""The reference under onnxruntime: sample by sample, or in batches where a batch gives the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from flowc.errors import ModelError
from flowc.model.runtime import open_session, run_session
from flowc.units.base import Array

if TYPE_CHECKING:
    import onnxruntime as ort

__all__ = ["ReferenceRunner"]

Tensors = dict[str, Array]

_ROOM = 96 << 20
"""Bytes of the reference's tensors that are kept at once."""
_MOST_SAMPLES = 64
_TRIED = 2


class ReferenceRunner:
    """The reference (optimizations off).

    Attributes:
        outputs: its outputs.
        in_batches: whether several samples go through it at once; None until it was tried.
    """

    def __init__(self, model: onnx.ModelProto, *, threads: int = 2) -> None:
        self.outputs = [o.name for o in model.graph.output]
        self.in_batches: bool | None = None
        self._dtypes = {
            v.name: onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in model.graph.input
        }
        self._model, self._threads = model, threads
        self._session = open_session(model, threads=threads)

    def run(self, inputs: Mapping[str, Array], index: int) -> Tensors:
        """Every output of the reference for sample ``index`` of the inputs, computed alone."""
        return self._results(self._session, inputs, index, index + 1)

    def batches(self, inputs: Mapping[str, Array]) -> Iterator[tuple[int, list[Tensors]]]:
        """All samples, as many at once as their tensors fit a fixed room: the first one's index, and the outputs of each.

        Whether the samples of a batch influence one another is tried with two of them, not proven: what a batch gives may say
        that a value is right, and before one is called wrong, the sample is to `run` alone.
        """
        index, count = 0, len(next(iter(inputs.values())))
        while index < count:
            found = [self.run(inputs, index)]
            room = _ROOM // max(1, sum(a.nbytes for a in found[0].values()))
            last = min(count, index + max(1, min(room, _MOST_SAMPLES)))
            yield index, found + self._several(inputs, index + 1, last)
            index = last

    def _several(self, inputs: Mapping[str, Array], first: int, last: int) -> list[Tensors]:
        if self.in_batches is None and last - first >= _TRIED:
            self._try(inputs, first)
        if self.in_batches and last - first >= _TRIED:
            found = self._split(self._results(self._session, inputs, first, last), last - first)
            if found is not None:
                return found
        return [self.run(inputs, i) for i in range(first, last)]

    def _try(self, inputs: Mapping[str, Array], first: int) -> None:
        """Batches from here on, if two samples come out of one as they do alone, bit for bit."""
        self.in_batches = False
        alone = [self.run(inputs, i) for i in range(first, first + _TRIED)]
        try:
            session = open_session(_batched(self._model), threads=self._threads)
            together = self._split(self._results(session, inputs, first, first + _TRIED), _TRIED)
        except ModelError:
            return
        if together is not None and all(_same(a, b) for a, b in zip(alone, together, strict=True)):
            self.in_batches, self._session = True, session

    def _results(self, session: ort.InferenceSession, inputs: Mapping[str, Array], first: int, last: int) -> Tensors:
        feed = {n: np.ascontiguousarray(a[first:last], self._dtypes[n]) for n, a in inputs.items()}
        return dict(zip(self.outputs, run_session(session, self.outputs, feed), strict=True))

    @staticmethod
    def _split(results: Tensors, count: int) -> list[Tensors] | None:
        """The outputs of each sample; None where an output is not one entry per sample."""
        if any(a.ndim == 0 or len(a) != count for a in results.values()):
            return None
        return [{n: a[i : i + 1] for n, a in results.items()} for i in range(count)]


def _same(a: Tensors, b: Tensors) -> bool:
    return all(a[n].shape == b[n].shape and a[n].tobytes() == b[n].tobytes() for n in a)


def _batched(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a free first dimension; a reshape to one sample keeps its first dimension."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in copy.graph.input:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    shapes = {n.input[1] for n in copy.graph.node if n.op_type == "Reshape"}
    for initializer in copy.graph.initializer:
        if initializer.name in shapes:
            shape = numpy_helper.to_array(initializer).copy()
            if shape.size > 1 and shape[0] == 1:
                shape[0] = 0
                initializer.CopyFrom(numpy_helper.from_array(shape, initializer.name))
    return copy

"""Emulation speed against onnxruntime on the same net, measured interleaved in one run.

    python -m benchmarks.emulation MODEL.onnx [--batch 128] [--repeats 5] [--input-type TYPE]

Both sides use two threads. onnxruntime runs the expanded reference model (standard operators, initializers inside the graph) with all
optimizations. The integers of both are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime as ort

from flowc.dataflow.emulator import emulate
from flowc.model.input_type import InputType
from flowc.streamline.compile import compile_model


def batched(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a free batch dimension at its inputs and outputs, integer outputs dropped."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[1:]
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    for initializer in copy.graph.initializer:
        if initializer.data_type == onnx.TensorProto.INT64 and len(initializer.dims) == 1:
            shape = onnx.numpy_helper.to_array(initializer).copy()
            users = [n for n in copy.graph.node if n.op_type == "Reshape" and n.input[1] == initializer.name]
            if users and shape.size and shape[0] == 1:
                shape[0] = 0
                initializer.CopyFrom(onnx.numpy_helper.from_array(shape, initializer.name))
    return copy


_REST = 0.1
"""Seconds before each measurement: onnxruntime's threads spin for a while after a run, on the cores that the other side needs."""


def median(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--input-type")
    options = parser.parse_args()
    kind = InputType.parse(options.input_type) if options.input_type else None
    compiled = compile_model(options.model, input_type=kind)
    name, spec = next(iter(compiled.inputs.items()))
    x = np.random.default_rng(0).random((options.batch, *spec.shape)).astype(np.float32)
    session_options = ort.SessionOptions()
    session_options.intra_op_num_threads = 2
    session_options.log_severity_level = 3
    session = ort.InferenceSession(
        batched(compiled.reference).SerializeToString(), session_options, providers=["CPUExecutionProvider"]
    )
    heads = compiled.head.run({name: x}) if compiled.head else {}
    ports = {
        u.name: compiled.ports[u.name].to_stream(heads[u.tensor], u.frame.shape).astype(np.float32)
        for u in compiled.graph.inputs
    }
    result = emulate(compiled.graph, ports)
    integers = {u.tensor: compiled.ports[u.name].from_stream(result[u.name]) for u in compiled.graph.outputs}
    ours = compiled.tail.run({name: x, **heads, **integers}) if compiled.tail else integers
    theirs = session.run(None, {name: x})[0]
    first = next(iter(compiled.outputs))
    worst = float(np.abs(np.asarray(ours[first], np.float64).reshape(theirs.shape) - theirs).max())
    both = [(lambda: session.run(None, {name: x})), (lambda: emulate(compiled.graph, ports))]
    times = [[], []]  # type: list[list[float]]
    for _ in range(options.repeats):
        for side, function in enumerate(both):
            time.sleep(_REST)
            times[side].append(median(function, 1))
    runtime, emulator = (options.batch / statistics.median(t) for t in times)
    print(f"largest output difference {worst:.2e}")
    print(f"onnxruntime {runtime:9.1f} images/s   emulator {emulator:9.1f} images/s   ratio {emulator / runtime:.2f}")


if __name__ == "__main__":
    main()

"""Speed of the emulator beside other ways to run the same network, measured in one run.

    python -m benchmarks.speed [--nets NAME,...] [--rounds 5] [--json FILE] [--against FILE] [--csim] [--loopback] [--threads 2]

Sides: the emulator by compiled kernels and in numpy; with --loopback the descriptors of a loopback engine for an Ultra96, by kernels;
onnxruntime on the reference model (standard operators, initializers inside the graph, all optimizations); qonnx' executor, on few
samples, where qonnx is installed; with --csim the generated C++ compiled by g++, for the smallest net. Before anything is timed, every
integer tensor is compared with the reference, and the kernels with numpy on the whole batch. Every round times each side once, one after
the other, so that what else the machine does falls on all of them; medians are compared. With --against, ratios to onnxruntime are
compared with those of a stored run: exit code 1 if one fell by a quarter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

import flowc
from benchmarks.models import write_model
from flowc import kernels
from flowc.api import build
from flowc.dataflow.emulator import emulate, unfolded
from flowc.dataflow.native import planned
from flowc.design.design import Design

Array = NDArray[Any]
Side = Callable[[], object]

BATCHES: dict[str, tuple[int, ...]] = {
    "tfc-2w2a": (1, 1024),
    "cnv-1w1a": (1, 128),
    "cnv-2w2a": (1, 128),
    "resnet18-4w4a": (1, 64),
    "mobilenetv1-4w4a": (1, 8),
    "resnet8-int8": (1, 128),
}
_REST = 0.1
"""Seconds before each measurement: onnxruntime's threads spin for a while after a run, on the cores that the other side needs."""
_SHORTEST = 0.02
"""Seconds that a measurement takes at least; what is faster runs several times."""
_FELL = 0.75
_QONNX_SAMPLES = 1


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


def runtime_session(model: onnx.ModelProto, threads: int) -> ort.InferenceSession:
    """A session at its best: all optimizations (the default)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(batched(model).SerializeToString(), options, providers=["CPUExecutionProvider"])


class Network:
    """A network with everything that runs it.

    Args:
        name: in `benchmarks.models.MODELS`.
        folder: for its ONNX file.
        threads: of each side.
        loopback: whether the descriptors of a loopback engine are a side.
    """

    def __init__(self, name: str, folder: Path, threads: int, *, loopback: bool = False) -> None:
        self.name, self.threads = name, threads
        self.path = write_model(name, folder)
        self.looped = build(self.path, "ultra96", execution="loopback", verify=False) if loopback else None
        # A device that every network fits: its size does not matter to the emulator.
        self.design: Design = build(self.path, "u250", fps=1, verify=False)
        self.session = runtime_session(self.design.reference, threads)
        (self.input, self.spec), *_ = self.design.inputs.items()

    def samples(self, count: int) -> Array:
        """Images, 0 to 1."""
        return np.random.default_rng(0).random((count, *self.spec.shape)).astype(np.float32)

    def ports(self, x: Array) -> dict[str, Array]:
        """Integers at the accelerator's input ports."""
        return self.design.to_ports(self.design.run_head({self.input: x}))

    def check(self, batch: int) -> dict[str, int]:
        """Compares integers before they are timed; raises AssertionError."""
        found = self.design.verify({self.input: self.samples(2)})
        ports = self.ports(self.samples(batch))
        right = emulate(self.design.graph, ports, emulator="numpy")
        fast = emulate(self.design.graph, ports, emulator="native")
        for port, values in right.items():
            assert np.array_equal(fast[port], values), f"{self.name}: the kernels differ from numpy at {port}"
            if self.looped is not None:
                looped = self.looped.plan.run(ports)[port]
                assert np.array_equal(looped, values), f"{self.name}: the descriptors differ from numpy at {port}"
        return {
            "values": found["values"],
            "mismatches": found["mismatches"],
            "batch_values": sum(a.size for a in right.values()),
        }

    def sides(self, batch: int) -> dict[str, Side]:
        """What is timed on a batch."""
        x = self.samples(batch)
        ports, graph = self.ports(x), self.design.graph
        sides: dict[str, Side] = {
            "onnxruntime": lambda: self.session.run(None, {self.input: x}),
            "native": lambda: emulate(graph, ports, threads=self.threads, emulator="native"),
            "numpy": lambda: emulate(graph, ports, threads=self.threads, emulator="numpy"),
        }
        if self.looped is not None:
            plan = self.looped.plan
            sides["descriptors"] = lambda: plan.run(ports)
        return sides


def timed(side: Side) -> float:
    """Seconds of one run."""
    runs, start = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - start < _SHORTEST:
        side()
        runs += 1
    return (time.perf_counter() - start) / runs


def interleaved(sides: Mapping[str, Side], rounds: int) -> dict[str, list[float]]:
    """Seconds of every side in every round, after one run that warms it up."""
    for side in sides.values():
        side()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            time.sleep(_REST)
            times[name].append(timed(side))
    return times


def entry(net: Network, batch: int, times: Mapping[str, list[float]], counts: Mapping[str, int]) -> dict[str, Any]:
    """The record of one net and batch: images/s, and each side's ratio to onnxruntime round by round."""
    ratios = {
        name: statistics.median(a / b for a, b in zip(times["onnxruntime"], own, strict=True))
        for name, own in times.items()
    }
    return {
        "net": net.name,
        "batch": batch,
        "compared": dict(counts),
        "numpy_units": planned(unfolded(net.design.graph)).numpy_units,
        "images_per_s": {name: batch / statistics.median(own) for name, own in times.items()},
        "ratio_to_onnxruntime": ratios,
        "seconds": {name: list(own) for name, own in times.items()},
    }


def qonnx_seconds(net: Network, x: Array) -> float | None:
    """Seconds per sample of qonnx' executor on the model as it was exported; None without qonnx, or where it can't run it."""
    try:
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes
    except ImportError:
        return None
    proto = onnx.load(net.path)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    wrapped = ModelWrapper(proto).transform(InferShapes())
    start = time.perf_counter()
    for sample in x:
        execute_onnx(wrapped, {net.input: sample[None]})
    return (time.perf_counter() - start) / len(x)


def csim_rate(net: Network) -> float:
    """Frames per second of the generated C++, compiled by g++, on the frames of its own test."""
    from flowc.design.csim import check

    with tempfile.TemporaryDirectory() as folder:
        net.design.save(Path(folder) / net.name)
        return float(check(net.design, Path(folder) / net.name, samples=64)["frames_per_second"])


def machine(threads: int) -> dict[str, Any]:
    """What the figures depend on."""
    library = kernels.load()
    blas = [
        f"{i['internal_api']} {i.get('version')} {i.get('architecture')}"
        for i in threadpool_info()
        if i["user_api"] == "blas"
    ]
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "load": os.getloadavg()[0],
        "vector_bytes": 4 * library.lanes,
        "int8_dot_product": not library.int16_sums,
        "blas": blas,
        "versions": {
            "flowc": flowc.__version__, "onnxruntime": ort.__version__, "numpy": np.__version__, "python": platform.python_version(),
        },
    }  # fmt: skip


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def shown(found: Mapping[str, Any]) -> str:
    """One line of the table."""
    rates, ratios = found["images_per_s"], found["ratio_to_onnxruntime"]
    cells = [f"{name} {rates[name]:,.1f}/s" + (f" ({ratios[name]:.2f}x)" if name in ratios else "") for name in rates]
    return f"{found['net']:17} batch {found['batch']:<5} " + "   ".join(cells)


def ratios_in(record: Mapping[str, Any]) -> dict[tuple[str, int], dict[str, float]]:
    """Net and batch -> side -> ratio to onnxruntime."""
    return {(e["net"], e["batch"]): e["ratio_to_onnxruntime"] for e in record["nets"]}


def against(stored: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Prints ratios beside those of a stored run; whether none fell by a quarter, and there was one to compare."""
    before = ratios_in(stored)
    good, compared = True, 0
    for e in found["nets"]:
        old = before.get((e["net"], e["batch"]))
        for side in ("native", "numpy"):
            if old is None or side not in old:
                continue
            now = e["ratio_to_onnxruntime"][side]
            fell = now < _FELL * old[side]
            good, compared = good and not fell, compared + 1
            print(
                f"{e['net']:17} batch {e['batch']:<5} {side:7} {old[side]:.2f}x -> {now:.2f}x{'  FELL' if fell else ''}"
            )
    if not compared:
        print("the stored run has none of these networks at these batches: nothing was compared")
    return good and compared > 0


def record_in(path: str) -> dict[str, Any]:
    """A stored run, read when it is named: it may be the file that this run writes."""
    try:
        found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        ratios_in(found)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"'{path}' is no record of an earlier run ({error!r})") from error
    return found


def network_names(text: str) -> list[str]:
    """Networks by name, with commas between them."""
    names = text.split(",")
    unknown = [name for name in names if name not in BATCHES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(map(repr, unknown))}: the networks are {', '.join(BATCHES)}")
    return names


def options_in(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; with None, this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=network_names, default=list(BATCHES))
    parser.add_argument("--models", type=Path, default=Path(".cache/models"), help="folder of the ONNX files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--against", type=record_in)
    parser.add_argument("--csim", action="store_true")
    parser.add_argument("--loopback", action="store_true")
    return parser.parse_args(arguments)


def main() -> None:
    options = options_in(None)
    record: dict[str, Any] = {"machine": machine(options.threads), "nets": []}
    print(json.dumps(record["machine"], indent=2))
    for name in options.nets:
        net = Network(name, options.models, options.threads, loopback=options.loopback)
        for batch in BATCHES[name]:
            counts = net.check(batch)
            found = entry(net, batch, interleaved(net.sides(batch), options.rounds), counts)
            if batch == 1:
                per_sample = qonnx_seconds(net, net.samples(_QONNX_SAMPLES))
                found["images_per_s"] |= {"qonnx": 1 / per_sample} if per_sample else {}
                found["images_per_s"] |= {"csim": csim_rate(net)} if options.csim and name == "tfc-2w2a" else {}
            record["nets"].append(found)
            print(shown(found), flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if options.against and not against(options.against, record):
        sys.exit(1)


if __name__ == "__main__":
    main()

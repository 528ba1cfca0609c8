"""The driver of loopback designs: alone with numpy, and against the generated C++ of the engine behind a stand-in for pynq."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowc
from flowc.backends.driver_loopback import generate_loopback_driver
from flowc.backends.hls.loopback import compile_engine, run_engine
from flowc.errors import InfeasibleError
from flowc.loopback.program import Program
from flowc.loopback.registers import REGISTERS
from flowc.loopback.run import run_program
from flowc.targets import load_target
from flowc.units.base import Array
from tests.loopback.nets import EIGHT, FOUR, MODELS, TINY, frames_of, program_of, unfolded_graph
from tests.loopback.test_engine_code import engine_code
from tests.netbuild import Net, cnn

TARGET = load_target("ultra96")


def package_of(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, package)
    spec.loader.exec_module(package)
    return package


def written(program: Program, folder: Path) -> Path:
    results = {u.tensor: "int64" for u in program.graph.outputs}
    generate_loopback_driver(program, folder, target=TARGET, header="A test", results=results)
    return folder


def tensors_of(program: Program, frames: dict[str, Array], units: Any) -> dict[str, Array]:
    """Frames on ports as tensors of the model."""
    found = {}
    for unit in units:
        flat = np.asarray(frames[unit.name]).reshape(len(frames[unit.name]), -1)
        tensor = np.empty_like(flat)
        tensor[:, slice(None) if unit.order is None else unit.order] = flat
        found[unit.tensor] = tensor.reshape(len(flat), *unit.tensor_shape[1:])
    return found


def compared(accelerator: Any, program: Program, count: int, seed: int = 0) -> None:
    frames = frames_of(program.graph, count, seed)
    expected = tensors_of(program, run_program(program, frames), program.graph.outputs)
    got = accelerator(tensors_of(program, frames, program.graph.inputs))
    got = got if isinstance(got, dict) else {next(iter(expected)): got}
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("name", "engine", "stripes"),
    [*((name, FOUR, False) for name in MODELS), ("pieces", EIGHT, True), ("residual", EIGHT, True)],
)
def test_the_folder_alone_executes_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, engine: Any, stripes: bool
) -> None:
    program = program_of(unfolded_graph(MODELS[name]()), engine, stripes=stripes)
    package = package_of(written(program, tmp_path / "driver"), f"alone_{name}", monkeypatch)
    accelerator = package.Accelerator(emulate=True)
    assert (accelerator.backend, accelerator.device.batch) == ("emulator", program.batch)
    compared(accelerator, program, 2 * program.batch + 1)
    compared(accelerator, program, 1, seed=1)  # what earlier batches left in memory does no harm


def with_host_steps() -> Any:
    """A permutation, a lookup, joins and products that this engine's accumulators are too narrow for, an argmax."""
    net = Net([1, 6, 4, 4], seed=2)
    x = net.quant(net.x, 0.3)
    y = net.quant(net.conv(x, 6, 16, 1), 0.2)
    z = net.op("Transpose", net.op("Reshape", y, net.const(np.array([1, 4, 4, 16]))), perm=[0, 2, 3, 1])
    wide = net.quant(net.op("Relu", net.conv(z, 4, 24, 1)), 0.3, bits=8, signed=False)
    y = net.quant(net.add(net.quant(net.conv(wide, 24, 24, 1, bits=8), 2.0), net.quant(wide, 2.0)), 2.5)
    logits = net.quant(net.linear(net.flatten(y), 24 * 64, 5), 3.0)
    return net.model(net.op("ArgMax", logits, axis=1), elem_type=7)


def test_steps_of_the_processor_between_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = set()
    for engine in (FOUR, replace(FOUR, acc_bits=11)):
        program = program_of(unfolded_graph(with_host_steps()), engine)
        assert program.network.host
        folder = written(program, tmp_path / f"driver{engine.acc_bits}")
        package = package_of(folder, f"hosted{engine.acc_bits}", monkeypatch)
        accelerator = package.Accelerator(emulate=True)
        compared(accelerator, program, 5)
        kinds |= {step["do"] for step in accelerator.device._steps}
    assert kinds >= {"write", "run", "read", "gather", "matrix", "argmax"}


def reduced() -> Any:
    """Depthwise products, pools and sums over everything, of numbers that accumulators of 8 bits are too narrow for."""
    net = Net([1, 6, 8, 8], seed=5)
    x = net.quant(net.x, 0.02, bits=8)
    x = net.quant(net.relu(net.conv(x, 6, 12, group=6, pads=[1] * 4, bits=8)), 0.05, bits=8, signed=False)
    x = net.quant(net.avgpool(net.maxpool(x), 3, 1), 0.03, bits=8, signed=False)
    narrow = net.quant(net.op("GlobalAveragePool", x), 0.5, bits=2, signed=False)
    return net.model(net.linear(net.flatten(narrow), 12, 4, bits=2))


HOSTED = [reduced, *(MODELS[name] for name in ("residual", "signs", "pieces", "functions"))]


@pytest.mark.parametrize("build", HOSTED, ids=lambda build: build.__name__)
def test_layers_with_wide_accumulators_are_steps_of_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Any
) -> None:
    program = program_of(unfolded_graph(build()), replace(FOUR, acc_bits=8))
    assert len(program.network.host) > 1
    package = package_of(written(program, tmp_path / "driver"), f"narrow_{build.__name__}", monkeypatch)
    accelerator = package.Accelerator(emulate=True)
    compared(accelerator, program, 5)
    if build is reduced:
        steps = accelerator.device._steps
        assert {step["do"] for step in steps} >= {"depthwise", "run"}
        assert [step["op"] for step in steps if step["do"] == "reduce"] == ["max", "sum", "sum"]


def test_where_nothing_runs_on_the_engine_there_is_no_program() -> None:
    message = "no layer of the model runs on the engine .*accumulators take more than the engine's 8 bits"
    with pytest.raises(InfeasibleError, match=message):
        program_of(unfolded_graph(MODELS["perceptron"]()), replace(FOUR, acc_bits=8))


def fake_pynq(program: Program, binary: Path, buffers: list[Any]) -> types.ModuleType:
    """A stand-in whose engine is the compiled C++: it reads and writes the buffers at the addresses in its registers."""

    class Buffer(np.ndarray[Any, Any]):
        freed = flushed = False
        physical_address = 0

        def flush(self) -> None:
            self.flushed = True

        def invalidate(self) -> None:
            pass

        def freebuffer(self) -> None:
            self.freed = True

    def allocate(shape: tuple[int], dtype: Any) -> Any:
        buffer = np.full(shape, 0x5A, dtype).view(Buffer)
        last = buffers[-1] if buffers else None
        buffer.physical_address = 0x10000000 if last is None else last.physical_address + last.nbytes + 4096 & ~4095
        buffers.append(buffer)
        return buffer

    def at(address: int, size: int) -> Any:
        (found,) = [b for b in buffers if b.physical_address <= address < b.physical_address + b.nbytes]
        assert not found.freed
        begin = address - found.physical_address
        assert begin + size <= found.nbytes
        return found[begin : begin + size]

    class Core:
        def __init__(self) -> None:
            self.values: dict[int, int] = {}

        def read(self, offset: int) -> int:
            return self.values.get(offset, 4)

        def write(self, offset: int, value: int) -> None:
            self.values[offset] = value
            if offset == REGISTERS["control"] and value & 1:
                self.work()

        def pointer(self, name: str) -> int:
            return self.values[REGISTERS[name]] | self.values[REGISTERS[name] + 4] << 32

        def work(self) -> None:
            weights, size = program.weights, max(program.memory.size, len(program.weights))
            table = np.frombuffer(at(self.pointer("table"), program.table.nbytes).tobytes(), "<u4").reshape(-1, 16)
            assert self.pointer("acts") == self.pointer("results")
            tensors = at(self.pointer("acts") + len(weights), size - len(weights))
            memory = np.concatenate([at(self.pointer("weights"), len(weights)), tensors]).astype(np.uint8)
            first, count = (self.values[REGISTERS[n]] for n in ("first", "count"))
            run = run_engine(binary, program, memory, first=first, count=count, table=table)
            tensors[:] = run.memory[len(weights) :]
            self.values |= {
                REGISTERS["done"]: count, REGISTERS["cycles"]: sum(run.worked), REGISTERS["control"]: 6,
            }  # fmt: skip

    module = types.ModuleType("pynq")
    module.allocate = allocate  # type: ignore[attr-defined]
    module.Overlay = lambda bitfile: types.SimpleNamespace(engine=Core())  # type: ignore[attr-defined]
    module.__spec__ = importlib.util.spec_from_loader("pynq", None)
    return module


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_engine(engine_code(TINY, tmp_path_factory.mktemp("engine")))


@pytest.mark.parametrize("halves", [1, 2])
def test_the_engines_code_behind_its_registers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: Path, halves: int
) -> None:
    program = program_of(unfolded_graph(MODELS["pieces"]()), TINY)
    folder = written(program, tmp_path / "driver")
    (folder / "design.bit").touch()
    buffers: list[Any] = []
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(program, binary, buffers))
    package = package_of(folder, f"engine{halves}", monkeypatch)
    device = importlib.import_module(f"engine{halves}.device")
    taken = len(program.weights) + program.table.nbytes
    room = taken + halves * (program.memory.size - len(program.weights)) + 1024
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"CmaFree: {(room >> 10) + 1} kB\n")
    monkeypatch.setattr(device, "_MEMINFO", meminfo)
    monkeypatch.setattr(device, "_SPARE", 0)
    accelerator = package.Accelerator()
    assert accelerator.device.overlaps == (halves == 2)
    assert len(buffers) == 2 + halves
    compared(accelerator, program, 2 * program.batch + 1)
    throughput = importlib.import_module(f"engine{halves}.throughput")
    monkeypatch.setattr(
        throughput, "_timed", lambda device, frames, times: device.start(0, frames) or device.wait() or 1.0
    )
    figures = throughput.measure(accelerator, 1)
    assert figures["engine_cycles"] > 0
    core = accelerator.device._core
    monkeypatch.setattr(core, "work", lambda: core.values.update({REGISTERS["done"]: 3, REGISTERS["control"]: 6}))
    with pytest.raises(package.DriverError, match="the engine stopped after 3 of [0-9]+ commands"):
        compared(accelerator, program, 1)
    accelerator.close()
    assert all(b.freed for b in buffers)
    meminfo.write_text("CmaFree: 1 kB\n")
    with pytest.raises(package.MissingError, match="Build with a smaller --batch"):
        package.Accelerator()


ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("flowc", "pynq", "onnxruntime", "onnx"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import importlib.util as u
find = u.find_spec
u.find_spec = lambda n, *a: None if n in ("flowc", "pynq", "onnxruntime") else find(n, *a)
sys.path.insert(0, ".")
import runpy
sys.argv = ["accuracy", "samples.npz"]
runpy.run_module("driver.accuracy", run_name="__main__")
"""


def test_a_built_design_runs_where_nothing_but_numpy_is(tmp_path: Path) -> None:
    design = flowc.build(cnn(residual=True), "ultra96", execution="loopback", verify=False, output=tmp_path / "out")
    x = design.samples(6, 0)["x"]
    labels = design.run(x).argmax(axis=1)
    labels[0] = (labels[0] + 1) % 5
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "out" / "driver").rename(away / "driver")
    np.savez(away / "samples.npz", x=x, labels=labels)
    done = subprocess.run([sys.executable, "-I", "-c", ALONE], cwd=away, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "5 of 6 correct (83.33%) on the emulator\n"


def test_the_folder_is_python_3_8_and_needs_numpy_alone(tmp_path: Path) -> None:
    program = program_of(unfolded_graph(MODELS["perceptron"]()), FOUR)
    known = {"numpy", "pynq", "onnxruntime", "flowc", "importlib.util", *sys.stdlib_module_names}
    for file in written(program, tmp_path).glob("*.py"):
        tree = ast.parse(file.read_text(), feature_version=(3, 8))
        assert "kw_only" not in file.read_text()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {a.name for a in node.names} <= known
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] in known - {"flowc"}, file

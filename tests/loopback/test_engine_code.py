"""The engine's C++: every byte that a layer writes equals the emulator's of its descriptors; wrong schedules are caught."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import flowc
from flowc.backends.hls.lint import lint
from flowc.backends.hls.loopback import (
    EngineRun,
    check_engine,
    compile_engine,
    run_engine,
    simulate_engine,
    write_engine,
)
from flowc.dataflow.emulator import emulate
from flowc.errors import MismatchError
from flowc.loopback.cost import costs_of
from flowc.loopback.descriptors import Descriptor, encode
from flowc.loopback.engine import Engine
from flowc.loopback.program import Program
from flowc.loopback.schedule import with_end
from flowc.units.base import Array
from tests.loopback.nets import EIGHT, FOUR, MODELS, TINY, WIDE, program_of, unfolded_graph
from tests.loopback.test_network import FAULTS

KNOWN = [
    ("stream-probe", "engine/compute.hpp", "if (!have_act && !act_end && !act_beats.empty()) {"),
    ("stream-probe", "engine/compute.hpp", "if (!have_weight && !weight_end && !weight_beats.empty()) {"),
    ("stream-probe", "engine/compute.hpp", "if (!have_step && !step_end && !steps.empty()) {"),
]
"""What the lint says of the engine, by line. The array takes what has come and computes on while the rest is on its way: that is how
loading and computing overlap. Results do not depend on it, since every compute waits until the loads that it names are counted."""

ULTRA96 = "xczu3eg-sbva484-1-e"


def engine_code(engine: Engine, folder: Path) -> Path:
    write_engine(engine, folder, part=ULTRA96, header="a test")
    return folder


def filled(program: Program, seed: int = 1) -> Array:
    """The external memory with random inputs, the least and the greatest values among them."""
    rng = np.random.default_rng(seed)
    memory = program.fresh_memory()
    for name, port in program.network.entries:
        view, dtype = program.network.views[name, port], program.graph[name].outputs[port].dtype
        shape = (program.batch, view.storage.h, view.storage.w, len(view.slots))
        frames = rng.integers(dtype.lo, dtype.hi + 1, shape)
        frames[0, 0], frames[-1, -1] = dtype.lo, dtype.hi
        program.write(memory, view, frames)
    return memory


def assert_cycles(program: Program, run: EngineRun) -> None:
    """The engine counts the cycles that the model gives; a beat more or less of a load may separate them."""
    modelled = [c.cycles for c in costs_of(program.segments, program.blocks, program.engine, None)]
    counted = [a + b for a, b in zip(run.cycles, run.tails, strict=True)]
    assert abs(sum(counted) - sum(modelled)) <= max(0.001 * sum(modelled), 1)
    assert max(abs(a - b) for a, b in zip(counted, modelled, strict=True)) <= 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return engine_code(TINY, tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def binary(tiny: Path) -> Path:
    return compile_engine(tiny)


@pytest.mark.parametrize("name", MODELS)
def test_every_byte_is_equal(binary: Path, name: str) -> None:
    program = program_of(unfolded_graph(MODELS[name]()), TINY)
    run = check_engine(binary, program, filled(program))
    assert len(run.written) == len(program.segments)
    assert_cycles(program, run)


CAUGHT = {
    "loads of activations do not wait": "reads activations of another load",
    "loads of weights do not wait": "reads (weights|parameters) of another load",
    "computes do not wait": "does not wait for a load",
    "a wait that never ends": "waits for what never comes",
    "a load goes astray": "no tensor that the layer reads",
    "a store goes astray": "no tensor that the layer writes",
    "a store is missing": "leaves results behind",
    "a compute reads one word further": "another load|outside of the activation buffer",
    "a load is too long": "ends behind the activation buffer",
}


def changed(program: Program, change: Callable[[Descriptor], Descriptor | None]) -> Array:
    """The table with some descriptors changed."""
    found = [change(d) for d in with_end(program.segments)]
    return encode(d for d in found if d is not None)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught(binary: Path, name: str) -> None:
    program = program_of(unfolded_graph(MODELS["depthwise"]()), TINY, batch=8)
    with pytest.raises(MismatchError, match=CAUGHT[name]):
        run_engine(binary, program, filled(program), table=changed(program, FAULTS[name][0]))


def test_a_difference_is_told(binary: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    flip = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(-1, 2); b = f.read(1)[0]; f.seek(-1, 2); f.write(bytes([b ^ 1]))"
    other.write_text(f'#!/bin/sh\n"{binary}" "$@" && "{sys.executable}" -c "{flip}" "$2/segments.bin"\n')
    other.chmod(0o755)
    program = program_of(unfolded_graph(MODELS["perceptron"]()), TINY)
    with pytest.raises(MismatchError, match="differs from the emulator of the descriptors in 1 of"):
        check_engine(other, program, filled(program))


def test_frames(tiny: Path, binary: Path) -> None:
    graph = unfolded_graph(MODELS["residual"]())
    program = program_of(graph, TINY, batch=2)
    (unit,) = graph.inputs
    dtype = unit.frame.dtype
    frames = {unit.name: np.random.default_rng(3).integers(dtype.lo, dtype.hi + 1, (3, *unit.frame.shape))}
    found = simulate_engine(tiny, program, frames, binary=binary)
    right = emulate(graph, frames)
    assert all(np.array_equal(found.frames[name], values) for name, values in right.items())


@pytest.mark.parametrize("engine", [TINY, EIGHT, WIDE])
def test_rules_of_synthesis(tmp_path: Path, engine: Engine) -> None:
    code = engine_code(engine, tmp_path)
    found = [(f.rule, f.file, (code / f.file).read_text().split("\n")[f.line - 1].strip()) for f in lint(code)]
    assert found == KNOWN


def test_a_memory_port_of_two_processes_is_found(tmp_path: Path) -> None:
    top = engine_code(TINY, tmp_path) / "top.cpp"
    top.write_text(top.read_text().replace("bundle = gmem1", "bundle = gmem0"))
    (found,) = (f for f in lint(tmp_path) if f.rule not in {rule for rule, _, _ in KNOWN})
    assert (found.rule, found.message) == (
        "shared-bundle",
        "table, weights of loopback_engine share the bundle 'gmem0'",
    )


@pytest.mark.slow
def test_stripes_and_digits_of_eight_bits(tmp_path: Path) -> None:
    binary = compile_engine(engine_code(EIGHT, tmp_path))
    for build in MODELS.values():
        for stripes in (False, True):
            program = program_of(unfolded_graph(build()), EIGHT, stripes=stripes)
            assert_cycles(program, check_engine(binary, program, filled(program)))


@pytest.mark.slow
def test_threads_and_bounded_streams(tiny: Path) -> None:
    binary = compile_engine(tiny, threads=True)
    for name in ("residual", "functions"):
        program = program_of(unfolded_graph(MODELS[name]()), TINY)
        check_engine(binary, program, filled(program))


@pytest.mark.slow
def test_packed_products(tmp_path: Path) -> None:
    binary = compile_engine(engine_code(FOUR, tmp_path), exact=True)
    for stripes in (False, True):
        program = program_of(unfolded_graph(MODELS["residual"]()), FOUR, batch=1, stripes=stripes)
        check_engine(binary, program, filled(program))


@pytest.mark.slow
def test_a_build_simulates_what_it_writes(tmp_path: Path) -> None:
    onnx.save(MODELS["residual"](), tmp_path / "model.onnx")
    out = tmp_path / "out"
    design = flowc.build(
        tmp_path / "model.onnx", target="ultra96", execution="loopback", batch=1, csim=True, output=out, verify=False
    )
    assert design.report["csim"]["mismatches"] == 0
    code = out / "hls"
    assert (code / "vectors" / "golden.bin").read_bytes() != (code / "vectors" / "memory.bin").read_bytes()
    run = [str(code / "build" / "csim"), str(code / "vectors"), "-"]
    subprocess.run(run, check=True, capture_output=True)
    golden = bytearray((code / "vectors" / "golden.bin").read_bytes())
    golden[-1] ^= 1
    (code / "vectors" / "golden.bin").write_bytes(golden)
    assert subprocess.run(run, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("name", ["residual", "depthwise"])
def test_batches_after_each_other_run_the_same_table(binary: Path, name: str) -> None:
    """The counters begin anew with command 0, whatever the batch before left in them."""
    program = program_of(unfolded_graph(MODELS[name]()), TINY)
    memory = filled(program)
    once, thrice = run_engine(binary, program, memory), run_engine(binary, program, memory, times=3)
    assert np.array_equal(once.memory, thrice.memory)
    assert thrice.cycles == 3 * once.cycles
    assert thrice.worked == 3 * once.worked
    assert all(w == c + t for w, c, t in zip(once.worked, once.cycles, once.tails, strict=True))

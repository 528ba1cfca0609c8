"""A board's serial line from end to end: bytes in at its RX pin, the model's results out of TX, by the driver that flowc writes."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import flowc
from flowc.backends.rtl import simulate
from flowc.backends.rtl.tools import compiler, verilator_root
from tests import netbuild
from tests.backends.rtl.checking import needs_verilator

BENCH = Path(__file__).with_name("line.cpp")
QUIET = 4000
"""Cycles after which nothing more is expected: a few bytes."""


class SimulatedLine:
    """A serial line to a simulated board, with the methods of ``serial.Serial`` that the driver uses."""

    in_waiting = 1

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=program.parents[1]
        )
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(bytes(data))
        self._tell(b"W" + struct.pack("<I", len(data)) + bytes(data))

    def read(self, size: int) -> bytes:
        self._tell(b"R" + struct.pack("<I", QUIET))
        (count,) = struct.unpack("<I", self._process.stdout.read(4))
        return self._process.stdout.read(count)

    def disturb(self, cycles: int) -> None:
        self._tell(b"X" + struct.pack("<I", cycles))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=20)

    def _tell(self, command: bytes) -> None:
        self._process.stdin.write(command)
        self._process.stdin.flush()


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> flowc.Design:
    folder = tmp_path_factory.mktemp("line") / "design"
    return flowc.build(netbuild.mlp(), "ulx3s-25f", output=folder, verify=False)


@pytest.fixture(scope="module")
def driver(design: flowc.Design) -> Iterator[ModuleType]:
    folder = design.directory / "driver"
    spec = importlib.util.spec_from_file_location(
        "line_driver", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["line_driver"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    yield importlib.import_module("line_driver.uart")
    for name in [name for name in sys.modules if name.startswith("line_driver")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def program(design: flowc.Design, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rtl, root = design.directory / "rtl", verilator_root()
    build = rtl / "build"
    build.mkdir()
    sources = [*(rtl / "files.f").read_text().split(), *(rtl / "board" / "files.f").read_text().split()]
    command = [
        root / "bin" / "verilator_bin",
        "--cc",
        "-Wall",
        "-DFLOWC_COUNTED",
        "--x-assign",
        "unique",
        "--Mdir",
        "build",
    ]
    command += ["-Wno-fatal", "--no-timing", "--top-module", "flowc_system", *sources]
    env = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run(command, cwd=rtl, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("%")]
    assert warnings == []
    bit = design.plan.clock_mhz * 1e6 / design.plan.target.baud
    include = [f"-I{build}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}", f"-DBIT={bit}"]
    generated = sorted(build.glob("V*.cpp"))
    target = build / "line"
    library = simulate._library(root, compiler())
    command = [compiler(), "-std=c++17", "-O0", "-w", "-DVM_TRACE=0", "-DVL_TIME_CONTEXT=1", *include, "-o", target]
    subprocess.run([*command, BENCH, *generated, *library, "-pthread"], check=True)
    return target


@pytest.mark.skipif(importlib.util.find_spec("serial") is None, reason="pyserial is not installed")
def test_without_a_board_the_emulator_answers(design: flowc.Design, driver: ModuleType) -> None:
    package = sys.modules["line_driver"]
    x = next(iter(design.samples(3, 1).values()))
    accelerator = package.Accelerator()
    assert accelerator.backend == "emulator"
    np.testing.assert_array_equal(accelerator(x), design.run(x))
    with pytest.raises(package.MissingError, match="/dev/no-such-port can't be opened"):
        package.Accelerator("/dev/no-such-port")


@pytest.mark.slow
@needs_verilator
def test_bytes_in_results_out(design: flowc.Design, driver: ModuleType, program: Path) -> None:
    line = SimulatedLine(program)
    try:
        device = opened(design, driver, line, batch=3)
        x = next(iter(design.samples(5, 7).values()))
        integers = design.to_ports(design.run_head({next(iter(design.inputs)): x}))
        results = device.run({device._source.tensor: tensor_of(device, integers)})
        expected = design.plan.run(integers)
        decoded = results[device._sink.tensor].reshape(5, -1)
        np.testing.assert_array_equal(decoded, next(iter(expected.values())).reshape(5, -1))
        assert max(len(sent) for sent in line.sent) <= 66

        # A disturbance of the line is noticed, and the next run is right again.
        line.disturb(400)
        with pytest.raises(sys.modules["line_driver.errors"].DriverError):
            device.run({device._source.tensor: tensor_of(device, integers)})
        again = device.run({device._source.tensor: tensor_of(device, integers)})
        np.testing.assert_array_equal(again[device._sink.tensor].reshape(5, -1), decoded)
    finally:
        line.close()


def opened(design: flowc.Design, driver: ModuleType, line: Any, batch: int) -> Any:
    folder = design.directory / "driver"
    description = json.loads((folder / "accelerator.json").read_text())
    assert (description["device"], description["package"], description["bitfile"]) == ("uart", "serial", None)
    inputs, outputs = driver.read_streams(folder, description)
    return driver.Uart(driver.Link(line, description["room"], patience=5), inputs[0], outputs[0], batch)


def tensor_of(device: Any, integers: Any) -> Any:
    """The frames of the input port as the tensor that the driver takes."""
    frames = next(iter(integers.values()))
    source = device._source
    flat = frames.reshape(len(frames), -1)
    if source.order is not None:
        tensor = np.empty_like(flat)
        tensor[:, source.order] = flat
        flat = tensor
    return flat.reshape(len(frames), *source.shape)

"""A board's flowc_system in Verilator at the end of a serial line, and the driver that flowc wrote for it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import flowc
from flowc.backends.programs import compiler
from flowc.backends.rtl import simulate
from flowc.backends.rtl.tools import verilator_root

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

    def spent(self) -> int:
        """Cycles from the first bit sent to the last one that came, since it was asked before."""
        self._tell(b"T" + struct.pack("<I", 0))
        (cycles,) = struct.unpack("<I", self._process.stdout.read(4))
        return cycles

    def disturb(self, cycles: int) -> None:
        self._tell(b"X" + struct.pack("<I", cycles))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=20)

    def _tell(self, command: bytes) -> None:
        self._process.stdin.write(command)
        self._process.stdin.flush()


def compiled(design: flowc.Design, sources: Sequence[str | Path], *options: str) -> tuple[Path, list[str]]:
    """The program, and Verilator's warnings.

    Args:
        design: in its folder; ``rtl/build`` is written.
        sources: with the module flowc_system, relative to ``rtl``.
        options: of Verilator.
    """
    rtl, root = design.directory / "rtl", verilator_root()
    build = rtl / "build"
    build.mkdir(exist_ok=True)
    command = [
        root / "bin" / "verilator_bin",
        "--cc",
        "--x-assign",
        "unique",
        "--Mdir",
        "build",
        "-Wno-fatal",
        "--no-timing",
    ]
    command += ["--top-module", "flowc_system", *options, *sources]
    env = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run(command, cwd=rtl, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bit = design.plan.clock_mhz * 1e6 / design.plan.target.baud
    include = [f"-I{build}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}", f"-DBIT={bit}"]
    target = build / "line"
    library = simulate.library(root, compiler())
    command = [compiler(), "-std=c++17", "-O0", "-w", "-DVM_TRACE=0", "-DVL_TIME_CONTEXT=1", *include, "-o", target]
    together = build / "line.cpp"  # one file reads Verilator's headers once
    together.write_text("".join(f'#include "{source}"\n' for source in (BENCH, *sorted(build.glob("V*.cpp")))))
    subprocess.run([*command, together, *library, "-pthread"], check=True)
    return target, [line for line in done.stderr.splitlines() if line.startswith("%")]


@contextlib.contextmanager
def driver_of(design: flowc.Design) -> Iterator[ModuleType]:
    """The package that lies in the design's folder, as ``line_driver``."""
    folder = design.directory / "driver"
    spec = importlib.util.spec_from_file_location(
        "line_driver", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["line_driver"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    yield package
    for name in [name for name in sys.modules if name.startswith("line_driver")]:
        del sys.modules[name]


def opened(design: flowc.Design, line: Any, batch: int) -> Any:
    folder, driver = design.directory / "driver", importlib.import_module("line_driver.uart")
    description = json.loads((folder / "accelerator.json").read_text())
    assert (description["device"], description["package"], description["bitfile"]) == ("uart", "serial", None)
    inputs, outputs = driver.read_streams(folder, description)
    return driver.Uart(driver.Link(line, description["room"], patience=5), inputs[0], outputs[0], batch)


def block(data: bytes) -> bytes:
    """At most 64 bytes as they go over the line: how many, they, and their CRC-8 (x^8 + x^2 + x + 1)."""
    check = 0
    for byte in data:
        check ^= byte
        for _ in range(8):
            check = check << 1 ^ (0x107 if check & 0x80 else 0)
    return bytes([len(data), *data, check])


def frame_alone(line: SimulatedLine, size: int, results: int) -> tuple[int, int]:
    """A frame of zeros to a board at rest, with room for its results.

    Args:
        line: to the board.
        size, results: bytes of a frame, of what comes back.

    Returns:
        How many bytes of results came; cycles from the first bit of the frame to their last.
    """
    line.write(bytes([0xC0, *[0x80] * (-(-results // 64))]))
    while line.read(1):
        pass
    line.spent()
    line.write(b"".join(block(bytes(min(64, size - at))) for at in range(0, size, 64)))
    came, found = b"", 0
    for _ in range(2 * (size + results)):  # a byte is far less than QUIET
        came += line.read(1)
        while came and len(came) >= (step := came[0] + 2 if came[0] <= 64 else 1):
            found, came = found + max(0, step - 2), came[step:]
        if found >= results:
            break
    return found, line.spent()


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


def run(design: flowc.Design, device: Any, frames: int) -> tuple[Any, Any]:
    """What the simulated board computes of random frames, and what the emulator does: integers (frames, elements)."""
    x = next(iter(design.samples(frames, 7).values()))
    integers = design.to_ports(design.run_head({next(iter(design.inputs)): x}))
    results = device.run({device._source.tensor: tensor_of(device, integers)})
    expected = next(iter(design.plan.run(integers).values()))
    return results[device._sink.tensor].reshape(frames, -1), expected.reshape(frames, -1)

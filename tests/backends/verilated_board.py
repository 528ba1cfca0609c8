"""A stand-in for the `pynq` package whose FPGA is simulated: the accelerator's RTL, the modules around it, and DMA engines that keep PG021's rules.

The generated SystemVerilog and ``flowc_stream_in``/``flowc_stream_out`` are joined as ``system.tcl`` joins them, and compiled by Verilator into a
program that this module talks to. A DMA engine sends a transfer's beats with TLAST on the last one; it takes beats until TLAST,
and stops with an error where more come than the transfer is long. Both hold back beats at random.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import subprocess
import types
from pathlib import Path

import numpy as np

from flowc.interface.names import name_design
from flowc.interface.wire import boundary
from tests.backends.verilated import verilated

_BENCH = r"""
#include "Vsystem.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

typedef std::vector<uint8_t> Bytes;

template <class T> static void drive(T& beat, const uint8_t* bytes, size_t count) {
  if constexpr (std::is_integral_v<T>) {
    uint64_t word = 0;
    for (size_t i = 0; i < count; ++i) word |= uint64_t(bytes[i]) << 8 * i;
    beat = T(word);
  } else {
    for (size_t i = 0; i < (count + 3) / 4; ++i) beat[i] = 0;
    for (size_t i = 0; i < count; ++i) beat[i / 4] |= uint32_t(bytes[i]) << 8 * (i % 4);
  }
}

template <class T> static void copy(Bytes& to, const T& beat, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if constexpr (std::is_integral_v<T>) to.push_back(uint8_t(uint64_t(beat) >> 8 * i));
    else to.push_back(uint8_t(beat[i / 4] >> 8 * (i % 4)));
  }
}

struct Engine {
  size_t beat;
  bool busy = false, sends, offered = false;
  Bytes data;
  size_t at = 0, length = 0;
  std::string error;
};

int main() {
  auto context = std::make_unique<VerilatedContext>();
  auto top = std::make_unique<Vsystem>(context.get());
  std::vector<Engine> engines = { @engines@ };
  uint64_t moved = 0;
  auto clock = [&] {
    bool ready[@count@], valid[@count@];
@before@
    top->eval();
@look@
    top->aclk = 0; top->eval(); top->aclk = 1; top->eval();
@after@
  };
  top->aresetn = 0; top->frames = 0;
  for (int i = 0; i < 8; ++i) clock();
  top->aresetn = 1;
  for (int i = 0; i < 8; ++i) clock();
  std::string what;
  while (std::cin >> what) {
    size_t i = 0;
    if (what == "frames") {
      uint32_t n;
      std::cin >> n;
      top->frames = n;
      for (int k = 0; k < 4; ++k) clock();
      std::cout << "ok" << std::endl;
    } else if (what == "start") {
      std::string hex;
      size_t length;
      std::cin >> i >> length >> hex;
      Engine& e = engines[i];
      e.busy = true; e.at = 0; e.length = length; e.error.clear(); e.data.clear();
      for (size_t k = 0; e.sends && k < length; ++k) e.data.push_back(uint8_t(std::stoul(hex.substr(2 * k, 2), nullptr, 16)));
      std::cout << "ok" << std::endl;
    } else {
      std::cin >> i;
      uint64_t last = moved, idle = 0;
      while (engines[i].busy && idle < 20000) {
        clock();
        idle = moved == last ? idle + 1 : 0;
        last = moved;
      }
      Engine& e = engines[i];
      if (!e.error.empty()) { std::cout << "error " << e.error << std::endl; continue; }
      if (e.busy) { std::cout << "error it never ends" << std::endl; continue; }
      std::cout << "done ";
      if (!e.sends) for (uint8_t byte : e.data) { char text[3]; std::snprintf(text, 3, "%02x", byte); std::cout << text; }
      std::cout << std::endl;
    }
  }
}
"""

_SENDS = """
    {{ Engine& e = engines[{i}];
      if (!e.offered && e.busy && std::rand() % 4) e.offered = true;  // once up, valid stays until the beat is taken
      top->{n}_tvalid = e.offered;
      if (e.offered) {{ drive(top->{n}_tdata, &e.data[e.at], {b}); top->{n}_tlast = e.at + {b} == e.length; }} }}
"""
_TAKES = """
    {{ Engine& e = engines[{i}]; top->{n}_tready = e.busy && std::rand() % 4; }}
"""
_SENT = """
    if (valid[{i}] && ready[{i}]) {{ Engine& e = engines[{i}]; ++moved; e.offered = false; e.at += {b}; e.busy = e.at < e.length; }}
"""
_TAKEN = """
    if (valid[{i}] && ready[{i}]) {{ ++moved; }}
"""
_LOOK_SENDS = "    ready[{i}] = top->{n}_tready; valid[{i}] = top->{n}_tvalid;\n"
_LOOK_TAKES = """    ready[{i}] = top->{n}_tready; valid[{i}] = top->{n}_tvalid;
    if (valid[{i}] && ready[{i}]) {{
      Engine& e = engines[{i}];
      if (e.data.size() + {b} > e.length) {{ e.error = "DMAIntErr: more comes than the transfer is long"; e.busy = false; }}
      else {{ copy(e.data, top->{n}_tdata, {b}); if (top->{n}_tlast) e.busy = false; }}
    }}
"""


def _shared(p):
    """(pins of the system, body) where several DMA engines share a port: their parts, and what joins or parts beats."""
    n, size = p.name, 8 * p.part_bytes - 1
    here, there = ("input", "output") if p.is_input else ("output", "input")
    way, one, all_ = ("join", "s", "m") if p.is_input else ("part", "m", "s")
    pins, connected = [], [".aclk, .aresetn"]
    for e in p.engines:
        pins += [f"{here} logic [{size}:0] {e.name}_tdata", f"{here} logic {e.name}_tlast, {e.name}_tvalid"]
        pins += [f"{there} logic {e.name}_tready"]
        connected += [f".{one}{e.part}_axis_t{w}({e.name}_t{w})" for w in ("data", "last", "valid", "ready")]
    connected += [f".{all_}_axis_t{w}({n}_t{w})" for w in ("data", "last", "valid", "ready")]
    body = [f"logic [{8 * p.memory_bytes - 1}:0] {n}_tdata; logic {n}_tlast, {n}_tvalid, {n}_tready;"]
    sizes = f"#(.WAYS({p.ways}), .PART_BYTES({p.part_bytes}))"
    body.append(f"flowc_stream_{way} {sizes} shared_{n} ({', '.join(connected)});")
    return pins, body


def _system(graph, ports):
    """The accelerator with a module at each port, as ``system.tcl`` joins them."""
    pins, body, joined = ["input logic aclk, aresetn", "input logic [31:0] frames"], [], []
    for p in ports:
        more = _shared(p) if p.ways > 1 else ([], [])
        pins += more[0]
        body += more[1]
        n, wide, narrow = p.name, 8 * p.memory_bytes - 1, 8 * p.stream_bytes - 1
        here, there = ("input", "output") if p.is_input else ("output", "input")
        if p.ways == 1:
            pins += [f"{here} logic [{wide}:0] {n}_tdata", f"{here} logic {n}_tlast, {n}_tvalid"]
            pins += [f"{there} logic {n}_tready"]
        body.append(f"logic [{narrow}:0] {n}_d; logic [{p.stream_bytes - 1}:0] {n}_k; logic {n}_l, {n}_v, {n}_r;")
        sizes = f"#(.MEMORY_BYTES({p.memory_bytes}), .STREAM_BYTES({p.stream_bytes}))"
        outer = (
            f"_axis_tdata({n}_tdata), .@_axis_tlast({n}_tlast), .@_axis_tvalid({n}_tvalid), .@_axis_tready({n}_tready)"
        )
        inner = f"_axis_tdata({n}_d), .@_axis_tkeep({n}_k), .@_axis_tlast({n}_l), .@_axis_tvalid({n}_v), .@_axis_tready({n}_r)"
        joined += [f".{n}_TDATA({n}_d), .{n}_TVALID({n}_v), .{n}_TREADY({n}_r)"]
        if p.is_input:
            outer, inner = (f".{m}{t.replace('@', m)}" for m, t in (("s", outer), ("m", inner)))
            body.append(f"flowc_stream_in {sizes} fit_{n} (.aclk, .aresetn, {outer}, .s_axis_tkeep('1), {inner});")
        else:
            outer, inner = (f".{m}{t.replace('@', m)}" for m, t in (("m", outer), ("s", inner)))
            body.append(
                f"flowc_stream_out {sizes} fit_{n} (.aclk, .aresetn, .frames, {outer}, .m_axis_tkeep(), {inner});"
            )
            joined[-1] += f", .{n}_TKEEP({n}_k), .{n}_TLAST({n}_l)"
    top = name_design(graph).top
    body.append(f"{top} accelerator (.ap_clk(aclk), .ap_rst_n(aresetn), {', '.join(joined)});")
    return "module system ({});\n{}\nendmodule\n".format(", ".join(pins), "\n".join(body))


def compile_board(graph, rtl: Path, build: Path) -> Path:
    """The simulator of a project that the RTL backend wrote into ``rtl``."""
    ports = boundary(graph)
    build.mkdir()
    (build / "system.sv").write_text(_system(graph, ports))
    engines = [e for p in ports for e in p.engines]
    parts = {"engines": "", "before": "", "look": "", "after": "", "count": str(len(engines))}
    for i, e in enumerate(engines):
        p = e.port
        fields = {"i": i, "n": e.name, "b": p.part_bytes}
        parts["engines"] += f"Engine{{{p.part_bytes}, false, {'true' if p.is_input else 'false'}}}, "
        parts["before"] += (_SENDS if p.is_input else _TAKES).format(**fields)
        parts["look"] += (_LOOK_SENDS if p.is_input else _LOOK_TAKES).format(**fields)
        parts["after"] += (_SENT if p.is_input else _TAKEN).format(**fields)
    text = _BENCH
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    modules = importlib.resources.files("flowc.templates").joinpath("vivado")
    sources = [Path(str(modules / f"flowc_stream_{way}.v")) for way in ("in", "out", "join", "part")]
    options = ["-O2", "--no-timing", "-Wno-fatal", "-Wno-lint", "-DFLOWC_COUNTED", "-f", "files.f"]
    return verilated([*sources, build / "system.sv"], text, build, top="system", options=options, effort="-O1", cwd=rtl)


class Buffer(np.ndarray):
    """What pynq.allocate gives."""

    physical_address = 0x10000000

    def flush(self):
        pass

    def freebuffer(self):
        pass


class Channel:
    """One channel of a DMA engine, as PYNQ presents it."""

    def __init__(self, overlay, number, port):
        self.overlay, self.number, self.port, self.pending = overlay, number, port, None

    def transfer(self, array, start=0, nbytes=0):
        assert self.pending is None, "DMA channel not idle"
        self.pending = array[start : start + nbytes]
        text = self.pending.tobytes().hex() if self.port.is_input else "-"
        assert self.overlay.ask(f"start {self.number} {nbytes} {text}") == "ok"

    def wait(self):
        answer = self.overlay.ask(f"wait {self.number}")
        pending, self.pending = self.pending, None
        if answer.startswith("error"):
            raise RuntimeError(answer.removeprefix("error "))
        if not self.port.is_input:
            data = bytes.fromhex(answer.removeprefix("done").strip())
            pending[: len(data)] = np.frombuffer(data, np.uint8)


def verilated_pynq(graph, rtl: Path, binary: Path):
    """A module object that stands in for pynq."""

    class Overlay:
        def __init__(self, bitfile):
            self.process = subprocess.Popen(
                [str(binary)], cwd=rtl, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.registers = []
            self.frames = types.SimpleNamespace(write=self.write)
            engines = [engine for port in boundary(graph) for engine in port.engines]
            for number, engine in enumerate(engines):
                end = "sendchannel" if engine.port.is_input else "recvchannel"
                channel = {end: Channel(self, number, engine.port)}
                setattr(self, f"dma_{engine.name}", types.SimpleNamespace(buffer_max_size=(1 << 26) - 1, **channel))
            module.overlays.append(self)

        def ask(self, command):
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().strip()

        def write(self, offset, value):
            assert offset == 0
            self.registers.append(value)
            assert self.ask(f"frames {value}") == "ok"

        def end(self):
            self.process.stdin.close()
            self.process.wait(timeout=10)

    module = types.ModuleType("pynq")
    module.Overlay = Overlay
    module.overlays = []
    module.allocate = lambda shape, dtype: np.full(shape, 0xAA, dtype).view(Buffer)
    module.__spec__ = importlib.util.spec_from_loader("pynq", None)
    return module

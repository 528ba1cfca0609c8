"""The two Verilog modules between DMA engine and accelerator, simulated by Verilator where it is installed."""

import functools
import subprocess
from pathlib import Path

import pytest

from tests.backends.rtl.checking import needs_verilator
from tests.backends.verilated import verilated

SOURCES = Path(__file__).parents[2] / "templates" / "vivado"
pytestmark = [pytest.mark.slow, needs_verilator]

# Sends beats 0xffa00000 + i, TLAST on every second one, with random valid and ready; prints what leaves: data, keep,
# last. `frames` is set before the first beat; after `cut` beats it is written again: 0, then `again`.
BENCH = r"""
#include "V@module@.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>

template <class Dut> auto write(Dut& dut, unsigned n, int) -> decltype(dut.frames = n, void()) { dut.frames = n; }
template <class Dut> void write(Dut&, unsigned, long) {}

int main(int, char** argv) {
    const int beats = atoi(argv[1]), frames = atoi(argv[2]), cut = atoi(argv[3]), again = atoi(argv[4]);
    VerilatedContext context;
    V@module@ dut(&context);
    auto clock = [&] { dut.aclk = 0; dut.eval(); dut.aclk = 1; dut.eval(); };
    auto set = [&](unsigned n) { dut.s_axis_tvalid = 0; write(dut, 0, 0); clock(); write(dut, n, 0); clock(); };
    dut.aresetn = 0; dut.s_axis_tvalid = 0; dut.m_axis_tready = 0; clock();
    dut.aresetn = 1;
    set(frames);
    bool valid = false;
    for (int sent = 0; sent < beats;) {
        valid = valid || rand() % 3;  // once up, valid stays until the beat is taken
        dut.s_axis_tvalid = valid;
        dut.s_axis_tdata = (0xffa00000 + sent) & @mask@;
        dut.s_axis_tkeep = 0;
        dut.s_axis_tlast = sent % 2;
        dut.m_axis_tready = rand() % 2;
        dut.eval();
        if (dut.m_axis_tvalid != dut.s_axis_tvalid || dut.s_axis_tready != dut.m_axis_tready) return 2;
        const bool taken = valid && dut.s_axis_tready;
        const unsigned data = dut.m_axis_tdata, keep = dut.m_axis_tkeep, last = dut.m_axis_tlast;
        if (taken) std::printf("%x %x %d\n", data, keep, last);
        clock();
        if (taken) {
            valid = false;
            if (++sent == cut) set(again);
        }
    }
}
"""


@pytest.fixture(scope="module")
def simulate(tmp_path_factory):
    @functools.cache
    def built(module, memory, stream):
        mask = "0xffffffff" if module.endswith("in") or stream == 4 else "0xffffff"
        bench = BENCH.replace("@module@", module).replace("@mask@", mask)
        sizes = {"MEMORY_BYTES": memory, "STREAM_BYTES": stream}
        folder = tmp_path_factory.mktemp("verilated")
        return verilated([SOURCES / f"{module}.v"], bench, folder, top=module, options=["-Wall"], parameters=sizes)

    def run(module, memory, stream, beats, frames=0, cut=-1, again=0):
        command = [built(module, memory, stream), *map(str, (beats, frames, cut, again))]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [(int(d, 16), int(k, 16), int(t)) for d, k, t in (line.split() for line in out.splitlines())]

    return run


def test_in_drops_the_filling(simulate):
    assert simulate("flowc_stream_in", 4, 3, 6) == [(0xA00000 + i, 0b111, i % 2) for i in range(6)]


def test_out_fills_up_and_ends_the_packet_with_the_batch(simulate):
    # Frames of two beats, batches of four frames: TLAST on every eighth beat.
    expected = [(0xA00000 + i, 0b1111, int(i % 8 == 7)) for i in range(24)]
    assert simulate("flowc_stream_out", 4, 3, 24, frames=4) == expected
    full = simulate("flowc_stream_out", 4, 4, 24, frames=4)
    assert full == [(0xFF000000 | data, keep, last) for data, keep, last in expected]


@pytest.mark.parametrize("frames", [0, 1])
def test_out_with_one_frame_or_none_lets_every_tlast_through(simulate, frames):
    assert [last for _, _, last in simulate("flowc_stream_out", 4, 3, 8, frames=frames)] == [0, 1] * 4


def test_out_forgets_a_batch_that_was_cut_short(simulate):
    # Three of five frames pass; then the driver writes 0 and 2, as it does before every batch.
    got = simulate("flowc_stream_out", 4, 3, 14, frames=5, cut=6, again=2)
    assert [i for i, (_, _, last) in enumerate(got) if last] == [9, 13]

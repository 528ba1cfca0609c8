// A board's flowc_system at the end of a serial line, for Verilator. Commands on stdin, answers on stdout, numbers of 32 bits:
//   'W' count bytes    the host sends these
//   'R' cycles         goes on until a byte has come back, or for so many cycles; answers count and bytes
//   'T' 0              answers the cycles from the first bit sent to the last one that came, since it was asked before
//   'X' cycles         the line to the chip is low for so many cycles: a fault
// The host's bits are as long as the baud rate says (BIT clock cycles, not a whole number), the chip's a whole number of cycles.
#include "Vflowc_system.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <deque>
#include <vector>

static Vflowc_system *top;
static uint64_t now = 0;
static std::deque<uint8_t> to_send;
static std::vector<uint8_t> came;
static double next_edge = 0, sample_at = 0;
static int sending = 0, reading = 0, low = 0;
static uint64_t began = 0, ended = 0;
static unsigned bits = 0, read_bits = 0;

static void cycle() {
    if (sending && now >= next_edge) { --sending; bits >>= 1; next_edge += BIT; }
    if (!sending && !to_send.empty()) {
        bits = 0x200u | (to_send.front() << 1);
        to_send.pop_front();
        if (!began) began = now;
        sending = 10;
        next_edge = now + BIT;
    }
    top->rx = low > 0 ? 0 : sending ? bits & 1 : 1;
    if (low > 0) --low;
    if (!reading && !top->tx) { reading = 10; read_bits = 0; sample_at = now + BIT / 2; }
    if (reading && now >= sample_at) {
        read_bits |= unsigned(top->tx) << (10 - reading);
        sample_at += BIT;
        ended = now;
        if (!--reading && (read_bits & 0x201) == 0x200) came.push_back((read_bits >> 1) & 0xff);
    }
    top->clk = 1; top->eval();
    top->clk = 0; top->eval();
    ++now;
}

static uint32_t number() {
    uint32_t value = 0;
    if (fread(&value, 4, 1, stdin) != 1) value = 0;
    return value;
}

int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    top = new Vflowc_system{&context};
    top->rst = 1; top->rx = 1;
    for (int i = 0; i < 16; ++i) cycle();
    top->rst = 0;
    for (int command; (command = getchar()) != EOF;) {
        uint32_t count = number();
        if (command == 'W') for (; count; --count) to_send.push_back(uint8_t(getchar()));
        if (command == 'X') low = int(count);
        if (command == 'T') {
            uint32_t spent = uint32_t(ended - began + BIT / 2);
            began = 0;
            fwrite(&spent, 4, 1, stdout);
            fflush(stdout);
        }
        if (command != 'R') continue;
        for (uint64_t end = now + count; now < end && came.empty();) cycle();
        uint32_t size = uint32_t(came.size());
        fwrite(&size, 4, 1, stdout);
        fwrite(came.data(), 1, size, stdout);
        fflush(stdout);
        came.clear();
    }
    return 0;
}

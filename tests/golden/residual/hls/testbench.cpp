// flowc: golden design residual for kv260 at 100 MHz
//
// Test bench.
//   csim VECTORS            feeds VECTORS/<input>.bin frame after frame; compares with VECTORS/<output>.bin, and checks TLAST
//   csim VECTORS RESULTS    writes RESULTS/<output>.bin instead of comparing
// A file holds the beats of all frames back to back, each in whole bytes, least significant byte first.
#include "top.hpp"
#include "flowc/step.hpp"
#ifdef FLOWC_THREADS
#include "sim/threads.hpp"
#endif

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

typedef std::vector<unsigned char> Bytes;

// A port's file.
struct File {
  const char* name;
  std::size_t beat;  // bytes
  std::size_t frame;  // bytes
  Bytes data;

  File(const char* name, std::size_t bytes, std::size_t beats) : name(name), beat(bytes), frame(bytes * beats) {}

  std::string path(const std::string& folder) const { return folder + "/" + name + ".bin"; }

  std::size_t frames() const { return data.size() / frame; }

  bool load(const std::string& folder) {
    std::ifstream file(path(folder).c_str(), std::ios::binary);
    if (!file) {
      std::cerr << "can't read " << path(folder) << "\n";
      return false;
    }
    data.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (data.size() % frame != 0) {
      std::cerr << path(folder) << " is no whole number of frames of " << frame << " bytes\n";
      return false;
    }
    return true;
  }

  bool save(const std::string& folder) const {
    std::ofstream file(path(folder).c_str(), std::ios::binary);
    file.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
    if (!file) std::cerr << "can't write " << path(folder) << "\n";
    return static_cast<bool>(file);
  }

  // Number of bytes that differ from the golden ones, which are read from the folder; all of them if they can't be.
  std::size_t compare(const std::string& folder) const {
    File golden(name, beat, frame / beat);
    if (!golden.load(folder)) return data.size();
    const std::size_t common = data.size() < golden.data.size() ? data.size() : golden.data.size();
    std::size_t wrong = data.size() + golden.data.size() - 2 * common;
    for (std::size_t i = 0; i < common; ++i) {
      if (data[i] == golden.data[i]) continue;
      if (wrong++ < 10) {
        std::cerr << name << ": frame " << i / frame << " beat " << i % frame / beat << " byte " << i % beat << ": " << unsigned(data[i])
                  << " instead of " << unsigned(golden.data[i]) << "\n";
      }
    }
    return wrong;
  }
};

// A port of BYTES bytes: its file and its stream.
template <unsigned BYTES>
struct Port : File {
  hls::stream<flowc::Axis<BYTES>> stream;

  Port(const char* name, std::size_t beats) : File(name, BYTES, beats), stream(name) {}

  // The number in BYTES bytes.
  static ap_uint<8 * BYTES> value(const unsigned char* bytes) {
    ap_uint<8 * BYTES> whole = 0;
    for (unsigned i = 0; i < BYTES; i += 8) {
      uint64_t word = 0;
      for (unsigned k = 0; k < 8 && i + k < BYTES; ++k) word |= uint64_t(bytes[i + k]) << (8 * k);
      whole |= ap_uint<8 * BYTES>(word) << (8 * i);
    }
    return whole;
  }

  void feed(std::size_t index) {
    for (std::size_t at = 0; at < frame; at += BYTES) {
      flowc::Axis<BYTES> transfer;
      transfer.data = value(data.data() + index * frame + at);
      transfer.keep = -1;
      transfer.strb = -1;
      transfer.last = at + BYTES == frame;
      stream.write(transfer);
    }
  }

  // Takes a frame; returns the number of beats that are missing or whose TLAST or TKEEP is wrong.
  std::size_t drain() {
    std::size_t wrong = 0;
    for (std::size_t at = 0; at < frame; at += BYTES) {
      if (stream.empty()) return wrong + (frame - at) / BYTES;
      const flowc::Axis<BYTES> transfer = stream.read();
      for (unsigned i = 0; i < BYTES; i += 8) {
        const uint64_t word = ap_uint<64>(transfer.data >> (8 * i)).to_uint64();
        for (unsigned k = 0; k < 8 && i + k < BYTES; ++k) data.push_back(static_cast<unsigned char>(word >> (8 * k)));
      }
      const bool last = transfer.last != 0;
      if (last != (at + BYTES == frame) || !transfer.keep.and_reduce()) ++wrong;
    }
    return wrong;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::cerr << "usage: csim VECTORS [RESULTS]\n";
    return 2;
  }
  Port<1> in_x_port("in_x", 64);
  Port<2> out_Gemm_49_port("out_Gemm_49", 5);
  if (!in_x_port.load(argv[1])) return 2;
  const std::size_t frames = in_x_port.frames();

  std::size_t wrong_beats = 0;
#ifdef FLOWC_THREADS
  for (std::size_t frame = 0; frame < frames; ++frame) {
    in_x_port.feed(frame);
  }
  run_threads(frames, in_x_port.stream, out_Gemm_49_port.stream);
  for (std::size_t frame = 0; frame < frames; ++frame) {
    wrong_beats += out_Gemm_49_port.drain();
  }
#else
  for (std::size_t frame = 0; frame < frames; ++frame) {
    in_x_port.feed(frame);
    ::net(in_x_port.stream, out_Gemm_49_port.stream);
    wrong_beats += out_Gemm_49_port.drain();
  }
#endif
  if (!in_x_port.stream.empty()) {
    std::cerr << "in_x: beats left over\n";
    ++wrong_beats;
  }
  if (!out_Gemm_49_port.stream.empty()) {
    std::cerr << "out_Gemm_49: beats left over\n";
    ++wrong_beats;
  }
#ifdef FLOWC_COUNT_CYCLES
  for (const auto& unit : flowc::steps()) std::cout << "cycles " << unit.first << " " << unit.second << "\n";
#endif
  if (wrong_beats != 0) {
    std::cerr << wrong_beats << " output beats are missing or have a wrong TLAST or TKEEP\n";
    return 1;
  }

  if (argc == 3) {
    if (!out_Gemm_49_port.save(argv[2])) return 2;
    return 0;
  }
  std::size_t wrong = 0;
  wrong += out_Gemm_49_port.compare(argv[1]);
  std::cout << frames << " frames, " << (wrong == 0 ? "all outputs equal" : "MISMATCH") << "\n";
  return wrong == 0 ? 0 : 1;
}

// Computes as steps of the array: addresses, padding, first and last of everything.
#ifndef LOOPBACK_AGEN_HPP
#define LOOPBACK_AGEN_HPP

#include "check.hpp"
#include "descriptors.hpp"
#include "load.hpp"
#include "types.hpp"

namespace loopback {

// A level of the loop nest: its counter, and how far it has moved an address and a row or column.
struct Level {
  uint32_t index;
  int32_t address, line;

  void reset() {
    index = 0;
    address = 0;
    line = 0;
  }

  // One further; whether the level begins anew.
  bool advance(uint32_t count, int32_t step, int32_t line_step) {
#pragma HLS INLINE
    const bool wraps = index + 1 == count;
    index = wraps ? 0 : index + 1;
    address = wraps ? 0 : address + step;
    line = wraps ? 0 : line + line_step;
    return wraps;
  }
};

// The lanes whose tap lies outside of the input.
inline UInt<LANES> outside(const Layer& r, int32_t row, int32_t column) {
#pragma HLS INLINE
  const bool beside = column < 0 || column >= int32_t(r.width);
  uint32_t found = 0;
  int32_t there = row;
  for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
    if (beside || there < 0 || there >= int32_t(r.height)) found |= uint32_t(1) << p;
    there += int32_t(r.lane_rows);
  }
  return found;
}

// images, rows, columns, blocks, then: kernel rows, kernel columns, channel blocks, planes, weight planes | second operand | idle.
inline void compute_steps(const Compute& d, const Layer& r, hls::stream<Step>& steps) {
  const uint32_t spread = r.kind == PRODUCTS ? SPREAD : 1;
  const uint32_t planes = r.planes, weight_planes = r.weight_planes;
  const uint32_t products =
      uint32_t(d.kernel_y) * uint32_t(d.kernel_x) * uint32_t(d.channel_blocks) * planes * weight_planes;
  const uint32_t seconds = d.last ? spread * uint32_t(r.skip_planes) : 0;
  const uint32_t unit = (r.kind == PRODUCTS ? PRODUCT_SLOTS : REDUCTION_SLOTS) * (r.mode == SEARCH ? uint32_t(r.depth) : 1);
  const uint32_t active = products + seconds;
  const uint32_t each = d.last && unit > active ? unit : active;
  const uint32_t total = uint32_t(d.images) * uint32_t(d.rows) * uint32_t(d.columns) * uint32_t(d.blocks) * each;
  const uint32_t block_seconds = spread * uint32_t(r.skip_planes);
  Level image, row, column, block, ky, kx, channel, plane, digit;
  Level second_image, second_row, second_column, second_block;
  image.reset(), row.reset(), column.reset(), block.reset(), ky.reset(), kx.reset(), channel.reset(), plane.reset();
  digit.reset(), second_image.reset(), second_row.reset(), second_column.reset(), second_block.reset();
  uint32_t step = 0, weight = d.weights, group = 0, second_plane = 0;
steps:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
#pragma HLS PIPELINE II = 1
    if (n == total) break;
    const bool tap = step < products, second = !tap && step < active;
    const int32_t y = int32_t(d.y0) + row.line + ky.line, x = int32_t(d.x0) + column.line + kx.line;
    const int32_t at = int32_t(d.acts) + image.address + row.address + column.address + block.address + ky.address +
                       kx.address + channel.address + plane.address;
    const int32_t second_at = int32_t(d.skip) + second_image.address + second_row.address + second_column.address +
                              second_block.address + int32_t(step - products);
    Step found;
    found.end = false;
    found.begins = n == 0;
    found.retires = n + 1 == total;
    found.phase = tap ? TAP : second ? SECOND : IDLE;
    found.kind = r.kind;
    found.need_acts = d.need_acts;
    found.need_weights = d.need_weights;
    found.outside = second ? UInt<LANES>(0) : outside(r, y, x);
    LOOPBACK_CHECK(!second || (second_at >= 0 && second_at < int32_t(ACT_WORDS)), d.layer,
                   "a compute reads outside of the activation buffer");
    LOOPBACK_CHECK(!tap || found.outside == EVERY_LANE || (at >= 0 && at < int32_t(ACT_WORDS)), d.layer,
                   "a compute reads outside of the activation buffer");
    LOOPBACK_CHECK(!tap || r.kind != PRODUCTS || weight < WEIGHT_WORDS, d.layer,
                   "a compute reads outside of the weight buffer");
    found.act = second ? second_at : at;
    found.weight = weight;
    found.pad = (r.pad >> (DIGIT * plane.index)) & ((1u << DIGIT) - 1);
    found.shift = DIGIT * (second ? second_plane : plane.index + (r.kind == PRODUCTS ? digit.index : 0));
    found.negative = digit.index + 1 == weight_planes;
    found.clears = step == 0 && d.first;
    found.closes = plane.index + 1 == planes;
    found.group = group;
    found.emits = d.last && step + 1 == active;
    found.parameter = d.parameter + block.index;
    found.act_tag = d.act_tag;
    found.second_tag = d.skip_tag;
    found.weight_tag = d.weight_tag;
    steps.write(found);
    if (tap && r.kind == PRODUCTS) ++weight;
    if (second && ++second_plane == r.skip_planes) {
      second_plane = 0;
      ++group;
    }
    if (tap && digit.advance(weight_planes, 0, 0) && plane.advance(planes, 1, 0) &&
        channel.advance(d.channel_blocks, planes, 0) && kx.advance(d.kernel_x, d.kx_step, r.dilation_x)) {
      ky.advance(d.kernel_y, d.ky_step, r.dilation_y);
    }
    if (++step == each) {
      step = 0;
      group = 0;
      second_block.advance(d.blocks, block_seconds, 0);
      if (block.advance(d.blocks, d.block_step, 0)) {
        weight = d.weights;
        second_column.advance(d.columns, d.skip_pixel, 0);
        if (column.advance(d.columns, d.x_step, r.stride_x)) {
          second_row.advance(d.rows, d.skip_row, 0);
          if (row.advance(d.rows, d.y_step, r.stride_y)) {
            second_image.advance(d.images, d.skip_image, 0);
            image.advance(d.images, d.image_step, 0);
          }
        }
      }
    }
  }
}

// A compute waits for the loads that it names: that they are there by chance does not do.
inline bool waits(const Compute& d, const Layer& r) {
  const bool acts = int16_t(uint32_t(d.need_acts) - uint32_t(d.act_tag) - 1) >= 0;
  const bool second = r.skip_planes == 0 || !d.last || int16_t(uint32_t(d.need_acts) - uint32_t(d.skip_tag) - 1) >= 0;
  return acts && second && int16_t(uint32_t(d.need_weights) - uint32_t(d.weight_tag) - 1) >= 0;
}

inline void agen(hls::stream<Command>& commands, hls::stream<Step>& steps) {
  Layer registers = Layer(Command(0));
computes:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    const Command command = commands.read();
    const unsigned op = operation(command);
    LOOPBACK_CHECK(n != 0 || op != COMPUTE, 0, "a segment does not begin with registers");
    if (op == LAYER) {
      registers = Layer(command);
    } else if (op == COMPUTE) {
      const Compute d(command);
      LOOPBACK_CHECK(waits(d, registers), d.layer, "a compute does not wait for a load that it reads");
      compute_steps(d, registers, steps);
    } else {
      break;
    }
  }
  Step end = Step();
  end.end = true;
  steps.write(end);
}

}  // namespace loopback

#endif

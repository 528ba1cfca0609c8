// The program that the kernels run: a list of operations on frames that lie in one arena.
//
// The structures are mirrored, field by field, in flowc/kernels/library.py; both sides compare their sizes when the library is loaded.
//
// Frames are (samples, H, W, C), C innermost, samples one behind the other. An element is a code of one byte, or, "wide", an int32.
// What integer a code stands for (value = step * code + low) is known to the planner alone: it folds steps and offsets
// into weights, thresholds and addends, so that the kernels compute with codes only.
#pragma once

#include <cstdint>

enum ActivationKind : int32_t {
    kNone = 0,      // scale * acc + offset
    kCompare = 1,   // low + number of thresholds that acc reaches
    kAffine32 = 2,  // low + floor(clamp(acc * slope + intercept, 0, levels)), in float32, the product rounded before the sum
    kAffine64 = 3,  // the same in float64
    kSearch = 4,    // values[number of thresholds that scale * acc + offset reaches], by bisection
    kTable = 5,     // values[scale * acc + offset - low]
    kGuess = 6,     // as kAffine32, but the line may be one level late: one more where acc reaches the next threshold
    kCompareHalf = 7,  // kCompare of a lookup's sums, these and the thresholds below 2^15, results bytes
};

// An elementwise function of the accumulators of a channel. Parameters are spread over padded channels: a kernel that
// computes a block of channels finds those of the block at its padded index.
struct Activation {
    int32_t kind;
    int32_t levels;        // thresholds per channel; entries per channel of a table
    int32_t low;           // see the kinds
    int32_t shared;        // search and table: all channels use the first set
    int64_t stride;        // compare: padded channels, the distance of two levels
    const int32_t* scale;  // [padded channels]; null: one
    const int32_t* offset; // [padded channels]; null: zero
    const void* first;     // compare: int32 [levels][stride]; half: int16 [vector of channels][levels][even, odd][]; affine, guess: slopes; search: int32 [channels][levels]
    const void* second;    // affine, guess: intercepts; search: int32 [channels][levels + 1]; table: int32 [channels][levels]
    const int32_t* third;  // guess: thresholds [channels][levels + 1], the last beyond all accumulators
};

enum OperationKind : int32_t {
    kBytes = 0,      // product of byte codes and int8 weights
    kPairs = 1,      // product of int16 codes (written by kWiden) and int16 weights
    kLookup = 2,     // product by table lookups of packed codes (written by kPack) and weights of one or two bits
    kWords = 3,      // product of int32 and int32, modulo 2^32
    kDepthwise = 4,
    kPack = 5,       // groups of byte codes to the offset of their lookup table
    kWiden = 6,      // byte codes to int16
    kPoolMax = 7,
    kPoolSum = 8,
    kGlobalSum = 9,
    kActivate = 10,
    kAdd = 11,
    kMultiply = 12,
    kArgMax = 13,
    kPlace = 14,     // padding and zero insertion: the frame in a grid of a constant
    kUpsample = 15,
    kWindow = 16,
    kSlice = 17,     // channels of one frame to channels of another, recoded
    kPermute = 18,
};

struct Operation {
    int32_t kind;
    int32_t wide_in, wide_in2, wide_out;  // elements are int32 instead of bytes
    int64_t in, in2, out;                // places in the arena, in bytes per sample of the chunk
    int32_t h, w, c;                      // input frame
    int32_t oh, ow, oc;                   // output frame
    int32_t kh, kw, sh, sw, dh, dw;       // kernel, stride, dilation (kPlace: top and left in kh and kw)
    int32_t groups, rows;                 // products: groups, and output channels of each (kPermute: what a chunk gives)
    int32_t group_step;                   // bytes (elements of kWords) between the inputs of two groups
    int32_t segments, length;             // contiguous runs under a window, and steps of each (see the kernels)
    int32_t limit;                        // steps that the narrow accumulator holds
    int32_t value;                        // kPlace: the constant; kPack: codes per group; kPermute: elements of a chunk; kSlice: addend
    int32_t factor;                       // kPack: bits per code; kSlice: factor; kDepthwise: int16 accumulators suffice; kBytes: tiles may be used
    int32_t start, start2;                // kSlice: first channel in the input and in the output
    const void* weights;
    const void* table;                    // kLookup: entries; kPermute: order; kAdd: factors of the second operand
    const int32_t* offsets;               // offset of each segment from the window's first element, in bytes (kWords: elements)
    Activation act;
};

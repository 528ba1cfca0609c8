// The library's entries: runs programs, and says how the products of this machine want their weights.
#include "elementwise.h"
#include "encode.h"
#include "moving.h"
#include "products.h"

#include <cstdlib>
#include <new>

namespace {

// Memory of one run beside the arena: accumulators of a pixel, and where windows begin.
struct Scratch {
    int32_t* acc = nullptr;
    int32_t* best = nullptr;
    int64_t* starts = nullptr;

    bool reserve(const Operation* program, int64_t count, int64_t samples) {
        int64_t channels = 64, positions = 1;
        for (int64_t i = 0; i < count; i++) {
            const Operation& op = program[i];
            channels = std::max<int64_t>({channels, op.oc, op.c});
            if (op.kind <= kWords) positions = std::max<int64_t>(positions, (int64_t)op.oh * op.ow * samples);
        }
        const size_t bytes = 4 * (size_t)elementwise::padded(channels);
        acc = (int32_t*)std::calloc(1, std::max<size_t>(bytes, elementwise::kPixelBytes));
        best = (int32_t*)std::calloc(1, bytes);
        starts = (int64_t*)std::malloc(8 * (size_t)positions);
        return acc && best && starts;
    }

    ~Scratch() {
        std::free(acc);
        std::free(best);
        std::free(starts);
    }
};

template <class T>
void run_one_input(const Operation& op, const T* in, uint8_t* out, int64_t samples, Scratch& s) {
    T* to = (T*)out;
    switch (op.kind) {
        case kDepthwise:
            if constexpr (sizeof(T) == 1)
                if (op.factor) {
                    elementwise::depthwise_narrow(op, in, out, samples, s.acc);
                    break;
                }
            elementwise::depthwise(op, in, out, samples, s.acc);
            break;
        case kPoolMax: elementwise::pool_max(op, in, out, samples, s.acc, (T*)s.best); break;
        case kPoolSum: elementwise::pool_sum(op, in, out, samples, s.acc); break;
        case kGlobalSum: elementwise::global_sum(op, in, out, samples, s.acc); break;
        case kActivate: elementwise::activate(op, in, out, samples, s.acc); break;
        case kArgMax: elementwise::argmax(op, in, out, samples); break;
        case kPlace: moving::place(op, in, to, samples); break;
        case kUpsample: moving::upsample(op, in, to, samples); break;
        case kWindow: moving::window(op, in, to, samples); break;
        case kPermute: moving::permute(op, in, to, samples); break;
        case kSlice:
            if (op.wide_out)
                moving::slice(op, in, (int32_t*)out, samples);
            else
                moving::slice(op, in, out, samples);
            break;
        default: std::abort();  // the planner knows every kind
    }
}

template <class A, class B>
void run_two_inputs(const Operation& op, const A* left, const B* right, uint8_t* out, int64_t samples, Scratch& s) {
    if (op.kind == kAdd)
        elementwise::add(op, left, right, out, samples, s.acc);
    else
        elementwise::multiply(op, left, right, out, samples, s.acc);
}

template <class A>
void run_join(const Operation& op, const A* left, const uint8_t* right, uint8_t* out, int64_t samples, Scratch& s) {
    if (op.wide_in2)
        run_two_inputs(op, left, (const int32_t*)right, out, samples, s);
    else
        run_two_inputs(op, left, right, out, samples, s);
}

void run_product(const Operation& op, const uint8_t* in, uint8_t* out, int64_t samples, Scratch& s) {
    const int64_t element = op.kind == kPairs ? 2 : op.kind == kWords ? 4 : 1;
    const int64_t positions = samples * op.oh * op.ow;
    products::window_starts(op, samples, element, s.starts);
    switch (op.kind) {
        case kBytes:
            products::product(op, in, out, 0, positions, s.starts, products::kBlock, products::choose<products::Bytes>);
            break;
        case kPairs:
            products::product(op, in, out, 0, positions, s.starts, products::kBlock, products::choose<products::Pairs>);
            break;
        case kLookup:
            if (op.factor == 1)
                products::product(op, in, out, 0, positions, s.starts, kBytesOfVector, products::choose_lookup<1>);
            else
                products::product(op, in, out, 0, positions, s.starts, products::kLookupBlock, products::choose_lookup<kColumns>);
            break;
        default: products::words(op, (const int32_t*)in, out, 0, positions, s.starts, (uint32_t*)s.acc);
    }
}

}  // namespace

// Everything else is hidden: several builds of the library may be loaded into one process.
#define FLOWC_EXPORT __attribute__((visibility("default")))

extern "C" {

// sizeof(Operation), channels of a block of bytes, of a narrow and a wide block of lookups, lanes, whether byte products are added in int16.
FLOWC_EXPORT void flowc_layout(int64_t* layout) {
    layout[0] = sizeof(Operation);
    layout[1] = products::kBlock;
    layout[2] = kBytesOfVector;
    layout[3] = products::kLookupBlock;
    layout[4] = kLanes;
    layout[5] = products::Bytes::kNarrow;
}

// Writes the codes of frames whose elements are float32 (type 0), float64 (1), int64 (2), uint8 (3) or int32 (4); 1 if an element has none.
FLOWC_EXPORT int flowc_encode(const encode::Frames* frames, int32_t type, int32_t wide, void* codes) {
    switch (type) {
        case 0: return encode::as<float>(*frames, codes, wide);
        case 1: return encode::as<double>(*frames, codes, wide);
        case 2: return encode::as<int64_t>(*frames, codes, wide);
        case 3: return encode::as<uint8_t>(*frames, codes, wide);
        default: return encode::as<int32_t>(*frames, codes, wide);
    }
}

// Runs `count` operations on `samples` frames; 0, or 1 where memory is lacking.
FLOWC_EXPORT int flowc_run(const Operation* program, int64_t count, uint8_t* arena, int64_t samples) {
    Scratch scratch;
    if (!scratch.reserve(program, count, samples)) return 1;
    for (int64_t i = 0; i < count; i++) {
        const Operation& op = program[i];
        const uint8_t* in = arena + op.in * samples;
        const uint8_t* in2 = arena + op.in2 * samples;
        uint8_t* out = arena + op.out * samples;
        if (op.kind <= kWords)
            run_product(op, in, out, samples, scratch);
        else if (op.kind == kPack)
            moving::pack(op, in, out, samples);
        else if (op.kind == kWiden)
            moving::widen(op, in, (int16_t*)out, samples);
        else if (op.kind == kAdd || op.kind == kMultiply) {
            if (op.wide_in)
                run_join(op, (const int32_t*)in, in2, out, samples, scratch);
            else
                run_join(op, in, in2, out, samples, scratch);
        } else if (op.wide_in)
            run_one_input(op, (const int32_t*)in, out, samples, scratch);
        else
            run_one_input(op, in, out, samples, scratch);
    }
    return 0;
}

}  // extern "C"

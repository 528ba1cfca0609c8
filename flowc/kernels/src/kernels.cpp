// The library's entries: runs programs, and says how the products of this machine want their weights.
#include "elementwise.h"
#include "encode.h"
#include "engine.h"
#include "moving.h"
#include "products.h"
#include "tiles.h"

#include <cstdlib>

namespace {

#if defined(FLOWC_TILES)
bool by_tiles(const Operation& op, int64_t positions) { return op.kind == kBytes && op.factor && tiles::pay(op, positions); }
#endif

// Memory of one run beside the arena: accumulators of a pixel, and where windows begin.
struct Scratch {
    int32_t* acc = nullptr;
    int32_t* best = nullptr;
    int64_t* starts = nullptr;
#if defined(FLOWC_TILES)
    tiles::Worker tiles;
#endif

    bool reserve(const Operation* program, int64_t count, int64_t samples) {
        if (acc) return true;
        int64_t channels = 64, positions = 1;
        for (int64_t i = 0; i < count; i++) {
            const Operation& op = program[i];
            channels = std::max<int64_t>({channels, op.oc, op.c});
            if (op.kind <= kWords) positions = std::max<int64_t>(positions, (int64_t)op.oh * op.ow * samples);
#if defined(FLOWC_TILES)
            if (by_tiles(op, samples * op.oh * op.ow) && !tiles.reserve(op, samples * op.oh * op.ow)) return false;
#endif
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

void run_product(const Operation& op, const uint8_t* in, uint8_t* out, int64_t samples, Share share, Scratch& s) {
    const int64_t element = op.kind == kPairs ? 2 : op.kind == kWords ? 4 : 1;
    const int64_t positions = samples * op.oh * op.ow;
    switch (op.kind) {
        case kBytes:
#if defined(FLOWC_TILES)
            if (by_tiles(op, positions)) return tiles::product(op, in, out, positions, share, s.starts, s.tiles);
#endif
            return products::product<products::Dots<products::Bytes>>(op, in, out, positions, share, element, s.starts);
        case kPairs: return products::product<products::Dots<products::Pairs>>(op, in, out, positions, share, element, s.starts);
        case kLookup:
            if (op.factor == 1) return products::product<products::Lookups<1>>(op, in, out, positions, share, element, s.starts);
            return products::product<products::Lookups<kColumns>>(op, in, out, positions, share, element, s.starts);
        default: products::words(op, (const int32_t*)in, out, share.of(positions), s.starts, (uint32_t*)s.acc);
    }
}

// An operation and its operands, cut to a share; without work where the share is empty.
struct Part {
    Operation op;
    int64_t samples;
    const uint8_t *in, *in2;
    uint8_t* out;
    bool work = true;

    void cut(Share share) {
        const int64_t wide_in = op.wide_in ? 4 : 1, wide_in2 = op.wide_in2 ? 4 : 1, wide_out = op.wide_out ? 4 : 1;
        switch (op.kind) {
            case kActivate:
            case kAdd:
            case kMultiply:
            case kArgMax:
            case kSlice:
                return pixels(share, op.c * wide_in, op.c * wide_in2, op.oc * wide_out);
            case kPack: return pixels(share, op.c, 0, op.c / op.value);
            case kWiden: return pixels(share, op.c, 0, 2 * op.c);
            case kDepthwise:
            case kPoolMax:
            case kPoolSum:
                if (samples == 1) return rows(share, (int64_t)op.sh * op.w * op.c * wide_in, (int64_t)op.ow * op.oc * wide_out);
                [[fallthrough]];
            default: work = share.index == 0;
        }
    }

  private:
    void pixels(Share share, int64_t in_step, int64_t in2_step, int64_t out_step) {
        const Range mine = share.of(samples * op.h * op.w);
        in += mine.from * in_step;
        in2 += mine.from * in2_step;
        out += mine.from * out_step;
        samples = 1;
        op.h = (int32_t)(mine.to - mine.from);
        op.w = 1;
        work = op.h > 0;
    }
    void rows(Share share, int64_t in_step, int64_t out_step) {
        const Range mine = share.of(op.oh);
        in += mine.from * in_step;
        out += mine.from * out_step;
        op.oh = (int32_t)(mine.to - mine.from);
        work = op.oh > 0;
    }
};

void run_share(const Operation& whole, uint8_t* arena, int64_t samples, Share share, Scratch& scratch) {
    Part part{whole, samples, arena + whole.in * samples, arena + whole.in2 * samples, arena + whole.out * samples};
    const Operation& op = part.op;
    if (op.kind <= kWords) return run_product(op, part.in, part.out, samples, share, scratch);
    if (share.count > 1) part.cut(share);
    if (!part.work) return;
    if (op.kind == kPack)
        moving::pack(op, part.in, part.out, part.samples);
    else if (op.kind == kWiden)
        moving::widen(op, part.in, (int16_t*)part.out, part.samples);
    else if (op.kind == kAdd || op.kind == kMultiply) {
        if (op.wide_in)
            run_join(op, (const int32_t*)part.in, part.in2, part.out, part.samples, scratch);
        else
            run_join(op, part.in, part.in2, part.out, part.samples, scratch);
    } else if (op.wide_in)
        run_one_input(op, (const int32_t*)part.in, part.out, part.samples, scratch);
    else
        run_one_input(op, part.in, part.out, part.samples, scratch);
}

// A program as the crew's job.
struct Job {
    const Operation* program;
    int64_t count;
    uint8_t* arena;
    int64_t samples;
    int threads;
    std::atomic<bool> failed{false};

    // Small operations are not worth the hand-over; large ones are cut finely, so that nobody waits long for the last share.
    int shares(int64_t step) const {
        constexpr double kWorthwhile = 2e6;
        const Operation& op = program[step];
        double work = (double)samples * op.oh * op.ow * op.oc;
        if (op.kind <= kWords)
            work *= (double)op.segments * op.length;
        else if (op.kind == kDepthwise)
            work *= 8.0 * op.kh * op.kw;
        else
            work *= 16;
        const int pieces = (int)std::min(work / kWorthwhile, 4.0 * threads);
        return threads == 1 || pieces < 2 ? 1 : pieces;
    }

    void run(int64_t step, Share share, Scratch& scratch) {
        if (!failed && !scratch.reserve(program, count, samples)) failed = true;
        if (!failed) run_share(program[step], arena, samples, share, scratch);
    }
};

}  // namespace

// Everything else is hidden: several builds of the library may be loaded into one process.
#define FLOWC_EXPORT __attribute__((visibility("default")))

extern "C" {

// sizeof(Operation), channels of a block of bytes, of a narrow and a wide block of lookups, lanes, whether byte products are added in int16,
// whether this process may multiply tiles.
FLOWC_EXPORT void flowc_layout(int64_t* layout) {
    layout[0] = sizeof(Operation);
    layout[1] = products::kBlock;
    layout[2] = kBytesOfVector;
    layout[3] = products::kLookupBlock;
    layout[4] = kLanes;
    layout[5] = products::Bytes::kNarrow;
    layout[6] = tiles::available();
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

// Runs `count` operations on `samples` frames in up to `threads` threads; 0, or 1 where memory is lacking.
FLOWC_EXPORT int flowc_run(const Operation* program, int64_t count, uint8_t* arena, int64_t samples, int32_t threads) {
    Job job{program, count, arena, samples, threads};
    Scratch scratch;
    bool shared = false;
    for (int64_t i = 0; i < count && threads > 1; i++) shared |= job.shares(i) > 1;
    Crew<Job, Scratch>::run(job, scratch, count, shared ? threads - 1 : 0);
    return job.failed;
}

// Executes a segment of a loopback engine's descriptors, `count` rows; 0, or which fault it has (engine::Fault).
FLOWC_EXPORT int flowc_engine(engine::State* state, const int64_t* rows, int64_t count) {
    if (state->acc_bits > 32) return engine::Machine<uint64_t>(*state, rows, count).run();
    return engine::Machine<uint32_t>(*state, rows, count).run();
}

}  // extern "C"

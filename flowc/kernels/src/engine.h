// Executes segments of a loopback engine's descriptors. flowc/loopback/execute.py says what each does, in numpy; this does the same.
#pragma once

#include "engine_products.h"
#include "engine_results.h"
#include "engine_state.h"
#include "engine_transfers.h"

namespace engine {

inline bool reached(int64_t counter, int64_t wanted) { return ((counter - wanted) & 0x8000) == 0; }

// Sum: holds the accumulators' width.
template <class Sum>
class Machine {
  public:
    Machine(State& state, const int64_t* rows, int64_t count)
        : core(state), s(state), table(rows), count(count), transfers(core), results(core), products(core, results) {}

    // One segment, from its registers to the fence; a fault, or kFine.
    int run() {
        core.r = *(const Layer*)table;
        std::vector<int64_t> queues[3];
        for (int64_t i = 1; i < count; i++) {
            const int64_t op = table[kFields * i];
            if (op == kLoadActs) queues[0].push_back(i);
            if (op == kLoadWeights) queues[1].push_back(i);
            if (op == kCompute) queues[2].push_back(i);
        }
        reserve(queues[2]);
        size_t at[3] = {};
        while (!core.fault && (at[0] < queues[0].size() || at[1] < queues[1].size() || at[2] < queues[2].size())) {
            bool moved = false;
            while (!core.fault && at[0] < queues[0].size() && reached(s.retired, row<LoadActs>(queues[0][at[0]]).after)) {
                transfers.load_acts(row<LoadActs>(queues[0][at[0]++]));
                moved = true;
            }
            while (!core.fault && at[1] < queues[1].size() && reached(s.retired, row<LoadWeights>(queues[1][at[1]]).after)) {
                const LoadWeights& d = row<LoadWeights>(queues[1][at[1]++]);
                products.forget(d.tag);
                transfers.load_weights(d);
                moved = true;
            }
            if (!core.fault && at[2] < queues[2].size()) {
                const int64_t i = queues[2][at[2]];
                const Compute& d = row<Compute>(i);
                if (reached(s.loaded_acts, d.need_acts) && reached(s.loaded_weights, d.need_weights)) {
                    compute(d, s.groups[i]);
                    at[2]++;
                    s.retired++;
                    moved = true;
                }
            }
            if (!moved) core.fails(true, kNever);
        }
        for (int64_t i = 1; i < count && !core.fault; i++)
            if (table[kFields * i] == kStore) transfers.store(row<Store>(i));
        if (!core.fault) transfers.finish();
        return core.fault;
    }

  private:
    Core core;
    State& s;
    const int64_t* table;
    int64_t count;
    Transfers transfers;
    Results results;
    Products<Sum> products;

    template <class Descriptor>
    const Descriptor& row(int64_t i) const {
        return *(const Descriptor*)(table + kFields * i);
    }

    // Room for the results of all computes.
    void reserve(const std::vector<int64_t>& computes) {
        const int64_t each = results.bytes(core.r.kind ? s.columns : s.rows);
        int64_t bytes = 0;
        for (const int64_t i : computes) {
            const Compute& d = row<Compute>(i);
            if (d.last) bytes += d.positions() * d.blocks * each;
        }
        for (auto& lane : core.fifo) lane.reserve((size_t)bytes);
    }

    // Waits for the loads that it names, reads their words alone; that they are there by chance does not do.
    void compute(const Compute& d, int64_t group) {
        const Layer& r = core.r;
        const bool joins = r.skip_planes && d.last;
        const bool waits = reached(d.need_acts, d.act_tag + 1) && reached(d.need_weights, d.weight_tag + 1) &&
                           (!joins || reached(d.need_acts, d.skip_tag + 1));
        if (core.fails(!waits, kNoWait)) return;
        if (d.last) {
            const int64_t each = r.tables_each, end = d.parameter + d.blocks;
            tagged(s.parameter_tags, d.parameter, end, s.parameter_words, d.weight_tag, kOtherParameters);
            tagged(s.table_tags, d.parameter * each, end * each, s.table_words, d.weight_tag, kOtherTables);
        }
        if (joins) operands(d);
        if (core.fault) return;
        // Images of a lane are `all_lanes` apart in the batch.
        std::vector<int64_t> wanted((size_t)s.lanes, d.images);
        for (int64_t p = 0; p < s.lanes && !r.lane_rows; p++) {
            const int64_t left = s.images - (s.first_lane + p) - group * s.all_lanes;
            wanted[p] = std::min(d.images, left > 0 ? (left + s.all_lanes - 1) / s.all_lanes : 0);
        }
        if (d.last && *std::max_element(wanted.begin(), wanted.end()) > 0) results.prepare(d);
        products.run(d, wanted);
    }

    // The second operands of a join, which lie alike in all lanes.
    void operands(const Compute& d) {
        const int64_t words = d.blocks * (core.r.kind ? 1 : s.rows / s.columns) * core.r.skip_planes;
        for (int64_t i = 0; i < d.images; i++)
            for (int64_t y = 0; y < d.rows; y++)
                for (int64_t x = 0; x < d.columns; x++) {
                    const int64_t first = d.skip + i * d.skip_image + y * d.skip_row + x * d.skip_pixel;
                    tagged(s.act_tags, first, first + words, s.act_words, d.skip_tag, kOtherSkip);
                }
    }

    void tagged(const int64_t* tags, int64_t first, int64_t end, int64_t size, int64_t tag, Fault fault) {
        if (first < end && core.fails(end > size, fault)) return;
        bool other = false;
        for (int64_t i = first; i < end; i++) other |= tags[i] != tag;
        core.fails(other, fault);
    }
};

}  // namespace engine

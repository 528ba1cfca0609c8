// Threads that help with one program: operations are cut into shares, and whoever is free takes the next.
//
// Nobody waits for a thread that has not taken a share, so a helper that the system does not let run costs nothing; and a thread
// touches the program only while it holds a share of it, so helpers may outlive the run.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <pthread.h>
#include <sched.h>

struct Range {
    int64_t from, to;
};

// One of `count` shares of an operation.
struct Share {
    int index = 0, count = 1;

    // Its part of `total` things that are best cut at multiples of `grain`.
    Range of(int64_t total, int64_t grain = 1) const {
        const int64_t pieces = (total + grain - 1) / grain;
        const int64_t from = pieces * index / count * grain, to = pieces * (index + 1) / count * grain;
        return {from < total ? from : total, to < total ? to : total};
    }
};

// The steps of a run and who does what. Job: `int shares(int64_t step)`, `void run(int64_t step, Share, Worker&)`, with Worker a
// default-constructed state of each thread. All members are called while the run lasts only.
template <class Job, class Worker>
class Crew {
  public:
    // Runs steps 0 to `steps` in order, by this thread and up to `helpers` others.
    static void run(Job& job, Worker& own, int64_t steps, int helpers) {
        const auto crew = std::make_shared<Crew>(job);
        for (int i = 0; i < helpers; i++) crew->hire(crew);
        for (int64_t step = 0; step < steps; step++) {
            const int total = job.shares(step);
            crew->done_.store(0, std::memory_order_relaxed);
            crew->state_.store((uint64_t)(step + 1) << 32 | (uint64_t)total << 16, std::memory_order_release);
            while (crew->take(own)) {}
            for (int spins = 0; crew->done_.load(std::memory_order_acquire) < total; spins++)
                if (spins > 1000) sched_yield();
        }
        crew->state_.store(kOver, std::memory_order_release);
    }

    explicit Crew(Job& job) : job_(job) {}

  private:
    static constexpr uint64_t kOver = ~0ull << 32;

    void hire(const std::shared_ptr<Crew>& self) {
        auto* mine = new std::shared_ptr<Crew>(self);
        const auto enter = [](void* argument) -> void* {
            const std::unique_ptr<std::shared_ptr<Crew>> held((std::shared_ptr<Crew>*)argument);
            Crew& crew = **held;
            Worker worker;
            int idle = 0;
            while (crew.state_.load(std::memory_order_acquire) < kOver)
                if (crew.take(worker))
                    idle = 0;
                else if (++idle > 1000)
                    sched_yield();
            return nullptr;
        };
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_t handle;
        // Without the thread the others do its work.
        if (pthread_create(&handle, &attributes, enter, mine) != 0) delete mine;
        pthread_attr_destroy(&attributes);
    }

    // Runs a share, if there is one left. Step, number of shares and the next of them are one word, so that they belong together.
    bool take(Worker& worker) {
        uint64_t seen = state_.load(std::memory_order_acquire);
        const int total = (int)(seen >> 16 & 0xffff), next = (int)(seen & 0xffff);
        if (seen >= kOver || next >= total) return false;
        if (!state_.compare_exchange_strong(seen, seen + 1, std::memory_order_acq_rel)) return true;
        job_.run((int64_t)(seen >> 32) - 1, Share{next, total}, worker);
        done_.fetch_add(1, std::memory_order_release);
        return true;
    }

    Job& job_;
    std::atomic<uint64_t> state_{0};
    std::atomic<int> done_{0};
};

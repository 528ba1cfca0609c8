// flowc: golden design two_inputs for pynq-z2 at 100 MHz
// A bounded, blocking hls::stream for the threaded simulation: stands in for the vendor's unbounded one. One thread
// writes, one reads.
#ifndef FLOWC_SIM_HLS_STREAM_H
#define FLOWC_SIM_HLS_STREAM_H

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

namespace hls {

// What the watchdog sees of any stream.
class stream_base {
 public:
  stream_base(const char* name, std::size_t capacity) : name_(name), capacity_(capacity) { all().push_back(this); }
  stream_base(const stream_base&) = delete;
  stream_base& operator=(const stream_base&) = delete;
  virtual ~stream_base() {}

  static std::vector<stream_base*>& all() {
    static std::vector<stream_base*> streams;
    return streams;
  }

  // Reads and writes done so far.
  unsigned long long operations() {
    std::lock_guard<std::mutex> lock(mutex_);
    return operations_;
  }

  void describe(std::ostream& text) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reader_waits_) text << "  " << name_ << ": empty, its reader waits\n";
    if (writer_waits_) text << "  " << name_ << ": full (" << capacity_ << " beats), its writer waits\n";
  }

 protected:
  std::string name_;
  std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned long long operations_ = 0;
  bool reader_waits_ = false;
  bool writer_waits_ = false;
};

template <typename T>
class stream : public stream_base {
 public:
  explicit stream(const char* name = "stream", std::size_t capacity = static_cast<std::size_t>(-1)) : stream_base(name, capacity) {}

  T read() {
    std::unique_lock<std::mutex> lock(mutex_);
    reader_waits_ = true;
    while (beats_.empty()) changed_.wait(lock);
    reader_waits_ = false;
    const T beat = beats_.front();
    beats_.pop_front();
    ++operations_;
    if (writer_waits_) changed_.notify_one();
    return beat;
  }

  void read(T& beat) { beat = read(); }

  void write(const T& beat) {
    std::unique_lock<std::mutex> lock(mutex_);
    writer_waits_ = true;
    while (beats_.size() >= capacity_) changed_.wait(lock);
    writer_waits_ = false;
    beats_.push_back(beat);
    ++operations_;
    if (reader_waits_) changed_.notify_one();
  }

  bool empty() {
    std::lock_guard<std::mutex> lock(mutex_);
    return beats_.empty();
  }

 private:
  std::deque<T> beats_;
};

}  // namespace hls

#endif

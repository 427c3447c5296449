#include "parallel/thread_pool.h"

#include "parallel/threads.h"

#if defined(TINYVLM_THREADS)
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>
#endif

namespace tinyvlm {

#if defined(TINYVLM_THREADS)

namespace {

// Decode issues a few hundred short operations per token: waking a sleeping thread for each would
// cost more than the operation, so a worker looks for work this many times before it sleeps
// (roughly 20-50 microseconds).
constexpr int kSpins = 4000;

// The caller, done with its own tiles, waits for at most one tile of each worker, usually a few
// microseconds, so it polls longer before it sleeps (a few hundred microseconds). Without a limit
// it would occupy a core while a worker is waiting for one.
constexpr int kCallerSpins = 10 * kSpins;

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct ThreadPool::Impl {
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> threads;

  std::atomic<uint32_t> generation{0};  // one more per ParallelFor; workers run when it changes
  std::atomic<bool> stop{false};
  std::atomic<size_t> sleepers{0};
  std::atomic<size_t> running{0};  // workers that have not finished the current generation
  std::condition_variable finished;
  std::atomic<bool> caller_sleeps{false};

  std::atomic<size_t> next{0};
  size_t end = 0;
  TileBody body = nullptr;
  void* context = nullptr;

  void RunTiles(size_t worker) {
    for (;;) {
      const size_t tile = next.fetch_add(1, std::memory_order_relaxed);
      if (tile >= end) return;
      body(context, tile, worker);
    }
  }

  void WorkerLoop(size_t worker) {
    uint32_t seen = 0;
    for (;;) {
      int spins = 0;
      while (generation.load(std::memory_order_acquire) == seen) {
        if (++spins < kSpins) {
          Pause();
          continue;
        }
        std::unique_lock<std::mutex> lock(mutex);
        sleepers.fetch_add(1);
        wake.wait(lock, [&] { return generation.load() != seen; });
        sleepers.fetch_sub(1);
      }
      seen = generation.load(std::memory_order_acquire);
      if (stop.load()) return;
      RunTiles(worker);
      // Sequentially consistent, as is WaitForWorkers: the last worker sees that the caller sleeps,
      // or the caller sees that no worker runs.
      if (running.fetch_sub(1) == 1 && caller_sleeps.load()) {
        {
          std::lock_guard<std::mutex> lock(mutex);
        }
        finished.notify_one();
      }
    }
  }

  void WaitForWorkers() {
    for (int spins = 0; spins < kCallerSpins; ++spins) {
      if (running.load(std::memory_order_acquire) == 0) return;
      Pause();
    }
    std::unique_lock<std::mutex> lock(mutex);
    caller_sleeps.store(true);
    finished.wait(lock, [&] { return running.load() == 0; });
    caller_sleeps.store(false);
  }

  // Publishes the work described by the members above.
  void Publish() {
    generation.fetch_add(1);
    if (sleepers.load() != 0) {
      {
        std::lock_guard<std::mutex> lock(mutex);
      }
      wake.notify_all();
    }
  }
};

ThreadPool::ThreadPool(size_t num_workers) : num_workers_(num_workers == 0 ? 1 : num_workers) {
  if (num_workers_ == 1) return;
  impl_ = std::make_unique<Impl>();
  impl_->threads.reserve(num_workers_ - 1);
  for (size_t w = 1; w < num_workers_; ++w) {
    if (!Start(w)) {
      num_workers_ = w;
      break;
    }
  }
}

bool ThreadPool::Start(size_t worker) {
  const auto start = [&] {
    impl_->threads.emplace_back([impl = impl_.get(), worker] { impl->WorkerLoop(worker); });
    return true;
  };
#if defined(__cpp_exceptions)
  try {
    return start();
  } catch (const std::system_error&) {  // a limit of the system's
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
#else
  return start();
#endif
}

ThreadPool::~ThreadPool() {
  if (impl_ == nullptr) return;
  impl_->stop.store(true);
  impl_->Publish();
  for (std::thread& thread : impl_->threads) thread.join();
}

void ThreadPool::ParallelFor(size_t begin, size_t end, TileBody body, void* context) {
  if (impl_ == nullptr || end - begin <= 1) {
    for (size_t tile = begin; tile < end; ++tile) body(context, tile, 0);
    return;
  }
  impl_->body = body;
  impl_->context = context;
  impl_->end = end;
  impl_->next.store(begin, std::memory_order_relaxed);
  impl_->running.store(num_workers_ - 1, std::memory_order_relaxed);
  impl_->Publish();
  impl_->RunTiles(0);
  impl_->WaitForWorkers();
}

#else  // one thread

struct ThreadPool::Impl {};

ThreadPool::ThreadPool(size_t) : num_workers_(1) {}
bool ThreadPool::Start(size_t) { return false; }
ThreadPool::~ThreadPool() = default;

void ThreadPool::ParallelFor(size_t begin, size_t end, TileBody body, void* context) {
  for (size_t tile = begin; tile < end; ++tile) body(context, tile, 0);
}

#endif

}  // namespace tinyvlm

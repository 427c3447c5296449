// A fixed pool of threads, caller included. It belongs to the CPU backend of a model,
// starts with it and runs one ParallelFor at a time.
#ifndef TINYVLM_PARALLEL_THREAD_POOL_H_
#define TINYVLM_PARALLEL_THREAD_POOL_H_

#include <cstddef>
#include <memory>

namespace tinyvlm {

// What a tile runs: body(context, tile, worker), worker in [0, num_workers). A plain function
// pointer so that starting work allocates nothing.
using TileBody = void (*)(void* context, size_t tile, size_t worker);

// Pool threads never allocate, print or call JavaScript (in wasm that would need the thread that is
// waiting for them).
class ThreadPool {
 public:
  // Starts num_workers - 1 threads, natively as many of them as the system gives; 0 and 1 both mean
  // that ParallelFor is a plain loop. In builds without threads always a plain loop.
  explicit ThreadPool(size_t num_workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t num_workers() const { return num_workers_; }

  // Runs body for every tile in [begin, end) and returns when all are done. Tiles must not depend
  // on each other; which worker runs which tile is not fixed, so results must depend on the tile
  // alone. Not reentrant; call from one thread at a time, whichever it is (PlanRunner sees to that
  // for the plans of a model).
  void ParallelFor(size_t begin, size_t end, TileBody body, void* context);

 private:
  struct Impl;

  // False where no further thread is to be had.
  bool Start(size_t worker);

  size_t num_workers_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_PARALLEL_THREAD_POOL_H_

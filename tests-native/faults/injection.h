// Makes the n-th allocation, or the n-th operation on a file, of the calling thread fail.
#ifndef TINYVLM_TESTS_FAULTS_INJECTION_H_
#define TINYVLM_TESTS_FAULTS_INJECTION_H_

#include <cstddef>
#include <cstdint>

namespace tinyvlm {

enum class Fault { kAllocation, kFile };

// Counts the operations of one kind while Call runs, and makes number `at` fail (from 0 on); where
// it is `lasting`, all that follow, too. One at a time on a thread.
class Injection {
 public:
  static constexpr uint64_t kNever = ~uint64_t{0};

  Injection(Fault fault, uint64_t at, bool lasting) : fault_(fault), at_(at), lasting_(lasting) {}

  // What `call` returns. The test's own operations are not counted between calls.
  template <typename Body>
  auto Call(const Body& call) {
    const Armed armed(this);
    return call();
  }

  uint64_t count() const { return count_; }
  bool failed() const { return count_ > at_; }

  // Counts an operation of `fault` on this thread; true where it is to fail.
  static bool Fails(Fault fault);

 private:
  struct Armed {
    explicit Armed(Injection* injection);
    ~Armed();
  };

  const Fault fault_;
  const uint64_t at_;
  const bool lasting_;
  uint64_t count_ = 0;
};

// How many allocations that were made inside of Injection::Call have not been freed, and how many
// bytes they have.
size_t LiveAllocations();
size_t LiveBytes();

// Open descriptors of the process.
size_t OpenDescriptors();

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FAULTS_INJECTION_H_

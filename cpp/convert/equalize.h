// Scales columns of the decoder's matrices to similar magnitudes before they are quantised, by
// powers of two that the adjacent tensors undo exactly.
//
// A block of 32 weights has one scale. Where a norm amplifies a channel, as norms of trained
// decoders do, the matrices behind it have small weights in its column: in a block with 31 weights
// of ordinary size they would keep one bit or none, and the norm makes their error the largest of
// all. W diag(s) (norm / s) is the same function, with the small column at ordinary size; for s a
// power of two every product and sum is the same number. Between up and down of an FFN, whose
// product is linear in up, the same holds for the hidden units. docs/fidelity.md has the numbers.
#ifndef TINYVLM_CONVERT_EQUALIZE_H_
#define TINYVLM_CONVERT_EQUALIZE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint.h"

namespace tinyvlm {

// Rows of a matrix by which its columns are measured: `rows` rows, every `step`-th from the first.
struct ColumnSample {
  size_t group = 0;                       // the equaliser's number of what is measured together
  const PlannedTensor* matrix = nullptr;  // [rows, width]
  uint64_t step = 1;
  uint64_t rows = 0;
};

// Columns are measured shortly before they are converted, group by group: q, k and v of a layer;
// its gate and up; its down. So nothing of the other layers has to be read or kept.
class Equalizer {
 public:
  // Changes nothing.
  Equalizer() = default;

  // Knows what is to be measured: attention's q, k and v, the FFN's gate, up and down. Holds the
  // checkpoint by reference.
  static Result<Equalizer> Create(const Checkpoint& checkpoint);

  // What must be measured before the tensor `name` of our file can be converted, without what an
  // earlier call returned.
  std::vector<ColumnSample> TakeSamples(const std::string& name);

  // Measures the next `rows` rows of a sample, [rows, width]. Rows of a group come in order.
  void AddRows(const ColumnSample& sample, size_t rows, const float* values);

  // Applies the factors to `rows` rows of the tensor `name` of our file, from row `first` on;
  // `values` is [rows, width]. A vector is one row. All that TakeSamples(name) returned must have
  // been measured.
  void Apply(const std::string& name, uint64_t first, size_t rows, size_t width,
             float* values) const;

  // Drops the factors of the tensor `name`, which is not applied to any more.
  void Forget(const std::string& name) { factors_.erase(name); }

  // Columns and hidden units that got a factor, of all groups that were measured.
  size_t num_scaled() const { return num_scaled_; }

 private:
  // Matrices that read the same values, and the tensor that undoes the scaling of their columns.
  struct Group {
    std::vector<const PlannedTensor*> readers;
    std::string undone_in;        // our name
    bool undone_in_rows = false;  // by its rows; else it is a vector
    bool taken = false;
    uint64_t rows_left = 0;       // to be measured
    std::vector<double> squares;  // of the columns; while it is being measured
  };
  struct Factors {
    std::vector<float> of_columns;  // empty: all 1
    std::vector<float> of_rows;
  };

  Status AddGroup(const Checkpoint& checkpoint, const std::vector<std::string>& readers,
                  std::string undone_in, bool undone_in_rows);
  void Finish(Group& group);

  std::vector<Group> groups_;
  std::map<std::string, std::vector<size_t>> groups_of_;  // by our name: groups that scale it
  std::map<std::string, Factors> factors_;                // by our name
  size_t num_scaled_ = 0;
};

// The powers of two that bring columns of these sums of squares nearest to their median size: 1
// where a column is within a factor of 2 of it, or all zeros; between 2^-12 and 2^12.
std::vector<float> EqualizingFactors(const std::vector<double>& squares);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_EQUALIZE_H_

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

class Equalizer {
 public:
  // Changes nothing.
  Equalizer() = default;

  // Measures the columns of attention's q, k, v and the FFN's gate, up and down, on a sample of
  // their rows.
  static Result<Equalizer> Create(const Checkpoint& checkpoint);

  // Applies the factors to `rows` rows of the tensor `name` of our file, from row `first` on;
  // `values` is [rows, width]. A vector is one row.
  void Apply(const std::string& name, uint64_t first, size_t rows, size_t width,
             float* values) const;

  // Columns and hidden units that get a factor, of all layers.
  size_t num_scaled() const { return num_scaled_; }

 private:
  struct Factors {
    std::vector<float> of_columns;  // empty: all 1
    std::vector<float> of_rows;
  };

  std::map<std::string, Factors> factors_;  // by our name
  size_t num_scaled_ = 0;
};

// The powers of two that bring columns of these sums of squares nearest to their median size: 1
// where a column is within a factor of 2 of it, or all zeros; between 2^-12 and 2^12.
std::vector<float> EqualizingFactors(const std::vector<double>& squares);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_EQUALIZE_H_

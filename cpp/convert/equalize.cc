#include "convert/equalize.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace tinyvlm {

namespace {

// Enough to estimate a column's magnitude within a few per cent, and few compared with all rows of
// a matrix.
constexpr uint64_t kSampledRows = 256;

constexpr int kLargestExponent = 12;

const PlannedTensor* Find(const Checkpoint& checkpoint, const std::string& name) {
  const auto found = std::find_if(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                                  [&](const PlannedTensor& tensor) { return tensor.name == name; });
  return found == checkpoint.tensors.end() ? nullptr : &*found;
}

// Adds the squares of a matrix's columns, over an equidistant sample of rows. Each row is scaled to
// count the same, so that one with large values does not dominate.
Status AddSquares(const Checkpoint& checkpoint, const std::string& name,
                  std::vector<double>* squares) {
  const PlannedTensor* const tensor = Find(checkpoint, name);
  const SafetensorsTensor* const source =
      tensor == nullptr ? nullptr : checkpoint.weights.Find(tensor->source);
  if (source == nullptr)
    return Error(ErrorCode::kInternal, "%s: a tensor of the decoder wanted, none found",
                 name.c_str());
  const uint64_t rows = tensor->shape[0], width = tensor->shape[1],
                 step = std::max<uint64_t>(1, rows / kSampledRows);
  squares->resize(static_cast<size_t>(width));
  std::vector<float> row(static_cast<size_t>(width));
  for (uint64_t r = 0; r < rows; r += step) {
    TVLM_RETURN_IF_ERROR(checkpoint.weights.ReadF32(*source, r * width, row.size(), row.data()));
    double sum = 0;
    for (const float value : row) sum += double{value} * double{value};
    if (!(sum > 0) || !std::isfinite(sum)) continue;
    for (size_t i = 0; i < row.size(); ++i) (*squares)[i] += double{row[i]} * double{row[i]} / sum;
  }
  return Status();
}

std::vector<float> Inverse(std::vector<float> factors) {
  for (float& factor : factors) factor = 1 / factor;  // exact: a power of two
  return factors;
}

}  // namespace

std::vector<float> EqualizingFactors(const std::vector<double>& squares) {
  std::vector<float> factors(squares.size(), 1.0f);
  if (squares.empty()) return factors;
  std::vector<double> sorted = squares;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2),
                   sorted.end());
  const double median = sorted[sorted.size() / 2];
  // The conversion itself rejects weights that are not finite, with their name.
  if (!(median > 0) || !std::isfinite(median)) return factors;
  for (size_t i = 0; i < squares.size(); ++i) {
    if (!(squares[i] > 0) || !std::isfinite(squares[i])) continue;
    const double exponent = 0.5 * std::log2(median / squares[i]);
    if (std::fabs(exponent) < 1) continue;
    factors[i] = std::ldexp(1.0f, std::clamp(static_cast<int>(std::lround(exponent)),
                                             -kLargestExponent, kLargestExponent));
  }
  return factors;
}

Result<Equalizer> Equalizer::Create(const Checkpoint& checkpoint) {
  Equalizer equalizer;
  const auto count = [&](const std::vector<float>& factors) {
    equalizer.num_scaled_ +=
        factors.size() - static_cast<size_t>(std::count(factors.begin(), factors.end(), 1.0f));
  };
  for (uint32_t layer = 0; layer < checkpoint.config.layers; ++layer) {
    const std::string block = Format("blk.%u.", layer);
    const auto equalize_norm = [&](const char* norm,
                                   std::initializer_list<const char*> readers) -> Status {
      std::vector<double> squares;
      for (const char* reader : readers)
        TVLM_RETURN_IF_ERROR(AddSquares(checkpoint, block + reader, &squares));
      const std::vector<float> factors = EqualizingFactors(squares);
      count(factors);
      for (const char* reader : readers) equalizer.factors_[block + reader].of_columns = factors;
      equalizer.factors_[block + norm].of_columns = Inverse(factors);
      return Status();
    };
    TVLM_RETURN_IF_ERROR(
        equalize_norm("attn_norm.weight", {"attn_q.weight", "attn_k.weight", "attn_v.weight"}));
    TVLM_RETURN_IF_ERROR(equalize_norm("ffn_norm.weight", {"ffn_gate.weight", "ffn_up.weight"}));
    std::vector<double> squares;
    TVLM_RETURN_IF_ERROR(AddSquares(checkpoint, block + "ffn_down.weight", &squares));
    const std::vector<float> factors = EqualizingFactors(squares);
    count(factors);
    equalizer.factors_[block + "ffn_down.weight"].of_columns = factors;
    equalizer.factors_[block + "ffn_up.weight"].of_rows = Inverse(factors);
  }
  return equalizer;
}

void Equalizer::Apply(const std::string& name, uint64_t first, size_t rows, size_t width,
                      float* values) const {
  const auto found = factors_.find(name);
  if (found == factors_.end()) return;
  const Factors& factors = found->second;
  for (size_t r = 0; r < rows; ++r) {
    const float of_row =
        factors.of_rows.empty() ? 1.0f : factors.of_rows[static_cast<size_t>(first) + r];
    float* const row = values + r * width;
    for (size_t i = 0; i < width; ++i)
      row[i] *= of_row * (factors.of_columns.empty() ? 1.0f : factors.of_columns[i]);
  }
}

}  // namespace tinyvlm

#include "convert/equalize.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

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

Status Equalizer::AddGroup(const Checkpoint& checkpoint, const std::vector<std::string>& readers,
                           std::string undone_in, bool undone_in_rows) {
  Group group;
  for (const std::string& name : readers) {
    const PlannedTensor* const reader = Find(checkpoint, name);
    if (reader == nullptr)
      return Error(ErrorCode::kInternal, "%s: a tensor of the decoder wanted, none found",
                   name.c_str());
    group.readers.push_back(reader);
    groups_of_[name].push_back(groups_.size());
  }
  groups_of_[undone_in].push_back(groups_.size());
  group.undone_in = std::move(undone_in);
  group.undone_in_rows = undone_in_rows;
  groups_.push_back(std::move(group));
  return Status();
}

Result<Equalizer> Equalizer::Create(const Checkpoint& checkpoint) {
  Equalizer equalizer;
  for (uint32_t layer = 0; layer < checkpoint.config.layers; ++layer) {
    const std::string block = Format("blk.%u.", layer), q = block + "attn_q.weight",
                      k = block + "attn_k.weight", v = block + "attn_v.weight",
                      gate = block + "ffn_gate.weight", up = block + "ffn_up.weight",
                      down = block + "ffn_down.weight";
    TVLM_RETURN_IF_ERROR(
        equalizer.AddGroup(checkpoint, {q, k, v}, block + "attn_norm.weight", false));
    TVLM_RETURN_IF_ERROR(
        equalizer.AddGroup(checkpoint, {gate, up}, block + "ffn_norm.weight", false));
    TVLM_RETURN_IF_ERROR(equalizer.AddGroup(checkpoint, {down}, up, true));
  }
  return equalizer;
}

std::vector<ColumnSample> Equalizer::TakeSamples(const std::string& name) {
  std::vector<ColumnSample> samples;
  const auto found = groups_of_.find(name);
  if (found == groups_of_.end()) return samples;
  for (const size_t index : found->second) {
    Group& group = groups_[index];
    if (std::exchange(group.taken, true)) continue;
    group.squares.resize(static_cast<size_t>(group.readers[0]->shape[1]));
    for (const PlannedTensor* reader : group.readers) {
      const uint64_t rows = reader->shape[0], step = std::max<uint64_t>(1, rows / kSampledRows);
      samples.push_back({index, reader, step, (rows + step - 1) / step});
      group.rows_left += samples.back().rows;
    }
  }
  return samples;
}

// Each row is scaled to count the same, so that one with large values does not dominate.
void Equalizer::AddRows(const ColumnSample& sample, size_t rows, const float* values) {
  Group& group = groups_[sample.group];
  const size_t width = group.squares.size();
  for (size_t r = 0; r < rows; ++r) {
    const std::span<const float> row(values + r * width, width);
    double sum = 0;
    for (const float value : row) sum += double{value} * double{value};
    if (!(sum > 0) || !std::isfinite(sum)) continue;
    for (size_t i = 0; i < width; ++i) group.squares[i] += double{row[i]} * double{row[i]} / sum;
  }
  group.rows_left -= rows;
  if (group.rows_left == 0) Finish(group);
}

void Equalizer::Finish(Group& group) {
  const std::vector<float> factors = EqualizingFactors(std::exchange(group.squares, {}));
  num_scaled_ +=
      factors.size() - static_cast<size_t>(std::count(factors.begin(), factors.end(), 1.0f));
  for (const PlannedTensor* reader : group.readers) factors_[reader->name].of_columns = factors;
  Factors& undone = factors_[group.undone_in];
  (group.undone_in_rows ? undone.of_rows : undone.of_columns) = Inverse(factors);
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

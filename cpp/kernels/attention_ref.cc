#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention.h"

namespace tinyvlm::reference {

void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride,
                   const float* v, size_t v_stride, size_t keys, bool causal, size_t head_dim,
                   float scale, float* out, size_t out_stride) {
  for (size_t r = 0; r < rows; ++r) {
    std::vector<double> p(causal ? keys + r : keys);
    for (size_t j = 0; j < p.size(); ++j) {
      for (size_t i = 0; i < head_dim; ++i)
        p[j] += static_cast<double>(q[r * q_stride + i]) * static_cast<double>(k[j * k_stride + i]);
      p[j] *= static_cast<double>(scale);
    }
    const double max = *std::max_element(p.begin(), p.end());
    double sum = 0.0;
    for (double& x : p) sum += x = std::exp(x - max);
    for (size_t i = 0; i < head_dim; ++i) {
      double mixed = 0.0;
      for (size_t j = 0; j < p.size(); ++j)
        mixed += p[j] * static_cast<double>(v[j * v_stride + i]);
      out[r * out_stride + i] = static_cast<float>(mixed / sum);
    }
  }
}

}  // namespace tinyvlm::reference

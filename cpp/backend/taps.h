// Where intermediate results go when a model is traced.
#ifndef TINYVLM_BACKEND_TAPS_H_
#define TINYVLM_BACKEND_TAPS_H_

#include <cstddef>
#include <string>

namespace tinyvlm {

// Receives stages of a model as they are computed, by the names of the reference dumps
// (docs/trace.md). Values are valid during the call only.
class Taps {
 public:
  virtual ~Taps() = default;
  // A map of the tower: [height, width, channels], f32.
  virtual void OnMap(const std::string& name, const float* values, size_t height, size_t width,
                     size_t channels) = 0;
  // Rows of the decoder or the projector: [rows, width], f32. The decoder reports a prompt in
  // pieces, in order.
  virtual void OnRows(const std::string& name, const float* values, size_t rows, size_t width) = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_TAPS_H_

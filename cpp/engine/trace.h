// Every stage of a model for a given input, by the names of docs/trace.md: how a checkpoint is checked against a reference implementation.
#ifndef TINYVLM_ENGINE_TRACE_H_
#define TINYVLM_ENGINE_TRACE_H_

#include <cstddef>
#include <string>

#include "base/status.h"
#include "engine/model.h"
#include "weights/linear.h"

namespace tinyvlm {

struct TraceOptions {
  std::string case_path;    // safetensors: pixel_values [pictures, 3, H, W] f32 (absent: text only) and prompt_ids [n] i64, where -200 marks a picture;
                            // or, where prompt_ids is absent, input_ids [N] i64, where the model's image token stands once per row of a picture
  std::string output_path;  // safetensors
  size_t greedy = 0;        // ids to choose greedily after the prompt; stop ids do not stop it
  Compute compute = Compute::kF32;
};

// Runs the case through `model`, whose weights must all have arrived, and writes every tap as f32, the chosen ids as greedy_ids (i64), and the inputs
// as they were used. Pixels go in as they are: picture sizes are free, no normalisation is applied.
Status Trace(Model& model, const TraceOptions& options);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_TRACE_H_

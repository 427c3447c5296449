// Records every stage of a model for a given input, under the names of docs/trace.md, so that a
// checkpoint can be compared with a reference implementation.
#ifndef TINYVLM_ENGINE_TRACE_H_
#define TINYVLM_ENGINE_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/status.h"
#include "engine/model.h"
#include "tensor/shape.h"

namespace tinyvlm {

struct TraceOptions {
  // safetensors: pixel_values [images, 3, H, W] f32 (absent: text only) and prompt_ids [n] i64,
  // where -200 marks an image; or, instead of prompt_ids, input_ids [N] i64, where the model's
  // image token is repeated for each row of an image's embeddings
  std::string case_path;
  std::string output_path;  // safetensors
  size_t greedy = 0;        // ids to choose greedily after the prompt; stop ids do not stop it
  Compute compute = Compute::kF32;
};

// Runs the case through `model`, whose weights must all have arrived, and writes every tap and
// logits_last as f32, the chosen ids as greedy_ids (i64), and the inputs. Pixel values are used
// unchanged: any image size, no normalisation.
Status Trace(Model& model, const TraceOptions& options);

// One input of a model.
struct TraceCase {
  Shape pixels_shape;  // [images, 3, H, W]; empty: text only
  std::vector<float> pixels;
  std::vector<int64_t> prompt;  // one id per token, kImageMarker per image
  std::vector<int64_t> input;   // one id per row
};

// Appends `prompt` to `input`, with the model's image token `rows_per_image` times per image.
void ExpandPrompt(const Model& model, size_t rows_per_image, TraceCase* c);

// Reads a case file (TraceOptions::case_path) and checks it against the model. Errors name the
// tensor.
Result<TraceCase> ReadTraceCase(const std::string& path, const Model& model);

// One stage: maps [image, channel, y, x], projector [image, row, width], decoder [row, width].
struct Tap {
  Shape shape;
  std::vector<float> values;
  size_t order = 0;  // stages before it
};

class TapCollector;

// Runs one case through a model: its prompt, then ids one at a time.
class TraceRun {
 public:
  // Encodes the images and runs the prompt; up to `steps` ids may follow. `model`, whose weights
  // must all have arrived, outlives the run.
  static Result<std::unique_ptr<TraceRun>> Start(Model& model, const TraceCase& input, size_t steps,
                                                 Compute compute);
  ~TraceRun();

  // Every stage of the prompt.
  const std::map<std::string, Tap>& taps() const;

  // [vocabulary] of the last row. Valid until the next Step.
  const float* logits() const { return logits_.data(); }

  // Appends a row for the id, which is below the vocabulary.
  Status Step(int64_t id);

  // Back to the end of the prompt; logits() stay what they are until the next Step.
  void Rewind() { decoder_->Rewind(prompt_rows_); }

 private:
  TraceRun();
  Status Advance();

  std::unique_ptr<TapCollector> collector_;
  std::vector<std::shared_ptr<const Embeddings>> images_;  // that rows_ refers to
  std::vector<DecoderRow> rows_;
  std::unique_ptr<Decoder> decoder_;
  std::span<const float> logits_;
  size_t prompt_rows_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_TRACE_H_

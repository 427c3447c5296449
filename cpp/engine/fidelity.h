// Measures how far a model file deviates from a reference, usually the same checkpoint in f32: per
// stage, in the next token's distribution, and in greedy answers.
#ifndef TINYVLM_ENGINE_FIDELITY_H_
#define TINYVLM_ENGINE_FIDELITY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/compute.h"
#include "base/status.h"
#include "engine/model.h"
#include "engine/trace.h"
#include "image/image.h"

namespace tinyvlm {

struct FidelityOptions {
  size_t steps = 24;  // tokens of an answer, at most
  // an answer ends with a stop id of the reference; otherwise stop ids are ids like others
  bool stop = false;
  Compute compute = Compute::kFast;  // of the other model; the reference always computes in f32
};

struct FidelityReport {
  struct Stage {
    std::string name;     // docs/trace.md; "logits": of every position
    double relative = 0;  // ||x - reference|| / ||reference|| over all values of all cases
    // max |x - reference| / max |reference| of a case, the largest of all cases
    double largest = 0;
  };
  std::vector<Stage> stages;  // in the order of computation

  size_t cases = 0;

  // Positions are those of the reference's greedy answers, the stop id's included. The other model
  // is given the reference's tokens (teacher-forced).
  size_t positions = 0;
  double mean_kl = 0;  // KL(reference || other) of the next token, in nats
  double largest_kl = 0;
  size_t top1_equal = 0;  // positions where the most probable token is the same

  // Where the other model continues its own greedy answer (free-running):
  size_t tokens_equal = 0;   // positions at which its answer has the reference's token
  size_t answers_equal = 0;  // cases with the whole answer equal
};

// Compares two models, case by case. Shares ownership of both.
class Fidelity {
 public:
  // Errors: invalid_argument where the vocabularies differ or options.steps is 0.
  static Result<Fidelity> Create(std::shared_ptr<Model> reference, std::shared_ptr<Model> other,
                                 const FidelityOptions& options);

  // Runs a case through both models. Errors: invalid_argument where their stages have different
  // shapes, internal where a model computes values that are not numbers.
  Status Add(const TraceCase& input);

  // Over the cases that were added.
  FidelityReport Report() const;

 private:
  struct StageSums {
    std::string name;
    double difference2 = 0, reference2 = 0, largest = 0;
  };

  Fidelity(std::shared_ptr<Model> reference, std::shared_ptr<Model> other,
           const FidelityOptions& options)
      : reference_(std::move(reference)), other_(std::move(other)), options_(options) {}
  void AddStage(const std::string& name, const std::vector<float>& wanted,
                const std::vector<float>& found);
  int64_t Best(const float* logits) const;
  bool Ends(int64_t id) const;

  std::shared_ptr<Model> reference_;
  std::shared_ptr<Model> other_;
  FidelityOptions options_;
  std::vector<StageSums> stages_;
  FidelityReport totals_;  // mean_kl holds the sum
};

// KL(p || q) in nats of the softmax distributions of two lists of n logits, computed in f64; NaN
// where a logit is NaN or +inf, or where q is 0 and p is not.
double KlDivergence(const float* p_logits, const float* q_logits, size_t n);

// Case number `index` of a seed: 32 random ids and, where `index` is even, before the last 16 of
// them an image of the model's own size: rectangles of random colours, positions and sizes on a
// background of random colour. A model that reads text only gets no images.
TraceCase MakeRandomCase(const Model& model, uint64_t seed, uint64_t index);

// A question about an image, as Session would ask it. Errors: unsupported where the model has no
// tokenizer, no vision tower or no known chat style; those of ResizeToSquare and BuildPrompt.
Result<TraceCase> MakeQuestionCase(const Model& model, const ImageView& image,
                                   std::string_view question);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_FIDELITY_H_

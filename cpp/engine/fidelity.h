// How far a model file strays from another that is held to be right: the same checkpoint in f32.
// Stage by stage, and in what it would say.
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
  // is led along them (teacher-forced).
  size_t positions = 0;
  double mean_kl = 0;  // KL(reference || other) of the next token, in nats
  double largest_kl = 0;
  size_t top1_equal = 0;  // positions where both hold the same token to be the likeliest

  // And where the other model goes its own way (free-running):
  size_t tokens_equal = 0;   // positions at which its answer has the reference's token
  size_t answers_equal = 0;  // cases with the whole answer equal
};

// Compares two models, case by case. Holds both.
class Fidelity {
 public:
  // Errors: invalid_argument where the vocabularies differ, so that there is nothing to compare.
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

// KL(p || q) in nats of the distributions that two lists of n logits stand for, computed in f64;
// NaN where a logit is NaN or +inf, or where p has something that q excludes.
double KlDivergence(const float* p_logits, const float* q_logits, size_t n);

// Case number `index` of those that a seed stands for: 32 random ids and, in those of even number,
// before the last 16 of them an image of the model's own size: rectangles of random colours, places
// and sizes on a random ground.
TraceCase MakeRandomCase(const Model& model, uint64_t seed, uint64_t index);

// A question about an image, as Session would ask it. Errors: unsupported where the model has no
// tokenizer, and what preparing the image gives.
Result<TraceCase> MakeQuestionCase(const Model& model, const ImageView& image,
                                   std::string_view question);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_FIDELITY_H_

#include "engine/fidelity.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/aligned.h"
#include "image/preprocess.h"
#include "text/chat_template.h"

namespace tinyvlm {

namespace {

// SplitMix64: equal numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // A number in [0, bound); bound is not 0.
  size_t Below(size_t bound) { return static_cast<size_t>(Next() % bound); }

 private:
  uint64_t state_;
};

constexpr size_t kRandomIds = 32;
constexpr size_t kRandomIdsAfterImage = 16;
constexpr size_t kRectangles = 16;

// Pixels [side, side, 3] into the planes that a case holds.
void SetImage(const Model& model, const uint8_t* pixels, TraceCase* c) {
  const size_t side = model.vision().image_size, count = side * side;
  std::vector<float> values(3 * count);
  NormalizePixels(pixels, count, model.vision().mean, model.vision().std, values.data());
  c->pixels_shape = {1, 3, side, side};
  c->pixels.resize(3 * count);
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t p = 0; p < count; ++p) c->pixels[channel * count + p] = values[p * 3 + channel];
  }
}

// log(sum(exp(logits))).
double LogSumExp(const float* logits, size_t n) {
  const double largest = static_cast<double>(*std::max_element(logits, logits + n));
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(logits[i]) - largest);
  return largest + std::log(sum);
}

}  // namespace

double KlDivergence(const float* p_logits, const float* q_logits, size_t n) {
  const double p_sum = LogSumExp(p_logits, n), q_sum = LogSumExp(q_logits, n);
  double kl = 0;
  for (size_t i = 0; i < n; ++i) {
    const double log_p = static_cast<double>(p_logits[i]) - p_sum, p = std::exp(log_p);
    if (p != 0) kl += p * (log_p - (static_cast<double>(q_logits[i]) - q_sum));
  }
  // Rounding may leave the sum slightly below zero.
  if (!std::isfinite(kl)) return NAN;
  return std::max(kl, 0.0);
}

TraceCase MakeRandomCase(const Model& model, uint64_t seed, uint64_t index) {
  Random random(seed * 0x2545f4914f6cdd1dull + index);
  const bool with_image = index % 2 == 0 && model.has_vision();
  TraceCase c;
  for (size_t i = 0; i < kRandomIds; ++i) {
    if (with_image && i == kRandomIds - kRandomIdsAfterImage) c.prompt.push_back(kImageMarker);
    c.prompt.push_back(static_cast<int64_t>(random.Below(model.valid_ids())));
  }
  if (with_image) {
    const size_t side = model.vision().image_size;
    std::vector<uint8_t> pixels(3 * side * side);
    for (size_t rectangle = 0; rectangle <= kRectangles; ++rectangle) {
      const bool ground = rectangle == 0;
      const size_t x0 = ground ? 0 : random.Below(side), y0 = ground ? 0 : random.Below(side);
      const size_t x1 = ground ? side : std::min(side, x0 + 1 + random.Below(side)),
                   y1 = ground ? side : std::min(side, y0 + 1 + random.Below(side));
      uint8_t colour[3];
      for (uint8_t& channel : colour) channel = static_cast<uint8_t>(random.Below(256));
      for (size_t y = y0; y < y1; ++y) {
        for (size_t x = x0; x < x1; ++x) std::copy_n(colour, 3, pixels.data() + 3 * (y * side + x));
      }
    }
    SetImage(model, pixels.data(), &c);
  }
  ExpandPrompt(model, model.image_tokens(), &c);
  return c;
}

Result<TraceCase> MakeQuestionCase(const Model& model, const ImageView& image,
                                   std::string_view question) {
  if (model.tokenizer() == nullptr)
    return Error(ErrorCode::kUnsupported,
                 "questions want a model file with a tokenizer; convert without --no-tokenizer");
  if (!model.has_vision())
    return Error(ErrorCode::kUnsupported,
                 "questions about images want a model with a vision tower, %s reads text only",
                 model.name().c_str());
  const size_t side = model.vision().image_size;
  TVLM_ASSIGN_OR_RETURN(auto pixels,
                        AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * side * side, "image"));
  TVLM_RETURN_IF_ERROR(
      ResizeToSquare(image, model.resize_mode(), /*exact=*/false, side, pixels.data()));
  const ChatTurn turn{question, 1, std::nullopt};
  TVLM_ASSIGN_OR_RETURN(const ChatStyle style, model.chat_style());
  TVLM_ASSIGN_OR_RETURN(
      const std::vector<int32_t> ids,
      BuildPrompt(*model.tokenizer(), style, {std::nullopt, {&turn, 1}, model.bos_id()}));
  TraceCase c;
  c.prompt.assign(ids.begin(), ids.end());
  SetImage(model, pixels.data(), &c);
  ExpandPrompt(model, model.image_tokens(), &c);
  return c;
}

Result<Fidelity> Fidelity::Create(std::shared_ptr<Model> reference, std::shared_ptr<Model> other,
                                  const FidelityOptions& options) {
  if (reference->decoder().vocabulary != other->decoder().vocabulary) {
    return Error(ErrorCode::kInvalidArgument,
                 "two files of one checkpoint wanted: the first has %zu ids, the second %zu",
                 reference->decoder().vocabulary, other->decoder().vocabulary);
  }
  if (options.steps == 0)
    return Error(ErrorCode::kInvalidArgument, "steps: at least 1 wanted, 0 found");
  return Fidelity(std::move(reference), std::move(other), options);
}

int64_t Fidelity::Best(const float* logits) const {
  return std::max_element(logits, logits + reference_->valid_ids()) - logits;
}

bool Fidelity::Ends(int64_t id) const {
  const std::vector<int32_t>& stop_ids = reference_->stop_ids();
  return options_.stop && std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end();
}

void Fidelity::AddStage(const std::string& name, const std::vector<float>& wanted,
                        const std::vector<float>& found) {
  auto stage = std::find_if(stages_.begin(), stages_.end(),
                            [&](const StageSums& sums) { return sums.name == name; });
  if (stage == stages_.end()) stage = stages_.insert(stages_.end(), {name});
  double difference = 0, largest = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double a = static_cast<double>(wanted[i]), d = static_cast<double>(found[i]) - a;
    stage->reference2 += a * a;
    stage->difference2 += d * d;
    largest = std::max(largest, std::fabs(a));
    difference = std::max(difference, std::fabs(d));
  }
  if (largest != 0) stage->largest = std::max(stage->largest, difference / largest);
}

Status Fidelity::Add(const TraceCase& input) {
  const size_t vocabulary = reference_->decoder().vocabulary;
  std::vector<int64_t> answer;
  std::vector<float> wanted;  // [position][vocabulary]
  TVLM_ASSIGN_OR_RETURN(const auto reference,
                        TraceRun::Start(*reference_, input, options_.steps, Compute::kF32));
  for (;;) {
    const float* const logits = reference->logits();
    wanted.insert(wanted.end(), logits, logits + vocabulary);
    answer.push_back(Best(logits));
    if (answer.size() == options_.steps || Ends(answer.back())) break;
    TVLM_RETURN_IF_ERROR(reference->Step(answer.back()));
  }

  TVLM_ASSIGN_OR_RETURN(const auto other,
                        TraceRun::Start(*other_, input, options_.steps, options_.compute));
  std::vector<const std::pair<const std::string, Tap>*> taps;
  for (const auto& tap : reference->taps()) taps.push_back(&tap);
  std::sort(taps.begin(), taps.end(),
            [](const auto* a, const auto* b) { return a->second.order < b->second.order; });
  for (const auto* tap : taps) {
    const auto found = other->taps().find(tap->first);
    if (found == other->taps().end() || found->second.shape != tap->second.shape) {
      return Error(
          ErrorCode::kInvalidArgument,
          "two files of one checkpoint wanted: stage %s of the first has shape %s, of the second "
          "%s",
          tap->first.c_str(), ShapeToString(tap->second.shape).c_str(),
          found == other->taps().end() ? "none" : ShapeToString(found->second.shape).c_str());
    }
    AddStage(tap->first, tap->second.values, found->second.values);
  }

  const std::vector<float> first(other->logits(), other->logits() + vocabulary);
  std::vector<float> found;
  for (size_t i = 0; i < answer.size(); ++i) {
    if (i > 0) TVLM_RETURN_IF_ERROR(other->Step(answer[i - 1]));
    const float* const logits = other->logits();
    found.insert(found.end(), logits, logits + vocabulary);
    const double kl = KlDivergence(wanted.data() + i * vocabulary, logits, reference_->valid_ids());
    if (std::isnan(kl))
      return Error(ErrorCode::kInternal,
                   "a model computed values that are not numbers at answer token %zu", i);
    totals_.mean_kl += kl;
    totals_.largest_kl = std::max(totals_.largest_kl, kl);
    totals_.top1_equal += Best(logits) == answer[i];
  }
  AddStage("logits", wanted, found);

  other->Rewind();
  size_t equal = 0, length = 0;
  for (int64_t id = Best(first.data());; id = Best(other->logits())) {
    equal += length < answer.size() && id == answer[length];
    if (++length == options_.steps || Ends(id)) break;
    TVLM_RETURN_IF_ERROR(other->Step(id));
  }
  totals_.tokens_equal += equal;
  totals_.answers_equal += equal == answer.size() && length == answer.size();
  totals_.positions += answer.size();
  ++totals_.cases;
  return Status();
}

FidelityReport Fidelity::Report() const {
  FidelityReport report = totals_;
  if (report.positions != 0) report.mean_kl /= static_cast<double>(report.positions);
  for (const StageSums& sums : stages_) {
    const double relative =
        sums.reference2 == 0 ? 0 : std::sqrt(sums.difference2 / sums.reference2);
    report.stages.push_back({sums.name, relative, sums.largest});
  }
  return report;
}

}  // namespace tinyvlm

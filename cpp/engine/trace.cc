#include "engine/trace.h"

#include <algorithm>
#include <cinttypes>
#include <map>
#include <utility>
#include <vector>

#include "backend/run_to_end.h"
#include "engine/prompt_rows.h"
#include "formats/safetensors.h"
#include "text/chat_template.h"

namespace tinyvlm {

// Copies every tap that it receives.
class TapCollector : public Taps {
 public:
  void OnMap(const std::string& name, const float* values, size_t height, size_t width,
             size_t channels) override {
    Tap& tap = Find(name);
    if (tap.shape.empty()) tap.shape = {0, channels, height, width};
    ++tap.shape[0];
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < height * width; ++p) tap.values.push_back(values[p * channels + c]);
    }
  }

  void OnRows(const std::string& name, const float* values, size_t rows, size_t width) override {
    if (!rows_wanted_) return;
    Tap& tap = Find(name);
    if (name == "projector") {
      if (tap.shape.empty()) tap.shape = {0, rows, width};
      ++tap.shape[0];
    } else {
      if (tap.shape.empty()) tap.shape = {0, width};
      tap.shape[0] += rows;
    }
    tap.values.insert(tap.values.end(), values, values + rows * width);
  }

  // Rows of the steps after the prompt are not taps.
  void StopRows() { rows_wanted_ = false; }

  const std::map<std::string, Tap>& taps() const { return taps_; }

 private:
  Tap& Find(const std::string& name) {
    const auto [place, added] = taps_.try_emplace(name);
    if (added) place->second.order = taps_.size() - 1;
    return place->second;
  }

  std::map<std::string, Tap> taps_;
  bool rows_wanted_ = true;
};

namespace {

Result<std::vector<int64_t>> ReadIds(const Safetensors& file, const SafetensorsTensor& tensor) {
  if (tensor.shape.size() != 1 || tensor.elements == 0 || tensor.elements > 1'000'000) {
    return Error(ErrorCode::kInvalidFile, "%s: shape [1..1000000] wanted, %s found",
                 tensor.name.c_str(), ShapeToString(tensor.shape).c_str());
  }
  std::vector<int64_t> ids(static_cast<size_t>(tensor.elements));
  TVLM_RETURN_IF_ERROR(file.ReadI64(tensor, 0, ids.size(), ids.data()));
  return ids;
}

}  // namespace

void ExpandPrompt(const Model& model, size_t rows_per_image, TraceCase* c) {
  for (const int64_t id : c->prompt) {
    c->input.insert(c->input.end(), id == kImageMarker ? rows_per_image : 1,
                    id == kImageMarker ? model.image_token_id() : id);
  }
}

Result<TraceCase> ReadTraceCase(const std::string& path, const Model& model) {
  TVLM_ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Open(path));
  TraceCase c;
  size_t images = 0, rows_per_image = 0;
  if (const SafetensorsTensor* tensor = file.Find("pixel_values"); tensor != nullptr) {
    if (!model.has_vision())
      return Error(ErrorCode::kUnsupported,
                   "pixel_values: none wanted, because this model reads text only");
    const Shape& s = tensor->shape;
    if (s.size() != 4 || s[0] == 0 || s[0] > 1024 || s[1] != 3 || s[2] == 0 || s[2] > 8192 ||
        s[3] == 0 || s[3] > 8192) {
      return Error(ErrorCode::kInvalidFile,
                   "pixel_values: shape [images, 3, H, W] wanted, %s found",
                   ShapeToString(s).c_str());
    }
    c.pixels_shape = s;
    c.pixels.resize(static_cast<size_t>(tensor->elements));
    TVLM_RETURN_IF_ERROR(file.ReadF32(*tensor, 0, c.pixels.size(), c.pixels.data()));
    images = static_cast<size_t>(s[0]);
    rows_per_image = model.vision().OutputSide(static_cast<size_t>(s[2])) *
                     model.vision().OutputSide(static_cast<size_t>(s[3]));
  }

  const int64_t image_id = model.image_token_id();
  if (const SafetensorsTensor* tensor = file.Find("prompt_ids"); tensor != nullptr) {
    TVLM_ASSIGN_OR_RETURN(c.prompt, ReadIds(file, *tensor));
    ExpandPrompt(model, rows_per_image, &c);
  } else if (tensor = file.Find("input_ids"); tensor != nullptr) {
    TVLM_ASSIGN_OR_RETURN(c.input, ReadIds(file, *tensor));
    size_t run = 0;  // rows of an image seen so far
    for (const int64_t id : c.input) {
      const bool image = rows_per_image != 0 && id == image_id;
      if (!image && run != 0) {
        return Error(ErrorCode::kInvalidFile,
                     "input_ids: %zu rows per image wanted, a run of %zu found", rows_per_image,
                     run);
      }
      if (image && run == 0) c.prompt.push_back(kImageMarker);
      if (!image) c.prompt.push_back(id);
      run = image && run + 1 < rows_per_image ? run + 1 : 0;
    }
    if (run != 0)
      return Error(ErrorCode::kInvalidFile,
                   "input_ids: %zu rows per image wanted, a run of %zu found", rows_per_image, run);
  } else {
    return Error(ErrorCode::kNotFound, "%s: prompt_ids (or input_ids) wanted, neither found",
                 path.c_str());
  }
  const auto markers =
      static_cast<size_t>(std::count(c.prompt.begin(), c.prompt.end(), int64_t{kImageMarker}));
  if (markers != images) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: places for %zu images in the prompt, %zu images in pixel_values",
                 path.c_str(), markers, images);
  }
  for (const int64_t id : c.prompt) {
    if (id != kImageMarker && (id < 0 || static_cast<uint64_t>(id) >= model.decoder().vocabulary)) {
      return Error(ErrorCode::kInvalidFile, "prompt ids: 0..%zu wanted, %" PRId64 " found",
                   model.decoder().vocabulary - 1, id);
    }
  }
  return c;
}

namespace {

// Encodes the images of the case. Errors: the backend's; unsupported where it does not accept
// normalised values.
Result<std::vector<std::shared_ptr<const Embeddings>>> Encode(Model& model, const TraceCase& c,
                                                              Compute compute, Taps* taps) {
  std::vector<std::shared_ptr<const Embeddings>> encoded;
  if (c.pixels_shape.empty()) return encoded;
  const size_t images = static_cast<size_t>(c.pixels_shape[0]),
               h = static_cast<size_t>(c.pixels_shape[2]),
               w = static_cast<size_t>(c.pixels_shape[3]);
  TVLM_ASSIGN_OR_RETURN(const auto encoder,
                        model.backend().CreateVisionEncoder({h, w, compute, taps}));
  std::vector<float> values(3 * h * w);
  for (size_t image = 0; image < images; ++image) {
    const float* const planes = c.pixels.data() + image * 3 * h * w;
    for (size_t p = 0; p < h * w; ++p) {
      for (size_t ch = 0; ch < 3; ++ch) values[p * 3 + ch] = planes[ch * h * w + p];
    }
    TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Embeddings> embeddings, encoder->NewEmbeddings());
    TVLM_RETURN_IF_ERROR(encoder->BeginNormalized(values.data(), embeddings));
    TVLM_RETURN_IF_ERROR(RunToEnd(*encoder));
    encoded.push_back(embeddings);
  }
  return encoded;
}

}  // namespace

TraceRun::TraceRun() : collector_(new TapCollector) {}
TraceRun::~TraceRun() = default;

const std::map<std::string, Tap>& TraceRun::taps() const { return collector_->taps(); }

Result<std::unique_ptr<TraceRun>> TraceRun::Start(Model& model, const TraceCase& c, size_t steps,
                                                  Compute compute) {
  std::unique_ptr<TraceRun> run(new TraceRun);
  TVLM_ASSIGN_OR_RETURN(run->images_, Encode(model, c, compute, run->collector_.get()));

  const std::vector<int32_t> ids(c.prompt.begin(), c.prompt.end());
  // Nothing is reused here, so the images need no digests that tell them apart.
  const std::vector<Sha256::Digest> digests(run->images_.size());
  PromptRows prompt;
  prompt.Assign(ids, digests, run->images_.empty() ? 0 : run->images_[0]->tokens());
  prompt.MakeRows(0, run->images_, &run->rows_);
  run->prompt_rows_ = prompt.size();
  TVLM_ASSIGN_OR_RETURN(
      run->decoder_,
      model.backend().CreateDecoder({run->prompt_rows_ + steps, compute, run->collector_.get()}));
  TVLM_RETURN_IF_ERROR(run->Advance());
  run->collector_->StopRows();
  return run;
}

Status TraceRun::Advance() {
  TVLM_RETURN_IF_ERROR(decoder_->Begin(rows_));
  TVLM_RETURN_IF_ERROR(RunToEnd(*decoder_));
  TVLM_ASSIGN_OR_RETURN(logits_, decoder_->ReadLogits());
  return Status();
}

Status TraceRun::Step(int64_t id) {
  rows_.assign(1, DecoderRow{.token = static_cast<int32_t>(id)});
  return Advance();
}

Status Trace(Model& model, const TraceOptions& options) {
  TVLM_ASSIGN_OR_RETURN(const TraceCase c, ReadTraceCase(options.case_path, model));
  TVLM_ASSIGN_OR_RETURN(const auto run, TraceRun::Start(model, c, options.greedy, options.compute));
  const std::vector<float> logits_last(run->logits(), run->logits() + model.decoder().vocabulary);
  std::vector<int64_t> greedy_ids;
  while (greedy_ids.size() < options.greedy) {
    const float* const logits = run->logits();
    greedy_ids.push_back(std::max_element(logits, logits + model.decoder().vocabulary) - logits);
    TVLM_RETURN_IF_ERROR(run->Step(greedy_ids.back()));
  }

  std::vector<SafetensorsOutput> outputs;
  for (const auto& [name, tap] : run->taps())
    outputs.push_back({name, SafetensorsType::kF32, tap.shape, tap.values.data()});
  outputs.push_back(
      {"logits_last", SafetensorsType::kF32, {logits_last.size()}, logits_last.data()});
  if (!c.pixels.empty())
    outputs.push_back({"pixel_values", SafetensorsType::kF32, c.pixels_shape, c.pixels.data()});
  outputs.push_back({"prompt_ids", SafetensorsType::kI64, {c.prompt.size()}, c.prompt.data()});
  outputs.push_back({"input_ids", SafetensorsType::kI64, {c.input.size()}, c.input.data()});
  if (options.greedy != 0)
    outputs.push_back(
        {"greedy_ids", SafetensorsType::kI64, {greedy_ids.size()}, greedy_ids.data()});
  return WriteSafetensors(options.output_path, outputs);
}

}  // namespace tinyvlm

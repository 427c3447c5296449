// A backend that computes nothing: its encoder looks at how bright an image is, its decoder says
// so. What a test wants of a device (being busy, being slow, being lost) it asks for in FakeDevice.
//
// Through C++: ModelLoader(FakeBackendFactory(device)), or Model::Create with the same factory.
#ifndef TINYVLM_TESTS_ENGINE_FAKE_BACKEND_H_
#define TINYVLM_TESTS_ENGINE_FAKE_BACKEND_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"

namespace tinyvlm {

// What the fake device is to do, and what it was asked to do. Outlives the model.
struct FakeDevice {
  // ---- set by the test
  size_t busy = 0;                    // times that each piece of work answers kBusy before kDone
  std::atomic<bool> endless = false;  // decoding never gets anywhere
  std::atomic<bool> lost = false;     // every piece of work is an error
  bool keeps_rows = false;            // rows of images are not handed out
  std::vector<int32_t> bright, dark;  // the ids of the two answers, each with a stop id at its end

  // ---- counted by the device
  size_t encoded_images = 0;
  std::vector<size_t> rows;  // of each Begin of a decoder
  uint64_t received = 0;     // data bytes
};

inline Status LostDevice() { return Error(ErrorCode::kInternal, "the device was lost"); }

// On a device there would be a handle to its memory.
class FakeEmbeddings : public Embeddings {
 public:
  FakeEmbeddings(const FakeDevice& device, size_t tokens, size_t width)
      : Embeddings(tokens, width), device_(device), rows_(tokens * width) {}
  uint64_t memory_bytes() const override { return sizeof(double); }

  // Row t has t + 1 times the brightness in its column t, and zeros.
  Result<std::span<const float>> ReadRows() const override {
    if (device_.lost) return LostDevice();
    return device_.keeps_rows ? Embeddings::ReadRows() : std::span<const float>(rows_);
  }

  void Set(double mean) {
    brightness = mean;
    for (size_t t = 0; t < tokens(); ++t)
      rows_[t * width() + t % width()] = static_cast<float>(static_cast<double>(t + 1) * mean);
  }

  double brightness = -1;  // mean of the pixels; -1: nothing was encoded

 private:
  const FakeDevice& device_;
  std::vector<float> rows_;
};

class FakeEncoder : public VisionEncoder {
 public:
  FakeEncoder(FakeDevice& device, const ModelDescription& model,
              const VisionEncoderOptions& options)
      : device_(device),
        pixels_(options.height * options.width),
        tokens_(model.vision.OutputSide(options.height) * model.vision.OutputSide(options.width)),
        width_(model.decoder.width) {}

  Result<std::shared_ptr<Embeddings>> NewEmbeddings() override {
    return std::shared_ptr<Embeddings>(std::make_shared<FakeEmbeddings>(device_, tokens_, width_));
  }
  Status Begin(const uint8_t* pixels, std::shared_ptr<Embeddings> into) override {
    if (device_.lost) return LostDevice();
    const double sum = std::accumulate(pixels, pixels + 3 * pixels_, 0.0);
    result_ = sum / static_cast<double>(3 * pixels_);
    into_ = std::static_pointer_cast<FakeEmbeddings>(std::move(into));
    busy_ = device_.busy;
    return Status();
  }
  Result<RunState> Advance(double) override {
    if (device_.lost) return LostDevice();
    if (busy_ != 0) {
      --busy_;
      return RunState::kBusy;
    }
    into_->Set(result_);
    ++device_.encoded_images;
    return RunState::kDone;
  }
  size_t tokens() const override { return tokens_; }
  uint64_t memory_bytes() const override { return 0; }

 private:
  FakeDevice& device_;
  const size_t pixels_, tokens_, width_;
  std::shared_ptr<FakeEmbeddings> into_;
  double result_ = 0;
  size_t busy_ = 0;
};

// Answers by the brightness of the last image among its rows; dark where there is none.
class FakeDecoder : public Decoder {
 public:
  FakeDecoder(FakeDevice& device, const ModelDescription& model, size_t context)
      : device_(device), model_(model), context_(context) {}

  Status Begin(std::span<const DecoderRow> rows) override {
    if (device_.lost) return LostDevice();
    rows_ = rows;
    busy_ = device_.busy;
    return Status();
  }
  Result<RunState> Advance(double deadline_ms) override {
    if (device_.lost) return LostDevice();
    if (device_.received < model_.file.data_bytes) return RunState::kWaiting;
    if (device_.endless) {
      while (NowMs() < deadline_ms) {
      }
      return RunState::kRunning;
    }
    if (busy_ != 0) {
      --busy_;
      return RunState::kBusy;
    }
    device_.rows.push_back(rows_.size());
    for (const DecoderRow& row : rows_) {
      if (row.sequence != 0) return Error(ErrorCode::kInternal, "row of sequence %u", row.sequence);
      double brightness = -2;  // of a token
      if (row.embeddings != nullptr) {
        brightness = static_cast<const FakeEmbeddings*>(row.embeddings)->brightness;
        if (brightness == -1) return Error(ErrorCode::kInternal, "an image was not encoded");
      }
      cache_.push_back(brightness);
    }
    return RunState::kDone;
  }
  Result<int32_t> Choose(Sampler&, size_t, std::span<const int32_t>,
                         std::span<const uint8_t>) override {
    if (device_.lost) return LostDevice();
    const auto image =
        std::find_if(cache_.rbegin(), cache_.rend(), [](double value) { return value >= 0; });
    const bool bright = image != cache_.rend() && *image >= 128;
    return (bright ? device_.bright : device_.dark)[answer_++];
  }
  Result<std::span<const float>> ReadLogits() override {
    return Error(ErrorCode::kUnsupported, "this device keeps its logits");
  }
  size_t position() const override { return cache_.size(); }
  size_t context() const override { return context_; }
  void Rewind(size_t position) override {
    cache_.resize(position);
    answer_ = 0;
  }
  uint64_t memory_bytes() const override { return 0; }

 private:
  FakeDevice& device_;
  const ModelDescription& model_;
  const size_t context_;
  std::span<const DecoderRow> rows_;
  std::vector<double> cache_;  // by row: the image's brightness, or -2 for a token
  size_t answer_ = 0;          // ids of the answer that were chosen
  size_t busy_ = 0;
};

class FakeBackend : public Backend {
 public:
  FakeBackend(FakeDevice& device, const ModelDescription& model)
      : device_(device), model_(model), weights_(static_cast<size_t>(model.file.data_bytes)) {}

  const char* name() const override { return "fake"; }
  size_t threads() const override { return 1; }
  Result<uint8_t*> WeightPlace(uint64_t offset, uint64_t) override {
    if (device_.lost) return LostDevice();
    return weights_.data() + offset;
  }
  Status SetReceived(uint64_t bytes) override {
    if (device_.lost) return LostDevice();
    device_.received = bytes;
    return Status();
  }
  uint64_t extra_weight_bytes() const override { return 0; }
  Result<std::unique_ptr<VisionEncoder>> CreateVisionEncoder(
      const VisionEncoderOptions& options) override {
    return std::unique_ptr<VisionEncoder>(std::make_unique<FakeEncoder>(device_, model_, options));
  }
  Result<std::unique_ptr<Decoder>> CreateDecoder(const DecoderOptions& options) override {
    return std::unique_ptr<Decoder>(
        std::make_unique<FakeDecoder>(device_, model_, options.context));
  }

 private:
  FakeDevice& device_;
  const ModelDescription& model_;
  std::vector<uint8_t> weights_;
};

inline BackendFactory FakeBackendFactory(FakeDevice& device) {
  return [&device](const ModelDescription& model) -> Result<std::unique_ptr<Backend>> {
    return std::unique_ptr<Backend>(std::make_unique<FakeBackend>(device, model));
  };
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_ENGINE_FAKE_BACKEND_H_

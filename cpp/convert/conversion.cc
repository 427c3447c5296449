#include "convert/conversion.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <deque>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/sha256.h"
#include "convert/checkpoint.h"
#include "convert/checkpoint_config.h"
#include "convert/checkpoint_tokenizer.h"
#include "convert/checkpoint_weights.h"
#include "convert/model_header.h"
#include "convert/tensor_converter.h"
#include "convert/third_party_checkpoint.h"
#include "convert/weight_window.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"

namespace tinyvlm {

namespace {

constexpr size_t kHashBytes = sizeof(Sha256::Digest);

// Values of head and embedding that are compared at the beginning, in the middle and at the end: a
// head that was trained differs there.
constexpr uint64_t kComparedFirst = uint64_t{1} << 14;

Status CheckFiles(const std::vector<CheckpointFile>& files) {
  std::set<std::string_view> names;
  for (const CheckpointFile& file : files) {
    if (names.insert(file.name).second) continue;
    return Error(ErrorCode::kInvalidArgument, "%s: one file of this name wanted, two found",
                 file.name.c_str());
  }
  return Status();
}

}  // namespace

class Conversion::State {
 public:
  State(ConversionOptions options, ConversionInput input)
      : options_(std::move(options)),
        source_(options_.name, input.files),
        request_bytes_(std::max<uint64_t>(1, input.request_bytes)),
        stored_hashes_(std::move(input.stored_hashes)),
        stored_header_bytes_(input.stored_header_bytes),
        after_files_(Phase::kConfig),
        window_(checkpoint_.weights) {
    wanted_.assign(std::begin(kCheckpointConfigFiles), std::end(kCheckpointConfigFiles));
    wanted_.push_back(kWeightsIndexName);
  }

  Result<ConversionTask> Next() {
    if (!failure_.ok()) return failure_;
    Result<ConversionTask> task = Advance();
    if (!task.ok()) failure_ = task.status();
    return task;
  }

  Status Supply(uint64_t bytes) {
    if (!failure_.ok()) return failure_;
    if (!read_.has_value())
      return Error(ErrorCode::kNotReady, "bytes were supplied, though none were asked for");
    const uint64_t wanted = uint64_t{read_->bytes} * read_->runs;
    if (bytes != wanted) {
      failure_ = Error(ErrorCode::kInvalidFile,
                       "%s: %" PRIu64 " bytes from byte %" PRIu64 " on wanted, %" PRIu64 " found%s",
                       source_.PathOf(std::string(read_->file)).c_str(), wanted, read_->offset,
                       bytes, bytes < wanted ? " (is the file truncated?)" : "");
      return failure_;
    }
    read_.reset();
    return Status();
  }

  uint64_t header_bytes() const { return chunk_.size() == 0 ? 0 : header_.header_bytes(); }
  uint64_t data_bytes() const { return chunk_.size() == 0 ? 0 : header_.data_bytes(); }
  const std::vector<std::string>& warnings() const { return warnings_; }
  size_t buffer_bytes() const {
    return window_.buffer_bytes() + chunk_.size() +
           (converter_.has_value() ? converter_->buffer_bytes() : 0);
  }

 private:
  enum class Phase {
    kFiles,       // the small files in wanted_
    kConfig,      // they are configs and the index of the shards: which files may hold weights?
    kPrefix,      // the first bytes of the next of these are wanted
    kHeader,      // they are here; its header is wanted
    kHeaderEnd,   // it is here
    kWeights,     // all headers are here: which files are used?
    kDuplicates,  // tensors that are there twice are compared
    kPlan,
    kTokenizer,  // the tokenizer's files are here
    kHead,       // is there a head of its own?
    kCompare,    // it is compared with the embedding before the file is laid out
    kLayOut,
    kData,
    kModelHeader,
    kDone
  };

  // Goes on until there is something that only the caller can do.
  Result<ConversionTask> Advance() {
    std::optional<ConversionTask> task;
    while (phase_ != Phase::kDone) {
      if (read_.has_value()) return *read_;
      TVLM_RETURN_IF_ERROR(Step(&task));
      if (task.has_value()) return *task;
    }
    return ConversionTask();
  }

  // Each either goes on to another phase, asks for something (read_), or has another task for the
  // caller.
  Status Step(std::optional<ConversionTask>* task) {
    switch (phase_) {
      case Phase::kFiles:
        return ReadFiles();
      case Phase::kConfig:
        return ReadConfig();
      case Phase::kPrefix:
        return ReadPrefix();
      case Phase::kHeader:
        return ReadHeader();
      case Phase::kHeaderEnd:
        return ReadHeaderEnd();
      case Phase::kWeights:
        return FindWeights();
      case Phase::kDuplicates:
        return CompareDuplicates();
      case Phase::kPlan:
        return Plan();
      case Phase::kTokenizer:
        return ReadTokenizer();
      case Phase::kHead:
        return DecideHead();
      case Phase::kCompare:
        return CompareHead();
      case Phase::kLayOut:
        return LayOut();
      case Phase::kData:
        return WriteData(task);
      case Phase::kModelHeader:
        *task = WriteHeader();
        phase_ = Phase::kDone;
        return Status();
      case Phase::kDone:
        break;
    }
    return Status();
  }

  // Asks for bytes of a file.
  void Ask(const std::string& file, uint64_t offset, size_t bytes, void* destination) {
    read_.emplace();
    read_->kind = ConversionTask::Kind::kRead;
    read_->file = file;
    read_->offset = offset;
    read_->bytes = bytes;
    read_->destination = static_cast<uint8_t*>(destination);
  }

  // Asks for the next part of the window; false where it is complete.
  bool AskForWindow() {
    if (next_read_ == window_.reads().size()) return false;
    const WeightRead& read = window_.reads()[next_read_++];
    Ask(files_[read.file], read.offset, read.bytes, read.destination);
    read_->runs = read.runs;
    read_->stride = read.stride;
    return true;
  }

  Status LoadWindow(std::span<const WeightRange> ranges) {
    next_read_ = 0;
    return window_.Load(ranges);
  }

  // ---- Configs, headers, tokenizer ----

  // Asks for the files in wanted_ that there are, one after the other. Those that are too long for
  // any reader are left to it.
  Status ReadFiles() {
    if (asked_file_) source_.Supply(wanted_[next_wanted_++], std::move(text_));
    asked_file_ = false;
    for (; next_wanted_ < wanted_.size(); ++next_wanted_) {
      const std::string& file = wanted_[next_wanted_];
      const uint64_t bytes = source_.SizeOf(file).value_or(kMaxTokenizerBytes + 1);
      if (bytes > kMaxTokenizerBytes || source_.IsSupplied(file)) continue;
      text_.assign(static_cast<size_t>(bytes), '\0');
      asked_file_ = true;
      if (bytes > 0) {
        Ask(file, 0, text_.size(), text_.data());
        return Status();
      }
      source_.Supply(file, "");
      asked_file_ = false;
    }
    phase_ = after_files_;
    return Status();
  }

  void WantFiles(std::vector<std::string> files, Phase after) {
    wanted_ = std::move(files);
    next_wanted_ = 0;
    after_files_ = after;
    phase_ = Phase::kFiles;
  }

  Status ReadConfig() {
    TVLM_RETURN_IF_ERROR(RejectThirdPartyFiles(source_));
    TVLM_ASSIGN_OR_RETURN(index_, ReadWeightsIndex(source_));
    files_ = WeightFiles(source_, index_);
    phase_ = Phase::kPrefix;
    return Status();
  }

  // The name of the file whose header is being read, as messages have it.
  std::string HeaderPath() const { return source_.PathOf(files_[headers_.size()]); }

  Status ReadPrefix() {
    if (headers_.size() == files_.size()) {
      phase_ = Phase::kWeights;
      return Status();
    }
    const std::string& file = files_[headers_.size()];
    if (const Status status = CheckSafetensorsBytes(HeaderPath(), *source_.SizeOf(file));
        !status.ok())
      return AddHeader(status);
    Ask(file, 0, prefix_.size(), prefix_.data());
    phase_ = Phase::kHeader;
    return Status();
  }

  Status ReadHeader() {
    const std::string& file = files_[headers_.size()];
    const Result<uint64_t> bytes =
        SafetensorsHeaderBytes(HeaderPath(), *source_.SizeOf(file), prefix_);
    if (!bytes.ok()) return AddHeader(bytes.status());
    text_.assign(static_cast<size_t>(*bytes), '\0');
    if (*bytes > 0) Ask(file, prefix_.size(), text_.size(), text_.data());
    phase_ = Phase::kHeaderEnd;
    return Status();
  }

  Status ReadHeaderEnd() {
    Safetensors weights;
    Status status =
        weights.AddHeader(HeaderPath(), *source_.SizeOf(files_[headers_.size()]), text_);
    if (status.ok()) status = weights.Finish();
    return status.ok() ? AddHeader(std::move(weights)) : AddHeader(std::move(status));
  }

  // A file without a header need not be one that is used.
  Status AddHeader(Result<Safetensors> header) {
    headers_.emplace(files_[headers_.size()], std::move(header));
    phase_ = Phase::kPrefix;
    return Status();
  }

  Status FindWeights() {
    text_ = std::string();
    TVLM_ASSIGN_OR_RETURN(CheckpointWeights found,
                          FindCheckpointWeights(source_, index_, std::move(headers_), &warnings_));
    index_.reset();
    weights_ = std::move(found.tensors);
    files_ = std::move(found.files);
    duplicates_ = std::move(found.duplicates);
    // A conversion that stored something had compared them before.
    next_duplicate_ = stored_hashes_.empty() ? 0 : duplicates_.size();
    phase_ = Phase::kDuplicates;
    return Status();
  }

  // Compares what is in the window, then asks for as much as one request may be of.
  Status CompareDuplicates() {
    if (AskForWindow()) return Status();
    for (const ComparedRange& range : compared_ranges_) {
      const DuplicateTensor& pair = duplicates_[range.duplicate];
      const size_t count = static_cast<size_t>(range.count);
      TVLM_ASSIGN_OR_RETURN(const uint8_t* const used,
                            window_.Bytes(pair.used, range.first, count));
      TVLM_ASSIGN_OR_RETURN(const uint8_t* const other,
                            window_.Bytes(pair.other, range.first, count));
      if (std::memcmp(used, other, count * SafetensorsTypeBytes(pair.used.type)) != 0)
        return DifferentValues(pair);
    }
    compared_ranges_.clear();
    ranges_.clear();
    for (uint64_t bytes = 0; next_duplicate_ < duplicates_.size();) {
      const DuplicateTensor& pair = duplicates_[next_duplicate_];
      const uint64_t both = 2 * SafetensorsTypeBytes(pair.used.type),
                     left = pair.used.elements - duplicate_compared_,
                     room = (request_bytes_ - std::min(bytes, request_bytes_)) / both;
      if (left > 0 && room == 0 && bytes > 0) break;
      const uint64_t count = std::min(left, std::max<uint64_t>(1, room));
      if (count > 0) {
        compared_ranges_.push_back({next_duplicate_, duplicate_compared_, count});
        ranges_.push_back({&pair.used, duplicate_compared_, count});
        ranges_.push_back({&pair.other, duplicate_compared_, count});
      }
      bytes += both * count;
      duplicate_compared_ += count;
      if (count < left) break;
      ++next_duplicate_;
      duplicate_compared_ = 0;
    }
    if (!ranges_.empty()) return LoadWindow(ranges_);
    if (!duplicates_.empty()) warnings_.push_back(DuplicatesWarning(duplicates_));
    phase_ = Phase::kPlan;
    return Status();
  }

  Status Plan() {
    duplicates_ = std::vector<DuplicateTensor>();
    TVLM_ASSIGN_OR_RETURN(checkpoint_, PlanCheckpoint(source_, std::move(weights_), &warnings_));
    std::vector<std::string> files;
    if (options_.tokenizer) files = CheckpointTokenizerFiles(source_);
    WantFiles(std::move(files), Phase::kTokenizer);
    return Status();
  }

  Status ReadTokenizer() {
    if (options_.tokenizer) {
      TVLM_ASSIGN_OR_RETURN(
          const CheckpointTokenizer tokenizer,
          ReadCheckpointTokenizer(source_, checkpoint_.config.vocabulary, options_.chat_style));
      AddModelKeys(checkpoint_, options_, &tokenizer, &header_);
    } else {
      AddModelKeys(checkpoint_, options_, nullptr, &header_);
    }
    source_.DropContents();
    if (checkpoint_.tensors.back().name == kHeadName) {
      head_ = std::move(checkpoint_.tensors.back());
      checkpoint_.tensors.pop_back();
    }
    for (const PlannedTensor& tensor : checkpoint_.tensors)
      TVLM_RETURN_IF_ERROR(AddModelTensor(tensor, options_, &header_));
    phase_ = Phase::kHead;
    return Status();
  }

  // ---- A head that equals the embedding is not stored ----

  // What an interrupted conversion stored tells by its header's size; else values must be compared.
  Status DecideHead() {
    phase_ = Phase::kLayOut;
    if (!head_.has_value()) return Status();
    if (!stored_hashes_.empty()) {
      GgufHeaderWriter without = header_, with = header_;
      TVLM_RETURN_IF_ERROR(AddModelTensor(*head_, options_, &with));
      without.LayOut();
      with.LayOut();
      if (with.header_bytes() != without.header_bytes())
        return with.header_bytes() == stored_header_bytes_ ? StoreHead() : Status();
    }
    const uint64_t elements = Head().elements;
    // Of a small head all, so that it is decided.
    if (!stored_hashes_.empty() || elements <= 3 * kComparedFirst) {
      compare_ = {{0, elements}};
    } else {
      compare_ = {{0, kComparedFirst},
                  {elements / 2, kComparedFirst},
                  {elements - kComparedFirst, kComparedFirst}};
    }
    phase_ = Phase::kCompare;
    return Status();
  }

  // Compares what compare_ says, in pieces of one request.
  Status CompareHead() {
    if (comparing_ > 0) {
      if (AskForWindow()) return Status();
      auto& [first, count] = compare_.front();
      TVLM_ASSIGN_OR_RETURN(const bool equal, HeadEquals(first, comparing_));
      if (!equal) {
        phase_ = Phase::kLayOut;
        return StoreHead();
      }
      first += comparing_;
      count -= comparing_;
      compared_ += std::exchange(comparing_, 0);
      if (count == 0) compare_.pop_front();
    }
    if (compare_.empty()) {
      phase_ = Phase::kLayOut;
      if (compared_ == Head().elements) head_.reset();
      return Status();
    }
    const uint64_t pair =
        SafetensorsTypeBytes(Head().type) + SafetensorsTypeBytes(Embedding().type);
    const auto& [first, count] = compare_.front();
    comparing_ = std::min(count, std::max<uint64_t>(1, request_bytes_ / pair));
    return LoadWindow(
        std::vector<WeightRange>{{&Embedding(), first, comparing_}, {&Head(), first, comparing_}});
  }

  Status StoreHead() {
    checkpoint_.tensors.push_back(std::move(*head_));
    head_.reset();
    return AddModelTensor(checkpoint_.tensors.back(), options_, &header_);
  }

  const SafetensorsTensor& Head() const { return *window_.Find(head_->source); }

  const SafetensorsTensor& Embedding() const {
    const auto planned =
        std::find_if(checkpoint_.tensors.begin(), checkpoint_.tensors.end(),
                     [](const PlannedTensor& tensor) { return tensor.name == kEmbeddingName; });
    return *window_.Find(planned->source);
  }

  // Whether `count` values of head and embedding, which are in the window, are the same. Value by
  // value: the types may differ.
  Result<bool> HeadEquals(uint64_t first, uint64_t count) const {
    constexpr size_t kPiece = 1024;
    float left[kPiece], right[kPiece];
    const SafetensorsTensor &head = Head(), &embedding = Embedding();
    for (uint64_t done = 0; done < count; done += kPiece) {
      const size_t take = static_cast<size_t>(std::min<uint64_t>(kPiece, count - done));
      TVLM_RETURN_IF_ERROR(window_.ReadF32(head, first + done, take, left));
      TVLM_RETURN_IF_ERROR(window_.ReadF32(embedding, first + done, take, right));
      if (std::memcmp(left, right, take * sizeof(float)) != 0) return false;
    }
    return true;
  }

  // Whether a step converts values of the embedding that the head is still to be compared with.
  bool IsCompared(const ConvertStep& step) const {
    return head_.has_value() && step.tensor != nullptr && step.tensor->name == kEmbeddingName;
  }

  // Begins the model file anew, with the head.
  Status Restart() {
    header_ = std::move(*unlaid_header_);
    unlaid_header_.reset();
    stored_hashes_.clear();
    converter_.reset();
    steps_.clear();
    planned_.reset();
    next_step_ = chunk_used_ = 0;
    zeros_ = 0;
    phase_ = Phase::kLayOut;
    return StoreHead();
  }

  // ---- The model file ----

  Status LayOut() {
    if (head_.has_value()) unlaid_header_ = header_;
    header_.LayOut();
    TVLM_RETURN_IF_ERROR(TakeStored());
    if (chunk_.size() == 0) {
      TVLM_ASSIGN_OR_RETURN(chunk_,
                            AlignedBuffer<uint8_t>::Allocate(kGgufChunkBytes, "chunk of a model"));
    }
    TVLM_ASSIGN_OR_RETURN(TensorConverter converter,
                          TensorConverter::Create(checkpoint_, options_, header_.tensors(), window_,
                                                  position_, request_bytes_));
    converter_.emplace(std::move(converter));
    phase_ = Phase::kData;
    return Status();
  }

  // Takes over the hashes of what is stored already.
  Status TakeStored() {
    const uint64_t stored = stored_hashes_.size() / kHashBytes;
    if (stored_hashes_.size() % kHashBytes != 0 || stored > header_.chunks()) {
      return Error(ErrorCode::kInvalidArgument,
                   "hashes of at most %" PRIu64 " stored chunks wanted, %zu bytes of them found",
                   header_.chunks(), stored_hashes_.size());
    }
    for (uint64_t chunk = 0; chunk < stored; ++chunk) {
      Sha256::Digest digest;
      std::copy_n(stored_hashes_.begin() + static_cast<ptrdiff_t>(chunk * kHashBytes), kHashBytes,
                  digest.begin());
      header_.SetChunkHash(chunk, digest);
    }
    position_ = std::min(stored * kGgufChunkBytes, header_.data_bytes());
    if (stored == 0 || stored_header_bytes_ == header_.header_bytes()) return Status();
    return Error(ErrorCode::kInvalidArgument,
                 "stored chunks behind a header of %" PRIu64 " bytes wanted, behind one of %" PRIu64
                 " found: they are of another model file",
                 header_.header_bytes(), stored_header_bytes_);
  }

  // Fills the next chunk: from zeros between tensors, from what the last step gave, else by the
  // next step.
  Status WriteData(std::optional<ConversionTask>* task) {
    for (;;) {
      const size_t room = chunk_.size() - chunk_used_;
      if (room == 0 || (position_ == header_.data_bytes() && chunk_used_ > 0)) {
        *task = WriteChunk();
        return Status();
      }
      if (zeros_ > 0) {
        const size_t take = static_cast<size_t>(std::min<uint64_t>(zeros_, room));
        std::memset(chunk_.data() + chunk_used_, 0, take);
        zeros_ -= take;
        Advance(take);
      } else if (!encoded_.empty()) {
        const size_t take = std::min(encoded_.size(), room);
        std::memcpy(chunk_.data() + chunk_used_, encoded_.data(), take);
        encoded_ = encoded_.subspan(take);
        Advance(take);
      } else if (next_step_ < steps_.size()) {
        if (AskForWindow()) return Status();
        TVLM_RETURN_IF_ERROR(RunStep(steps_[next_step_++], task));
        if (task->has_value()) return Status();
      } else if (PlanSteps()) {
        TVLM_RETURN_IF_ERROR(LoadWindow(ranges_));
      } else if (position_ < header_.data_bytes()) {
        zeros_ = header_.data_bytes() - position_;  // behind the last tensor
      } else {
        phase_ = Phase::kModelHeader;
        return Status();
      }
    }
  }

  void Advance(size_t bytes) {
    chunk_used_ += bytes;
    position_ += bytes;
  }

  // Takes as many of the steps that are left as one request may be of; false where none is left.
  bool PlanSteps() {
    steps_.clear();
    ranges_.clear();
    next_step_ = 0;
    uint64_t bytes = 0;
    for (;;) {
      if (!planned_.has_value()) {
        planned_.emplace();
        if (!converter_->Plan(&planned_->step, &planned_->ranges)) {
          planned_.reset();
          break;
        }
        if (IsCompared(planned_->step)) {
          WeightRange range = planned_->ranges.front();
          range.tensor = &Head();
          planned_->ranges.push_back(range);
        }
      }
      uint64_t step_bytes = 0;
      for (const WeightRange& range : planned_->ranges) step_bytes += range.bytes();
      if (!steps_.empty() && bytes + step_bytes > request_bytes_) break;
      bytes += step_bytes;
      steps_.push_back(planned_->step);
      ranges_.insert(ranges_.end(), planned_->ranges.begin(), planned_->ranges.end());
      planned_.reset();
    }
    return !steps_.empty();
  }

  Status RunStep(const ConvertStep& step, std::optional<ConversionTask>* task) {
    if (IsCompared(step)) {
      const uint64_t rows = step.tensor->shape[0], width = step.tensor->shape[1];
      TVLM_ASSIGN_OR_RETURN(const bool equal, HeadEquals(step.first * width, step.rows * width));
      if (!equal) {
        task->emplace();
        (*task)->kind = ConversionTask::Kind::kRestart;
        return Restart();
      }
      if (step.first + step.rows == rows) {
        head_.reset();
        unlaid_header_.reset();
      }
    }
    TVLM_ASSIGN_OR_RETURN(encoded_, converter_->Run(step));
    if (encoded_.empty()) return Status();
    if (step.begin >= position_) {
      zeros_ = step.begin - position_;
    } else {
      encoded_ =
          encoded_.subspan(static_cast<size_t>(position_ - step.begin));  // is stored already
    }
    return Status();
  }

  ConversionTask WriteChunk() {
    Sha256 sha;
    sha.Update(chunk_.data(), chunk_used_);
    ConversionTask task;
    task.kind = ConversionTask::Kind::kWrite;
    task.offset = header_.header_bytes() + position_ - chunk_used_;
    task.data = chunk_.data();
    task.bytes = chunk_used_;
    task.sha256 = sha.Finish();
    header_.SetChunkHash((position_ - 1) / kGgufChunkBytes, task.sha256);
    chunk_used_ = 0;
    return task;
  }

  ConversionTask WriteHeader() {
    const std::span<const uint8_t> header = header_.FinishHeader();
    ConversionTask task;
    task.kind = ConversionTask::Kind::kWrite;
    task.data = header.data();
    task.bytes = header.size();
    return task;
  }

  // Elements of a tensor that is there twice.
  struct ComparedRange {
    size_t duplicate = 0;  // index into duplicates_
    uint64_t first = 0;
    uint64_t count = 0;
  };

  // A step that was planned for a later window, since this one is full.
  struct PlannedStep {
    ConvertStep step;
    std::vector<WeightRange> ranges;
  };

  const ConversionOptions options_;
  CheckpointSource source_;
  const uint64_t request_bytes_;
  std::vector<uint8_t> stored_hashes_;
  const uint64_t stored_header_bytes_;

  Phase phase_ = Phase::kFiles;
  Status failure_;
  std::optional<ConversionTask> read_;  // what was asked for and is not here yet

  // Small files and headers.
  std::vector<std::string> wanted_;
  size_t next_wanted_ = 0;
  bool asked_file_ = false;  // for wanted_[next_wanted_]
  Phase after_files_;
  std::string text_;  // the file or header that was asked for
  std::optional<SafetensorsIndex> index_;
  // Names of the files that may hold weights; from kDuplicates on, of those that do, by
  // SafetensorsTensor::file.
  std::vector<std::string> files_;
  std::array<uint8_t, kSafetensorsPrefixBytes> prefix_{};
  WeightHeaders headers_;  // of the first of files_
  Safetensors weights_;
  std::vector<std::string> warnings_;
  std::vector<DuplicateTensor> duplicates_;
  size_t next_duplicate_ = 0;                   // that is compared
  uint64_t duplicate_compared_ = 0;             // elements of it
  std::vector<ComparedRange> compared_ranges_;  // in the window

  Checkpoint checkpoint_;
  WeightWindow window_;
  size_t next_read_ = 0;  // of the window's

  // The head, as long as it may equal the embedding; `checkpoint_` has it otherwise.
  std::optional<PlannedTensor> head_;
  std::deque<std::pair<uint64_t, uint64_t>> compare_;  // first value and count, before the layout
  uint64_t comparing_ = 0;                             // values of the window
  uint64_t compared_ = 0;                              // values so far

  GgufHeaderWriter header_;
  // The same before it was laid out, as long as a head may be added.
  std::optional<GgufHeaderWriter> unlaid_header_;
  std::optional<TensorConverter> converter_;
  std::vector<ConvertStep> steps_;  // whose weights are in the window
  std::vector<WeightRange> ranges_;
  size_t next_step_ = 0;
  std::optional<PlannedStep> planned_;
  AlignedBuffer<uint8_t> chunk_;  // [0, chunk_used_) are the bytes before position_
  size_t chunk_used_ = 0;
  uint64_t position_ = 0;             // in the data section: of the next byte
  uint64_t zeros_ = 0;                // that come next
  std::span<const uint8_t> encoded_;  // what comes behind them
};

Conversion::Conversion(std::unique_ptr<State> state) : state_(std::move(state)) {}
Conversion::~Conversion() = default;

Result<std::unique_ptr<Conversion>> Conversion::Create(ConversionOptions options,
                                                       ConversionInput input) {
  TVLM_RETURN_IF_ERROR(CheckConversionOptions(options));
  TVLM_RETURN_IF_ERROR(CheckFiles(input.files));
  return std::unique_ptr<Conversion>(
      new Conversion(std::make_unique<State>(std::move(options), std::move(input))));
}

Result<ConversionTask> Conversion::Next() { return state_->Next(); }
Status Conversion::Supply(uint64_t bytes) { return state_->Supply(bytes); }
uint64_t Conversion::header_bytes() const { return state_->header_bytes(); }
uint64_t Conversion::data_bytes() const { return state_->data_bytes(); }
const std::vector<std::string>& Conversion::warnings() const { return state_->warnings(); }
size_t Conversion::buffer_bytes() const { return state_->buffer_bytes(); }

}  // namespace tinyvlm

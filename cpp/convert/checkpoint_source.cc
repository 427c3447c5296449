#include "convert/checkpoint_source.h"

#include <cinttypes>

#include "base/file.h"

namespace tinyvlm {

bool CheckpointSource::Has(const std::string& file) const {
  return contents_.has_value() ? contents_->count(file) != 0 : IsFile(name_ + "/" + file);
}

Result<std::string> CheckpointSource::Read(const std::string& file, uint64_t max_bytes) const {
  if (!contents_.has_value()) return ReadTextFile(name_ + "/" + file, max_bytes);
  const auto found = contents_->find(file);
  if (found == contents_->end())
    return Error(ErrorCode::kNotFound, "%s/%s: not found", name_.c_str(), file.c_str());
  if (found->second.size() > max_bytes) {
    return Error(ErrorCode::kInvalidFile, "%s/%s: at most %" PRIu64 " bytes wanted, %zu found",
                 name_.c_str(), file.c_str(), max_bytes, found->second.size());
  }
  return found->second;
}

Result<Json> CheckpointSource::ReadJson(const std::string& file, uint64_t max_bytes) const {
  TVLM_ASSIGN_OR_RETURN(const std::string text, Read(file, max_bytes));
  Result<Json> json = ParseJson(text);
  if (!json.ok()) return Status(json.status().code(), file + ": " + json.status().message());
  if (json->object() == nullptr)
    return Error(ErrorCode::kInvalidFile, "%s: an object wanted, %s found", file.c_str(),
                 json->KindName());
  return json;
}

Result<std::optional<Json>> CheckpointSource::ReadOptionalJson(const std::string& file,
                                                               uint64_t max_bytes) const {
  if (!Has(file)) return std::optional<Json>();
  TVLM_ASSIGN_OR_RETURN(Json json, ReadJson(file, max_bytes));
  return std::optional<Json>(std::move(json));
}

}  // namespace tinyvlm

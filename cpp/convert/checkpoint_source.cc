#include "convert/checkpoint_source.h"

#include <cinttypes>
#include <set>

namespace tinyvlm {

CheckpointSource::CheckpointSource(std::string name, const std::vector<CheckpointFile>& files)
    : name_(std::move(name)) {
  for (const CheckpointFile& file : files) files_[file.name] = {file.bytes, std::nullopt};
}

CheckpointSource::CheckpointSource(std::string name, std::map<std::string, std::string> contents)
    : name_(std::move(name)) {
  for (auto& [file, text] : contents) files_[file] = {text.size(), std::move(text)};
}

std::vector<std::string> CheckpointSource::TopNames() const {
  std::set<std::string> names;
  for (const auto& [name, file] : files_) names.insert(name.substr(0, name.find('/')));
  return {names.begin(), names.end()};
}

std::optional<uint64_t> CheckpointSource::SizeOf(const std::string& file) const {
  const auto found = files_.find(file);
  return found == files_.end() ? std::nullopt : std::optional<uint64_t>(found->second.bytes);
}

void CheckpointSource::Supply(const std::string& file, std::string contents) {
  files_[file].contents = std::move(contents);
}

bool CheckpointSource::IsSupplied(const std::string& file) const {
  const auto found = files_.find(file);
  return found != files_.end() && found->second.contents.has_value();
}

void CheckpointSource::DropContents() {
  for (auto& [name, file] : files_) file.contents.reset();
}

Result<std::string> CheckpointSource::Read(const std::string& file, uint64_t max_bytes) const {
  const auto found = files_.find(file);
  if (found == files_.end())
    return Error(ErrorCode::kNotFound, "%s: not found", PathOf(file).c_str());
  if (found->second.bytes > max_bytes) {
    return Error(ErrorCode::kInvalidFile, "%s: at most %" PRIu64 " bytes wanted, %" PRIu64 " found",
                 PathOf(file).c_str(), max_bytes, found->second.bytes);
  }
  if (!found->second.contents.has_value())
    return Error(ErrorCode::kInternal, "%s: read before it was supplied", PathOf(file).c_str());
  return *found->second.contents;
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

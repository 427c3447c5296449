#include "convert/checkpoint_bpe.h"

#include <functional>
#include <iostream>
#include <random>

#include "base/clock.h"
#include "base/json.h"
#include "checkpoint_folder.h"
#include "convert/checkpoint_tokenizer.h"
#include "shared_data.h"
#include "text/bpe_parts.h"
#include "text/utf8.h"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

constexpr const char* kSplit =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
constexpr const char* kQwen2Template =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

std::string Quote(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

// The files of a checkpoint's tokenizer, in the parts that tests change: 256 bytes, one merge, two
// added tokens.
struct BpeFiles {
  BpeFiles() {
    parts = BpeParts::Bytes();
    parts.AddMerge("a", "b");  // 256
  }

  std::string Vocabulary() const {
    std::string out = "{";
    for (size_t i = 0; i < parts.tokens.size(); ++i)
      out.append(i == 0 ? "" : ",")
          .append(Quote(parts.tokens[i]))
          .append(":")
          .append(std::to_string(i));
    return out + extra_vocabulary + "}";
  }

  std::string TokenizerJson() const {
    std::string list;
    for (const std::string& merge : parts.merges) {
      const size_t space = merge.find(' ');
      if (!list.empty()) list += ',';
      list += pairs ? Format("[%s,%s]", Quote(merge.substr(0, space)).c_str(),
                             Quote(merge.substr(space + 1)).c_str())
                    : Quote(merge);
    }
    return R"({"version": "1.0", "added_tokens": )" + added + R"(, "normalizer": )" + normalizer +
           R"(, "pre_tokenizer": )" + pre_tokenizer + R"(, "decoder": )" + decoder +
           R"(, "model": {)" + model + R"(, "vocab": )" + Vocabulary() + R"(, "merges": [)" + list +
           "]}}";
  }

  std::string Merges() const {
    std::string out = "#version: 0.2\n";
    for (const std::string& merge : parts.merges) out += merge + line_end;
    return out;
  }

  BpeParts parts;
  bool pairs = false;
  std::string line_end = "\n";
  std::string extra_vocabulary;
  std::string added =
      R"([{"id": 257, "content": "<|im_start|>", "special": true}, {"id": 258, "content": "<|im_end|>", "special": true, "lstrip": true, "normalized": false},
                          {"id": 259, "content": "<tool>", "special": false, "normalized": true}])";
  std::string normalizer = R"({"type": "NFC"})";
  std::string pre_tokenizer =
      std::string(
          R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ")") +
      kSplit +
      R"("}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]})";
  std::string decoder =
      R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})";
  std::string model =
      R"("type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false)";
};

TEST_CASE("tokenizer.json is read, merges as strings and as pairs", "[convert][tokenizer]") {
  BpeFiles files;
  files.pairs = GENERATE(false, true);
  const TempFolder folder;
  CHECK_FALSE(HasCheckpointBpe(FolderSource(folder.File(""))));
  WriteText(folder.File("tokenizer.json"), files.TokenizerJson());
  CHECK(HasCheckpointBpe(FolderSource(folder.File(""))));
  const auto bpe = ReadCheckpointBpe(FolderSource(folder.File("")));
  INFO(bpe.status().message());
  REQUIRE(bpe.ok());
  REQUIRE(bpe->tokens.size() == 260);
  CHECK(bpe->tokens[256] == "ab");
  CHECK(bpe->tokens[32] == "\xC4\xA0");
  CHECK(bpe->merges == std::vector<std::string>{"a b"});
  CHECK(std::vector<int32_t>(bpe->types.begin() + 256, bpe->types.end()) ==
        std::vector<int32_t>{1, 3, 3, 4});
}

TEST_CASE("A tokenizer in memory reads as one in a folder", "[convert][tokenizer]") {
  const BpeFiles files;
  const CheckpointSource json("memory", {{"tokenizer.json", files.TokenizerJson()}}),
      plain("memory",
            {{"vocab.json", files.Vocabulary()},
             {"merges.txt", files.Merges()},
             {"added_tokens.json", R"({"<|im_start|>": 257, "<|im_end|>": 258, "<tool>": 259})"}});
  for (const CheckpointSource* const source : {&json, &plain}) {
    REQUIRE(HasCheckpointBpe(*source));
    const auto bpe = ReadCheckpointBpe(*source);
    INFO(bpe.status().message());
    REQUIRE(bpe.ok());
    REQUIRE(bpe->tokens.size() == 260);
    CHECK(bpe->tokens[256] == "ab");
    CHECK(bpe->tokens[257] == "<|im_start|>");
    CHECK(bpe->merges == std::vector<std::string>{"a b"});
  }
  const CheckpointSource no_merges("memory", {{"vocab.json", files.Vocabulary()}});
  const Status status = ReadCheckpointBpe(no_merges).status();
  CHECK(status.code() == ErrorCode::kNotFound);
  CHECK(status.message() == "memory: merges.txt wanted beside vocab.json, none found");
  CHECK_FALSE(HasCheckpointBpe(CheckpointSource("memory", std::vector<CheckpointFile>())));
}

TEST_CASE("vocab.json and merges.txt are read with the files beside them", "[convert][tokenizer]") {
  BpeFiles files;
  files.line_end = GENERATE("\n", "\r\n");
  const TempFolder folder;
  WriteText(folder.File("vocab.json"), files.Vocabulary());
  WriteText(folder.File("merges.txt"), files.Merges());
  const auto read = [&] {
    const auto bpe = ReadCheckpointBpe(FolderSource(folder.File("")));
    INFO(bpe.status().message());
    REQUIRE(bpe.ok());
    return *bpe;
  };
  const auto types = [&] {
    const CheckpointBpe bpe = read();
    return std::vector<int32_t>(bpe.types.begin() + 256, bpe.types.end());
  };
  CHECK(read().tokens.size() == 257);
  CHECK(read().merges == std::vector<std::string>{"a b"});
  WriteText(folder.File("added_tokens.json"),
            R"({"<|im_start|>": 257, "<|im_end|>": 258, "<x>": 259, "<y>": 260})");
  CHECK(types() == std::vector<int32_t>{1, 4, 4, 4, 4});
  // What is special stands in any of these.
  WriteText(
      folder.File("special_tokens_map.json"),
      R"({"eos_token": {"content": "<|im_end|>"}, "additional_special_tokens": ["<|im_start|>"]})");
  CHECK(types() == std::vector<int32_t>{1, 3, 3, 4, 4});
  WriteText(
      folder.File("tokenizer_config.json"),
      R"({"pad_token": "<x>", "added_tokens_decoder": {"260": {"content": "<y>", "special": true}, "261": {"content": "<z>"}}})");
  CHECK(types() == std::vector<int32_t>{1, 3, 3, 3, 3, 4});
  CHECK(read().tokens[261] == "<z>");
}

TEST_CASE("A tokenizer that is not Qwen2's is refused, saying what differs",
          "[convert][tokenizer]") {
  const auto refused = [](const std::function<void(BpeFiles*)>& change,
                          ErrorCode code = ErrorCode::kUnsupported) {
    BpeFiles files;
    change(&files);
    const TempFolder folder;
    WriteText(folder.File("tokenizer.json"), files.TokenizerJson());
    const auto bpe = ReadCheckpointBpe(FolderSource(folder.File("")));
    REQUIRE_FALSE(bpe.ok());
    CHECK(std::string(ErrorCodeName(bpe.status().code())) == ErrorCodeName(code));
    CHECK(bpe.status().message().size() < 600);
    return bpe.status().message();
  };
  const auto replace = [](std::string* text, const std::string& from, const std::string& to) {
    REQUIRE(text->find(from) != std::string::npos);
    text->replace(text->find(from), from.size(), to);
  };
  for (const char* type : {"WordPiece", "Unigram", "WordLevel"}) {
    CHECK_CONTAINS(
        refused([&](BpeFiles* f) { replace(&f->model, "BPE", type); }),
        std::string("tokenizer.json: a tokenizer of type BPE wanted, \"") + type + "\" found");
  }
  CHECK_CONTAINS(refused([&](BpeFiles* f) {
                   replace(&f->model, "\"byte_fallback\": false", "\"byte_fallback\": true");
                 }),
                 "byte_fallback: Qwen2's (false) wanted, \"true\" found");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { f->model += R"(, "ignore_merges": true)"; }),
                 "ignore_merges");
  CHECK_CONTAINS(
      refused([&](BpeFiles* f) { replace(&f->model, "\"dropout\": null", "\"dropout\": 0.1"); }),
      "dropout");
  CHECK_CONTAINS(refused([&](BpeFiles* f) {
                   replace(&f->model, "\"unk_token\": null", "\"unk_token\": \"<unk>\"");
                 }),
                 "unk_token: Qwen2's (none) wanted, \"<unk>\" found");
  CHECK_CONTAINS(refused([&](BpeFiles* f) {
                   replace(&f->model, "\"end_of_word_suffix\": \"\"",
                           "\"end_of_word_suffix\": \"</w>\"");
                 }),
                 "end_of_word_suffix");
  CHECK_CONTAINS(refused([](BpeFiles* f) { f->normalizer = "null"; }),
                 "normalizer: Qwen2's (NFC) wanted, none found");
  CHECK_CONTAINS(refused([](BpeFiles* f) { f->normalizer = R"({"type": "NFKC"})"; }),
                 "normalizer: Qwen2's (NFC) wanted, \"NFKC\" found");
  CHECK_CONTAINS(refused([](BpeFiles* f) { f->decoder = R"({"type": "Metaspace"})"; }),
                 "decoder: Qwen2's (ByteLevel) wanted, \"Metaspace\" found");
  CHECK_CONTAINS(
      refused(
          [](BpeFiles* f) { f->pre_tokenizer = R"({"type": "ByteLevel", "use_regex": true})"; }),
      "pre_tokenizer: Qwen2's (Sequence of Split and ByteLevel) wanted, \"ByteLevel\" found");
  CHECK_CONTAINS(refused([](BpeFiles* f) {
                   f->pre_tokenizer =
                       R"({"type": "Sequence", "pretokenizers": [{"type": "Digits"}]})";
                 }),
                 "\"Sequence of Digits\" found");
  CHECK_CONTAINS(
      refused([&](BpeFiles* f) { replace(&f->pre_tokenizer, "|\\\\p{N}|", "|\\\\p{N}{1,3}|"); }),
      "pre_tokenizer: Split: pattern");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->pre_tokenizer, "Isolated", "Removed"); }),
                 "pre_tokenizer: Split");
  CHECK_CONTAINS(refused([&](BpeFiles* f) {
                   replace(&f->pre_tokenizer, "\"use_regex\": false", "\"use_regex\": true");
                 }),
                 "use_regex");
  CHECK_CONTAINS(refused([&](BpeFiles* f) {
                   replace(&f->pre_tokenizer, "\"add_prefix_space\": false",
                           "\"add_prefix_space\": true");
                 }),
                 "add_prefix_space");
  CHECK_CONTAINS(refused([&](BpeFiles* f) {
                   replace(&f->added, "\"special\": false", "\"special\": false, \"rstrip\": true");
                 }),
                 "added token \"<tool>\": rstrip of false wanted");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->added, "<tool>", "e\\u0301"); }),
                 "normalized of false wanted");

  const auto damaged = ErrorCode::kInvalidFile;
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->added, "259", "260"); }, damaged),
                 "tokenizer.json: a token for each of the ids 0..260 wanted, none for 259 found");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->added, "259", "258"); }, damaged),
                 "added token 258 is \"<tool>\" here, \"<|im_end|>\" elsewhere");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->added, "259", "97"); }, damaged),
                 "added token \"<tool>\" has the id 97, which the vocabulary gives to \"a\"");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->added, "259", "1048576"); }, damaged),
                 "added_tokens: id");
  CHECK_CONTAINS(refused([&](BpeFiles* f) { replace(&f->added, "<tool>", ""); }, damaged),
                 "added token 259 has no text");
  CHECK_CONTAINS(refused([](BpeFiles* f) { f->extra_vocabulary = R"(,"zz":97)"; }, damaged),
                 "tokens \"a\" and \"zz\" have the same id, 97");
  CHECK_CONTAINS(refused([](BpeFiles* f) { f->extra_vocabulary = R"(,"zz":-1)"; }, damaged),
                 "token \"zz\": an id of 0..1048575 wanted, -1 found");
  CHECK_CONTAINS(refused([](BpeFiles* f) { f->extra_vocabulary = R"(,"zz":"1")"; }, damaged),
                 "token \"zz\": an id of 0..1048575 wanted, a string found");
  CHECK_CONTAINS(refused(
                     [](BpeFiles* f) {
                       f->extra_vocabulary = R"(,"":257)";
                       f->added = "[]";
                     },
                     damaged),
                 "token 257 has no text");
}

TEST_CASE("Files beside each other that disagree or are missing are refused",
          "[convert][tokenizer]") {
  const TempFolder folder;
  const BpeFiles files;
  WriteText(folder.File("vocab.json"), files.Vocabulary());
  const auto message = [&] {
    return ReadCheckpointBpe(FolderSource(folder.File(""))).status().message();
  };
  CHECK_CONTAINS(message(), "merges.txt wanted beside vocab.json, none found");
  WriteText(folder.File("merges.txt"), files.Merges());
  CHECK(message().empty());
  WriteText(folder.File("tokenizer_config.json"), R"({"tokenizer_class": "GPT2Tokenizer"})");
  CHECK_CONTAINS(
      message(),
      "tokenizer_config.json: tokenizer_class: \"Qwen2Tokenizer\" wanted, \"GPT2Tokenizer\" found");
  WriteText(
      folder.File("tokenizer_config.json"),
      R"({"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": {"x": {"content": "<x>"}}})");
  CHECK_CONTAINS(message(), "added_tokens_decoder: ids as keys wanted, \"x\" found");
  WriteText(folder.File("tokenizer_config.json"),
            R"({"added_tokens_decoder": {"257": {"content": "<x>"}}})");
  CHECK(message().empty());
  WriteText(folder.File("added_tokens.json"), R"({"<x>": "257"})");
  CHECK_CONTAINS(message(), "added_tokens.json: \"<x>\": an id wanted, a string found");
  WriteText(folder.File("added_tokens.json"), R"({"<y>": 257})");
  CHECK_CONTAINS(message(),
                 "added_tokens.json: added token 257 is \"<y>\" here, \"<x>\" elsewhere");
  WriteText(folder.File("vocab.json"), "[]");
  CHECK_CONTAINS(message(), "vocab.json: an object wanted, an array found");
  WriteText(folder.File("vocab.json"), "{");
  CHECK_CONTAINS(message(), "vocab.json: JSON");
}

TEST_CASE("Damaged tokenizer.json files are read or refused", "[convert][tokenizer]") {
  const std::string whole = BpeFiles().TokenizerJson();
  const TempFolder folder;
  WriteText(folder.File("chat_template.jinja"), kQwen2Template);
  std::mt19937 random(19);
  int read_well = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = whole;
    // Half of the edits in the short parts before the vocabulary.
    const size_t reach = random() % 2 == 0 ? text.find("\"vocab\"") : text.size();
    for (size_t n = 1 + random() % 2; n > 0; --n)
      text[random() % reach] =
          static_cast<char>(random() % 4 == 0 ? random() : ' ' + random() % 95);
    if (random() % 8 == 0) text.resize(random() % text.size());
    WriteText(folder.File("tokenizer.json"), text);
    const auto tokenizer =
        ReadCheckpointTokenizer(FolderSource(folder.File("")), 1000, std::nullopt);
    if (!tokenizer.ok()) {
      REQUIRE(IsValidUtf8(tokenizer.status().message()));
      continue;
    }
    ++read_well;
    REQUIRE(tokenizer->tokens.size() == tokenizer->types.size());
  }
  CHECK(read_well > 20);
}

TEST_CASE("A checkpoint with byte-level BPE converts, and the engine reads its keys",
          "[convert][tokenizer]") {
  TinyCheckpoint checkpoint;
  checkpoint.Add("model.language_model.embed_tokens.weight", {300, 32});
  checkpoint.Edit("\"vocab_size\": 48", "\"vocab_size\": 300");
  const TempFolder folder;
  checkpoint.Write(folder);
  WriteText(folder.File("tokenizer.json"), BpeFiles().TokenizerJson());
  WriteText(
      folder.File("tokenizer_config.json"),
      std::string(
          R"({"eos_token": "<|im_end|>", "bos_token": null, "pad_token": {"content": "<|im_end|>"}, "chat_template": )") +
          Quote(kQwen2Template) + "}");
  ConvertOptions options;
  options.checkpoint = folder.File(".");
  options.output = folder.File("model.gguf");
  const Status status = Convert(options, {});
  INFO(status.message());
  REQUIRE(status.ok());
  const LoadedModel model = LoadModelFile(options.output);
  const Metadata& meta = model.file.metadata;
  CHECK(*meta.GetString("tokenizer.ggml.model") == "gpt2");
  CHECK(*meta.GetString("tokenizer.ggml.pre") == "qwen2");
  CHECK(meta.GetStringArray("tokenizer.ggml.tokens")->size() == 260);
  CHECK((*meta.GetStringArray("tokenizer.ggml.tokens"))[10] == "\xC4\x8A");
  CHECK((*meta.GetI32Array("tokenizer.ggml.token_type"))[258] == 3);
  CHECK(*meta.GetStringArray("tokenizer.ggml.merges") == std::vector<std::string_view>{"a b"});
  CHECK(meta.Find("tokenizer.ggml.scores") == nullptr);
  CHECK(meta.Find("tokenizer.ggml.bos_token_id") == nullptr);
  CHECK(*meta.GetU32("tokenizer.ggml.eos_token_id") == 258);
  CHECK(*meta.GetU32("tokenizer.ggml.padding_token_id") == 258);
  CHECK_FALSE(*meta.GetBool("tokenizer.ggml.add_bos_token"));
  CHECK(*meta.GetString("tokenizer.chat_template") == kQwen2Template);
  CHECK(*meta.GetString("fastvlm.chat_style") == "qwen_2");
  // the config's first
  CHECK(*meta.GetI32Array("tinyvlm.stop_ids") == std::vector<int32_t>{2, 258});
}

TEST_CASE("Qwen2's tokenizer is the same from all of its files", "[convert][tokenizer][golden]") {
  const auto source = SharedPath("data/tokenizer/qwen2");
  const TempFolder folder, as_json;
  for (const char* name :
       {"vocab.json", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"})
    WriteText(folder.File(name), ReadWholeFile(source / name));
  WriteText(folder.File("merges.txt"), ReadWholeFile(source / "merges.lf.txt"));
  const double start = NowMs();
  const auto tokenizer =
      ReadCheckpointTokenizer(FolderSource(folder.File("")), 151936, std::nullopt);
  INFO(tokenizer.status().message());
  REQUIRE(tokenizer.ok());
  std::cout << "Qwen2's tokenizer files: read in " << NowMs() - start << " ms\n";
  const BpeParts expected = ReadQwen2Parts(source);
  CHECK(tokenizer->tokens == expected.tokens);
  CHECK(tokenizer->types == expected.types);
  CHECK(tokenizer->merges == expected.merges);
  CHECK(tokenizer->chat_style == ChatStyle::kQwen2);
  CHECK((tokenizer->bos_id == -1 && tokenizer->eos_id == 151645 && tokenizer->pad_id == 151643 &&
         !tokenizer->add_bos));
  CHECK(tokenizer->end_ids == std::vector<int32_t>{151645, 151643});
  CHECK(ReadCheckpointTokenizer(FolderSource(folder.File("")), 151645, std::nullopt)
            .status()
            .message()
            .find("the tokenizer has 151646 tokens, the embedding only 151645 rows") !=
        std::string::npos);

  BpeFiles files;
  files.parts = expected;
  files.parts.tokens.resize(151643);
  files.pairs = true;
  files.added =
      R"([{"id": 151643, "content": "<|endoftext|>", "special": true}, {"id": 151644, "content": "<|im_start|>", "special": true},
                    {"id": 151645, "content": "<|im_end|>", "special": true}, {"id": 151646, "content": "<image>", "special": true}])";
  WriteText(as_json.File("tokenizer.json"), files.TokenizerJson());
  const auto read = ReadCheckpointTokenizer(FolderSource(as_json.File("")), 151936, std::nullopt);
  INFO(read.status().message());
  REQUIRE(read.ok());
  CHECK(read->tokens.size() == 151647);
  CHECK(std::equal(expected.tokens.begin(), expected.tokens.end(), read->tokens.begin()));
  CHECK(read->merges == expected.merges);
  CHECK(read->chat_style == ChatStyle::kQwen2);
}

}  // namespace
}  // namespace tinyvlm

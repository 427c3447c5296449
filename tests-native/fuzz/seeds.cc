// fuzz_seeds FOLDER: writes first inputs of the fuzz targets to FOLDER/<target>/, all made here.
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/half.h"
#include "base/json.h"
#include "constrain/schemas.h"
#include "convert/checkpoint_tensors.h"
#include "formats/safetensors.h"
#include "fuzz/file_list.h"
#include "fuzz/png_edit.h"
#include "fuzz/tiny_models.h"
#include "text/model_writer.h"

#ifdef TINYVLM_HAVE_LIBJPEG
#include <cstdlib>
// after <cstdio>
#include <jpeglib.h>
#endif

using namespace tinyvlm;

namespace {

class Seeds {
 public:
  explicit Seeds(std::string folder) : folder_(std::move(folder)) {}

  void Add(const std::string& target, std::string_view bytes) {
    const std::filesystem::path folder = std::filesystem::path(folder_) / target;
    std::filesystem::create_directories(folder);
    const std::string path = (folder / Format("%04zu", count_++)).string();
    Result<FileWriter> file = FileWriter::Create(path);
    MustHold(file.ok() && file->Append(bytes.data(), bytes.size()).ok() && file->Commit().ok(),
             "a first input can be written");
  }
  void Add(const std::string& target, std::span<const uint8_t> bytes) {
    Add(target, TextOf(bytes));
  }

 private:
  std::string folder_;
  size_t count_ = 0;
};

// Every kind of PNG, a few pixels of each.
void AddPngs(Seeds& seeds) {
  static constexpr std::array<std::pair<uint8_t, uint8_t>, 15> kKinds = {{{1, 0},
                                                                          {2, 0},
                                                                          {4, 0},
                                                                          {8, 0},
                                                                          {16, 0},
                                                                          {8, 2},
                                                                          {16, 2},
                                                                          {1, 3},
                                                                          {2, 3},
                                                                          {4, 3},
                                                                          {8, 3},
                                                                          {8, 4},
                                                                          {16, 4},
                                                                          {8, 6},
                                                                          {16, 6}}};
  for (const auto& kind : kKinds) {
    const uint8_t depth = kind.first, color = kind.second;
    for (const bool interlaced : {false, true}) {
      constexpr uint32_t kWidth = 9, kHeight = 7;
      static constexpr int kChannels[] = {1, 0, 3, 1, 2, 0, 4};
      const uint32_t bits = depth * static_cast<uint32_t>(kChannels[color]);
      std::string raw;
      const auto pass = [&](uint32_t width, uint32_t height) {
        for (uint32_t y = 0; width != 0 && y < height; ++y) {
          raw.push_back(static_cast<char>(y % 5));  // each filter in turn
          for (uint32_t i = 0; i < (width * bits + 7) / 8; ++i)
            raw.push_back(static_cast<char>(color == 3 && depth == 8 ? 1 : i * 37 + y * 11));
        }
      };
      if (interlaced) {
        static constexpr uint32_t kPasses[7][4] = {{0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8},
                                                   {2, 4, 0, 4}, {0, 2, 2, 4}, {1, 2, 0, 2},
                                                   {0, 1, 1, 2}};
        for (const auto& [x, step_x, y, step_y] : kPasses)
          pass((kWidth - x + step_x - 1) / step_x, (kHeight - y + step_y - 1) / step_y);
      } else {
        pass(kWidth, kHeight);
      }
      std::vector<PngChunk> chunks = {
          {"IHDR", PngHeader(kWidth, kHeight, depth, color, interlaced)}};
      if (color == 3) chunks.emplace_back("PLTE", std::string(3u << depth, '\x55'));
      if (color == 3 || color == 0) chunks.emplace_back("tRNS", std::string("\0\1", 2));
      if (color == 2) chunks.emplace_back("tRNS", std::string("\0\1\0\2\0\3", 6));
      chunks.emplace_back("eXIf", std::string("II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0", 22));
      chunks.emplace_back("IDAT", Store(raw));
      chunks.emplace_back("IEND", "");
      seeds.Add("png", WritePng(chunks));
      if (depth == 8) seeds.Add("picture", WritePng(chunks));
    }
  }
}

void AddPictures(Seeds& seeds) {
  for (const std::string_view head :
       {std::string_view("RIFF\0\0\0\0WEBP", 12), std::string_view("GIF89a"),
        std::string_view("BM\0\0\0\0\0\0\0\0", 10),
        std::string_view("\0\0\0\x18"
                         "ftypavif",
                         12),
        std::string_view("\0\0\0\x18"
                         "ftypheic",
                         12),
        std::string_view("\xff\x0a", 2), std::string_view("\0\0\1\0", 4),
        std::string_view("%PDF-1.4"),
        std::string_view("\xef\xbb\xbf <?xml version=\"1.0\"?><!-- x --><!DOCTYPE svg><svg>"),
        std::string_view("<!DOCTYPE html>"), std::string_view("\x89PNG\n\x1a\n", 7)})
    seeds.Add("picture", head);
  seeds.Add("picture", std::string_view("MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26));
}

#ifdef TINYVLM_HAVE_LIBJPEG
void AddJpegs(Seeds& seeds) {
  for (int kind = 0; kind < 16; ++kind) {
    jpeg_compress_struct jpeg;
    jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    unsigned char* bytes = nullptr;
    unsigned long length = 0;
    jpeg_mem_dest(&jpeg, &bytes, &length);
    constexpr JDIMENSION kWidth = 37, kHeight = 27;
    jpeg.image_width = kWidth;
    jpeg.image_height = kHeight;
    const bool gray = kind % 8 == 7, cmyk = kind % 8 == 6;
    jpeg.input_components = gray ? 1 : cmyk ? 4 : 3;
    jpeg.in_color_space = gray ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    if (kind % 8 == 5) jpeg_set_colorspace(&jpeg, JCS_RGB);
    jpeg_set_quality(&jpeg, 60, TRUE);
    if (!gray) {
      jpeg.comp_info[0].h_samp_factor = kind % 3 + 1;
      jpeg.comp_info[0].v_samp_factor = kind / 3 % 2 + 1;
    }
    if (kind % 4 == 1) jpeg.restart_interval = 2;
    jpeg.optimize_coding = kind % 2 == 0;
    if (kind >= 8) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    std::vector<JSAMPLE> row(kWidth * 4);
    for (JDIMENSION y = 0; y < kHeight; ++y) {
      for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<JSAMPLE>(i * 5 ^ y * 9);
      JSAMPROW rows = row.data();
      jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    seeds.Add("jpeg", std::span<const uint8_t>(bytes, length));
    if (kind % 5 == 0) seeds.Add("picture", std::span<const uint8_t>(bytes, length));
    std::free(bytes);
  }
}
#else
void AddJpegs(Seeds&) {}
#endif

std::string ReadBack(const std::string& path) {
  Result<std::string> bytes = ReadTextFile(path, UINT32_MAX);
  MustHold(bytes.ok(), "what was written can be read");
  std::filesystem::remove(path);
  return std::move(bytes).value();
}

// A checkpoint of transformers' layout with each kind of tokenizer; its weights alone.
void AddCheckpoints(Seeds& seeds, const std::string& folder) {
  TinyCheckpointTensors checkpoint;
  constexpr size_t kVocabulary = 262;
  CheckpointTensors::Tensor& embedding =
      checkpoint.tensors["model.language_model.embed_tokens.weight"];
  embedding.shape[0] = kVocabulary;
  embedding.values.resize(kVocabulary * 32, 0.25f);
  std::vector<SafetensorsOutput> outputs;
  std::vector<std::vector<uint16_t>> halves;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    std::vector<uint16_t>& half = halves.emplace_back();
    for (const float value : tensor.values) half.push_back(F32ToBF16(value));
    outputs.push_back({name, SafetensorsType::kBF16, tensor.shape, half.data()});
  }
  const std::string path = folder + "/weights.tmp";
  MustHold(WriteSafetensors(path, outputs).ok(), "weights can be written");
  const std::string weights = ReadBack(path);
  std::string config = checkpoint.config;
  const size_t at = config.find("\"vocab_size\": 48");
  config.replace(at, 16, "\"vocab_size\": 262");

  std::string vocab, added;
  for (int byte = 0; byte < 256; ++byte) {
    std::string mapped;
    AppendMappedCharacters(std::string(1, static_cast<char>(byte)), &mapped);
    if (byte != 0) vocab += ",";
    AppendJsonString(mapped, &vocab);
    vocab += Format(":%d", byte);
  }
  vocab += ",\"ab\":256";
  int id = 257;
  for (const char* token : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"})
    added += Format("%s{\"id\":%d,\"content\":\"%s\",\"special\":true}", added.empty() ? "" : ",",
                    id++, token);
  const std::string tokenizer =
      "{\"added_tokens\":[" + added +
      R"(],"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[
         {"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d))"
      R"(|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N})"
      R"(| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
          "behavior":"Isolated","invert":false},
         {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}]},
         "decoder":{"type":"ByteLevel"},
         "model":{"type":"BPE","byte_fallback":false,"vocab":{)" +
      vocab + "},\"merges\":[\"a b\"]}}";
  using Files = std::map<std::string, std::string>;
  const Files common = {{"config.json", config}, {"model.safetensors", weights}};
  const auto add = [&](Files files, bool whole) {
    if (whole) files.insert(common.begin(), common.end());
    seeds.Add("checkpoint", WriteFileList(files));
  };
  for (const bool whole : {false, true}) {
    add({{"tokenizer.json", tokenizer},
         {"tokenizer_config.json", R"({"chat_template":"<|im_start|>{{ x }}<|im_end|>"})"}},
        whole);
    add({{"vocab.json", "{" + vocab + "}"},
         {"merges.txt", "#version: 0.2\na b\n"},
         {"added_tokens.json", R"({"<|endoftext|>":257,"<|im_start|>":258,"<|im_end|>":259})"},
         {"generation_config.json", R"({"eos_token_id":[2,259]})"},
         {"preprocessor_config.json",
          R"({"image_mean":[0,0,0],"image_std":[1,1,1],"crop_size":{"height":256,"width":256}})"}},
        whole);
    add({{"tokenizer.model", ModelWriter().Build()},
         {"tokenizer_config.json", R"({"add_bos_token":true,"chat_template":"USER: ASSISTANT:"})"}},
        whole);
  }
  add({}, true);
}

void AddSentencePieces(Seeds& seeds) {
  const auto add = [&](const ModelWriter& model, const std::string& text) {
    std::string input = model.Build() + text;
    input.push_back(static_cast<char>(text.size()));
    seeds.Add("sentencepiece", input);
  };
  for (const uint64_t algorithm : {1, 2, 3, 4}) {
    ModelWriter model;
    model.trainer = VarintField(3, algorithm);
    for (const char* piece : {"\xe2\x96\x81", "a", "b", "ab",
                              "\xe2\x96\x81"
                              "a"})
      model.pieces += PieceField(piece, kNormalPiece, -1.5f);
    add(model, "ab a b");
    model.trainer += VarintField(35, 1);
    model.pieces += AllBytePieces() + PieceField("<user>", kUserDefinedPiece);
    model.normalizer = VarintField(3, 1) + VarintField(4, 1) + VarintField(5, 1);
    add(model, "ab <user>\xc3\xa9 \xff");
  }
  ModelWriter mapped;
  CharsmapWriter map;
  map.units[0] = CharsmapWriter::Unit(0, 1, false);
  map.units[1 ^ 'a'] = CharsmapWriter::Unit('a', 2, true);
  mapped.normalizer += BytesField(2, map.Build());
  mapped.pieces += AllBytePieces();
  mapped.trainer += VarintField(35, 1);
  add(mapped, "aab");
}

void AddTexts(Seeds& seeds) {
  for (const char* json : {"{\"a\":[1,-0.5e3,true,null,\"\\u00e9\\ud83d\\ude00\"],\"b\":{}}",
                           "[18446744073709551615,-9223372036854775808,1e-400]", "\"\\\"\\\\/\""})
    seeds.Add("json", json);
  for (const char* pattern : {"^[a-c]+(x|yz)*$", "\\d{3}-\\w?[^a\\]]", "(?:a|b){2,4}?.",
                              "\\u{1f600}[^\\s]", "(?<n>[\\d-z])|^$"})
    seeds.Add("pattern", std::string("\3\x0a") + pattern);
  for (const char* schema : kSchemas)
    seeds.Add("schema", std::string("\2\3\x0a{\"schema\":") + schema + "}");
  seeds.Add("schema", "\2\3\x0a{\"choices\":[\"a\",\"ab\"]}");
  seeds.Add("schema", "\2\3\x0a{\"pattern\":\"^a+$\"}");
  seeds.Add("schema", std::string("\1\3\x0a") + std::string(60, '\x5a'));
  for (const char* text :
       {"\2{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
        "\"q\","
        "\"images\":[1]}],\"maxTokens\":3,\"temperature\":0.5,\"topK\":4,\"topP\":0.9,\"seed\":7,"
        "\"stop\":[\"x\"],\"logprobs\":2,\"responseFormat\":{\"choices\":[\"a\"]}}",
        "\4{\"threads\":3}",
        "\1{\"context\":64,\"imageSize\":128,\"resize\":\"crop\",\"chatStyle\":\"v1\",\"compute\":"
        "\"f32\"}",
        "\3{\"name\":\"n\",\"type\":\"q4_0\",\"visionType\":\"q5_0\",\"imageSize\":512,"
        "\"packing\":\"panel16\",\"tokenizer\":false}"})
    seeds.Add("request", text);
  for (const char* text : {"{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] "
                           "}}<|im_end|>{% endfor %}",
                           "{{ system }} USER: {{ q }} ASSISTANT: {{ a }}</s>",
                           "{{ messages[0]['content'] }}", "[INST] {{ x }} [/INST]"})
    seeds.Add("template", text);
  for (const char* text : {"\5\1\2\3\4abab caf\xc3\xa9 it's 12\r\n  x", "\0ab e\xcc\x81\xff\xfe",
                           "\x12"
                           "\1\1\1\1\2\2\2\2 a ab\n\n"})
    seeds.Add("tokenize", text);
  seeds.Add("safetensors",
            "i{\"metadata\":{\"total_size\":4},\"weight_map\":{\"a\":\"m-1.safetensors\","
            "\"b\":\"m-2.safetensors\"}}");
  for (uint8_t orientation = 0; orientation < 8; ++orientation) {
    const uint8_t bytes[] = {1, 2, 3, 200, 17, 9, 40, 30, orientation, 0, 64, 2, orientation, 7};
    seeds.Add("resize", std::span<const uint8_t>(bytes));
  }
  // Calls take their choices from the end of the input.
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937 random(seed);
    std::string calls(900, '\0');
    for (char& byte : calls) byte = static_cast<char>(random());
    seeds.Add("calls", calls);
  }
}

void AddSafetensors(Seeds& seeds, const std::string& folder) {
  const float floats[6] = {1, 2, 3, 4, 5, 6};
  const int64_t integers[2] = {1, -1};
  const uint16_t halves[4] = {0x3c00, 0x4000, 0, 0x8000};
  const SafetensorsOutput outputs[] = {{"a", SafetensorsType::kF32, {2, 3}, floats},
                                       {"b.c", SafetensorsType::kI64, {2}, integers},
                                       {"h", SafetensorsType::kBF16, {4}, halves},
                                       {"s", SafetensorsType::kF16, {}, halves}};
  const std::string path = folder + "/tensors.tmp";
  MustHold(WriteSafetensors(path, outputs).ok(), "tensors can be written");
  seeds.Add("safetensors", "s" + ReadBack(path));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 1;
  }
  const std::string folder = arguments[1];
  Seeds seeds(folder);
  for (const auto& [name, file] : TinyModels()) {
    seeds.Add("model", file);
    seeds.Add("gguf", file);
  }
  AddPngs(seeds);
  AddPictures(seeds);
  AddJpegs(seeds);
  AddCheckpoints(seeds, folder);
  AddSentencePieces(seeds);
  AddTexts(seeds);
  AddSafetensors(seeds, folder);
  return 0;
}

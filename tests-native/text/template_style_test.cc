#include "text/template_style.h"

#include <fstream>
#include <map>
#include <string>

#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "shared_data.h"
#include "text/byte_tokenizer.h"
#include "text/model_writer.h"
#include "text/utf8.h"

namespace tinyvlm {
namespace {

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

// The style's word, or "" where the template is refused.
std::string StyleOf(std::string_view chat_template) {
  const Result<ChatStyle> style = RecogniseChatStyle(chat_template);
  if (style.ok()) return ChatStyleName(*style);
  CHECK(style.status().code() == ErrorCode::kUnsupported);
  CHECK(IsValidUtf8(style.status().message()));
  return "";
}

TEST_CASE("Templates of the three styles are recognised", "[text][template_style]") {
  CHECK(StyleOf("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}") == "qwen_2");
  // Vicuna's, in the forms that checkpoints carry.
  CHECK(StyleOf("{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ "
                "'USER: ' + message['content'] + ' ' }}{% elif message['role'] == "
                "'assistant' %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}{% endif %}{% "
                "endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}") == "v1");
  CHECK(
      StyleOf(
          "{% for message in messages %}{% if message['role'] != 'system' %}{{ "
          "message['role'].upper() + ': '}}{% endif %}{# images first #}{% for content in "
          "message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% "
          "endfor %}{% for content in message['content'] %}{{ content['text'] + ' '}}"
          "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}") ==
      "v1");
  CHECK(StyleOf("USER: {{ messages[0]['content'] }} ASSISTANT:") == "v1");
  // Content alone.
  CHECK(StyleOf("{% for message in messages %}{{ message['content'] }}{{ '\\n' }}{% endfor %}") ==
        "plain");
  CHECK(StyleOf("{%- for m in messages -%}\n  {% if m['role'] == 'user' %}{{ '<image>\\n' }}{% "
                "endif %}{{- m.content | trim -}}\n{%- endfor -%}") == "plain");
  CHECK(StyleOf(
            "{{ bos_token }}{% for message in messages %}{{ message[\"content\"] }}{% endfor %}") ==
        "plain");
}

TEST_CASE("Templates of other kinds are refused with their first line", "[text][template_style]") {
  CHECK(StyleOf("") == "");
  CHECK(StyleOf("hello") == "");
  CHECK(StyleOf("{% for message in messages %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% "
                "endfor %}") == "");
  CHECK(StyleOf("{% for m in messages %}{{ '<start_of_turn>' + m['content'] }}{% endfor %}") == "");
  CHECK(StyleOf("{% for m in messages %}{{ m['role'] + m['content'] }}{% endfor %}") == "");
  CHECK(StyleOf("{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}") == "");
  CHECK(StyleOf("{% for m in messages %}Human: {{ m['content'] }}{% endfor %}") == "");
  CHECK(StyleOf("{% set x = '### Q: ' + messages[0]['content'] %}{{ x }}") == "");
  // ChatML with another mark after the role; Vicuna's words on lines of their own.
  CHECK(StyleOf("{{'<|im_start|>user<|im_sep|>' + message['content'] + "
                "'<|im_end|><|im_start|>assistant<|im_sep|>'}}") == "");
  CHECK(StyleOf("{{ 'USER: ' + message['content'] + '\\n' }}{{ 'ASSISTANT: ' + message['content'] "
                "+ '</s>\\n' }}") == "");
  CHECK(StyleOf("USER: {{ q }}\nASSISTANT:\n### Response") == "");
  const Status status = RecogniseChatStyle("\n  {{ bos_token }}[INST] one\nsecond").status();
  CHECK_CONTAINS(status.message(), "begins \"{{ bos_token }}[INST] one\"");
  const Status cut =
      RecogniseChatStyle(std::string(119, 'x') + "\xE2\x82\xAC\xE2\x82\xAC").status();
  CHECK_CONTAINS(cut.message(), "\"" + std::string(119, 'x') + "...\"");
}

TEST_CASE("Templates that are cut off anywhere are recognised or refused",
          "[text][template_style]") {
  const std::string whole =
      "{# a #}{%- if x == '}}' -%}{{- 'USER: ' + m[\"content\"] | trim + \"\\\"\" -}}{% endif %}{{ "
      "'ASSISTANT:' }}\xC3\xA9";
  for (size_t size = 0; size <= whole.size(); ++size) StyleOf(whole.substr(0, size));
  for (size_t begin = 0; begin <= whole.size(); ++begin) StyleOf(whole.substr(begin));
}

TEST_CASE("Real templates are told apart", "[text][template_style][golden]") {
  const auto folder = SharedPath("data/chat-templates/llama.cpp/models/templates");
  const auto qwen2 = SharedPath("data/tokenizer/qwen2/tokenizer_config.json");
  const std::map<std::string, std::string> expected{
      {"CohereForAI-c4ai-command-r-plus-tool_use.jinja", ""},
      {"CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja", ""},
      {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja", "qwen_2"},
      {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja", "qwen_2"},
      {"Qwen-Qwen2.5-7B-Instruct.jinja", "qwen_2"},
      {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja", ""},
      {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja", ""},
      {"fireworks-ai-llama-3-firefunction-v2.jinja", ""},
      {"google-gemma-2-2b-it.jinja", ""},
      {"llama-cpp-deepseek-r1.jinja", ""},
      {"meetkai-functionary-medium-v3.1.jinja", ""},
      {"meetkai-functionary-medium-v3.2.jinja", ""},
      {"meta-llama-Llama-3.1-8B-Instruct.jinja", ""},
      {"meta-llama-Llama-3.2-3B-Instruct.jinja", ""},
      {"meta-llama-Llama-3.3-70B-Instruct.jinja", ""},
      {"microsoft-Phi-3.5-mini-instruct.jinja", ""},
      {"mistralai-Mistral-Nemo-Instruct-2407.jinja", ""},
  };
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    const std::string name = entry.path().filename().string();
    INFO(name);
    REQUIRE(expected.count(name) == 1);
    CHECK(StyleOf(ReadWholeFile(entry.path())) == expected.at(name));
    ++files;
  }
  CHECK(files == expected.size());
  const auto config = ParseJson(ReadWholeFile(qwen2));
  REQUIRE(config.ok());
  CHECK(StyleOf(*config->Find("chat_template")->string()) == "qwen_2");
}

TEST_CASE("A style's control tokens are asked for by name", "[text][template_style]") {
  const ByteTokenizer both({"<|im_start|>", "<|im_end|>"}), one({"<|im_start|>"}), llama({"</s>"});
  CHECK(CheckChatTokens(both, ChatStyle::kQwen2).ok());
  CHECK(CheckChatTokens(llama, ChatStyle::kV1).ok());
  CHECK(CheckChatTokens(one, ChatStyle::kPlain).ok());
  CHECK_CONTAINS(CheckChatTokens(one, ChatStyle::kQwen2).message(),
                 "qwen_2 needs the control token <|im_end|>, which the tokenizer does not have");
  CHECK_CONTAINS(CheckChatTokens(both, ChatStyle::kV1).message(),
                 "v1 needs the control token </s>");
}

}  // namespace
}  // namespace tinyvlm

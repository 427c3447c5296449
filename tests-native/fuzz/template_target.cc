// Chat templates: the style of a template's text, and prompts of hostile conversations, in which no
// text of a user may become a control token.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "text/byte_tokenizer.h"
#include "text/chat_template.h"
#include "text/template_style.h"
#include "text/utf8.h"

using namespace tinyvlm;

namespace {

// How many of a prompt's ids are control tokens does not depend on what people wrote.
void BuildIt(FuzzedDataProvider& input) {
  const ByteTokenizer tokenizer({"<|endoftext|>", "<|im_start|>", "<|im_end|>", "</s>", "<s>"});
  static constexpr ChatStyle kStyles[] = {ChatStyle::kQwen2, ChatStyle::kV1, ChatStyle::kPlain};
  const ChatStyle style = input.PickValueInArray(kStyles);
  const size_t count = input.ConsumeIntegralInRange<size_t>(0, 4);
  std::vector<std::string> texts;
  for (size_t i = 0; i < 2 * count + 1; ++i) texts.push_back(input.ConsumeRandomLengthString(40));
  std::vector<ChatTurn> turns, empty_turns;
  size_t images = 0;
  for (size_t i = 0; i < count; ++i) {
    ChatTurn turn;
    turn.question = texts[2 * i];
    turn.num_images = input.ConsumeIntegralInRange<size_t>(0, 2);
    images += turn.num_images;
    if (i + 1 < count || input.ConsumeIntegralInRange(0, 7) == 0) turn.answer = texts[2 * i + 1];
    turns.push_back(turn);
    turn.question = "";
    if (turn.answer.has_value()) turn.answer = "";
    empty_turns.push_back(turn);
  }
  ChatPrompt prompt, empty;
  prompt.turns = turns;
  empty.turns = empty_turns;
  switch (input.ConsumeIntegralInRange(0, 2)) {
    case 0:
      prompt.system = texts.back();
      empty.system = texts.back().empty() ? "" : "x";
      break;
    case 1:
      prompt.system = empty.system = "";
      break;
    default:
      break;
  }
  if (input.ConsumeBool()) prompt.bos_id = empty.bos_id = 260;
  const auto built = BuildPrompt(tokenizer, style, prompt),
             plain = BuildPrompt(tokenizer, style, empty);
  MustBeTold(built.status());
  MustHold(built.ok() == plain.ok(), "texts decide nothing");
  if (!built.ok()) return;
  for (int32_t id = 256; id < static_cast<int32_t>(tokenizer.size()); ++id)
    MustHold(std::count(built->begin(), built->end(), id) ==
                 std::count(plain->begin(), plain->end(), id),
             "control tokens come from the template only");
  MustHold(static_cast<size_t>(std::count(built->begin(), built->end(), kImageMarker)) == images,
           "every image has its marker");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const ExactCopy copy({data, size});
  const Result<ChatStyle> style = RecogniseChatStyle(TextOf(copy.bytes()));
  MustBeTold(style.status());
  MustHold(IsValidUtf8(style.status().message()), "an error is UTF-8");
  FuzzedDataProvider input(data, size);
  BuildIt(input);
  return 0;
}

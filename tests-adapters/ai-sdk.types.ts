// tinyVLM(vlm) is a model to each major of the AI SDK. The compiler is the test.
import { generateText as generateText5 } from "ai5";
import { generateText as generateText6, streamText as streamText6 } from "ai6";
import { generateText as generateText7, streamText as streamText7 } from "ai7";
import { TinyVLM } from "tiny-vlm";
import { tinyVLM } from "tiny-vlm/ai-sdk";

export async function usage(): Promise<void> {
  const vlm: TinyVLM = await TinyVLM.load();
  const model = tinyVLM(vlm);
  await generateText5({ model: tinyVLM(vlm, { specification: "v2" }), prompt: "" });
  await generateText6({ model, prompt: "" });
  await generateText7({ model, prompt: "" });
  streamText6({ model, prompt: "" });
  streamText7({ model, prompt: "" });
}

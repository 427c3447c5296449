// tiny-vlm ask

import { TinyVLM } from "../api/node.js";
import type { AnswerStream } from "../api/stream.js";
import type { AskOptions, ChatStyle, ImageInput, LoadOptions, Variant } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import { parseFlags, type FlagKind, type Parsed } from "./flags.js";
import { askHelp } from "./help.js";

const flags: Record<string, FlagKind> = {
  "--model": "text",
  "--image": "texts",
  "--json": "switch",
  "--max-tokens": "number",
  "--temperature": "number",
  "--top-k": "number",
  "--top-p": "number",
  "--min-p": "number",
  "--repetition-penalty": "number",
  "--stop": "texts",
  "--seed": "number",
  "--context": "number",
  "--system": "text",
  "--then": "texts",
  "--image-size": "number",
  "--resize": "text",
  "--chat-style": "text",
  "--exact-preprocess": "switch",
  "--compute": "text",
  "--variant": "text",
  "--threads": "number",
  "--help": "switch",
  "-h": "switch",
};

export async function ask(args: string[]): Promise<void> {
  const parsed = parseFlags(args, flags);
  if (parsed.switches.has("--help") || parsed.switches.has("-h"))
    return void process.stdout.write(askHelp);
  const { images, question } = imagesAndQuestion(parsed);
  const text = (flag: string) => parsed.texts.get(flag)?.[0];
  const number = (flag: string) => parsed.numbers.get(flag);

  const loadOptions: LoadOptions = {
    threads: number("--threads"),
    variant: text("--variant") as Variant | undefined,
    context: number("--context"),
    imageSize: number("--image-size"),
    resize: text("--resize") as "pad" | "crop" | undefined,
    chatStyle: text("--chat-style") as ChatStyle | undefined,
    compute: text("--compute") as "fast" | "f32" | undefined,
  };
  const askOptions: AskOptions = {
    maxTokens: number("--max-tokens"),
    temperature: number("--temperature"),
    topK: number("--top-k"),
    topP: number("--top-p"),
    minP: number("--min-p"),
    repetitionPenalty: number("--repetition-penalty"),
    stop: parsed.texts.get("--stop"),
    seed: number("--seed"),
    exactPreprocess: parsed.switches.has("--exact-preprocess"),
  };

  const vlm = await TinyVLM.load(text("--model"), loadOptions);
  try {
    // The first question is about the images; those of --then follow in the same conversation.
    const chat = vlm.chat({ system: text("--system") });
    await show(chat.ask(images, question, askOptions), parsed.switches.has("--json"));
    for (const next of parsed.texts.get("--then") ?? [])
      await show(chat.ask(next, askOptions), parsed.switches.has("--json"));
  } finally {
    await vlm.dispose();
  }
}

async function show(answer: AnswerStream, json: boolean): Promise<void> {
  if (json) {
    process.stdout.write(`${JSON.stringify(await answer)}\n`);
    return;
  }
  for await (const piece of answer) process.stdout.write(piece);
  process.stdout.write("\n");
  if (!process.stderr.isTTY) return;
  const { timings, usage, variant, threads } = await answer;
  const build = threads > 1 ? `${variant}, ${threads} threads` : variant;
  process.stderr.write(
    `first word ${timings.firstTokenMs.toFixed(0)} ms, ${usage.completionTokens} tokens at ${timings.tokensPerSecond.toFixed(0)}/s, ${build}\n`,
  );
}

function imagesAndQuestion({ positionals, texts }: Parsed): {
  images: ImageInput[];
  question: string;
} {
  const [first, question] = positionals;
  if (positionals.length !== 2 || first === undefined || question === undefined) {
    const found = positionals.map((word) => JSON.stringify(word)).join(" ") || "nothing";
    throw new TinyVLMError(
      "invalid_argument",
      `wanted tiny-vlm ask <image> <question>, found ${found} (a question of several words needs quotes)`,
    );
  }
  return {
    images: [
      ...(first === "-" || first === "none" ? [] : [first]),
      ...(texts.get("--image") ?? []),
    ],
    question,
  };
}

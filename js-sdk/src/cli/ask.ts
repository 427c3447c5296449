// tiny-vlm ask

import { TinyVLM } from "../api/node.js";
import { checkOption } from "../api/options.js";
import type { AnswerStream } from "../api/stream.js";
import type { AskOptions, ImageInput, LoadOptions } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import { askRules, loadRules, type OptionRule } from "../protocol/option-rules.generated.js";
import { parseFlags, type FlagKind, type Parsed } from "./flags.js";
import { askHelp } from "./help.js";
import { askFlags, loadFlags, type OptionFlag } from "./options.generated.js";

const optionFlags: Readonly<Record<string, OptionFlag>> = { ...loadFlags, ...askFlags };

const flags: Record<string, FlagKind> = {
  "--model": "text",
  "--image": "texts",
  "--then": "texts",
  "--json": "switch",
  "--help": "switch",
  "-h": "switch",
  ...Object.fromEntries(Object.values(optionFlags).map(({ flag, kind }) => [flag, kind])),
};

export async function ask(args: string[]): Promise<void> {
  const parsed = parseFlags(args, flags);
  if (parsed.switches.has("--help") || parsed.switches.has("-h"))
    return void process.stdout.write(askHelp);
  const { images, question } = imagesAndQuestion(parsed);
  const loadOptions: LoadOptions = given(parsed, loadFlags, loadRules);
  // A conversation has one system prompt.
  const { system, ...askOptions }: AskOptions = given(parsed, askFlags, askRules);
  try {
    const vlm = await TinyVLM.load(parsed.texts.get("--model")?.[0], loadOptions);
    try {
      // The first question is about the images; those of --then follow in the same conversation.
      const chat = vlm.chat({ system });
      await show(chat.ask(images, question, askOptions), parsed.switches.has("--json"));
      for (const next of parsed.texts.get("--then") ?? [])
        await show(chat.ask(next, askOptions), parsed.switches.has("--json"));
    } finally {
      await vlm.dispose();
    }
  } catch (error) {
    throw namingFlag(error);
  }
}

/** The options whose flags were given, each checked by its rule. Errors name the flags. */
function given(
  parsed: Parsed,
  table: Readonly<Record<string, OptionFlag>>,
  rules: Readonly<Record<string, OptionRule>>,
): Record<string, never> {
  const options: Record<string, unknown> = {};
  for (const [key, { flag, kind }] of Object.entries(table)) {
    const value = {
      switch: () => (parsed.switches.has(flag) ? true : undefined),
      number: () => parsed.numbers.get(flag),
      texts: () => parsed.texts.get(flag),
      text: () => parsed.texts.get(flag)?.[0],
    }[kind]();
    if (value === undefined) continue;
    checkOption(flag, rules[key]!, value);
    options[key] = value;
  }
  return options as Record<string, never>;
}

/** The engine names an option by its key ("context: …"); here it was a flag. */
function namingFlag(error: unknown): unknown {
  if (!(error instanceof TinyVLMError)) return error;
  const [, key, rest] = /^(\w+)(:[^]*)$/.exec(error.message) ?? [];
  const option = key === undefined ? undefined : optionFlags[key];
  return option ? new TinyVLMError(error.code, option.flag + rest, { cause: error }) : error;
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
    `first word ${timings.firstTokenMs.toFixed(0)} ms, ${usage.completionTokens} tokens ` +
      `at ${timings.tokensPerSecond.toFixed(0)}/s, ${build}\n`,
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
      `wanted tiny-vlm ask <image> <question>, found ${found} ` +
        "(a question of several words needs quotes)",
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

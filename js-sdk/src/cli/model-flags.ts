// The flags that are options of the SDK's load and ask, and loading by them.

import { TinyVLM } from "../api/node.js";
import { checkOption } from "../api/options.js";
import type { AskOptions, LoadOptions } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import { askRules, loadRules, type OptionRule } from "../protocol/option-rules.generated.js";
import type { FlagTable, Parsed } from "./command.js";
import { textOf } from "./flags.js";
import { hubHeaders } from "./hub.js";
import { askFlags, loadFlags, type OptionFlag } from "./options.generated.js";
import { responseFormat, responseFormatFlags } from "./response-format.js";
import { complain, loadingLine, type StatusLine } from "./terminal.js";

type OptionFlags = Readonly<Record<string, OptionFlag>>;
type Rules = Readonly<Record<string, OptionRule>>;

function tableOf(flags: OptionFlags, rules: Rules): FlagTable {
  return Object.fromEntries(
    Object.entries(flags).map(([key, { flag, ...rest }]) => {
      const rule = rules[key]!;
      return [flag, rule.type === "choice" ? { ...rest, choices: rule.choices } : rest];
    }),
  );
}

/** `--type`, of `load`'s options the one that `pull` takes. */
export const typeFlag: FlagTable = tableOf({ type: loadFlags.type }, loadRules);

const modelFlag: FlagTable = {
  "--model": {
    kind: "text",
    value: "FILE",
    help:
      "A model file, its URL, or a checkpoint (a folder, hf:owner/repository). Default: the " +
      "demo model that comes with the package.",
  },
};

/** The flags of every command that asks a model: which one, how it answers, how it is loaded. */
export const modelFlags: FlagTable = {
  ...modelFlag,
  ...responseFormatFlags,
  ...tableOf(askFlags, askRules),
  ...tableOf(loadFlags, loadRules),
};

/** The flags of `embed`: which model, how images are read, how it is loaded. */
export const embedFlags: FlagTable = {
  ...modelFlag,
  ...tableOf({ exactPreprocess: askFlags.exactPreprocess, strict: askFlags.strict }, askRules),
  ...tableOf(loadFlags, loadRules),
};

/** The options of `load` whose flags were given, each checked by its rule. */
export const loadOptions = (parsed: Parsed): LoadOptions => given(parsed, loadFlags, loadRules);
/** The options of `ask` whose flags were given, each checked by its rule. */
export const askOptions = (parsed: Parsed): AskOptions => ({
  ...given(parsed, askFlags, askRules),
  responseFormat: responseFormat(parsed),
});

// Errors name the flags.
function given(parsed: Parsed, table: OptionFlags, rules: Rules): Record<string, never> {
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

/**
 * Loads the model of `--model`, with progress on `line` and warnings on stderr. What the engine
 * says of an option names its flag.
 */
export async function loadModel(
  parsed: Parsed,
  signal: AbortSignal,
  line: StatusLine,
): Promise<TinyVLM> {
  const source = textOf(parsed, "--model");
  const options = loadOptions(parsed);
  try {
    return await namingFlags(() =>
      TinyVLM.load(source, {
        ...options,
        ...hubHeaders(source),
        signal,
        onProgress: loadingLine(line),
        onWarning: (warning) => complain(warning, "yellow", line),
      }),
    );
  } finally {
    line.clear();
  }
}

/** The engine names an option by its key ("context: …"); here it was a flag. */
export async function namingFlags<T>(work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TinyVLMError)) throw error;
    const [, key, rest] = /^(\w+)(:[^]*)$/.exec(error.message) ?? [];
    const flags: OptionFlags = { ...loadFlags, ...askFlags };
    const option = key === undefined ? undefined : flags[key];
    throw option ? new TinyVLMError(error.code, option.flag + rest, { cause: error }) : error;
  }
}

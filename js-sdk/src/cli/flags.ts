// Flags of a command line: a table of what is allowed, everything else is an error that names the
// nearest flag.

import { didYouMean } from "../protocol/did-you-mean.js";
import { TinyVLMError } from "../protocol/errors.js";

/** What a flag takes: nothing, a word (several times: the last one counts, or all), a number. */
export type FlagKind = "switch" | "text" | "texts" | "number";

export interface Parsed {
  positionals: string[];
  switches: Set<string>;
  texts: Map<string, string[]>;
  numbers: Map<string, number>;
}

/**
 * Parses `args` by `allowed` (flag with its dashes → kind). `--flag value` and `--flag=value` are
 * the same; `--` ends the flags.
 */
export function parseFlags(args: readonly string[], allowed: Record<string, FlagKind>): Parsed {
  const parsed: Parsed = {
    positionals: [],
    switches: new Set(),
    texts: new Map(),
    numbers: new Map(),
  };
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!;
    if (argument === "--") {
      parsed.positionals.push(...args.slice(index + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      parsed.positionals.push(argument);
      continue;
    }
    const equals = argument.startsWith("--") ? argument.indexOf("=") : -1;
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const kind = allowed[flag];
    if (!kind)
      throw new TinyVLMError(
        "invalid_argument",
        `unknown flag ${flag}${didYouMean(flag, Object.keys(allowed))}`,
      );
    if (kind === "switch") {
      if (equals >= 0)
        throw new TinyVLMError(
          "invalid_argument",
          `${flag} takes no value, found "${argument.slice(equals + 1)}"`,
        );
      parsed.switches.add(flag);
      continue;
    }
    const value = equals >= 0 ? argument.slice(equals + 1) : args[++index];
    if (value === undefined)
      throw new TinyVLMError(
        "invalid_argument",
        `${flag} wants a value, found the end of the line`,
      );
    if (kind === "number") {
      const number = Number(value);
      if (value.trim() === "" || !Number.isFinite(number))
        throw new TinyVLMError("invalid_argument", `${flag} wants a number, found "${value}"`);
      parsed.numbers.set(flag, number);
    } else {
      parsed.texts.set(
        flag,
        kind === "texts" ? [...(parsed.texts.get(flag) ?? []), value] : [value],
      );
    }
  }
  return parsed;
}

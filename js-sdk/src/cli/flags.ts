// Flags of a command line: a table of what is allowed, everything else is an error that names the
// nearest flag.

import { didYouMean } from "../protocol/did-you-mean.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { Flag, FlagTable, Parsed } from "./command.js";

/** A mistake in the arguments. */
export const wrongArgument = (message: string): TinyVLMError =>
  new TinyVLMError("invalid_argument", message);

/** Throws unless `value` is one of `choices`; the message calls the argument `name`. */
export function checkChoice(name: string, choices: readonly string[], value: string): void {
  if (choices.includes(value)) return;
  const wanted = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw wrongArgument(
    `wanted ${wanted} for ${name}, found "${value}"${didYouMean(value, choices)}`,
  );
}

/**
 * Parses `args` by `allowed`. `--flag value` and `--flag=value` are the same; `--` ends the flags.
 * Short names count as the long ones. Throws `invalid_argument`.
 */
export function parseFlags(args: readonly string[], allowed: FlagTable): Parsed {
  const parsed: Parsed = {
    positionals: [],
    switches: new Set(),
    texts: new Map(),
    numbers: new Map(),
  };
  const named = new Map<string, [string, Flag]>();
  for (const [name, flag] of Object.entries(allowed))
    for (const each of [name, flag.short]) if (each) named.set(each, [name, flag]);
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
    const given = equals < 0 ? argument : argument.slice(0, equals);
    const found = named.get(given);
    if (!found) throw wrongArgument(`unknown flag ${given}${didYouMean(given, [...named.keys()])}`);
    const [name, flag] = found;
    if (flag.kind === "switch") {
      if (equals >= 0)
        throw wrongArgument(`${given} takes no value, found "${argument.slice(equals + 1)}"`);
      parsed.switches.add(name);
      continue;
    }
    const value = equals >= 0 ? argument.slice(equals + 1) : args[++index];
    if (value === undefined)
      throw wrongArgument(`${given} wants a value, found the end of the line`);
    if (equals < 0 && named.has(value))
      throw wrongArgument(
        `${given} wants a value, found the flag ${value} (${given}=${value} gives it as a value)`,
      );
    keep(parsed, name, flag, value);
  }
  return parsed;
}

function keep(parsed: Parsed, name: string, flag: Flag, value: string): void {
  if (flag.kind === "number") {
    const number = Number(value);
    if (value.trim() === "" || !Number.isFinite(number))
      throw wrongArgument(`${name} wants a number, found "${value}"`);
    parsed.numbers.set(name, number);
    return;
  }
  if (flag.choices) checkChoice(name, flag.choices, value);
  const before = flag.kind === "texts" ? (parsed.texts.get(name) ?? []) : [];
  parsed.texts.set(name, [...before, value]);
}

/** The text of a flag that may not be empty; undefined where the flag is not given. */
export function textOf({ texts }: Parsed, name: string): string | undefined {
  const text = texts.get(name)?.at(-1);
  if (text === "") throw wrongArgument(`${name} wants a value, found an empty text`);
  return text;
}

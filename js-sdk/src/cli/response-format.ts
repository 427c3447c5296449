// The flags that say what form an answer has: the option `responseFormat` of `ask`.

import { readFileSync } from "node:fs";
import type { AskOptions } from "../api/types.js";
import { TinyVLMError } from "../protocol/errors.js";
import type { FlagTable, Parsed } from "./command.js";
import { textOf, wrongArgument } from "./flags.js";

export const responseFormatFlags = {
  "--schema": {
    kind: "text",
    value: "FILE",
    help: "The answer is JSON that validates against the JSON Schema in this file.",
  },
  "--choices": {
    kind: "text",
    value: "A,B,...",
    help: "The answer is one of these texts.",
  },
  "--pattern": {
    kind: "text",
    value: "REGEX",
    help: "All of the answer matches this regular expression.",
  },
} as const satisfies FlagTable;

/** What these flags say; undefined: nothing. */
export function responseFormat(parsed: Parsed): AskOptions["responseFormat"] {
  const names = Object.keys(responseFormatFlags).filter((name) => parsed.texts.has(name));
  if (names.length > 1)
    throw wrongArgument(
      `wanted one of --schema, --choices and --pattern, found ${names.join(" ")}`,
    );
  const choices = textOf(parsed, "--choices");
  if (choices !== undefined) return { choices: choices.split(",") };
  const pattern = textOf(parsed, "--pattern");
  if (pattern !== undefined) return { pattern };
  const path = textOf(parsed, "--schema");
  return path === undefined ? undefined : { schema: schemaOf(path) };
}

function schemaOf(path: string): object {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "not_found" : "io";
    const message = `--schema: wanted a JSON Schema in ${path}: ${(cause as Error).message}`;
    throw new TinyVLMError(code, message, { cause });
  }
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (cause) {
    throw wrongArgument(`--schema: wanted a JSON Schema in ${path}: ${(cause as Error).message}`);
  }
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw wrongArgument(`--schema: wanted a JSON Schema in ${path}, found ${text.slice(0, 40)}`);
  return schema;
}

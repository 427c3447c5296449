// The error codes of C++ (cpp/base/status.h, status.cc), of TypeScript and of docs/errors.md are one
// list: same words, same numbers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errorNumbers } from "../src/protocol/errors.js";

const read = (path: string): string => readFileSync(path, "utf8");

/** The words and numbers of C++: `kNotFound = 2` and `case ErrorCode::kNotFound: return "..."`. */
function codesOfEngine(): Map<string, number> {
  const list = /enum class ErrorCode[^{]*\{([^}]*)\}/.exec(read("cpp/base/status.h"))?.[1] ?? "";
  const words = new Map<string, string>();
  for (const [, name, word] of read("cpp/base/status.cc").matchAll(
    /case ErrorCode::(k\w+):\s*return "(\w+)";/g,
  ))
    words.set(name!, word!);
  const codes = new Map<string, number>();
  for (const [, name, number] of list.matchAll(/^\s*(k\w+) = (\d+),/gm)) {
    const word = words.get(name!);
    assert(word !== undefined, `ErrorCodeName has no word for ${name}`);
    codes.set(word, Number(number));
  }
  assert.equal(words.size, codes.size);
  return codes;
}

test("C++ and TypeScript have the same error codes", () => {
  const engine = codesOfEngine();
  assert.equal(engine.get("ok"), 0);
  engine.delete("ok");
  assert(engine.size >= 10);
  // Codes of the surroundings, which the engine cannot meet.
  const typescriptOnly = ["network", "http", "worker"];
  assert.deepEqual(
    Object.entries(errorNumbers).filter(([word]) => !typescriptOnly.includes(word)),
    [...engine].sort(([, a], [, b]) => a - b),
  );
});

test("docs/errors.md lists every code once with its number", () => {
  const entries = [...read("docs/errors.md").matchAll(/^- \*\*`(\w+)`\*\* \((\d+)\):/gm)];
  assert.deepEqual(
    entries.map(([, word, number]) => [word, Number(number)]),
    Object.entries(errorNumbers),
  );
});

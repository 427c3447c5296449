// What a response format allows, asked of the engine's own compiler: the program of
// format_server.cc, whose path is in TINYVLM_FORMAT_SERVER.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** Answers to questions as format_server.cc has them, in order. */
export function askFormats(questions) {
  const program = process.env.TINYVLM_FORMAT_SERVER;
  assert.ok(program, "TINYVLM_FORMAT_SERVER wanted: the path of the program format_server");
  const { status, stdout, stderr } = spawnSync(program, [], {
    input: questions.map((question) => `${JSON.stringify(question)}\n`).join(""),
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/**
 * The compact JSON texts of a value, with the properties of each object in every order, because
 * answers have them in the schema's; `most` of them at most.
 */
export function textsOf(value, most = 200) {
  const joined = (lists, open, close) =>
    lists
      .reduce(
        (beginnings, list) =>
          beginnings.flatMap((text) => list.map((item) => [...text, item])).slice(0, most),
        [[]],
      )
      .map((items) => `${open}${items.join(",")}${close}`);
  if (Array.isArray(value))
    return joined(
      value.map((item) => textsOf(item, most)),
      "[",
      "]",
    );
  if (value === null || typeof value !== "object") return [ownText(value)];
  return ordersOf(Object.entries(value))
    .slice(0, most)
    .flatMap((members) =>
      joined(
        members.map(([name, member]) =>
          textsOf(member, most).map((text) => `${ownText(name)}:${text}`),
        ),
        "{",
        "}",
      ),
    )
    .slice(0, most);
}

/** As the engine writes it where there is one way: these two characters without a letter. */
const ownText = (value) =>
  JSON.stringify(value).replaceAll(/\\[^]/g, (escape) =>
    escape === "\\b" ? "\\u0008" : escape === "\\f" ? "\\u000c" : escape,
  );

function ordersOf(items) {
  if (items.length < 2) return [items];
  if (items.length > 6) return [items, items.toReversed()];
  return items.flatMap((item, i) =>
    ordersOf(items.toSpliced(i, 1)).map((others) => [item, ...others]),
  );
}

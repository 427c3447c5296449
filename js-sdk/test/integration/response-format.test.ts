// Answers with a form, by the built package with the real engine and the demo model.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { command, describe, first, options, TinyVLM } from "./built-package.js";

const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-format-"));
after(() => rmSync(folder, { recursive: true }));

const schema = {
  type: "object",
  properties: {
    what: { enum: ["flower", "house", "cat"] },
    count: { type: "integer", minimum: 1, maximum: 9 },
    tags: { type: "array", items: { type: "string", pattern: "^[a-zé]{1,5}$" }, maxItems: 2 },
  },
  required: ["what", "count", "tags"],
  additionalProperties: false,
};

test("an answer validates against its schema, is a choice or matches", options, async () => {
  const vlm = await TinyVLM.load(undefined, { variant: "simd" });
  for (let seed = 0; seed < 10; seed++) {
    const sampling = { temperature: seed === 0 ? 0 : 1.5, seed };
    const pieces: string[] = [];
    const stream = vlm.ask(first, describe, { ...sampling, responseFormat: { schema } });
    for await (const piece of stream) pieces.push(piece);
    const { text, finishReason } = await stream;
    assert.equal(pieces.join(""), text);
    assert.equal(finishReason, "stop");
    const { what, count, tags, ...rest } = JSON.parse(text) as {
      what: string;
      count: number;
      tags: string[];
    };
    assert(["flower", "house", "cat"].includes(what), text);
    assert(Number.isInteger(count) && count >= 1 && count <= 9, text);
    assert(tags.length <= 2 && tags.every((tag) => /^[a-zé]{1,5}$/.test(tag)), text);
    assert.deepEqual(rest, {});
    const choices = ["yes", "no", " perhaps "];
    const chosen = await vlm.ask(null, "Well?", { ...sampling, responseFormat: { choices } });
    assert(choices.includes(chosen.text), chosen.text);
    const pattern = "\\d{2}:[0-5]\\d";
    const time = await vlm.ask(null, "When?", { ...sampling, responseFormat: { pattern } });
    assert.match(time.text, /^\d{2}:[0-5]\d$/);
  }
  const cut = await vlm.ask(first, describe, { maxTokens: 3, responseFormat: { schema } });
  assert.equal(cut.finishReason, "length");
  await vlm.dispose();
});

test("a form that is not supported is refused with its place", options, async () => {
  const vlm = await TinyVLM.load(undefined, { variant: "simd" });
  const refused = async (responseFormat: object) =>
    await vlm.ask(null, "?", { responseFormat: responseFormat as { pattern: string } });
  const unknown = { properties: { a: { not: {} } } };
  for (const [format, message] of [
    [{ schema: unknown }, /^responseFormat: #\/properties\/a\/not: the keyword "not"/],
    [{ pattern: "a(?=b)" }, /^responseFormat: pattern "a\(\?=b\)", byte 3: looking ahead/],
    [{ choices: [] }, /choices: a list of at least one text wanted/],
    [{}, /an object with one key/],
    [{ schema: { type: () => "string" } }, /./], // cannot be sent to the worker
  ] as const)
    await assert.rejects(refused(format), { code: "invalid_argument", message });
  assert.equal((await refused({ pattern: "fine" })).text, "fine");
  await vlm.dispose();
});

test("the command line has a flag for each form", options, () => {
  const path = join(folder, "schema.json");
  writeFileSync(path, JSON.stringify(schema));
  const ask = (...flags: string[]) =>
    command("ask", first, describe, "--variant", "simd", ...flags);
  const { out } = ask("--schema", path);
  assert.deepEqual(Object.keys(JSON.parse(out) as object), ["what", "count", "tags"]);
  assert.match(ask("--choices", "red,green").out, /^(red|green)\n$/);
  assert.match(ask("--pattern", "[0-9]{4}").out, /^[0-9]{4}\n$/);
  const both = ask("--pattern", "a", "--choices", "a");
  assert.equal(both.code, 1);
  assert.match(both.err, /wanted one of --schema, --choices and --pattern/);
  const missing = ask("--schema", join(folder, "none.json"));
  assert.equal(missing.code, 2);
  assert.match(missing.err, /wanted a JSON Schema in .*none\.json/);
});

// Random damage and random requests, the same in every run: TINYVLM_FUZZ_ROUNDS asks for more of
// them (docs/fuzzing.md).

import assert from "node:assert/strict";
import { test } from "node:test";
import { openaiHandler } from "../src/adapters/openai.js";
import { entryFormat, parseMeta, pieceCount, type EntryMeta } from "../src/loader/cache.js";
import { FolderStore, type FileSystem, type OpenFile } from "../src/loader/folder-store.js";
import { fakeModel } from "./fake-model.js";

const rounds = Number(process.env["TINYVLM_FUZZ_ROUNDS"] ?? 500);

/** Whole numbers from 0 up to, not with, `below`: xorshift32. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Folders = Map<string, Map<string, Uint8Array>>;

/** A file system in memory. */
function memoryFiles(folders: Folders): FileSystem {
  const open = (folder: string, name: string): OpenFile => {
    const files = folders.get(folder) ?? new Map<string, Uint8Array>();
    folders.set(folder, files);
    if (!files.has(name)) files.set(name, new Uint8Array(0));
    const resize = (size: number) => {
      const bytes = new Uint8Array(size);
      bytes.set(files.get(name)!.subarray(0, size));
      files.set(name, bytes);
      return bytes;
    };
    return {
      read(target, at) {
        const bytes = files.get(name)!.subarray(at, at + target.length);
        target.set(bytes);
        return bytes.length;
      },
      async write(bytes, at) {
        resize(Math.max(files.get(name)!.length, at + bytes.length)).set(bytes, at);
      },
      async truncate(size) {
        resize(size);
      },
      async close() {},
    };
  };
  return {
    kind: "memory",
    lock: async () => async () => {},
    folders: async () => [...folders.keys()],
    open: async (folder, name) => open(folder, name),
    openForReading: async (folder, name) => open(folder, name),
    readFile: async (folder, name) => folders.get(folder)?.get(name)?.slice(),
    remove: async (folder) => void folders.delete(folder),
  };
}

const url = "https://example.com/model.gguf";
const never = new AbortController().signal;
const meta: EntryMeta = {
  ...{ format: entryFormat, url, validator: { etag: '"a"' } },
  ...{ headerBytes: 100, chunkBytes: 64, fileBytes: 194, begun: 1_700_000_000_000 },
} as EntryMeta;
const pieces = [100, 64, 30].map((length, piece) =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + piece * 31 + 1) % 256),
);

async function wholeEntry(): Promise<Folders> {
  const folders: Folders = new Map();
  const entry = await new FolderStore(memoryFiles(folders)).open(url, never);
  await entry.begin(meta);
  for (const [piece, bytes] of pieces.entries())
    await entry.write(piece, bytes, new Uint8Array(32).fill(piece + 1));
  await entry.close();
  return folders;
}

const numbers = ["0", "-1", "1", "63", "1e9", "9007199254740991", "1.5", "null", '"x"', "[]"];

// The bytes of a file with something wrong in them.
function damaged(bytes: Uint8Array, roll: (below: number) => number): Uint8Array {
  const at = roll(bytes.length + 1);
  switch (roll(5)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Uint8Array.from([...bytes, ...bytes.subarray(at)]);
    case 2: {
      const text = new TextDecoder("latin1").decode(bytes);
      const found = [...text.matchAll(/\d+/g)];
      const one = found[roll(Math.max(1, found.length))];
      if (!one) return bytes.slice(1);
      const changed =
        text.slice(0, one.index) +
        numbers[roll(numbers.length)]! +
        text.slice(one.index + one[0].length);
      return Uint8Array.from(changed, (letter) => letter.charCodeAt(0) % 256);
    }
    default: {
      const changed = bytes.slice();
      for (let changes = 1 + roll(3); changes > 0 && bytes.length > 0; --changes)
        changed[roll(bytes.length)]! ^= 1 << roll(8);
      return changed;
    }
  }
}

test("of damaged files in the cache nothing is given back that was not written", async () => {
  const roll = dice(7);
  let given = 0;
  const [[folder, good]] = [...(await wholeEntry())] as [[string, Map<string, Uint8Array>]];
  for (let round = 0; round < rounds; ++round) {
    const files = new Map(good);
    const folders: Folders = new Map([[folder, files]]);
    const names = [...files.keys()].sort();
    for (let left = 1 + roll(2); left > 0; --left) {
      const name = names[roll(names.length)]!;
      files.set(name, damaged(files.get(name)!, roll));
    }
    const store = new FolderStore(memoryFiles(folders));
    await store.list();
    const entry = await store.open(url, never);
    if (entry.meta) {
      for (let piece = 0; piece < Math.min(pieceCount(entry.meta), 5); ++piece) {
        if (!entry.digest(piece)) continue;
        const bytes = await entry.read(piece);
        if (!bytes) continue;
        assert.deepEqual(bytes, pieces[piece]);
        ++given;
      }
    }
    await entry.close();
  }
  assert.ok(given > rounds / 2, `${given} pieces were still good`);
});

test("an entry that says it has more pieces than any file is none", () => {
  const parse = (changes: object) => parseMeta(JSON.stringify({ ...meta, ...changes }));
  assert.deepEqual(parse({}), meta);
  assert.equal(parse({ fileBytes: Number.MAX_SAFE_INTEGER, chunkBytes: 1 }), undefined);
  assert.equal(parse({ fileBytes: 1e10, headerBytes: 1e10 }), undefined);
  assert.ok(parse({ fileBytes: 16e9, chunkBytes: 1 << 20 }));
});

const values: unknown[] = [
  ...[null, true, 0, -1, 1e308, 1.5, "", "x", "user", "https://a/b.png", [], {}, [[]]],
  ...[
    { type: "text", text: "t" },
    { type: "image_url", image_url: "data:;base64,AAAA" },
  ],
  ...["data:image/png;base64,AAAA", "\ud800", "\u0000", { type: "json_schema", json_schema: {} }],
];
const bodies: object[] = [
  {
    ...{ model: "fake", max_tokens: 5, temperature: 0.5, top_p: 0.9, seed: 3, stop: ["x"], n: 1 },
    ...{ logprobs: true, top_logprobs: 2, stream: false, response_format: { type: "text" } },
    messages: [
      { role: "system", content: "s" },
      {
        role: "user",
        content: [
          { type: "text", text: "q" },
          { type: "image_url", image_url: "" },
        ],
      },
      { role: "assistant", content: "a" },
      { role: "user", content: "q" },
    ],
  },
  {
    ...{ model: "fake", max_output_tokens: 5, instructions: "i", stream: true, store: false },
    text: { format: { type: "json_schema", name: "n", schema: { type: "object" } } },
    input: [
      { role: "user", content: [{ type: "input_text", text: "q" }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "a" }] },
      { role: "user", content: "q" },
    ],
  },
];

// A value with something in it replaced, left out or repeated.
function changed(value: any, roll: (below: number) => number): any {
  if (typeof value !== "object" || value === null || roll(4) === 0)
    return values[roll(values.length)];
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  if (keys.length === 0) return values[roll(values.length)];
  const key = keys[roll(keys.length)]!;
  const kind = roll(8);
  if (kind === 0 && !Array.isArray(copy)) delete copy[key];
  else if (kind === 1 && Array.isArray(copy)) copy.push(copy[Number(key)]);
  else copy[key] = changed(copy[key], roll);
  return copy;
}

test("any request is answered, or refused with a reason, as the API does", async () => {
  const roll = dice(11);
  const statuses = new Map<number, number>();
  const { model } = fakeModel(() => ({ pieces: ["A ", "pear."] }));
  const handle = openaiHandler(model);
  for (let round = 0; round < rounds; ++round) {
    const kind = roll(2);
    let body: unknown = bodies[kind];
    for (let changes = 1 + roll(4); changes > 0; --changes) body = changed(body, roll);
    let text = JSON.stringify(body);
    if (roll(10) === 0) text = text.slice(0, roll(text.length + 1));
    const path = `https://localhost/v1/${["chat/completions", "responses"][kind]}`;
    const response = await handle(new Request(path, { method: "POST", body: text }));
    const said = await response.text();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    if (response.status === 200) continue;
    assert.ok(response.status >= 400 && response.status < 500, `${response.status}: ${text}`);
    const { error } = JSON.parse(said) as { error: { message: string; type: string } };
    assert.ok(error.message.length > 5, text);
    assert.equal(error.type, "invalid_request_error", text);
  }
  assert.ok(statuses.get(200)! > rounds / 50, "some are answered");
});

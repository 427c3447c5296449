// What `inspect` tells of a model before it is loaded, and what `load` refuses before it fetches.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startFaultyServer, type FaultyServer } from "../faulty-server.mjs";
import { model as modelPath, options, TinyVLM } from "./built-package.js";

let server: FaultyServer;
let folder: string;
const cacheBefore = process.env["TINYVLM_CACHE"];

before(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "tiny-vlm-inspect-"));
  process.env["TINYVLM_CACHE"] = folder;
  const model = options.skip ? Buffer.alloc(0) : await fs.readFile(modelPath);
  server = await startFaultyServer({ files: { "model.gguf": model } });
});
after(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["TINYVLM_CACHE"];
  else process.env["TINYVLM_CACHE"] = cacheBefore;
});

test("inspect tells what load will give, and keeps nothing", options, async () => {
  const url = server.url("model.gguf");
  const settings = { variant: "simd", context: 300 } as const;
  const { memoryBytes, cachedBytes, variant, ...info } = await TinyVLM.inspect(url, settings);
  assert.equal(cachedBytes, 0);
  assert.deepEqual(await TinyVLM.cache.list(), []);

  const vlm = await TinyVLM.load(url, settings);
  try {
    assert.equal(variant, vlm.variant);
    assert.deepEqual(info, vlm.info);
    const taken = await vlm.memoryBytes();
    assert(Math.abs(memoryBytes - taken) <= 0.05 * taken, `${memoryBytes} told, ${taken} taken`);
  } finally {
    await vlm.dispose();
  }

  // Now the server has nothing to say; what is kept has.
  server.plan("model.gguf", () => ({ name: "status-404" }));
  const again = await TinyVLM.inspect(url, settings);
  assert.equal(again.cachedBytes, info.fileBytes);
  assert.equal(again.name, info.name);
});

test("what cannot be loaded is refused before the weights are fetched", options, async () => {
  await TinyVLM.cache.clear();
  const { maxContext, fileBytes } = await TinyVLM.inspect(modelPath);
  // A server that sends half of the file and then nothing.
  server.plan("model.gguf", () => ({ name: "stall", at: fileBytes >> 1 }));
  await assert.rejects(
    TinyVLM.load(server.url("model.gguf"), { variant: "simd", context: maxContext + 1 }),
    { code: "invalid_argument" },
  );
});

test("inspect names what is no model file", options, async () => {
  await assert.rejects(TinyVLM.inspect(new Uint8Array(100)), { code: "invalid_file" });
  await assert.rejects(TinyVLM.inspect("hf:owner/repository"), { code: "unsupported" });
});

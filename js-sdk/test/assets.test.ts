// Where the package's own files are, and what errors about missing ones say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bundledUrl, isMissingFile, withAssets, withDemoHint } from "../src/api/assets.js";
import type { Platform } from "../src/api/platform.js";
import { TinyVLMError } from "../src/protocol/errors.js";

const spawned: (string | undefined)[] = [];
const platform = {
  workerFiles: { single: "worker.mjs", threaded: "worker-mt.mjs" },
  absoluteUrl: (url: string | URL) => new URL(url, "https://example.com/app/").href,
  file: (name: string) => `https://example.com/beside/${name}`,
  async spawn(_kind: string, url: string | undefined) {
    spawned.push(url);
    return assert.fail("no worker is started here");
  },
} as unknown as Platform;

test("assetsUrl is the folder of every file, with and without its slash", async () => {
  for (const assetsUrl of ["/files", "/files/", new URL("https://example.com/files/")]) {
    const there = withAssets(platform, { assetsUrl });
    assert.equal(
      there.file("wasm/tiny-vlm-simd.wasm"),
      "https://example.com/files/wasm/tiny-vlm-simd.wasm",
    );
    await assert.rejects(there.spawn("threaded", undefined, undefined));
    assert.equal(spawned.pop(), "https://example.com/files/worker-mt.mjs");
    await assert.rejects(there.spawn("threaded", "https://example.com/own.mjs", undefined));
    assert.equal(spawned.pop(), "https://example.com/own.mjs");
  }
});

test("without assetsUrl nothing changes", () => {
  assert.equal(withAssets(platform, {}), platform);
  assert.equal(withAssets(platform, undefined), platform);
});

test("a bundled URL loses Vite's mark; without import.meta.url it is the file's name", () => {
  const find = () => new URL("./a.wasm?no-inline", "https://example.com/b/c.mjs");
  assert.equal(bundledUrl("a.wasm", find), "https://example.com/b/a.wasm");
  const lost = () => new URL("./a.wasm", undefined);
  assert.equal(bundledUrl("a.wasm", lost), "a.wasm");
});

test("only an error about the missing demo model names tiny-vlm/demo-model", () => {
  const at = "https://example.com/model/tiny-vlm-demo.gguf";
  const missing = new TinyVLMError("http", `wanted ${at}, the server answered 404`, {
    status: 404,
    url: at,
  });
  const hinted = withDemoHint(missing) as TinyVLMError;
  assert.match(hinted.message, /404; bundlers copy it .*"tiny-vlm\/demo-model"/);
  assert.deepEqual([hinted.code, hinted.status, hinted.url], ["http", 404, at]);
  for (const other of [
    new TinyVLMError("http", "wanted https://example.com/own.gguf, the server answered 404"),
    new TinyVLMError("aborted", `loading ${at} was cancelled`),
    new Error(at),
  ])
    assert.equal(withDemoHint(other), other);
  assert.equal(isMissingFile(new Error(at)), false);
});

// What memory it takes to load a checkpoint in a page, the engine with its model included: Chromium
// with a profile on the disk, all its processes. Printed, not asserted. Linux only.
//   node tools/generate-checkpoint.mjs FOLDER --size 0.5b
//   (and the tokenizer's files of a Qwen2: vocab.json, merges.txt, tokenizer_config.json)
//   node tests-browser/conversion-memory.bench.mjs FOLDER [--type q4_0] [--from web|files]
//     [--interrupt 2] [--compare MODEL.gguf]
// "web": the folder's URL; "files": the folder as a user picks it. --interrupt reloads the page so
// often in mid-conversion, which then has to go on where it was; --compare: what is kept has to be
// the bytes of this file, which `tiny-vlm convert` wrote. Memory is the proportional set size (each
// page once, shared ones in parts), above that of the same page before it loads anything.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { launchChromiumWithProfile, serve } from "./harness.mjs";
import { memoryOf } from "./process-memory.mjs";

const { values, positionals } = parseArgs({
  options: {
    type: { type: "string", default: "q4_0" },
    from: { type: "string", default: "web" },
    interrupt: { type: "string", default: "0" },
    compare: { type: "string" },
  },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error(`conversion-memory.bench: wanted one folder, found ${positionals.length}`);
  process.exit(1);
}
const folder = resolve(positionals[0]);
const sampleEveryMs = 100;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

const sum = (memory) => Object.values(memory).reduce((all, bytes) => all + bytes, 0);

/** The highest of many samples in each phase of the load, until `stop`. */
function watch(profile, phaseOf) {
  const peaks = {};
  const sampler = new Worker(new URL("process-memory.mjs", import.meta.url), {
    workerData: { profile, everyMs: sampleEveryMs },
  });
  sampler.on("message", (memory) => {
    const phase = phaseOf();
    if (sum(memory) > sum(peaks[phase] ?? {})) peaks[phase] = memory;
  });
  return { peaks, stop: () => sampler.terminate() };
}

/** In the page: begins the load; `progress` holds how far it is. */
async function begin({ source, type }) {
  window.progress = { loadedBytes: 0, totalBytes: 0 };
  const picked = document.querySelector("input")?.files;
  window.loading = TinyVLM.load(source ?? picked, {
    ...{ type, variant: "simd", threads: 1, onWarning() {} },
    onProgress: (step) => (window.progress = step),
  });
  window.loading.catch((error) => (window.failure = String(error)));
}

const profile = mkdtempSync(join(tmpdir(), "tiny-vlm-profile-"));
const context = await launchChromiumWithProfile(profile);
// The folder's name is the model's.
const path = `/${basename(folder)}/`;
const server = await serve({ extraMounts: { [path]: folder } });
try {
  console.log(
    `Chromium ${context.browser()?.version() ?? ""}, ${cpus().length} × ${cpus()[0].model}`,
  );
  const page = await context.newPage();
  const open = async () => {
    await page.goto(`${server.url}/tests-browser/pages/sdk.html`);
    await page.waitForFunction(() => window.isReady);
    if (values.from !== "files") return;
    await page.evaluate(() => {
      const input = document.createElement("input");
      Object.assign(input, { type: "file", webkitdirectory: true });
      document.body.append(input);
    });
    await page.setInputFiles("input", folder);
  };
  const source = values.from === "files" ? undefined : server.url + path;
  await open();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const start = memoryOf(profile);
  let progress = { loadedBytes: 0, totalBytes: 0 };
  let phase = "converting";
  const watched = watch(profile, () => phase);
  const began = performance.now();

  for (let left = Number(values.interrupt); ; left--) {
    await page.evaluate(begin, { source, type: values.type });
    const wanted = left / (Number(values.interrupt) + 1);
    for (;;) {
      const state = await page.evaluate(() => ({ progress, failure: window.failure }));
      assert.equal(state.failure, undefined);
      ({ progress } = state);
      const { loadedBytes, totalBytes } = progress;
      if (totalBytes > 0 && loadedBytes >= totalBytes) phase = "into the engine";
      if (progress.phase === "ready") break;
      if (left > 0 && totalBytes > 0 && loadedBytes > (1 - wanted) * totalBytes) break;
      await new Promise((resolve) => setTimeout(resolve, sampleEveryMs));
    }
    if (progress.phase === "ready") break;
    const [kept] = await page.evaluate(() => TinyVLM.cache.list());
    console.log(
      `reloaded at ${megabytes(progress.loadedBytes)}; kept: ${megabytes(kept.storedBytes)}`,
    );
    await open();
  }
  await watched.stop();
  const seconds = (performance.now() - began) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  console.log(`3 s later: ${megabytes(sum(memoryOf(profile)) - sum(start))}`);
  const wasm = await page.evaluate(async () => (await window.loading).memoryBytes());
  const { totalBytes } = progress;
  console.log(
    `${values.type} from ${values.from}: a model file of ${megabytes(totalBytes)} in ` +
      `${seconds.toFixed(0)} s, ${megabytes(progress.cachedBytes)} of it kept from before`,
  );
  for (const [name, memory] of Object.entries(watched.peaks)) {
    const parts = Object.entries(memory).map(
      ([kind, bytes]) => `${kind} ${megabytes(bytes - (start[kind] ?? 0))}`,
    );
    console.log(`${name}: ${megabytes(sum(memory) - sum(start))} (${parts.join(", ")})`);
  }
  console.log(`wasm memory of the engine ${megabytes(wasm)}`);
  const allowed = 1.2 * totalBytes + (128 << 20);
  console.log(`wanted: at most 1.2 × the file + 128 MB = ${megabytes(allowed)}`);

  if (values.compare) {
    const hash = createHash("sha256");
    for await (const bytes of createReadStream(values.compare)) hash.update(bytes);
    const digest = await page.evaluate(async () => {
      await (await window.loading).dispose();
      const root = await navigator.storage.getDirectory();
      for await (const entry of (await root.getDirectoryHandle("tiny-vlm")).values()) {
        const data = await (await entry.getFileHandle("data")).getFile();
        const bytes = await crypto.subtle.digest("SHA-256", await data.arrayBuffer());
        return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0"));
      }
    });
    assert.equal(statSync(values.compare).size, totalBytes);
    assert.equal(digest.join(""), hash.digest("hex"));
    console.log(`the bytes of ${values.compare}`);
  }
} finally {
  await context.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}

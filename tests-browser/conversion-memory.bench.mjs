// What memory it takes to load a checkpoint's folder from the web in a page, the engine with its
// model included: Chromium with a profile on the disk, all its processes. Printed, not asserted.
// Linux only.
//   node tools/generate-checkpoint.mjs FOLDER --size 0.5b
//   (and the tokenizer's files of a Qwen2: vocab.json, merges.txt, tokenizer_config.json)
//   node tests-browser/conversion-memory.bench.mjs FOLDER [--type q4_0] [--interrupt 2]
//     [--compare MODEL.gguf] [--plain MODEL.gguf]
// --interrupt reloads the page so often in mid-conversion, which then has to go on where it was;
// --compare: what is kept has to be the bytes of this file, which `tiny-vlm convert` wrote; --plain
// loads this model file in place of the checkpoint, for comparison. Memory is the
// proportional set size (each page once, shared ones in parts), above that of the same browser
// before it loads anything. Nobody drives the page: a browser under DevTools' protocol keeps copies
// of the last 100 MB that its pages fetched.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { cpus, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { neededBrowser } from "../scripts/setup/browsers.mjs";
import { serve } from "./harness.mjs";
import { memoryOf } from "./process-memory.mjs";

const { values, positionals } = parseArgs({
  options: {
    type: { type: "string", default: "q4_0" },
    interrupt: { type: "string", default: "0" },
    compare: { type: "string" },
    plain: { type: "string" },
  },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error(`conversion-memory.bench: wanted one folder, found ${positionals.length}`);
  process.exit(1);
}
const folder = resolve(positionals[0]);
const sampleEveryMs = 100;
const settleMs = 3000;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

const sum = (memory) => Object.values(memory).reduce((all, bytes) => all + bytes, 0);
const passed = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

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

const profile = mkdtempSync(join(tmpdir(), "tiny-vlm-profile-"));
// The folder's name is the model's.
const path = `/${basename(folder)}/`;
const plain = values.plain && resolve(values.plain);
const extraMounts = { [path]: folder, ...(plain && { "/plain/": dirname(plain) }) };
const server = await serve({ extraMounts });

let phase = "an empty page";
let latest = { progress: { loadedBytes: 0, totalBytes: 0 } };
let wanted = "";
let reloads = Number(values.interrupt);
const told = createServer(async (request, response) => {
  latest = JSON.parse(await text(request));
  const { loadedBytes, totalBytes } = latest.progress;
  if (totalBytes > 0) phase = loadedBytes < totalBytes ? "converting" : "into the engine";
  const share = 1 - reloads / (Number(values.interrupt) + 1);
  const again = reloads > 0 && totalBytes > 0 && loadedBytes > share * totalBytes;
  if (again) {
    reloads--;
    console.log(`reload at ${megabytes(loadedBytes)}`);
  }
  response.writeHead(200, { "access-control-allow-origin": "*" });
  response.end(again ? "reload" : wanted);
});
await once(told.listen(0, "127.0.0.1"), "listening");

const report = `http://127.0.0.1:${told.address().port}/`;
const source = server.url + (plain ? `/plain/${basename(plain)}` : path);
const load = { variant: "simd", threads: 1, ...(!plain && { type: values.type }) };
const query = new URLSearchParams({ source, report, options: JSON.stringify(load) });
const browser = spawn(
  neededBrowser("chromium").program,
  [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-quic"],
    `--user-data-dir=${profile}`,
    `${server.url}/tests-browser/pages/load-alone.html?${query}`,
  ],
  { stdio: "ignore" },
);
try {
  while (!latest.waits) await passed(sampleEveryMs);
  await passed(settleMs);
  const start = memoryOf(profile);
  assert(sum(start) > 0, "the browser has ended");
  const watched = watch(profile, () => phase);
  const began = performance.now();
  wanted = "begin";
  while (!latest.ready) {
    assert.equal(latest.failure, undefined);
    assert.equal(browser.exitCode, null, "the browser has ended");
    await passed(sampleEveryMs);
  }
  const seconds = (performance.now() - began) / 1000;
  await passed(settleMs);
  await watched.stop();
  const { totalBytes, cachedBytes } = latest.progress;
  console.log(
    `${plain ? basename(plain) : values.type}: a model file of ${megabytes(totalBytes)} in ` +
      `${seconds.toFixed(0)} s, ${megabytes(cachedBytes)} of it kept from before; ` +
      `${cpus().length} × ${cpus()[0].model}`,
  );
  for (const [name, memory] of Object.entries(watched.peaks)) {
    const parts = Object.entries(memory).map(
      ([kind, bytes]) => `${kind} ${megabytes(bytes - (start[kind] ?? 0))}`,
    );
    console.log(`${name}: ${megabytes(sum(memory) - sum(start))} (${parts.join(", ")})`);
  }
  console.log(`${settleMs / 1000} s later: ${megabytes(sum(memoryOf(profile)) - sum(start))}`);
  console.log(`wasm memory of the engine ${megabytes(latest.memoryBytes)}`);
  const allowed = 1.2 * totalBytes + (128 << 20);
  console.log(`wanted: at most 1.2 × the file + 128 MB = ${megabytes(allowed)}`);

  if (values.compare) {
    const hash = createHash("sha256");
    for await (const bytes of createReadStream(values.compare)) hash.update(bytes);
    wanted = "hash";
    while (!latest.sha256) await passed(sampleEveryMs);
    assert.equal(latest.sha256, hash.digest("hex"));
    console.log(`the bytes of ${values.compare}`);
  }
} finally {
  browser.kill();
  await once(browser, "exit");
  told.closeAllConnections();
  told.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}

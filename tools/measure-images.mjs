#!/usr/bin/env node
// What a large image costs: the engine's WebAssembly memory under Node, which never shrinks, and the
// peak of a native process, each beyond what the loaded model takes; and the milliseconds until the
// image is in. Fails where WebAssembly memory grows by more than --limit megabytes.
//
//   node tools/measure-images.mjs [--engine build/wasm-simd/tiny-vlm.mjs] [--megapixels 1,12,48,200]
//        [--cli build/release/cpp/cli/tiny-vlm] [--model model/tiny-vlm-demo.gguf] [--limit 24]
//
// The native column is empty where the command line has not been built, or without /proc.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { jpegImage, pngImage } from "./large-images.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({
  options: {
    engine: { type: "string", default: join(root, "build", "wasm-simd", "tiny-vlm.mjs") },
    cli: { type: "string", default: join(root, "build", "release", "cpp", "cli", "tiny-vlm") },
    model: { type: "string", default: join(root, "model", "tiny-vlm-demo.gguf") },
    megapixels: { type: "string", default: "1,12,48,200" },
    limit: { type: "string", default: "24" },
  },
});
const limit = Number(values.limit);

const kinds = {
  "JPEG, baseline": async (width, height) => jpegImage(width, height),
  "JPEG, progressive": async (width, height) => jpegImage(width, height, { progressive: true }),
  "JPEG, turned": async (width, height) => jpegImage(width, height, { orientation: 6 }),
  PNG: (width, height) => pngImage(width, height),
  "PNG, interlaced": (width, height) => pngImage(width, height, { interlaced: true }),
  "RGBA pixels": async (width, height) => [Buffer.alloc(width * height * 4, 0x5f)],
};

const { default: createEngine } = await import(pathToFileURL(values.engine));
const modelFile = readFileSync(values.model);

/** Calls a function of the engine; returns its value. */
function call(engine, name, ...args) {
  const value = engine[name](...args);
  if (engine.lastCode() !== 0) throw new Error(engine.lastMessage());
  return value;
}

/** An engine with a loaded model and a session. */
async function load() {
  const engine = await createEngine({ print() {}, printErr: console.error });
  const model = call(engine, "modelCreate", "{}");
  const piece = 1 << 20;
  for (let at = 0; at < modelFile.length; at += piece) {
    const bytes = modelFile.subarray(at, at + piece);
    const address = call(engine, "modelReserve", model, bytes.length);
    engine.HEAPU8.set(bytes, address);
    call(engine, "modelCommit", model, bytes.length, false);
  }
  call(engine, "modelEnd", model);
  return { engine, session: call(engine, "sessionCreate", model, "{}") };
}

/** Bytes by which the engine's memory grows when it is asked about an image, and milliseconds. */
async function inWebAssembly(file, pixels) {
  const { engine, session } = await load();
  const before = engine.HEAPU8.length;
  engine.readImage = (offset, address, bytes) => {
    engine.HEAPU8.set(file.subarray(offset, offset + bytes), address);
    return 0;
  };
  const began = performance.now();
  const image = pixels
    ? call(engine, "addPixels", session, 4, pixels.width, pixels.height, 0)
    : call(engine, "addImage", session, file.length, 0);
  const ms = performance.now() - began;
  const message = { role: "user", content: "Describe the image.", images: [image] };
  call(engine, "sessionAsk", session, JSON.stringify({ messages: [message], maxTokens: 2 }));
  while (call(engine, "sessionAdvance", session, 50) !== 1);
  return { bytes: engine.HEAPU8.length - before, ms };
}

/** The peak of resident memory of the command line when it is asked, in bytes. */
async function nativePeak(image) {
  // What is read before the process ends may miss its last moments.
  return Math.max(await watchedPeak(image), await watchedPeak(image));
}

async function watchedPeak(image) {
  const question = ["ask", image, "Describe the image.", "--model", values.model];
  const child = spawn(values.cli, [...question, "--max-tokens", "2"], { stdio: "ignore" });
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  }, 2);
  const status = await ended;
  clearInterval(timer);
  if (status !== 0) throw new Error(`${values.cli} ended with ${status}`);
  return peak;
}

const native = existsSync(values.cli) && existsSync("/proc/self/status");
const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-images-"));
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const above = [];
try {
  const base = native ? await nativePeak("none") : 0;
  console.log(
    `| ${"image".padEnd(18)} |   megapixels | file MB | wasm +MB | native +MB | added in ms |`,
  );
  console.log(
    "| ------------------ | ------------ | ------- | -------- | ---------- | ----------- |",
  );
  for (const size of values.megapixels.split(",").map(Number)) {
    const width = Math.round(Math.sqrt(size * 1.5e6));
    const height = Math.round((size * 1e6) / width);
    for (const [name, make] of Object.entries(kinds)) {
      const file = Buffer.concat(await make(width, height));
      const pixels = name.endsWith("pixels") ? { width, height } : undefined;
      const { bytes, ms } = await inWebAssembly(file, pixels);
      let peak = "";
      if (native && !pixels) {
        const path = join(folder, "image");
        writeFileSync(path, file);
        peak = megabytes((await nativePeak(path)) - base);
      }
      if (bytes > limit * 1e6) above.push(`${name} of ${size} megapixels`);
      console.log(
        `| ${name.padEnd(18)} | ${String(size).padStart(12)} | ` +
          `${megabytes(file.length).padStart(7)} | ${megabytes(bytes).padStart(8)} | ` +
          `${peak.padStart(10)} | ${ms.toFixed(0).padStart(11)} |`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
if (above.length > 0) {
  console.error(`more than ${limit} MB: ${above.join(", ")}`);
  process.exitCode = 1;
}

// The live camera example for two minutes at 30 frames a second: whether memory stays as it is, and
// how old the frame is that an answer tells of. The camera is a canvas that shows the time in black
// and white. Chromium with all its processes; printed, not asserted. Linux only.
//   node tests-browser/camera.bench.mjs [--seconds 120]
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { launchChromiumWithProfile, serve } from "./harness.mjs";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "120" } } });
const seconds = Number(values.seconds);

/** In the page, before its own script: the camera, and what is written down of each answer. */
function useClockAsCamera() {
  const [width, height, bits, framesPerSecond] = [1280, 720, 24, 30];
  const square = width / bits;
  window.answers = [];
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    let frame = 0;
    window.framesDrawn = () => frame;
    setInterval(() => {
      const now = Math.floor(performance.now());
      context.fillStyle = `hsl(${frame++ % 360} 60% 50%)`;
      context.fillRect(0, 0, width, height);
      for (let bit = 0; bit < bits; bit++) {
        context.fillStyle = (now >> bit) & 1 ? "white" : "black";
        context.fillRect(bit * square, 0, square, square);
      }
    }, 1000 / framesPerSecond);
    return canvas.captureStream(framesPerSecond);
  };
  const make = window.createImageBitmap;
  let taken;
  window.createImageBitmap = async (source, ...rest) => {
    const asked = performance.now();
    const bitmap = await make(source, ...rest);
    const reading = new OffscreenCanvas(bits, 1).getContext("2d");
    reading.imageSmoothingEnabled = false;
    reading.drawImage(bitmap, 0, 0, bitmap.width, square, 0, 0, bits, 1);
    const { data } = reading.getImageData(0, 0, bits, 1);
    let shown = 0;
    for (let bit = 0; bit < bits; bit++) if (data[4 * bit] > 127) shown |= 1 << bit;
    taken = { asked, shown };
    return bitmap;
  };
  addEventListener("DOMContentLoaded", () =>
    new MutationObserver(() => {
      const { asked, shown } = taken;
      const now = performance.now();
      window.answers.push({ tookMs: now - asked, frameAgeMs: now - shown });
    }).observe(document.getElementById("numbers"), { childList: true }),
  );
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[numbers.length >> 1];
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

const profile = mkdtempSync(join(tmpdir(), "tiny-vlm-camera-"));
const context = await launchChromiumWithProfile(profile);
const server = await serve();
try {
  const page = await context.newPage();
  await page.addInitScript(useClockAsCamera);
  await page.goto(`${server.url}/examples-web/camera.html`);
  await page.waitForFunction(() => !document.getElementById("start").disabled);
  await page.click("#start");
  // The encodings of the last eight images are kept, and code is compiled better in the beginning.
  await page.waitForFunction(() => window.answers.length >= 12, undefined, { timeout: 120_000 });

  const samples = [];
  const sampler = new Worker(new URL("process-memory.mjs", import.meta.url), {
    workerData: { profile, everyMs: 500 },
  });
  sampler.on("message", (memory) => samples.push(memory));
  const [answered, drawn] = await page.evaluate(() => [
    window.answers.length,
    window.framesDrawn(),
  ]);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await sampler.terminate();
  const { answers, frames, wasm } = await page.evaluate(
    async ([answered, drawn]) => ({
      answers: window.answers.slice(answered),
      frames: window.framesDrawn() - drawn,
      wasm: document.getElementById("numbers").textContent,
    }),
    [answered, drawn],
  );

  console.log(`${cpus().length} × ${cpus()[0].model}; ${seconds} s of the camera example`);
  console.log(
    `frames drawn: ${(frames / seconds).toFixed(1)} a second; answers: ${answers.length}`,
  );
  const took = answers.map(({ tookMs }) => tookMs);
  const beyond = answers.map(({ tookMs, frameAgeMs }) => frameAgeMs - tookMs);
  console.log(
    `an answer takes ${median(took).toFixed(0)} ms (median), ${Math.max(...took).toFixed(0)} ms ` +
      `at most; its frame is older than that by ${median(beyond).toFixed(0)} ms (median), ` +
      `${Math.max(...beyond).toFixed(0)} ms at most`,
  );
  const fifth = Math.floor(samples.length / 5);
  const show = (what, bytesOf) => {
    const parts = Array.from({ length: 5 }, (_, part) =>
      megabytes(median(samples.slice(part * fifth, (part + 1) * fifth).map(bytesOf))),
    );
    console.log(`memory of ${what}, median of each fifth of the time: ${parts.join(", ")} MB`);
  };
  show("all processes", (memory) => Object.values(memory).reduce((sum, bytes) => sum + bytes, 0));
  for (const kind of ["browser", "renderer", "gpu-process"])
    show(`${kind}, of it`, (memory) => memory[kind] ?? 0);
  console.log(`the page says: ${wasm}`);
} finally {
  await context.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}

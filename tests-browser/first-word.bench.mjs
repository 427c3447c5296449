// How long from ask() to the first word, with an image of one megapixel, decoding included.
// Printed, not asserted.
//   node tests-browser/first-word.bench.mjs [--runs 10]
// "warm": another image every time, so that each one is decoded and encoded. "cold": the first
// question on a fresh page, model loaded. "load": from load() to ready on such a page, wasm and
// model coming from this machine, the engine's warm-up included.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { launchChromium, samples, serve, withSdk } from "./harness.mjs";

const { values } = parseArgs({ options: { runs: { type: "string", default: "10" } } });
const runs = Number(values.runs);
const WARM_UPS = 3;
const QUESTION = "Describe the image.";
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const range = (numbers) =>
  `${Math.min(...numbers).toFixed(0)} to ${Math.max(...numbers).toFixed(0)}`;

/** Milliseconds from ask() to the first text for `count` questions on one fresh page. */
function measure(browser, server, variant, count) {
  return withSdk(browser, server, (page) =>
    page.evaluate(
      async ({ variant, urls, count, question }) => {
        // The engine remembers the last images' encodings, so each of these differs from the others
        // by a small square.
        const bitmaps = await Promise.all(
          urls.map(async (url) => createImageBitmap(await (await fetch(url)).blob())),
        );
        const canvas = new OffscreenCanvas(1024, 1024);
        const context = canvas.getContext("2d");
        const blobs = [];
        for (let run = 0; run < count; run++) {
          context.drawImage(bitmaps[run % bitmaps.length], 0, 0);
          context.fillRect(20 * run, 20 * run, 16, 16);
          blobs.push(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 }));
        }
        const begin = performance.now();
        const vlm = await TinyVLM.load(undefined, { variant });
        const loadMs = performance.now() - begin;
        const results = [];
        for (let run = 0; run < count; run++) {
          const start = performance.now();
          const reply = vlm.ask(blobs[run], question);
          await reply[Symbol.asyncIterator]().next();
          const firstWordMs = performance.now() - start;
          const { timings, threads } = await reply;
          results.push({ firstWordMs, loadMs, threads, ...timings });
        }
        await vlm.dispose();
        return results;
      },
      {
        variant,
        urls: samples.map(({ large }) => `/examples-web/samples/${large}`),
        count,
        question: QUESTION,
      },
    ),
  );
}

const browser = await launchChromium();
const server = await serve({ isolated: true });
try {
  console.log(
    `Chromium ${browser.version()}, ${cpus().length} × ${cpus()[0].model}; ` +
      `1024×1024 JPEG, "${QUESTION}", median of ${runs}`,
  );
  for (const variant of ["relaxed-mt", "simd-mt", "relaxed", "simd", "scalar"]) {
    const warm = (await measure(browser, server, variant, WARM_UPS + runs)).slice(WARM_UPS);
    const cold = [];
    for (let i = 0; i < Math.min(runs, 5); i++)
      cold.push((await measure(browser, server, variant, 1))[0]);
    const all = warm.map(({ firstWordMs }) => firstWordMs);
    const part = (name) =>
      `${name.replace("Ms", "")} ${median(warm.map((timings) => timings[name])).toFixed(0)}`;
    const ofCold = (name) => median(cold.map((timings) => timings[name])).toFixed(0);
    const parts = ["decodeImageMs", "preprocessMs", "visionMs", "prefillMs"].map(part).join(", ");
    console.log(
      `${variant.padEnd(10)} ${warm[0].threads} thread(s)  ` +
        `warm ${median(all).toFixed(0)} ms (${range(all)})  cold ${ofCold("firstWordMs")} ms  ` +
        `load ${ofCold("loadMs")} ms  of which ${parts} ms`,
    );
  }
} finally {
  await browser.close();
  await server.close();
}

// How soon a cancel takes effect in a model of full size, and what memory it takes: Chromium, simd,
// one thread. Printed, not asserted.
//   node tools/generate-checkpoint.mjs FOLDER --size 0.5b --image 512 --tokenizer tokenizer.model
//   --like FOLDER_WITH_ITS_CONFIGS
//   tiny-vlm convert FOLDER -o MODEL.gguf --type q4_0
//   node tests-browser/full-size.bench.mjs MODEL.gguf [--runs 5] [--variant simd] [--image-size N]
// "vision", "prefill": the signal fires inside that phase; a clean run says where the phases lie.
// "decode": it fires at the first word. The promise rejects at once; what is printed is when the
// engine has stopped: a short question is asked right after abort(); the time until its answer,
// minus the time that this answer takes by itself, is what the cancelled one still took.
import { statSync } from "node:fs";
import { cpus } from "node:os";
import { basename, dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium, serve, withSdk } from "./harness.mjs";

const { values, positionals } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    variant: { type: "string", default: "simd" },
    "image-size": { type: "string" },
  },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error(`full-size.bench: wanted one model file, found ${positionals.length}`);
  process.exit(1);
}
const model = resolve(positionals[0]);
const runs = Number(values.runs);
const imageSize = values["image-size"] === undefined ? undefined : Number(values["image-size"]);
const MEGABYTE = 1 << 20;

const browser = await launchChromium();
const server = await serve({ isolated: true, extraMounts: { "/model/": dirname(model) } });
try {
  console.log(
    `Chromium ${browser.version()}, ${cpus().length} × ${cpus()[0].model}; ${basename(model)}, ` +
      `${(statSync(model).size / MEGABYTE).toFixed(0)} MB, ${values.variant}`,
  );
  const result = await withSdk(browser, server, (page) =>
    page.evaluate(
      async ({ url, variant, runs, imageSize }) => {
        const begin = performance.now();
        const vlm = await TinyVLM.load(url, { variant, threads: 1, imageSize });
        const loadMs = performance.now() - begin;
        const image = (i) => `/examples-web/samples/sample-${(i % 6) + 1}.png`;
        const question = "Describe the image. ".repeat(20);
        const clean = await vlm.ask(image(0), question, { maxTokens: 16 });
        const memoryBytes = await vlm.memoryBytes?.();
        const { visionMs, prefillMs } = clean.timings;
        const lags = { vision: [], prefill: [], decode: [] };
        for (let i = 0; i < runs; i++) {
          for (const [phase, delayMs] of [
            ["vision", visionMs * (0.2 + (0.6 * i) / runs)],
            ["prefill", visionMs + prefillMs * (0.2 + (0.6 * i) / runs)],
            ["decode", 0],
          ]) {
            const abort = new AbortController();
            let abortedAt = 0;
            const fire = () => {
              abortedAt = performance.now();
              abort.abort();
            };
            // An image that the session has not seen last, so that it is encoded again.
            const reply = vlm.ask(image(i + 1), `${i} ${question}`, {
              maxTokens: 400,
              signal: abort.signal,
            });
            if (phase !== "decode") setTimeout(fire, delayMs);
            try {
              for await (const _ of reply) if (phase === "decode" && abortedAt === 0) fire();
              await reply;
              continue; // it ended before the signal came
            } catch {}
            const { timings } = await vlm.ask(null, "Hi", { maxTokens: 1 });
            lags[phase].push(performance.now() - abortedAt - timings.prefillMs - timings.decodeMs);
          }
        }
        await vlm.dispose();
        return { loadMs, timings: clean.timings, usage: clean.usage, memoryBytes, lags };
      },
      { url: `/model/${basename(model)}`, variant: values.variant, runs, imageSize },
    ),
  );
  const { timings, usage } = result;
  console.log(
    `load ${(result.loadMs / 1000).toFixed(1)} s; ${usage.promptTokens} prompt tokens ` +
      `(${usage.imageTokens} of the image): vision ${timings.visionMs.toFixed(0)} ms, ` +
      `prefill ${timings.prefillMs.toFixed(0)} ms, ${timings.tokensPerSecond.toFixed(1)} tokens/s`,
  );
  for (const [phase, lags] of Object.entries(result.lags))
    console.log(`cancel in ${phase}: ${lags.map((ms) => ms.toFixed(0)).join(", ")} ms`);
  const beside = imageSize > 512 ? 128 : 64;
  const allowed = (1.15 * statSync(model).size) / MEGABYTE + beside;
  if (result.memoryBytes)
    console.log(
      `wasm memory ${(result.memoryBytes / MEGABYTE).toFixed(0)} MB; ` +
        `allowed 1.15 × file + ${beside} MB = ${allowed.toFixed(0)} MB`,
    );
} finally {
  await browser.close();
  await server.close();
}

// How long from a model's last byte to the first word, with `early` and without, over a line of a
// given speed. Printed, not asserted.
//   node tests-browser/early.bench.mjs [--model FILE] [--seconds 20] [--runs 3] [--variant relaxed]
//     [--size 512]
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { demoModelPath, launchChromium, samples, serve, withSdk } from "./harness.mjs";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: demoModelPath },
    seconds: { type: "string", default: "20" },
    runs: { type: "string", default: "3" },
    variant: { type: "string", default: "relaxed" },
    size: { type: "string", default: "0" },
    question: { type: "string", default: "What is in the image?" },
  },
});
const runs = Number(values.runs);
const imageSize = Number(values.size) || undefined;
const { size: bytes } = await stat(values.model);
const bytesPerMs = bytes / (1000 * Number(values.seconds));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

// A server that sends the model at that speed.
const line = createServer(async (_request, response) => {
  response.writeHead(200, { "access-control-allow-origin": "*", "content-length": bytes });
  const began = performance.now();
  let sent = 0;
  for await (const part of createReadStream(values.model, { highWaterMark: 64 << 10 })) {
    const due = began + sent / bytesPerMs;
    const early = due - performance.now();
    if (early > 2) await new Promise((resolve) => setTimeout(resolve, early));
    sent += part.length;
    if (response.destroyed) return;
    response.write(part);
  }
  response.end();
});
await new Promise((resolve) => line.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${line.address().port}/model.gguf`;

/** One load and question on a fresh page: milliseconds since `load` was called. */
const measure = (browser, server, early) =>
  withSdk(browser, server, (page) =>
    page.evaluate(
      async ([address, options, question, picture]) => {
        const image = await (await fetch(picture)).blob();
        const began = performance.now();
        const at = {};
        const mark = (name) => (at[name] ??= performance.now() - began);
        const vlm = await TinyVLM.load(address, {
          ...options,
          cache: false,
          threads: 1,
          onProgress({ loadedBytes, totalBytes, phase }) {
            if (phase === "weights" && totalBytes > 0 && loadedBytes === totalBytes)
              mark("lastByte");
            if (phase === "ready") mark("ready");
          },
        });
        mark("askable");
        const reply = vlm.ask(image, question, { maxTokens: 8 });
        await reply[Symbol.asyncIterator]().next();
        mark("firstWord");
        const { timings } = await reply;
        await vlm.dispose();
        return { ...at, ...timings };
      },
      [
        url,
        { early, variant: values.variant, imageSize },
        values.question,
        `/examples-web/samples/${samples[0].large}`,
      ],
    ),
  );

const browser = await launchChromium();
const server = await serve();
try {
  console.log(
    `Chromium ${browser.version()}, ${cpus().length} × ${cpus()[0].model}; ` +
      `${(bytes / 1e6).toFixed(1)} MB in ${values.seconds} s, ${values.variant}, one thread`,
  );
  for (const early of [true, false]) {
    const all = [];
    for (let run = 0; run < runs; run++) all.push(await measure(browser, server, early));
    const of = (name) => `${(median(all.map((one) => one[name])) / 1000).toFixed(2)} s`;
    const after = median(all.map(({ firstWord, lastByte }) => firstWord - lastByte));
    console.log(
      `early: ${String(early).padEnd(5)}  askable ${of("askable")}, last byte ${of("lastByte")}, ` +
        `ready ${of("ready")}, first word ${of("firstWord")}: ${after.toFixed(0)} ms after the ` +
        `last byte (vision ${of("visionMs")}, prefill ${of("prefillMs")})`,
    );
  }
} finally {
  await browser.close();
  await server.close();
  line.closeAllConnections();
  line.close();
}

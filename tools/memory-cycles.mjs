#!/usr/bin/env node
// Loads the demo model, asks about an image, chats and disposes of the model, again and again, and
// tells whether memory grows: the last quarter of the cycles beside the second one. In this
// process, or in a page of Chromium, where every hundredth cycle also reloads the page.
//
//   node tools/memory-cycles.mjs [--cycles 1000] [--where node|page] [--variant simd]
//
// Ends with 1 where memory grew by more than 5 % and 8 MB, or an answer was another one.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "1000" },
    where: { type: "string", default: "node" },
    variant: { type: "string", default: "simd" },
  },
});
const cycles = Number(values.cycles);
const options = { variant: values.variant, threads: 2, context: 512 };
const samples = join(root, "examples-web", "samples");
const [sample] = JSON.parse(readFileSync(join(samples, "samples.json"), "utf8"));
const [{ question }] = sample.questions;
const tolerance = { share: 0.05, bytes: 8e6 };

// One cycle, which must need nothing around it: it runs in a page, too.
async function cycle({ TinyVLM, model, image, question, options }) {
  const vlm = await TinyVLM.load(model, options);
  const { text } = await vlm.ask(image, question);
  const chat = vlm.chat();
  const first = await chat.ask("Hello?", { maxTokens: 8 });
  const second = await chat.ask("And then?", { maxTokens: 8 });
  const engineBytes = await vlm.memoryBytes();
  await vlm.dispose();
  return { texts: [text, first.text, second.text], engineBytes };
}

async function openNode() {
  const { TinyVLM } = await import("../dist/node.mjs");
  const model = join(root, "dist", "model", "tiny-vlm-demo.gguf");
  const image = join(samples, sample.image);
  return {
    run: () => cycle({ TinyVLM, model, image, question, options }),
    bytes: () => process.memoryUsage().rss,
    close: async () => {},
  };
}

async function openPage() {
  const { launchChromiumWithProfile, serve } = await import("../tests-browser/harness.mjs");
  const { memoryOf } = await import("../tests-browser/process-memory.mjs");
  const profile = mkdtempSync(join(tmpdir(), "tiny-vlm-cycles-"));
  const context = await launchChromiumWithProfile(profile);
  const server = await serve();
  const page = await context.newPage();
  const address = `${server.url}/tests-browser/pages/sdk.html`;
  await page.goto(address);
  let runs = 0;
  return {
    async run() {
      if (++runs % 100 === 0) await page.reload();
      return page.evaluate(
        async ({ source, ...given }) => {
          const { TinyVLM } = await import("/dist/index.mjs");
          const run = new Function(`return (${source})`)();
          return run({ TinyVLM, ...given });
        },
        {
          source: cycle.toString(),
          model: "/dist/model/tiny-vlm-demo.gguf",
          image: `/examples-web/samples/${sample.image}`,
          ...{ question, options },
        },
      );
    },
    bytes: () => Object.values(memoryOf(profile)).reduce((sum, bytes) => sum + bytes, 0),
    async close() {
      await context.close();
      await server.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

const world = await (values.where === "page" ? openPage() : openNode());
const rows = [];
let wanted;
let wrong = 0;
try {
  for (let index = 0; index < cycles; index++) {
    const { texts, engineBytes } = await world.run();
    wanted ??= texts.join("\n");
    if (texts.join("\n") !== wanted) {
      ++wrong;
      console.error(`cycle ${index}: ${JSON.stringify(texts)}`);
    }
    globalThis.gc?.();
    rows.push({ bytes: world.bytes(), engineBytes });
  }
} finally {
  await world.close();
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const quarter = (n, of) =>
  median(rows.slice((n * rows.length) >> 2, ((n + 1) * rows.length) >> 2).map((row) => row[of]));
const report = {
  ...{ where: values.where, variant: values.variant, cycles, wrong },
  megabytes: [0, 1, 2, 3].map((n) => Math.round(quarter(n, "bytes") / 1e5) / 10),
  engineMegabytes: [0, 1, 2, 3].map((n) => Math.round(quarter(n, "engineBytes") / 1e5) / 10),
};
console.log(JSON.stringify(report));
const [, second, , last] = [0, 1, 2, 3].map((n) => quarter(n, "bytes"));
const grew = last - second > Math.max(second * tolerance.share, tolerance.bytes);
const engineGrew = quarter(3, "engineBytes") > quarter(0, "engineBytes");
if (grew || engineGrew || wrong > 0) process.exitCode = 1;

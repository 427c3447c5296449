// llama.cpp's native build in a process of its own: node llama-child.mjs {peers, model, threads} as
// JSON; then {method, round} messages, answered with values.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DECODE_PROMPT_ROWS, DECODE_STEPS, PREFILL_ROWS, promptOf } from "./prompt.mjs";

const { peers, model: modelPath, threads } = JSON.parse(process.argv[2]);
const { getLlama } = await import(
  pathToFileURL(createRequire(join(peers, "package.json")).resolve("node-llama-cpp"))
);
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  usePrebuiltBinaries: true,
  logLevel: "error",
  maxThreads: threads,
});

async function open() {
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: 2048, batchSize: 512, threads });
  return { model, context };
}

const { model, context } = await open();
const sequence = context.getSequence();

/** Milliseconds until the first token, and from there to the last of `count`. */
async function generate(rows, count, round) {
  await sequence.clearHistory();
  const tokens = model.tokenize(promptOf(rows, round));
  if (tokens.length !== rows)
    throw new Error(`rows of the prompt: ${rows} wanted, ${tokens.length} found`);
  const start = performance.now();
  let first = 0;
  let found = 0;
  for await (const _ of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    if (++found === 1) first = performance.now();
    if (found === count) break;
  }
  if (found !== count) throw new Error(`tokens: ${count} wanted, ${found} found`);
  return { firstMs: first - start, restMs: performance.now() - first };
}

const methods = {
  prefill: async (round) =>
    (1000 * PREFILL_ROWS) / (await generate(PREFILL_ROWS, 1, round)).firstMs,
  decode: async (round) =>
    (1000 * DECODE_STEPS) / (await generate(DECODE_PROMPT_ROWS, DECODE_STEPS + 1, round)).restMs,
  load: async () => {
    const start = performance.now();
    const another = await open();
    const ms = performance.now() - start;
    await another.context.dispose();
    await another.model.dispose();
    return ms;
  },
};

process.on("message", async ({ method, round }) =>
  process.send({ value: await methods[method](round) }),
);
process.send({ ready: true });

#!/usr/bin/env node
// Mixed work in one process for a long time: questions about images, conversations, forms,
// embeddings, with some cancelled, models disposed of and loaded again, and a clock that jumps.
// Every answer must be the one that the same question had when nothing else went on.
//
//   node tools/long-run.mjs [--minutes 60] [--seed 1] [--variant simd]
//
// Ends with 1 where an answer was another one, or an error was not the expected one.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { TinyVLM } from "../dist/node.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    variant: { type: "string", default: "simd" },
  },
});
const samples = join(root, "examples-web", "samples");
const images = JSON.parse(readFileSync(join(samples, "samples.json"), "utf8"));
const model = join(root, "dist", "model", "tiny-vlm-demo.gguf");
const options = { variant: values.variant, threads: 2, context: 512 };

// The same choices for the same seed.
let state = Number(values.seed) >>> 0 || 1;
function below(limit) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
}

// ---- what is asked

const hash = (numbers) => numbers.reduce((sum, value) => Math.fround(sum * 31 + value), 7);
const form = { schema: { type: "object", properties: { n: { enum: [1, 2, 3] } } } };
const tasks = images.flatMap(({ image, large, questions }) => [
  ...questions.map(({ question }) => ({
    name: `${image}: ${question}`,
    run: (vlm, more) => vlm.ask(join(samples, image), question, more).then(({ text }) => text),
  })),
  {
    name: `${image}: seeded`,
    run: (vlm, more) =>
      vlm
        .ask(join(samples, large), "What is this?", { ...more, temperature: 0.9, seed: 5 })
        .then(({ text }) => text),
  },
  {
    name: `${image}: form`,
    run: (vlm, more) =>
      vlm
        .ask(join(samples, image), "How many?", { ...more, responseFormat: form, maxTokens: 40 })
        .then(({ text }) => text),
  },
  {
    name: `${image}: embedding`,
    run: (vlm, more) =>
      vlm.embed(join(samples, image), more).then(({ vector }) => String(hash(vector))),
  },
  {
    name: `${image}: conversation`,
    async run(vlm, more) {
      const chat = vlm.chat();
      const first = await chat.ask(join(samples, image), "What is this?", more);
      const second = await chat.ask("Are you sure?", { ...more, maxTokens: 10 });
      return `${first.text} | ${second.text}`;
    },
  },
]);

// ---- the quiet answers

const counts = { answers: 0, wrong: 0, cancelled: 0, disposed: 0, jumps: 0, loads: 1 };
const quiet = new Map();
const vlm = await TinyVLM.load(model, options);
for (const { name, run } of tasks) quiet.set(name, await run(vlm, {}));
await vlm.dispose();

// ---- the long run

const { now } = Date;
let jump = 0;
Date.now = () => now() + jump;
const jumps = [0, 3_600_000, -3_600_000, 86_400_000 * 400, -86_400_000 * 400];

function complain(what) {
  ++counts.wrong;
  console.error(what);
}

async function answer(of, leaving, { name, run }) {
  const cancels = below(5) === 0;
  const controller = new AbortController();
  if (cancels) setTimeout(() => controller.abort(), below(400));
  try {
    const text = await run(of, { signal: controller.signal });
    ++counts.answers;
    if (text !== quiet.get(name))
      complain(`${name}: ${JSON.stringify(quiet.get(name))} wanted, ${JSON.stringify(text)} found`);
  } catch (error) {
    if (error.code === "aborted" && controller.signal.aborted) ++counts.cancelled;
    else if (error.code === "aborted" && leaving.yet) ++counts.disposed;
    else complain(`${name}: ${error.code}: ${error.message}`);
  }
}

const began = performance.now();
const until = began + Number(values.minutes) * 60_000;
let peak = 0;
const rss = [];
while (performance.now() < until) {
  const loaded = await TinyVLM.load(model, options);
  ++counts.loads;
  const leaving = { yet: false };
  for (let round = 5 + below(10); round > 0 && performance.now() < until; round--) {
    jump = jumps[below(jumps.length)];
    ++counts.jumps;
    const chosen = Array.from({ length: 1 + below(3) }, () => tasks[below(tasks.length)]);
    await Promise.all(chosen.map((task) => answer(loaded, leaving, task)));
  }
  // Sometimes in the middle of an answer.
  const last = below(2) === 0 ? [answer(loaded, leaving, tasks[below(tasks.length)])] : [];
  leaving.yet = true;
  if (last.length > 0) await new Promise((resolve) => setTimeout(resolve, below(200)));
  await loaded.dispose();
  await Promise.all(last);
  const bytes = process.memoryUsage().rss;
  peak = Math.max(peak, bytes);
  rss.push(bytes);
}
const megabytes = (bytes) => Math.round(bytes / 1e5) / 10;
console.log(
  JSON.stringify({
    minutes: Math.round((performance.now() - began) / 6_000) / 10,
    ...{ seed: Number(values.seed), variant: values.variant, questions: tasks.length },
    ...counts,
    rssMegabytes: rss.length > 0 ? [megabytes(rss[rss.length >> 2]), megabytes(rss.at(-1))] : [],
    peakMegabytes: megabytes(peak),
  }),
);
if (counts.wrong > 0) process.exitCode = 1;

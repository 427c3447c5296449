// Native engines, as contenders: {ours or peer, weights, run(round)}. Ours is the command line, a
// process for each round, which runs the work once before it counts; the peers stay loaded.
import { execFile, fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DECODE_PROMPT_ROWS, DECODE_STEPS, PREFILL_ROWS, promptOf } from "./prompt.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const execute = promisify(execFile);

function expect(what, wanted, found) {
  if (wanted !== found) throw new Error(`${what}: ${wanted} wanted, ${found} found`);
}

/**
 * What one question takes: the report of `ask --json` and the milliseconds of the whole process.
 */
async function ask(cli, model, threads, image, question, args) {
  const start = performance.now();
  const { stdout } = await execute(cli, [
    "ask",
    image,
    question,
    "--model",
    model,
    "--threads",
    String(threads),
    "--json",
    ...args,
  ]);
  return { ...JSON.parse(stdout), wallMs: performance.now() - start };
}

/** Milliseconds of one round of `tiny-vlm bench`. */
async function bench(cli, model, threads, work, args) {
  const { stdout } = await execute(cli, [
    "bench",
    model,
    "--work",
    work,
    "--rounds",
    "1",
    "--threads",
    String(threads),
    "--json",
    ...args,
  ]);
  return JSON.parse(stdout).works[0].ms.median;
}

/** Our contender's run for a kind of work. */
function oursFor({ kind, imageSize, threads }, cli, model) {
  const text = async (rows, tokens, round) => {
    const report = await ask(cli, model, threads, "none", promptOf(rows, round), [
      "--chat-style",
      "plain",
      "--max-tokens",
      String(tokens),
    ]);
    expect("rows of the prompt", rows, report.usage.promptTokens);
    expect("tokens", tokens, report.usage.completionTokens);
    return report;
  };
  return {
    vision: () => bench(cli, model, threads, "vision", ["--image-size", String(imageSize)]),
    prefill: async () =>
      (1000 * PREFILL_ROWS) / (await bench(cli, model, threads, `prefill-${PREFILL_ROWS}`, [])),
    decode: async (round) =>
      (1000 * DECODE_STEPS) /
      (await text(DECODE_PROMPT_ROWS, DECODE_STEPS + 1, round)).timings.decodeMs,
    // All that the process did before the question, its own start included.
    load: async (round) => {
      const { wallMs, timings } = await text(1, 1, round);
      return wallMs - timings.totalMs;
    },
  }[kind];
}

/** Starts a peer's process; {ask(message), close()}. */
async function startChild(script, options) {
  const child = fork(join(here, script), [JSON.stringify(options)]);
  const answer = () =>
    new Promise((resolve, reject) => {
      const onExit = (code) => reject(new Error(`${script} ended with exit code ${code}`));
      child.once("exit", onExit);
      child.once("message", (message) => {
        child.off("exit", onExit);
        resolve(message);
      });
    });
  await answer();
  return {
    ask: async (message) => {
      child.send(message);
      return (await answer()).value;
    },
    close: () =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill();
      }),
  };
}

/** Calls `body` with the native contenders of a work. */
export async function measureNatively({ kind, imageSize, threads, cli, models, peers }, body) {
  const isVision = kind === "vision";
  const files = isVision
    ? { q8_0: "vision-q8_0.gguf", q5_0: "vision-q5_0.gguf" }
    : { q4_0: "text-q4_0.gguf" };
  const contenders = Object.entries(files).map(([weights, name]) => ({
    ours: "native",
    weights,
    run: oursFor({ kind, imageSize, threads }, cli, models[name]),
  }));
  const model = models[isVision ? "vision-f32.onnx" : "text-q4_0.gguf"];
  const child = await startChild(isVision ? "onnxruntime-child.mjs" : "llama-child.mjs", {
    peers,
    model,
    threads,
    imageSize,
  });
  contenders.push({
    peer: isVision ? "onnxruntime-node" : "llama.cpp",
    weights: isVision ? "f32" : "q4_0",
    run: (round) => child.ask({ method: kind, round }),
  });
  try {
    return await body(contenders);
  } finally {
    await child.close();
  }
}

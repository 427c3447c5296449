#!/usr/bin/env node
// What a packed model file (docs/model-file.md, "Packing") saves, on Linux: the time until a model
// can be asked, and whose memory its weights are while two processes answer with it at once, from
// /proc/PID/smaps. Fails where the weights have a dirty page share of 1 % or more.
//
//   node tools/measure-mapping.mjs MODEL [--cli build/release/cpp/cli/tiny-vlm] [--rounds 15]
//        [--tokens 64] [--threads 1]
//
// --cli may be an emulator and its arguments, then the program (docs/mobile-native.md): what is
// said of the process is then the emulator's, what is said of the model file is the program's
// mapping.

import { execFileSync, spawn } from "node:child_process";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cli: { type: "string", default: join(root, "build", "release", "cpp", "cli", "tiny-vlm") },
    rounds: { type: "string", default: "15" },
    tokens: { type: "string", default: "64" },
    threads: { type: "string", default: "1" },
  },
});
if (positionals.length !== 1) throw new Error("one model file wanted; see the head of this file");
const model = realpathSync(positionals[0]);
const [program, ...programArguments] = values.cli.split(" ");
const fields = ["Rss", "Pss", "Shared_Clean", "Private_Clean", "Private_Dirty"];

/** Bytes by field: of the mappings of the model file, and of the whole process. */
function memoryOf(pid) {
  const file = Object.fromEntries(fields.map((name) => [name, 0]));
  const whole = { ...file };
  let mapped = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, "utf8").split("\n")) {
    const field = /^(\w+):\s+(\d+) kB/.exec(line);
    if (field === null) mapped = /^[0-9a-f]+-[0-9a-f]+ /.test(line) ? line.endsWith(model) : mapped;
    else if (field[1] in whole) {
      whole[field[1]] += Number(field[2]) * 1024;
      if (mapped) file[field[1]] += Number(field[2]) * 1024;
    }
  }
  return { file, whole };
}

function ask() {
  const args = ["ask", "none", "Tell me a story.", "--model", model, "--threads", values.threads];
  const more = ["--max-tokens", values.tokens, "--temperature", "1"];
  const child = spawn(program, [...programArguments, ...args, ...more], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const done = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) =>
      status === 0 ? resolve() : reject(new Error(`${values.cli} ended with ${status}`)),
    );
  });
  return { child, done };
}

const bytes = statSync(model).size;
const bench = ["bench", model, "--work", "ready", "--rounds", values.rounds, "--json"];
const report = JSON.parse(
  execFileSync(program, [...programArguments, ...bench, "--threads", values.threads], {
    encoding: "utf8",
  }),
);
const { median, low } = report.works[0].ms;

// The sample of the moment when both processes have touched most of the weights.
const runs = [ask(), ask()];
let best = null;
const timer = setInterval(() => {
  try {
    const samples = runs.map(({ child }) => memoryOf(child.pid));
    const touched = Math.min(...samples.map(({ whole }) => whole.Rss));
    if (best === null || touched >= best.touched) best = { touched, samples };
  } catch {
    // One of them has ended.
  }
}, 50);
await Promise.all(runs.map(({ done }) => done));
clearInterval(timer);

const megabytes = (count) => (count / 1e6).toFixed(2).padStart(9);
console.log(`${model}: ${megabytes(bytes).trim()} MB`);
console.log(
  `ready (loaded, session created): median ${median.toFixed(1)} ms, low ${low.toFixed(1)} ms, ` +
    `${report.valid ? "valid run" : "NOT a valid run: the machine was busy"}`,
);
console.log(
  `\ntwo processes at once, MB${" ".repeat(9)}${fields.map((f) => f.padStart(14)).join("")}`,
);
for (const [i, { file, whole }] of best.samples.entries()) {
  for (const [name, sums] of Object.entries({ "model file": file, process: whole }))
    console.log(
      `  process ${i + 1}, ${name.padEnd(12)}      ${fields.map((f) => megabytes(sums[f]).padStart(14)).join("")}`,
    );
}
const dirty = Math.max(...best.samples.map(({ file }) => file.Private_Dirty));
const mapped = best.samples.every(({ file }) => file.Rss > 0);
if (!mapped) console.log("\nthe file is not mapped: its weights are a copy in each process");
else
  console.log(`\ndirty pages of the weights: ${((100 * dirty) / bytes).toFixed(3)} % of the file`);
if (!mapped || dirty >= bytes / 100) process.exitCode = 1;

#!/usr/bin/env node
// npm run fuzz -- list | <target> [minutes] | all [minutes] | coverage [<target>]
//
// Builds fuzz targets (tests-native/fuzz) and runs them one after the other, each for that many
// minutes (default 1). What a target has found to be interesting stays under
// build/fuzz-corpus/<target> and is where the next run goes on; inputs that end it go to
// build/fuzz-findings/<target>. `coverage` tells how many lines all of those inputs reach. Several
// targets have commas between them.
// Environment: TINYVLM_SHARED names the folder with further first inputs (tests-native/README.md).
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, constants, setPriority } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPreset } from "./build.mjs";
import { setUp } from "./setup.mjs";
import { root, run, toolEnvironment } from "./toolchain.mjs";

const folder = (name, target) => join(root, "build", `fuzz-${name}`, target ?? "");

// `bytes`: of the longest input. `megabytes`: of the largest allocation; what a file of that length
// or the documented limits can justify. `shared`: folders of the shared data whose files are first
// inputs, and how their names end. `runs`: executions of the short round.
const targets = {
  gguf: {
    about: "header of a GGUF file",
    bytes: 1 << 18,
    megabytes: 64,
    runs: 6000,
    shared: ["../../tests-native/goldens/gguf:.gguf"],
  },
  model: {
    about: "a whole model: load, estimate, ask about an image",
    bytes: 1 << 18,
    megabytes: 256,
    runs: 250,
  },
  png: {
    about: "PNG, against libpng",
    bytes: 1 << 15,
    megabytes: 64,
    runs: 2500,
    shared: ["data/images/pngsuite/png:.png", "data/inputs:.png"],
  },
  jpeg: {
    about: "JPEG, against libjpeg",
    bytes: 1 << 15,
    megabytes: 64,
    runs: 1500,
    shared: ["data/images/jpeg-decoder:.jpg", "data/inputs:.jpg"],
  },
  picture: {
    about: "recognition of pictures, EXIF, turning",
    bytes: 1 << 14,
    megabytes: 64,
    runs: 2500,
    shared: ["data/inputs:", "data/images/exif-orientation:.jpg"],
  },
  resize: { about: "resizer, streamed and turned", bytes: 4096, megabytes: 64, runs: 300 },
  safetensors: {
    about: "safetensors files and indexes",
    bytes: 1 << 14,
    megabytes: 16,
    runs: 8000,
    first: "s",
    shared: ["data/formats/candle:.safetensors"],
  },
  json: {
    about: "JSON reader and writer",
    bytes: 1 << 14,
    megabytes: 16,
    runs: 15000,
    dictionary: "json",
    shared: ["data/formats/JSONTestSuite:.json"],
  },
  checkpoint: {
    about: "a checkpoint's configs, headers and tokenizer, converted to the end",
    bytes: 1 << 17,
    megabytes: 64,
    runs: 500,
    dictionary: "checkpoint",
  },
  sentencepiece: {
    about: "SentencePiece models",
    bytes: 1 << 15,
    megabytes: 64,
    runs: 800,
    shared: ["../../tests-native/goldens/tokenizer:.model"],
  },
  tokenize: { about: "texts of any bytes through BPE", bytes: 4096, megabytes: 16, runs: 3000 },
  schema: {
    about: "JSON Schemas and what they allow",
    bytes: 4096,
    megabytes: 256,
    runs: 400,
    dictionary: "schema",
  },
  pattern: {
    about: "regular expressions and what they allow",
    bytes: 512,
    megabytes: 256,
    runs: 800,
    dictionary: "pattern",
  },
  template: {
    about: "chat templates, prompts of hostile conversations",
    bytes: 1 << 14,
    megabytes: 16,
    runs: 6000,
    dictionary: "template",
    shared: ["data/chat-templates/llama.cpp:.jinja"],
  },
  request: {
    about: "options and requests of the C interface",
    bytes: 4096,
    megabytes: 16,
    runs: 8000,
    dictionary: "request",
  },
  calls: { about: "sequences of calls of the C interface", bytes: 2048, megabytes: 64, runs: 250 },
};

const program = (preset, name) =>
  join(root, "build", preset, "tests-native", "fuzz", `fuzz_${name}`);

async function build(preset, names) {
  await setUp(["clang", "tools", "engine-sources"]);
  buildPreset(
    preset,
    names.map((name) => `fuzz_${name}`),
    { tests: false },
  );
}

// Builds targets and writes their first inputs.
async function prepare(names) {
  await build("fuzz", [...names, "seeds"]);
  rmSync(folder("seeds"), { recursive: true, force: true });
  mkdirSync(folder("seeds"), { recursive: true });
  run(program("fuzz", "seeds"), [folder("seeds")], { quiet: true });
}

function filesUnder(path, ending) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return path.endsWith(ending) ? [path] : [];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name), ending));
}

// First inputs that others made, as far as they are on this machine and not too long.
function copySharedSeeds(name) {
  const { bytes, first = "", shared = [] } = targets[name];
  const to = folder("shared-seeds", name);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const base = process.env.TINYVLM_SHARED || join(root, "..", "shared");
  let count = 0;
  for (const place of shared) {
    const [path, ending] = place.split(":");
    const own = path.startsWith("../../") ? join(root, path.slice(6)) : join(base, path);
    for (const file of filesUnder(own, ending)) {
      if (statSync(file).size > bytes) continue;
      if (first === "") copyFileSync(file, join(to, `${count++}`));
      else
        writeFileSync(
          join(to, `${count++}`),
          Buffer.concat([Buffer.from(first), readFileSync(file)]),
        );
    }
  }
  return to;
}

// Runs one program at the lowest priority and gives what it said.
function runTarget(preset, name, args, { show = false, environment = {} } = {}) {
  const { bytes, megabytes, dictionary } = targets[name];
  const findings = join(folder("findings", name), "/");
  mkdirSync(findings, { recursive: true });
  const all = [
    `-max_len=${bytes}`,
    `-malloc_limit_mb=${megabytes}`,
    "-rss_limit_mb=2048",
    "-timeout=120", // of a clock on the wall; the targets themselves look at processor time
    "-print_final_stats=1",
    `-artifact_prefix=${findings}`,
    ...(dictionary
      ? [`-dict=${join(root, "tests-native", "fuzz", "dictionaries", `${dictionary}.dict`)}`]
      : []),
    ...args,
  ];
  return new Promise((resolve) => {
    const child = spawn(program(preset, name), all, {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...toolEnvironment(),
        UBSAN_OPTIONS: "print_stacktrace=1",
        ASAN_OPTIONS: "allocator_may_return_null=1",
        ...environment,
      },
    });
    child.on("spawn", () => setPriority(child.pid, constants.priority.PRIORITY_LOW));
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
      if (show) process.stderr.write(chunk);
    });
    child.on("error", (error) => resolve({ status: 127, said: error.message }));
    child.on("close", (status) => resolve({ status: status ?? 1, said }));
  });
}

// Executions, edges and the end of what a run said.
function summarize({ status, said }) {
  const number = (pattern) => Number([...said.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    status,
    runs: number(/^stat::number_of_executed_units: +(\d+)/gm),
    edges: number(/\bcov: (\d+)/g),
    slowest: number(/^stat::slowest_unit_time_sec: +(\d+)/gm),
    tail: said.trim().split("\n").slice(-45).join("\n"),
  };
}

const line = (name, { status, runs, edges, slowest }) =>
  `${name.padEnd(14)} ${String(runs).padStart(9)} executions ${String(edges).padStart(6)} edges, ` +
  `slowest ${slowest} s: ${status === 0 ? "nothing found" : "FOUND SOMETHING"}`;

async function fuzz(names, minutes) {
  await prepare(names);
  let found = 0;
  for (const name of names) {
    const corpus = folder("corpus", name);
    for (const path of [corpus, folder("seeds", name)]) mkdirSync(path, { recursive: true });
    const result = summarize(
      await runTarget("fuzz", name, [
        `-max_total_time=${Math.max(1, Math.round(minutes * 60))}`,
        corpus,
        folder("seeds", name),
        copySharedSeeds(name),
      ]),
    );
    console.log(line(name, result));
    if (result.status === 0) continue;
    ++found;
    console.log(`${result.tail}\nThe input lies in ${folder("findings", name)}.`);
  }
  return found === 0;
}

/**
 * The short round: every target from the same first inputs with the same random numbers, so that
 * each run executes the same. What shared data adds is left out.
 */
export async function shortRound() {
  await prepare(Object.keys(targets));
  const counts = { passed: 0, failed: 0 };
  const count = (name, result) => {
    console.log(line(name, result));
    if (result.status !== 0) console.log(result.tail);
    counts[result.status === 0 && result.runs > 0 ? "passed" : "failed"]++;
  };
  const waiting = Object.keys(targets);
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const corpus = folder("short-round", name); // what is found goes here, so begin with nothing
      rmSync(corpus, { recursive: true, force: true });
      for (const path of [corpus, folder("seeds", name)]) mkdirSync(path, { recursive: true });
      const args = ["-seed=1", `-runs=${targets[name].runs}`, corpus, folder("seeds", name)];
      count(name, summarize(await runTarget("fuzz", name, args)));
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
  return counts;
}

// The LLVM tool that goes with the compiler.
function llvmTool(name) {
  const { stdout = "" } = spawnSync("clang", ["--version"], { encoding: "utf8" });
  const major = /version (\d+)/.exec(stdout)?.[1];
  const names = [`${name}-${major}`, name, `/usr/lib/llvm-${major}/bin/${name}`];
  const found = names.find((each) => spawnSync(each, ["--help"]).status === 0);
  if (!found) throw new Error(`${names[0]} is wanted (it comes with LLVM), not found`);
  return found;
}

async function coverage(names) {
  await build("fuzz-coverage", names);
  const profiles = folder("profiles");
  rmSync(profiles, { recursive: true, force: true });
  mkdirSync(profiles, { recursive: true });
  for (const name of names) {
    const inputs = [folder("corpus", name), folder("seeds", name), copySharedSeeds(name)];
    for (const path of inputs) mkdirSync(path, { recursive: true });
    const result = summarize(
      await runTarget("fuzz-coverage", name, ["-runs=0", ...inputs], {
        environment: { LLVM_PROFILE_FILE: join(profiles, `${name}.profraw`) },
      }),
    );
    console.log(line(name, result));
  }
  const data = join(profiles, "all.profdata");
  const raw = filesUnder(profiles, ".profraw");
  run(llvmTool("llvm-profdata"), ["merge", "-sparse", "-o", data, ...raw], { quiet: true });
  const [one, ...others] = names.map((name) => program("fuzz-coverage", name));
  const summary = run(
    llvmTool("llvm-cov"),
    [
      ...["export", "-summary-only", `-instr-profile=${data}`, one],
      ...others.flatMap((other) => ["-object", other]),
    ],
    { quiet: true },
  );
  const [{ files }] = JSON.parse(summary).data;
  const share = (of) => {
    const [covered, count] = ["covered", "count"].map((key) =>
      of.reduce((sum, file) => sum + file.summary.lines[key], 0),
    );
    return `${((100 * covered) / count).toFixed(1).padStart(5)} % of ${count} lines`;
  };
  for (const layer of ["formats", "text", "image", "api"]) {
    const own = files.filter(({ filename }) => filename.includes(`cpp/${layer}/`));
    if (own.length === 0) continue;
    console.log(`\ncpp/${layer}`.padEnd(41) + share(own));
    for (const file of own) console.log(`  ${basename(file.filename)}`.padEnd(40) + share([file]));
  }
  return true;
}

function list() {
  for (const [name, { about }] of Object.entries(targets))
    console.log(`${name.padEnd(14)} ${about}`);
  return true;
}

// The targets that a word of the command line names.
function named(word) {
  const all = Object.keys(targets);
  const names = word === "all" ? all : word.split(",");
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0)
    throw new Error(`unknown target ${unknown.join(", ")}; targets are ${all.join(", ")}`);
  return names;
}

async function main([what = "list", more]) {
  if (what === "list") return list();
  if (what === "coverage") return coverage(named(more ?? "all"));
  const minutes = Number(more ?? 1);
  if (!(minutes > 0)) throw new Error(`a number of minutes wanted, ${more} found`);
  return fuzz(named(what), minutes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).then(
    (good) => (process.exitCode = good ? 0 : 1),
    (error) => {
      console.error(`fuzz: ${error.message}`);
      process.exitCode = 1;
    },
  );
}

#!/usr/bin/env node
// The peak memory of a native process that loads a model and answers about an image, by context,
// image size and threads, on Linux with glibc. Prints Markdown tables in megabytes:
//
//   own     what is the process's alone and cannot be read from a file again: without a mapped
//           model file. This is what systems end an app for.
//   all     the resident set, pages of a mapped model file included
//
// glibc writes to all memory as it is allocated (MALLOC_PERTURB_), so that a short answer takes
// what a full context takes. `--fill` fills the context with tokens instead, without that, as a
// check; it takes as long as it takes to compute them.
//
//   node tools/measure-memory.mjs MODEL [--cli build/release/cpp/cli/tiny-vlm]
//        [--contexts 512,2048,8192] [--image-sizes 256,512,1024] [--threads 1,4] [--fill]

import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cli: { type: "string", default: join(root, "build", "release", "cpp", "cli", "tiny-vlm") },
    contexts: { type: "string", default: "512,2048,8192" },
    "image-sizes": { type: "string", default: "256,512,1024" },
    threads: { type: "string", default: "1,4" },
    fill: { type: "boolean", default: false },
  },
});
if (positionals.length !== 1) throw new Error("one model file wanted; see the head of this file");
const [model] = positionals;
const numbers = (list) => list.split(",").map(Number);
const contexts = numbers(values.contexts);
const imageSizes = numbers(values["image-sizes"]);
const threadCounts = numbers(values.threads);
const image = join(root, "examples-web", "samples", "sample-1-1024.jpg");

/** Bytes of a process now: its own, and its resident set at its largest so far. */
function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)[1]) * 1024;
  return { own: field("RssAnon"), all: field("VmHWM") };
}

/** Runs the command line to its end; its exit status, what it said, and the largest samples. */
async function measure(args, env) {
  const child = spawn(values.cli, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  const peak = { own: 0, all: 0 };
  const timer = setInterval(() => {
    try {
      const now = memoryOf(child.pid);
      for (const [name, bytes] of Object.entries(now)) peak[name] = Math.max(peak[name], bytes);
    } catch {
      // It has not started, or has ended.
    }
  }, 5);
  const status = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  clearInterval(timer);
  return { status, said, peak };
}

const words = (count) => `${"a ".repeat(count)}Describe the image.`;

/** A question that leaves little of the context for the answer. */
async function longQuestion(context, args) {
  const { said } = await measure(["ask", image, words(2 * context), ...args], {});
  const [, tokens, ofImages] = /prompt takes (\d+) tokens \((\d+) of images\)/.exec(said) ?? [];
  if (tokens === undefined) throw new Error(`a prompt that is too long wanted, found: ${said}`);
  const each = (Number(tokens) - Number(ofImages)) / (2 * context);
  return words(Math.floor((context - Number(ofImages)) / each) - 32);
}

/** The peaks of an answer with these options, or the error that the command line printed. */
async function peakOf(context, imageSize, threads) {
  const options = { context, "image-size": imageSize, threads, model, "max-tokens": 8 };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const question = values.fill ? await longQuestion(context, args) : "Describe the image.";
  const { status, said, peak } = await measure(
    ["ask", image, question, ...args],
    values.fill ? {} : { MALLOC_PERTURB_: "165" },
  );
  return status === 0 ? peak : said.trim();
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
const notes = new Set();
console.log(`${basename(model)}: ${(statSync(model).size / 1e6).toFixed(1)} MB\n`);
for (const threads of threadCounts) {
  const head = contexts.map((context) => `context ${context}`);
  console.log(`| own / all, ${threads} thread${threads === 1 ? "" : "s"} | ${head.join(" | ")} |`);
  console.log(`| --- |${" ---: |".repeat(contexts.length)}`);
  for (const imageSize of imageSizes) {
    const cells = [];
    for (const context of contexts) {
      const peak = await peakOf(context, imageSize, threads);
      if (typeof peak === "string") notes.add(peak);
      cells.push(
        typeof peak === "string" ? "—" : `${megabytes(peak.own)} / ${megabytes(peak.all)}`,
      );
    }
    console.log(`| ${imageSize} px | ${cells.join(" | ")} |`);
  }
  console.log("");
}
for (const note of notes) console.log(note);

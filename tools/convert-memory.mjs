#!/usr/bin/env node
// The peak memory of converting, at several sizes: generates sparse checkpoints (no room on the
// disk), converts each and reads the peak resident size of the converting process from Linux. Fails
// where a conversion does or where a peak reaches the limit. The model files that are written are
// real: 5 GB for 7B as q4_0, removed at once.
//
//   node tools/convert-memory.mjs [--sizes demo,0.5b,7b] [--type q4_0] [--limit-mb 1000] [--cli
//   "build/release/cpp/cli/tiny-vlm"] [--in FOLDER] [-- FLAG...]
//
// --cli is the command line to measure: the native one, or "node dist/cli.mjs" for the one that npm
// installs. What follows "--" is given to convert.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals: flags } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: "string", default: "demo,0.5b,7b" },
    type: { type: "string", default: "q4_0" },
    "limit-mb": { type: "string", default: "1000" },
    cli: { type: "string", default: join(root, "build", "release", "cpp", "cli", "tiny-vlm") },
    in: { type: "string", default: tmpdir() },
  },
});
const limit = Number(values["limit-mb"]) * 1e6;
const [program, ...programArguments] = values.cli.split(" ");

/**
 * Runs a command; resolves to its exit code, what it said, and the peak resident size in bytes that
 * the kernel counted for it.
 */
function measure(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "pipe"] });
    let said = "";
    let peak = 0;
    child.stderr.on("data", (data) => (said += data));
    // The counter only grows: what it showed last before the end is short of the true peak by what
    // was added in these few milliseconds.
    const timer = setInterval(() => {
      try {
        const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(
          readFileSync(`/proc/${child.pid}/status`, "latin1"),
        );
        if (kilobytes !== null) peak = Math.max(peak, Number(kilobytes[1]) * 1024);
      } catch {
        // It has ended.
      }
    }, 2);
    child.on("error", reject);
    child.on("close", (status) => {
      clearInterval(timer);
      resolve({ status, said, peak });
    });
  });
}

const gigabytes = (bytes) =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
let good = true;
console.log("| size | checkpoint | model file | peak resident | time |\n|---|---|---|---|---|");
for (const size of values.sizes.split(",")) {
  const folder = mkdtempSync(join(values.in, "tiny-vlm-memory-"));
  try {
    const checkpoint = join(folder, "checkpoint");
    const generator = join(root, "tools", "generate-checkpoint.mjs");
    const generated = spawnSync(
      process.execPath,
      [generator, checkpoint, "--size", size, "--sparse"],
      { encoding: "utf8" },
    );
    if (generated.status !== 0) throw new Error(generated.stderr.trim());
    const weights = Number(/: ([\d.]+) MB/.exec(generated.stdout)[1]) * 1e6;
    const output = join(folder, "model.gguf");
    const start = performance.now();
    const convert = [
      "convert",
      checkpoint,
      "-o",
      output,
      "--type",
      values.type,
      "--no-tokenizer",
      ...flags,
    ];
    const { status, said, peak } = await measure(program, [...programArguments, ...convert]);
    if (status !== 0) throw new Error(said.trim());
    if (peak === 0)
      throw new Error("the process ended before its memory could be read, or /proc is absent");
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `| ${size} | ${gigabytes(weights)} | ${gigabytes(statSync(output).size)} | ${(peak / 1e6).toFixed(1)} MB | ${seconds} s |`,
    );
    if (peak >= limit)
      throw new Error(
        `less than ${limit / 1e6} MB resident wanted, ${(peak / 1e6).toFixed(1)} MB found`,
      );
  } catch (error) {
    console.error(`convert-memory: ${size}: ${error.message}`);
    good = false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
process.exitCode = good ? 0 : 1;

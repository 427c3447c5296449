#!/usr/bin/env node
// npm run probe [-- native|scalar|simd|relaxed|simd-mt|relaxed-mt...] [--json FOLDER]
// [--all-targets] [--quick]: what this machine could do and what the kernels make of it
// (bench/probe.cc), natively and in the wasm variants under Node; all six where none is named. Sets
// up and builds what is missing first. With --json it writes FOLDER/probe-<build>.json.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildPreset, wasmVariants } from "./build.mjs";
import { setUp } from "./setup.mjs";
import { neededRelaxedNode } from "./setup/relaxed-node.mjs";
import { root, run } from "./toolchain.mjs";

const builds = ["native", ...wasmVariants];

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "string" },
      "all-targets": { type: "boolean" },
      quick: { type: "boolean" },
    },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => !builds.includes(name));
  if (unknown.length > 0)
    throw new Error(`unknown build ${unknown.join(", ")}; builds are ${builds.join(", ")}`);
  if (values.json) mkdirSync(values.json, { recursive: true });
  await setUp();
  const chosen = builds.filter((name) => positionals.length === 0 || positionals.includes(name));
  const isRelaxed = (name) => name.startsWith("relaxed");
  if (chosen.some(isRelaxed)) await setUp(["relaxed-node"]);
  const preset = (name) => (name === "native" ? "release" : `wasm-${name}`);
  // first, so that no compiler runs while something is measured
  for (const name of chosen) buildPreset(preset(name), ["tinyvlm-probe"]);
  for (const name of chosen) {
    const program = join(root, "build", preset(name), "bench", "tinyvlm-probe");
    const flags = ["all-targets", "quick"]
      .filter((flag) => values[flag])
      .map((flag) => `--${flag}`);
    if (values.json) flags.push("--json", resolve(values.json, `probe-${name}.json`));
    console.log(`\n## ${name}\n`);
    if (name === "native") run(program, flags);
    else run(isRelaxed(name) ? neededRelaxedNode() : process.execPath, [`${program}.js`, ...flags]);
  }
}

main().catch((error) => {
  console.error(`probe: ${error.message}`);
  process.exitCode = 1;
});

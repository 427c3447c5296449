#!/usr/bin/env node
// npm run lint [-- check...]: the checks that need no build, each with what it found. Without a
// name all of them but `cpp`, which takes minutes: clang-tidy over the C++ files that differ from
// the main branch (`npm run lint -- cpp`), or over those named after it, or over all
// (`npm run lint -- cpp --all`).
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkDocuments } from "./check-documents.mjs";
import { checkLayers } from "./check-layers.mjs";
import { checkVersions } from "./check-versions.mjs";
import { format } from "./format.mjs";
import { pinnedWheel } from "./setup/build-tools.mjs";
import { setUpNodeModules } from "./setup/node-modules.mjs";
import { root, run, toolEnvironment } from "./toolchain.mjs";
import { trackedFiles } from "./tracked-files.mjs";

const clangTidyVersion = "21.1.6";

/** Runs a program; resolves to the lines that it printed, or to none where it succeeded. */
function complaints(program, args) {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { cwd: root, env: toolEnvironment(), encoding: "utf8", maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        if (!error) return resolve([]);
        const lines = `${stdout}${stderr}`.trimEnd().split("\n");
        resolve(lines.join("") === "" ? [`${program}: ${error.message}`] : lines);
      },
    );
  });
}

const script = (name, ...args) => complaints(process.execPath, [join("scripts", name), ...args]);

async function formatting() {
  const unformatted = await format({ check: true });
  return unformatted.map((name) => `${name} is not formatted: run \`npm run format\``);
}

// Each resolves to a list of complaints.
const checks = {
  format: { about: "clang-format and Prettier", run: formatting },
  promises: {
    about: "oxlint, type-aware: .oxlintrc.json",
    run: () => complaints(join(root, "node_modules", ".bin", "oxlint"), []),
  },
  layers: { about: "directions of includes and imports", run: async () => checkLayers() },
  documents: { about: "links, lines over 100 columns", run: async () => checkDocuments() },
  versions: { about: "one version everywhere", run: async () => checkVersions() },
  checks: {
    about: "the checks themselves, on examples",
    run: () =>
      complaints(process.execPath, [
        "--test",
        ...["house.test.mjs", "docs.test.mjs"].map((name) => join("scripts", name)),
      ]),
  },
  site: {
    about: "the documentation's site builds: links, headings, comments of the C interface",
    run: () => script("docs.mjs"),
  },
  api: {
    about: "js-sdk/api-report.md says what the types say",
    run: () => script("api-report.mjs", "--check"),
  },
  docstrings: {
    about: "every public declaration has one",
    run: () => script("check-docs.mjs"),
  },
  any: {
    about: "no public type is any",
    run: () => script("check-any.mjs"),
  },
  options: {
    about: "what scripts/generate-options.mjs writes is current",
    run: () => script("generate-options.mjs", "--check"),
  },
};

/**
 * Runs the named checks, all where none is named, and prints what they find. Returns how many
 * passed and failed.
 */
export async function lint(names = []) {
  const unknown = names.filter((name) => !checks[name]);
  if (unknown.length > 0)
    throw new Error(`unknown check ${unknown.join(", ")}; checks are ${Object.keys(checks)}, cpp`);
  await setUpNodeModules();
  const counts = { passed: 0, failed: 0 };
  const chosen = Object.entries(checks).filter(
    ([name]) => names.length === 0 || names.includes(name),
  );
  // All at once: most of them wait for a program.
  const results = await Promise.all(
    chosen.map(async ([name, { about, run: check }]) => {
      const found = await check().catch((error) => [error.message]);
      return { name, about, found };
    }),
  );
  for (const { name, about, found } of results) {
    console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}: ${about}`);
    for (const line of found) console.log(`  ${line}`);
    ++counts[found.length === 0 ? "passed" : "failed"];
  }
  return counts;
}

/** The branch that a change is compared with. */
function base() {
  const known = (name) => spawnSync("git", ["rev-parse", "-q", "--verify", name], { cwd: root });
  return ["origin/main", "main", "HEAD"].find((name) => known(name).status === 0);
}

function changedSince(branch) {
  const list = (args) => run("git", ["diff", "-z", "--name-only", ...args], { quiet: true });
  return list([`${branch}...`])
    .split("\0")
    .concat(list(["HEAD"]).split("\0"));
}

/** clang-tidy (.clang-tidy) over `files`; over changed ones where none is named. */
export async function lintCpp(files = [], { all = false } = {}) {
  const clangTidy = await pinnedWheel("clang-tidy", clangTidyVersion);
  // Only what the native build compiles has a command line that clang-tidy can follow.
  const compiled = trackedFiles().filter(
    (name) => /^(cpp|bench)\/.*\.cc$/.test(name) && name !== "bench/wasm_bench.cc",
  );
  const changed = all || files.length > 0 ? [] : changedSince(base());
  const chosen = compiled.filter((name) => all || files.includes(name) || changed.includes(name));
  const missing = files.filter((name) => !compiled.includes(name));
  if (missing.length > 0)
    throw new Error(`${missing.join(", ")}: not compiled by the native build`);
  if (chosen.length === 0) return { passed: 1, failed: 0 };

  const commands = join(root, "build", "release", "compile_commands.json");
  if (!existsSync(commands))
    run("cmake", ["--preset", "release"], { env: toolEnvironment(), quiet: true });
  const counts = { passed: 0, failed: 0 };
  const waiting = [...chosen];
  const jobs = Number(process.env.TINYVLM_JOBS) || availableParallelism();
  await Promise.all(
    Array.from({ length: Math.min(jobs, chosen.length) }, async () => {
      for (let name = waiting.shift(); name; name = waiting.shift()) {
        const found = await complaints(clangTidy, ["--quiet", "-p", "build/release", name]);
        console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}`);
        for (const line of found) console.log(`  ${line}`);
        ++counts[found.length === 0 ? "passed" : "failed"];
      }
    }),
  );
  return counts;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first, ...rest] = process.argv.slice(2);
  const work =
    first === "cpp"
      ? lintCpp(
          rest.filter((name) => name !== "--all"),
          { all: rest.includes("--all") },
        )
      : lint(process.argv.slice(2));
  await work.then(
    ({ passed, failed }) => {
      console.log(`${passed} passed, ${failed} failed`);
      process.exitCode = failed > 0 ? 1 : 0;
    },
    (error) => {
      console.error(`lint: ${error.message}`);
      process.exitCode = 1;
    },
  );
}

#!/usr/bin/env node
// npm run test:adapters [-- name...]: the adapters of the built package with the libraries that they
// adapt to, as tests-adapters/package-lock.json pins them (about 200 MB, installed under
// build/clients). Not part of npm test, whose unit tests call the adapters themselves.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { neededRelaxedNode } from "./setup/relaxed-node.mjs";
import { root, run } from "./toolchain.mjs";

const tests = join(root, "tests-adapters");
const folder = join(root, "build", "clients");

// The lock that node_modules were installed from lies beside them.
function install() {
  const same = ["package.json", "package-lock.json"].every((name) => {
    const installed = join(folder, name);
    return (
      existsSync(installed) &&
      readFileSync(installed, "utf8") === readFileSync(join(tests, name), "utf8")
    );
  });
  if (same && existsSync(join(folder, "node_modules", ".package-lock.json"))) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ["package.json", "package-lock.json"])
    cpSync(join(tests, name), join(folder, name));
  // Nothing here runs on install; several majors of one library cannot agree on their peers.
  run("npm", ["ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"], {
    cwd: folder,
    quiet: true,
  });
}

/** The package and the tests beside the clients, where imports find them. */
function place() {
  if (!existsSync(join(root, "dist", "adapters")))
    throw new Error("dist/ is missing: run npm run build first");
  const installed = join(folder, "node_modules", "tiny-vlm");
  rmSync(installed, { recursive: true, force: true });
  for (const name of ["package.json", "dist"])
    cpSync(join(root, name), join(installed, name), { recursive: true });
  rmSync(join(folder, "tests"), { recursive: true, force: true });
  cpSync(tests, join(folder, "tests"), {
    recursive: true,
    filter: (path) => !/package(-lock)?\.json$/.test(path),
  });
}

try {
  const names = process.argv.slice(2);
  // Some of the clients want Node 22.
  await setUp(["relaxed-node"]);
  install();
  place();
  const files = readdirSync(join(folder, "tests"))
    .filter((name) => name.endsWith(".test.mjs"))
    .filter((name) => names.length === 0 || names.includes(name.replace(".test.mjs", "")))
    .map((name) => join(folder, "tests", name));
  if (files.length === 0) throw new Error(`no test is called ${names.join(", ")}`);
  const { status, error } = spawnSync(
    neededRelaxedNode(),
    ["--test", "--test-concurrency=1", ...files],
    { stdio: "inherit", cwd: root },
  );
  if (error) throw error;
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(`test-adapters: ${error.message}`);
  process.exitCode = 1;
}

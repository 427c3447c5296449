#!/usr/bin/env node
// npm run test:adapters [-- name...]: the adapters of the built package with the libraries that they
// adapt to, as tests-adapters/package-lock.json pins them (about 200 MB, installed under
// build/clients). Not part of npm test, whose unit tests call the adapters themselves.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { installClients } from "./setup/pinned-clients.mjs";
import { neededRelaxedNode } from "./setup/relaxed-node.mjs";
import { root } from "./toolchain.mjs";

const tests = join(root, "tests-adapters");
const folder = join(root, "build", "clients");

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
  installClients(tests, folder);
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

// A Node with relaxed SIMD (22 or newer), for the tests and the probe of the relaxed builds: this
// very one, else one from npm under .toolchain/node, pinned by node.lock.json and used for nothing
// else.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, run, toolchainDir, versionOf } from "../toolchain.mjs";
import { countFetched, present, step } from "./steps.mjs";

const folder = join(toolchainDir, "node");
const program = join(folder, "bin", "node");

const lock = () => JSON.parse(readFileSync(join(root, "scripts", "node.lock.json"), "utf8"));

// Node 21 has relaxed SIMD without a flag, and computes wrongly.
const hasRelaxedSimd = () => Number(process.versions.node.split(".")[0]) >= 22;

/** The program's path, or null where set-up has not brought it yet. */
export function relaxedNode() {
  if (hasRelaxedSimd()) return process.execPath;
  return existsSync(program) ? program : null;
}

/** The same where nothing can be done without it. */
export function neededRelaxedNode() {
  const found = relaxedNode();
  if (!found)
    throw new Error(`the relaxed builds run in Node 22 or newer; this is ${process.version}`);
  return found;
}

async function fetchNode(name, version, integrity) {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const output = run(
    "npm",
    ["pack", "--silent", "--pack-destination", partial, `${name}@${version}`],
    { quiet: true },
  );
  const archive = join(partial, output.trim().split("\n").at(-1));
  countFetched(statSync(archive).size);
  const actual = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (actual !== integrity)
    throw new Error(`${name} ${version}: its hash is ${actual}, expected ${integrity}`);
  run(
    "tar",
    [
      "-xf",
      archive,
      "-C",
      partial,
      "--strip-components=1",
      "--no-same-owner",
      "package/bin/node",
      "package/LICENSE",
    ],
    { quiet: true },
  );
  rmSync(archive);
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
}

/** Makes relaxedNode() available where this machine has it or node.lock.json a package for it. */
export async function setUpRelaxedNode() {
  if (hasRelaxedSimd())
    return present("Node with relaxed SIMD", `this one, ${process.versions.node}`);
  const { version, packages } = lock();
  if (existsSync(program) && versionOf(program) === version)
    return present("Node with relaxed SIMD", `${version} (private)`);
  const name = `node-${process.platform}-${process.arch}`;
  if (!packages[name])
    return present(
      "Node with relaxed SIMD",
      `this is ${process.version}, and node.lock.json has none for this machine`,
    );
  await step(`Node ${version}, for the tests of the relaxed builds`, () =>
    fetchNode(name, version, packages[name]),
  );
}

#!/usr/bin/env node
// npm run reproduce: is the package the same, byte for byte, whoever builds it and wherever? Clones
// the last commit twice, into folders of different names, builds both from nothing under different
// time zones, languages and file modes, packs both, and compares every file and the packed files
// themselves. Each clone sets up an Emscripten of its own, unless one is on PATH.
//
//   --against <file.tgz>     one clone, compared with a packed package: a release, for example
//   --variants simd,scalar   compiles these wasm builds only; those of build/ in this checkout
//                            stand for the others and are not compared
//   --folder <folder>        where to clone to (default: a new folder among the temporary ones)
//   --keep                   keeps the clones
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wasmModules, wasmVariants } from "./build.mjs";
import { root, run } from "./toolchain.mjs";

// What two people's machines differ in.
const surroundings = [
  { folder: "first", umask: 0o022, env: { TZ: "UTC", LC_ALL: "C.UTF-8" } },
  {
    folder: "a second clone, elsewhere (größer)",
    umask: 0o077,
    env: { TZ: "Pacific/Kiritimati", LC_ALL: "C" },
  },
];

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Every file below `folder`: its path there → its bytes. */
export function filesIn(folder) {
  const files = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    files.set(relative(folder, path), readFileSync(path));
  }
  return files;
}

/**
 * What differs between two sets of files, in words, one line a file; `left` and `right` are what
 * the sets are called.
 */
export function differences(a, b, left, right) {
  const found = [];
  for (const name of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [one, other] = [a.get(name), b.get(name)];
    if (!one || !other) found.push(`${name}: in ${one ? left : right} only`);
    else if (!one.equals(other)) {
      const shorter = Math.min(one.length, other.length);
      let at = 0;
      while (at < shorter && one[at] === other[at]) at++;
      found.push(`${name}: ${one.length} and ${other.length} bytes, different from byte ${at} on`);
    }
  }
  return found;
}

// Files of one kind are one row of the table; those that were compiled have a row each.
function kindOf(name) {
  if (/^dist\/types/.test(name)) return "dist/types*/ (declarations)";
  if (/^dist\/.*\.(wasm|mjs|cjs|js)$/.test(name)) return name;
  return name.startsWith("dist/") ? "dist/ (others)" : "documents and examples";
}

/** The table of what was compared: rows of kind, files, bytes, hash and verdict. */
export function table(a, b) {
  const kinds = new Map();
  for (const name of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const row = kinds.get(kindOf(name)) ?? {
      files: 0,
      bytes: 0,
      hash: createHash("sha256"),
      equal: true,
    };
    const bytes = a.get(name);
    row.files++;
    row.bytes += bytes?.length ?? 0;
    row.hash.update(`${name}\0${bytes ? sha256(bytes) : ""}\n`);
    row.single = bytes;
    row.equal &&= bytes !== undefined && (b.get(name)?.equals(bytes) ?? false);
    kinds.set(kindOf(name), row);
  }
  return [...kinds].map(([kind, { files, bytes, hash, single, equal }]) => ({
    kind,
    files,
    bytes,
    sha256: files === 1 && single ? sha256(single) : hash.digest("hex"),
    equal,
  }));
}

function printTable(rows) {
  for (const { kind, files, bytes, sha256: hash, equal } of rows)
    console.log(
      `${equal ? "equal    " : "DIFFERENT"} ${hash.slice(0, 16)} ${String(bytes).padStart(9)} bytes` +
        ` ${String(files).padStart(3)} ${files === 1 ? "file " : "files"}  ${kind}`,
    );
}

// Runs in a clone: what `npm run build` does, for the wanted variants.
const buildScript = (variants) => `
  import { buildPreset, wasmModules } from "./scripts/build.mjs";
  import { setUp } from "./scripts/setup.mjs";
  await setUp();
  for (const variant of ${JSON.stringify(variants)})
    buildPreset(\`wasm-\${variant}\`, wasmModules(variant), { tests: false });
`;

function buildClone(folder, variants, { umask, env: differing }) {
  const env = { ...process.env, ...differing, CCACHE_DISABLE: "1" };
  const before = process.umask(umask);
  try {
    run("git", ["clone", "--quiet", "--no-hardlinks", root, folder]);
    run(process.execPath, ["--input-type=module", "-e", buildScript(variants)], {
      cwd: folder,
      env,
    });
    for (const variant of wasmVariants.filter((name) => !variants.includes(name))) {
      mkdirSync(join(folder, "build", `wasm-${variant}`), { recursive: true });
      for (const name of wasmModules(variant).flatMap((module) => [
        `${module}.mjs`,
        `${module}.wasm`,
      ])) {
        const path = join("build", `wasm-${variant}`, name);
        cpSync(join(root, path), join(folder, path));
      }
    }
    run(process.execPath, [join("scripts", "build-sdk.mjs")], { cwd: folder, env });
    run(process.execPath, [join("scripts", "pack.mjs"), join(folder, "packed")], {
      cwd: folder,
      env,
      quiet: true,
    });
  } finally {
    process.umask(before);
  }
  const [name] = readdirSync(join(folder, "packed"));
  return join(folder, "packed", name);
}

// The files of a packed package.
function unpacked(file, folder) {
  mkdirSync(folder, { recursive: true });
  run("tar", ["-xzf", file, "-C", folder, "--strip-components=1"]);
  return filesIn(folder);
}

function compare([left, right], folder, variants) {
  const [a, b] = [left, right].map((file, index) => unpacked(file, join(folder, `files-${index}`)));
  const assumed = wasmVariants.filter((name) => !variants.includes(name));
  const copied = (name) =>
    assumed.some((variant) => name.endsWith(`-${variant}.wasm`)) ||
    (assumed.includes("scalar") && name.endsWith("tiny-vlm-convert.wasm"));
  for (const files of [a, b])
    for (const name of [...files.keys()]) if (copied(name)) files.delete(name);
  printTable([
    ...table(a, b),
    ...table(
      ...[left, right].map((file) => new Map([["the packed file", readFileSync(file)]])),
    ).map((row) => ({ ...row, kind: "the packed file" })),
  ]);
  const found = differences(a, b, left, right);
  if (!readFileSync(left).equals(readFileSync(right))) found.push("the packed files differ");
  if (assumed.length > 0)
    console.log(`Not compiled, so not compared: the wasm builds ${assumed.join(", ")}.`);
  console.log("Not compared: native programs and libraries, the packages for phones.");
  return found;
}

async function reproduce({ against, variants: named, folder: given, keep }) {
  const variants = named?.split(",") ?? wasmVariants;
  const unknown = variants.filter((name) => !wasmVariants.includes(name));
  if (unknown.length > 0)
    throw new Error(`--variants: wanted some of ${wasmVariants.join(", ")}, found ${unknown}`);
  if (against !== undefined && !existsSync(against))
    throw new Error(`--against: wanted a packed package, there is no ${against}`);
  if (run("git", ["status", "--porcelain"], { quiet: true }).trim() !== "")
    console.log("Changes that are not committed are left out: the last commit is built.");
  if (given !== undefined) mkdirSync(given, { recursive: true });
  const folder = given ? resolve(given) : mkdtempSync(join(tmpdir(), "tiny-vlm-reproduce-"));
  try {
    const wanted = against === undefined ? surroundings : surroundings.slice(1);
    const packed = wanted.map((here) => {
      console.log(`\n== ${join(folder, here.folder)}`);
      return buildClone(join(folder, here.folder), variants, here);
    });
    if (against !== undefined) packed.unshift(resolve(against));
    console.log("");
    const found = compare(packed, folder, variants);
    if (found.length > 0) throw new Error(`not the same:\n- ${found.join("\n- ")}`);
    console.log("Both builds are the same, byte for byte.");
  } finally {
    if (!keep) rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({
      options: {
        against: { type: "string" },
        variants: { type: "string" },
        folder: { type: "string" },
        keep: { type: "boolean" },
      },
    });
    await reproduce(values);
  } catch (error) {
    console.error(`reproduce: ${error.message}`);
    process.exitCode = 1;
  }
}

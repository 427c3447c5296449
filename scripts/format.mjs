#!/usr/bin/env node
// npm run format: C++ by clang-format, everything else by Prettier, in place. `npm run format --
// --check` changes nothing, names the files that would change and fails. Settings: .clang-format,
// .prettierrc.json. Both formatters are pinned: another version formats differently.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setUpNodeModules } from "./setup/node-modules.mjs";
import { pinnedWheel } from "./setup/build-tools.mjs";
import { root } from "./toolchain.mjs";
import { trackedFiles } from "./tracked-files.mjs";

const clangFormatVersion = "21.1.8";
const cppEndings = /\.(cc|h|c)$/;
const prettierEndings = /\.(mjs|cjs|js|ts|css|html|json|md|ya?ml)$/;

// Runs a formatter; resolves to its exit code and output lines.
function formatter(program, args) {
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== "number") return reject(error);
        const lines = `${stdout}${stderr}`.split("\n").filter(Boolean);
        resolve({ code: error?.code ?? 0, lines });
      },
    );
  });
}

async function formatCpp(program, files, check) {
  const options = check ? ["--dry-run", "--Werror"] : ["-i"];
  const { code, lines } = await formatter(program, [...options, ...files]);
  const unformatted = new Set();
  for (const line of lines) {
    const [, name] = /^(.*?):\d+:\d+: error: code should be clang-formatted/.exec(line) ?? [];
    if (name) unformatted.add(name);
  }
  if (code !== 0 && unformatted.size === 0) throw new Error(lines.join("\n"));
  return [...unformatted];
}

async function formatOthers(files, check) {
  const prettier = join(root, "node_modules", "prettier", "bin", "prettier.cjs");
  const mode = check ? "--list-different" : "--write";
  const { code, lines } = await formatter(process.execPath, [prettier, mode, ...files]);
  // 1: files differ; 2: one of them cannot be read.
  if (code > 1 || (code === 1 && !check)) throw new Error(lines.join("\n"));
  return check ? lines : [];
}

/**
 * Formats the tree; with `check` only looks at it. Returns the files that are not formatted (none
 * unless `check`). Throws where a formatter cannot read a file.
 */
export async function format({ check = false } = {}) {
  await setUpNodeModules();
  const clangFormat = await pinnedWheel("clang-format", clangFormatVersion);
  const names = trackedFiles();
  const unformatted = await Promise.all([
    formatCpp(
      clangFormat,
      names.filter((name) => cppEndings.test(name)),
      check,
    ),
    formatOthers(
      names.filter((name) => prettierEndings.test(name)),
      check,
    ),
  ]);
  return unformatted.flat();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { check: { type: "boolean" } } });
    const unformatted = await format(values);
    for (const name of unformatted) console.error(`not formatted: ${name}`);
    if (unformatted.length > 0) console.error("`npm run format` formats them.");
    process.exitCode = unformatted.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(`format: ${error.message}`);
    process.exitCode = 1;
  }
}

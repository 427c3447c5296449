#!/usr/bin/env node
// npm run format: C++ by clang-format, everything else by Prettier, in place. `npm run format --
// --check` changes nothing and fails where a file is not as they would write it. Settings:
// .clang-format, .prettierrc.json. Both formatters are pinned: another version formats otherwise.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setUpNodeModules } from "./setup/node-modules.mjs";
import { runPip } from "./setup/build-tools.mjs";
import { present, step } from "./setup/steps.mjs";
import { pythonDir, root, run, versionOf } from "./toolchain.mjs";

const clangFormatVersion = "21.1.8";

/** The path of clang-format in its pinned version: the machine's own, or a private one. */
async function clangFormat() {
  const candidates = ["clang-format", join(pythonDir, "bin", "clang-format")];
  const found = candidates.find((command) => versionOf(command) === clangFormatVersion);
  if (found) present("clang-format", clangFormatVersion);
  else {
    const wheel = `clang-format==${clangFormatVersion}`;
    await step(`clang-format from ${wheel}`, () => runPip(["install", wheel]).then(() => {}));
  }
  return found ?? candidates[1];
}

/** The files that git knows, or would add, whose names end in one of `endings`. */
function filesEndingIn(...endings) {
  const listed = run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    quiet: true,
  });
  return listed
    .split("\0")
    .filter(
      (name) => endings.some((ending) => name.endsWith(ending)) && existsSync(join(root, name)),
    );
}

/** Formats the tree, or with `check` only looks at it; throws where a file is not formatted. */
export async function format({ check = false } = {}) {
  await setUpNodeModules();
  const cpp = filesEndingIn(".cc", ".h", ".c");
  run(await clangFormat(), check ? ["--dry-run", "--Werror", ...cpp] : ["-i", ...cpp]);
  const prettier = join(root, "node_modules", "prettier", "bin", "prettier.cjs");
  const mode = check ? "--check" : "--write";
  run(process.execPath, [prettier, mode, "--log-level", "warn", "."]);
}

try {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  await format(values);
} catch (error) {
  console.error(`format: ${error.message}`);
  process.exitCode = 1;
}

// Packs dist/ and the documents as npm does, into a file whose bytes depend on their contents
// alone: npm fixes times, owners and order, but keeps the modes that the files have on the disk,
// which come from the umask of who checked them out and built them.
import { chmodSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run } from "./toolchain.mjs";

const pack = (...flags) =>
  JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", ...flags], { quiet: true }))[0];

/**
 * Packs the package into `folder`. Returns npm's report { filename, size, entryCount, … } with
 * `file`, the path of what was packed.
 */
export function packPackage(folder) {
  const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const programs = new Set(Object.values(bin));
  for (const { path } of pack("--dry-run").files) {
    const mode = programs.has(path) ? 0o755 : 0o644;
    const file = join(root, path);
    if ((statSync(file).mode & 0o777) !== mode) chmodSync(file, mode);
  }
  mkdirSync(folder, { recursive: true });
  const report = pack("--pack-destination", folder);
  return { ...report, file: join(folder, report.filename) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const [folder = join(root, "build")] = process.argv.slice(2);
    console.log(JSON.stringify(packPackage(resolve(folder))));
  } catch (error) {
    console.error(`pack: ${error.message}`);
    process.exitCode = 1;
  }
}

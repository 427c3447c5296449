// node_modules, exactly as package-lock.json says, whenever they are missing or older than it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "../toolchain.mjs";
import { folderBytes, present, step } from "./steps.mjs";

/** npm's own record of what it installed agrees with the lock: same packages, same versions. */
function upToDate() {
  const packagesOf = (path) =>
    existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : null;
  const wanted = packagesOf(join(root, "package-lock.json"));
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  if (!wanted || !installed) return false;
  // The entry without a path is this package itself; optional ones are builds for other machines.
  return Object.entries(wanted).every(
    ([path, entry]) =>
      !path ||
      (installed[path] ? installed[path].integrity === entry.integrity : entry.optional === true),
  );
}

export async function setUpNodeModules() {
  if (upToDate()) return present("node modules", "as in package-lock.json");
  await step("node modules (npm ci)", () => {
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { quiet: true });
    const bytes = folderBytes(join(root, "node_modules"));
    return `${(bytes / 1e6).toFixed(0)} MB on disk`;
  });
}

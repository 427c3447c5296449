// Packages that tests want and the repository itself does not: installed under build/, as a
// package-lock.json of the tests pins them.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "../toolchain.mjs";

const names = ["package.json", "package-lock.json"];

/** Installs what the lock in `tests` names to `folder`, unless it is there. */
export function installClients(tests, folder) {
  // The lock that node_modules were installed from lies beside them.
  const same = names.every((name) => {
    const installed = join(folder, name);
    return (
      existsSync(installed) &&
      readFileSync(installed, "utf8") === readFileSync(join(tests, name), "utf8")
    );
  });
  if (same && existsSync(join(folder, "node_modules", ".package-lock.json"))) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of names) cpSync(join(tests, name), join(folder, name));
  // Nothing here runs on install; several majors of one library cannot agree on their peers.
  run("npm", ["ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"], {
    cwd: folder,
    quiet: true,
  });
}

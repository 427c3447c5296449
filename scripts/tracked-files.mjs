// The files of the repository: what formatters, linters and checks look at.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./toolchain.mjs";

/** Paths from the root of all files that git knows, or would add, and that are there. */
export function trackedFiles() {
  const listed = run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    quiet: true,
  });
  return listed.split("\0").filter((name) => name && existsSync(join(root, name)));
}

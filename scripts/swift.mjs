#!/usr/bin/env node
// node scripts/swift.mjs build|test|run|package ...: the `swift` command on this repository. Where
// the machine has one (macOS, a Swift toolchain on PATH) that is used; else the private one of
// `npm run setup -- swift`, whose folder becomes the root folder of the command, with the
// repository at the path where it is outside.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { atLeast, root, runShown, swiftDir, versionOf } from "./toolchain.mjs";

/** Where what Swift builds lies, apart from `.build` of people who call `swift` themselves. */
export const scratch = join(root, "build", "swift");

const oldest = "6.0";
const image = join(swiftDir, "root");

/** The version of a Swift on PATH that is new enough, or null. */
export function installedSwift() {
  const version = versionOf("swift");
  return version && atLeast(version, oldest) ? version : null;
}

/** Whether runSwift can run anything. */
export const haveSwift = () => installedSwift() !== null || existsSync(image);

// Runs in namespaces of its own: the mounts vanish with it. /small is a disk for tests of full
// ones.
const enter = `set -e
image=$1; root=$2; folder=$3; shift 3
for path in /dev /proc "$root"; do
  mkdir -p "$image$path"
  mount --rbind "$path" "$image$path"
done
mkdir -p "$image/small"
mount -t tmpfs -o size=2m none "$image/small"
exec chroot "$image" /bin/sh -c 'cd "$1" && shift && exec "$@"' enter "$folder" "$@"`;

function command(program, args, cwd) {
  if (installedSwift()) return { command: program, args, env: process.env };
  if (!existsSync(image)) throw new Error("no Swift here: npm run setup -- swift");
  const mounts = process.getuid() === 0 ? ["--mount"] : ["--mount", "--map-root-user"];
  // Folders of programs in both roots; nothing else of the outer environment.
  const path = ["/usr/libexec/swift/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].join(":");
  return {
    command: "unshare",
    args: [...mounts, "sh", "-c", enter, "enter", image, root, cwd, program, ...args],
    env: { PATH: path, HOME: "/tmp", LANG: "C.UTF-8", TINYVLM_SMALL_DISK: "/small" },
  };
}

/**
 * Runs a program of the Swift toolchain in `cwd`, a folder of the repository, with its output shown
 * unless `quiet`; resolves to { status, output }, and `stdout` of a quiet one.
 */
export async function runSwift(program, args, { cwd = root, quiet = false } = {}) {
  const swift = command(program, args, cwd);
  const settings = { cwd, env: swift.env };
  if (!quiet) return runShown(swift.command, swift.args, settings);
  const found = spawnSync(swift.command, swift.args, { ...settings, encoding: "utf8" });
  if (found.error) throw new Error(`${swift.command} does not start: ${found.error.message}`);
  const { status, stdout } = found;
  return { status, stdout, output: stdout + found.stderr };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, ...args] = process.argv.slice(2);
  const { status } = await runSwift("swift", [command, "--scratch-path", scratch, ...args]);
  process.exitCode = status;
}

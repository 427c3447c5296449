#!/usr/bin/env node
// node scripts/swift.mjs build|test|run|package ...: the `swift` command on this repository. Where
// the machine has one (macOS, a Swift toolchain on PATH) that is used; else the private one of
// `npm run setup -- swift`, whose folder becomes the root folder of the command, with the
// repository and the test data at the paths where they are outside.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
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

// Runs in namespaces of its own: the mounts vanish with it. /small is a disk for tests of a full one.
const enter = `set -e
image=$1; shift
folders=$1; shift
for folder in /dev /proc $folders; do
  mkdir -p "$image$folder"
  mount --rbind "$folder" "$image$folder"
done
mkdir -p "$image/small" && mount -t tmpfs -o size=2m none "$image/small"
exec chroot "$image" /bin/sh -c 'cd "$1" && shift && exec "$@"' enter "$@"`;

/**
 * Runs a program of the Swift toolchain with its output shown, in `cwd` (a folder of the
 * repository); resolves to { status, output }. `env`: variables that it sees beside the least.
 */
export function runSwift(program, args, { env = {}, cwd = root } = {}) {
  const shared = resolve(root, process.env.TINYVLM_SHARED || join("..", "shared"));
  const seen = { ...env, ...(existsSync(shared) ? { TINYVLM_SHARED: shared } : {}) };
  if (installedSwift()) return runShown(program, args, { cwd, env: { ...process.env, ...seen } });
  if (!existsSync(image)) throw new Error("no Swift here: npm run setup -- swift");
  const folders = [root, ...(existsSync(shared) ? [shared] : [])];
  const spaced = folders.find((folder) => /\s/.test(folder));
  if (spaced) throw new Error(`the private Swift wants a folder without spaces, found ${spaced}`);
  const asRoot = process.getuid() === 0 ? [] : ["--map-root-user"];
  // Both roots' folders of programs; nothing else of the outer environment.
  const path = ["/usr/libexec/swift/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].join(":");
  return runShown(
    "unshare",
    [
      "--mount",
      ...asRoot,
      "sh",
      "-c",
      enter,
      "enter",
      image,
      folders.join(" "),
      cwd,
      program,
    ].concat(args),
    { env: { PATH: path, HOME: "/tmp", LANG: "C.UTF-8", TINYVLM_SMALL_DISK: "/small", ...seen } },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, ...args] = process.argv.slice(2);
  const { status } = await runSwift("swift", [command, "--scratch-path", scratch, ...args]);
  process.exitCode = status;
}

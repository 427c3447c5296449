// What builds and runs the engine for Arm on another machine: zig (Clang, LLD, libc++ and the C
// libraries' headers in one wheel of Python's package index, pinned with its hash) and qemu's
// user-mode emulator (Debian, unpacked and not installed). Both lie under .toolchain.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, run, toolchainDir } from "../toolchain.mjs";
import { aptMissing, Suite } from "./apt.mjs";
import { runPip } from "./build-tools.mjs";
import { present, step } from "./steps.mjs";

const zigFolder = join(toolchainDir, "zig");
const qemuFolder = join(toolchainDir, "qemu");

/** The folder of zig's own files, and zig itself in it. */
export const zigDir = join(zigFolder, "ziglang");
export const zigProgram = join(zigDir, "zig");

/** The emulator that runs a Linux program for arm64; `-cpu` chooses the processor. */
export const qemuProgram = join(qemuFolder, "usr", "bin", "qemu-aarch64");

/** process.env with zig's caches, which would else lie in the home folder, under .toolchain. */
export const zigEnvironment = (env = process.env) => ({
  ...env,
  ZIG_GLOBAL_CACHE_DIR: join(toolchainDir, "zig-cache"),
  ZIG_LOCAL_CACHE_DIR: join(toolchainDir, "zig-cache"),
});

export async function setUpZig() {
  if (existsSync(zigProgram))
    return present("zig", run(zigProgram, ["version"], { quiet: true }).trim());
  await step("zig, the compiler of the cross builds", async () => {
    const partial = `${zigFolder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    const lock = join(root, "scripts", "zig.lock.txt");
    await runPip([
      "install",
      "--target",
      partial,
      "--no-deps",
      "--no-compile",
      "--require-hashes",
      "-r",
      lock,
    ]);
    rmSync(zigFolder, { recursive: true, force: true });
    renameSync(partial, zigFolder);
  });
}

export async function setUpQemu() {
  if (existsSync(qemuProgram)) {
    const [, version] = /version (\S+)/.exec(run(qemuProgram, ["--version"], { quiet: true }));
    return present("qemu", version);
  }
  if (aptMissing()) throw new Error(`qemu comes from Debian's archive, and ${aptMissing()}`);
  const suite = new Suite("trixie");
  await suite.open();
  await step("qemu's user-mode emulator", () => {
    const partial = `${qemuFolder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    suite.download(["qemu-user"], partial);
    const archive = readdirSync(partial).find((name) => name.endsWith(".deb"));
    run("dpkg-deb", ["-x", join(partial, archive), partial], { quiet: true });
    rmSync(join(partial, archive));
    rmSync(qemuFolder, { recursive: true, force: true });
    renameSync(partial, qemuFolder);
  });
}

// Swift for Linux, to test the Swift package (mobile/swift) where there is no Xcode: Debian's
// packages of Swift and of all that it needs, unpacked under .toolchain/swift. Its programs look
// for each other at absolute paths, so they run with that folder as their root (scripts/swift.mjs).
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, swiftDir } from "../toolchain.mjs";
import { aptMissing, Suite } from "./apt.mjs";
import { compareWithLock, mergeUsr, unpackPackages } from "./deb-packages.mjs";
import { folderBytes, megabytes, present, step } from "./steps.mjs";

const suiteName = "trixie"; // the only release of Debian with a Swift 6.0
const oldest = "6.0";
const lockPath = join(root, "scripts", "swift.lock.json");
const stamp = join(swiftDir, "ready.json");

// The compiler with its linker, headers of C and C++ for the engine, a shell for what calls one.
const wanted = ["swiftlang", "libc6-dev", "libstdc++-14-dev", "dash"];

// Dependencies of packages' installation scripts, which never run here.
const unneeded = ["debconf", "debianutils"];

/** Unpacks Swift under .toolchain/swift where it is not there yet. */
export async function setUpSwift() {
  const ready = existsSync(stamp) ? JSON.parse(readFileSync(stamp, "utf8")) : null;
  if (ready) return present("Swift", `${ready.version} (private, from Debian ${suiteName})`);
  const missing = aptMissing();
  if (missing) throw new Error(`Swift cannot be fetched: ${missing}`);
  await step("Swift", async () => {
    const suite = new Suite(suiteName);
    await suite.open();
    const version = suite.package("swiftlang")?.version;
    if (!version?.startsWith(oldest))
      throw new Error(`Debian ${suiteName} has Swift ${version ?? "(none)"}, ${oldest} is wanted`);
    const packages = suite.closure(wanted).filter((name) => !unneeded.includes(name));
    rmSync(swiftDir, { recursive: true, force: true });
    const debs = join(swiftDir, "debs");
    await step(`Swift ${version}: ${packages.length} packages of Debian ${suiteName}`, () => {
      suite.download(packages, debs);
      return compareWithLock(lockPath, suiteName, debs);
    });
    await step("unpack", () => {
      const image = join(swiftDir, "root");
      unpackPackages(debs, image);
      mergeUsr(image, ["bin", "sbin", "lib", "lib64"]);
      for (const folder of ["dev", "proc", "tmp"])
        mkdirSync(join(image, folder), { recursive: true });
      if (!existsSync(join(image, "bin", "sh"))) run("ln", ["-s", "dash", join(image, "bin/sh")]);
      rmSync(debs, { recursive: true });
      return `${megabytes(folderBytes(image))} on disk`;
    });
    writeFileSync(`${stamp}.partial`, `${JSON.stringify({ version })}\n`);
    renameSync(`${stamp}.partial`, stamp);
  });
}

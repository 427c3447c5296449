// The suite `android`: the Android library's tests under Maven, with the engine built for this
// machine, then the AAR and what D8 and R8 say of it. mobile/android/README.md says what that
// proves and what not.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildPreset } from "./build.mjs";
import { androidLibrary, buildAndroidLibraries } from "./mobile/android-library.mjs";
import { androidAbis } from "./mobile/android-sysroot.mjs";
import { root, run, toolEnvironment, versionOf } from "./toolchain.mjs";

const project = join(root, "mobile", "android");
const output = join(root, "build", "android");
const abis = Object.keys(androidAbis);

const units = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** Runs Maven; what it prints is shown, except of each download, of which the sum is told. */
function maven(args) {
  return new Promise((resolve) => {
    const child = spawn("mvn", ["--batch-mode", ...args], {
      cwd: project,
      env: toolEnvironment(),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const fetched = { files: 0, bytes: 0, large: [] };
    let rest = "";
    const take = (line) => {
      const [, name, size, unit] =
        /Downloaded from \S+: \S*\/(\S+) \(([\d.]+) ([kMG]?B) at/.exec(line) ?? [];
      if (name) {
        const bytes = Number(size) * units[unit];
        fetched.files += 1;
        fetched.bytes += bytes;
        if (bytes >= 5e6) fetched.large.push(`${name} (${size} ${unit})`);
      } else if (!/Download(ing|ed) from|Progress \(/.test(line)) console.log(line);
    };
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      lines.forEach(take);
    });
    child.on("error", (error) => resolve({ status: 127, fetched, error }));
    child.on("close", (status) => resolve({ status: status ?? 1, fetched }));
  });
}

/** Counts of the reports that surefire wrote. */
function countReports(folder) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (!existsSync(folder)) return counts;
  for (const name of readdirSync(folder).filter((file) => /^TEST-.*\.xml$/.test(file))) {
    const [suite] = /<testsuite [^>]*>/.exec(readFileSync(join(folder, name), "utf8")) ?? [""];
    const number = (word) => Number(new RegExp(` ${word}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    const failed = number("failures") + number("errors");
    counts.failed += failed;
    counts.skipped += number("skipped");
    counts.passed += number("tests") - failed - number("skipped");
  }
  return counts;
}

/**
 * Brings the libraries that lie there up to date, which takes seconds where no source has changed:
 * the AAR would else be made of old ones. Where there are none, none are built.
 */
async function renewLibraries() {
  for (const abi of abis.filter((abi) => existsSync(androidLibrary(abi)))) {
    const folder = dirname(androidLibrary(abi));
    const cache = join(folder, "CMakeCache.txt");
    if (!existsSync(cache)) {
      const path = androidLibrary(abi);
      console.log(`${path} was not built here: it may be older than the sources`);
    } else if (/toolchain-zig\.cmake$/m.test(readFileSync(cache, "utf8"))) {
      await buildAndroidLibraries([abi]);
    } else {
      run("cmake", ["--build", folder, "--target", "tinyvlm_shared"], { env: toolEnvironment() });
    }
  }
}

/** Runs the suite; resolves to its counts. */
export async function androidSuite() {
  const missing = ["mvn", "java"].filter((program) => !versionOf(program));
  if (missing.length > 0) {
    console.log(`no ${missing.join(", ")} here: install Maven and a JDK of version 17 or newer`);
    if (process.env.CI === "true") return { passed: 0, failed: 1 };
    return { passed: 0, failed: 0, skipped: 1 };
  }
  buildPreset("jni-host", ["tinyvlm_shared"], { tests: false });
  await renewLibraries();
  rmSync(join(output, "surefire-reports"), { recursive: true, force: true });
  const { status, fetched, error } = await maven(["verify"]);
  if (error) console.error(error.message);
  const list = fetched.large.length > 0 ? `: ${fetched.large.join(", ")} and smaller ones` : "";
  console.log(`Maven fetched ${fetched.files} files, ${Math.round(fetched.bytes / 1e6)} MB${list}`);
  const without = abis.filter((abi) => !existsSync(androidLibrary(abi)));
  if (without.length > 0)
    console.log(
      `The AAR is incomplete: no build/android-{${without.join(",")}}/libtinyvlm.so ` +
        "(mobile/android/README.md tells how they are built)",
    );
  const counts = countReports(join(output, "surefire-reports"));
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

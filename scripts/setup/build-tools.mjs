// CMake and Ninja: the machine's own where they are new enough, else wheels in a private Python
// environment.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { atLeast, pythonDir, run, versionOf } from "../toolchain.mjs";
import { countFetched, present, step } from "./steps.mjs";

const tools = [
  { name: "cmake", oldest: "3.22", wheel: "cmake==3.31.6" },
  { name: "ninja", oldest: "1.10", wheel: "ninja==1.11.1.4" },
];

const pip = join(pythonDir, "bin", "pip");

/** The private Python environment's pip, made on first use. */
export async function privatePip() {
  if (existsSync(pip)) return pip;
  await step("private Python environment", async () => {
    try {
      run("python3", ["-m", "venv", pythonDir], { quiet: true });
    } catch (error) {
      // Debian splits ensurepip off into python3-venv; where that is missing, pip is brought in by
      // the machine's own pip.
      run("python3", ["-m", "venv", "--without-pip", pythonDir], { quiet: true });
      try {
        run(
          "python3",
          ["-m", "pip", "--python", join(pythonDir, "bin", "python3"), "install", "-q", "pip"],
          { quiet: true },
        );
      } catch {
        throw new Error(
          `python3 can make no environment with pip (Debian: apt-get install python3-venv): ${error.message}`,
        );
      }
    }
  });
  return pip;
}

/** Runs the private pip; returns what it printed and counts what it downloaded. */
export async function runPip(args) {
  const output = run(
    await privatePip(),
    [...args, "--disable-pip-version-check", "--progress-bar", "off"],
    { quiet: true },
  );
  for (const [, size, unit] of output.matchAll(/^\s*Downloading .*\((\d+(?:\.\d+)?) (kB|MB)\)/gm))
    countFetched(Number(size) * (unit === "MB" ? 1e6 : 1e3));
  return output;
}

/**
 * The path of a program in exactly this version: the machine's own where it is that one, else from
 * a wheel of Python's package index in the private environment.
 */
export async function pinnedWheel(name, version) {
  const candidates = [name, join(pythonDir, "bin", name)];
  const found = candidates.find((command) => versionOf(command) === version);
  if (found) {
    present(name, version);
    return found;
  }
  await step(`${name} ${version}`, () => runPip(["install", `${name}==${version}`]).then(() => {}));
  return candidates[1];
}

export async function setUpBuildTools() {
  for (const { name, oldest, wheel } of tools) {
    const candidates = [name, join(pythonDir, "bin", name)];
    const found = candidates
      .map((command) => ({ command, version: versionOf(command) }))
      .find(({ version }) => version && atLeast(version, oldest));
    if (found) present(name, found.version);
    else await step(`${name} from ${wheel}`, () => runPip(["install", wheel]).then(() => {}));
  }
  if (!["c++", "g++", "clang++"].some((compiler) => versionOf(compiler)))
    throw new Error("no C++ compiler found (Debian: apt-get install g++)");
}

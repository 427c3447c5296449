// Where the tools lie: the repository root, its private toolchain, and the environment in which
// CMake, Ninja and Emscripten are found.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const toolchainDir = join(root, ".toolchain");
export const emscriptenDir = join(toolchainDir, "emscripten");
export const pythonDir = join(toolchainDir, "python");
export const swiftDir = join(toolchainDir, "swift");
export const depsDir = join(root, ".deps");

/** The oldest Emscripten that the build is made for. */
export const oldestEmscripten = "3.1.50";

/** Is version `a` (numbers with dots) at least `b`? */
export function atLeast(a, b) {
  const [x, y] = [a, b].map((version) => version.split(".").map(Number));
  for (let i = 0; i < Math.max(x.length, y.length); ++i) {
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) > (y[i] ?? 0);
  }
  return true;
}

/** What `command --version` says first that looks like a version, or null where it does not run. */
export function versionOf(command, env = process.env) {
  const { stdout, status } = spawnSync(command, ["--version"], { env, encoding: "utf8" });
  return status === 0 ? (/\d+\.\d+(\.\d+)*/.exec(stdout)?.[0] ?? null) : null;
}

/**
 * Folder and version of an emcc of the machine's own (PATH, then EMSDK) that is new enough, or
 * null.
 */
export function installedEmscripten() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  if (process.env.EMSDK) folders.push(join(process.env.EMSDK, "upstream", "emscripten"));
  const folder = folders.find((candidate) => candidate && existsSync(join(candidate, "emcc")));
  const version = folder && versionOf(join(folder, "emcc"));
  return version && atLeast(version, oldestEmscripten) ? { folder, version } : null;
}

/**
 * process.env with every tool that set-up may have installed on PATH; a machine's own tools come
 * first, except for an Emscripten that is too old.
 */
export function toolEnvironment() {
  const own = installedEmscripten();
  const before = own ? [own.folder] : [join(emscriptenDir, "bin")];
  const path = [...before, process.env.PATH, join(pythonDir, "bin")]
    .filter(Boolean)
    .join(delimiter);
  const env = { ...process.env, PATH: path };
  // These would make the private emcc read another installation's settings.
  if (!own)
    for (const name of ["EM_CONFIG", "EM_CACHE", "EMSDK_PYTHON", "EMSDK_NODE"]) delete env[name];
  return env;
}

/** Runs a command with its output shown; throws where it fails. */
export function run(command, args, { env = process.env, cwd = root, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    env,
    cwd,
    encoding: "utf8",
    stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
    maxBuffer: 1 << 28,
  });
  if (result.error) throw new Error(`${command} does not start: ${result.error.message}`);
  if (result.status !== 0) {
    const said = quiet
      ? `\n${(result.stdout + result.stderr).trim().split("\n").slice(-30).join("\n")}`
      : "";
    throw new Error(
      `${command} ${args.join(" ")} ended with ${result.signal ?? `exit code ${result.status}`}${said}`,
    );
  }
  return result.stdout;
}

/**
 * Runs a command, shows its output as it comes and also returns it: { status, output }. Never
 * throws for a failing command.
 */
export function runShown(command, args, { env = process.env, cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (stream) => (chunk) => {
      output += chunk;
      stream.write(chunk);
    };
    child.stdout.on("data", take(process.stdout));
    child.stderr.on("data", take(process.stderr));
    child.on("error", (error) =>
      resolve({ status: 127, output: `${output}${command}: ${error.message}\n` }),
    );
    child.on("close", (status) => resolve({ status: status ?? 1, output }));
  });
}

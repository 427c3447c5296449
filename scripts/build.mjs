#!/usr/bin/env node
// npm run build: everything the npm package consists of: the wasm builds of the engine and its
// tools, then dist/. Sets up what is missing first; with nothing changed it is done in seconds.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run, toolEnvironment } from "./toolchain.mjs";
import { setUp } from "./setup.mjs";
import { step, summary } from "./setup/steps.mjs";

export const wasmVariants = ["scalar", "simd", "relaxed", "simd-mt", "relaxed-mt"];

/** Modules of a variant; the one that converts checkpoints is built once (wasm/CMakeLists.txt). */
export const wasmModules = (variant) => [
  ...["tiny-vlm", "tiny-vlm-tools"],
  ...(variant === "scalar" ? ["tiny-vlm-convert"] : []),
];

// In CI compiler warnings are errors; from the first build on, because a change of flags compiles
// everything anew.
const warnings = process.env.CI === "true" ? ["-DTINYVLM_WERROR=ON"] : [];

// Whether a preset is configured: not at all, without its tests, or whole.
function configured(preset) {
  const folder = join(root, "build", preset);
  if (!existsSync(join(folder, "build.ninja"))) return "no";
  const cache = readFileSync(join(folder, "CMakeCache.txt"), "utf8");
  return /^TINYVLM_TESTS:\w+=OFF$/m.test(cache) ? "without tests" : "whole";
}

/**
 * Configures a preset where it has not been, then builds targets of it (all of them where none is
 * named). Without `tests` a preset that is configured anew gets no test programs and needs no
 * sources of theirs; what is compiled then is not compiled again when they are wanted.
 */
export function buildPreset(preset, targets = [], { settings = [], tests = true } = {}) {
  const env = toolEnvironment();
  const state = configured(preset);
  const testless = !tests && state !== "whole" ? ["-DTINYVLM_TESTS=OFF"] : [];
  const all = [...warnings, ...settings, ...testless];
  if (all.length > 0 || state === "no" || (tests && state === "without tests"))
    run("cmake", ["--preset", preset, ...all], { env, quiet: true });
  const jobs = process.env.TINYVLM_JOBS ? ["-j", process.env.TINYVLM_JOBS] : [];
  run(
    "cmake",
    [
      "--build",
      join("build", preset),
      ...jobs,
      ...(targets.length > 0 ? ["--target", ...targets] : []),
    ],
    { env, quiet: true },
  );
}

// When a file, or the newest file under a folder, was changed; 0 where there is none.
function changed(path) {
  if (!existsSync(path)) return 0;
  if (!statSync(path).isDirectory()) return statSync(path).mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changed(join(path, name))));
}

function packageIsCurrent() {
  const built = wasmVariants.flatMap((variant) =>
    wasmModules(variant).flatMap((name) =>
      ["mjs", "wasm"].map((type) => `build/wasm-${variant}/${name}.${type}`),
    ),
  );
  const inputs = [
    "js-sdk",
    "model",
    "package.json",
    "tsconfig.json",
    "scripts/build-sdk.mjs",
    "scripts/declarations.mjs",
    ...built,
  ];
  const last = join(root, "dist", "types-cjs", "package.json"); // what build-sdk writes last
  return inputs.every((path) => changed(join(root, path)) < changed(last));
}

/** The wasm variants that have never been built here. */
const variantsToBuild = () =>
  wasmVariants.filter(
    (variant) => !existsSync(join(root, "build", `wasm-${variant}`, "tiny-vlm.wasm")),
  );

/** Says what buildPackage() is about to compile and roughly how long that takes, if it is much. */
export function announcePackage() {
  const missing = variantsToBuild();
  if (missing.length === 0) return;
  console.log(`To be compiled first, once: the wasm variants ${missing.join(", ")},`);
  console.log(
    "about 2 minutes of processor time each, and Emscripten's system libraries where they",
  );
  console.log("are missing (another 5).");
}

/** Builds the wasm variants and the package. */
export async function buildPackage() {
  await setUp();
  for (const variant of wasmVariants)
    await step(`wasm ${variant}`, () => buildPreset(`wasm-${variant}`, wasmModules(variant)));
  if (packageIsCurrent()) return;
  await step(
    "package (dist/)",
    () =>
      void run(process.execPath, [join(root, "scripts", "build-sdk.mjs")], {
        env: toolEnvironment(),
        quiet: true,
      }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    announcePackage();
    await buildPackage();
    console.log(`Build done: ${summary()}`);
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}

#!/usr/bin/env node
// npm run build: everything the npm package consists of: the wasm builds of the engine and its
// tools, then dist/. Sets up what is missing first; with nothing changed it is done in seconds.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run, toolEnvironment } from "./toolchain.mjs";
import { setUp } from "./setup.mjs";
import { step, summary } from "./setup/steps.mjs";

export const wasmVariants = ["scalar", "simd", "relaxed", "simd-mt", "relaxed-mt"];

// In CI compiler warnings are errors; from the first build on, because a change of flags compiles
// everything anew.
const warnings = process.env.CI === "true" ? ["-DTINYVLM_WERROR=ON"] : [];

/**
 * Configures a preset where it has not been, then builds targets of it (all of them where none is
 * named).
 */
export function buildPreset(preset, targets = [], extraSettings = []) {
  const env = toolEnvironment();
  const settings = [...warnings, ...extraSettings];
  if (settings.length > 0 || !existsSync(join(root, "build", preset, "build.ninja")))
    run("cmake", ["--preset", preset, ...settings], { env, quiet: true });
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
  const modules = ["tiny-vlm.mjs", "tiny-vlm.wasm", "tiny-vlm-tools.mjs", "tiny-vlm-tools.wasm"];
  const built = wasmVariants.flatMap((variant) =>
    modules.map((name) => `build/wasm-${variant}/${name}`),
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

/** Builds the wasm variants and the package. */
export async function buildPackage() {
  await setUp();
  for (const variant of wasmVariants)
    await step(`wasm ${variant}`, () =>
      buildPreset(`wasm-${variant}`, ["tiny-vlm", "tiny-vlm-tools"]),
    );
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
    await buildPackage();
    console.log(`Build done: ${summary()}`);
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}

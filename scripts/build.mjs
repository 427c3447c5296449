#!/usr/bin/env node
// npm run build: everything the npm package consists of: the wasm builds of the engine and its tools, then dist/. Sets up what is missing first; with
// nothing changed it is done in seconds.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run, toolEnvironment } from './toolchain.mjs';
import { setUp } from './setup.mjs';
import { step, summary } from './setup/steps.mjs';

export const wasmVariants = ['scalar', 'simd', 'simd-mt'];

/** Configures a preset where it has not been, then builds targets of it (all of them where none is named). */
export function buildPreset(preset, targets = [], settings = []) {
  const env = toolEnvironment();
  if (settings.length > 0 || !existsSync(join(root, 'build', preset, 'build.ninja'))) run('cmake', ['--preset', preset, ...settings], { env, quiet: true });
  const jobs = process.env.TINYVLM_JOBS ? ['-j', process.env.TINYVLM_JOBS] : [];
  run('cmake', ['--build', join('build', preset), ...jobs, ...(targets.length > 0 ? ['--target', ...targets] : [])], { env, quiet: true });
}

// The newest change among files and folders (0 where none exists).
function newestChange(paths) {
  return Math.max(0, ...paths.filter((path) => existsSync(path)).flatMap((path) => (statSync(path).isDirectory() ? readdirSync(path).map((name) => newestChange([join(path, name)])) : [statSync(path).mtimeMs])));
}

function packageIsCurrent() {
  const inputs = ['js-sdk', 'model', 'package.json', 'tsconfig.json', 'scripts/build-sdk.mjs'].map((path) => join(root, path));
  for (const variant of wasmVariants) for (const name of ['tiny-vlm', 'tiny-vlm-tools']) for (const type of ['mjs', 'wasm']) inputs.push(join(root, 'build', `wasm-${variant}`, `${name}.${type}`));
  const last = join(root, 'dist', 'types-cjs', 'package.json');  // what build-sdk writes last
  return existsSync(last) && statSync(last).mtimeMs > newestChange(inputs);
}

/** Builds the wasm variants and the package. */
export async function buildPackage() {
  await setUp();
  for (const variant of wasmVariants) await step(`wasm ${variant}`, () => buildPreset(`wasm-${variant}`, ['tiny-vlm', 'tiny-vlm-tools']));
  if (packageIsCurrent()) return;
  await step('package (dist/)', () => void run(process.execPath, [join(root, 'scripts', 'build-sdk.mjs')], { env: toolEnvironment(), quiet: true }));
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

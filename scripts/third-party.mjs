// The licences of everything that is compiled into the package, as one text, from the sources that it was compiled from.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { depsDir, emscriptenDir, installedEmscripten, root } from './toolchain.mjs';

/** Whose code or data each binary carries, with the licences as they are written there. Throws where a source is missing. */
export function thirdPartyNotices() {
  const { sources } = JSON.parse(readFileSync(join(root, 'scripts', 'deps.lock.json'), 'utf8'));
  const parts = Object.entries(sources)
    .filter(([, { notices }]) => notices !== undefined)
    .map(([name, { version, license, notices }]) => {
      // CMake fetches what set-up could not.
      const folder = [join(depsDir, name), join(root, 'build', 'wasm-simd', '_deps', `${name}-src`)].find(existsSync);
      if (folder === undefined) throw new Error(`the sources of ${name} are not there: npm run setup`);
      return [`${name} ${version} (${license})`, ...notices.map((file) => readFileSync(join(folder, file), 'utf8').trim())];
    });
  const emscripten = installedEmscripten()?.folder ?? join(emscriptenDir, 'root', 'usr', 'share', 'emscripten');
  parts.push(['The C library of Emscripten (MIT)', readFileSync(join(emscripten, 'system', 'lib', 'libc', 'musl', 'COPYRIGHT'), 'utf8').trim()]);
  const rule = '-'.repeat(80);
  const intro = 'Tiny-VLM is licensed under Apache-2.0 (LICENSE). Its WebAssembly files contain parts of the works below.';
  return `${[intro, ...parts.map((part) => part.join('\n\n'))].join(`\n\n${rule}\n\n`)}\n`;
}

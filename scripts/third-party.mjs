// The licences of everything that is compiled into the package, as one text, from the sources that
// it was compiled from.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { depsDir, emscriptenDir, installedEmscripten, root } from "./toolchain.mjs";

// emcc may be a link or a wrapper, so its own tree may be elsewhere.
function musl() {
  const own = installedEmscripten()?.folder;
  const trees = [
    own,
    own && dirname(realpathSync(join(own, "emcc"))),
    join(emscriptenDir, "root", "usr", "share", "emscripten"),
  ];
  const files = trees
    .filter(Boolean)
    .map((tree) => join(tree, "system", "lib", "libc", "musl", "COPYRIGHT"));
  const found = files.find(existsSync);
  if (found === undefined)
    throw new Error(
      `the licence of Emscripten's C library wanted, none of ${files.join(", ")} found`,
    );
  return found;
}

/**
 * Whose code or data each binary carries, with the licences as they are written there. Throws where
 * a source is missing.
 */
export function thirdPartyNotices() {
  const { sources } = JSON.parse(readFileSync(join(root, "scripts", "deps.lock.json"), "utf8"));
  const parts = Object.entries(sources)
    .filter(([, { notices }]) => notices !== undefined)
    .map(([name, { version, license, notices }]) => {
      // CMake fetches what set-up could not.
      const folder = [
        join(depsDir, name),
        join(root, "build", "wasm-simd", "_deps", `${name}-src`),
      ].find(existsSync);
      if (folder === undefined)
        throw new Error(`the sources of ${name} are not there: npm run setup`);
      return [
        `${name} ${version} (${license})`,
        ...notices.map((file) => readFileSync(join(folder, file), "utf8").trim()),
      ];
    });
  parts.push(["The C library of Emscripten (MIT)", readFileSync(musl(), "utf8").trim()]);
  const rule = "-".repeat(80);
  const intro =
    "Tiny-VLM is licensed under Apache-2.0 (LICENSE). Its WebAssembly files contain parts of the works below.";
  return `${[intro, ...parts.map((part) => part.join("\n\n"))].join(`\n\n${rule}\n\n`)}\n`;
}

// The licences of everything that is compiled into the package, as one text, from the sources that
// it was compiled from.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { depsDir, emscriptenDir, installedEmscripten, root, run } from "./toolchain.mjs";

// emcc may be a link or a wrapper, so its own tree may be elsewhere.
function musl() {
  const own = installedEmscripten()?.folder;
  const trees = [
    own && run(join(own, "em-config"), ["EMSCRIPTEN_ROOT"], { quiet: true }).trim(),
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

// The libraries that are compiled into everything: [name and licence, texts ...] of each. Throws
// where a source is missing.
function libraries() {
  const { sources } = JSON.parse(readFileSync(join(root, "scripts", "deps.lock.json"), "utf8"));
  return Object.entries(sources)
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
}

function asText(whose, parts) {
  const rule = "-".repeat(80);
  const intro = `Tiny-VLM is licensed under Apache-2.0 (LICENSE). ${whose} parts of the works below.`;
  return `${[intro, ...parts.map((part) => part.join("\n\n"))].join(`\n\n${rule}\n\n`)}\n`;
}

/** Whose code or data each WebAssembly file carries, with the licences as written there. */
export const thirdPartyNotices = () =>
  asText("Its WebAssembly files contain", [
    ...libraries(),
    [
      "Emscripten (MIT OR NCSA), also in the JavaScript files",
      readFileSync(join(root, "scripts", "licenses", "emscripten.txt"), "utf8").trim(),
    ],
    ["The C library of Emscripten (MIT)", readFileSync(musl(), "utf8").trim()],
  ]);

/** The same of the sources in a release of the Swift package. */
export const sourceNotices = () => asText("This package contains", libraries());

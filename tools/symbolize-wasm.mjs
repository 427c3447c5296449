#!/usr/bin/env node
// Adds source lines to the wasm frames of a stack trace: "wasm-function[412]:0x1a2b3" is an offset
// in the module, and a source map written with the module (preset wasm-debug) knows whose it is.
//
//   node tools/symbolize-wasm.mjs build/wasm-debug/tiny-vlm.wasm.map < trace.txt
//
// The map must belong to the very module that trapped. Lines without an offset are passed on as
// they are.
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";

/**
 * The name of a source file from the repository's root on. The compiler writes it as seen from the
 * build folder, which a map repeats in several ways; other files keep their names.
 */
export function sourceName(name) {
  return /(?:^|\/)((?:cpp|wasm|bench)\/.*\.(?:cc|h|c))$/.exec(name)?.[1] ?? name;
}

/** `trace` with " at file:line" behind every frame that `map` (a parsed source map) knows. */
export function symbolize(trace, map) {
  const sourceMap = new SourceMap(map);
  return trace
    .split("\n")
    .map((line) => {
      const [, offset] = /wasm-function\[\d+\]:(0x[0-9a-f]+)/.exec(line) ?? [];
      if (!offset) return line;
      // A wasm source map has one line; columns are offsets.
      const { originalSource, originalLine } = sourceMap.findEntry(0, Number(offset));
      return originalSource ? `${line} at ${sourceName(originalSource)}:${originalLine + 1}` : line;
    })
    .join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path] = process.argv.slice(2);
  if (!path) {
    console.error("symbolize-wasm: wanted the path of a module's .wasm.map, found nothing");
    process.exitCode = 1;
  } else {
    const map = JSON.parse(readFileSync(path, "utf8"));
    process.stdout.write(symbolize(readFileSync(0, "utf8"), map));
  }
}

#!/usr/bin/env node
// Checks that includes and imports go in one direction. C++: an `#include` may name a folder of
// cpp/ only if the includer's layer depends on it, directly or through others, as CMakeLists.txt
// files say (`tinyvlm_layer(... DEPENDS ...)`, `target_link_libraries`): no other list is kept.
// TypeScript: the table below, and no circles. Prints each violation.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./toolchain.mjs";

/** What each folder (or entry file) of js-sdk/src may import from, besides itself. */
const sdkImports = {
  "index.ts": ["api", "protocol"],
  "node.ts": ["api", "protocol"],
  "iife.ts": ["index.ts", "support.ts"],
  // Which builds run here is decided as the worker decides it.
  "support.ts": ["api", "runtime"],
  "node-support.ts": ["api", "runtime"],
  "demo-model.ts": ["api"],
  "node-demo-model.ts": ["api"],
  "cli.ts": ["api", "cli", "protocol"],
  // Other libraries' ways to ask, each an entry of the package.
  adapters: ["api", "protocol"],
  "worker.ts": ["worker"],
  "worker-mt.ts": ["worker"],
  "node-worker.ts": ["worker"],
  "node-worker-mt.ts": ["worker"],
  "glue.d.ts": ["runtime"],
  // Loaded by a worker when a checkpoint is the source of a model.
  "checkpoint.ts": ["loader", "runtime"],
  "page-parts.ts": ["image", "protocol"],
  // Which build of the tools this Node can run is decided as the worker decides it.
  cli: ["api", "protocol", "runtime"],
  api: ["image", "loader", "page-parts.ts", "protocol"],
  worker: ["checkpoint.ts", "image", "loader", "protocol", "runtime"],
  runtime: ["protocol"],
  loader: ["protocol"],
  image: ["protocol"],
  protocol: [],
};

/** Emscripten's output and its module API are the business of this folder alone. */
const knowsEmscripten = /^js-sdk\/src\/(runtime\/|glue\.d\.ts$|(?:node-)?worker(-mt)?\.ts$)/;

/** Every node that can be reached from `start` in `edges` (name -> names), `start` included. */
export function reachable(edges, start) {
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const next of edges.get(name) ?? []) visit(next);
  };
  visit(start);
  return seen;
}

/** A path name -> ... -> name in `edges`, or null where there is no circle. */
export function findCircle(edges) {
  const done = new Set();
  const visit = (name, path) => {
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    if (done.has(name)) return null;
    for (const next of edges.get(name) ?? []) {
      const circle = visit(next, [...path, name]);
      if (circle) return circle;
    }
    done.add(name);
    return null;
  };
  for (const name of edges.keys()) {
    const circle = visit(name, []);
    if (circle) return circle;
  }
  return null;
}

/**
 * The dependencies that CMake files declare. `files`: { path: text }. Returns `layers`: layer name
 * -> names of the layers it links; `folders`: folder -> the layers built in it; `programs`: source
 * file -> layers that the executables compiled from it link.
 */
export function declaredLayers(files) {
  const layers = new Map();
  const folders = new Map();
  const programs = new Map();
  const layerNames = (words) =>
    words
      .filter((word) => word.startsWith("tinyvlm_"))
      .map((word) => word.slice("tinyvlm_".length));
  for (const [path, text] of Object.entries(files)) {
    const folder = posix.dirname(path);
    const commands = text
      .replaceAll(/#[^\n]*/g, "")
      .matchAll(/\b(tinyvlm_layer|add_executable|target_link_libraries)\s*\(([^()]*)\)/g);
    const sourcesOf = new Map();
    for (const [, command, inside] of commands) {
      const [name, ...words] = inside.split(/\s+/).filter(Boolean);
      if (command === "tinyvlm_layer") {
        const begin = words.indexOf("DEPENDS");
        const rest = begin < 0 ? [] : words.slice(begin + 1);
        const end = rest.findIndex((word) => word === "LIBRARIES" || word === "SOURCES");
        layers.set(name, rest.slice(0, end));
        folders.set(folder, [...(folders.get(folder) ?? []), name]);
      } else if (command === "add_executable") {
        sourcesOf.set(
          name,
          words
            .filter((word) => word.endsWith(".cc"))
            .map((word) => word.replace(/^"?\$\{PROJECT_SOURCE_DIR\}\//, "/"))
            .map((word) => (word.startsWith("/") ? word.slice(1) : posix.join(folder, word))),
        );
      } else {
        for (const source of sourcesOf.get(name) ?? [])
          programs.set(source, [...(programs.get(source) ?? []), ...layerNames(words)]);
      }
    }
  }
  return { layers, folders, programs };
}

/** Violations in the C++ `sources` ({ path: text }), given the text of the CMake files. */
export function wrongIncludes(sources, cmakeFiles) {
  const { layers, folders, programs } = declaredLayers(cmakeFiles);
  const circle = findCircle(layers);
  if (circle) return [`cpp layers depend on each other in a circle: ${circle.join(" -> ")}`];
  const homes = new Map([...folders].flatMap(([folder, names]) => names.map((n) => [n, folder])));
  const wrong = [];
  for (const [path, text] of Object.entries(sources)) {
    const folder = posix.dirname(path);
    const start = [...(folders.get(folder) ?? []), ...(programs.get(path) ?? [])];
    // Headers beside a program (bench/) are included by its sources: they may know what those know.
    if (start.length === 0)
      for (const [source, names] of programs)
        if (posix.dirname(source) === folder) start.push(...names);
    const allowed = new Set([folder]);
    for (const layer of start)
      for (const reached of reachable(layers, layer)) allowed.add(homes.get(reached));
    text.split("\n").forEach((line, index) => {
      const [, target] = /^\s*#\s*include\s+"([^"]+)\/[^"/]+"/.exec(line) ?? [];
      const included = `cpp/${target}`;
      if (!target || ![...homes.values()].includes(included) || allowed.has(included)) return;
      wrong.push(
        `${path}:${index + 1}: includes ${included}, but ${folder} depends on ` +
          `${
            [...allowed]
              .filter((name) => name !== folder)
              .sort()
              .join(", ") || "nothing"
          }`,
      );
    });
  }
  return wrong;
}

/** Violations in the TypeScript `sources` ({ path below js-sdk/src: text }). */
export function wrongImports(sources, table = sdkImports) {
  const wrong = [];
  const files = new Map();
  const part = (path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : path);
  for (const [path, text] of Object.entries(sources)) {
    const own = part(path);
    if (!table[own])
      wrong.push(`js-sdk/src/${path}: ${own} is missing in scripts/check-layers.mjs`);
    const targets = [];
    for (const [, from] of text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"([^"]+)"/g)) {
      if (/^(glue:|emscripten)/.test(from) && !knowsEmscripten.test(`js-sdk/src/${path}`))
        wrong.push(`js-sdk/src/${path}: only runtime/ and the workers' entries know Emscripten`);
      if (!from.startsWith(".")) continue;
      const target = posix.join(posix.dirname(path), from).replace(/\.js$/, ".ts");
      targets.push(target);
      if (part(target) !== own && table[own] && !table[own].includes(part(target)))
        wrong.push(
          `js-sdk/src/${path}: imports ${target}, but ${own} may import ` +
            (table[own].join(", ") || "nothing outside itself"),
        );
    }
    files.set(path, targets);
  }
  const circle = findCircle(files);
  if (circle) wrong.push(`js-sdk/src: imports go in a circle: ${circle.join(" -> ")}`);
  return wrong;
}

/** All violations in the tree. */
export function checkLayers() {
  const read = (names) =>
    Object.fromEntries(names.map((name) => [name, readFileSync(join(root, name), "utf8")]));
  const names = trackedFiles();
  const cmake = names.filter((name) => /^(cpp|wasm|bench)\/(.*\/)?CMakeLists\.txt$/.test(name));
  const cpp = names.filter((name) => /^(cpp|wasm|bench)\/.*\.(cc|c|h)$/.test(name));
  const sdk = names.filter((name) => /^js-sdk\/src\/.*\.ts$/.test(name));
  const below = Object.entries(read(sdk)).map(([name, text]) => [name.slice(11), text]);
  return [...wrongIncludes(read(cpp), read(cmake)), ...wrongImports(Object.fromEntries(below))];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wrong = checkLayers();
  for (const line of wrong) console.error(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
